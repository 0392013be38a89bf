"""Which rows to learn from and which to test on: positions of the training and of the test rows, in order.

The folds of a sweep are cut in the same way as the test rows were, so that what must not leak there doesn't here.
"""

import warnings

import numpy as np
import pandas as pd

from pipeline.errors import UserError


def stratified(classes: pd.Series, test_size: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Drawn at random, each class in the same proportion on both sides."""
    from sklearn.model_selection import train_test_split

    try:
        train, test = train_test_split(
            np.arange(len(classes)),
            test_size=test_size,
            random_state=seed,
            stratify=pd.factorize(classes, sort=True)[0],
        )
    except ValueError:  # one side has fewer rows than there are classes
        counts = classes.value_counts()
        raise UserError(
            f"column {classes.name!r} can't be split with split.test_size = {test_size}: a side would lack one of its "
            f"{len(counts)} classes. The smallest class, {counts.index[-1]!r}, has {counts.iloc[-1]:,} of "
            f"{len(classes):,} rows. Bring split.test_size nearer to 0.5, or add rows."
        ) from None
    return np.sort(train), np.sort(test)


def grouped(groups: pd.Series, test_size: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All rows of one group (a person, a site) on the same side; `test_size` is the share of the groups."""
    from sklearn.model_selection import GroupShuffleSplit

    if groups.isna().any():
        raise UserError(
            f"{groups.isna().sum():,} rows have no {groups.name!r}, the group that split.column names (the first is "
            f"row {groups.isna().argmax() + 1:,} of those with a target). Fill it."
        )
    if groups.nunique() < 2:
        raise UserError(
            f"{groups.name!r} is {groups.iloc[0]!r} in every row; a split by group needs two groups or more."
        )
    splitter = GroupShuffleSplit(n_splits=1, test_size=test_size, random_state=seed)
    try:
        train, test = next(splitter.split(groups, groups=pd.factorize(groups)[0]))
    except ValueError:  # one side is empty
        raise UserError(
            f"The {groups.nunique():,} groups of {groups.name!r} can't be split with split.test_size = {test_size}. "
            f"Bring it nearer to 0.5."
        ) from None
    return np.sort(train), np.sort(test)


def timed(times: pd.Series, test_size: float) -> tuple[np.ndarray, np.ndarray]:
    """The latest rows are the test; rows of one moment are on the same side."""
    if times.isna().any():
        raise UserError(
            f"{times.isna().sum():,} rows have no {times.name!r}, the time that split.column names (the first is "
            f"row {times.isna().argmax() + 1:,} of those with a target). Fill it."
        )
    if not pd.api.types.is_datetime64_dtype(times) and not pd.api.types.is_numeric_dtype(times):
        raise UserError(f"{times.name!r} holds {times.iloc[0]!r}, neither date nor number; a split by time needs one.")
    n_test = int(np.ceil(round(len(times) * test_size, 9)))  # 0.2 * 10 may be a little more than 2
    first = times.sort_values().iloc[-n_test]
    return np.flatnonzero(times < first), np.flatnonzero(times >= first)


Fold = tuple[np.ndarray, np.ndarray]  # rows to train on, rows held out


def folds(classes: np.ndarray, n_folds: int, seed: int, key: pd.Series | None = None) -> list[Fold]:
    """At most `n_folds` folds, and a warning if they are fewer; every class is on both sides of each.

    Drawn at random, each class in the same proportion; or by `key`, a value a row: named "group", all rows of a group
    in the same fold; named "time", each fold is later than all rows that came before, on which is trained.
    Errors: `UserError` where not even two can be cut.
    """
    codes = np.unique(classes, return_inverse=True)[1]
    smallest, keys = np.bincount(codes).min(), len(codes) if key is None else key.nunique()
    for n in range(min(n_folds, smallest, keys), 1, -1):
        cut = _cut(codes, n, seed, key)
        if all(len(np.unique(codes[side])) == codes.max() + 1 for fold in cut for side in fold):
            if n < n_folds:
                warnings.warn(
                    f"sweep.folds = {n_folds} is more than these training rows allow; {n} are used.", stacklevel=2
                )
            return cut
    split_by = "" if key is None else f", {keys:,} {key.name}s, by which they are split"
    raise UserError(
        f"The training rows don't make two folds with every class on both sides ({len(codes):,} rows, {smallest:,} of "
        f"the smallest class{split_by}). Add rows, or change split."
    )


def _cut(codes: np.ndarray, n_folds: int, seed: int, key: pd.Series | None) -> list[Fold]:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    rows = np.arange(len(codes))
    if key is None:
        return list(StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(rows, codes))
    if key.name == "group":
        groups = pd.factorize(key)[0]
        return list(StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed).split(rows, codes, groups))
    starts = key.sort_values().iloc[len(key) * np.arange(1, n_folds + 1) // (n_folds + 1)].tolist()
    return [
        (rows[key < first], rows[(key >= first) & (True if last is None else key < last)])
        for first, last in zip(starts, [*starts[1:], None], strict=True)
    ]

"""Which rows to learn from and which to test on: the positions of the training and of the test rows, in order.

The folds of a sweep are cut in the same way as the test rows, so that what must not leak into the test rows does not
leak into held-out rows either.
"""

import warnings

import numpy as np
import pandas as pd

from pipeline.errors import UserError

Fold = tuple[np.ndarray, np.ndarray]  # rows to train on, rows held out


def stratified(classes: pd.Series, test_size: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows drawn at random, each class in the same proportion on both sides. Errors: `UserError` if that can't be."""
    from sklearn.model_selection import train_test_split

    rows, codes = np.arange(len(classes)), pd.factorize(classes, sort=True)[0]
    try:
        train, test = train_test_split(rows, test_size=test_size, random_state=seed, stratify=codes)
    except ValueError:  # one side has fewer rows than there are classes
        counts = classes.value_counts()
        raise UserError(
            f"With split.test_size = {test_size}, the training or the test rows lack one of the {len(counts)} classes "
            f"of {classes.name!r}. The smallest class, {counts.index[-1]!r}, has {counts.iloc[-1]:,} of "
            f"{len(classes):,} rows. Bring split.test_size nearer to 0.5, or add rows."
        ) from None
    return np.sort(train), np.sort(test)


def grouped(groups: pd.Series, test_size: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All rows of a group (a patient, a site) on the same side; `test_size` is the share of the groups.

    Errors: `UserError` for missing groups, and where there are too few.
    """
    from sklearn.model_selection import GroupShuffleSplit

    _refuse_missing(groups)
    if groups.nunique() < 2:
        raise UserError(
            f"split.column = {groups.name!r} is {groups.iloc[0]!r} in every row, but a split by group needs at least "
            f"two groups. Use another column, or -S split=stratified."
        )
    splitter = GroupShuffleSplit(n_splits=1, test_size=test_size, random_state=seed)
    try:
        train, test = next(splitter.split(groups, groups=pd.factorize(groups)[0]))
    except ValueError:  # one side is empty
        raise UserError(
            f"The {groups.nunique():,} groups of {groups.name!r} can't be split with split.test_size = {test_size}: "
            f"one side would have no group. Bring it nearer to 0.5."
        ) from None
    return np.sort(train), np.sort(test)


def timed(times: pd.Series, test_size: float) -> tuple[np.ndarray, np.ndarray]:
    """The latest rows are the test rows; rows of the same time are on the same side.

    Errors: `UserError` for missing times, and for a column that is neither dates nor numbers.
    """
    _refuse_missing(times)
    if not pd.api.types.is_datetime64_dtype(times) and not pd.api.types.is_numeric_dtype(times):
        raise UserError(
            f"split.column = {times.name!r} holds {times.iloc[0]!r}, but a split by time needs dates or numbers. Use "
            f"another column, or set data.date_format if it holds dates."
        )
    n_test = int(np.ceil(round(len(times) * test_size, 9)))  # 0.2 * 10 may be a little more than 2
    first = times.sort_values().iloc[-n_test]
    return np.flatnonzero(times < first), np.flatnonzero(times >= first)


def _refuse_missing(key: pd.Series) -> None:
    missing = key.isna()
    if missing.any():
        raise UserError(
            f"split.column = {key.name!r} is missing in {missing.sum():,} rows (the first is row "
            f"{missing.argmax() + 1:,} of the rows with a target). Fill in these cells, or use another column."
        )


def folds(classes: np.ndarray, n_folds: int, seed: int, key: pd.Series | None = None) -> list[Fold]:
    """At most `n_folds` folds of the rows of `classes`, with every class on both sides of each.

    Without a `key`, rows are drawn at random, each class in the same proportion. A `key` has one value per row. If its
    name is "group", all rows of a group are in the same fold. If its name is "time", the rows held out are later than
    the rows trained on, and each fold is later than the one before. Warns if there are fewer folds than `n_folds`.
    Errors: `UserError` if there can't be two.
    """
    codes = np.unique(classes, return_inverse=True)[1]
    smallest, keys = np.bincount(codes).min(), len(codes) if key is None else key.nunique()
    for n in range(min(n_folds, smallest, keys), 1, -1):
        cut = _cut(codes, n, seed, key)
        if all(len(np.unique(codes[side])) == codes.max() + 1 for fold in cut for side in fold):
            if n < n_folds:
                warnings.warn(
                    f"sweep.folds = {n_folds} is more than these training rows allow; {n} folds are used.", stacklevel=2
                )
            return cut
    split_by = "" if key is None else f", and {keys:,} {key.name}s to split by"
    raise UserError(
        f"The training rows can't be cut into two folds with every class on both sides: there are {len(codes):,} rows, "
        f"{smallest:,} of the smallest class{split_by}. Add rows, or use another split, such as -S split=stratified."
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

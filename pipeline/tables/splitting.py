"""Which rows to learn from and which to test on: positions of the training and of the test rows, in order.

The folds of a sweep are cut in the same way as the test rows were, so that what must not leak there doesn't here.
"""

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
    except ValueError as error:
        counts = classes.value_counts()
        raise UserError(
            f"column {classes.name!r} can't be split with split.test_size = {test_size}: {error} "
            f"The smallest class, {counts.index[-1]!r}, has {counts.iloc[-1]:,} of {len(classes):,} rows."
        ) from None
    return np.sort(train), np.sort(test)


def grouped(groups: pd.Series, test_size: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All rows of one group (a person, a site) on the same side; `test_size` is the share of the groups."""
    from sklearn.model_selection import GroupShuffleSplit

    if groups.isna().any():
        raise UserError(
            f"Row {groups.isna().argmax() + 1:,} has no {groups.name!r}, the group that split.column names. Fill it."
        )
    if groups.nunique() < 2:
        raise UserError(
            f"{groups.name!r} is {groups.iloc[0]!r} in every row; a split by group needs two groups or more."
        )
    splitter = GroupShuffleSplit(n_splits=1, test_size=test_size, random_state=seed)
    train, test = next(splitter.split(groups, groups=pd.factorize(groups)[0]))
    return np.sort(train), np.sort(test)


def timed(times: pd.Series, test_size: float) -> tuple[np.ndarray, np.ndarray]:
    """The latest rows are the test; rows of one moment are on the same side."""
    if times.isna().any():
        raise UserError(
            f"Row {times.isna().argmax() + 1:,} has no {times.name!r}, the time that split.column names. Fill it."
        )
    if not pd.api.types.is_datetime64_dtype(times) and not pd.api.types.is_numeric_dtype(times):
        raise UserError(f"{times.name!r} holds {times.iloc[0]!r}, neither date nor number; a split by time needs one.")
    first = times.sort_values().iloc[int(np.floor(len(times) * (1 - test_size)))]
    return np.flatnonzero(times < first), np.flatnonzero(times >= first)


def folds(
    classes: np.ndarray, n_folds: int, seed: int, key: pd.Series | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to train on and rows held out, `n_folds` times; every class is on both sides.

    Drawn at random, each class in the same proportion; or by `key`, a value a row: named "group", all rows of a group
    in the same fold; named "time", each fold is later than all rows that came before, on which is trained.
    Errors: `UserError` where there are too few rows, groups or moments for so many folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    names, codes, counts = np.unique(classes, return_inverse=True, return_counts=True)
    if n_folds > counts.min():
        raise UserError(
            f"sweep.folds = {n_folds} is more than the {counts.min()} training rows of the smallest class, "
            f"{str(names[counts.argmin()])!r}: every fold needs one. Set sweep.folds to at most that."
        )
    rows = np.arange(len(codes))
    if key is None:
        return list(StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(rows, codes))
    most = key.nunique() if key.name == "group" else key.nunique() - 1
    if n_folds > most:
        raise UserError(
            f"sweep.folds = {n_folds} is too many for training rows of {key.nunique()} {key.name}s, by which they are "
            f"split. Set sweep.folds to at most {most}, or another split."
        )
    if key.name == "group":
        cut = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed).split(rows, codes, pd.factorize(key)[0])
    else:
        starts = key.sort_values().iloc[len(key) * np.arange(1, n_folds + 1) // (n_folds + 1)].tolist()
        cut = (
            (rows[key < first], rows[(key >= first) & (True if last is None else key < last)])
            for first, last in zip(starts, [*starts[1:], None], strict=True)
        )
    found = list(cut)
    for number, sides in enumerate(found, start=1):
        if any(len(np.unique(codes[side])) < len(names) for side in sides):
            raise UserError(
                f"fold {number} of sweep.folds = {n_folds}, cut by {key.name} as the test rows are, has not every "
                f"class on both sides ({len(sides[0]):,} rows to train on, {len(sides[1]):,} held out). Set fewer."
            )
    return found

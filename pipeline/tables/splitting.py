"""Which rows to learn from and which to test on: positions of the training and of the test rows, in order."""

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

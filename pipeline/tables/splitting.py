"""Which rows to learn from and which to test on: at random, by group, by time, or as the user's files say."""

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.tables.reading import unknown_column


def split(
    frame: pd.DataFrame, target: str, *, method: str, test_size: float, seed: int, column: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the training and of the test rows, each in the order of the table.

    `stratified`: drawn at random, each class in the same proportion. `group`: all rows with one value of `column` (a
    person, a site) on the same side. `time`: the latest rows by `column` are the test, rows of one moment on one side.
    `given`: the rows where `column` is true are the test. Errors: `UserError` when a class is missing from either side.
    """
    if column is not None and column not in frame:
        raise unknown_column(column, frame.columns, "split.column")
    classes = frame[target]
    if method == "stratified":
        train, test = _stratified(classes, test_size, seed)
    elif method == "group":
        train, test = _grouped(frame[column], test_size, seed)
    elif method == "time":
        train, test = _timed(frame[column], test_size)
    else:
        train, test = np.flatnonzero(~frame[column]), np.flatnonzero(frame[column])
    for side, rows in (("training", train), ("test", test)):
        if absent := sorted(set(classes.unique()) - set(classes.iloc[rows].unique())):
            raise UserError(
                f"split.method = {method!r} leaves no {side} row with {target} = {absent[0]!r} ({len(train):,} "
                f"training and {len(test):,} test rows). Change split.test_size = {test_size} or split.seed."
            )
    return np.sort(train), np.sort(test)


def _stratified(classes: pd.Series, test_size: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.model_selection import train_test_split

    try:
        return train_test_split(np.arange(len(classes)), test_size=test_size, random_state=seed, stratify=classes)
    except ValueError as error:
        raise UserError(
            f"{len(classes):,} rows can't be split with split.test_size = {test_size}: {error} Change it, or add rows."
        ) from None


def _grouped(groups: pd.Series, test_size: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
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
    return next(splitter.split(groups, groups=pd.factorize(groups)[0]))


def _timed(times: pd.Series, test_size: float) -> tuple[np.ndarray, np.ndarray]:
    if times.isna().any():
        raise UserError(
            f"Row {times.isna().argmax() + 1:,} has no {times.name!r}, the time that split.column names. Fill it."
        )
    if not pd.api.types.is_datetime64_dtype(times) and not pd.api.types.is_numeric_dtype(times):
        raise UserError(f"{times.name!r} holds {times.iloc[0]!r}, neither date nor number; a split by time needs one.")
    first = times.sort_values().iloc[int(np.floor(len(times) * (1 - test_size)))]
    return np.flatnonzero(times < first), np.flatnonzero(times >= first)

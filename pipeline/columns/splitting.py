"""Which rows to learn from, which to test on, and which to take of too many: their positions, in order.

The folds of a sweep are cut in the same way as the test rows, so that what must not leak into the test rows does not
leak into held-out rows either.
"""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.errors import UserError

Fold = tuple[np.ndarray, np.ndarray]  # rows to train on, rows held out


class Sample(NamedTuple):
    """Some rows of a table, drawn by `sample`."""

    rows: np.ndarray  # (n_drawn,), their positions
    stands_for: np.ndarray | None  # (n_drawn,), rows of its class per row drawn, 1 at least; None if all rows are there

    def weight(self, weight: np.ndarray | None) -> np.ndarray | None:
        """The weight of each row drawn (n_drawn,), for that of each row of the table or None where all weigh the same.

        Rows of the class that was drawn most fully keep theirs.
        """
        if self.stands_for is None:
            return weight
        times = self.stands_for / self.stands_for.min()
        return times if weight is None else weight[self.rows] * times


def sample(classes: np.ndarray, size: int, seed: int = 0) -> Sample:
    """At most about `size` rows at random, in which a rare class is not lost.

    Each class has its share of the rows, but as many as size / (2 n_classes), or all that it has if those are fewer.
    What the sample shows is true of all rows if each counts by `Sample.weight`.
    """
    if len(classes) <= size:
        return Sample(np.arange(len(classes)), None)
    codes, counts = np.unique(classes, return_inverse=True, return_counts=True)[1:]
    least = max(size // (2 * len(counts)), 1)
    rare = counts * (size / len(codes)) < least
    drawn = np.minimum(counts, least)
    drawn[~rare] = counts[~rare] * ((size - drawn[rare].sum()) / counts[~rare].sum())
    order = np.random.default_rng(seed).permutation(len(codes))
    place = pd.Series(codes[order]).groupby(codes[order]).cumcount().to_numpy()  # among the rows of its class
    rows = np.sort(order[place < drawn[codes[order]]])
    return Sample(rows, (counts / drawn)[codes[rows]])


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


def can_be_grouped(groups: pd.Series, classes: pd.Series) -> bool:
    """Whether a split by group, as in conf/split/group.yaml, leaves each class on both sides, and groups for folds."""
    if groups.groupby(classes.to_numpy()).nunique().min() < 3:
        return False
    sides = grouped(groups, test_size=0.2, seed=0)
    return all(classes.iloc[rows].nunique() == classes.nunique() for rows in sides)


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

    A class that can't be on both sides, of more than two, is trained on in every fold and judged in none, with a
    warning. Errors: `UserError` if no two classes can.
    """
    labels, codes, counts = np.unique(classes, return_inverse=True, return_counts=True)
    keys = len(codes) if key is None else key.nunique()
    keys_of_class = counts if key is None else key.reset_index(drop=True).groupby(codes).nunique().to_numpy()
    rarest = np.lexsort((counts, keys_of_class))
    for left_out in range(max(len(labels) - 1, 1)):
        judged = np.ones(len(labels), dtype=bool)
        judged[rarest[:left_out]] = False
        rows, always = np.flatnonzero(judged[codes]), np.flatnonzero(~judged[codes])
        cut = _folds_of(codes[rows], n_folds, seed, None if key is None else key.iloc[rows].reset_index(drop=True))
        if not cut:
            continue
        if left_out:
            pairs = zip(labels[~judged], counts[~judged], strict=True)
            names = ", ".join(f"{str(label)!r} ({n:,} rows)" for label, n in pairs)
            warnings.warn(
                f"The training rows can't be cut into folds with {names} on both sides, so in cross-validation these "
                f"rows are trained on in every fold and judged in none. Add rows, or make it one class with another "
                f"(data.replace).",
                stacklevel=2,
            )
        if len(cut) < n_folds:
            smallest = np.flatnonzero(judged)[counts[judged].argmin()]
            warnings.warn(
                f"sweep.folds = {n_folds} is more than these training rows allow; {len(cut)} folds are used. The "
                f"smallest class, {str(labels[smallest])!r}, has {counts[smallest]:,} rows: what cross-validation "
                f"chooses from so few is uncertain.",
                stacklevel=2,
            )
        return [(np.sort(np.append(rows[learnt], always)), rows[held_out]) for learnt, held_out in cut]
    split_by = "" if key is None else f", and {keys:,} {key.name}s to split by"
    raise UserError(
        f"The training rows can't be cut into two folds with every class on both sides: there are {len(codes):,} rows, "
        f"{counts.min():,} of the smallest class{split_by}. Add rows, or use another split, such as "
        f"-S split=stratified."
    )


def _folds_of(codes: np.ndarray, n_folds: int, seed: int, key: pd.Series | None) -> list[Fold]:
    """As many folds as have every class on both sides, none if two are too many."""
    classes, counts = np.unique(codes, return_counts=True)
    for n in range(min(n_folds, counts.min(), len(codes) if key is None else key.nunique()), 1, -1):
        cut = _cut(codes, n, seed, key)
        if all(len(np.unique(codes[side])) == len(classes) for fold in cut for side in fold):
            return cut
    return []


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

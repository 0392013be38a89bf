"""Signs that a score will be too good: a feature that is the target in disguise, rows in training and test, and dates.

Of rows with dates, a split at random trains on rows that are later than test rows: nobody who predicts has those.
"""

import warnings
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.columns import splitting
from pipeline.columns.profile import as_numbers, binned
from pipeline.columns.roles import are_times, features
from pipeline.files import stored
from pipeline.files.stored import Table
from pipeline.overrides import override

ROWS = 20_000  # sampled from larger tables
APART = 0.8  # least distance of the bins of a class from those of the rest; a threshold has more, even of a rare class
PERFECT = 0.99  # balanced accuracy from which a single feature is suspicious


class Leak(NamedTuple):
    """A feature that on its own shows whether the target is `label`, from its values or only from which are missing."""

    column: str
    label: str
    by_missing: bool
    score: float  # balanced accuracy of the class against the rest


class Halves(NamedTuple):
    """The rows to learn a rule from and those to score it on, and the weight of each row of both."""

    learnt: np.ndarray  # (n_learnt,), positions
    scored: np.ndarray  # (n_scored,)
    weight: np.ndarray  # (n_learnt + n_scored,)

    def score(self, predicted: np.ndarray, is_class: np.ndarray) -> float:
        """The balanced accuracy: the mean of the shares of the class and of the rest that are found; 0 without one."""
        actual, weight = is_class[self.scored], self.weight[self.scored]
        if actual.all() or not actual.any():
            return 0.0
        sides = zip((predicted, ~predicted), (actual, ~actual), strict=True)
        return sum(float(np.average(right[side], weights=weight[side])) for right, side in sides) / 2


def disguised_targets(frame: Table, report: pd.DataFrame, target: str) -> list[Leak]:
    """The features that almost perfectly predict a class against the rest, on their own; of two classes the last.

    The rule is learnt on one half of the rows of each class (or of a sample) and scored on the other half: missing or
    not; the classes of each category; or a small decision tree of numbers. It is tried where the distribution of the
    feature within the class, in bins, is far from that of the rest.
    """
    drawn = splitting.sample(frame[target].to_numpy(), ROWS)
    sample, weight = stored.in_memory(frame.take(drawn.rows)), drawn.weight(None)
    weight = np.ones(len(sample)) if weight is None else weight
    codes, labels = pd.factorize(sample[target], sort=True)
    order = np.random.default_rng(0).permutation(len(sample))
    place = pd.Series(codes[order]).groupby(codes[order]).cumcount().to_numpy()
    halves = Halves(order[place % 2 == 0], order[place % 2 == 1], weight)
    leaks = []
    for name in features(report):
        column = sample[name]
        distance = _distances(binned(column, column.nunique()), codes, weight)
        for k in range(len(labels) == 2, len(labels)):
            if distance[k] < APART:
                continue
            is_class = codes == k
            score = by_missing = halves.score(_by_category(column.isna(), is_class, halves), is_class)
            if score < PERFECT:
                is_string = pd.api.types.is_string_dtype(column)
                score = halves.score((_by_category if is_string else _by_tree)(column, is_class, halves), is_class)
            if score >= PERFECT:
                leaks.append(Leak(name, str(labels[k]), by_missing >= PERFECT, score))
    return leaks


def warn_of_leaks(frame: Table, report: pd.DataFrame, target: str) -> None:
    """One warning for each feature of `disguised_targets`."""
    n_classes = frame[target].nunique()
    for name, group in groupby(disguised_targets(frame, report, target), key=lambda leak: leak.column):
        leaks = list(group)
        is_whole = n_classes in (2, len(leaks))
        labels = " or ".join(repr(leak.label) for leak in leaks)
        told = f"predicts {target!r}" if is_whole else f"tells whether {target!r} is {labels}"
        missing = " (missing or not)" if all(leak.by_missing for leak in leaks) else ""
        score = min(leak.score for leak in leaks)
        warnings.warn(
            f"{name!r}{missing} alone {told} almost perfectly (balanced accuracy {score:.3f}). If it is known only "
            f"after {target!r}, leave it out: {override('data.drop', [name])}.",
            stacklevel=3,
        )


def _distances(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The total variation between the bins x of each class of y and those of the rest, (n_classes,), from 0 to 1."""
    n_classes = int(y.max()) + 1
    joint = np.bincount((x.astype(np.int64) + 1) * n_classes + y, weight)
    joint = np.pad(joint, (0, -len(joint) % n_classes)).reshape(-1, n_classes)
    counts = joint.sum(axis=0)
    rest = (joint.sum(axis=1, keepdims=True) - joint) / np.maximum(weight.sum() - counts, 1)
    return np.abs(joint / counts - rest).sum(axis=0) / 2


def _by_category(column: pd.Series, is_class: np.ndarray, halves: Halves) -> np.ndarray:
    """Whether most rows to learn from of the same category are of the class, for each row to score."""
    codes, (learnt, scored, weight) = pd.factorize(column)[0] + 1, halves
    totals = np.bincount(codes[learnt], weight[learnt], codes.max() + 1)
    within = np.bincount(codes[learnt], (weight * is_class)[learnt], codes.max() + 1)
    return (2 * within > totals)[codes[scored]]


def _by_tree(column: pd.Series, is_class: np.ndarray, halves: Halves) -> np.ndarray:
    """The same from a decision tree of the numbers."""
    from sklearn.tree import DecisionTreeClassifier  # takes a second or more to import

    values, (learnt, scored, weight) = as_numbers(column)[:, None], halves
    tree = DecisionTreeClassifier(max_depth=10, min_samples_leaf=2, random_state=0)
    return tree.fit(values[learnt], is_class[learnt], weight[learnt]).predict(values[scored])


def warn_of_dates(frame: Table, report: pd.DataFrame) -> None:
    """One warning where features are dates (no times of day), for rows that are split at random."""
    names = [name for name in report.loc[report["role"] == "date", "column"] if not are_times(frame[name])]
    if names:
        warnings.warn(
            f"Rows are split at random, but {', '.join(map(repr, names))} "
            f"{'is a date' if len(names) == 1 else 'are dates'}: the model learns from rows that are later than test "
            f"rows. If it will predict the future, split by time: -S split=time {override('split.column', names[0])}.",
            stacklevel=3,
        )


def repeated_rows(train: Table, test: Table, columns: list[str]) -> np.ndarray:
    """Positions of the test rows that have the same values in `columns` as some training row."""
    return np.flatnonzero(np.isin(stored.row_hashes(test[columns]), stored.row_hashes(train[columns])))

"""Signs that a score will be too good: a feature that is the target in disguise, rows in training and test, dates, and
groups.

Of rows with dates, a split at random trains on rows that are later than test rows: nobody who predicts has those.
"""

import warnings
from itertools import combinations, groupby
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
SHOWN = 5  # names in a message
MIX = np.uint64(0x9E3779B97F4A7C15)  # spreads the numbers of groups (Knuth, The Art of Computer Programming, 6.4)
APART = 0.8  # least distance of the bins of a class from those of the rest; a threshold has more, even of a rare class
GROUPS = 50  # of rows that repeat each other, at least
REPEATED = 0.3  # share of the rows that have the group of another row, at least
SAME = 0.95  # share of the rows of a group that have its value, of a column that is the same within groups
AGREEMENT = 0.9  # of the classes within groups, beyond chance (Cohen's kappa), at least
KEYS = 4  # columns of the most values, alone and in pairs, that may say which group a row is in
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


class Repeats(NamedTuple):
    """Groups of rows that are the same but for a few columns, and of the same class."""

    key: str  # the column that keeps groups together
    share: float  # of the rows that have the group of another row
    same: list[str]  # the columns that are the same within groups
    others: list[str]


def repeats(frame: Table, report: pd.DataFrame, target: str) -> Repeats | None:
    """The groups that most rows are in, if rows of a group share their class and at least half of the features.

    A group is the rows with the same value in one or two columns of many values (`KEYS`): rows of few categories repeat
    each other by chance, and what determines the class there are these categories. The rows of some groups are taken
    where there are many.
    """
    names, n = [name for name in report["column"] if name != target], len(frame)
    codes = {name: pd.factorize(frame[name])[0] for name in [*names, target]}
    sizes = {name: int(codes[name].max()) + 1 for name in names if (codes[name] >= 0).all()}
    usual = sorted((name for name in sizes if GROUPS <= sizes[name] < n), key=lambda name: -sizes[name])[:KEYS]
    best = None
    for key in [(name,) for name in usual] + list(combinations(usual, 2)):
        group = codes[key[0]].astype(np.int64) if len(key) == 1 else codes[key[0]] * np.int64(n) + codes[key[1]]
        mixed = (group.astype(np.uint64) * MIX) >> np.uint64(32)
        kept = np.flatnonzero(mixed % np.uint64(n) < ROWS) if n > ROWS else np.arange(n)
        group, first, place, counts = np.unique(group[kept], return_index=True, return_inverse=True, return_counts=True)
        again = kept[counts[place] > 1]  # rows that have the group of another
        if (counts > 1).sum() < GROUPS or len(again) < REPEATED * len(kept):
            continue
        first_of = kept[first[place]][counts[place] > 1]
        later = again != first_of
        again, first_of = again[later], first_of[later]
        is_same = {name: (codes[name][again] == codes[name][first_of]).mean() >= SAME for name in features(report)}
        same, others = ([name for name in is_same if is_same[name] == side] for side in (True, False))
        classes = codes[target]
        chance = float(np.sum((np.bincount(classes) / n) ** 2))
        kappa = ((classes[again] == classes[first_of]).mean() - chance) / (1 - chance)
        share = (counts[counts > 1]).sum() / len(kept)
        if others and len(same) >= len(others) and kappa >= AGREEMENT and (best is None or share > best.share):
            best = Repeats(key[0], share, same, others)
    return best


def warn_of_repeats(frame: Table, report: pd.DataFrame, target: str) -> None:
    """One warning where rows, which are split at random, repeat others but for a few columns."""
    found = repeats(frame, report, target)
    if found is None:
        return
    warnings.warn(
        f"Rows are split at random, but {found.share:.0%} of them repeat another row, {target!r} included, in all but "
        f"{_listed(found.others)}: {_listed(found.same)} are the same. The model looks these up, so the score is too "
        f"good for new cases. Keep rows of the same {found.key!r} together: -S split=group "
        f"{override('split.column', found.key)}.",
        stacklevel=3,
    )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(repr, names[:SHOWN])) + more


def repeated_rows(train: Table, test: Table, columns: list[str]) -> np.ndarray:
    """Positions of the test rows that have the same values in `columns` as some training row."""
    return np.flatnonzero(np.isin(stored.row_hashes(test[columns]), stored.row_hashes(train[columns])))

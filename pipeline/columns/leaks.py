"""Signs that a score will be too good: a feature that is the target in disguise, rows in training and test, and dates.

Of rows with dates, a split at random trains on rows that are later than test rows: nobody who predicts has those.
"""

import warnings

import numpy as np
import pandas as pd

from pipeline import outputs
from pipeline.columns.profile import as_numbers
from pipeline.columns.roles import features
from pipeline.outputs import Table
from pipeline.overrides import override

ROWS = 20_000  # sampled from larger tables
INFORMATIVE = 0.3  # least `information` of a suspect; a threshold that separates even a rare class has more
PERFECT = 0.99  # balanced accuracy from which a single feature is suspicious


def disguised_targets(frame: pd.DataFrame, report: pd.DataFrame, target: str) -> dict[str, float]:
    """The features that predict the target almost perfectly on their own, each with its balanced accuracy.

    For each feature whose `information` in the `report` of `profile.describe` is high enough, a small decision tree is
    trained on one half of the rows (or of a sample) and scored on the other half.
    """
    informative = set(report.loc[report["information"] >= INFORMATIVE, "column"])
    suspects = [name for name in features(report) if name in informative]
    if not suspects:
        return {}
    from sklearn.metrics import balanced_accuracy_score  # takes a second or more, so only where there are suspects
    from sklearn.tree import DecisionTreeClassifier

    train, test = np.array_split(np.random.default_rng(0).permutation(len(frame))[:ROWS], 2)
    classes = pd.factorize(frame[target])[0]
    found = {}
    for name in suspects:
        column = frame[name]
        is_string = pd.api.types.is_string_dtype(column)
        values = (pd.factorize(column)[0].astype(float) if is_string else as_numbers(column))[:, None]
        tree = DecisionTreeClassifier(max_depth=10, min_samples_leaf=2, random_state=0)
        predicted = tree.fit(values[train], classes[train]).predict(values[test])
        score = float(balanced_accuracy_score(classes[test], predicted))
        if score >= PERFECT:
            found[name] = score
    return found


def warn_of_dates(report: pd.DataFrame) -> None:
    """One warning where features are dates (no times of day), for rows that are split at random."""
    is_date = (report["role"] == "date") & ~report["reason"].str.startswith("times")
    names = report.loc[is_date, "column"].tolist()
    if names:
        warnings.warn(
            f"Rows are split at random, but {', '.join(map(repr, names))} "
            f"{'is a date' if len(names) == 1 else 'are dates'}: the model learns from rows that are later than test "
            f"rows. If it will predict the future, split by time: -S split=time {override('split.column', names[0])}.",
            stacklevel=3,
        )


def repeated_rows(train: Table, test: Table, columns: list[str]) -> np.ndarray:
    """Positions of the test rows that have the same values in `columns` as some training row."""
    return np.flatnonzero(np.isin(outputs.row_hashes(test[columns]), outputs.row_hashes(train[columns])))

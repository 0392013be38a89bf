"""Two signs that a score will be too good: a feature that is the target in disguise, rows in both training and test."""

import numpy as np
import pandas as pd

from pipeline.columns.roles import features

ROWS = 20_000  # looked at
TELLING = 0.3  # a step between two values of a feature in bins explains more, however rare the class is
PERFECT = 0.99  # balanced accuracy of one feature alone from which it is suspicious


def disguised_targets(frame: pd.DataFrame, report: pd.DataFrame, target: str) -> dict[str, float]:
    """The features that alone predict the target almost perfectly, each with its balanced accuracy.

    That is a small decision tree's, learnt from one half of the rows (a sample of many) and judged on the other, for
    the features whose `information` in the `report` of `profile.describe` makes it possible.
    """
    telling = report.loc[report["information"] >= TELLING, "column"]
    suspects = [name for name in features(report) if name in set(telling)]
    if not suspects:
        return {}
    from sklearn.metrics import balanced_accuracy_score  # a second and more, for those who need it
    from sklearn.tree import DecisionTreeClassifier

    rows = np.random.default_rng(0).permutation(len(frame))[:ROWS]
    learn, judge = np.array_split(rows, 2)
    classes = pd.factorize(frame[target])[0]
    found = {}
    for name in suspects:
        column = frame[name]
        values = column if pd.api.types.is_numeric_dtype(column) else pd.Series(pd.factorize(column)[0])
        values = values.to_numpy(float)[:, None]
        tree = DecisionTreeClassifier(max_depth=10, min_samples_leaf=2, random_state=0).fit(
            values[learn], classes[learn]
        )
        score = balanced_accuracy_score(classes[judge], tree.predict(values[judge]))
        if score >= PERFECT:
            found[name] = float(score)
    return found


def repeated_rows(train: pd.DataFrame, test: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Positions of the test rows whose `columns` are those of some training row."""
    hashes = [pd.util.hash_pandas_object(part[columns], index=False) for part in (train, test)]
    return np.flatnonzero(np.isin(hashes[1], hashes[0]))

"""Two signs that a score will be too good: a feature that is the target in disguise, rows in both training and test."""

import numpy as np
import pandas as pd

from pipeline.tables.roles import features

ROWS = 20_000  # looked at
PERFECT = 0.99  # balanced accuracy of one feature alone from which it is suspicious


def disguised_targets(frame: pd.DataFrame, roles: pd.DataFrame, target: str, seed: int = 0) -> dict[str, float]:
    """The features that alone predict the target almost perfectly, each with its balanced accuracy.

    That is a small decision tree's, learnt from one half of the rows (a sample of many) and judged on the other.
    """
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.tree import DecisionTreeClassifier

    random = np.random.default_rng(seed)
    rows = random.permutation(len(frame))[:ROWS]
    learn, judge = np.array_split(rows, 2)
    classes = pd.factorize(frame[target])[0]
    found = {}
    for name in features(roles):
        column = frame[name].iloc[rows]
        values = (
            column
            if roles.set_index("column")["role"][name] == "numeric"
            else pd.Series(pd.factorize(column)[0], column.index)
        )
        tree = DecisionTreeClassifier(max_depth=10, min_samples_leaf=2, random_state=0)
        tree.fit(values.loc[learn].to_numpy(float)[:, None], classes[learn])
        guess = tree.predict(values.loc[judge].to_numpy(float)[:, None])
        score = balanced_accuracy_score(classes[judge], guess)
        if score >= PERFECT:
            found[name] = float(score)
    return found


def repeated_rows(train: pd.DataFrame, test: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Positions of the test rows whose `columns` are those of some training row."""
    hashes = [pd.util.hash_pandas_object(part[columns], index=False) for part in (train, test)]
    return np.flatnonzero(np.isin(hashes[1], hashes[0]))

"""The scores of groups of rows, one by one, with Wilson's intervals."""

import numpy as np
import pandas as pd

from pipeline.scores.bootstrap import wilson
from pipeline.scores.scores import Evaluation, classes_of

GROUPS = 50  # categories of a column that are scored one by one


def by_group(
    groups: pd.DataFrame, evaluated: Evaluation, positive: str, weight: np.ndarray | None = None
) -> pd.DataFrame:
    """How a model treats the groups of test rows: one row per column of `groups`, category and class.

    Of two classes only `positive` is judged. Columns: rows; selection_rate, the share of rows predicted to be of the
    class; recall, that share of the rows that are of the class; mean_probability, and observed, the share of rows that
    are of the class, which it should equal. Shares have Wilson's intervals (JASA 22, 1927); with row weights,
    those of as many rows of equal weight as have the same information (Kish, Survey Sampling, 1965).
    """
    predictions = evaluated.predictions
    weights = np.ones(len(predictions)) if weight is None else weight
    names = classes_of(predictions)
    rows = []
    for column in groups:
        group = groups[column].astype("str").fillna("missing")
        for category in ["(all)", *sorted(group.unique())]:
            is_in = np.full(len(predictions), True) if category == "(all)" else (group == category).to_numpy()
            part, w = predictions[is_in], weights[is_in]
            for name in [positive] if len(names) == 2 else names:
                actual, chosen = ((part[side].astype(str) == name).to_numpy() for side in ("actual", "predicted"))
                shares = {
                    "selection_rate": (chosen, w),
                    "recall": (chosen[actual], w[actual]),
                    "observed": (actual, w),
                }
                row: dict = {"column": column, "group": category, "class": name, "rows": len(part)}
                for share, (values, of) in shares.items():
                    row[share] = np.average(values, weights=of) if of.sum() else np.nan
                    n_rows = of.sum() ** 2 / (of**2).sum() if of.sum() else 0
                    row[f"{share}_lower"], row[f"{share}_upper"] = wilson(row[share] * n_rows, n_rows)
                probability = part[f"probability_{name}"]
                row["mean_probability"] = np.average(probability, weights=w) if w.sum() else np.nan
                rows.append(row)
    return pd.DataFrame(rows)

"""From which probability on a row is decided to be of the positive class, as the section `decision` says.

cost    the smallest total of the costs of false alarms and misses
floor   the fewest rows with a recall of at least ...
budget  the rows of the highest probability, as many as ...

flagged     decided to be of the positive class
codes       (n_samples,), 1 where a row is of the positive class
probability (n_samples,), of the positive class
"""

import numpy as np
import pandas as pd

from pipeline import config
from pipeline.errors import UserError
from pipeline.files.formats import SCORE_DIGITS, significant
from pipeline.files.stored import Table

FOLDS, SEED = 5, 0
NEXT_TO_NONE = 1e-300


def costs(settings: config.Decision, rows: Table) -> tuple[np.ndarray, np.ndarray]:
    """What a false alarm and a miss cost for each row, (n_samples,); 1 where that decides nothing."""
    row_costs = []
    for name in ("false_alarm", "miss"):
        cost = getattr(settings, name, 1.0)
        if isinstance(cost, str):
            numbers = rows.select_dtypes("number").columns.tolist()
            if cost not in numbers:
                raise UserError(
                    f"decision.{name} = {cost!r} is no feature of numbers. Use a number or one of "
                    f"{', '.join(map(repr, numbers)) or 'none: there are no numbers'}."
                )
            column = rows[cost].to_numpy(float)
            if not (column >= 0).all():
                wrong = int(np.flatnonzero(~(column >= 0))[0])
                raise UserError(
                    f"decision.{name} = {cost!r} is missing or negative in some rows (the first: row {wrong + 1:,}, "
                    f"{column[wrong]:g}), but a cost is a number from 0 up."
                )
            row_costs.append(column)
        else:
            row_costs.append(np.full(len(rows), float(cost)))
    return row_costs[0], row_costs[1]


def curve(codes: np.ndarray, probability: np.ndarray, cost: np.ndarray, weight: np.ndarray) -> pd.DataFrame:
    """What each threshold gives: threshold, flagged, recall, precision, cost (per row); the first flags nothing.

    Thresholds are in the middle between the probabilities of two rows, so that the last digit of one changes nothing.
    """
    from sklearn.metrics import confusion_matrix_at_thresholds

    n = weight.sum()
    # scikit-learn leaves out rows of weight 0, and with them thresholds: here they have next to none.
    counted, paid = np.maximum(weight, NEXT_TO_NONE), np.maximum(cost * weight, NEXT_TO_NONE)
    _, fps, fns, tps, edges = confusion_matrix_at_thresholds(codes, probability, sample_weight=counted)
    _, false_alarms, misses, *_ = confusion_matrix_at_thresholds(codes, probability, sample_weight=paid)
    middle = np.append((edges[:-1] + edges[1:]) / 2, edges[-1] / 2)
    flagged = fps + tps
    table = pd.DataFrame(
        {
            "threshold": significant(middle, SCORE_DIGITS),
            "flagged": flagged / n,
            "recall": tps / (tps + fns),
            "precision": tps / flagged,
            "cost": (false_alarms + misses) / n,
        }
    )
    nothing = {"threshold": (1 + edges[0]) / 2, "flagged": 0, "recall": 0, "precision": np.nan}
    return pd.concat(
        [pd.DataFrame([nothing | {"cost": (cost * weight)[codes == 1].sum() / n}]), table], ignore_index=True
    )


def counts(
    is_positive: np.ndarray,
    probability: np.ndarray,
    costs: tuple[np.ndarray, np.ndarray],
    weight: np.ndarray,
    threshold: float,
    n: int = 120,
) -> dict[str, list[float]]:
    """What some thresholds give, `threshold` among them, in ascending order, for a page where they can be moved.

    They are the quantiles of the probabilities of all rows and of the positive ones. hits and false_alarms count rows
    by their weight; false_alarm_costs and miss_costs add up what those and the positive rows that are not flagged cost.
    """
    at = np.linspace(0, 1, n)
    tried = [np.quantile(rows, at) for rows in (probability, probability[is_positive]) if len(rows)]
    edges = np.unique(np.concatenate([significant(np.concatenate(tried), 4), [0.5, threshold, 1.0]]))

    def from_edge_on(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        order = np.argsort(probability[rows], kind="stable")
        sums = np.append(0, np.cumsum(values[rows][order]))
        return sums[-1] - sums[np.searchsorted(probability[rows][order], edges)]

    false_alarm, miss = (cost * weight for cost in costs)
    table = {
        "threshold": edges,
        "hits": from_edge_on(is_positive, weight),
        "false_alarms": from_edge_on(~is_positive, weight),
        "false_alarm_costs": from_edge_on(~is_positive, false_alarm),
        "miss_costs": miss[is_positive].sum() - from_edge_on(is_positive, miss),
    }
    return {name: significant(values, SCORE_DIGITS).tolist() for name, values in table.items()}


def chosen(decision_rates: pd.DataFrame, settings: config.Decision, n: int) -> int:
    """The row of `curve` that the settings choose, of `n` rows."""
    if isinstance(settings, config.FloorDecision):
        return int((decision_rates["recall"] >= settings.recall - 1e-12).to_numpy().argmax())
    if isinstance(settings, config.BudgetDecision):
        share = settings.highest if settings.highest < 1 else settings.highest / n
        return int(np.flatnonzero(decision_rates["flagged"] <= share + 1e-12)[-1])
    return int(decision_rates["cost"].round(9).argmin())

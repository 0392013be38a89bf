"""From which probability on a row is decided to be of the positive class, as the section `decision` says.

cost    the smallest total of the costs of false alarms and misses: from false_alarm / (false_alarm + miss) on, right
        for probabilities that hold, unless the cheapest one on some rows costs less on others by more than the
        standard error
floor   the fewest rows with a recall of at least ...
budget  the rows of the highest probability, as many as ...

flagged     decided to be of the positive class
codes       (n_samples,), 1 where a row is of the positive class
probability (n_samples,), of the positive class

Of three classes or more, a table of costs decides without a threshold: for the class of the least expected cost,
argmin_k sum_j P_j costs_jk. C. Elkan, The Foundations of Cost-Sensitive Learning, 2001, which has the threshold, too.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline import config
from pipeline.errors import UserError
from pipeline.files.formats import SCORE_DIGITS, significant
from pipeline.files.stored import Table
from pipeline.overrides import override

FOLDS, SEED = 5, 0
NEXT_TO_NONE = 1e-300
SHOWN = 5  # classes at most whose table of costs a message writes out


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


def cost_table(settings: config.Decision, classes: np.ndarray) -> np.ndarray | None:
    """`decision.costs` (n_classes, n_classes), rows the true classes; None where the rule is another one.

    Errors: `UserError` for a rule that these classes can't have, and for a table that is not one of them.
    """
    names = [str(label) for label in classes]
    table = {row: {column: 1.0 for column in names if column != row} for row in names}
    listed = ", ".join(names[:10])
    if not isinstance(settings, config.CostDecision) or settings.costs is None:
        if settings.method == "none" or len(names) == 2:
            return None
        costs = f" {override('decision.costs', table)}" if len(names) <= SHOWN else " and a table: decision.costs"
        raise UserError(
            f"decision.method = {settings.method}{' with decision.miss' * (settings.method == 'cost')} is for two "
            f"classes, but there are {len(names)}: {listed}. Leave it out: -S decision=none; or say what each mistake "
            f"costs: {override('decision', 'cost')}{costs}."
        )
    if len(names) == 2:
        raise UserError(
            f"decision.costs is for three classes or more, but there are two: {listed}. Of two: -S decision=cost "
            f"-S decision.miss=5 -S decision.false_alarm=1."
        )
    given = settings.costs
    wrong = [name for row in [[*given], *given.values()] for name in row if name not in names]
    absent = [(row, column) for row in names for column in table[row] if column not in given.get(row, {})]
    at_diagonal = [row for row in given if given[row].get(row)]
    if not (wrong or absent or at_diagonal):
        return np.array([[given[row].get(column, 0.0) for column in names] for row in names])
    kept = {row: cells | {k: v for k, v in given.get(row, {}).items() if k in cells} for row, cells in table.items()}
    full = f": {override('decision.costs', kept)}" if len(names) <= SHOWN else ""
    if wrong:
        what = f"has the class {wrong[0]!r}, which is none of {listed}"
    elif absent:
        what = f"does not say what it costs to predict {absent[0][1]!r} where {absent[0][0]!r} is true"
    else:
        what = f"has a cost of {given[at_diagonal[0]][at_diagonal[0]]:g} where {at_diagonal[0]!r} is predicted rightly"
    raise UserError(f"decision.costs {what}. Write a cost for each true class and each other one{full}.")


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


class Choice(NamedTuple):
    """A threshold: a row of the curve, and a sentence with the reason where the rule leaves one."""

    curve: pd.DataFrame
    place: int
    reason: str

    @property
    def threshold(self) -> float:
        return float(self.curve["threshold"].iloc[self.place])


def choose(
    settings: config.Decision,
    codes: np.ndarray,
    probability: np.ndarray,
    false_alarm: np.ndarray,
    miss: np.ndarray,
    weight: np.ndarray,
) -> Choice:
    """The threshold by the rule of the settings, for rows that were not trained on; all arrays are (n_samples,)."""
    cost = np.where(codes, miss, false_alarm)
    rates = curve(codes, probability, cost, weight)
    if isinstance(settings, config.FloorDecision):
        return Choice(rates, int((rates["recall"] >= settings.recall - 1e-12).to_numpy().argmax()), "")
    if isinstance(settings, config.BudgetDecision):
        share = settings.highest if settings.highest < 1 else settings.highest / len(codes)
        return Choice(rates, int(np.flatnonzero(rates["flagged"] <= share + 1e-12)[-1]), "")
    best = Choice(rates, int(rates["cost"].round(9).argmin()), "")
    total = false_alarm[0] + miss[0]
    if np.ptp(false_alarm) or np.ptp(miss) or not total:
        reason = "which cost least on held-out training rows, as costs differ from row to row"
        return best._replace(reason=f"The threshold is {best.threshold:.4g}, {reason}.")
    theoretical = float(significant(false_alarm[0] / total, SCORE_DIGITS))
    part = np.random.default_rng(SEED).permutation(len(codes)) % FOLDS
    cheapest = np.full(len(codes), best.threshold)  # chosen without the row: the least of many costs is too small
    for k in range(FOLDS):
        others = curve(*(each[part != k] for each in (codes, probability, cost, weight)))
        cheapest[part == k] = others["threshold"].iloc[int(others["cost"].round(9).argmin())]
    paid, least = (np.where((probability >= edge) == codes, 0.0, cost * weight) for edge in (theoretical, cheapest))
    n, saved = weight.sum(), paid - least
    gain, error = saved.sum() / n, saved.std() * np.sqrt(len(saved)) / n
    formula = f"false_alarm / (false_alarm + miss) = {theoretical:.4g}"
    if gain > error:
        return best._replace(
            reason=f"The threshold is {best.threshold:.4g}: on held-out training rows the cheapest saved {gain:.2g} "
            f"per row beside {formula}, more than the standard error of {error:.2g}."
        )
    place = int((np.unique(probability) >= theoretical).sum())  # the row of the curve with the same decisions
    rates.loc[place, "threshold"] = theoretical
    return Choice(
        rates,
        place,
        f"The threshold is {formula}: on held-out training rows the cheapest saved {gain:.2g} per row beside it, no "
        f"more than the standard error of {error:.2g}.",
    )

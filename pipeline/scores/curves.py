"""Curves of predictions as tables: ROC, precision and recall, calibration, gain, net benefit."""

import numpy as np
import pandas as pd

from pipeline.scores.bootstrap import wilson
from pipeline.scores.scores import classes_of

POINTS = 400  # of a curve at most
BINS = 10  # of a calibration curve


def curves(predictions: pd.DataFrame, positive: str, weight: np.ndarray | None = None) -> dict[str, pd.DataFrame]:
    """ROC, precision-recall and calibration as tables class, x, y: of `positive` of two classes, or of every class.

    Calibration has Wilson's intervals of the shares, too. Of two classes there are also `gain`, what the rows of the
    highest probability hold, and `decision_curve`, the net benefit of a threshold: hits per row, less false alarms per
    row times the odds of the threshold (Vickers and Elkin, Medical Decision Making 26, 2006).
    """
    from sklearn import metrics

    names = classes_of(predictions)
    curve_tables: dict[str, list[pd.DataFrame]] = {"roc": [], "precision_recall": [], "calibration": []}
    for name in [positive] if len(names) == 2 else names:
        is_class = (predictions["actual"].astype(str) == name).to_numpy()
        probability = predictions[f"probability_{name}"].to_numpy()
        false_positive, true_positive, _ = metrics.roc_curve(is_class, probability, sample_weight=weight)
        precision, recall, _ = metrics.precision_recall_curve(is_class, probability, sample_weight=weight)
        weights = np.ones(len(is_class)) if weight is None else weight
        xy = {"false_positive_rate": false_positive, "true_positive_rate": true_positive}
        curve_tables["roc"].append(pd.DataFrame({"class": name, **xy}))
        curve_tables["precision_recall"].append(pd.DataFrame({"class": name, "recall": recall, "precision": precision}))
        bands = _calibration(is_class, probability, weights)
        curve_tables["calibration"].append(pd.DataFrame({"class": name, **bands}))
    if len(names) == 2:
        curve_tables["gain"] = [
            gain(is_class, probability, weights).assign(**{"class": name})[["class", "flagged", "recall", "lift"]]
        ]
        curve_tables["decision_curve"] = [net_benefit(is_class, probability, weights)]
    return {name: pd.concat(tables, ignore_index=True) for name, tables in curve_tables.items()}


def _calibration(is_class: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> pd.DataFrame:
    """As scikit-learn's `calibration_curve` with quantiles, which takes no weights: predicted, share, lower, upper."""
    edges = np.quantile(probability, np.linspace(0, 1, BINS + 1))
    place = np.searchsorted(edges[1:-1], probability)
    columns = (1, is_class, probability, weight)
    total, hits, sums, squares = (np.bincount(place, weight * values, BINS) for values in columns)
    filled = total > 0
    share, n = hits[filled] / total[filled], total[filled] ** 2 / squares[filled]
    ends = [wilson(part * rows, rows) for part, rows in zip(share, n, strict=True)]
    lower, upper = np.transpose(ends)
    return pd.DataFrame({"predicted": sums[filled] / total[filled], "share": share, "lower": lower, "upper": upper})


def gain(is_class: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> pd.DataFrame:
    """By the share of rows that are flagged, those of the highest probability first: recall, and lift over chance."""
    from sklearn.metrics import confusion_matrix_at_thresholds

    _, fps, fns, tps, _ = confusion_matrix_at_thresholds(is_class, probability, sample_weight=weight)
    flagged, recall = (fps + tps) / weight.sum(), tps / (tps + fns)
    table = thinned(pd.DataFrame({"flagged": flagged, "recall": recall, "lift": recall / flagged}))
    return pd.concat([pd.DataFrame([{"flagged": 0.0, "recall": 0.0, "lift": np.nan}]), table], ignore_index=True)


def thinned(curve: pd.DataFrame) -> pd.DataFrame:
    """At most POINTS rows of a curve."""
    return curve.iloc[np.unique(np.linspace(0, len(curve) - 1, POINTS).round().astype(int))]


def net_benefit(is_class: np.ndarray, probability: np.ndarray, weight: np.ndarray) -> pd.DataFrame:
    """By threshold: that of the model, and that of flagging all rows; that of flagging none is 0."""
    threshold = np.arange(1, 100) / 100
    odds, n, share = threshold / (1 - threshold), weight.sum(), np.average(is_class, weights=weight)
    place = np.searchsorted(threshold, probability, side="right")  # how many thresholds flag a row
    sums = (np.bincount(place, weight * rows, len(threshold) + 1) / n for rows in (is_class, ~is_class))
    hits, false_alarms = (part[::-1].cumsum()[-2::-1] for part in sums)
    return pd.DataFrame(
        {"threshold": threshold, "model": hits - false_alarms * odds, "all": share - (1 - share) * odds, "none": 0.0}
    )

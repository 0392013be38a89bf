"""What test rows show about a model: scores, the classification report, curves and the confusion matrix.

Scores of more than two classes are means over the classes ("macro"); ROC and average precision take each class against
the rest. Source: https://scikit-learn.org/stable/modules/model_evaluation.html

Intervals are from the bootstrap: the scores of RESAMPLES draws of as many rows, with replacement; an interval leaves
out the lowest and the highest 2.5 % of them (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
Of more than ROWS rows, each is in a draw as often as a Poisson variable of mean 1 says, independently of the others:
all scores are ratios of sums, so the number of rows in the draw does not matter (Chamandy et al., Estimating
Uncertainty for Massive Data Streams, 2012).
"""

import math
from collections.abc import Callable, Iterator, Mapping
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse, stats
from sklearn import metrics

RESAMPLES, ROWS, SEED = 1000, 5_000, 0
LEVELS = 1_000  # of a probability, at most, that the areas under the curves of a draw are computed from
CONFIDENCE = 0.95
POINTS = 400  # of a curve at most
CHUNK = 2_000_000  # counts that are in memory at once
BINS = 10  # of a calibration curve
GROUPS = 50  # categories of a column that are scored one by one
LOSSES = ("log_loss", "brier_score")  # scores that are better when lower


OF_DECISION = ("threshold", "cost")  # beside the scores where `decision` is set


class Evaluation(NamedTuple):
    metrics: dict[str, float]
    report: str  # scikit-learn's classification report
    predictions: pd.DataFrame  # one row per test row: actual, predicted, a probability for each class


def evaluate(
    y: np.ndarray,
    predicted: np.ndarray,
    probabilities: np.ndarray,
    classes: np.ndarray,
    positive: str | None = None,
    weight: np.ndarray | None = None,
) -> Evaluation:
    """Judge predictions of labels y (n_samples,).

    predicted      (n_samples,), the classes that the model predicts
    probabilities  (n_samples, n_classes), in the order of `classes`
    classes        (n_classes,), sorted
    positive       of two classes, the one that ROC and average precision are about; None is the last
    weight         (n_samples,) of each row, or None

    ROC AUC and average precision are those of the classes that have rows (of a weight above 0), and NaN where no class
    can be told from others.
    """
    names, codes = [str(label) for label in classes], np.arange(len(classes))
    columns = {f"probability_{label}": column for label, column in zip(classes, probabilities.T, strict=True)}
    sides = (np.searchsorted(classes, labels) for labels in (y, predicted))
    return Evaluation(
        scores(y, predicted, probabilities, classes, positive, weight),
        metrics.classification_report(*sides, labels=codes, target_names=names, zero_division=0, sample_weight=weight),
        pd.DataFrame({"actual": y, "predicted": predicted, **columns}),
    )


def scores(
    y: np.ndarray,
    predicted: np.ndarray,
    probabilities: np.ndarray,
    classes: np.ndarray,
    positive: str | None = None,
    weight: np.ndarray | None = None,
    only: str | None = None,
) -> dict[str, float]:
    """Every score by its name, or the one that `only` names. Other parameters as for `evaluate`."""
    weighted: dict = {"sample_weight": weight}
    average = {"average": "macro", "zero_division": 0, **weighted}
    codes, every_code = [np.searchsorted(classes, labels) for labels in (y, predicted)], np.arange(len(classes))
    indicators = (codes[0][:, None] == every_code).astype(int)
    judged = every_code if len(classes) > 2 else np.flatnonzero(classes == (positive or classes[1]))
    counted = np.ones(len(y)) if weight is None else weight
    share = np.average(indicators[:, judged], axis=0, weights=counted) if counted.any() else np.zeros(len(judged))
    judged = judged[(share > 0) & (share < 1)]
    ranked, judgement = (indicators[:, judged], probabilities[:, judged]), (codes[0], probabilities)

    def area(score: Callable[..., float]) -> float:
        return score(*ranked, **weighted) if len(judged) else math.nan

    every = {
        "accuracy": lambda: metrics.accuracy_score(*codes, **weighted),
        "f1_macro": lambda: metrics.f1_score(*codes, **average),
        "precision_macro": lambda: metrics.precision_score(*codes, **average),
        "recall_macro": lambda: metrics.recall_score(*codes, **average),
        "roc_auc": lambda: area(metrics.roc_auc_score),
        "average_precision": lambda: area(metrics.average_precision_score),
        "log_loss": lambda: metrics.log_loss(*judgement, labels=every_code, **weighted),
        "brier_score": lambda: metrics.brier_score_loss(*judgement, labels=every_code, **weighted),
    }
    return {name: float(score()) for name, score in every.items() if only in (None, name)}


def resampled(
    y: np.ndarray,
    models: Mapping[str, tuple[np.ndarray, np.ndarray]],
    classes: np.ndarray,
    positive: str | None = None,
    weight: np.ndarray | None = None,
) -> dict[str, pd.DataFrame]:
    """The `scores` of each model for the same RESAMPLES draws of rows: one row per draw, one column per score.

    models  by name: predicted (n_samples,) and probabilities (n_samples, n_classes)

    A score that is not defined for a draw, which may lack a class, is NaN.
    """
    codes = np.searchsorted(classes, y)
    judged = np.arange(len(classes)) if len(classes) > 2 else np.flatnonzero(classes == (positive or classes[1]))
    prepared = {name: _Prepared(codes, *model, classes, judged) for name, model in models.items()}
    chunks: dict[str, list[pd.DataFrame]] = {name: [] for name in models}
    for counts in _counts(len(y)):
        drawn = counts if weight is None else counts * weight[:, None]
        for name, model in prepared.items():
            chunks[name].append(pd.DataFrame(model.scores(drawn)))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in chunks.items()}


def _counts(n: int) -> Iterator[np.ndarray]:
    """How often each of n rows is in each draw, (n, n_draws), for RESAMPLES draws in all."""
    rng, at_once = np.random.default_rng(SEED), max(CHUNK // n, 20)
    at_most = (stats.poisson.cdf(range(10), 1) * 2**16).round().astype(int)
    times = np.repeat(np.arange(11.0), np.diff(at_most, prepend=0, append=2**16))  # of each of 65,536 equal chances
    counts = np.empty((n, at_once))
    for first in range(0, RESAMPLES, at_once):
        n_draws = min(at_once, RESAMPLES - first)
        if n > ROWS:
            chances = rng.integers(0, 2**16, (n, n_draws), dtype=np.uint16)
            yield np.take(times, chances, out=counts[:, :n_draws], mode="clip")
        else:
            rows = rng.integers(0, n, (n_draws, n)) + n * np.arange(n_draws)[:, None]
            drawn = np.bincount(rows.ravel(), minlength=n_draws * n).reshape(n_draws, n)
            yield np.ascontiguousarray(drawn.T, dtype=float)


def decided(is_positive: np.ndarray, flagged: np.ndarray, cost: np.ndarray, weight: np.ndarray) -> pd.DataFrame:
    """What a decision is worth: flagged, recall, precision and cost per row, each with value, lower, upper.

    Parameters are of each row (n_samples,): whether it is of the positive class, whether it was decided to be, and what
    a wrong decision about it costs, and its weight. An interval is from the bootstrap of the rows.
    """

    def rates(sums: np.ndarray) -> np.ndarray:
        n_flagged, n_positive, hits, total, n = sums.T
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.stack([n_flagged / n, hits / n_positive, hits / n_flagged, total / n])

    columns = [flagged, is_positive, flagged & is_positive, np.where(flagged != is_positive, cost, 0)]
    table = np.column_stack([*columns, np.ones(len(cost))]) * weight[:, None]
    values = rates(table.sum(axis=0)[None])[:, 0]
    draws = np.concatenate([rates((table.T @ counts).T) for counts in _counts(len(table))], axis=1)
    rows = []
    for name, value, of_draws in zip(("flagged", "recall", "precision", "cost"), values, draws, strict=True):
        rows.append((name, value, *interval(of_draws)))
    return pd.DataFrame(rows, columns=["measure", "value", "lower", "upper"])


def mean_draws(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The weighted mean of values (n_samples,) in each draw of `resampled`, (RESAMPLES,)."""
    return np.concatenate([(values * weight) @ counts / (weight @ counts) for counts in _counts(len(values))])


def interval(draws: pd.Series | np.ndarray) -> tuple[float, float]:
    """The ends of the interval of a score from its draws (`resampled`); NaN if no draw has the score."""
    known = np.asarray(draws)[~np.isnan(draws)]
    if not len(known):
        return math.nan, math.nan
    lower, upper = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(lower), float(upper)


def log_losses(P: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The log-loss of each row, for probabilities P (n_samples, n_classes) and classes as codes (n_samples,)."""
    return -np.log(np.maximum(P[np.arange(len(codes)), codes], np.finfo(P.dtype).eps))


class _Prepared:
    """What the scores of one model need of each row, so that those of a draw are sums weighted by its counts."""

    def __init__(
        self, codes: np.ndarray, predicted: np.ndarray, P: np.ndarray, classes: np.ndarray, judged: np.ndarray
    ) -> None:
        guessed = np.searchsorted(classes, predicted)
        P = P / P.sum(axis=1, keepdims=True)
        errors = (P - np.eye(len(classes))[codes]) ** 2
        squares = errors.sum(axis=1) / (2 if len(classes) == 2 else 1)
        self.n_classes = len(classes)
        levels = [2 * _levels(P[:, k], codes == k) + (codes == k) for k in judged]
        sizes = [len(classes) ** 2, *(2 * (int(level.max()) // 2 + 1) for level in levels), 1, 1]
        self.starts, none = np.cumsum([0, *sizes]), np.zeros_like(codes)
        cells = np.column_stack([codes * len(classes) + guessed, *levels, none, none]) + self.starts[:-1]
        values = np.ones(cells.shape)
        values[:, -2:] = np.column_stack([log_losses(P, codes), squares])
        ends = cells.shape[1] * np.arange(len(cells) + 1)
        self.sums = sparse.csc_matrix((values.ravel(), cells.ravel(), ends), (self.starts[-1], len(cells)))

    def scores(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """Of draws that have each row so many times (or with so much weight), counts (n_samples, n_draws)."""
        pairs, *of_levels, log_loss, squares = np.split(self.sums @ counts, self.starts[1:-1])
        confusion = pairs.T.reshape(-1, self.n_classes, self.n_classes)
        hits, n = np.einsum("bkk->bk", confusion), confusion.sum(axis=(1, 2))
        actual, guessed = confusion.sum(axis=2), confusion.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision, recall, f1 = (
                np.where(of > 0, hits / of, 0.0) for of in (guessed, actual, (actual + guessed) / 2)
            )
            is_there = (actual + guessed) > 0  # a class that is neither there nor predicted does not count
            f1, precision, recall = ((s * is_there).sum(axis=1) / is_there.sum(axis=1) for s in (f1, precision, recall))
            accuracy, log_loss, brier_score = hits.sum(axis=1) / n, log_loss[0] / n, squares[0] / n
            areas = np.array([_areas(sums) for sums in of_levels])  # NaN where a draw lacks the class
            roc_auc, average_precision = np.nansum(areas, axis=0) / (~np.isnan(areas)).sum(axis=0)
        return {
            "accuracy": accuracy,
            "f1_macro": f1,
            "precision_macro": precision,
            "recall_macro": recall,
            "roc_auc": roc_auc,
            "average_precision": average_precision,
            "log_loss": log_loss,
            "brier_score": brier_score,
        }


def _levels(probability: np.ndarray, is_class: np.ndarray) -> np.ndarray:
    """The level of each row (n_samples,), a whole number from 0 up that grows with the probability.

    Rows of the same probability have the same level. So have those of other classes with none of the class between
    them: both areas are the same without their order. Above LEVELS, some of these levels are one.
    """
    values, place = np.unique(probability, return_inverse=True)
    has_class = np.bincount(place, is_class, len(values)) > 0
    starts = has_class | np.append(True, has_class[:-1])
    level = starts.cumsum() - 1
    return (level * min(LEVELS, level[-1] + 1) // (level[-1] + 1))[place]


def _areas(sums: np.ndarray) -> np.ndarray:
    """Areas under the ROC and precision-recall curves (2, n_draws); NaN where a draw has one class only.

    sums (2 n_levels, n_draws) are those of the other rows and of the rows of the class, for each level in turn.
    """
    misses, hits = sums[::2], sums[1::2]
    misses_below, hits_below = misses.cumsum(axis=0), hits.cumsum(axis=0)
    n_misses, n_hits = misses_below[-1], hits_below[-1]
    roc = np.sum(hits * (misses_below - misses / 2), axis=0) / (n_hits * n_misses)
    hits_above = n_hits - hits_below + hits  # of rows whose probability is at least this
    above = hits_above + n_misses - misses_below + misses
    precision = np.divide(hits_above, above, out=np.zeros_like(above), where=above > 0)
    return np.where((n_hits > 0) & (n_misses > 0), [roc, np.sum(hits * precision, axis=0) / n_hits], np.nan)


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


def wilson(successes: float, n: float) -> tuple[float, float]:
    """The interval of a share."""
    if n == 0:
        return math.nan, math.nan
    z, share = NormalDist().inv_cdf((1 + CONFIDENCE) / 2), successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(centre - reach, 0.0), min(centre + reach, 1.0)


def curves(predictions: pd.DataFrame, positive: str, weight: np.ndarray | None = None) -> dict[str, pd.DataFrame]:
    """ROC, precision-recall and calibration as tables class, x, y: of `positive` of two classes, or of every class.

    Calibration has Wilson's intervals of the shares, too. Of two classes there are also `gain`, what the rows of the
    highest probability hold, and `decision_curve`, the net benefit of a threshold: hits per row, less false alarms per
    row times the odds of the threshold (Vickers and Elkin, Medical Decision Making 26, 2006).
    """
    names = classes_of(predictions)
    parts: dict[str, list[pd.DataFrame]] = {"roc": [], "precision_recall": [], "calibration": []}
    for name in [positive] if len(names) == 2 else names:
        is_class = (predictions["actual"].astype(str) == name).to_numpy()
        probability = predictions[f"probability_{name}"].to_numpy()
        false_positive, true_positive, _ = metrics.roc_curve(is_class, probability, sample_weight=weight)
        precision, recall, _ = metrics.precision_recall_curve(is_class, probability, sample_weight=weight)
        weights = np.ones(len(is_class)) if weight is None else weight
        xy = {"false_positive_rate": false_positive, "true_positive_rate": true_positive}
        parts["roc"].append(pd.DataFrame({"class": name, **xy}))
        parts["precision_recall"].append(pd.DataFrame({"class": name, "recall": recall, "precision": precision}))
        bands = _calibration(is_class, probability, weights)
        parts["calibration"].append(pd.DataFrame({"class": name, **bands}))
    if len(names) == 2:
        parts["gain"] = [
            gain(is_class, probability, weights).assign(**{"class": name})[["class", "flagged", "recall", "lift"]]
        ]
        parts["decision_curve"] = [net_benefit(is_class, probability, weights)]
    return {name: pd.concat(tables, ignore_index=True) for name, tables in parts.items()}


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
    _, fps, fns, tps, _ = metrics.confusion_matrix_at_thresholds(is_class, probability, sample_weight=weight)
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


def confusion(predictions: pd.DataFrame) -> pd.DataFrame:
    """The number of rows of each actual class (index) that were predicted to be each class (columns)."""
    labels = classes_of(predictions)
    codes = (pd.Categorical(predictions[side].astype(str), labels).codes for side in ("actual", "predicted"))
    found = metrics.confusion_matrix(*codes, labels=np.arange(len(labels)))
    return pd.DataFrame(found, index=labels, columns=labels)


def classes_of(predictions: pd.DataFrame) -> list[str]:
    return [column.removeprefix("probability_") for column in predictions.columns[2:]]

"""Intervals of scores from the bootstrap: the scores of RESAMPLES draws of as many rows, with replacement.

An interval leaves out the lowest and the highest 2.5 % of them (Efron and Tibshirani, An Introduction to the Bootstrap,
1993, chapter 13). Of more than ROWS rows, each is in a draw as often as a Poisson variable of mean 1 says, whatever the
others: all scores are ratios of sums, so the number of rows in the draw does not matter (Chamandy et al.,
Estimating Uncertainty for Massive Data Streams, 2012).
"""

import math
from collections.abc import Iterator, Mapping
from statistics import NormalDist

import numpy as np
import pandas as pd
from scipy import sparse, stats

from pipeline.scores.scores import log_losses

RESAMPLES, ROWS, SEED = 1000, 5_000, 0
LEVELS = 1_000  # of a probability, at most, that the areas under the curves of a draw are computed from
CONFIDENCE = 0.95
CHUNK = 2_000_000  # counts that are in memory at once


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


def wilson(successes: float, n: float) -> tuple[float, float]:
    """The interval of a share."""
    if n == 0:
        return math.nan, math.nan
    z, share = NormalDist().inv_cdf((1 + CONFIDENCE) / 2), successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(centre - reach, 0.0), min(centre + reach, 1.0)

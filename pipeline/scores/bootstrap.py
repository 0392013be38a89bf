"""Intervals of scores from the bootstrap: the scores of RESAMPLES draws of as many rows, with replacement.

An interval leaves out the lowest and the highest 2.5 % of them (Efron and Tibshirani, An Introduction to the Bootstrap,
1993, chapter 13). Of more than ROWS rows, each is in a draw as often as a Poisson variable of mean 1 says, whatever the
others: all scores are ratios of sums, so the number of rows in the draw does not matter (Chamandy et al.,
Estimating Uncertainty for Massive Data Streams, 2012).

Draws show too little where few rows stand behind a class: without a hit, none of them has one. So macro precision,
recall and F1 also have an interval made of Wilson's (1927) of each class (`of_rare_classes`), by MOVER (Zou and Donner,
Statistics in Medicine 27, 2008): the mean of K independent scores s_k with the ends l_k, u_k goes from
mean - sqrt(sum (s_k - l_k)^2) / K to mean + sqrt(sum (u_k - s_k)^2) / K. F1 is 2 J / (1 + J) of a share J, the hits
among the rows that are of the class or predicted to be. `python -m benchmarks coverage` has what they cover.
"""

import math
from collections.abc import Iterator, Mapping
from statistics import NormalDist

import numpy as np
import pandas as pd

from pipeline.files.stored import progress
from pipeline.scores.scores import Scorer, classes_of

RESAMPLES, ROWS, SEED = 1000, 5_000, 0
LEVELS = 1_000  # of a probability, at most, that the areas under the curves of a draw are computed from
CONFIDENCE = 0.95
FEW = 10  # hits or predicted rows of a class: below, an interval of draws alone is too short
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
    prepared = {name: Scorer(codes, *model, classes, positive, LEVELS) for name, model in models.items()}
    chunks: dict[str, list[pd.DataFrame]] = {name: [] for name in models}
    for counts in _counts(len(y)):
        drawn = counts if weight is None else counts * weight[:, None]
        for name, model in prepared.items():
            chunks[name].append(pd.DataFrame(model.scores(drawn)))
    return {name: pd.concat(tables, ignore_index=True) for name, tables in chunks.items()}


def _counts(n: int) -> Iterator[np.ndarray]:
    """How often each of n rows is in each draw, (n, n_draws), for RESAMPLES draws in all."""
    from scipy.stats import poisson

    rng, at_once = np.random.default_rng(SEED), max(CHUNK // n, 20)
    at_most = (poisson.cdf(range(10), 1) * 2**16).round().astype(int)
    times = np.repeat(np.arange(11.0), np.diff(at_most, prepend=0, append=2**16))  # of each of 65,536 equal chances
    counts = np.empty((n, at_once))
    with progress(RESAMPLES, "draw rows for intervals", " draws") as bar:
        for first in range(0, RESAMPLES, at_once):
            n_draws = min(at_once, RESAMPLES - first)
            if n > ROWS:
                chances = rng.integers(0, 2**16, (n, n_draws), dtype=np.uint16)
                yield np.take(times, chances, out=counts[:, :n_draws], mode="clip")
            else:
                rows = rng.integers(0, n, (n_draws, n)) + n * np.arange(n_draws)[:, None]
                drawn = np.bincount(rows.ravel(), minlength=n_draws * n).reshape(n_draws, n)
                yield np.ascontiguousarray(drawn.T, dtype=float)
            bar.update(n_draws)


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
    values = np.asarray(draws)[~np.isnan(draws)]
    if not len(values):
        return math.nan, math.nan
    lower, upper = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(lower), float(upper)


def of_rare_classes(predictions: pd.DataFrame, weight: np.ndarray | None = None) -> dict[str, tuple[float, float]]:
    """The intervals of macro scores by Wilson's of each class, where fewer than `FEW` rows stand behind one; else none.

    predictions  actual, predicted, and a probability for each class; weight (n_samples,)
    """
    names = classes_of(predictions)
    codes = (pd.Categorical(predictions[side].astype(str), names).codes for side in ("actual", "predicted"))
    w = np.ones(len(predictions)) if weight is None else weight
    cells = np.ravel_multi_index(list(codes), (len(names), len(names)))
    table = np.bincount(cells, w, len(names) ** 2).reshape(len(names), -1) * w.sum() / (w**2).sum()  # Kish's size
    actual, guessed, hits = table.sum(axis=1), table.sum(axis=0), np.diag(table)
    is_there = actual + guessed > 0
    if not (is_there & ((hits < FEW) | (guessed < FEW))).any():
        return {}
    intervals = {}
    for name, of in {"precision_macro": guessed, "recall_macro": actual, "f1_macro": actual + guessed - hits}.items():
        ends = [(h / n if n else 0.0, *(wilson(h, n) if n else (0.0, 1.0))) for h, n in zip(hits, of, strict=True)]
        score, low, high = np.array(ends)[is_there].T
        if name == "f1_macro":
            score, low, high = (2 * share / (1 + share) for share in (score, low, high))
        reach = [np.sqrt(np.sum((score - end) ** 2)) / len(score) for end in (low, high)]
        intervals[name] = float(score.mean() - reach[0]), float(score.mean() + reach[1])
    return intervals


def wilson(successes: float, n: float) -> tuple[float, float]:
    """The interval of a share."""
    if n == 0:
        return math.nan, math.nan
    z, share = NormalDist().inv_cdf((1 + CONFIDENCE) / 2), successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(centre - reach, 0.0), min(centre + reach, 1.0)

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

from pipeline.files.stored import progress
from pipeline.scores.scores import Scorer

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


def wilson(successes: float, n: float) -> tuple[float, float]:
    """The interval of a share."""
    if n == 0:
        return math.nan, math.nan
    z, share = NormalDist().inv_cdf((1 + CONFIDENCE) / 2), successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(centre - reach, 0.0), min(centre + reach, 1.0)

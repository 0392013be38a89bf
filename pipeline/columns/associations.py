"""Columns that say the same, such as a code and its name, or a length in two units: their weights can't be told apart.

numbers and dates     |r|, Pearson's correlation; a missing cell counts as the mean
several numbers       the variance inflation factor, 1 / (1 - R^2) with R^2 of a column from all others: the diagonal of
                      the inverse of the correlation matrix. D. Marquardt, "Generalized inverses", 1970
strings               Cramer's V without its bias, W. Bergsma, "A bias-correction for Cramer's V", 2013; a number
                      with few distinct values counts as a string, too, beside strings
"""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

from pipeline.columns.profile import as_numbers
from pipeline.columns.roles import features
from pipeline.overrides import override

STRONG = 0.95
ROWS = 5_000  # sampled from larger tables
COLUMNS = 200  # of categories, and 2,000 of numbers: the first ones are compared
CATEGORIES = 50  # most frequent of a column; the others count as one
FEW = 20  # distinct numbers that may be codes
SHOWN = 10
INFLATED = 10  # variance inflation from which a column follows from others
TINY = 1e-6  # added to the correlations' diagonal, so that a factor is at most a million


class Pair(NamedTuple):
    """Two columns and their association, from 0 to 1."""

    first: str
    second: str
    association: float


def strong(frame: pd.DataFrame, roles: pd.DataFrame) -> list[Pair]:
    """The pairs of features with an association above `STRONG`, the strongest first."""
    names = features(roles)
    sample = _sample(frame[names])
    is_string = {name: types.is_string_dtype(sample[name]) for name in names}
    found = _of_numbers(sample[[name for name in names if not is_string[name]]])
    few = [name for name in names if is_string[name] or sample[name].nunique() <= FEW][:COLUMNS]
    codes = {name: _codes(sample[name]) for name in few}
    for place, first in enumerate(few):
        for second in few[place + 1 :]:
            if is_string[first] or is_string[second]:
                found.append(Pair(first, second, cramers_v(codes[first], codes[second])))
    return sorted((pair for pair in found if pair.association > STRONG), key=lambda pair: -pair.association)


def inflation(frame: pd.DataFrame) -> dict[str, float]:
    """The variance inflation factor of each column of numbers or dates that is not constant, the largest first."""
    sample = _sample(frame)
    scaled = {str(name): _scaled(sample[name]) for name in sample if not types.is_string_dtype(sample[name])}
    scaled = {name: column for name, column in scaled.items() if column.any()}
    if len(scaled) < 2 or len(sample) <= len(scaled) + 1 or len(scaled) > COLUMNS:
        return {}
    matrix = np.column_stack(list(scaled.values()))
    factors = np.diag(np.linalg.inv(matrix.T @ matrix + TINY * np.eye(len(scaled))))
    return dict(sorted(zip(scaled, factors.tolist(), strict=True), key=lambda pair: -pair[1]))


def warn(frame: pd.DataFrame, roles: pd.DataFrame) -> None:
    """One warning that names the pairs, and one for columns that follow from several others."""
    pairs = strong(frame, roles)
    paired = {name for pair in pairs for name in pair[:2]}
    factors = inflation(frame[[name for name in features(roles) if name not in {pair.second for pair in pairs}]])
    high = {name: factor for name, factor in factors.items() if factor > INFLATED and name not in paired}
    if high:
        shown = ", ".join(
            f"{name} ({'over 1,000' if factor > 1000 else f'{factor:.0f}'})"
            for name, factor in list(high.items())[:SHOWN]
        )
        drop = override("data.drop", [next(iter(high))])
        warnings.warn(
            f"These columns nearly follow from others (variance inflation above {INFLATED}): {shown}. Their weights "
            f"can't be told apart, and their intervals are wide; to leave one out: {drop}.",
            stacklevel=2,
        )
    if not pairs:
        return
    shown = "; ".join(f"{first} and {second} ({value:.2f})" for first, second, value in pairs[:SHOWN])
    more = f"; and {len(pairs) - SHOWN:,} more pairs" if len(pairs) > SHOWN else ""
    drop = override("data.drop", [pairs[0].second])
    warnings.warn(
        f"These columns say the same (association above {STRONG:g}): {shown}{more}. Don't read the weight of one "
        f"alone; to leave one out: {drop}.",
        stacklevel=2,
    )


def cramers_v(x: np.ndarray, y: np.ndarray) -> float:
    """Cramer's V of two arrays (n,) of codes from 0, without its bias; 0 if one of them is constant."""
    n, width = len(x), int(y.max()) + 1
    counts = np.bincount(x * width + y, minlength=(int(x.max()) + 1) * width).reshape(-1, width).astype(float)
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    phi2 = ((counts - expected) ** 2 / np.where(expected > 0, expected, 1)).sum() / n
    rows, columns = (np.count_nonzero(counts.sum(axis=axis)) for axis in (1, 0))
    if min(rows, columns) < 2:
        return 0.0
    phi2 = max(phi2 - (rows - 1) * (columns - 1) / (n - 1), 0)
    least = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(min(phi2 / least, 1))) if least > 0 else 0.0


def _sample(frame: pd.DataFrame) -> pd.DataFrame:
    if len(frame) <= ROWS:
        return frame
    return frame.iloc[np.sort(np.random.default_rng(0).permutation(len(frame))[:ROWS])]


def _of_numbers(frame: pd.DataFrame) -> list[Pair]:
    if frame.shape[1] < 2 or len(frame) < 3:
        return []
    frame = frame.iloc[:, : 10 * COLUMNS]
    matrix = np.column_stack([_scaled(frame[name]) for name in frame])
    correlation = np.abs(matrix.T @ matrix)
    firsts, seconds = np.nonzero(np.triu(correlation > STRONG, k=1))
    names = frame.columns.tolist()
    return [Pair(names[i], names[j], min(float(correlation[i, j]), 1.0)) for i, j in zip(firsts, seconds, strict=True)]


def _scaled(column: pd.Series) -> np.ndarray:
    """A column around its mean and of length 1, 0 where cells are missing."""
    values = as_numbers(column)
    missing = np.isnan(values)
    if missing.all():
        return np.zeros(len(values))
    values = values / (np.nanmax(np.abs(values)) or 1)  # so that no square is too large or too small
    centred = np.where(missing, 0, values - values[~missing].mean())
    return centred / (np.linalg.norm(centred) or 1)


def _codes(column: pd.Series) -> np.ndarray:
    """Codes from 0 of the most frequent categories; missing is a category, and so are all others together."""
    frequent = column.value_counts().index[:CATEGORIES]
    codes = frequent.get_indexer(pd.Index(column))
    return np.where(column.isna(), len(frequent), np.where(codes < 0, len(frequent) + 1, codes))

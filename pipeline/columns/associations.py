"""Columns that say the same, such as a code and its name, or a length in two units: their weights can't be told apart.

A column may also follow from a finer one, as a state from a city, and categories of several columns may be the same
rows, as `no internet service` of each service.

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
from pipeline.columns.roles import features, tokens
from pipeline.overrides import override

STRONG = 0.95
ROWS = 5_000  # sampled from larger tables
COLUMNS = 200  # of categories, and 2,000 of numbers: the first ones are compared
CATEGORIES = 50  # most frequent of a column; the others count as one
FEW = 20  # distinct numbers that may be codes
FEWEST = 10  # rows of a category that others may share; fewer can be the same by chance
SHOWN = 10
INFLATED = 10  # variance inflation from which a column follows from others
TINY = 1e-6  # added to the correlations' diagonal, so that a factor is at most a million


class Pair(NamedTuple):
    """Two columns and their association, from 0 to 1; the second follows from the first."""

    first: str
    second: str
    association: float
    is_mutual: bool  # the first follows from the second, too


class Shared(NamedTuple):
    """Categories of different columns that the same rows have, named as their features are."""

    categories: list[str]
    n_rows: int


def strong(frame: pd.DataFrame, roles: pd.DataFrame) -> list[Pair]:
    """The pairs of features with an association above `STRONG`, the strongest first."""
    names = [name for name in features(roles) if name not in tokens(roles)]
    sample = _sample(frame[names])
    is_string = {name: types.is_string_dtype(sample[name]) for name in names}
    pairs = _of_numbers(sample[[name for name in names if not is_string[name]]])
    few = [name for name in names if is_string[name] or sample[name].nunique() <= FEW][:COLUMNS]
    codes = {name: _codes(sample[name]) for name in few}
    for place, first in enumerate(few):
        for second in few[place + 1 :]:
            if is_string[first] or is_string[second]:
                pairs.append(_pair(first, second, codes))
    return sorted((pair for pair in pairs if pair.association > STRONG), key=lambda pair: -pair.association)


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


def shared(frame: pd.DataFrame, roles: pd.DataFrame) -> list[Shared]:
    """The groups of categories (a missing cell is one) that the same rows have, those of the most rows first."""
    groups = dict[bytes, list[tuple[str, object]]]()
    names = [name for name in features(roles) if name not in tokens(roles)]
    sample = _sample(frame[names])
    for name in names[: 10 * COLUMNS]:
        codes, categories = np.where(sample[name].isna(), -1, 0), pd.Index([])  # -1 is a missing cell
        if types.is_string_dtype(sample[name]):
            codes, categories = pd.factorize(sample[name])
        counts = np.bincount(codes + 1, minlength=1 + len(categories))
        for code in (np.flatnonzero(counts[: 1 + len(categories)] >= FEWEST) - 1).tolist():
            key = np.packbits(codes == code).tobytes()
            groups.setdefault(key, []).append((name, None if code < 0 else categories[code]))
    shared_groups = []
    for group in (group for group in groups.values() if len(group) > 1):
        rows = _has(frame[group[0][0]], group[0][1])
        same = [(name, category) for name, category in group if (_has(frame[name], category) == rows).all()]
        if len(same) > 1:
            words = [f"{name} is missing" if category is None else f"{name} = {category}" for name, category in same]
            shared_groups.append(Shared(words, int(rows.sum())))
    return sorted(shared_groups, key=lambda group: -group.n_rows)


def warn(frame: pd.DataFrame, roles: pd.DataFrame) -> None:
    """Warn of columns that say the same, that follow from another or several, and of categories of the same rows."""
    pairs = strong(frame, roles)
    paired = {name for pair in pairs for name in pair[:2]}
    following = {pair.second for pair in pairs}
    factors = inflation(frame[[name for name in features(roles) if name not in following]])
    high = {name: factor for name, factor in factors.items() if factor > INFLATED and name not in paired}
    if high:
        examples = ", ".join(
            f"{name} ({'over 1,000' if factor > 1000 else f'{factor:.0f}'})"
            for name, factor in list(high.items())[:SHOWN]
        )
        drop = override("data.drop", [next(iter(high))])
        warnings.warn(
            f"These columns nearly follow from others (variance inflation above {INFLATED}): {examples}. Their weights "
            f"can't be told apart, and their intervals are wide; to leave one out: {drop}.",
            stacklevel=2,
        )
    for is_mutual, what, between in (
        (True, "say the same", "{0} and {1}"),
        (False, "follow from a finer one", "{1} from {0}"),
    ):
        if alike := [pair for pair in pairs if pair.is_mutual == is_mutual]:
            examples = "; ".join(f"{between.format(*pair)} ({pair.association:.2f})" for pair in alike[:SHOWN])
            more = f"; and {len(alike) - SHOWN:,} more pairs" if len(alike) > SHOWN else ""
            drop = override("data.drop", [alike[0].second])
            warnings.warn(
                f"These columns {what} (association above {STRONG:g}): {examples}{more}. Don't read the weight of one "
                f"alone; to leave one out: {drop}.",
                stacklevel=2,
            )
    _warn_of_shared(frame, roles.loc[~roles["column"].isin(following)])


def _warn_of_shared(frame: pd.DataFrame, roles: pd.DataFrame) -> None:
    if groups := shared(frame, roles):
        examples = "; ".join(
            f"{', '.join(group.categories[:SHOWN])}{', ...' if len(group.categories) > SHOWN else ''} "
            f"({group.n_rows:,} rows)"
            for group in groups[:SHOWN]
        )
        more = f"; and {len(groups) - SHOWN:,} more groups" if len(groups) > SHOWN else ""
        warnings.warn(
            f"These categories of different columns are the same rows: {examples}{more}. The model divides one effect "
            f"among them, so don't read the weight of one alone: outputs/train/effects.csv has their joint odds ratio.",
            stacklevel=3,
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


def _pair(first: str, second: str, codes: dict[str, np.ndarray]) -> Pair:
    """Two columns of codes: the one that the other decides in more rows comes second."""
    x, y = codes[first], codes[second]
    counts = np.bincount(x * (int(y.max()) + 1) + y, minlength=(int(x.max()) + 1) * (int(y.max()) + 1))
    counts = counts.reshape(-1, int(y.max()) + 1)
    undecided = [len(x) - int(counts.max(axis=axis).sum()) for axis in (0, 1)]  # of x where y is known; of y by x
    first, second = (second, first) if undecided[0] < undecided[1] else (first, second)
    return Pair(first, second, cramers_v(x, y), 2 * min(undecided) >= max(undecided))


def _has(column: pd.Series, category: object) -> np.ndarray:
    """Whether each row has the category, (n,); None is a missing cell."""
    return (column.isna() if category is None else column == category).to_numpy(bool)


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
    pairs = zip(firsts, seconds, strict=True)
    return [Pair(names[i], names[j], min(float(correlation[i, j]), 1.0), True) for i, j in pairs]


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

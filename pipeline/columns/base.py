"""Typed columns to the base matrix, which the features of every fold and every model are linear in (`logistic.matrix`).

    numbers    (x - centre) / scale, and 0 where the cell is missing; an indicator for columns with missing cells
    dates      year, month, day, weekday, hour, minute (those that vary), each as a number
    strings    a code for each category, missing is a category; the last code is that of unseen categories
    curves     where numbers may bend (`columns.curves`): a code for the bin of each number; the last is that of missing
               cells

Centre and scale are mean and standard deviation of the training rows. They only keep numbers near 1: features are
scaled by their own rows (`columns.features`). Nothing here looks at the target.
"""

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.logistic.matrix import Block

BINS = 256  # of a curve; each value has its own where there are fewer
FEWEST = 4  # distinct numbers for a curve
PARTS = ("year", "month", "day", "day_of_week", "hour", "minute")


class Base:
    """How typed columns become blocks of the base matrix; fitted on training rows, and stored in the model.

    columns     the names of all columns, as in the table
    floats      (column, part) of each float column: part is "" for a number, else one of `PARTS`
    missing     columns of numbers and dates with missing cells in training: an indicator each, after the floats
    strings     columns of strings, with `categories[j]` sorted, None (missing) last
    curved      float columns with a curve, with the `edges[j]` between its bins and a point in each, `points[j]`, all
                in units of the base matrix
    """

    def __init__(self, X: pd.DataFrame, *, curves: bool = False) -> None:
        numbers, dates, strings = (X.select_dtypes(kind).columns.tolist() for kind in ("number", "datetime", "str"))
        self.columns, self.dates, self.strings = X.columns.tolist(), dates, strings
        self.floats = [(name, "") for name in numbers]
        for name in dates:
            varying = [part for part in PARTS if len(getattr(X[name].dt, part).dropna().unique()) > 1]
            self.floats += [(name, part) for part in varying or PARTS[:1]]
        self.missing = [name for name in [*numbers, *dates] if X[name].isna().any()]
        self.categories = [_categories(X[name]) for name in strings]
        scales = np.array([_centre_and_scale(_numbers(X[name], part)) for name, part in self.floats]).reshape(-1, 3)
        self.centre, self.scale, self.fill = scales.T.copy()
        self.fill[[name in self.missing for name, _ in self.floats]] = 0
        self.curved: list[int] = []
        self.edges: list[np.ndarray] = []
        self.points: list[np.ndarray] = []
        for j, (name, part) in enumerate(self.floats if curves else []):
            column = _standardised(_numbers(X[name], part), self.centre[j], self.scale[j])
            known = column[~np.isnan(column)]
            distinct = np.unique(known)
            if len(distinct) >= FEWEST:
                edges, points = _bins(known, distinct)
                self.curved.append(j)
                self.edges.append(edges)
                self.points.append(points)

    @property
    def starts(self) -> np.ndarray:
        """The first sparse column of each column of codes (strings, then curves), and the number of all."""
        widths = [*map(len, self.categories), *map(len, self.points)]
        return np.cumsum([0, *(width + 1 for width in widths)])

    @property
    def width(self) -> int:
        """The number of base columns."""
        return len(self.floats) + len(self.missing) + int(self.starts[-1])

    def indicator(self, column: str) -> int | None:
        """The base column that is 1 where `column` is missing; None if it never is in training."""
        return len(self.floats) + self.missing.index(column) if column in self.missing else None

    def block(self, X: pd.DataFrame) -> Block:
        """The base matrix of the rows of X, which has these columns, in any order."""
        dense = np.empty((len(X), len(self.floats) + len(self.missing)))
        for j, (name, part) in enumerate(self.floats):
            column = _standardised(_numbers(X[name], part), self.centre[j], self.scale[j])
            dense[:, j] = np.where(np.isnan(column), self.fill[j], column)
        for j, name in enumerate(self.missing, len(self.floats)):
            dense[:, j] = X[name].isna()
        codes = np.empty((len(X), len(self.strings) + len(self.curved)), dtype=np.int32)
        for j, (name, categories) in enumerate(zip(self.strings, self.categories, strict=True)):
            found = pc.index_in(_strings(X[name]), pa.array(categories, pa.large_string()))
            codes[:, j] = pc.fill_null(found, len(categories)).to_numpy(zero_copy_only=False)
        for place, (j, edges) in enumerate(zip(self.curved, self.edges, strict=True), len(self.strings)):
            codes[:, place] = np.searchsorted(edges, dense[:, j], side="right")
            codes[X[self.floats[j][0]].isna(), place] = len(edges) + 1
        return Block(dense, codes + self.starts[:-1].astype(np.int32), int(self.starts[-1]))

    def __getstate__(self) -> dict[str, Any]:
        """For skops, which stores each string of a list as an object of its own: the categories in one string."""
        return {**self.__dict__, "categories": json.dumps(self.categories)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = {**state, "categories": json.loads(state["categories"])}


def _numbers(column: pd.Series, part: str) -> np.ndarray:
    if part:
        column = getattr(pd.to_datetime(column, errors="coerce").dt, part)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _bins(known: np.ndarray, distinct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The edges between bins, and the mean of the numbers in each: a bin for each value, or about as many rows each."""
    if len(distinct) <= BINS:
        return (distinct[1:] + distinct[:-1]) / 2, distinct
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
    place = np.searchsorted(edges, known, side="right")
    counts, sums = np.bincount(place, minlength=len(edges) + 1), np.bincount(place, known, len(edges) + 1)
    return (edges, sums / counts) if counts.all() else _bins(known, distinct[:: -(-len(distinct) // BINS)])


def _strings(column: pd.Series) -> pa.Array | pa.ChunkedArray:
    return pa.array(column, pa.large_string(), from_pandas=True)


def _categories(column: pd.Series) -> list[str | None]:
    found = pc.unique(_strings(column))
    return pc.take(found, pc.sort_indices(found)).to_pylist()  # missing last


def _centre_and_scale(column: np.ndarray) -> tuple[float, float, float]:
    """Mean and standard deviation (1 for a constant), and the median in their units, of the numbers that are known.

    The square of 1e-170 or 1e300 is no float64, so they are computed in a unit of the column's own, a power of two.
    """
    known = column[~np.isnan(column)]
    if not len(known):
        return 0.0, 1.0, 0.0
    unit = np.ldexp(1.0, np.frexp(max(known.max(), -known.min()))[1])
    centre, deviation = (known / unit).mean(), (known / unit).std()
    scale = float(deviation * unit) or 1.0
    return float(centre * unit), scale, float(_standardised(np.median(known), centre * unit, scale))


def _standardised(column: Any, centre: float, scale: float) -> Any:
    unit = np.ldexp(1.0, np.frexp(scale)[1])
    return (column / unit - centre / unit) / (scale / unit)

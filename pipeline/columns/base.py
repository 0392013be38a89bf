"""Typed columns to the base matrix, which the features of every fold and every model are linear in (`logistic.matrix`).

    numbers    (x - centre) / scale, and 0 where the cell is missing; an indicator for columns with missing cells
    dates      year, month, day, weekday, hour, minute (those that vary), each as a number
    strings    a code for each category, missing is a category; the last code is that of unseen categories
    curves     where numbers may bend (`columns.curves`): a code for the bin of each number; the last is that of missing
               cells
    pairs      where two columns act together (`columns.pairs`): a code for each combination of their groups
    offset     one column of numbers may be a known part of the log-odds: it is no base column

Centre and scale are mean and standard deviation of the training rows. They only keep numbers near 1: features are
scaled by their own rows (`columns.features`). Nothing here looks at the target.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compute import empty
from pipeline.errors import UserError
from pipeline.logistic.matrix import Block
from pipeline.outputs import Table

GROUPS = 32  # of each column of a pair: bins with about as many rows each, or its most frequent categories
BINS = 256  # of a curve; each value has its own where there are fewer
FEWEST = 2  # distinct numbers for bins
PARTS = ("year", "month", "day", "day_of_week", "hour", "minute")


class Base:
    """How typed columns become blocks of the base matrix; fitted on training rows, and stored in the model.

    columns     the names of all columns that predictions need, as in the table
    offset      the one that is the known part of the log-odds, or None
    floats      (column, part) of each float column: part is "" for a number, else one of `PARTS`
    missing     columns of numbers and dates with missing cells in training: an indicator each, after the floats
    ranges      (n_floats, 4): minimum, 5 % and 95 % quantile, and maximum of each, in the units of the table
    strings     columns of strings, with `categories[j]` sorted, None (missing) last
    curved      float columns with a curve, with the `edges[j]` between its bins and a point in each, `points[j]`, all
                in units of the base matrix
    pairs       two columns of codes each (strings are counted before curves), with the group of each code of a column
                in `groups[k]`; the last group is that of missing cells, and of rare and unseen categories
    """

    def __init__(
        self,
        X: Table,
        *,
        curves: bool = False,
        pairs: Sequence[tuple[str, str]] = (),
        offset: str | None = None,
    ) -> None:
        """Fit on X. With `curves`, numbers have bins; `pairs` of names have codes of their own, and need them.

        Errors: `UserError` for a pair of which a column is not there, or has no codes.
        """
        self.columns, self.offset = X.columns.tolist(), offset
        X = X if offset is None else X.drop(columns=offset)
        numbers, dates, strings = (X.select_dtypes(kind).columns.tolist() for kind in ("number", "datetime", "str"))
        self.dates, self.strings = dates, strings
        self.floats: list[tuple[str, str]] = []
        self.missing: list[str] = []
        self.curved: list[int] = []
        self.edges: list[np.ndarray] = []
        self.points: list[np.ndarray] = []
        scales, ranges = [], []
        for name in [*numbers, *dates]:
            cells = X[name]  # a column is read once, and only one is in memory
            if cells.isna().any():
                self.missing.append(name)
            for part in _parts(cells) if name in dates else [""]:
                column = as_floats(cells, part)
                centre, scale, fill = _centre_and_scale(column)
                scales.append((centre, scale, 0.0 if name in self.missing else fill))
                self.floats.append((name, part))
                ranges.append(_range(column))
                if curves:
                    self._bend(_standardised(column, centre, scale))
        self.centre, self.scale, self.fill = np.array(scales).reshape(-1, 3).T.copy()
        self.ranges = np.array(ranges).reshape(-1, 4)
        self.categories = [_categories(X[name]) for name in strings]
        self.pairs: list[tuple[int, int]] = []
        self.groups: dict[int, np.ndarray] = {}
        if pairs:
            places = [(self.place(first), self.place(second)) for first, second in pairs]
            for k, codes in self._codes(X):
                if any(k in pair for pair in places):
                    self.groups[k] = _groups(np.bincount(codes, minlength=self._widths[k]), k >= len(self.strings))
            self.pairs = places

    def _bend(self, column: np.ndarray) -> None:
        """Bins for the last of the float columns so far, if it has enough distinct numbers."""
        known = column[~np.isnan(column)]
        distinct = np.unique(known)
        if len(distinct) >= FEWEST:
            edges, points = _bins(known, distinct)
            self.curved.append(len(self.floats) - 1)
            self.edges.append(edges)
            self.points.append(points)

    def place(self, name: str) -> int:
        """The column of codes of a column of strings, or of a number with bins."""
        if name in self.strings:
            return self.strings.index(name)
        curved = [self.floats[j] for j in self.curved]
        if (name, "") not in curved:
            known = ", ".join(map(repr, [*self.strings, *(name for name, part in curved if not part)]))
            raise UserError(
                f"train.interactions has {name!r}, which is no column of strings or of numbers that vary. These "
                f"columns can be paired: {known}."
            )
        return len(self.strings) + curved.index((name, ""))

    def name(self, k: int) -> str:
        """The name of a column of codes."""
        if k < len(self.strings):
            return self.strings[k]
        return self.floats[self.curved[k - len(self.strings)]][0]

    def group_names(self, k: int) -> list[str]:
        """What each group of a column of a pair holds: the mean of its numbers, or its category."""
        groups, n_groups = self.groups[k], int(self.groups[k].max())
        if k < len(self.strings):
            categories = ["missing" if category is None else category for category in self.categories[k]]
            return [categories[int(np.flatnonzero(groups == g)[0])] for g in range(n_groups)] + ["rare"]
        j = self.curved[k - len(self.strings)]
        points = self.points[k - len(self.strings)] * self.scale[j] + self.centre[j]
        return [f"{points[groups[:-1] == g].mean().round(12):.4g}" for g in range(n_groups)] + ["missing"]

    @property
    def terms(self) -> list[tuple[str, ...]]:
        """What a margin is a sum over, besides the intercept: each column, then each pair of columns."""
        return [*((name,) for name in self.columns), *((self.name(one), self.name(other)) for one, other in self.pairs)]

    @property
    def term_of(self) -> np.ndarray:
        """The position in `terms` of each float column, each indicator of missing cells, and each column of codes."""
        names = [*(name for name, _ in self.floats), *self.missing, *self.strings]
        names += [self.floats[j][0] for j in self.curved]
        return np.array(
            [*map(self.columns.index, names), *(len(self.columns) + k for k in range(len(self.pairs)))], int
        )

    @property
    def _widths(self) -> list[int]:
        return [width + 1 for width in [*map(len, self.categories), *map(len, self.points)]]

    @property
    def starts(self) -> np.ndarray:
        """The first sparse column of each column of codes (strings, curves, pairs), and the number of all."""
        cells = [(self.groups[first].max() + 1) * (self.groups[second].max() + 1) for first, second in self.pairs]
        return np.cumsum([0, *self._widths, *cells])

    @property
    def width(self) -> int:
        """The number of base columns."""
        return len(self.floats) + len(self.missing) + int(self.starts[-1])

    def indicator(self, column: str) -> int | None:
        """The base column that is 1 where `column` is missing; None if it never is in training."""
        return len(self.floats) + self.missing.index(column) if column in self.missing else None

    def block(self, X: Table) -> Block:
        """The base matrix of the rows of X, which has these columns, in any order."""
        return self.blocks(X, [slice(None)])[0]

    def _offset(self, column: pd.Series) -> np.ndarray:
        if n_missing := int(column.isna().sum()):
            raise UserError(
                f"{n_missing:,} of {len(column):,} rows have no {self.offset!r}, the known part of the log-odds that "
                f"this model adds to (data.offset). Fill these cells in."
            )
        return column.to_numpy(dtype=np.float64)[:, None]

    def blocks(self, X: Table, parts: Sequence[slice | np.ndarray]) -> list[Block]:
        """A block for each of `parts`, which are rows of X."""
        starts, n_dense = self.starts, len(self.floats) + len(self.missing)
        sizes = [len(X) if isinstance(rows, slice) else len(rows) for rows in parts]
        n_bytes = sum(sizes) * (8 * n_dense + 4 * (len(starts) - 1))
        dense = [empty((size, n_dense), np.float64, n_bytes) for size in sizes]
        codes = [empty((size, len(starts) - 1), np.int32, n_bytes) for size in sizes]
        for j, column in self._dense(X):
            for numbers, rows in zip(dense, parts, strict=True):
                numbers[:, j] = column[rows]
        grouped = {}
        for j, column in self._codes(X):
            if j in self.groups:
                grouped[j] = self.groups[j][column]
            for code, rows in zip(codes, parts, strict=True):
                code[:, j] = column[rows] + starts[j]
        for j, (first, second) in enumerate(self.pairs, len(starts) - 1 - len(self.pairs)):
            column = grouped[first] * (self.groups[second].max() + 1) + grouped[second]
            for code, rows in zip(codes, parts, strict=True):
                code[:, j] = column[rows] + starts[j]
        offset = None if self.offset is None else self._offset(X[self.offset])
        offsets = [None if offset is None else offset[rows] for rows in parts]
        return [Block(*block[:2], int(starts[-1]), block[2]) for block in zip(dense, codes, offsets, strict=True)]

    def _dense(self, X: Table) -> Iterator[tuple[int, np.ndarray]]:
        """The floats and indicators, one column after another; each column of X is read once."""
        for name, places in groupby(range(len(self.floats)), key=lambda j: self.floats[j][0]):
            cells = X[name]
            for j in places:
                column = _standardised(as_floats(cells, self.floats[j][1]), self.centre[j], self.scale[j])
                yield j, np.where(np.isnan(column), self.fill[j], column)
            if name in self.missing:
                yield len(self.floats) + self.missing.index(name), cells.isna().to_numpy()

    def _codes(self, X: Table) -> Iterator[tuple[int, np.ndarray]]:
        """The codes of strings and curves, one column after another, each from 0."""
        for j, (name, categories) in enumerate(zip(self.strings, self.categories, strict=True)):
            found = pc.index_in(_strings(X[name]), pa.array(categories, pa.large_string()))
            yield j, pc.fill_null(found, len(categories)).to_numpy()
        for place, (j, edges) in enumerate(zip(self.curved, self.edges, strict=True), len(self.strings)):
            name, part = self.floats[j]
            column = _standardised(as_floats(X[name], part), self.centre[j], self.scale[j])
            codes = np.searchsorted(edges, np.where(np.isnan(column), self.fill[j], column), side="right")
            codes[X[name].isna()] = len(edges) + 1
            yield place, codes

    def __getstate__(self) -> dict[str, Any]:
        """For skops, which stores each string of a list as an object of its own: the categories in one string."""
        return {**self.__dict__, "categories": json.dumps(self.categories)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = {**state, "categories": json.loads(state["categories"])}


def _parts(dates: pd.Series) -> Sequence[str]:
    """The parts of dates that vary."""
    varying = [part for part in PARTS if len(getattr(dates.dt, part).dropna().unique()) > 1]
    return varying or PARTS[:1]


def as_floats(column: pd.Series, part: str) -> np.ndarray:
    """The cells as floats, missing ones as nan; of dates this part of `PARTS`."""
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


def _groups(counts: np.ndarray, is_ordered: bool) -> np.ndarray:
    """The group of each code (n_codes,): neighbours with about as many rows, or the most frequent; the last is last."""
    if is_ordered:
        below = np.cumsum(counts[:-1]) - counts[:-1] / 2
        groups = np.unique(below * (GROUPS - 1) // max(counts[:-1].sum(), 1), return_inverse=True)[1]
        return np.append(groups, groups.max() + 1)
    frequent = np.sort(np.argsort(-counts[:-1], kind="stable")[: GROUPS - 1])
    groups = np.full(len(counts), len(frequent))
    groups[frequent] = np.arange(len(frequent))
    return groups


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


def _range(column: np.ndarray) -> np.ndarray:
    """The minimum, the 5 % and the 95 % quantile, and the maximum of the numbers that are known, (4,)."""
    known = column[~np.isnan(column)]
    if not len(known):
        return np.array([-1, -1, 1, 1]) * np.finfo(float).max
    return np.quantile(known, [0, 0.05, 0.95, 1], method="inverted_cdf")


def _standardised(column: Any, centre: float, scale: float) -> Any:
    unit = np.ldexp(1.0, np.frexp(scale)[1])
    return (column / unit - centre / unit) / (scale / unit)

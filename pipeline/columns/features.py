"""Features of the base matrix: scaling, imputing and pooling as one sparse matrix T (`logistic.matrix`).

    numbers    a missing cell becomes the median, and a feature of its own is 1 where cells are missing; standardised:
               mean 0, standard deviation 1; 0 where the column is constant
    dates      their parts, in the same way
    strings    one feature for each category, 1 where the cell has it; missing is a category; rare categories are
               pooled, and one that training has not seen counts as rare, or as none where no category is rare
    curves     for a number that may bend, further features of it (`columns.curves`), constant in each of its bins
    pairs      for two columns that act together, products of their features (`columns.pairs`)

Only numbers are standardised. An indicator that is divided by its standard deviation would make a rare category nearly
free of the penalty, which should shrink it more than a frequent one. Fitted on training rows only. Names contain the
names and categories of the user's table: `education = Bachelors`, `age is missing`, `sold: month`.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from pipeline.columns.base import Base
from pipeline.columns.curves import bends
from pipeline.columns.pairs import surface
from pipeline.logistic.matrix import Matrix
from pipeline.outputs import Table

WEEKDAY = {"day_of_week": "weekday"}
SMOOTHNESS = 10.0  # of pairs of numbers that are straight lines on their own
EPSILON = np.finfo(float).eps


class Features:
    """The features that T makes of the base matrix.

    T          (n_base + 1, n_features + 1)
    names      (n_features,)
    centre     (n_features,): a feature times its scale plus its centre is in the units of its column; 0 and 1 for
    scale      indicators
    deviation  (n_features,), the standard deviation of each feature in training
    groups     for each column of strings, the positions of its indicators
    pooled     columns of strings without effect: each of their categories is rare, so all are pooled into one
    curves_of  the positions of the straight line and then of the bends of each float column that has some
    pairs_of   the positions of the features of each pair
    """

    def __init__(
        self,
        base: Base,
        rows: Matrix,
        *,
        min_rows: int,
        max_categories: int | None = None,
        smoothness: float | None = None,
    ) -> None:
        """Fit on `rows`, the base matrix of the training rows.

        A category with fewer than `min_rows` of them, or beyond the `max_categories` most frequent of its column (of
        which the rare ones together are one), is pooled as rare. Numbers bend if `smoothness` is given.
        """
        parts = [*_numbers(base, rows), *_codes(base, rows, min_rows, max_categories, smoothness)]
        starts = np.cumsum([0, *(len(part.names) for part in parts)])
        places = list(zip(parts, starts[:-1], starts[1:], strict=True))
        n_base, n_features = base.width, int(starts[-1])
        row = np.concatenate([*(part.rows for part in parts), [n_base]])
        column = np.concatenate([*(part.features + first for part, first, _ in places), [n_features]])
        number = np.concatenate([*(part.numbers for part in parts), [1.0]])  # the last is that of the intercept
        self.T = sparse.csr_matrix((number, (row, column)), (n_base + 1, n_features + 1))
        self.names = np.array([name for part in parts for name in part.names], dtype=object)
        self.centre, self.scale, self.deviation = (
            np.concatenate([np.empty(0), *(getattr(part, name) for part in parts)])
            for name in ("centre", "scale", "deviation")
        )
        self.groups = [np.arange(first, last) for part, first, last in places if part.column]
        lines = {part.rows[0]: first for part, first, _ in places if len(part.rows)}
        bent = [(part, first, last) for part, first, last in places if part.line >= 0]
        self.pairs_of = [np.arange(first, last) for part, first, last in places if part.is_pair]
        self.curves_of = {part.line: np.array([lines[part.line], *range(first, last)]) for part, first, last in bent}
        self.pooled = [part.column for part in parts if part.column and part.names == [f"{part.column} is rare"]]

    def per_unit(self) -> sparse.csr_matrix:
        """T of the same features in the units of their columns."""
        scaled = self.T @ sparse.diags(np.append(self.scale, 1.0), format="csr")
        last = sparse.csr_matrix(([1.0], ([self.T.shape[0] - 1], [0])), (self.T.shape[0], 1))
        return sparse.csr_matrix(scaled + last @ sparse.csr_matrix(np.append(self.centre, 0.0)))

    def __getstate__(self) -> dict[str, Any]:
        """For skops: arrays, and one string for all names."""
        ends = np.array([[group[0], group[-1] + 1] for group in self.groups], dtype=int).reshape(-1, 2)
        pairs = [positions.tolist() for positions in self.pairs_of]
        curves = [[j, *positions.tolist()] for j, positions in self.curves_of.items()]
        T = {"numbers": self.T.data, "columns": self.T.indices, "ends": self.T.indptr, "shape": list(self.T.shape)}
        return {
            **self.__dict__,
            "T": T,
            "names": json.dumps(self.names.tolist()),
            "groups": ends,
            "curves_of": curves,
            "pairs_of": pairs,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        T = state["T"]
        self.__dict__ = {
            **state,
            "T": sparse.csr_matrix((T["numbers"], T["columns"], T["ends"]), tuple(T["shape"])),
            "names": np.array(json.loads(state["names"]), dtype=object),
            "groups": [np.arange(*ends) for ends in state["groups"].tolist()],
            "curves_of": {j: np.array(positions) for j, *positions in state["curves_of"]},
            "pairs_of": [np.array(positions) for positions in state["pairs_of"]],
        }


def prepare(
    X: Table,
    *,
    min_rows: int,
    max_categories: int | None = None,
    smoothness: float | None = None,
    pairs: Sequence[tuple[str, str]] = (),
    offset: str | None = None,
    bins: bool = False,
) -> tuple[Base, Features, Matrix]:
    """The base matrix of training rows X, their features, and these as a matrix (n_samples, n_features).

    With `bins`, numbers have codes of bins even where nothing needs them.
    """
    base = Base(X, curves=bins or smoothness is not None or bool(pairs), pairs=pairs, offset=offset)
    rows = Matrix([base.block(X)])
    features = Features(base, rows, min_rows=min_rows, max_categories=max_categories, smoothness=smoothness)
    return base, features, rows.with_features(features.T)


class Part(NamedTuple):
    """Neighbouring features. T has numbers[k] in row rows[k] and column features[k], counted from their first."""

    names: list[str]
    rows: np.ndarray
    features: np.ndarray
    numbers: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    deviation: np.ndarray
    column: str = ""  # the column of strings that these are the categories of
    line: int = -1  # the float column that these are the bends of
    is_pair: bool = False


def _numbers(base: Base, rows: Matrix) -> list[Part]:
    """Numbers, then where they are missing; the parts of each date, then where it is missing."""
    kinds: dict[str, list[Part]] = {"": []}
    for j, (column, kind) in enumerate(base.floats):
        kinds.setdefault(column if kind else "", []).append(_number(base, rows, j))
    for j, column in enumerate(base.missing, len(base.floats)):
        share = _column(rows, j).mean()
        if share > 0:
            deviation = np.array([np.sqrt(share * (1 - share))])
            part = Part(
                [f"{column} is missing"],
                np.array([j]),
                np.zeros(1, int),
                np.ones(1),
                np.zeros(1),
                np.ones(1),
                deviation,
            )
            kinds[column if column in base.dates else ""].append(part)
    return [part for parts in kinds.values() for part in parts]


def _number(base: Base, rows: Matrix, j: int) -> Part:
    column, kind = base.floats[j]
    known, n_missing, median = _column(rows, j), 0, 0.0
    indicator = base.indicator(column)
    if indicator is not None:
        is_missing = _column(rows, indicator) == 1
        known, n_missing = known[~is_missing], int(is_missing.sum())
        median = float(np.median(known)) if len(known) else -base.centre[j] / base.scale[j]  # 0 in its own units
    n = len(rows)
    mean = (known.sum() + n_missing * median) / n
    variance = (((known - mean) ** 2).sum() + n_missing * (median - mean) ** 2) / n
    # Rounding is no variation: as in scikit-learn's StandardScaler, and also that of the base matrix, whose numbers are
    # not near 0 where these rows are constant and others are not.
    level = max(abs(base.centre[j] / base.scale[j]), abs(mean))
    with np.errstate(over="ignore"):
        is_constant = variance <= n * EPSILON * variance + (n * level * EPSILON) ** 2
        deviation = 1 / base.scale[j] if is_constant else np.sqrt(variance)
    factor = 0.0 if is_constant else 1 / deviation  # nothing can be learnt from a constant
    entries = {j: factor, base.width: -mean * factor}
    if indicator is not None:
        entries[indicator] = median * factor
    return Part(
        [f"{column}: {WEEKDAY.get(kind, kind)}" if kind else column],
        np.array(list(entries)),
        np.zeros(len(entries), int),
        np.array(list(entries.values())),
        np.array([base.centre[j] + base.scale[j] * mean]),
        np.array([base.scale[j] * deviation]),
        np.array([0.0 if is_constant else 1.0]),
    )


def _codes(base: Base, rows: Matrix, min_rows: int, max_categories: int | None, smoothness: float | None) -> list[Part]:
    """For each column of strings its categories and then its rare ones as one (as OneHotEncoder); bends of numbers."""
    n_dense, parts = base.width - int(base.starts[-1]), []
    counts = np.zeros(int(base.starts[-1]), dtype=np.int64)
    for block in rows.blocks:
        counts += np.bincount(block.codes.ravel(), minlength=len(counts))
    for name, categories, start in zip(base.strings, base.categories, base.starts, strict=False):
        seen = counts[start : start + len(categories)]
        is_rare = seen < min_rows
        if max_categories is not None and max_categories < (~is_rare).sum() + 1:
            is_rare[np.argsort(seen, kind="stable")[: len(seen) - max_categories + 1]] = True
        kept = np.flatnonzero(~is_rare)
        names = [f"{name} is missing" if categories[k] is None else f"{name} = {categories[k]}" for k in kept]
        base_rows, features, shares = kept, np.arange(len(kept)), seen[kept] / len(rows)
        if seen[is_rare].any():
            names.append(f"{name} is rare")
            pooled = np.append(np.flatnonzero(is_rare), len(categories))  # and those that training has not seen
            base_rows = np.append(kept, pooled)
            features = np.append(features, np.full(len(pooled), len(kept)))
            shares = np.append(shares, seen[is_rare].sum() / len(rows))
        zeros, ones = np.zeros(len(names)), np.ones(len(names))
        deviation = np.sqrt(shares * (1 - shares))
        parts.append(
            Part(names, n_dense + start + base_rows, features, np.ones(len(features)), zeros, ones, deviation, name)
        )
    starts = base.starts[len(base.strings) :]
    for j, points, start in zip(base.curved, base.points, starts if smoothness is not None else [], strict=False):
        seen = counts[start : start + len(points)]
        Phi = bends(points, seen, smoothness or 0.0)
        if not Phi.shape[1]:
            continue
        column, part = base.floats[j]
        name = f"{column}: {WEEKDAY.get(part, part)}" if part else column
        base_row, feature = np.indices(Phi.shape)
        names = [f"{name}, bend {k}" for k in range(1, Phi.shape[1] + 1)]
        deviation = np.sqrt(seen @ Phi**2 / max(seen.sum(), 1))
        zeros, ones = np.zeros(len(names)), np.ones(len(names))
        rows_of_T = n_dense + start + base_row.ravel()
        parts.append(Part(names, rows_of_T, feature.ravel(), Phi.ravel(), zeros, ones, deviation, line=j))
    counts_of = np.split(counts, base.starts[1:-1])
    for pair, start, seen in zip(
        base.pairs, base.starts[-len(base.pairs) - 1 :], counts_of[-len(base.pairs) :], strict=False
    ):
        products = surface(base, pair, counts_of, smoothness or SMOOTHNESS)
        names = [f"{base.name(pair[0])} x {base.name(pair[1])}, {k}" for k in range(1, products.shape[1] + 1)]
        mean = seen @ products / len(rows)
        deviation = np.sqrt(np.maximum(seen @ products.power(2) / len(rows) - mean**2, 0))
        zeros, ones = np.zeros(len(names)), np.ones(len(names))
        rows_of_T = n_dense + start + products.row
        parts.append(Part(names, rows_of_T, products.col, products.data, zeros, ones, deviation, is_pair=True))
    return parts


def _column(rows: Matrix, j: int) -> np.ndarray:
    return np.concatenate([block.dense[:, j] for block in rows.blocks])

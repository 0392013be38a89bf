"""Curves: how the log-odds bend along a number, as features that a ridge penalty keeps smooth.

    f(x) = slope x + g(x),    penalty lambda/2 [slope^2 + mean g(x)^2 + smoothness roughness(g)]

g is a cubic B-spline (scikit-learn's `SplineTransformer`) with knots at quantiles of the training rows (each number
counted as the square root of its rows, so that one that most rows have leaves knots for the others), without its
straight line: it has no part in common with 1 and x. Its roughness is the sum of squares of the second differences of
its coefficients (P-splines; Eilers and Marx 1996, Statistical Science 11), in units of that of the smoothest bend. So
the straight line is the limit of much smoothness, or of a large lambda, and where knots are close the curve may bend
more. Both penalties together are those of a ridge on other features, the columns of Phi: with the Gram matrix of g
diagonal, they are the bends from smooth to rough, each divided by the square root of its penalty.

The mode, if a tenth of the rows or more have it, has an indicator beside the curve: rows without capital gain are
another kind of rows, and a smooth curve can't jump there.

With steps, the knots of g lie at quantiles of the normal score of the rank, where skewed numbers have as many rows
everywhere, and each number that `ROWS_OF_A_STEP` rows or more have has an indicator.

A monotone curve is a sum of the line and of I-splines, which rise from 0 to 1 (sums of B-splines; Ramsay 1988), all
with weights of one sign. Each has the variance and the penalty of the smoothest bend.

Bins without training rows (inside a fold) have the features of the nearest bin with some, as the predictions of a model
that has never seen such numbers.

    points  (n_bins,)            x in each bin, ascending, in units of the base column of its line
    counts  (n_bins,)            training rows in each bin
    Phi     (n_bins, n_bends)    the features of rows in that bin
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import ndtri

from pipeline.columns.terms import cyclic
from pipeline.columns.terms.expression import Constant, Expression, Missing, Steps
from pipeline.columns.terms.fields import Fields
from pipeline.columns.terms.line import Line
from pipeline.columns.terms.term import Effects, Map, Piece, Rows, Settings, Term, products
from pipeline.files.stored import Table

KNOTS = 16
FEWEST = 4  # distinct numbers for a curve
NEGLIGIBLE = 1e-6  # times the largest variance of a direction: what is left of the straight line
BINS = 256  # of a curve; each value has its own where there are fewer
BENDS = 3  # of a pair
ROWS_OF_A_STEP = 10
OFTEN = 0.1  # of the rows that have the mode: with so many it has an indicator
EDGE_DIGITS = 9


class Curve(Term):
    """What a number adds beside its straight line: constant in each of its bins.

    line    the term of the straight line
    edges   (n_bins - 1,), between two numbers of training, in units of the column; a number on an edge is above it
    points  (n_bins,)
    alone   (n_bins,) of bool, whether the bin has one number only; None for a model that was read

    The last code is that of missing cells.
    """

    kind = "curve"
    can_be_rough = True

    def __init__(self, line: Line, edges: np.ndarray, points: np.ndarray, alone: np.ndarray | None = None) -> None:
        self.columns, self.line = line.columns, line
        self.edges, self.points, self.alone = edges, points, alone
        self.n_codes = len(points) + 1
        self.is_ordered = None if line.part else True

    @classmethod
    def fit(cls, table: Table, settings: Settings, earlier: Sequence[Term]) -> list[Term]:
        """A curve for each line of two distinct numbers or more."""
        curves: list[Term] = []
        for line in earlier if settings.has_bins else []:
            if isinstance(line, Line):
                numbers = line.numbers(table[line.columns[0]])
                present = numbers[~np.isnan(numbers)]
                distinct = np.unique(present)
                if len(distinct) > 1:
                    curves.append(cls(line, *_bins(line, present, distinct)))
        return curves

    @property
    def name(self) -> str:
        return self.line.name

    @property
    def values(self) -> np.ndarray:
        """The points in units of the column."""
        return self.points * self.line.scale + self.line.centre

    def encode(self, table: Table) -> Piece:
        numbers = self.line.numbers(table[self.columns[0]])
        codes = np.searchsorted(self.edges, numbers, side="right")
        codes[np.isnan(numbers)] = len(self.points)
        return Piece(codes=codes)

    def state(self) -> dict[str, Any]:
        return {"line": self.name, "edges": self.edges.tolist(), "points": self.points.tolist()}

    @classmethod
    def restored(cls, state: Fields, earlier: Sequence[Term]) -> "Curve":
        lines = {term.name: term for term in earlier if isinstance(term, Line)}
        if (name := state.text("line")) not in lines:
            raise state.wrong(f"there is no line {name!r}")
        points = state.numbers("points", None)
        edges = state.numbers("edges", len(points) - 1)
        if (np.diff(edges) <= 0).any():
            raise state.wrong("the edges do not ascend")
        return cls(lines[name], edges, points)

    def expression(self, weights: np.ndarray) -> Expression:
        steps = Steps(self.line.number(), self.edges.tolist(), weights[:-1].tolist())
        return Missing(self.columns[0], Constant(float(weights[-1])), steps)

    def features(self, rows: Rows, settings: Settings) -> Map | None:
        if settings.smoothness is None:
            return None
        seen = rows.counts(self)[:-1]
        is_monotone, period = self.name in settings.signs, cyclic.PERIODS.get(self.line.part)
        if period is None:
            Phi = bends(self.points, seen, settings.smoothness, settings.steps, is_monotone)
        else:
            Phi = cyclic.bends(self.values, seen, settings.smoothness, period)
        names = [f"{self.name}, bend {k}" for k in range(1, Phi.shape[1] + 1)]
        own = self.steps(seen) if settings.steps else self.mode(seen)
        own = own[:0] if is_monotone or period else own
        Phi = np.column_stack([Phi, np.arange(len(Phi))[:, None] == own])
        values = (self.values[own] / self.line.scale).round(12) * self.line.scale + 0.0  # no -0
        names += [f"{self.name} = {value:.9g}" for value in values]
        if not names:
            return None
        n = max(seen.sum(), 1)
        deviation = np.sqrt(np.maximum(seen @ Phi**2 / n - (seen @ Phi / n) ** 2, 0))
        return products(names, rows.first(self), Phi, deviation)

    def mode(self, counts: np.ndarray) -> np.ndarray:
        """The bin of the mode, by training rows in each bin (n_bins,); empty where it is rare or a line says it all."""
        steps = self.steps(counts)
        return steps[counts[steps] >= max(OFTEN * counts.sum(), counts.max())][:1]

    def steps(self, counts: np.ndarray) -> np.ndarray:
        """The bins of one number that many rows have; empty where a line says it all."""
        if self.alone is None or (counts > 0).sum() <= 2:
            return np.empty(0, int)
        return np.flatnonzero(self.alone & (counts >= ROWS_OF_A_STEP))

    def effects(self) -> Effects:
        """Of the line and the curve, at the point of each bin."""
        codes = np.arange(len(self.points))
        return Effects(
            pd.DataFrame({"value": self.values}), [(self, Piece(codes=codes)), (self.line, Piece([self.points]))]
        )

    def groups(self, counts: np.ndarray, n_groups: int) -> np.ndarray:
        """The group of each code (n_codes,): neighbours with about as many rows; the last for missing cells."""
        below = np.cumsum(counts[:-1]) - counts[:-1] / 2
        places = below * (n_groups - 1) // max(counts[:-1].sum(), 1)
        groups = np.unique(np.minimum(places, n_groups - 2), return_inverse=True)[1]
        return np.append(groups, groups.max() + 1)

    def of_groups(self, groups: np.ndarray, counts: np.ndarray, smoothness: float) -> sparse.csr_matrix:
        """Its line and first bends in each group, (n_groups, n_features): the mean of the rows; 0 in the last."""
        n_groups, counts = int(groups.max()) + 1, counts[:-1]
        filled = counts > 0
        if filled.sum() < 2:  # inside a fold, constant or missing
            return sparse.csr_matrix((n_groups, 0))
        mean = np.average(self.points, weights=counts)
        deviation = np.sqrt(np.average((self.points - mean) ** 2, weights=counts))
        line = ((self.points - mean) / deviation)[filled][nearest(self.points, counts)]
        curve = np.column_stack([line, bends(self.points, counts, smoothness)[:, :BENDS]])
        mode = self.mode(counts)
        curve = np.column_stack([curve, (np.arange(len(line))[:, None] == mode) - counts[mode] / counts.sum()])
        share = np.maximum(counts, 1e-9)
        in_group = sparse.csr_matrix((share, (groups[:-1], np.arange(len(share)))), (n_groups, len(share)))
        total = np.asarray(in_group.sum(axis=1))
        return sparse.csr_matrix(in_group @ curve / np.where(total > 0, total, 1))

    def group_names(self, groups: np.ndarray) -> list[str]:
        """The mean of the points of each group, with four digits or as many as tell them apart: 48.8512."""
        means = [self.values[groups[:-1] == g].mean() for g in range(int(groups.max()))]
        for digits in range(4, 18):
            names = [f"{mean.round(12):.{digits}g}" for mean in means]
            if len({*names}) == len(means):
                break
        return [*names, "missing"]


def _bins(line: Line, present: np.ndarray, distinct: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges, points, and which bins have one number: a bin for each, or `BINS` with about as many rows each.

    Where there are more numbers than bins, those that at least as many rows have as a bin are still alone.
    """
    if len(distinct) <= BINS:
        return between(distinct[:-1], distinct[1:]), line.standardised(distinct), np.full(len(distinct), True)
    quantiles = np.quantile(present, np.linspace(0, 1, BINS + 1)[1:-1])
    often = np.flatnonzero(np.bincount(np.searchsorted(distinct, present)) >= len(present) / BINS)
    places = [[0], np.searchsorted(distinct, quantiles), often, often + 1]
    first = np.unique(np.concatenate(places).clip(max=len(distinct) - 1))  # of each bin, its smallest number
    edges = between(distinct[first[1:] - 1], distinct[first[1:]])
    place = np.searchsorted(edges, present, side="right")
    counts = np.bincount(place, minlength=len(first))
    points = np.bincount(place, line.standardised(present), len(first)) / counts
    return edges, points, np.diff(np.append(first, len(distinct))) == 1


def between(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """A number above each `low` and at most `high`: the middle with few digits, where that is between them."""
    middle = low / 2 + high / 2
    short = np.array([float(f"{number:.{EDGE_DIGITS}g}") for number in middle.tolist()])
    edges = np.where((low < short) & (short <= high), short, middle)
    return np.where((low < edges) & (edges <= high), edges, high)


def bends(
    points: np.ndarray, counts: np.ndarray, smoothness: float, by_rank: bool = False, rising: bool = False
) -> np.ndarray:
    """Phi, with no column where the numbers have too few bins to bend; of I-splines where each must be `rising`."""
    return _bends(points.tobytes(), counts.astype(np.int64).tobytes(), smoothness, by_rank, rising)


@lru_cache(maxsize=2048)  # a curve and each of its pairs ask for the same
def _bends(points_bytes: bytes, counts_bytes: bytes, smoothness: float, by_rank: bool, rising: bool) -> np.ndarray:
    from sklearn.preprocessing import SplineTransformer

    points, counts = np.frombuffer(points_bytes), np.frombuffer(counts_bytes, np.int64)
    filled = counts > 0
    if filled.sum() < FEWEST:
        return np.empty((len(points), 0))
    if not filled.all():
        return bends(points[filled], counts[filled], smoothness, by_rank, rising)[nearest(points, counts)]
    line = np.column_stack([np.ones(len(points)), points])
    points = ndtri((np.cumsum(counts) - counts / 2) / counts.sum()) if by_rank else points
    points = (points - points[0]) / (points[-1] - points[0])
    share = counts / counts.sum()
    spread = np.sqrt(counts) / np.sqrt(counts).sum()
    at = np.interp(np.linspace(0, 1, KNOTS), np.append(0, np.cumsum(spread)), np.append(points[0], points))
    knots = np.unique(np.concatenate([points[:1], at, points[-1:]]))
    if len(knots) < 3:
        return np.empty((len(points), 0))
    S = SplineTransformer(degree=3, knots=knots[:, None], extrapolation="constant").fit_transform(points[:, None])
    if rising:
        S = np.cumsum(S[:, ::-1], axis=1)[:, -2::-1]
        S = S - share @ S
        deviation = np.sqrt(share @ S**2)
        kept = deviation > np.sqrt(NEGLIGIBLE)
        return S[:, kept] / (deviation[kept] * np.sqrt(1 + smoothness))
    root = np.sqrt(share)[:, None]
    S_bent = S - line @ np.linalg.lstsq(line * root, S * root, rcond=None)[0]
    variance, directions = np.linalg.eigh((S_bent * root).T @ (S_bent * root))
    kept = variance > NEGLIGIBLE * max(variance[-1], NEGLIGIBLE)
    directions = directions[:, kept] / np.sqrt(variance[kept])
    differences = np.diff(directions, 2, axis=0)
    roughness, rotation = np.linalg.eigh(differences.T @ differences)
    smoothest = roughness[roughness > NEGLIGIBLE * roughness.max(initial=0)].min(initial=np.inf)
    roughness = np.maximum(roughness / smoothest, 1)
    return S_bent @ directions @ rotation / np.sqrt(1 + smoothness * roughness)


def nearest(points: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """For each bin the nearest of those with rows, as its position among them, (n_bins,)."""
    filled = points[counts > 0]
    return np.searchsorted((filled[1:] + filled[:-1]) / 2, points, side="right")

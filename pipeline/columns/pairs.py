"""Pairs of columns that act together: features of their combinations, and which pairs are worth trying.

A pair has a feature for each product of a feature of the one column and a feature of the other. Those of a number are
its straight line and its first `BENDS` bends (`columns.curves`), those of strings their most frequent categories. So a
pair of numbers is a smooth surface, and the same ridge penalty that keeps curves smooth keeps it flat.

Pairs are found by score tests. In a model without pairs, a row has the residual r = y - p and the curvature
s = p (1 - p). Let R and S be their sums in a cell (i, j), the rows with one combination of two groups of values. To
second order, weights d_ij of all cells lower the summed loss by sum (R d - S d^2 / 2), at most by sum R^2 / (2 S).
What weights a_i + b_j of single groups would lower as well is no interaction. The rest is half of

    min over a, b of  sum S (R / S - a_i - b_j)^2,

which is on average its degrees of freedom where nothing interacts. Lou, Caruana, Gehrke and Hooker (2013), Accurate
intelligible models with pairwise interactions.
"""

from itertools import combinations

import numpy as np
from scipy import sparse

from pipeline.columns.base import Base
from pipeline.columns.curves import bends, nearest
from pipeline.logistic.matrix import Matrix

BENDS = 3
COARSE = 8  # groups of each column in a score test


def surface(base: Base, pair: tuple[int, int], counts: list[np.ndarray], smoothness: float) -> sparse.coo_matrix:
    """The features of a pair in each of its cells, (n_cells, n_features). counts[k] has the rows of each code of k."""
    one, other = (_features(base, k, counts[k], smoothness) for k in pair)
    n_strings = len(base.strings)
    if min(pair) < n_strings <= max(pair):  # else bends of the number alone would be among the products
        one, other = (
            _centred(part, base, k, counts[k]) if k < n_strings else part
            for part, k in zip((one, other), pair, strict=True)
        )
    return sparse.coo_matrix(sparse.kron(one, other))


def _centred(indicators: sparse.csr_matrix, base: Base, k: int, counts: np.ndarray) -> sparse.csr_matrix:
    """Indicators of groups (n_groups, n_groups - 1) less their mean over the rows of all groups but the last."""
    rows = np.bincount(base.groups[k], counts)[:-1]
    centred = indicators.toarray()
    centred[:-1] -= rows / max(rows.sum(), 1)
    return sparse.csr_matrix(centred)


def _features(base: Base, k: int, counts: np.ndarray, smoothness: float) -> sparse.csr_matrix:
    """The features of a column of codes in each of its groups, (n_groups, n_features); 0 in the last group."""
    groups = base.groups[k]
    n_groups = groups.max() + 1
    if k < len(base.strings):
        return sparse.csr_matrix(np.eye(n_groups)[:, :-1])
    points, counts = base.points[k - len(base.strings)], counts[:-1]
    filled = counts > 0
    if filled.sum() < 2:  # inside a fold, constant or missing
        return sparse.csr_matrix((n_groups, 0))
    mean = np.average(points, weights=counts)
    deviation = np.sqrt(np.average((points - mean) ** 2, weights=counts))
    line = ((points - mean) / deviation)[filled][nearest(points, counts)]
    curve = np.column_stack([line, bends(points, counts, smoothness)[:, :BENDS]])
    share = np.maximum(counts, 1e-9)
    in_group = sparse.csr_matrix((share, (groups[:-1], np.arange(len(points)))), (n_groups, len(points)))
    total = np.asarray(in_group.sum(axis=1))
    return sparse.csr_matrix(in_group @ curve / np.where(total > 0, total, 1))


def promising(base: Base, rows: Matrix, residuals: np.ndarray, curvatures: np.ndarray, n: int) -> list[tuple[str, str]]:
    """The names of at most `n` pairs that would lower the cost most, the best first.

    residuals, curvatures  (n_rows, n_columns), of a model without pairs on `rows`
    """
    n_strings, widths = len(base.strings), np.diff(base.starts)
    codes = np.concatenate([block.codes for block in rows.blocks]) - base.starts[:-1].astype(np.int32)
    places = [*range(n_strings), *(n_strings + k for k, j in enumerate(base.curved) if not base.floats[j][1])]
    coarse = {k: _coarse(np.bincount(codes[:, k], minlength=widths[k]), k >= n_strings)[codes[:, k]] for k in places}
    gains = {}
    for first, second in combinations(places, 2):
        cell = coarse[first] * COARSE + coarse[second]
        gains[first, second] = sum(
            _interaction(np.bincount(cell, r, COARSE**2), np.bincount(cell, s, COARSE**2))
            for r, s in zip(residuals.T, curvatures.T, strict=True)
        )
    best = sorted((pair for pair, gain in gains.items() if gain > 0), key=lambda pair: -gains[pair])[:n]
    return [(base.name(first), base.name(second)) for first, second in best]


def _interaction(R: np.ndarray, S: np.ndarray) -> float:
    """The minimum above less its degrees of freedom, for sums over the cells (COARSE^2,). Few rows count less."""
    filled = S > 0
    each = np.eye(COARSE)
    groups = np.hstack([np.repeat(each, COARSE, axis=0), np.tile(each, (COARSE, 1))])[filled]
    R, S = R[filled], S[filled] + 1
    weighted = groups * np.sqrt(S)[:, None]
    coef, _, rank, _ = np.linalg.lstsq(weighted, R / np.sqrt(S), rcond=None)
    return float(((R / np.sqrt(S) - weighted @ coef) ** 2).sum()) - (len(R) - int(rank))


def _coarse(counts: np.ndarray, is_ordered: bool) -> np.ndarray:
    """At most `COARSE` groups of codes (n_codes,), the last one for missing cells and other categories."""
    if is_ordered:
        below = np.cumsum(counts[:-1]) - counts[:-1] / 2
        return np.append((below * (COARSE - 1) // max(counts[:-1].sum(), 1)).astype(int), COARSE - 1)
    groups = np.full(len(counts), COARSE - 1)
    frequent = np.argsort(-counts[:-1], kind="stable")[: COARSE - 1]
    groups[frequent] = np.arange(len(frequent))
    return groups

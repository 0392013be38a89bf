"""Curves: how the log-odds bend along a number, as features that a ridge penalty keeps smooth.

    f(x) = slope x + g(x),    penalty lambda/2 [slope^2 + mean g(x)^2 + smoothness roughness(g)]

g is a cubic B-spline (scikit-learn's `SplineTransformer`) with knots at quantiles of the training rows (each number
counted as the square root of its rows, so that one that most rows have leaves knots for the others), without its
straight line: it has no part in common with 1 and x. Its roughness is the sum of squares of the second differences of
its coefficients (P-splines; Eilers and Marx 1996, Statistical Science 11), in units of that of the smoothest bend. So
the straight line is the limit of much smoothness, or of a large lambda, and where knots are close the curve may bend
more. Both penalties together are those of a ridge on other features, the columns of Phi: with the Gram matrix of g
diagonal, they are the bends from smooth to rough, each divided by the square root of its penalty.

Bins without training rows (inside a fold) have the features of the nearest bin with some, as the predictions of a model
that has never seen such numbers.

    points  (n_bins,)            x in each bin, ascending
    counts  (n_bins,)            training rows in each bin
    Phi     (n_bins, n_bends)    the features of rows in that bin
"""

import numpy as np

KNOTS = 16
FEWEST = 4  # distinct numbers for a curve
NEGLIGIBLE = 1e-6  # times the largest variance of a direction: what is left of the straight line


def bends(points: np.ndarray, counts: np.ndarray, smoothness: float) -> np.ndarray:
    """Phi, with no column where the numbers have too few bins to bend."""
    from sklearn.preprocessing import SplineTransformer

    filled = counts > 0
    if filled.sum() < FEWEST:
        return np.empty((len(points), 0))
    if not filled.all():
        return bends(points[filled], counts[filled], smoothness)[nearest(points, counts)]
    points = (points - points[0]) / (points[-1] - points[0])
    share = counts / counts.sum()
    spread = np.sqrt(counts) / np.sqrt(counts).sum()
    at = np.interp(np.linspace(0, 1, KNOTS), np.append(0, np.cumsum(spread)), np.append(points[0], points))
    knots = np.unique(np.concatenate([points[:1], at, points[-1:]]))
    if len(knots) < 3:
        return np.empty((len(points), 0))
    S = SplineTransformer(degree=3, knots=knots[:, None], extrapolation="constant").fit_transform(points[:, None])
    line = np.column_stack([np.ones(len(points)), points])
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

"""Newton's method, also known as iteratively re-weighted least squares: direction = curvature^-1 gradient.

With an l1 penalty, the step goes to the minimum of the penalty and the quadratic that touches the smooth part, which is
found coordinate by coordinate, as in glmnet. Friedman, Hastie and Tibshirani (2010), Regularization paths for
generalized linear models via coordinate descent.
"""

import numpy as np
from numpy import ndarray

from pipeline.logistic.fast_objective import FastObjective
from pipeline.logistic.penalty import SignedRidge, of_weights, shrunk
from pipeline.logistic.search import Direction

SETS = 50  # of weights that are zero
SWEEPS, EXACT = 1_000, 1e-13  # of the coordinates, and of a weight, times the square root of its curvature


class Newton(Direction):
    """Of each model: a column, or the coupled columns of a softmax."""

    def find(self, objective: FastObjective, W: ndarray, gradient: ndarray) -> ndarray:
        if objective.n_coupled > 1:
            models = [np.arange(k, k + objective.n_coupled) for k in range(0, W.shape[1], objective.n_coupled)]
            return np.hstack([_of_coupled(objective.select(k), W[:, k], gradient[:, k]) for k in models])
        H = objective.curvature(W)
        diagonal = np.arange(len(W))
        # Features that repeat each other make H singular: a small addition to the diagonal keeps them still.
        H[:, diagonal, diagonal] = H[:, diagonal, diagonal] * (1 + 1e-12) + np.finfo(float).tiny
        return np.linalg.solve(H, gradient.T[:, :, None])[:, :, 0].T


def _of_coupled(model: FastObjective, W: ndarray, gradient: ndarray) -> ndarray:
    """The curvature of a model, all of its columns together, divides the gradient; of the shape of W."""
    H = model.joint_curvature(W)
    # Weights without penalty (the intercepts) may move together: a small addition makes H regular, and their mean,
    # which is only rounding then, is taken out.
    H[np.diag_indices(W.size)] += 1e-10 * np.diag(H).max()
    step = np.linalg.solve(H, gradient.T.ravel()).reshape(W.T.shape).T
    return step - step.mean(axis=1, keepdims=True) * (model.penalty.curvature(W) == 0)


class CoordinateNewton(Direction):
    """Newton's method for an l1 penalty."""

    def find(self, objective: FastObjective, W: ndarray, gradient: ndarray) -> ndarray:
        l1 = of_weights(objective.penalty.l1, W)
        columns = zip(objective.curvature(W), W.T, gradient.T, l1.T, strict=True)
        return np.column_stack([_coordinate_descent(*column) for column in columns])


class SignedNewton(Direction):
    """Newton's method for weights of a given sign: to the least quadratic among the weights that are allowed.

    Which of them are zero there is found by a primal-dual active set. Hintermueller, Ito and Kunisch (2002).
    """

    def find(self, objective: FastObjective, W: ndarray, gradient: ndarray) -> ndarray:
        assert isinstance(objective.penalty, SignedRidge)
        signs = np.append(objective.penalty.signs, 0.0)
        columns = zip(objective.curvature(W), W.T, gradient.T, strict=True)
        return np.column_stack([w - _signed_minimum(H, H @ w - g, signs) for H, w, g in columns])


def _signed_minimum(H: ndarray, q: ndarray, signs: ndarray) -> ndarray:
    """The v with the least v' H v / 2 - q' v of those whose signs are allowed."""
    H = H + np.diag(np.diag(H) * 1e-12 + np.finfo(float).tiny)
    is_zero = np.zeros(len(q), dtype=bool)
    for _ in range(SETS):
        v, free = np.zeros(len(q)), ~is_zero
        v[free] = np.linalg.solve(H[np.ix_(free, free)], q[free])
        before, is_zero = is_zero, np.where(is_zero, signs * (H @ v - q) >= 0, signs * v < 0)
        if (is_zero == before).all():
            break
    return np.where(signs * v < 0, 0, v)


def _coordinate_descent(H: ndarray, w: ndarray, gradient: ndarray, l1: ndarray) -> ndarray:
    """w - v, for the v with the least gradient'(v - w) + (v - w)' H (v - w) / 2 + sum l1 |v|, l1 (n_features + 1,)."""
    v, slope, scale = w.copy(), gradient.copy(), np.sqrt(np.diag(H))
    movable = np.flatnonzero(scale)  # a feature that is 0 in each row stays where it is
    chosen = movable
    for _ in range(SWEEPS):
        largest = 0.0
        for j in chosen:
            moved = float(shrunk(H[j, j] * v[j] - slope[j], l1[j]) / H[j, j])
            if moved != v[j]:
                largest = max(largest, abs(moved - v[j]) * scale[j])
                slope += H[j] * (moved - v[j])
                v[j] = moved
        everything = len(chosen) == len(movable)
        if largest <= EXACT:
            if everything:
                break
            chosen = movable
        elif everything:  # weights that are zero need few visits
            chosen = np.intersect1d(np.flatnonzero(v), movable)
    return w - v

"""Exact changes of variables, for less rounding or less work.

Both replace X by another matrix of the same rows, so that margins z = X w + b, and with them the cost, stay the same.

Centred features: X - m with the intercept b + m w, for means m. Where a feature is far from zero compared to its spread
(a time in seconds since 1970), X w + b is a small difference of large numbers, and the curvature is nearly singular.

The row space, where there are more features than rows. With the thin factorisation X' = Q R (X' is X transposed), Q
(n_features, n_samples) with orthonormal columns, X w = R' (Q' w): margins depend on n_samples numbers only, the
coordinates v = Q' w. The rest of the start, r = w - Q v, is orthogonal to every row: its gradient is that of the
penalty alone, so it keeps its direction u = r / ||r|| and only its length changes. One more coordinate holds this
length, for a feature that is zero in all rows. As [Q u] is orthonormal, ridge penalty, gradient norm and every step of
every optimiser are the same as without the change, and a curvature costs n_samples^3 instead of n_features^3.
"""

from collections.abc import Callable

import numpy as np
from numpy import ndarray

from pipeline.logistic.fast_objective import LARGEST_FACTOR, FastObjective

LARGEST_BYTES = 2**30  # of features that are factorised
FAR = 100  # standard deviations between a feature's mean and zero
Change = tuple[FastObjective, ndarray, Callable[[ndarray], ndarray]]


def centred(objective: FastObjective, W: ndarray) -> Change:
    """Centre the features that are far from zero.

    Returns the objective and the weights W (n_features + 1, n_columns) in the new variables, and the function that
    takes such weights back. The intercept is not penalised, so its value may change.
    """
    if not isinstance(objective.X, ndarray):  # a base matrix is centred, and sparse features have no centre
        return objective, W, lambda W: W
    few = objective.X[:: max(len(objective.X) // 100, 1)]  # most features need no look at all of their rows
    suspects = np.flatnonzero(_is_far(few)) if objective.fit_intercept else np.empty(0, int)
    suspects = suspects[_is_far(objective.X[:, suspects])]
    if not len(suspects):
        return objective, W, lambda W: W
    # A number of the type of X, which is close to its neighbours: the difference is exact.
    mean = np.zeros(objective.X.shape[1], objective.X.dtype)
    mean[suspects] = objective.X[:, suspects].mean(axis=0, dtype=np.float64)

    def moved(W: ndarray, by: ndarray) -> ndarray:
        return np.vstack([W[:-1], W[-1:] + by @ W[:-1]])

    return objective.with_features(objective.X - mean), moved(W, mean), lambda W: moved(W, -mean)


def in_row_space(objective: FastObjective, W: ndarray) -> Change:
    """The coordinates of the row space, where they are fewer than the features. Returns what `centred` returns."""
    n_samples, n_features = objective.matrix.shape
    is_large = n_samples > LARGEST_FACTOR or 8 * n_samples * n_features > LARGEST_BYTES
    if n_features <= n_samples + 1 or is_large or objective.matrix.offset is not None:
        return objective, W, lambda W: W
    Q, R = np.linalg.qr(objective.matrix.toarray().T)
    v = Q.T @ W[:-1]
    rest = W[:-1] - Q @ v
    length = np.linalg.norm(rest, axis=0)
    u = rest / np.where(length > 0, length, 1)
    changed = objective.with_features(np.column_stack([R.T, np.zeros(n_samples)]))
    return changed, np.vstack([v, length, W[-1]]), lambda W: np.vstack([Q @ W[:-2] + u * W[-2], W[-1]])


def _is_far(X: ndarray) -> ndarray:
    return np.abs(X.mean(axis=0, dtype=np.float64)) > FAR * X.std(axis=0, dtype=np.float64)

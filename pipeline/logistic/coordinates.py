"""Exact changes of variables: the same margins z = X w + b and costs, with less rounding.

Centred features. X' = X - m, with the intercept b' = b + m w. Where a feature is far from zero compared to its spread
(a time in seconds since 1970), X w + b is a small difference of large numbers, and the curvature is nearly singular.
"""

from collections.abc import Callable

import numpy as np
from numpy import ndarray

from pipeline.logistic.fast_objective import FastObjective

FAR = 100  # standard deviations between a feature's mean and zero
Change = tuple[FastObjective, ndarray, Callable[[ndarray], ndarray]]


def centred(objective: FastObjective, W: ndarray) -> Change:
    """Centre the features that are far from zero.

    Returns the objective and the weights W (n_features + 1, n_columns) in the new variables, and the function that
    takes such weights back. The intercept is not penalised, so its value may change.
    """
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


def _is_far(X: ndarray) -> ndarray:
    return np.abs(X.mean(axis=0, dtype=np.float64)) > FAR * X.std(axis=0, dtype=np.float64)

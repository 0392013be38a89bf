"""Cost, gradient and curvature of logistic regression, as the formula. For one column of weights w with intercept b,

    J(w, b)   = sum_i s_i [log(1 + exp(z_i)) - y_i z_i] + penalty(w),      z = X w + b
    gradient  = X' (s (p - y)) + penalty'(w),                              p = 1 / (1 + exp(-z))
    curvature = X' diag(s p (1 - p)) X + penalty''(w)

where X has a last column of ones for the intercept, and the row weights s are divided by their sum (1/n each when none
are given): J is a mean, so a learning rate means the same at any number of rows. This is the code to read, and what
tests compare `fast_objective` with. Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 4.4.1.

    X              (n_samples, n_features)      shared by all columns
    Y              (n_samples, n_columns)       labels in {0, 1}, one column per model
    W              (n_features + 1, n_columns)  one column of weights per model, the intercept in the last row
    sample_weight  (n_samples,) or None
"""

import numpy as np
from numpy import ndarray

from pipeline.logistic.loss import log_loss, sigmoid
from pipeline.logistic.penalty import Ridge

Weights = ndarray | None


def cost(W: ndarray, X: ndarray, Y: ndarray, penalty: Ridge, sample_weight: Weights = None) -> ndarray:
    """J of each column, (n_columns,)."""
    X, s = _with_ones(X), _shares(X, sample_weight)
    return np.sum(s * log_loss(X @ W, Y), axis=0) + penalty.value(W)


def gradient(W: ndarray, X: ndarray, Y: ndarray, penalty: Ridge, sample_weight: Weights = None) -> ndarray:
    """The first derivatives, of the shape of W."""
    X, s = _with_ones(X), _shares(X, sample_weight)
    return X.T @ (s * (sigmoid(X @ W) - Y)) + penalty.gradient(W)


def curvature(W: ndarray, X: ndarray, penalty: Ridge, sample_weight: Weights = None) -> ndarray:
    """The second derivatives (Hessians), (n_columns, n_features + 1, n_features + 1). The labels do not matter."""
    X, s = _with_ones(X), _shares(X, sample_weight)
    P = sigmoid(X @ W)
    columns = zip((s * P * (1 - P)).T, penalty.curvature(W).T, strict=True)
    return np.array([(X.T * squares) @ X + np.diag(diagonal) for squares, diagonal in columns])


def _with_ones(X: ndarray) -> ndarray:
    return np.column_stack([X, np.ones(len(X))])


def _shares(X: ndarray, sample_weight: Weights) -> ndarray:
    weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    return (weight / weight.sum())[:, None]

"""Does the maximum of the likelihood exist? Not where a plane separates the classes, completely or in part.

With signs t = 1 for y = 1 and -1 for y = 0, a direction b (the intercept included) separates if

    t_i x_i' b >= 0  in every row,  and  > 0  in at least one:

moving along it lowers the loss of the rows with > 0 forever and changes no other, so weights without penalty grow
forever. Separation is complete where no row has 0, else it is called quasi-complete: a category that has only one
class is enough. Albert and Anderson (1984), Biometrika 71; Konis (2007), Linear programming algorithms for detecting
separated data, which the linear programme below is from.

    X  (n_samples, n_features), an array or a `Matrix`
    y  (n_samples,) of bool
    W  (n_features + 1,), where a fit without penalty ended, the intercept last
"""

from typing import Any

import numpy as np
from numpy import ndarray

from pipeline.logistic.matrix import Matrix, as_matrix
from pipeline.logistic.threads import strips

LARGEST_BYTES = 2**30  # of features that are written out; in larger data only categories of one class are found
LARGEST_PROGRAMME = 200  # features, which take up to half a second
ROWS_AT_ONCE, ROUNDS = 500, 20
CLEAR_MARGIN = 8.0  # odds of 3,000 : 1
PRICE = 1e-3
SMALLEST_GAIN, ROUNDING = 1e-3, 1e-6  # of standardised features; the programme's own tolerance is 1e-7


def separating_features(
    X: Any, y: ndarray, W: ndarray, sample_weight: ndarray | None = None, fit_intercept: bool = True
) -> ndarray:
    """Which features a separating direction moves, indices; none where the maximum of the likelihood exists.

    Single features that separate come first, and are always among them. If there is none: all features, where the fit
    itself separates completely or rows are so few that some weights separate any labels; else what a linear programme
    finds, where the fit has a clear margin and features are few enough for it. Rows with weight 0 do not count.
    """
    if not isinstance(X, ndarray):
        matrix = as_matrix(X)
        if matrix.nbytes > LARGEST_BYTES:
            counted = np.ones(len(y)) if sample_weight is None else sample_weight > 0
            return _features_of_one_class(matrix, y, counted)
        X = matrix.toarray()
    if sample_weight is not None and (sample_weight == 0).any():
        X, y = X[sample_weight > 0], y[sample_weight > 0]
    alone = single_features(X, y, fit_intercept)
    if len(alone):
        return alone
    signs = np.where(y, 1.0, -1.0)
    margins = _margins(X, signs, W)
    if margins.min() > 0:
        return np.flatnonzero(W[:-1])
    if len(X) <= X.shape[1] + fit_intercept:
        A = np.column_stack([X, np.full(len(X), float(fit_intercept))])
        direction = np.linalg.lstsq(A, signs, rcond=None)[0]
        if _margins(X, signs, direction).min() > 0.5:
            return np.flatnonzero(direction[:-1])
    if margins.max() > CLEAR_MARGIN and X.shape[1] <= LARGEST_PROGRAMME:
        return _programme(X, signs, margins, fit_intercept)
    return np.empty(0, int)


def _margins(X: ndarray, signs: ndarray, W: ndarray) -> ndarray:
    return np.concatenate([signs[rows] * (X[rows] @ W[:-1] + W[-1]) for rows in strips(len(X))])


def _features_of_one_class(matrix: Matrix, y: ndarray, counted: ndarray) -> ndarray:
    """Features that are 0 in all rows of one class, but not of the other: a category with one class."""
    sums = np.zeros((matrix.blocks[0].n_base + 1, 2))
    for block, rows in matrix.strips():
        sums += block.squared().transposed(np.column_stack([y[rows], ~y[rows]]) * counted[rows, None])
    if matrix.T is not None:
        sums = matrix.T.T.power(2) @ sums
    return np.flatnonzero((sums[:-1] == 0).sum(axis=1) == 1)


def single_features(X: ndarray, y: ndarray, fit_intercept: bool) -> ndarray:
    """Features whose values of one class all are at or above a threshold, and all those of the other at or below it.

    Most features are ruled out by the first strip of rows.
    """
    features = np.arange(X.shape[1])
    lowest, highest = np.full((2, len(features)), np.inf), np.full((2, len(features)), -np.inf)
    for rows in strips(len(X)):
        seen = X[rows][:, features]
        for label in (0, 1):
            of_class = seen[y[rows] == label]
            np.minimum(lowest[label], of_class.min(axis=0, initial=np.inf), out=lowest[label])
            np.maximum(highest[label], of_class.max(axis=0, initial=-np.inf), out=highest[label])
        if fit_intercept:
            apart = (highest[0] <= lowest[1]) | (highest[1] <= lowest[0])
        else:  # then the threshold is 0
            apart = np.maximum(highest[0], -lowest[1]) <= 0
            apart |= np.maximum(highest[1], -lowest[0]) <= 0
        features, lowest, highest = features[apart], lowest[:, apart], highest[:, apart]
    smallest, largest = lowest.min(axis=0), highest.max(axis=0)
    return features[smallest < largest if fit_intercept else (smallest != 0) | (largest != 0)]


def _programme(X: ndarray, signs: ndarray, margins: ndarray, fit_intercept: bool) -> ndarray:
    """Maximise sum_i t_i x_i' b, for t_i x_i' b >= 0 in every row and |b_j| <= 1: above 0 only if b separates.

    A small price on |b| leaves out what is not needed. The programme starts with few rows, those that the fit is worst
    at, and gets rows that its solution has on the wrong side until there are none: its answer is that for all rows.
    """
    from scipy.optimize import linprog

    n_features, ones = X.shape[1], signs * fit_intercept
    centre, scale = X.mean(axis=0, dtype=np.float64) * fit_intercept, X.std(axis=0, dtype=np.float64)
    scale[scale == 0] = 1
    gain = (signs @ X - signs.sum() * centre) / scale
    cost = np.concatenate([PRICE - gain, PRICE + gain, [-ones.sum()]])
    bounds = [(0, 1)] * (2 * n_features) + [(None, None)]  # b = its positive - its negative part; the intercept
    rows = np.argsort(margins, kind="stable")[:ROWS_AT_ONCE]
    for _ in range(ROUNDS):
        A = signs[rows, None] * (X[rows] - centre) / scale
        A = -np.column_stack([A, -A, ones[rows]])
        answer = linprog(cost, A_ub=A, b_ub=np.zeros(len(rows)), bounds=bounds, method="highs")
        if answer.x is None:
            break
        b = answer.x[:n_features] - answer.x[n_features:-1]
        gains = _margins(X, signs, np.append(b / scale, answer.x[-1] * fit_intercept - centre @ (b / scale)))
        if gains.max() < SMALLEST_GAIN:
            break
        wrong = np.flatnonzero(gains < -ROUNDING)
        if not len(wrong):
            return np.flatnonzero(np.abs(b) > ROUNDING)
        rows = np.union1d(rows, wrong[np.argsort(gains[wrong], kind="stable")[:ROWS_AT_ONCE]])
    return np.empty(0, int)

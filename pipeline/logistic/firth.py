"""Firth's penalty: logistic regression of two classes whose weights are finite and nearly unbiased, also in small data.

Maximises the log-likelihood plus half the logarithm of the determinant of the information (Jeffreys' prior),

    l*(w) = sum_i [y_i z_i - log(1 + exp(z_i))] + 1/2 log det I(w),    z = A w,    I = A' diag(p (1 - p)) A,

whose derivative is that of the likelihood with each label moved towards 1/2 by the leverage h of its row:

    A' (y - p + h (1/2 - p)),    h = diag(A I^-1 A') p (1 - p).

A (n_samples, n_parameters) is X with a column of ones last. Where a plane separates the classes (`separation`), the
likelihood grows forever and l* does not. Intervals and tests are from the profile of l*, which is far from a parabola
there: an interval holds the values of a weight for which 2 (max l* - l* maximised over the other weights) is below the
quantile of chi-squared with one degree of freedom. Firth (1993), Biometrika 80; Heinze and Schemper (2002), A solution
to the problem of separation in logistic regression, Statistics in Medicine 21.
"""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from pipeline.logistic.loss import log_loss, sigmoid

LARGEST_STEP = 5.0  # of a weight per standard deviation, in one iteration
LARGEST_PROFILE = 30_000_000  # rows times cubed features: some seconds


class Maximum(NamedTuple):
    weights: ndarray  # (n_features + 1,), the intercept last
    covariance: ndarray  # (n_features + 1, n_features + 1), the inverse of the information
    objective: float  # l*
    objectives: list[float]  # of each iteration, the start first
    gradient_norm: float
    converged: bool


class Profile(NamedTuple):
    """Of each weight (n_features + 1,)."""

    lower: ndarray
    upper: ndarray
    p_value: ndarray


def firth(X: ndarray, y: ndarray, max_iter: int = 1000, tol: float = 1e-8) -> Maximum:
    """The maximum of l* for X (n_samples, n_features) and y (n_samples,) in {0, 1}.

    Raises ValueError where features follow from each other: then the determinant is 0 at any weights.
    """
    A, change = _standardised(X)
    return _original(_maximise(A, y, np.zeros(A.shape[1]), np.full(A.shape[1], True), max_iter, tol), change)


def profile(X: ndarray, y: ndarray, confidence: float = 0.95, max_iter: int = 1000, tol: float = 1e-8) -> Profile:
    """Intervals and p values of every weight."""
    A = np.column_stack([X, np.ones(len(X))])
    scale = np.append(X.std(axis=0), 1.0)
    A = A / scale
    everything = np.full(A.shape[1], True)
    best = _maximise(A, y, np.zeros(A.shape[1]), everything, max_iter, tol)
    quantile = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    error = np.sqrt(np.diag(best.covariance))
    lower, upper, p_value = np.empty((3, len(error)))
    for j in range(len(error)):
        free = everything.copy()
        free[j] = False
        start = best.weights.copy()

        def lost(value: float, j: int = j, free: ndarray = free, start: ndarray = start) -> float:
            start[j] = value  # from where the last value ended
            maximum = _maximise(A, y, start, free, max_iter, tol)
            start[:] = maximum.weights
            return 2 * (best.objective - maximum.objective) - quantile

        lower[j] = _crossing(lost, best.weights[j], -error[j])
        start[:] = best.weights
        upper[j] = _crossing(lost, best.weights[j], error[j])
        start[:] = best.weights
        p_value[j] = math.erfc(math.sqrt(max(lost(0.0) + quantile, 0) / 2))
    return Profile(lower / scale, upper / scale, p_value)


def _crossing(lost: Callable[[float], float], inside: float, step: float) -> float:
    """Where `lost` becomes 0 beyond `inside`, in the direction of `step`."""
    from scipy.optimize import brentq

    outside = inside + 2 * step
    while lost(outside) < 0:
        inside, outside = outside, outside + 2 * step
    return float(brentq(lost, *sorted((inside, outside)), xtol=1e-9))


def _standardised(X: ndarray) -> tuple[ndarray, ndarray]:
    """A of standardised features, and the matrix that takes its weights to those of X: l* does not depend on units."""
    centre, scale = X.mean(axis=0), X.std(axis=0)
    scale[scale == 0] = 1
    change = np.diag(np.append(1 / scale, 1.0))
    change[-1, :-1] = -centre / scale
    return np.column_stack([(X - centre) / scale, np.ones(len(X))]), change


def _original(maximum: Maximum, change: ndarray) -> Maximum:
    return maximum._replace(weights=change @ maximum.weights, covariance=change @ maximum.covariance @ change.T)


def _maximise(A: ndarray, y: ndarray, start: ndarray, free: ndarray, max_iter: int, tol: float) -> Maximum:
    """The maximum of l* over the weights that are `free`; the others keep their start."""
    w, step = start.copy(), np.zeros(len(start))
    objectives: list[float] = []
    while True:
        z = A @ (w + step)
        p = sigmoid(z)
        half = np.sqrt(p * (1 - p))[:, None] * A
        information = half.T @ half
        sign, log_determinant = np.linalg.slogdet(information)
        value = float(log_determinant / 2 - log_loss(z, y).sum()) if sign > 0 else -math.inf
        if not objectives and np.linalg.cond(information) > 1e12:
            raise ValueError("a feature is constant or follows from others, so Firth's penalty is not defined.")
        if objectives and value < objectives[-1] - 1e-12 * abs(objectives[-1]) and np.abs(step).max() > 1e-12:
            step /= 2
            continue
        w = w + step
        objectives.append(value)
        covariance = np.linalg.inv(information)
        leverage = np.einsum("ij,ij->i", half @ covariance, half)
        gradient = A.T @ (y - p + leverage * (0.5 - p)) * free
        norm = float(np.linalg.norm(gradient)) / len(y)
        if norm <= tol or len(objectives) > max_iter:
            return Maximum(w, covariance, value, objectives, norm, norm <= tol)
        step = np.zeros(len(w))
        step[free] = np.linalg.solve(information[np.ix_(free, free)], gradient[free])
        step *= min(1.0, LARGEST_STEP / np.abs(step).max())

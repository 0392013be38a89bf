"""A loss is one class: the complementary log-log link, p = 1 - exp(-exp(z)), through every solver that its verbs admit.

It is not canonical, and its curvature has no bound. The oracle is the likelihood as written, minimised by SciPy.
"""

import numpy as np
import pytest
from numpy import ndarray
from numpy.typing import ArrayLike
from scipy import optimize

from pipeline.logistic.fast_objective import FastObjective
from pipeline.logistic.fitting import fit_columns
from pipeline.logistic.loss import Loss
from pipeline.logistic.matrix import Block, Matrix
from pipeline.logistic.penalty import ElasticNet, Ridge


class ComplementaryLogLog(Loss):
    """exp(z) for y = 0, and -log(1 - exp(-exp(z))) for y = 1."""

    def value(self, z: ndarray, y: ArrayLike) -> ndarray:
        e = np.exp(z)
        return np.where(y, -np.log(-np.expm1(-e)), e)

    def residual(self, z: ndarray, y: ArrayLike) -> ndarray:
        e = np.exp(z)
        return np.where(y, -e / np.expm1(e), e)

    def curvature(self, z: ndarray, y: ArrayLike) -> ndarray:
        e = np.exp(z)
        return np.where(y, e / np.expm1(e) * (-e / np.expm1(-e) - 1), e)


LAMBDA = 0.02


def table(n):
    """Three numbers, and a column of four categories; y from the link itself."""
    rng = np.random.default_rng(0)
    dense, codes = rng.normal(size=(n, 3)), rng.integers(0, 4, (n, 1)).astype(np.int32)
    matrix = Matrix([Block(dense, codes, 4)])
    z = matrix.toarray() @ rng.normal(size=7) / 2 - 0.5
    return matrix, (rng.random(n) < 1 - np.exp(-np.exp(z))).astype(int)


def optimum(X, y, l1=0.0):
    """The weights with the least cost, by SciPy; those of an l1 penalty as differences of two that are not negative."""
    d = X.shape[1]

    def cost(v):
        w = v[:d] - v[d + 1 :]
        p = 1 - np.exp(-np.exp(X @ w + v[d]))
        loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
        return loss + LAMBDA / 2 * w @ w + l1 * (v[:d] + v[d + 1 :]).sum()

    bounds = [(0, None)] * d + [(None, None)] + [(0, None)] * d
    tight = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 5_000, "maxfun": 1_000_000}
    v = optimize.minimize(cost, np.zeros(2 * d + 1), method="L-BFGS-B", bounds=bounds, options=tight).x
    return np.append(v[:d] - v[d + 1 :], v[d])


@pytest.fixture(scope="module")
def small():
    matrix, y = table(300)
    X = matrix.toarray()
    return X, y, optimum(X, y), optimum(X, y, 0.03)


def objective(X, y, penalty):
    return FastObjective(X, y, np.array([1]), penalty, loss=ComplementaryLogLog())


@pytest.mark.parametrize(
    ("optimizer", "rate"), [("newton", None), ("quasi_newton", None), ("gradient_descent", 0.3), ("nesterov", 0.3)]
)
@pytest.mark.parametrize("is_sparse", [False, True])
def test_every_solver_finds_the_optimum_of_a_new_loss(small, optimizer, rate, is_sparse):
    X, y, smooth, sparse = small
    penalty = ElasticNet([LAMBDA], [0.03]) if is_sparse else Ridge([LAMBDA])
    fit = fit_columns(objective(X, y, penalty), optimizer, None if rate is None else np.array([rate]), tol=1e-7)
    assert fit.status.tolist() == ["converged"]
    np.testing.assert_allclose(fit.weights[:, 0], sparse if is_sparse else smooth, atol=2e-5)


@pytest.mark.parametrize("optimizer", ["gradient_descent", "nesterov"])
def test_a_learning_rate_can_not_be_chosen_without_a_largest_curvature(small, optimizer):
    X, y, *_ = small
    with pytest.raises(
        ValueError,
        match=rf"{optimizer} needs a largest curvature of the loss to choose its learning rate by \(or a learning "
        r"rate\), which ComplementaryLogLog with Ridge does not have here. Choose newton or quasi_newton\.",
    ):
        fit_columns(objective(X, y, Ridge([LAMBDA])), optimizer)


def test_rows_as_codes_in_strips_are_those_of_the_array():
    matrix, y = table(30_000)
    fits = [fit_columns(objective(X, y, Ridge([LAMBDA])), "newton", tol=1e-9) for X in (matrix, matrix.toarray())]
    np.testing.assert_allclose(fits[0].weights, fits[1].weights, atol=1e-9)


def test_derivatives_are_slopes():
    z, h = np.linspace(-4, 2, 13)[:, None], 1e-6
    loss = ComplementaryLogLog()
    for y in (0, 1):
        labels = np.full(z.shape, y)
        slope = (loss.value(z + h, labels) - loss.value(z - h, labels)) / (2 * h)
        np.testing.assert_allclose(loss.residual(z, labels), slope, rtol=1e-6, atol=1e-8)
        bend = (loss.residual(z + h, labels) - loss.residual(z - h, labels)) / (2 * h)
        np.testing.assert_allclose(loss.curvature(z, labels), bend, rtol=1e-5, atol=1e-8)

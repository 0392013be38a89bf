"""The plain formulas against published values and numerical differences; `test_fast_objective` relies on them."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from pipeline.logistic.objective import cost, curvature, gradient
from pipeline.logistic.penalty import Ridge
from tests.logistic.reference import EXPECTED, exam_scores, microchips


def weights(*theta):
    """Intercept first, as the course writes it, to the intercept last."""
    return np.array([*theta[1:], theta[0]], dtype=float)[:, None]


def test_cost_and_gradient_match_the_third_exercise():
    X, y = np.arange(1, 16).reshape(3, 5).T / 10, np.array([1, 0, 1, 0, 1])[:, None]
    W, penalty, expected = weights(-2, -1, 1, 2), Ridge(3 / 5), EXPECTED["ng_ex3_cost"]
    np.testing.assert_allclose(cost(W, X, y, penalty), expected["cost"], rtol=1e-14)
    np.testing.assert_allclose(gradient(W, X, y, penalty), weights(*expected["grad"]), rtol=1e-13)


@pytest.mark.parametrize("theta", [[0.0, 0.0, 0.0], [-24.0, 0.2, 0.2]])
def test_cost_and_gradient_match_the_second_exercise(theta):
    X, y = exam_scores()
    W, expected = weights(*theta), EXPECTED[f"ng_ex2_1_theta{theta}"]
    np.testing.assert_allclose(cost(W, X, y[:, None], Ridge(0)), expected["cost"], rtol=1e-12)
    np.testing.assert_allclose(gradient(W, X, y[:, None], Ridge(0)), weights(*expected["grad"]), rtol=1e-11)


def test_penalised_cost_matches_the_second_exercise():
    X, y = microchips()
    W, penalty, expected = np.ones((28, 1)), Ridge(10 / len(X)), EXPECTED["ng_ex2_2_ones_lam10"]
    np.testing.assert_allclose(cost(W, X, y[:, None], penalty), expected["cost"], rtol=1e-13)
    grad = gradient(W, X, y[:, None], penalty)
    np.testing.assert_allclose(grad[[-1, 0, 1, 2, 3], 0], expected["grad5"], rtol=1e-12)


@pytest.mark.parametrize("l2", [0.0, 0.7])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_and_curvature_match_numerical_differences(l2, weighted):
    rng = np.random.default_rng(0)
    X, y, w = rng.normal(size=(200, 5)), rng.integers(0, 2, (200, 1)), rng.normal(size=6)
    weight = rng.integers(0, 4, 200) if weighted else None
    rest = X, y, Ridge(l2), weight
    assert check_grad(lambda w: cost(w[:, None], *rest)[0], lambda w: gradient(w[:, None], *rest)[:, 0], w) < 1e-6
    steps = 1e-5 * np.eye(6)[:, :, None]
    columns = [(gradient(w[:, None] + step, *rest) - gradient(w[:, None] - step, *rest)) / 2e-5 for step in steps]
    np.testing.assert_allclose(curvature(w[:, None], X, Ridge(l2), weight)[0], np.hstack(columns), atol=1e-8)


def test_integer_weights_are_repetitions_and_zero_is_absence():
    rng = np.random.default_rng(0)
    X, Y, W, weight = rng.normal(size=(50, 3)), rng.integers(0, 2, (50, 2)), rng.normal(size=(4, 2)), np.arange(50) % 4
    repeated = np.repeat(X, weight, axis=0), np.repeat(Y, weight, axis=0)
    for function in cost, gradient:
        expected = function(W, *repeated, Ridge(0.1))
        np.testing.assert_allclose(function(W, X, Y, Ridge(0.1), weight), expected, rtol=1e-12)

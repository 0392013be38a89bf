import numpy as np
import pytest
from scipy.optimize import check_grad

from pipeline.logistic.objective import Objective, log_loss, sigmoid
from pipeline.logistic.threads import workers
from tests.logistic.reference import EXPECTED, breast_cancer, exam_scores, microchips

SMALL, BLOCKED = 200, 30_000  # rows: one block with its column of ones; many blocks in place


def data(n, seed=0, d=5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, (X @ rng.normal(size=d) + rng.logistic(size=n) > 0.3).astype(int)


def evaluate(objective, W):
    gradient, factors = np.empty(objective.shape), objective.factors(1)
    with np.errstate(over="ignore"):
        objective.evaluate(W, gradient, factors[0])
        return objective.cost(W[None], factors)[0], gradient


def one(X, y, l2=0.0, **options):
    return Objective(X, y, np.array([1]), [l2], **options)


def weights(*theta):
    """Intercept first, as the course writes it, to the intercept last."""
    return np.array([*theta[1:], theta[0]], dtype=float)[:, None]


def test_sigmoid_has_known_values():
    np.testing.assert_allclose(sigmoid([0, np.log(3), -np.log(3)]), [0.5, 0.75, 0.25], rtol=1e-15)


def test_sigmoid_and_log_loss_are_exact_far_out():
    np.testing.assert_array_equal(sigmoid([1000.0, -1000.0]), [1, 0])
    np.testing.assert_allclose(sigmoid(-40.0), np.exp(-40), rtol=1e-14)
    np.testing.assert_array_equal(log_loss([1000.0, -1000.0, 1000.0, -1000.0], [0, 1, 1, 0]), [1000, 1000, 0, 0])
    np.testing.assert_allclose(log_loss([40.0, -40.0], [1, 0]), np.exp(-40), rtol=1e-14)


def test_cost_and_gradient_match_the_third_exercise():
    X = np.arange(1, 16).reshape(3, 5).T / 10
    cost, gradient = evaluate(one(X, np.array([1, 0, 1, 0, 1]), 3 / 5), weights(-2, -1, 1, 2))
    expected = EXPECTED["ng_ex3_cost"]
    np.testing.assert_allclose(cost, expected["cost"], rtol=1e-14)
    np.testing.assert_allclose(gradient, weights(*expected["grad"]), rtol=1e-13)


@pytest.mark.parametrize("theta", [[0.0, 0.0, 0.0], [-24.0, 0.2, 0.2]])
def test_cost_and_gradient_match_the_second_exercise(theta):
    X, y = exam_scores()
    cost, gradient = evaluate(one(X, y), weights(*theta))
    expected = EXPECTED[f"ng_ex2_1_theta{theta}"]
    np.testing.assert_allclose(cost, expected["cost"], rtol=1e-12)
    np.testing.assert_allclose(gradient, weights(*expected["grad"]), rtol=1e-11)


def test_penalised_cost_matches_the_second_exercise():
    X, y = microchips()
    cost, gradient = evaluate(one(X, y, 10 / len(X)), np.ones((28, 1)))
    expected = EXPECTED["ng_ex2_2_ones_lam10"]
    np.testing.assert_allclose(cost, expected["cost"], rtol=1e-13)
    np.testing.assert_allclose(gradient[[-1, 0, 1, 2, 3], 0], expected["grad5"], rtol=1e-12)


@pytest.mark.parametrize("n", [SMALL, BLOCKED])
@pytest.mark.parametrize("l2", [0.0, 0.7])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_matches_numerical_differences(n, l2, weighted):
    X, y = data(n)
    weight = np.random.default_rng(1).integers(0, 4, n) if weighted else None
    objective = one(X, y, l2, sample_weight=weight)
    w = np.random.default_rng(2).normal(size=6)
    error = check_grad(
        lambda w: evaluate(objective, w[:, None])[0][0], lambda w: evaluate(objective, w[:, None])[1][:, 0], w
    )
    assert error < 1e-6


@pytest.mark.parametrize("n", [SMALL, BLOCKED])
def test_curvature_matches_differences_of_the_gradient(n):
    X, y = data(n)
    objective = Objective(X, y, np.array([1, 0]), [0.3, 0.0])
    W = np.random.default_rng(2).normal(size=(6, 2))
    H = objective.curvature(W)
    for j in range(6):
        step = np.zeros((6, 2))
        step[j] = 1e-5
        difference = (evaluate(objective, W + step)[1] - evaluate(objective, W - step)[1]) / 2e-5
        np.testing.assert_allclose(H[:, :, j].T, difference, atol=1e-8)


@pytest.mark.parametrize("n", [SMALL, BLOCKED, 30_001])
@pytest.mark.parametrize("columns", [1, 3])
def test_cost_is_the_mean_log_loss_plus_the_penalty(n, columns):
    X, y = data(n)
    y = y + (X[:, 0] > 1)
    W = np.random.default_rng(2).normal(size=(6, columns))
    l2, positive = np.linspace(0, 1, columns), np.arange(columns)
    cost, _ = evaluate(Objective(X, y, positive, l2), W)
    expected = log_loss(X @ W[:-1] + W[-1], y[:, None] == positive).mean(axis=0) + l2 / 2 * (W[:-1] ** 2).sum(axis=0)
    np.testing.assert_allclose(cost, expected, rtol=1e-13)


@pytest.mark.parametrize("n", [SMALL, BLOCKED])
@pytest.mark.parametrize("columns", [1, 3])
def test_cost_is_finite_and_right_at_margins_of_a_thousand(n, columns):
    X, y = data(n)
    W = 1000 * np.random.default_rng(2).normal(size=(6, columns))
    cost, gradient = evaluate(Objective(X, y, np.ones(columns), np.zeros(columns)), W)
    np.testing.assert_allclose(cost, log_loss(X @ W[:-1] + W[-1], y[:, None]).mean(axis=0), rtol=1e-12)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("n", [SMALL, BLOCKED])
def test_integer_weights_are_repetitions_and_zero_is_absence(n):
    X, y = data(n)
    weight = np.random.default_rng(1).integers(0, 4, n)
    W = np.random.default_rng(2).normal(size=(6, 1))
    weighted = evaluate(one(X, y, 0.1, sample_weight=weight), W)
    repeated = evaluate(one(np.repeat(X, weight, axis=0), np.repeat(y, weight), 0.1), W)
    np.testing.assert_allclose(weighted[0], repeated[0], rtol=1e-12)
    np.testing.assert_allclose(weighted[1], repeated[1], atol=1e-13)


def test_without_intercept_its_row_has_no_gradient():
    for n in (SMALL, BLOCKED):
        X, y = data(n)
        W = np.append(np.ones(5), 0.0)[:, None]
        cost, gradient = evaluate(one(X, y, fit_intercept=False), W)
        np.testing.assert_allclose(cost, log_loss(X @ W[:-1, 0], y).mean())
        assert gradient[-1] == 0


@pytest.mark.parametrize("columns", [1, 10])
def test_the_number_of_threads_does_not_change_a_bit(columns, monkeypatch):
    X, y = data(60_000, d=12)
    W = np.random.default_rng(2).normal(size=(13, columns))
    answers = []
    for n_threads in "1", "2", "3":
        monkeypatch.setenv("OMP_NUM_THREADS", n_threads)
        with workers() as run:
            objective = Objective(X, y, np.ones(columns), np.zeros(columns), run=run)
            answers.append((*evaluate(objective, W), objective.curvature(W)))
    for answer in answers[1:]:
        for mine, first in zip(answer, answers[0], strict=True):
            np.testing.assert_array_equal(mine, first)


def test_single_precision_data_is_summed_in_double_precision():
    X, y = data(2 * BLOCKED)
    X = X.astype(np.float32)
    W = np.random.default_rng(2).normal(size=(6, 1))
    single, double = evaluate(one(X, y), W), evaluate(one(X.astype(np.float64), y), W)
    np.testing.assert_array_equal(single[0], double[0])
    np.testing.assert_array_equal(single[1], double[1])


def test_safe_learning_rate_is_one_over_the_largest_eigenvalue_of_the_bound():
    X, y = breast_cancer()
    A = np.column_stack([X, np.ones(len(X))])
    largest = np.linalg.eigvalsh(A.T @ A / (4 * len(X)))[-1]
    np.testing.assert_allclose(one(X, y, 0.5).safe_learning_rate(), 1 / (largest + 0.5), rtol=1e-12)

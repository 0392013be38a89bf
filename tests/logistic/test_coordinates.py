"""More features than rows: the same as the plain formulas of `objective`, and as scikit-learn."""

import numpy as np
import pytest
from sklearn import linear_model
from sklearn.exceptions import ConvergenceWarning

from pipeline.logistic import LogisticRegression
from pipeline.logistic.fitting import random_start
from pipeline.logistic.grid import fit_grid
from pipeline.logistic.objective import cost, gradient
from pipeline.logistic.penalty import Ridge


def wide(n_samples=40, n_features=3_000, n_classes=2):
    X = np.random.default_rng(0).normal(size=(n_samples, n_features))
    return X, X[:, :n_classes].argmax(axis=1)


@pytest.mark.parametrize("init", ["zeros", "random"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("optimizer", ["nesterov", "newton", "quasi_newton"])
def test_the_optimum_is_that_of_scikit_learn(optimizer, weighted, init):
    X, y = wide()
    weight = np.random.default_rng(1).uniform(0.5, 2, len(y)) if weighted else np.ones(len(y))
    settings = {"optimizer": optimizer, "init": init, "random_state": 0, "tol": 1e-9}
    ours = LogisticRegression(1.0, **settings).fit(X, y, weight if weighted else None)
    theirs = linear_model.LogisticRegression(C=1 / weight.sum(), tol=1e-10, max_iter=10_000).fit(X, y, weight)
    assert ours.status_.tolist() == ["converged"]
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-7)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)
    W = np.append(ours.coef_[0], ours.intercept_)[:, None]
    assert ours.cost_history_[-1] == pytest.approx(cost(W, X, y[:, None], Ridge(1.0), weight)[0], rel=1e-12)


@pytest.mark.parametrize("l2", [0.0, 0.5])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_steps_and_costs_of_gradient_descent_from_random_weights_are_those_of_the_formula(l2, n_classes, fit_intercept):
    X, y = wide(30, 100, n_classes)
    Y = y[:, None] == ([1] if n_classes == 2 else np.arange(3))
    W, penalty, costs = random_start(100, Y.shape[1], 0, fit_intercept), Ridge(l2), []
    for _ in range(25):
        costs.append(cost(W, X, Y, penalty))
        slope = gradient(W, X, Y, penalty)
        slope[-1] *= fit_intercept
        W = W - 0.05 * slope
    settings = {"fit_intercept": fit_intercept, "init": "random", "random_state": 0, "max_iter": 25}
    with pytest.warns(ConvergenceWarning):
        model = LogisticRegression(l2, 0.05, **settings).fit(X, y)
    np.testing.assert_allclose(model.coef_, W[:-1].T, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.intercept_, W[-1], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.cost_history_[:25].reshape(25, -1), costs, rtol=1e-10)
    slope = gradient(W, X, Y, penalty)
    slope[-1] *= fit_intercept
    np.testing.assert_allclose(model.gradient_norm_, np.linalg.norm(slope, axis=0), rtol=1e-8)


@pytest.mark.parametrize("optimizer", ["newton", "quasi_newton"])
def test_repeated_rows_constant_features_and_offsets_do_not_matter(optimizer):
    X, y = wide(20, 200)
    X, y = np.vstack([X, X[:5]]), np.append(y, y[:5])
    X[:, 7], X[:, 8] = 3, X[:, 8] + 1e6
    ours = LogisticRegression(0.1, optimizer=optimizer, tol=1e-8).fit(X, y)
    centred = X - [*np.zeros(7), 3, 1e6, *np.zeros(191)]
    theirs = linear_model.LogisticRegression(C=1 / (0.1 * 25), tol=1e-10, max_iter=10_000).fit(centred, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(centred), atol=1e-5)


def test_without_iterations_the_random_start_stays_to_the_last_digit():
    X, y = wide(20, 200)
    model = LogisticRegression(init="random", random_state=0, max_iter=0).fit(X, y)
    np.testing.assert_array_equal(np.append(model.coef_[0], model.intercept_), random_start(200, 1, 0)[:, 0])


def test_a_grid_of_more_features_than_rows_trains_as_each_combination_alone():
    X, y = wide(30, 500)
    grid = fit_grid(lambda fold: (X, y, None), 2, [1.0, 0.1], n_classes=2, optimizer="quasi_newton")
    for combination, l2 in enumerate([1.0, 0.1]):
        alone = LogisticRegression(l2, optimizer="quasi_newton").fit(X, y)
        np.testing.assert_allclose(grid.weights[1][combination, 0, :-1], alone.coef_[0], rtol=1e-9, atol=1e-12)


def test_features_in_single_precision_are_factorised_in_double_precision():
    X, y = wide(20, 200)
    single, double = (
        LogisticRegression(0.1, optimizer="newton", tol=1e-9).fit(X.astype(np.float32).astype(t), y)
        for t in (np.float32, np.float64)
    )
    np.testing.assert_allclose(single.coef_, double.coef_, rtol=1e-9, atol=1e-12)


def test_classes_that_a_plane_separates_are_reported_without_penalty():
    X, y = wide(20, 200)
    with pytest.warns(ConvergenceWarning, match="a plane separates"):
        model = LogisticRegression(0.0, optimizer="newton").fit(X, y)
    assert model.status_.tolist() == ["separated"]

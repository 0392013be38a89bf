"""Multinomial regression. scikit-learn's is the oracle, and numerical derivatives."""

from contextlib import nullcontext

import numpy as np
import pytest
from sklearn import datasets, linear_model
from sklearn.exceptions import ConvergenceWarning

from pipeline.logistic import LogisticRegression
from pipeline.logistic.fast_objective import FastObjective
from pipeline.logistic.fitting import fit_columns
from pipeline.logistic.grid import fit_grid
from pipeline.logistic.matrix import Block, Matrix
from pipeline.logistic.newton import Newton
from pipeline.logistic.penalty import Ridge
from pipeline.logistic.softmax import Softmax, cost, gradient, probabilities
from tests.logistic.reference import standardized

pytestmark = pytest.mark.slow


def table(name):
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    X = X / 16 if name == "digits" else standardized(X)
    return X, y


def example(n=200, K=4):
    rng = np.random.default_rng(0)
    X, codes = rng.normal(size=(n, 5)), rng.integers(0, K, n)
    return X, codes, np.eye(K)[codes], rng.normal(size=(6, K))


def test_the_gradient_of_the_formula_is_the_slope_of_its_cost():
    X, _, Y, W = example()
    penalty, h = Ridge(0.1), 1e-6
    slopes = np.empty_like(W)
    for place in np.ndindex(W.shape):
        step = np.zeros_like(W)
        step[place] = h
        slopes[place] = (cost(W + step, X, Y, penalty) - cost(W - step, X, Y, penalty)) / (2 * h)
    np.testing.assert_allclose(gradient(W, X, Y, penalty), slopes, atol=1e-8)


def test_cost_gradient_and_newton_step_are_those_of_the_formula():
    X, codes, Y, W = example()
    penalty = Ridge(np.full(4, 0.1))
    ours = FastObjective(X, codes, np.arange(4), penalty, loss=Softmax(4))
    np.testing.assert_allclose(ours.cost(W), cost(W, X, Y, penalty))
    np.testing.assert_allclose(ours.gradient(W), gradient(W, X, Y, penalty), atol=1e-14)
    h, size = 1e-5, W.size
    H = np.empty((size, size))
    for k, place in enumerate(np.ndindex(W.T.shape)):
        step = np.zeros_like(W)
        step.T[place] = h
        change = gradient(W + step, X, Y, penalty) - gradient(W - step, X, Y, penalty)
        H[:, k] = change.T.ravel() / (2 * h)
    step = Newton().find(ours, W, ours.gradient(W))
    np.testing.assert_allclose(H @ step.T.ravel(), ours.gradient(W).T.ravel(), atol=1e-7)


@pytest.mark.parametrize("name", ["iris", "wine"])
@pytest.mark.parametrize("optimizer", ["gradient_descent", "nesterov", "newton", "quasi_newton"])
def test_softmax_is_scikit_learns_multinomial_regression(name, optimizer):
    X, y = table(name)
    theirs = linear_model.LogisticRegression(C=1 / (0.01 * len(X)), solver="newton-cg", tol=1e-10).fit(X, y)
    ours = LogisticRegression(0.01, multiclass="softmax", optimizer=optimizer, tol=1e-9, max_iter=100_000).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), atol=1e-5)
    assert set(ours.status_) == {"converged"}
    assert len(set(ours.n_iter_)) == 1


def test_weights_of_rows_and_classes_are_scikit_learns():
    X, y = table("wine")
    weight = np.random.default_rng(0).uniform(0, 2, len(y))
    settings = {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}}
    total = np.sum(weight * np.array([1.0, 2.0, 0.5])[y])
    theirs = linear_model.LogisticRegression(C=1 / (0.01 * total), tol=1e-10, solver="newton-cg", **settings)
    ours = LogisticRegression(0.01, multiclass="softmax", optimizer="newton", tol=1e-9, **settings)
    np.testing.assert_allclose(ours.fit(X, y, weight).coef_, theirs.fit(X, y, weight).coef_, atol=1e-6)


def test_ten_classes_reach_the_same_optimum_with_a_sparse_penalty_too():
    X, y = table("digits")
    theirs = linear_model.LogisticRegression(C=1 / (0.01 * len(X)), solver="newton-cg", tol=1e-8).fit(X, y)
    ours = LogisticRegression(0.01, multiclass="softmax", optimizer="quasi_newton", tol=1e-8).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    X, y = table("iris")
    lasso = linear_model.LogisticRegression(
        C=1 / (0.02 * len(X)), l1_ratio=1.0, solver="saga", tol=1e-10, max_iter=100_000
    ).fit(X, y)
    sparse = LogisticRegression(0.02, multiclass="softmax", l1_ratio=1.0, optimizer="nesterov", tol=1e-8).fit(X, y)
    np.testing.assert_allclose(sparse.coef_, lasso.coef_, atol=1e-5)
    assert (sparse.coef_ == 0).any()


def test_two_classes_are_one_column_as_before():
    X, y = datasets.load_breast_cancer(return_X_y=True)
    one, other = (
        LogisticRegression(0.1, multiclass=kind, optimizer="newton").fit(standardized(X), y)
        for kind in ("one_vs_rest", "softmax")
    )
    np.testing.assert_array_equal(one.coef_, other.coef_)


def test_a_grid_trains_each_model_as_alone_and_codes_as_the_matrix_written_out():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, (4_000, 2)).astype(np.int32) + np.array([0, 3], dtype=np.int32)
    dense = rng.normal(size=(4_000, 30))
    matrix = Matrix([Block(dense, codes, 6)])
    X, y = matrix.toarray(), rng.integers(0, 3, 4_000)
    l2 = np.array([0.01, 0.1])
    grid = fit_grid(
        lambda _: (matrix, y, None), 1, l2, n_classes=3, multiclass="softmax", optimizer="quasi_newton", tol=1e-9
    )
    for k, strength in enumerate(l2):
        alone = LogisticRegression(strength, multiclass="softmax", optimizer="newton", tol=1e-9).fit(X, y)
        np.testing.assert_allclose(grid.weights[0][k, :, :-1], alone.coef_, atol=1e-6)
    P = probabilities(grid.margins(matrix, 0)[:, 0])
    np.testing.assert_allclose(P.sum(axis=1), 1)


def test_a_safe_learning_rate_is_below_one_over_the_largest_curvature():
    X, codes, _, _ = example()
    safe = FastObjective(X, codes, np.arange(4), Ridge(np.full(4, 0.1)), loss=Softmax(4)).safe_learning_rate()
    one = FastObjective(X, codes, np.arange(4), Ridge(np.full(4, 0.1))).safe_learning_rate()
    np.testing.assert_allclose(1 / safe[:-1] - 0.1, 2 * (1 / one[:-1] - 0.1))
    np.testing.assert_allclose(1 / safe[-1], 2 / one[-1])


def test_another_name_is_refused():
    with pytest.raises(
        ValueError, match="multiclass = 'multinomial' is not allowed: it must be 'one_vs_rest' or 'soft"
    ):
        LogisticRegression(multiclass="multinomial").fit([[0.0], [1.0]], [0, 1])


def test_the_mean_of_the_intercepts_stays_that_of_the_start():
    X, codes, _, W = example()
    ours = FastObjective(X, codes, np.arange(4), Ridge(np.full(4, 0.1)), loss=Softmax(4))
    step = Newton().find(ours, W, ours.gradient(W))
    assert abs(step[-1].mean()) < 1e-15
    fit = LogisticRegression(0.01, multiclass="softmax", optimizer="newton", tol=1e-9).fit(*table("wine"))
    np.testing.assert_allclose(fit.intercept_.sum(), 0, atol=1e-12)


@pytest.mark.parametrize(("name", "expected"), [("iris", {"separated"}), ("overlapping", {"converged"})])
def test_classes_that_a_plane_separates_are_reported_without_penalty(name, expected):
    X, y = table("iris") if name == "iris" else (example()[0], example()[1])
    fit = LogisticRegression(0, multiclass="softmax", optimizer="newton", max_iter=100)
    with pytest.warns(ConvergenceWarning) if name == "iris" else nullcontext():
        fit.fit(X, y)
    assert set(fit.status_) == expected


def test_a_sparse_penalty_of_strength_zero_is_none_and_is_checked_for_separation():
    X, y = table("iris")
    with pytest.warns(ConvergenceWarning, match="a plane separates the classes"):
        fit = LogisticRegression(0, l1_ratio=0.5, optimizer="newton", max_iter=100).fit(X, y == 0)
    assert fit.status_.tolist() == ["separated"]


def test_fits_of_thousands_of_features_that_stall_are_at_the_optimum():
    rng, n, K, n_models = np.random.default_rng(0), 2_100, 3, 2
    codes = np.column_stack([rng.integers(0, 1_001, n), rng.integers(1_001, 2_002, n)]).astype(np.int32)
    X, y = Matrix([Block(np.zeros((n, 0)), codes, 2_002)]), rng.integers(0, K, n)
    positive, models = np.tile(np.arange(K), n_models), np.repeat(np.arange(n_models), K)
    objective = FastObjective(X, y, positive, Ridge(np.full(K * n_models, 0.1)), loss=Softmax(K))
    found = fit_columns(objective, "quasi_newton", tol=0, models=models)
    assert set(found.status) == {"stalled"}
    slope = objective.gradient(found.weights)
    np.testing.assert_allclose(slope, 0, atol=1e-8)

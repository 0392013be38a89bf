import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from sklearn import datasets
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from pipeline.logistic import DivergenceError, LogisticRegression
from pipeline.logistic.fitting import random_start
from pipeline.logistic.grid import fit_grid
from pipeline.logistic.loss import probabilities
from tests.logistic.reference import breast_cancer, standardized


def combinations(l2, learning_rate):
    return np.repeat(l2, len(learning_rate)), np.tile(learning_rate, len(l2))


def without_fold(X, y, n_folds, weight=None, scale=True):
    """What `fit_grid` asks for: the rows outside a fold, scaled by their own mean and standard deviation."""

    def rows(fold):
        kept = np.arange(len(y)) % n_folds != fold
        return standardized(X[kept]) if scale else X[kept], y[kept], None if weight is None else weight[kept]

    return rows


def same_rows(X, y):
    return lambda fold: (X, y, None)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["breast_cancer", "wine"])
@pytest.mark.parametrize("optimizer", ["gradient_descent", "nesterov", "newton", "quasi_newton"])
def test_each_combination_equals_training_it_alone(name, optimizer):
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    l2, rates = combinations([0.001, 0.1, 1.0], [0.01, 0.3, 30.0])
    rows = without_fold(X, y, 3)
    together = fit_grid(rows, 3, l2, rates, n_classes=y.max() + 1, optimizer=optimizer, max_iter=400)
    assert together.finished.all()
    for k, fold in np.ndindex(len(l2), 3):
        alone = LogisticRegression(l2[k], rates[k], optimizer, 400)
        try:
            alone.fit(*rows(fold)[:2])
        except DivergenceError as error:
            assert error.iteration in together.n_iter[k, fold]
            assert (together.status[k, fold] == "diverged").any()
            continue
        expected = np.column_stack([alone.coef_, alone.intercept_])
        np.testing.assert_allclose(together.weights[fold][k], expected, rtol=1e-8, atol=1e-10)
        np.testing.assert_array_equal(together.status[k, fold], alone.status_)
        if optimizer in ("gradient_descent", "nesterov"):
            np.testing.assert_array_equal(together.n_iter[k, fold], alone.n_iter_)
            history = alone.cost_history_.reshape(-1, len(expected))
            np.testing.assert_allclose(together.curves[: len(history), k, fold], history, rtol=1e-9)


@pytest.mark.parametrize(("n", "max_iter"), [(300, 21), (90_000, 3)])
def test_quasi_newton_of_a_combination_does_not_depend_on_the_others(n, max_iter):
    """Compared before it converged (where all ways meet), beside penalties that are far from its own."""
    rng = np.random.default_rng(0)
    X = np.eye(8)[rng.integers(0, 8, (n, 2))].reshape(n, 16) * 6
    y = ((X @ rng.normal(size=16))[:, None] + 3 * rng.normal(size=(n, 3))).argmax(axis=1)
    options = {"n_classes": 3, "optimizer": "quasi_newton", "max_iter": max_iter, "tol": 1e-12}
    options["start"] = lambda n_features: random_start(n_features, 3, 0)
    together = fit_grid(same_rows(X, y), 1, [1e-6, 1e-3, 10.0], **options)
    alone = fit_grid(same_rows(X, y), 1, [1e-6], **options)
    assert (alone.gradient_norm > 1e-7).any()
    np.testing.assert_allclose(together.gradient_norm[0], alone.gradient_norm[0], rtol=1e-3, atol=1e-10)
    np.testing.assert_allclose(together.weights[0][0], alone.weights[0][0], rtol=1e-6)


def test_a_combination_that_diverges_harms_no_other():
    rows = same_rows(*breast_cancer())
    calm = fit_grid(rows, 1, [0.1, 0.1], [0.1, 0.2], n_classes=2)
    mixed = fit_grid(rows, 1, [0.1, 0.1, 1.0], [0.1, 0.2, 1000.0], n_classes=2)
    np.testing.assert_allclose(mixed.weights[0][:2], calm.weights[0], rtol=1e-12)
    assert mixed.status.ravel().tolist() == ["converged", "converged", "diverged"]
    assert mixed.finished.all()


def test_a_rate_that_is_not_a_number_is_the_safe_one_of_each_fold():
    X, y = datasets.load_wine(return_X_y=True)
    rows = without_fold(X, y, 2)
    options = {"n_classes": 3, "max_iter": 50, "tol": 1e-12}
    grid = fit_grid(rows, 2, [0.1, 0.1], [np.nan, 0.05], **options)
    safe = fit_grid(rows, 2, [0.1], **options)
    for fold in range(2):
        np.testing.assert_allclose(grid.weights[fold][0], safe.weights[fold][0], rtol=1e-10)
        auto = LogisticRegression(0.1, max_iter=50, tol=1e-12)
        with pytest.warns(match="ran out"):
            auto.fit(*rows(fold)[:2])
        np.testing.assert_allclose(grid.weights[fold][0, :, :-1], auto.coef_, rtol=1e-10)
    fixed = fit_grid(rows, 2, [0.1], [0.05], **options)
    np.testing.assert_allclose(grid.weights[1][1], fixed.weights[1][0], rtol=1e-10)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["breast_cancer", "wine"])
def test_combinations_start_from_the_random_weights_of_the_estimator(name):
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    n_classes, rows = y.max() + 1, without_fold(X, y, 2)
    n_columns = 1 if n_classes == 2 else n_classes
    grid = fit_grid(rows, 2, [0.1, 0.2], n_classes=n_classes, max_iter=7, start=lambda n: random_start(n, n_columns, 5))
    for k, fold in np.ndindex(2, 2):
        alone = LogisticRegression([0.1, 0.2][k], max_iter=7, init="random", random_state=5).fit(*rows(fold)[:2])
        np.testing.assert_allclose(grid.weights[fold][k, :, :-1], alone.coef_, rtol=1e-10)
        np.testing.assert_allclose(grid.curves[:8, k, fold, 0], alone.cost_history_.reshape(8, -1)[:, 0], rtol=1e-12)


def test_folds_may_differ_in_features_weights_and_penalties():
    X, y = breast_cancer()
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    folds = [(X, y, weight), (np.ascontiguousarray(X[:, :7]), y, None)]
    l2 = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    grid = fit_grid(folds.__getitem__, 2, l2, n_classes=2, optimizer="newton")
    for k, fold in np.ndindex(3, 2):
        alone = LogisticRegression(l2[k, fold], optimizer="newton").fit(*folds[fold])
        np.testing.assert_allclose(grid.weights[fold][k, :, :-1], alone.coef_, rtol=1e-9)
        X_fold = folds[fold][0]
        np.testing.assert_allclose(grid.margins(X_fold, fold)[:, k, 0], alone.decision_function(X_fold), rtol=1e-7)


@pytest.mark.parametrize("name", ["breast_cancer", "wine"])
def test_the_memory_limit_changes_the_groups_and_not_the_answers(name):
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    l2, rates = combinations(np.logspace(-3, 0, 4), [0.1, 0.2])
    options = {"n_classes": y.max() + 1, "max_iter": 300}
    wide = fit_grid(without_fold(X, y, 2), 2, l2, rates, **options)
    seen = []
    narrow = fit_grid(
        without_fold(X, y, 2), 2, l2, rates, memory=20_000, callback=lambda *done: seen.append(done[1:]), **options
    )
    np.testing.assert_allclose(narrow.weights[1], wide.weights[1], rtol=1e-10, atol=1e-14)
    assert sorted((k, fold) for fold, group in seen for k in group) == list(np.ndindex(8, 2))
    assert len(seen) >= 8


def test_large_data_is_trained_as_small_data_is():
    X, y = datasets.make_classification(12_000, 10, random_state=0)
    rows = without_fold(X, y, 2)
    grid = fit_grid(rows, 2, [0.01, 0.1], n_classes=2, optimizer="quasi_newton", tol=1e-8)
    alone = LogisticRegression(0.1, optimizer="newton", tol=1e-10).fit(*rows(1)[:2])
    np.testing.assert_allclose(grid.weights[1][1, 0, :-1], alone.coef_[0], rtol=1e-5)


def test_held_out_log_loss_matches_the_published_cross_validation():
    X, y = breast_cancer()
    folds = np.arange(len(y)) % 5
    C = np.logspace(-4, 4, 10)
    l2 = 1 / np.outer(C, len(y) - np.bincount(folds))
    grid = fit_grid(without_fold(X, y, 5, scale=False), 5, l2, n_classes=2, optimizer="newton", tol=1e-9)
    scores = [
        [log_loss(y[folds == fold], probabilities(z)) for z in grid.margins(X[folds == fold], fold)[:, :, 0].T]
        for fold in range(5)
    ]
    mean = np.mean(scores, axis=0)
    assert mean.argmin() == 4
    assert mean[4] == pytest.approx(0.077794242, abs=1e-8)


def test_margins_of_several_classes_are_those_of_the_estimator():
    X, y = datasets.load_wine(return_X_y=True)
    rows = without_fold(X, y, 2)
    grid = fit_grid(rows, 2, [0.1, 0.5], n_classes=3, optimizer="newton")
    scaled = StandardScaler().fit(X[np.arange(len(y)) % 2 != 1]).transform(X)
    alone = LogisticRegression(0.1, optimizer="newton").fit(*rows(1)[:2])
    np.testing.assert_allclose(grid.margins(scaled, 1)[:, 0], alone.decision_function(scaled), rtol=1e-8, atol=1e-10)


def test_long_curves_are_thinned_to_log_spaced_points():
    rows = same_rows(*breast_cancer())
    thinned = fit_grid(rows, 1, [1e-5], [0.1], n_classes=2, max_iter=3000)
    assert thinned.iterations[0] == 0
    assert thinned.iterations[-1] == 3000
    assert len(thinned.iterations) <= 1001
    full = fit_grid(rows, 1, [1e-5], [0.1], n_classes=2, max_iter=600)
    shared = thinned.iterations[thinned.iterations <= 600]
    np.testing.assert_allclose(thinned.curves[: len(shared), 0, 0, 0], full.curves[shared, 0, 0, 0], rtol=1e-12)
    assert thinned.curves[-1, 0, 0, 0] == thinned.cost[0, 0, 0]


@pytest.mark.parametrize("n_threads", ["1", "2"])
def test_ctrl_c_keeps_the_combinations_that_all_folds_have_finished(n_threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", n_threads)
    seen, first_done, received = [], threading.Event(), threading.Event()

    def receive(*_):
        received.set()
        raise KeyboardInterrupt

    def press(_, fold, group):
        seen.append((*group, fold))
        place = seen.index((*group, fold)) + 1
        if sum(combination == 0 for combination, _ in seen) == 5:
            first_done.set()
        if place >= 7:
            assert first_done.wait(60)  # the other threads may be slower than this one
        if place == 7:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        if place > 7:
            assert received.wait(60)

    earlier = signal.signal(signal.SIGINT, receive)

    options = {"n_classes": 2, "max_iter": 3000, "tol": 0, "memory": 1}
    try:
        grid = fit_grid(without_fold(*breast_cancer(), 5), 5, [0.1, 0.2, 0.3], [0.1] * 3, callback=press, **options)
    finally:
        signal.signal(signal.SIGINT, earlier)
    assert grid.interrupted
    assert grid.finished.tolist() == [True, False, False]
    assert (grid.status[0] == "ran out").all()
    assert (grid.status[2] == "unfinished").all()
    assert np.isnan(grid.cost[2]).all()


def test_an_interrupt_before_the_end_of_the_first_fold_finishes_nothing():
    def interrupt(fold):
        if fold == 1:
            raise KeyboardInterrupt
        return *breast_cancer(), None

    grid = fit_grid(interrupt, 2, [0.1], n_classes=2, max_iter=5)
    assert grid.interrupted
    assert not grid.finished.any()


def test_the_engine_does_without_scikit_learn():
    check = "import sys, pipeline.logistic.grid, pipeline.logistic.inference; assert 'sklearn' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0

import subprocess
import sys

import numpy as np
import pytest
from sklearn import datasets
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from pipeline.logistic import DivergenceError, LogisticRegression
from pipeline.logistic.many import fit_members
from pipeline.logistic.objective import probabilities
from tests.logistic.reference import breast_cancer


def grid(l2, learning_rate):
    return np.repeat(l2, len(learning_rate)), np.tile(learning_rate, len(l2))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["breast_cancer", "wine"])
@pytest.mark.parametrize("optimizer", ["gradient_descent", "nesterov"])
def test_each_member_equals_training_it_alone(name, optimizer):
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    l2, rates = grid([0.001, 0.1, 1.0], [0.01, 0.3, 30.0])
    folds = np.arange(len(y)) % 3
    together = fit_members(X, y, l2, rates, folds, optimizer=optimizer, max_iter=400)
    for member, fold in np.ndindex(len(l2), 3):
        scaled = StandardScaler().fit_transform(X[folds != fold])
        alone = LogisticRegression(l2[member], rates[member], optimizer, 400)
        try:
            alone.fit(scaled, y[folds != fold])
        except DivergenceError as error:
            assert error.iteration in together.n_iter[member, fold]
            assert (together.status[member, fold] == "diverged").any()
            continue
        ours = together.weights[member, fold]
        for k in range(len(ours)):
            expected = np.append(alone.coef_[k], alone.intercept_[k])
            assert np.linalg.norm(ours[k] - expected) <= 1e-10 * np.linalg.norm(expected)
        np.testing.assert_array_equal(together.n_iter[member, fold], alone.n_iter_)
        history = alone.cost_history_.reshape(-1, len(ours))
        np.testing.assert_allclose(together.curves[: len(history), member, fold], history, rtol=1e-9)


def test_a_member_that_diverges_harms_no_other():
    X, y = breast_cancer()
    calm = fit_members(X, y, [0.1, 0.1], [0.1, 0.2])
    mixed = fit_members(X, y, [0.1, 0.1, 1.0], [0.1, 0.2, 1000.0])
    np.testing.assert_allclose(mixed.weights[:2], calm.weights, rtol=1e-12)
    assert mixed.status.ravel().tolist() == ["converged", "converged", "diverged"]


def test_memory_bound_changes_the_groups_and_not_the_answers():
    X, y = breast_cancer()
    l2, rates = grid(np.logspace(-3, 0, 4), [0.1, 0.2])
    wide = fit_members(X, y, l2, rates, max_iter=300)
    narrow = fit_members(X, y, l2, rates, max_iter=300, memory=20_000)
    np.testing.assert_allclose(narrow.weights, wide.weights, rtol=1e-10, atol=1e-14)


def test_large_data_is_trained_as_small_data_is():
    X, y = datasets.make_classification(12_000, 10, random_state=0)
    folds = np.arange(len(y)) % 2
    members = fit_members(X, y, [0.01, 0.1], None, folds, optimizer="quasi_newton", tol=1e-8)
    scaled = StandardScaler().fit_transform(X[folds != 1])
    alone = LogisticRegression(0.1, optimizer="newton", tol=1e-10).fit(scaled, y[folds != 1])
    np.testing.assert_allclose(members.weights[1, 1, 0, :-1], alone.coef_[0], rtol=1e-5)


def test_held_out_log_loss_matches_the_published_cross_validation():
    X, y = breast_cancer()
    folds = np.arange(len(y)) % 5
    C = np.logspace(-4, 4, 10)
    l2 = 1 / np.outer(C, len(y) - np.bincount(folds))
    members = fit_members(X, y, l2, None, folds, standardize=False, optimizer="newton", tol=1e-9)
    scores = [
        [log_loss(y[folds == fold], probabilities(z)) for z in members.margins(X[folds == fold], fold)[:, :, 0].T]
        for fold in range(5)
    ]
    mean = np.mean(scores, axis=0)
    assert mean.argmin() == 4
    assert mean[4] == pytest.approx(0.077794242, abs=1e-8)


def test_margins_are_in_the_users_units():
    X, y = datasets.load_wine(return_X_y=True)
    folds = np.arange(len(y)) % 2
    members = fit_members(X, y, [0.1], None, folds, optimizer="newton")
    scaler = StandardScaler().fit(X[folds != 1])
    alone = LogisticRegression(0.1, optimizer="newton").fit(scaler.transform(X[folds != 1]), y[folds != 1])
    np.testing.assert_allclose(
        members.margins(X, 1)[:, 0], alone.decision_function(scaler.transform(X)), rtol=1e-8, atol=1e-10
    )


def test_long_curves_are_thinned_to_log_spaced_points():
    X, y = breast_cancer()
    members = fit_members(X, y, [1e-5], [0.1], max_iter=3000)
    assert members.iterations[0] == 0
    assert members.iterations[-1] == 3000
    assert len(members.iterations) <= 1001
    full = fit_members(X, y, [1e-5], [0.1], max_iter=600)
    shared = members.iterations[members.iterations <= 600]
    np.testing.assert_allclose(members.curves[: len(shared), 0, 0, 0], full.curves[shared, 0, 0, 0], rtol=1e-12)
    assert members.curves[-1, 0, 0, 0] == members.cost[0, 0, 0]


def test_an_interrupt_keeps_what_was_finished(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    X, y = breast_cancer()

    def interrupt(finished, total):
        assert total == 15
        if finished >= 6:
            raise KeyboardInterrupt

    members = fit_members(X, y, [0.1, 0.2, 0.3], [0.1] * 3, np.arange(len(y)) % 5, max_iter=50, callback=interrupt)
    assert members.interrupted
    assert (members.status[:, :2] == "ran out").all()
    assert (members.status[:, 2:] == "unfinished").all()
    assert np.isnan(members.cost[:, 2:]).all()


def test_the_engine_does_without_scikit_learn():
    check = "import sys, pipeline.logistic.many, pipeline.logistic.inference; assert 'sklearn' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0

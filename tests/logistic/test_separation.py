"""Whether the maximum of the likelihood exists. The oracle is how the data was made."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from pipeline.logistic import LogisticRegression
from pipeline.logistic.separation import separating_features


def found(X, y, sample_weight=None, fit_intercept=True, optimizer="newton"):
    """The features, by the weights of a fit without penalty; and whether the fit has the status."""
    model = LogisticRegression(0.0, optimizer=optimizer, fit_intercept=fit_intercept).fit(X, y, sample_weight)
    W = np.append(model.coef_[0], model.intercept_)
    features = separating_features(X, np.asarray(y, bool), W, sample_weight, fit_intercept).tolist()
    assert (model.status_[0] == "separated") == bool(features)
    return features


def numbers(n=300, d=4):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    return X, (X[:, 0] + rng.logistic(size=n) > 0).astype(int), rng


pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize(
    ("n", "optimizer"), [(300, "gradient_descent"), (300, "newton"), (300, "quasi_newton"), (30_000, "quasi_newton")]
)
def test_an_indicator_with_one_class_only_separates_until_one_row_has_the_other(n, optimizer):
    X, y, rng = numbers(n)
    X[:, 2] = rng.random(n) < 0.1
    y[X[:, 2] == 1] = 1
    assert found(X, y, optimizer=optimizer) == [2]
    y[np.flatnonzero(X[:, 2])[-1]] = 0
    assert found(X, y, optimizer=optimizer) == []


@pytest.mark.parametrize("shift", [0, 0.5])
def test_a_threshold_separates_with_ties_but_not_with_an_overlap(shift):
    X, y, _ = numbers()
    X[:, 1] = np.where(y, 1, 0) + (np.arange(300) % 2) * shift
    assert found(X, y) == [1]
    X[0, 1] = 2 - 3 * y[0]
    assert found(X, y) == []


def test_two_features_that_separate_together_are_found_without_the_others():
    X, y, rng = numbers(3_000)
    X[:, 1:3] = rng.integers(0, 3, (3_000, 2))
    total = X[:, 1] + X[:, 2]
    y = np.where(total > 2, 1, np.where(total < 2, 0, y))
    assert found(X, y) == [1, 2]
    y[np.flatnonzero(total == 4)[0]] = 0
    assert found(X, y) == []


def test_a_plane_with_every_row_on_its_side_separates():
    X, _, _ = numbers(2_000)
    y = (X.sum(axis=1) > 0).astype(int)
    assert found(X, y) == [0, 1, 2, 3]
    y[np.abs(X.sum(axis=1)).argmin()] ^= 1
    y[np.abs(X.sum(axis=1)).argmax()] ^= 1
    assert found(X, y) == []


def test_strong_features_and_large_margins_do_not_separate():
    X, _, rng = numbers(20_000)
    y = (20 * X.sum(axis=1) + rng.logistic(size=len(X)) > 0).astype(int)
    assert found(X, y) == []


def test_without_intercept_only_planes_through_zero_count():
    X, y, _ = numbers()
    X[:, 3] = 1 + y
    assert found(X, y) == [3]
    assert found(X, y, fit_intercept=False) == []
    X[:, 3] = (2 * y - 1) * (np.arange(300) % 3 == 0)
    assert found(X, y, fit_intercept=False) == [3]


def test_rows_of_weight_zero_do_not_count():
    X, y, _ = numbers()
    X[:, 1] = y
    X[0, 1] = 1 - y[0]
    X[1, 1] = 1 - y[np.flatnonzero(y != y[0])[0]]
    y[1] = 1 - y[0]
    assert found(X, y, np.ones(300)) == []
    assert found(X, y, np.append([0.0, 0.0], np.ones(298))) == [1]


def test_fewer_rows_than_weights_always_separate_unless_they_repeat():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 80)), np.arange(60) % 2
    assert len(found(X, y)) > 0
    assert found(np.vstack([X, X]), np.append(y, 1 - y)) == []


def test_each_class_against_the_rest_is_judged_by_itself():
    X, _, rng = numbers()
    y = rng.integers(0, 3, 300)
    X[:, 1] = np.where(y == 2, rng.random(300), -1)
    with pytest.warns(ConvergenceWarning, match="a part of one class from all other rows"):
        model = LogisticRegression(0.0, optimizer="newton").fit(X, y)
    assert model.status_[2] == "separated"
    X[:, 1] = np.where(y == 2, 1, rng.integers(0, 2, 300))  # 0 only for the other two
    X[:, 2] = np.where(y == 0, rng.integers(0, 2, 300), 0)  # 1 only for class 0
    assert LogisticRegression(0.0, optimizer="newton").fit(X, y).status_.tolist() == ["separated"] * 3
    X[:, 1:3] = rng.integers(0, 2, (300, 2))
    assert LogisticRegression(0.0, optimizer="newton").fit(X, y).status_.tolist() == ["converged"] * 3

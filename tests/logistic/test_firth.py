"""The endometrial data of Heinze and Schemper (2002): every woman with NV = 1 is of class 1."""

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from pipeline.logistic.firth import firth, profile

DATA = np.loadtxt(Path(__file__).parent.parent / "data/endometrial.csv", delimiter=",", skiprows=1)
X, Y = DATA[:, :3], DATA[:, 3]
# R's logistf 1.24 for HG ~ NV + PI + EH: estimates and intervals of the profile likelihood, the intercept last.
ESTIMATES = [2.92927330, -0.03475175, -2.60416387, 3.77455951]
INTERVALS = [[0.6097244, 7.85463171], [-0.1244587, 0.04045547], [-4.3651832, -1.23272106], [1.0825371, 7.20928050]]


def test_estimates_of_separated_data_are_those_of_logistf():
    found = firth(X, Y)
    assert found.converged
    np.testing.assert_allclose(found.weights, ESTIMATES, rtol=1e-5)


def test_profile_intervals_are_those_of_logistf():
    found = profile(X, Y)
    np.testing.assert_allclose(np.column_stack([found.lower, found.upper]), INTERVALS, rtol=1e-5)
    # A value of 0 is in an interval where p is above 0.05, and only there.
    assert ((found.lower < 0) & (found.upper > 0)).tolist() == (found.p_value > 0.05).tolist()


def test_the_maximum_is_that_of_the_formula():
    A = np.column_stack([X, np.ones(len(X))])

    def minus(w):
        z = A @ w
        p = 1 / (1 + np.exp(-z))
        information = A.T @ (A * (p * (1 - p))[:, None])
        return np.sum(np.log1p(np.exp(z)) - Y * z) - np.linalg.slogdet(information)[1] / 2

    found = minimize(minus, np.zeros(4), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 9999})
    np.testing.assert_allclose(firth(X, Y).weights, found.x, rtol=1e-4)


def test_with_one_binary_feature_each_cell_of_the_table_gets_half_a_row():
    """The solution in closed form: Heinze and Schemper, section 2."""
    x = np.repeat([0.0, 0.0, 1.0, 1.0], [7, 3, 0, 5])[:, None]
    y = np.repeat([0, 1, 0, 1], [7, 3, 0, 5])
    expected = np.log(5.5 / 0.5) - np.log(3.5 / 7.5)
    np.testing.assert_allclose(firth(x, y).weights, [expected, np.log(3.5 / 7.5)], rtol=1e-6)


def test_features_that_follow_from_others_are_refused():
    with pytest.raises(ValueError, match="follows from others"):
        firth(np.column_stack([X, X[:, 0] + X[:, 1]]), Y)

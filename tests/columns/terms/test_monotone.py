"""Monotone terms. The oracles: the bounded minimum of the cost that SciPy finds, and how the data was made."""

import numpy as np
import pandas as pd
import pytest
from conftest import train_params
from scipy.optimize import minimize

from pipeline.errors import UserError
from pipeline.logistic import LogisticRegression
from pipeline.reading import CellFormat
from pipeline.training import fit, selection

NEWTON = {"optimizer": "newton", "learning_rate": "auto"}


def table(n=800, seed=0):
    """The log-odds rise along x but for a dip, and along noise there is nothing."""
    rng = np.random.default_rng(seed)
    x, noise = rng.uniform(-3, 3, n), rng.normal(size=n)
    log_odds = x + 1.5 * np.sin(2.5 * x)
    y = np.where(log_odds + rng.logistic(size=n) > 0, "yes", "no")
    city = rng.choice(["Bern", "Wien"], n)
    return pd.DataFrame({"x": x, "noise": noise, "city": city, "y": y}).astype({"city": "str", "y": "str"})


def margins_along_x(rows, **settings):
    params = train_params(**{"lambda": 1e-3, **NEWTON, **settings})
    grid = pd.DataFrame({"x": np.linspace(-4, 4, 400), "noise": 0.0, "city": "Bern"}).astype({"city": "str"})
    return fit.train(rows, params, CellFormat()).model.margins(grid)


@pytest.mark.parametrize("optimizer", ["newton", "quasi_newton", "nesterov"])
def test_weights_of_a_sign_are_at_the_bounded_minimum(optimizer):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 4))
    y = (X @ [1, -1, -0.5, 0.2] + rng.logistic(size=200) > 0).astype(int)
    signs = np.array([1, 1, -1, 0])
    model = LogisticRegression(l2=0.01, optimizer=optimizer, signs=signs, tol=1e-8, init="random", random_state=0)
    model.fit(X, y)

    def cost(v):
        z = X @ v[:-1] + v[-1]
        return np.mean(np.logaddexp(0, z) - y * z) + 0.005 * v[:-1] @ v[:-1]

    bounds = [(0, None), (0, None), (None, 0), (None, None), (None, None)]
    best = minimize(cost, np.zeros(5), bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-10}).x
    np.testing.assert_allclose([*model.coef_[0], *model.intercept_], best, atol=1e-5)
    assert model.coef_[0, 1] == 0


@pytest.mark.parametrize("features", ["linear", "curves", "steps"])
def test_a_monotone_curve_never_falls_and_a_free_one_does(features):
    rows = table()
    rising = margins_along_x(rows, features=features, monotone={"x": "increasing"})
    assert (np.diff(rising) >= -1e-9).all()
    assert rising[-1] - rising[0] > 3
    if features != "linear":
        assert (np.diff(margins_along_x(rows, features=features)) < 0).any()


def test_the_way_is_that_of_the_positive_class():
    falling = margins_along_x(table(), features="curves", monotone={"x": "decreasing"})
    assert np.ptp(falling) == pytest.approx(0, abs=1e-6)  # what rises in the data can't fall
    other = margins_along_x(table(), features="curves", monotone={"x": "decreasing"}, positive="no")
    assert np.ptp(other) > 3


def test_lambda_and_pairs_are_chosen_for_the_monotone_model_which_has_no_pair_of_that_column():
    asked = train_params(
        **{"lambda": "auto"}, features="auto", interactions="auto", monotone={"x": "increasing"}, **NEWTON
    )
    rows = table(400).assign(noise=lambda rows: rows["noise"].round(1))
    settled, candidates = selection.resolved(rows, asked)
    assert settled.features in ("curves", "steps")
    assert not any("x" in pair for pair in settled.pairs)
    assert np.isfinite(candidates["log_loss"]).all()


@pytest.mark.parametrize(
    ("monotone", "message"),
    [
        ({"city": "increasing"}, r"'city', which is no number.*'x', 'noise'.*train\.monotone"),
        ({"age": "increasing"}, r"'age', which is no column.*'x', 'noise'"),
    ],
)
def test_a_monotone_column_that_is_no_number_is_one_message(monotone, message):
    with pytest.raises(UserError, match=message):
        fit.train(table(50), train_params(monotone=monotone), CellFormat())


def test_three_classes_and_pairs_of_a_monotone_column_are_one_message():
    rows = table(60)
    rows.loc[:20, "y"] = "maybe"
    with pytest.raises(UserError, match=r"there are 3.*train\.monotone"):
        fit.train(rows, train_params(monotone={"x": "increasing"}), CellFormat())
    with pytest.raises(ValueError, match=r"pairs 'x' with another column"):
        train_params(monotone={"x": "increasing"}, interactions=[["x", "noise"]])

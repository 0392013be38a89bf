"""Curves. The oracles are the penalised likelihood as it is written down, and how the data was made."""

import numpy as np
import pandas as pd
import pytest
from conftest import train_params
from scipy.optimize import minimize
from sklearn.preprocessing import SplineTransformer

from pipeline.columns.terms import Design, Settings, prepare
from pipeline.columns.terms.curve import KNOTS, Curve, bends, between
from pipeline.logistic import LogisticRegression
from pipeline.logistic.loss import log_loss
from pipeline.reading import CellFormat
from pipeline.training import fit

POINTS = np.linspace(-2, 2, 60) ** 3
COUNTS = np.random.default_rng(0).integers(1, 30, 60)


def u_shaped(n=2_000):
    rng = np.random.default_rng(1)
    x = rng.normal(size=n)
    return pd.DataFrame({"x": x}), (x**2 - 1 + rng.logistic(size=n) > 0).astype(int)


def fitted(X, y, smoothness, l2=0.01):
    *_, Z = prepare(X, Settings(smoothness=smoothness))
    model = LogisticRegression(l2, optimizer="newton", tol=1e-9).fit(Z, y)
    return model.decision_function(Z)


def test_bends_have_nothing_in_common_with_a_straight_line_and_the_smoothest_come_first():
    Phi = bends(POINTS, COUNTS, 10.0)
    share = COUNTS / COUNTS.sum()
    np.testing.assert_allclose(share @ Phi, 0, atol=1e-9)
    np.testing.assert_allclose((share * POINTS) @ Phi, 0, atol=1e-9)
    products = (Phi.T * share) @ Phi
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-9)
    assert (np.diff(np.diag(products)) <= 1e-12).all()


@pytest.mark.parametrize(("smoothness", "l2"), [(1.0, 0.01), (50.0, 0.001)])
def test_the_fit_minimises_the_penalised_likelihood_of_a_spline(smoothness, l2):
    """Over the coefficients of the B-spline themselves, by another optimiser."""
    x = np.random.default_rng(2).choice(POINTS, 400)
    y = (np.sin(x) + np.random.default_rng(3).logistic(size=400) > 0).astype(int)
    margins = fitted(pd.DataFrame({"x": x}), y, smoothness, l2)
    z = (x - x.mean()) / x.std()
    points, counts = np.unique(z, return_counts=True)
    share = counts / len(z)
    quantiles = np.append(0, np.cumsum(np.sqrt(counts)) / np.sqrt(counts).sum())
    at = np.interp(np.linspace(0, 1, KNOTS), quantiles, np.append(points[0], points))
    knots = np.unique(np.concatenate([points[:1], at, points[-1:]]))
    S = SplineTransformer(degree=3, knots=knots[:, None]).fit_transform(points[:, None])
    D = np.diff(np.eye(S.shape[1]), 2, axis=0)
    line = np.column_stack([np.ones(len(points)), points])
    bent = S - line @ np.linalg.solve((line.T * share) @ line, (line.T * share) @ S)
    G, R = (bent.T * share) @ bent, D.T @ D
    variance, directions = np.linalg.eigh(G)
    whitened = directions[:, variance > 1e-6 * variance[-1]] / np.sqrt(variance[variance > 1e-6 * variance[-1]])
    rough, rotation = np.linalg.eigh(whitened.T @ R @ whitened)
    unit = rough[rough > 1e-6 * rough.max()].min()
    basis = whitened @ rotation  # of coefficients: the smallest roughness counts as 1
    row = np.searchsorted(points, z)

    def cost(w):
        g = bent @ basis @ w[2:]
        penalty = w[1] ** 2 + share @ g**2 + smoothness * np.sum(np.maximum(rough / unit, 1) * w[2:] ** 2)
        return log_loss(w[0] + w[1] * z + g[row], y).mean() + l2 / 2 * penalty

    found = minimize(cost, np.zeros(2 + basis.shape[1]), method="BFGS", options={"gtol": 1e-7}).x
    np.testing.assert_allclose(margins, found[0] + found[1] * z + (bent @ basis @ found[2:])[row], atol=1e-3)


def test_the_straight_line_is_the_limit_of_much_smoothness():
    X, y = u_shaped()
    lines, straight, curved = (fitted(X, y, smoothness) for smoothness in (None, 1e9, 1.0))
    np.testing.assert_allclose(straight, lines, atol=1e-3)
    assert log_loss(curved, y).mean() < log_loss(lines, y).mean() - 0.05


def test_a_curve_finds_the_shape_that_the_data_was_made_with():
    X, y = u_shaped(20_000)
    margins = fitted(X, y, 10.0, 1e-4)
    middle = X["x"].abs() < 1.5
    assert np.abs(margins - (X["x"] ** 2 - 1))[middle].max() < 0.25


def test_missing_numbers_and_numbers_outside_the_training_rows_follow_the_line():
    X, _ = u_shaped(500)
    X.loc[::10, "x"] = np.nan
    design, features, _ = prepare(X, Settings(smoothness=10.0))
    rows = design.block(pd.DataFrame({"x": [np.nan, X["x"].max(), X["x"].max() + 1, X["x"].max() + 2]})).features(
        features.T
    )
    (bent,) = (positions for term, positions in features.spans if isinstance(term, Curve))
    np.testing.assert_array_equal(rows[0, bent], 0)
    np.testing.assert_array_equal(rows[1, bent], rows[2, bent])
    np.testing.assert_allclose(rows[3, 0] - rows[2, 0], rows[2, 0] - rows[1, 0])


@pytest.mark.parametrize("values", [[0.0, 1.0], [1.0, 2.0, 3.0], [0.0] * 99 + [1.0, 2.0, 3.0, 4.0]])
def test_numbers_of_few_values_are_no_failure(values):
    X = pd.DataFrame({"x": np.resize(values, 206), "z": np.arange(206.0)})
    features = prepare(X, Settings(smoothness=10.0))[1]
    assert np.isfinite(features.T.data).all()
    assert "z" in [term.name for term, _ in features.spans if isinstance(term, Curve)]


@pytest.mark.parametrize(
    "values", [[34.0, 35.0], [1 / 3, 0.5], [0.1, np.nextafter(0.1, 1)], [-1e300, 1e300], [0.0, 5e-324]]
)
def test_an_edge_lies_between_two_numbers_of_the_column(values):
    low, high = np.array(values[:1]), np.array(values[1:])
    (edge,) = between(low, high)
    assert low[0] < edge <= high[0]


def test_the_bins_of_many_numbers_have_about_as_many_rows_each():
    x = np.random.default_rng(0).normal(size=20_000).round(4)
    (curve,) = (
        term for term in prepare(pd.DataFrame({"x": x}), Settings(smoothness=10.0))[0].terms if isinstance(term, Curve)
    )
    counts = np.histogram(x, np.concatenate([[-np.inf], curve.edges, [np.inf]]))[0]
    assert len(curve.points) == 256
    assert counts.min() > 60
    assert counts.max() < 110
    assert not np.isin(curve.edges, x).any()


def test_a_number_that_many_rows_have_may_jump_and_its_neighbours_do_not():
    rng, n = np.random.default_rng(0), 4_000
    gain = np.where(rng.random(n) < 0.3, 0.0, rng.normal(size=n).round(3))
    y = np.where(np.where(gain == 0, 2.0, -1.0) + rng.logistic(size=n) > 0, "yes", "no")
    rows = pd.DataFrame({"gain": gain, "y": y}).astype({"y": "str"})
    params = train_params(**{"lambda": 1e-4}, features="curves", optimizer="quasi_newton", learning_rate="auto")
    trained = fit.train(rows, params, CellFormat())
    at = trained.model.margins(pd.DataFrame({"gain": [0.0, -0.01, 0.01, 1.0]}))
    np.testing.assert_allclose(at, [2, -1, -1, -1], atol=0.3)
    assert "gain = 0" in trained.features.names


def test_bins_without_rows_at_the_end_make_no_group_more_than_asked_for() -> None:
    numbers = pd.DataFrame({"x": np.arange(9.0)})
    (curve,) = (term for term in Design.fit(numbers, Settings(bins=True)).terms if isinstance(term, Curve))
    groups = curve.groups(np.array([5, 5, 5, 5, 5, 5, 5, 5, 0, 3]), 8)
    assert groups.max() == 7
    assert groups[-1] == 7
    assert groups[8] == groups[7]

"""How smooth each term is. Oracles: the likelihood itself, maximised by scipy, and how the data was made."""

import numpy as np
import pandas as pd
import pytest
from conftest import train_params
from scipy.optimize import minimize, minimize_scalar

from pipeline.columns.target import features_and_target
from pipeline.columns.terms import prepare
from pipeline.errors import UserError
from pipeline.reading import CellFormat
from pipeline.training import fit, selection, smoothness

GIVEN = train_params(
    **{"lambda": 0.01}, features="curves", smoothness="auto", optimizer="quasi_newton", learning_rate="auto"
)


def table(n, seed=0, height=2):
    """Three waves of the log-odds along `wave`, a line along `line`, nothing along `noise`."""
    rng = np.random.default_rng(seed)
    wave, line, noise = rng.uniform(-1, 1, (3, n))
    z = height * np.sin(9 * wave) + 1.5 * line
    frame = pd.DataFrame({"wave": wave, "line": line, "noise": noise})
    return frame.assign(y=np.where(z + rng.logistic(size=n) > 0, "yes", "no")).astype({"y": "str"})


def log_loss_of(params, rows):
    model = fit.train(table(1_500), params, CellFormat()).model
    X, y = features_and_target(rows)
    return -np.log(model.probabilities(X)[np.arange(len(y)), (y == "yes").astype(int)]).mean()


def test_waves_get_a_weak_penalty_and_noise_keeps_its_own_and_other_rows_are_predicted_better():
    settled, _ = selection.resolved(table(1_500), GIVEN)
    assert settled.multiples["wave"] < 0.5 < 0.9 < settled.multiples["noise"]
    others, one = table(5_000, seed=1), GIVEN.model_copy(update={"smoothness": 10.0})
    assert log_loss_of(settled, others) < log_loss_of(one, others) - 0.005


def test_the_multiple_maximises_the_likelihood(monkeypatch):
    monkeypatch.setattr(smoothness, "PRIOR", 1e-6)
    monkeypatch.setattr(smoothness, "OPTIMA", 10)
    X, y = features_and_target(table(800, height=1)[["wave", "y"]])
    params = GIVEN.model_copy(update={"l2": 0.0001, "tolerance": 1e-8})
    codes, k = (y == "yes").astype(int), 800 * params.l2
    _, features, Z = prepare(X, fit.terms_of(GIVEN, X, np.unique(y)))
    rows = np.column_stack([Z.toarray(), np.ones(800)])
    is_bend = np.arange(rows.shape[1]) > 0
    is_bend[-1] = False

    def negative_likelihood(log_multiple):
        penalty = np.where(is_bend, k * np.exp(log_multiple), k)
        penalty[-1] = 0

        def cost(w):
            z = rows @ w
            residuals = 1 / (1 + np.exp(-z)) - codes
            value = np.logaddexp(0, z).sum() - codes @ z + penalty @ w**2 / 2
            return value, rows.T @ residuals + penalty * w

        best = minimize(cost, np.zeros(len(penalty)), jac=True, method="BFGS")
        p = 1 / (1 + np.exp(-rows @ best.x))
        H = rows.T @ ((p * (1 - p))[:, None] * rows) + np.diag(penalty)
        return best.fun + np.linalg.slogdet(H)[1] / 2 - is_bend.sum() * log_multiple / 2

    best = minimize_scalar(negative_likelihood, bounds=(-5, 5), method="bounded")
    found = negative_likelihood(np.log(smoothness.multiples(features, Z, codes, None, params)["wave"]))
    assert found < best.fun + 0.1  # H is taken as it is at the optimum before
    assert found < negative_likelihood(0) - 0.5


def test_a_column_without_a_curve_has_no_smoothness():
    params = GIVEN.model_copy(update={"smoothness": {"wavy": 3.0}})
    with pytest.raises(UserError, match=r"train.smoothness has 'wavy', which is no curve.*'wave', 'line', 'noise'"):
        fit.train(table(100), params, CellFormat())


def test_the_choice_is_one_part_of_the_sentence_and_repeats():
    rows = table(600)
    (one, candidates), (other, _) = (selection.resolved(rows, GIVEN) for _ in range(2))
    assert one == other
    assert "each curve and pair as smooth as the rows have it, from " in selection.sentence(one, candidates)


def test_straight_lines_and_monotone_curves_keep_the_one_penalty():
    for given in ({"features": "linear"}, {"monotone": dict.fromkeys(["wave", "line", "noise"], "increasing")}):
        assert not selection.resolved(table(200), GIVEN.model_copy(update=given))[0].multiples

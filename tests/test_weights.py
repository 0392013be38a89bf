"""Row weights and known log-odds, from file to scores. Oracles: repeated rows, and scipy's minimum of the cost."""

import numpy as np
import pandas as pd
import pytest
from conftest import compose, run_stages
from scipy.optimize import minimize

from pipeline import config, model
from pipeline.columns import dataset
from pipeline.errors import UserError
from pipeline.files import formats, paths
from pipeline.logistic import LogisticRegression
from pipeline.logistic.inference import inference, refit
from pipeline.logistic.matrix import Block, Matrix
from pipeline.model import Model
from pipeline.scores.bootstrap import resampled
from pipeline.scores.curves import curves
from pipeline.scores.groups import by_group
from pipeline.scores.scores import evaluate

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_conf")]

SETTINGS = ("data=table", "data.path=data/my.csv", "data.target=y", "optimizer=newton", "train.lambda=0.01")


def effects_per_unit(fitted: Model) -> np.ndarray:
    """The weights of age, per year, and of each plan (the last is that of other plans)."""
    (age,) = (term for term in fitted.design.terms if term.kind == "line")
    weights = fitted.weights[:-1, 0].copy()
    weights[age.dense] /= age.scale
    return weights


def table(n=300):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.normal(40, 9, n).round(1), "plan": rng.choice(["basic", "gold"], n)})
    frame["times"], frame["known"] = rng.integers(1, 4, n), rng.normal(0, 2, n).round(3)
    margins = 0.1 * (frame["age"] - 40) + (frame["plan"] == "gold") + frame["known"]
    return frame.assign(y=np.where(margins + rng.logistic(size=n) > 0, "yes", "no"))


def run(frame, *overrides, stages=("load", "split", "train", "evaluate")):
    frame.to_csv("data/my.csv", index=False)
    compose(*SETTINGS, *overrides)
    run_stages(*stages)
    return model.load(paths.ROOT / paths.MODEL)


def test_a_row_of_weight_two_is_two_rows_in_weights_scores_and_intervals():
    frame, test = table(), table(500).tail(200)
    repeated = frame.loc[frame.index.repeat(frame["times"])]
    features = ["split=test_file", "split.path=data/test.csv", "train.features=linear", "train.interactions=[]"]
    test.to_csv("data/test.csv", index=False)
    weighted = run(frame, "data.weight=times", "+data.roles.known=drop", *features)
    scores, rows = formats.load_json(paths.main_result().metrics), formats.load_csv(paths.ROOT / paths.INFERENCE)
    test.loc[test.index.repeat(test["times"])].to_csv("data/test.csv", index=False)
    plain = run(repeated, "data.drop=[times,known]", *features)
    assert weighted.columns == plain.columns == ["age", "plan"]
    # Features are scaled by rows, not by their weights: so the penalty differs a little.
    np.testing.assert_allclose(effects_per_unit(weighted), effects_per_unit(plain), rtol=0.02)
    expected = formats.load_json(paths.main_result().metrics)
    assert scores["prior"] == pytest.approx(expected["prior"], rel=1e-6)
    assert scores["test"] == pytest.approx(expected["test"], rel=0.01)
    free = formats.load_csv(paths.ROOT / paths.INFERENCE)
    for name in ("unpenalised", "standard_error"):
        np.testing.assert_allclose(rows[name], free[name], rtol=1e-6)


def test_known_log_odds_are_added_in_training_and_asked_for_in_prediction():
    frame = table(4_000)
    fitted = run(frame, "data.offset=known", "data.drop=[times]", "train.lambda=1e-4", "train.features=linear")
    age, basic, gold = effects_per_unit(fitted)[:3]
    assert age == pytest.approx(0.1, abs=0.03)
    assert gold - basic == pytest.approx(1, abs=0.4)
    raw = pd.DataFrame({"age": ["40", "40"], "plan": ["gold", "gold"], "known": ["0", "1.5"]})
    P = fitted.predict(raw, {"probabilities": True})["yes"]
    assert np.diff(np.log(P / (1 - P))) == pytest.approx(1.5)
    with pytest.raises(UserError, match=r"2 of 2 rows have no 'known', the known part of the log-odds"):
        fitted.predict(raw.drop(columns="known"))


def test_what_raises_the_odds_of_the_first_class_is_the_mirror_of_that_of_the_last():
    frame, settings = table(), ("data.offset=known", "data.drop=[times]", "train.features=curves")
    run(frame, *settings)
    last = [formats.load_csv(paths.ROOT / file) for file in (paths.INFERENCE, paths.CURVES_OF_FEATURES)]
    run(frame, *settings, "train.positive=no")
    first = [formats.load_csv(paths.ROOT / file) for file in (paths.INFERENCE, paths.CURVES_OF_FEATURES)]
    np.testing.assert_allclose(first[0]["coefficient"], -last[0]["coefficient"], rtol=1e-5)
    np.testing.assert_allclose(first[1]["lower"], -last[1]["upper"], atol=1e-6)


def test_an_offset_fit_is_the_minimum_of_its_cost_whatever_the_optimizer():
    rng = np.random.default_rng(1)
    X, offset = rng.normal(size=(400, 3)), rng.normal(0, 2, 400)
    y = X @ [1, -1, 0.5] + offset + rng.logistic(size=400) > 0

    def cost(w):
        z = X @ w[:-1] + w[-1] + offset
        return np.mean(np.logaddexp(0, z) - y * z) + 0.05 * w[:-1] @ w[:-1]

    best = minimize(cost, np.zeros(4), tol=1e-12).x
    rows = Matrix([Block(X, offset=offset[:, None])])
    for optimizer in ("gradient_descent", "nesterov", "newton", "quasi_newton"):
        fit = LogisticRegression(0.1, optimizer=optimizer, tol=1e-8, max_iter=20_000).fit(rows, y)
        np.testing.assert_allclose([*fit.coef_[0], fit.intercept_[0]], best, atol=1e-5)
        np.testing.assert_allclose(fit.decision_function(rows), X @ fit.coef_[0] + fit.intercept_[0] + offset)


def test_standard_errors_with_an_offset_are_those_of_the_second_derivatives_at_the_maximum():
    rng = np.random.default_rng(2)
    X, offset = rng.normal(size=(500, 2)), rng.normal(size=(500, 1))
    y = (X @ [1, -1] + offset[:, 0] + rng.logistic(size=500) > 0).astype(int)
    rows = Matrix([Block(X, offset=offset)])
    fit = refit(rows, y)
    z = X @ fit.coefficient[:-1] + fit.coefficient[-1] + offset[:, 0]
    p = 1 / (1 + np.exp(-z))
    ones = np.column_stack([X, np.ones(500)])
    np.testing.assert_allclose(ones.T @ (p - y), 0, atol=1e-5)
    covariance = np.linalg.inv(ones.T @ (ones * (p * (1 - p))[:, None]))
    np.testing.assert_allclose(fit.standard_error, np.sqrt(np.diag(covariance)), rtol=1e-6)
    null = minimize(lambda b: np.sum(np.logaddexp(0, b + offset[:, 0]) - y * (b + offset[:, 0])), 0.0).fun
    assert fit.null_deviance == pytest.approx(2 * null)
    assert inference(rows, y, fit.coefficient[:-1], fit.coefficient[-1]).deviance == fit.deviance
    other = refit(rows.mirrored(), 1 - y)
    np.testing.assert_allclose(other.coefficient, -fit.coefficient, rtol=1e-6)


def test_weighted_scores_curves_and_groups_are_those_of_repeated_rows():
    rng = np.random.default_rng(3)
    times, p = rng.integers(1, 4, 200), rng.random(200)
    y, classes = np.where(rng.random(200) < p, "b", "a"), np.array(["a", "b"])
    P, predicted = np.column_stack([1 - p, p]), np.where(p > 0.5, "b", "a")
    again = np.repeat(np.arange(200), times)
    one = evaluate(y, predicted, P, classes, weight=times.astype(float))
    other = evaluate(y[again], predicted[again], P[again], classes)
    assert one.metrics == pytest.approx(other.metrics)
    roc = curves(one.predictions, "b", times.astype(float))["roc"], curves(other.predictions, "b")["roc"]
    np.testing.assert_allclose(
        *(np.interp(np.linspace(0, 1, 50), c["false_positive_rate"], c["true_positive_rate"]) for c in roc)
    )
    groups = pd.DataFrame({"sex": rng.choice(["f", "m"], 200)})
    ours, theirs = by_group(groups, one, "b", times.astype(float)), by_group(groups.iloc[again], other, "b")
    for share in ("selection_rate", "recall", "observed", "mean_probability"):
        np.testing.assert_allclose(ours[share], theirs[share])
    draws = resampled(y, {"m": (predicted, P)}, classes, weight=times.astype(float))["m"]
    assert draws["accuracy"].mean() == pytest.approx(one.metrics["accuracy"], abs=0.01)


def test_the_choice_and_the_sweep_count_rows_by_their_weight():
    frame = table()
    wrong = frame.assign(y=np.where(frame["y"] == "yes", "no", "yes"), times=0)  # rows that do not count
    run(frame, "data.weight=times", "train.lambda=auto", "sweep.lambda=[0.001,1]", "sweep.learning_rate=[auto]")
    before = formats.load_csv(paths.ROOT / paths.CANDIDATES)
    run(
        pd.concat([frame, wrong]), "data.weight=times", "train.lambda=auto", "sweep.lambda=[0.001,1]",
        "sweep.learning_rate=[auto]", stages=("load", "split", "train", "sweep"),
    )  # fmt: skip
    after = formats.load_csv(paths.ROOT / paths.CANDIDATES)
    scored = formats.load_csv(paths.ROOT / paths.SWEEP / paths.COMBINATIONS)
    assert after["log_loss"].min() == pytest.approx(before["log_loss"].min(), abs=0.05)
    assert scored["log_loss"].min() == pytest.approx(before["log_loss"].min(), abs=0.05)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["data.weight=tims"], "no column 'tims'. Did you mean 'times'"),
        (["data.weight=plan"], "'plan'"),
        (["data.weight=known"], "'known' has numbers from .*; weights are from 0 up"),
        (["data.weight=y"], "data.weight = 'y', but it is data.target, too"),
        (["data.offset=known", "+data.roles.known=numeric"], "data.offset = 'known', but it is data.roles.known, too"),
        (["data.offset=gaps"], "data.offset = 'gaps' is missing in 10 of 300 rows"),
    ],
)
def test_a_column_that_is_no_weight_or_offset_is_one_message(settings, message):
    frame = table()
    frame["gaps"] = frame["known"].where(frame.index >= 10)
    frame.to_csv("data/my.csv", index=False)
    compose(*SETTINGS, *settings)
    with pytest.raises(UserError, match=message):
        dataset.load(config.read("data"))


def test_log_odds_of_three_classes_are_refused():
    frame = table().assign(y=lambda rows: np.tile(["a", "b", "c"], 100))
    with pytest.raises(UserError, match="there are 3"):
        run(frame, "data.offset=known")


def test_a_class_whose_rows_all_weigh_nothing_is_one_message_and_its_ways_out_work():
    frame = table()
    frame.loc[frame["y"] == "yes", "times"] = 0
    with pytest.raises(UserError, match=r"All \d+ training rows of the class 'yes' have the weight 0 \(data.weight\)"):
        run(frame, "data.weight=times", "data.drop=[known]", "train.lambda=auto")
    run(frame, "data.weight=null", "data.drop=[known]", stages=("load", "split", "train"))

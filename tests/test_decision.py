"""The threshold that is chosen within the training rows, kept in the model, and judged on the test rows."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import train_params
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from pipeline import config, model
from pipeline.columns.dataset import bundled
from pipeline.columns.target import features_and_target
from pipeline.commands.predict import predictions
from pipeline.config import composition, parse, section_of
from pipeline.errors import UserError
from pipeline.evaluation import result, thresholds
from pipeline.figures import performance
from pipeline.files import formats, paths
from pipeline.reading import CellFormat
from pipeline.scores import bootstrap, curves
from pipeline.training import decision, fit, learnt, selection

pytestmark = pytest.mark.slow

TRAIN = train_params(optimizer="newton", learning_rate="auto", positive="yes")
KINDS = {
    "none": config.NoDecision,
    "cost": config.CostDecision,
    "floor": config.FloorDecision,
    "budget": config.BudgetDecision,
}


def settings(method: str, **values: object) -> config.Decision:
    defaults = {
        "calibration": "none",
        **({"false_alarm": 1.0, "miss": None, "costs": None} if method == "cost" else {}),
    }
    return KINDS[method](method=method, **{**defaults, **values})


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Rows of which a fifth are `yes`, and the amount that a missed one costs."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000)
    y = np.where(1.5 * x - 2 + rng.logistic(size=2000) > 0, "yes", "a no")
    return pd.DataFrame({"x": x, "amount": rng.integers(1, 20, 2000).astype(float), "y": pd.Series(y, dtype="str")})


@pytest.fixture(scope="module")
def folds(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    fold, P = decision.out_of_fold(table, TRAIN, None, np.ones(len(table)))
    return fold, P[:, 1]


def decided(table: pd.DataFrame, **values: object) -> model.Model:
    fitted = fit.train(table, TRAIN, CellFormat()).model
    decision.decide(fitted, table, TRAIN, settings(**values))
    return fitted


def test_each_row_is_predicted_by_a_model_that_has_not_seen_it(table: pd.DataFrame, folds: tuple) -> None:
    fold, p = folds
    assert np.unique(fold).tolist() == [0, 1, 2, 3, 4]
    X, _ = features_and_target(table)
    others = fit.train(table[fold != 3].reset_index(drop=True), TRAIN, CellFormat()).model
    np.testing.assert_allclose(p[fold == 3], others.probabilities(X[fold == 3])[:, 1], rtol=1e-9)


def test_lambda_is_chosen_without_the_fold_that_is_predicted(table: pd.DataFrame) -> None:
    rows, asked = table.iloc[:300], TRAIN.model_copy(update={"l2": "auto"})
    fold, P = decision.out_of_fold(rows, asked, None, np.ones(300))
    others = rows[fold != 2].reset_index(drop=True)
    expected = fit.train(others, selection.resolved(others, asked)[0], CellFormat()).model
    X, _ = features_and_target(rows)
    np.testing.assert_allclose(P[fold == 2], expected.probabilities(X[fold == 2]), rtol=1e-9)


def test_a_threshold_is_chosen_for_firths_penalty_too(table: pd.DataFrame) -> None:
    firth = TRAIN.model_copy(update={"penalty": "firth", "l2": 0.0})
    rows = table.iloc[:200]
    fold, P = decision.out_of_fold(rows, firth, None, np.ones(200))
    others = fit.train(rows[fold != 1].reset_index(drop=True), firth, CellFormat()).model
    np.testing.assert_allclose(P[fold == 1], others.probabilities(rows[fold == 1].iloc[:, :-1]), rtol=1e-6)


def test_no_threshold_costs_less_within_the_training_rows_than_that_of_costs_by_row(
    table: pd.DataFrame, folds: tuple
) -> None:
    _, p = folds
    is_positive = (table["y"] == "yes").to_numpy()

    def cost(threshold: float, miss: np.ndarray) -> np.ndarray:
        flagged = p >= threshold
        return np.where(flagged, ~is_positive * 2.0, is_positive * miss)

    for miss, costs in ((7.0, np.full(2000, 7.0)), ("amount", table["amount"].to_numpy())):
        threshold = decided(table, method="cost", false_alarm=2.0, miss=miss).threshold
        best = min((cost(t, costs) for t in [*np.unique(p), 1.1]), key=np.sum)
        saved = cost(threshold, costs) - best
        if miss == "amount":
            assert saved.sum() == pytest.approx(0)
        else:
            assert threshold == pytest.approx(2 / 9)
            assert saved.sum() > 0


@pytest.mark.parametrize(("class_weight", "is_formula"), [(None, True), ("balanced", False)])
def test_the_formula_decides_where_probabilities_hold_and_the_sentence_says_so(
    table: pd.DataFrame, class_weight: str | None, is_formula: bool
) -> None:
    params = TRAIN.model_copy(update={"class_weight": class_weight})
    fitted = fit.train(table, params, CellFormat()).model
    rates = decision.decide(fitted, table, params, settings("cost", false_alarm=1.0, miss=3.0))
    assert (fitted.threshold == 0.25) == is_formula
    (sentence,) = fitted.made_of["choices"]
    assert ("no more than the standard error" in sentence) == is_formula
    assert f"The threshold is {'false_alarm / (false_alarm + miss) = 0.25' if is_formula else '0.'}" in sentence
    chosen = rates[rates["chosen"]].squeeze()
    assert chosen["threshold"] == fitted.threshold
    P = decision.out_of_fold(table, params, None, np.ones(len(table)))[1]
    assert (P[:, 1] >= fitted.threshold).mean() == pytest.approx(chosen["flagged"])


def test_the_threshold_of_constant_costs_is_near_that_of_honest_probabilities(table: pd.DataFrame) -> None:
    assert decided(table, method="cost", false_alarm=1.0, miss=4.0).threshold == pytest.approx(0.2, abs=0.07)


def test_the_floor_of_recall_holds_and_one_row_less_would_not(table: pd.DataFrame, folds: tuple) -> None:
    _, p = folds
    y = table["y"] == "yes"
    threshold = decided(table, method="floor", recall=0.9).threshold
    assert recall_score(y, p >= threshold) >= 0.9
    assert recall_score(y, p > p[p >= threshold].min()) < 0.9


@pytest.mark.parametrize(("highest", "n"), [(150.0, 150), (0.05, 100), (1e6, 2000)])
def test_a_budget_flags_the_highest_rows(table: pd.DataFrame, folds: tuple, highest: float, n: int) -> None:
    threshold = decided(table, method="budget", highest=highest).threshold
    assert (folds[1] >= threshold).sum() == n


def test_the_threshold_is_saved_served_and_evaluated(table: pd.DataFrame, tmp_path: Path) -> None:
    trained = fit.train(table, TRAIN, CellFormat())
    wanted = settings("cost", false_alarm=1.0, miss=9.0)
    curve = decision.decide(trained.model, table, TRAIN, wanted)
    learnt.write(trained, tmp_path)
    formats.save_csv(curve, tmp_path / paths.THRESHOLDS)
    loaded, (X, y) = model.load(tmp_path / paths.MODEL), features_and_target(table)
    expected = np.where(trained.model.probabilities(X)[:, 1] >= trained.model.threshold, "yes", "a no")
    assert (expected != np.where(trained.model.probabilities(X)[:, 1] >= 0.5, "yes", "a no")).any()
    np.testing.assert_array_equal(loaded.predict(X), expected)
    place = paths.main_result(tmp_path)
    report = result.write(trained.start, loaded, table, table, tmp_path, place, "mine", settings=wanted)
    found = formats.load_json(place.metrics)["decision"]
    (_, false_alarms), (misses, _) = confusion_matrix(y, expected, labels=["a no", "yes"])
    assert found["cost"] == pytest.approx((false_alarms + 9 * misses) / len(y), rel=1e-6)
    assert found["recall"] == pytest.approx(recall_score(y, expected, pos_label="yes"), rel=1e-6)
    assert found["precision"] == pytest.approx(precision_score(y, expected, pos_label="yes"), rel=1e-6)
    assert found["flagged"] == pytest.approx((expected == "yes").mean())
    assert formats.load_csv(tmp_path / "evaluate/predictions.csv")["predicted"].tolist() == expected.tolist()
    assert "Decision (cost): 'yes' from a probability of 0." in report
    intervals = formats.load_csv(tmp_path / "evaluate/decision.csv").set_index("measure")
    assert (intervals["lower"] < intervals["value"]).all()
    share = found["flagged"]
    reach = 1.96 * np.sqrt(share * (1 - share) / len(y))
    assert intervals.loc["flagged", "upper"] - share == pytest.approx(reach, rel=0.15)
    assert (tmp_path / "evaluate/pictures/decision.png").exists()


def test_the_positive_class_may_be_the_first_one(table: pd.DataFrame) -> None:
    params = TRAIN.model_copy(update={"positive": "a no"})
    fitted = fit.train(table, params, CellFormat()).model
    decision.decide(fitted, table, params, settings("floor", recall=0.99))
    X, y = features_and_target(table)
    assert recall_score(y, fitted.classify(X), pos_label="a no") == pytest.approx(0.99, abs=0.01)


def test_honest_probabilities_are_left_alone_and_those_of_class_weights_corrected(table: pd.DataFrame) -> None:
    X, y = features_and_target(table)
    for weight, is_corrected in ((None, False), ("balanced", True)):
        params = TRAIN.model_copy(update={"class_weight": weight})
        fitted = fit.train(table, params, CellFormat()).model
        spoilt = fitted.probabilities(X)[:, 1].mean()
        decision.decide(fitted, table, params, settings("none", calibration="auto"))
        assert (fitted.calibration is not None) == is_corrected
        assert fitted.probabilities(X)[:, 1].mean() == pytest.approx((y == "yes").mean(), rel=0.02)
        assert (spoilt > 0.3) == is_corrected


def test_the_class_is_the_more_probable_one_after_a_correction_too(table: pd.DataFrame, tmp_path: Path) -> None:
    params = TRAIN.model_copy(update={"class_weight": "balanced"})
    fitted = fit.train(table, params, CellFormat()).model
    decision.decide(fitted, table, params, settings("none", calibration="auto"))
    model.save(fitted, tmp_path / "model.json")
    loaded, X = model.load(tmp_path / "model.json"), table.iloc[:, :-1]
    np.testing.assert_array_equal(loaded.probabilities(X), fitted.probabilities(X))
    assert (loaded.classify(X) == "yes").tolist() == (loaded.probabilities(X)[:, 1] >= 0.5).tolist()


def test_without_a_decision_nothing_is_chosen(table: pd.DataFrame) -> None:
    fitted = decided(table, method="none")
    assert (fitted.threshold, fitted.calibration) == (None, None)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"method": "cost", "false_alarm": 1.0, "miss": "amonut"},
            r"decision.miss = 'amonut' is no feature of numbers",
        ),
        ({"method": "cost", "false_alarm": "x", "miss": 1.0}, r"decision.false_alarm = 'x' is missing or negative"),
    ],
)
def test_costs_that_are_none_are_named(table: pd.DataFrame, values: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        decided(table, **values)


def test_many_classes_have_no_threshold() -> None:
    iris = bundled("iris")
    params = train_params(optimizer="newton", learning_rate="auto")
    fitted = fit.train(iris, params, CellFormat()).model
    with pytest.raises(UserError, match=r"decision.method = floor is for two classes, but there are 3: setosa"):
        decision.decide(fitted, iris, params, settings("floor", recall=0.9))
    decision.decide(fitted, iris, params, settings("none", calibration="auto"))
    assert fitted.threshold is None


def test_the_curves_of_two_classes_are_those_of_their_definitions(table: pd.DataFrame) -> None:
    from pipeline.evaluation import result
    from pipeline.training import fit

    fitted = fit.train(table, TRAIN, CellFormat()).model
    found = curves.curves(result.judge(fitted, table).predictions, "yes")
    X, y = features_and_target(table)
    p, is_positive = fitted.probabilities(X)[:, 1], y == "yes"
    row = found["decision_curve"].set_index("threshold").loc[0.2]
    hits, alarms = (is_positive & (p >= 0.2)).mean(), (~is_positive & (p >= 0.2)).mean()
    assert row["model"] == pytest.approx(hits - alarms / 4)
    assert row["all"] == pytest.approx(is_positive.mean() - (~is_positive).mean() / 4)
    gain = found["gain"].iloc[100]
    highest = np.argsort(-p, kind="stable")[: round(gain["flagged"] * len(y))]
    assert gain["recall"] == pytest.approx(is_positive[highest].sum() / is_positive.sum())
    assert gain["lift"] == pytest.approx(is_positive[highest].mean() / is_positive.mean())
    bands = found["calibration"]
    assert len(bands) == 10
    assert ((bands["lower"] < bands["share"]) & (bands["share"] < bands["upper"])).all()
    (line,) = (line for line in performance.calibration(bands).axes[0].lines if line.get_marker() == "o")
    np.testing.assert_array_equal(line.get_xydata(), bands[["predicted", "share"]])
    lowest = np.argsort(p, kind="stable")[:200]
    assert (bands["lower"][0], bands["upper"][0]) == pytest.approx(
        bootstrap.wilson(int(is_positive[lowest].sum()), 200)
    )


def test_a_row_of_weight_two_counts_as_two_in_the_choice_and_a_cost_of_zero_as_none():
    rng = np.random.default_rng(0)
    p, times = rng.random(200), rng.integers(0, 4, 200)
    codes, cost = (rng.random(200) < p).astype(int), rng.integers(0, 3, 200).astype(float)
    again = np.repeat(np.arange(200), times)
    ours = thresholds.curve(codes, p, cost, times.astype(float))
    theirs = thresholds.curve(codes[again], p[again], cost[again], np.ones(len(again)))
    # Thresholds between rows without weight are there too, and give the same as the threshold above them.
    for name in ("flagged", "recall", "cost"):
        found = np.interp(theirs["flagged"], ours["flagged"], ours[name])
        np.testing.assert_allclose(found, theirs[name], atol=1e-12)


def test_a_row_of_weight_two_counts_as_two_in_the_correction_and_one_of_weight_zero_as_none():
    rng = np.random.default_rng(0)
    p, times, fold = rng.random(900), rng.integers(0, 4, 900), np.arange(900) % 5
    codes = (rng.random(900) < p).astype(int)
    codes[times == 0] = 1 - codes[times == 0]
    spoilt = p**3 / (p**3 + (1 - p) ** 3)
    P, again = np.column_stack([1 - spoilt, spoilt]), np.repeat(np.arange(900), times)
    ours = decision.best_calibration(P, codes, fold, times.astype(float))
    theirs = decision.best_calibration(P[again], codes[again], fold[again], np.ones(len(again)))
    assert ours is not None
    assert ours == pytest.approx(theirs, rel=1e-3)
    assert ours != pytest.approx(decision.best_calibration(P, codes, fold, np.ones(900)), rel=1e-2)


def test_prior_and_black_box_decide_by_the_same_rule_and_the_cost_is_a_row_of_the_scores(table, tmp_path):
    trained, wanted = fit.train(table, TRAIN, CellFormat()), settings("cost", false_alarm=1.0, miss=9.0)
    formats.save_csv(decision.decide(trained.model, table, TRAIN, wanted), tmp_path / paths.THRESHOLDS)
    learnt.write(trained, tmp_path)
    place = paths.main_result(tmp_path)
    report = result.write(trained.start, trained.model, table, table, tmp_path, place, "mine", settings=wanted)
    found = formats.load_json(place.metrics)
    share = (table["y"] == "yes").mean()
    assert found["prior"]["cost"] == pytest.approx(min(1 - share, 9 * share), rel=1e-6)  # all rows, or none
    assert found["test"]["threshold"] == pytest.approx(trained.model.threshold, rel=1e-6)
    assert found["black_box"]["threshold"] < 0.3
    assert found["black_box"]["cost"] < found["prior"]["cost"]
    assert found["test"]["cost"] == pytest.approx(found["decision"]["cost"], rel=1e-6)
    rows = formats.load_csv(tmp_path / "evaluate/scores.csv").set_index("model")
    on_test = rows[rows["rows"] == "test"]
    assert (on_test["cost_lower"] <= on_test["cost"]).all()
    assert on_test["threshold"].notna().all()
    assert wanted.sentence in report


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        (settings("cost", false_alarm=1.0, miss="amount"), "decision.false_alarm = 1.0 and decision.miss = amount."),
        (settings("floor", recall=0.95), "recall of at least decision.recall = 0.95."),
        (settings("budget", highest=0.05), "as many as decision.highest = 0.05."),
    ],
)
def test_the_rule_is_named_with_its_settings_in_one_sentence(wanted: config.Decision, rule: str) -> None:
    assert wanted.sentence.startswith("Each model decides from its own threshold on")
    assert wanted.sentence.endswith(rule)


def test_without_a_rule_no_sentence_speaks_of_thresholds() -> None:
    assert settings("none").sentence == ""


COSTS = {
    "setosa": {"versicolor": 1.0, "virginica": 1.0},
    "versicolor": {"setosa": 1.0, "virginica": 1.0},
    "virginica": {"setosa": 30.0, "versicolor": 60.0},
}


def test_of_three_classes_the_least_expected_cost_decides_wherever_a_class_is_decided(tmp_path: Path) -> None:
    iris = bundled("iris")
    params = train_params(optimizer="newton", learning_rate="auto", multiclass="softmax", **{"lambda": 0.1})
    trained, wanted = fit.train(iris, params, CellFormat()), settings("cost", costs=COSTS)
    X, y = features_and_target(iris)
    P, before = trained.model.probabilities(X), trained.model.classify(X)
    assert decision.decide(trained.model, iris, params, wanted) is None
    C = pd.DataFrame(COSTS).T.reindex(index=trained.model.classes_, columns=trained.model.classes_).fillna(0)
    expected = [min(C, key=lambda name, p=p: sum(p[k] * C.iloc[k][name] for k in range(3))) for p in P]
    assert (np.array(expected) != before).sum() > 5
    learnt.write(trained, tmp_path)
    loaded = model.load(tmp_path / paths.MODEL)
    np.testing.assert_array_equal(loaded.predict(X), expected)
    table = predictions(loaded, X.rename_axis("line"))
    assert table["decision"].tolist() == expected
    assert table["class"].tolist() == before.tolist()
    place = paths.main_result(tmp_path)
    report = result.write(trained.start, loaded, iris, iris, tmp_path, place, "mine", settings=wanted)
    cost = np.mean([C.loc[truth, guess] for truth, guess in zip(y, expected, strict=True)])
    found = formats.load_json(place.metrics)
    assert found["decision"]["cost"] == pytest.approx(cost, rel=1e-6)
    assert found["test"]["cost"] == pytest.approx(cost, rel=1e-6)
    assert found["prior"]["cost"] == pytest.approx(C.mean().min(), rel=1e-6)  # the best class for all rows
    assert found["test"]["cost"] < found["prior"]["cost"]
    assert formats.load_csv(tmp_path / "evaluate/predictions.csv")["predicted"].tolist() == expected
    assert f"  cost      {cost:.4f} [" in report
    assert "always 'virginica'" in report
    ends = formats.load_csv(tmp_path / "evaluate/decision.csv").iloc[0]
    assert ends["lower"] < cost < ends["upper"]


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ({**COSTS, "rose": {"setosa": 1.0}}, r"decision.costs has the class 'rose', which is none of setosa, v"),
        ({"setosa": {"versicolor": 3.0}}, r"does not say what it costs to predict 'virginica' where 'setosa' is true"),
        ({**COSTS, "setosa": {**COSTS["setosa"], "setosa": 2.0}}, r"a cost of 2 where 'setosa' is predicted rightly"),
        (None, r"decision.method = cost with decision.miss is for two classes, but there are 3: setosa"),
    ],
)
def test_a_table_of_costs_that_is_none_of_the_classes_is_one_message_with_one_that_is(
    costs: dict | None, message: str
) -> None:
    wanted = settings("cost", costs=costs) if costs else settings("cost", false_alarm=1.0, miss=1.0)
    with pytest.raises(UserError, match=message) as error:
        thresholds.cost_table(wanted, np.array(["setosa", "versicolor", "virginica"]))
    (way,) = re.findall(r"-S '\+\+(decision\.costs=.*)'", str(error.value))
    values = parse(composition.compose(["data=iris", "decision=cost", f"++{way}"]), "conf/")
    table = thresholds.cost_table(section_of(values, "decision", "conf/"), np.array([*COSTS]))
    assert table.shape == (3, 3)
    assert (np.diag(table) == 0).all()
    assert (table.sum(axis=1) >= 2).all()
    if costs and costs["setosa"]["versicolor"] == 3:
        assert table[0, 1] == 3


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "takes either decision.miss, of two classes"),
        (["decision.miss=1", "decision.costs={a: {b: 1}, b: {a: 1}}"], "takes either decision.miss, of two classes"),
        (["decision.costs=[[0,1],[1,0]]"], "for each true class"),
        (["decision.costs={a: 1, b: 2}"], "for each true class"),
        (["decision.costs={a: {b: -1}, b: {a: 1}}"], r"decision.costs.a.b = -1"),
        (["decision.costs={a: {b: x}, b: {a: 1}}"], r"decision.costs.a.b = 'x'"),
    ],
)
def test_costs_that_are_no_table_of_numbers_are_one_message(overrides: list[str], message: str) -> None:
    values = parse(composition.compose(["data=iris", "decision=cost", *overrides]), "conf/")
    with pytest.raises(UserError, match=message):
        section_of(values, "decision", "conf/")


def test_a_table_of_costs_of_two_classes_is_refused_with_the_settings_for_two() -> None:
    wanted = settings("cost", costs={"a": {"b": 1.0}, "b": {"a": 2.0}})
    with pytest.raises(UserError, match=r"-S decision=cost -S decision.miss=5 -S decision.false_alarm=1"):
        thresholds.cost_table(wanted, np.array(["a", "b"]))

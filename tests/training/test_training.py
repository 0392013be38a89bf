import json
import re

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, contents, train_params
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from pipeline import compute
from pipeline.columns.dataset import bundled
from pipeline.columns.target import features_and_target
from pipeline.columns.terms import Design
from pipeline.config import Train
from pipeline.errors import UserError
from pipeline.files import formats, paths, stored
from pipeline.logistic.matrix import Block, Matrix
from pipeline.model import Model
from pipeline.reading import CellFormat
from pipeline.training import fit, intervals, learnt
from pipeline.training.fit import Training


def params(**changes: object) -> Train:
    return train_params(**{"lambda": 0.05, "tolerance": 1e-8, "learning_rate": 0.25, **changes})


def trained_on(table: pd.DataFrame, settings: Train) -> Training:
    return fit.train(table, settings, CellFormat())


def margins(fitted: Model, X: pd.DataFrame) -> np.ndarray:
    return fitted.margins(X)


@pytest.fixture(scope="module")
def breast_cancer():
    return bundled("breast_cancer")


@pytest.fixture(scope="module")
def trained(breast_cancer):
    return trained_on(breast_cancer, params())


def test_gradient_descent_finds_the_optimum_that_scikit_learn_finds(breast_cancer, trained):
    X, y = features_and_target(breast_cancer)
    oracle = LogisticRegression(C=1 / (len(X) * 0.05), tol=1e-10, max_iter=1000).fit(
        StandardScaler().fit_transform(X), y
    )
    np.testing.assert_allclose(trained.fitted.coef_, oracle.coef_, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(trained.fitted.intercept_, oracle.intercept_, rtol=1e-4)


def test_many_classes_train_as_scikit_learn_trains_them_one_vs_rest():
    wine = bundled("wine")
    X, y = features_and_target(wine)
    fitted = trained_on(wine, params()).model
    oracle = OneVsRestClassifier(LogisticRegression(C=1 / (len(X) * 0.05), tol=1e-10))
    oracle.fit(StandardScaler().fit_transform(X), y)
    np.testing.assert_allclose(
        fitted.probabilities(X), oracle.predict_proba(StandardScaler().fit_transform(X)), atol=1e-5
    )


def test_costs_begin_at_the_random_start_and_fall(breast_cancer, trained):
    costs = learnt.costs(trained)
    X, y = features_and_target(breast_cancer)
    w = np.random.RandomState(params().seed).standard_normal(X.shape[1] + 1)[:-1]
    log_loss = -np.log(trained.start.probabilities(X)[np.arange(len(y)), (y == "malignant").astype(int)]).mean()
    assert costs["iteration"].tolist() == list(range(len(costs)))
    assert costs["cost"][0] == pytest.approx(log_loss + 0.05 / 2 * (w**2).sum(), rel=1e-6)
    assert (np.diff(costs["cost"]) < 1e-15).all()


def test_costs_of_many_classes_are_their_mean_and_a_column_each():
    costs = learnt.costs(trained_on(bundled("iris"), params()))
    assert list(costs.columns) == ["iteration", "cost", "cost/setosa", "cost/versicolor", "cost/virginica"]
    classes = costs[list(costs.columns[2:])].ffill()
    pd.testing.assert_series_equal(costs["cost"], classes.mean(axis="columns"), check_names=False)


def test_features_that_would_share_a_name_are_refused():
    table = pd.DataFrame({"age": [1.0, np.nan] * 20, "age is missing": [1.0, 2.0] * 20, "y": ["a", "b", "b", "a"] * 10})
    with pytest.raises(UserError, match="Two features are called 'age is missing'"):
        trained_on(table, params())


def test_the_random_start_comes_from_the_seed(breast_cancer, trained):
    again = trained_on(breast_cancer, params(max_iterations=1)).start
    other = trained_on(breast_cancer, params(max_iterations=1, seed=1)).start
    np.testing.assert_array_equal(again.weights, trained.start.weights)
    assert not np.allclose(other.weights, trained.start.weights)


def test_weights_per_unit_reproduce_the_margin_on_raw_features(breast_cancer, trained):
    X, _ = features_and_target(breast_cancer)
    weights = learnt.weights(trained)
    margin = X[weights["feature"]].to_numpy() @ weights["weight_per_unit"].to_numpy()
    difference = margins(trained.model, X) - margin
    np.testing.assert_allclose(difference, difference[0], atol=1e-9)
    np.testing.assert_allclose(
        np.log(weights["odds_ratio_per_unit"]), weights["weight_per_unit"], rtol=1e-9, atol=1e-12
    )


def services(n: int = 3_000) -> pd.DataFrame:
    """Customers of whom a quarter has no internet, and so none of its services; these leave less often."""
    rng = np.random.default_rng(0)
    has_none = rng.random(n) < 0.25
    names = ("backup", "films", "support")
    table = pd.DataFrame({k: np.where(has_none, "no internet", rng.choice(["yes", "no"], n)) for k in names})
    table["speed"] = np.where(has_none, np.nan, rng.normal(size=n))
    table["age"] = rng.uniform(20, 80, n)
    z = 1.5 - 2 * has_none - ((table["age"] - 50) / 15) ** 2 + (table["backup"] == "no")
    table["left"] = np.where(z + rng.logistic(size=n) > 0, "yes", "no")
    return table.astype(dict.fromkeys((*names, "left"), "str"))


def written_effects(table: pd.DataFrame, folder, **changes: object) -> tuple[Training, pd.DataFrame]:
    settings = {"lambda": 1e-3, "optimizer": "newton", "learning_rate": "auto", **changes}
    trained = trained_on(table, params(**settings))
    learnt.write(trained, folder)
    return trained, pd.read_csv(folder / paths.EFFECTS).set_index("feature")


def test_categories_of_the_same_rows_have_one_effect_the_product_of_their_odds_ratios(tmp_path):
    table = services()
    trained, effects = written_effects(table, tmp_path)
    parts = [*(f"{name} = no internet" for name in ("backup", "films", "support")), "speed is missing"]
    (name,) = [name for name in effects.index if "no internet" in name]
    assert set(name.split(" (")[0].split(" and ")) == set(parts)
    assert name.endswith(f"(the same {table['speed'].isna().sum():,} rows)")
    alone = learnt.weights(trained).set_index("feature")["odds_ratio_per_unit"]
    assert effects.loc[name, "odds_ratio_per_unit"] == pytest.approx(alone[parts].prod())
    assert effects.loc[name, "odds_ratio_per_unit"] < alone[parts].min()
    assert not set(parts) & set(effects.index)
    assert set(effects.index) == {name, *(set(alone.index) - set(parts))}
    sizes = effects["weight_per_standard_deviation"].abs()
    assert sizes.is_monotonic_decreasing


def test_a_curve_has_one_effect_from_the_first_quartile_to_the_third(tmp_path):
    table = services()
    trained, effects = written_effects(table, tmp_path, features="curves", smoothness=0.1)
    (name,) = [name for name in effects.index if name.startswith("age, from")]
    low, high = np.quantile(table["age"], [0.25, 0.75])
    shown = [float(word) for word in name.split()[2::2]]
    assert shown == pytest.approx([low, high], abs=0.3)
    X = table.drop(columns="left")
    ends = [margins(trained.model, X.iloc[:1].assign(age=age)).item() for age in shown]
    assert np.log(effects.loc[name, "odds_ratio_per_unit"]) == pytest.approx(ends[1] - ends[0], abs=1e-2)
    z = margins(trained.model, pd.concat([X.iloc[:1]] * len(X)).assign(age=X["age"].to_numpy()))
    assert abs(effects.loc[name, "weight_per_standard_deviation"]) == pytest.approx(z.std(), rel=0.02)
    assert not [name for name in effects.index if "bend" in name]
    assert any("no internet" in name and "speed is missing" in name for name in effects.index)


def test_a_curve_of_a_number_that_is_mostly_the_same_has_its_effect_from_the_least_to_the_largest(tmp_path):
    table = services()
    table.insert(0, "gain", np.where(np.arange(len(table)) % 7 == 0, table["age"].round(), 0))
    _, effects = written_effects(table, tmp_path, features="curves")
    assert f"gain, from 0 to {table['gain'].max():g}" in effects.index


def test_a_pair_has_one_effect_too(tmp_path):
    _, effects = written_effects(services(), tmp_path, interactions=[["age", "backup"]])
    assert effects.loc["age x backup", "odds_ratio_per_standard_deviation"] >= 1
    assert np.isnan(effects.loc["age x backup", "odds_ratio_per_unit"])


def test_the_summary_shows_how_training_stopped(breast_cancer, trained):
    assert "under the tolerance" in learnt.summary(trained)["malignant"]["stopped"]
    short = trained_on(breast_cancer, params(max_iterations=3))
    summary = learnt.summary(short)["malignant"]
    assert summary["iterations"] == 3
    assert "iterations ran out" in summary["stopped"]


def test_a_learning_rate_that_is_too_large_is_named_with_one_that_is_safe(breast_cancer):
    with pytest.raises(UserError) as caught:
        trained_on(breast_cancer, params(learning_rate=1e6))
    message = str(caught.value)
    assert "learning rate 1e+06" in message
    assert "iteration" in message
    scaled = StandardScaler().fit_transform(breast_cancer.iloc[:, :-1])
    scaled = np.column_stack([scaled, np.ones(len(scaled))])
    safe = 1 / (np.linalg.eigvalsh(scaled.T @ scaled / (4 * len(scaled)))[-1] + 0.05)
    assert f"{safe:.3g}" in message


def test_scaling_is_fitted_on_the_training_rows(breast_cancer):
    rows = breast_cancer.iloc[:300]
    fitted = trained_on(rows, params(optimizer="newton"))
    np.testing.assert_allclose(fitted.features.centre, rows.iloc[:, :-1].mean())


def test_the_positive_class_mirrors_the_weights_and_changes_no_prediction(breast_cancer, trained):
    mirrored = trained_on(breast_cancer, params(positive="benign"))
    X, _ = features_and_target(breast_cancer)
    assert mirrored.model.classes_.tolist() == trained.model.classes_.tolist() == ["benign", "malignant"]
    np.testing.assert_array_equal(mirrored.model.classify(X), trained.model.classify(X))
    np.testing.assert_array_equal(mirrored.model.probabilities(X), trained.model.probabilities(X))
    weights = learnt.weights(mirrored)
    assert set(weights["class"]) == {"benign"}
    np.testing.assert_array_equal(weights["weight_per_unit"], -learnt.weights(trained)["weight_per_unit"].to_numpy())


@pytest.mark.parametrize(("data", "positive"), [("breast_cancer", "bening"), ("wine", "class_1")])
def test_a_positive_class_that_cannot_be_is_named(data, positive):
    with pytest.raises(UserError, match=f"train.positive = '{positive}' should be one of two classes; the classes are"):
        trained_on(bundled(data), params(positive=positive))


def test_balanced_classes_weigh_the_same():
    table = bundled("breast_cancer").iloc[100:350]
    X, y = features_and_target(table)
    fitted = trained_on(table, params(class_weight="balanced")).fitted
    oracle = LogisticRegression(C=1 / (len(X) * 0.05), class_weight="balanced", tol=1e-10, max_iter=1000)
    oracle.fit(StandardScaler().fit_transform(X), y)
    np.testing.assert_allclose(fitted.coef_, oracle.coef_, rtol=1e-3, atol=1e-5)


def test_weights_name_the_categories_of_strings():
    table = pd.DataFrame({"colour": ["red", "red", "blue", "blue"] * 10, "y": ["a", "a", "b", "a"] * 10}).astype("str")
    named = learnt.weights(trained_on(table, params())).set_index("feature")["odds_ratio_per_unit"]
    assert named["colour = blue"] > 1 > named["colour = red"]


def test_without_penalty_the_coefficients_come_with_the_published_standard_errors(tmp_path):
    """Graduate admissions: https://stats.oarc.ucla.edu/r/dae/logit-regression/"""
    admissions = pd.read_csv(ROOT / "tests" / "data" / "ucla_binary.csv")
    ranks = {f"rank {rank}": (admissions["rank"] == rank).astype(float) for rank in (2, 3, 4)}
    table = admissions[["gre", "gpa", "admit"]].assign(**ranks)[["gre", "gpa", *ranks, "admit"]]
    params = train_params(**{"lambda": 0}, optimizer="newton", learning_rate="auto", tolerance=1e-10)
    learnt.write(trained_on(table, params), tmp_path)
    found = pd.read_csv(tmp_path / paths.INFERENCE).set_index("feature")
    assert found.loc["gre", "coefficient"] == pytest.approx(0.002264, abs=1e-6)
    assert found.loc["gre", "standard_error"] == pytest.approx(0.001094, abs=1e-6)
    assert found.loc["gpa", "coefficient"] == pytest.approx(0.804038, abs=1e-6)
    assert found.loc["gpa", "standard_error"] == pytest.approx(0.331819, abs=1e-6)
    assert found.loc["(intercept)", "coefficient"] == pytest.approx(-3.989979, abs=1e-6)
    assert found.loc["(intercept)", "standard_error"] == pytest.approx(1.139951, abs=1e-6)
    assert json.loads((tmp_path / paths.TRAINING_SUMMARY).read_text())["1"]["deviance"] == pytest.approx(
        458.517, abs=1e-3
    )


def quasi_separated() -> pd.DataFrame:
    """Numbers, strings and a 0/1 column that is 1 for yes alone."""
    rng = np.random.default_rng(0)
    is_yes = rng.random(200) < 0.5
    table = {"x": rng.normal(size=200), "g": rng.choice(list("abc"), 200), "d": (is_yes & (rng.random(200) < 0.4)) * 1}
    return pd.DataFrame({**table, "y": np.where(is_yes, "yes", "no")}).astype({"g": "str", "y": "str"})


NO_PENALTY = {"lambda": 0.0, "optimizer": "newton", "learning_rate": "auto", "tolerance": 1e-6}


@pytest.mark.parametrize("optimizer", ["newton", "quasi_newton"])
@pytest.mark.parametrize("positive", ["yes", "no"])
def test_without_penalty_a_feature_with_one_class_only_is_named_and_nothing_is_inferred(tmp_path, optimizer, positive):
    table = quasi_separated()
    with pytest.warns(UserWarning, match=r"no best weights exist for .*: with 'd', .*-S train.lambda=0.01.*data.drop"):
        trained = trained_on(table, params(**NO_PENALTY | {"optimizer": optimizer}, positive=positive))
    learnt.write(trained, tmp_path)
    assert list(pd.read_csv(tmp_path / paths.INFERENCE)) == ["class", "feature", "coefficient"]
    summary = json.loads((tmp_path / paths.TRAINING_SUMMARY).read_text())[positive]
    assert summary["note"].startswith("no maximum of the likelihood exists")
    assert summary["note"].endswith("(because of 'd')")
    assert summary["aic"] is None
    assert "without l2 the cost has no minimum" in summary["stopped"]


def test_without_penalty_a_category_with_one_class_only_is_named():
    table = quasi_separated().drop(columns="d")
    table.loc[table["g"] == "b", "y"] = "yes"
    with pytest.warns(UserWarning, match="exist for 'yes': with 'g = b', rows of one class"):
        trained_on(table, params(**NO_PENALTY))


@pytest.mark.filterwarnings("error")
def test_without_penalty_a_feature_with_one_row_of_the_other_class_keeps_its_intervals(tmp_path):
    table = quasi_separated()
    table.loc[table["y"].eq("no").idxmax(), "d"] = 1
    learnt.write(trained_on(table, params(**NO_PENALTY)), tmp_path)
    found = pd.read_csv(tmp_path / paths.INFERENCE).set_index("feature")
    assert 0 < found.loc["d", "standard_error"] < 3


def test_with_penalty_a_refit_that_separates_has_no_standard_errors_and_a_note_gives_the_reason(
    tmp_path, breast_cancer, trained
):
    learnt.write(trained, tmp_path)
    assert list(pd.read_csv(tmp_path / paths.INFERENCE)) == [
        *("class", "feature", "coefficient", "credible_lower", "credible_upper"),
    ]
    note = json.loads((tmp_path / paths.TRAINING_SUMMARY).read_text())["malignant"]["note"]
    assert "not defined for a penalised fit: without penalty, no maximum" in note


def test_with_penalty_the_intervals_are_those_of_a_refit_without_penalty(tmp_path):
    table = quasi_separated().drop(columns="d")
    learnt.write(trained_on(table, params(**NO_PENALTY)), tmp_path / "free")
    learnt.write(trained_on(table, params()), tmp_path / "ridge")
    free, ridge = (pd.read_csv(tmp_path / name / paths.INFERENCE).set_index("feature") for name in ("free", "ridge"))
    assert ridge.loc["g = a", ["unpenalised", "lower"]].isna().all()
    beside = ridge.loc[free.index].drop(columns="coefficient").rename(columns={"unpenalised": "coefficient"})
    pd.testing.assert_frame_equal(beside[free.columns], free, rtol=1e-4, atol=1e-5)
    weights = pd.read_csv(tmp_path / "free" / paths.WEIGHTS).set_index("feature")
    assert weights.loc["x", "odds_ratio_per_unit_lower"] == pytest.approx(np.exp(free.loc["x", "lower"]), rel=1e-4)
    assert np.isnan(weights.loc["g = a", "odds_ratio_per_unit_lower"])
    assert "odds_ratio_per_unit_lower" not in pd.read_csv(tmp_path / "ridge" / paths.WEIGHTS)


@pytest.mark.parametrize(
    ("changes", "has_credible"),
    [
        ({"features": "curves"}, True),
        ({"features": "linear"}, True),
        ({"interactions": [["age", "backup"]]}, True),
        ({"features": "curves", "l1_ratio": 0.5, "optimizer": "nesterov"}, False),
    ],
)
def test_the_note_on_a_penalised_fit_promises_only_intervals_that_are_there(changes, has_credible, tmp_path):
    _, effects = written_effects(services(), tmp_path, **changes)
    (record,) = json.loads((tmp_path / paths.TRAINING_SUMMARY).read_text()).values()
    assert ("credible intervals" in record["note"]) == has_credible
    assert ("credible_lower" in pd.read_csv(tmp_path / paths.INFERENCE)) == has_credible
    assert "train.features" not in record["note"]
    bounds = effects[effects.index != "age x backup"].filter(like="credible")
    assert (bounds.shape[1] == 2) == has_credible
    assert bounds.notna().to_numpy().all()


@pytest.mark.parametrize("features", ["linear", "curves"])
def test_a_penalised_fit_has_the_credible_intervals_of_its_penalised_information(features, tmp_path):
    """With class weights and row weights; the oracle writes the information down, in the units of the table."""
    rng, n = np.random.default_rng(0), 300
    x, times = rng.normal(50, 9, n).round(), rng.integers(1, 4, n).astype(float)
    y = np.where(rng.random(n) < 1 / (1 + np.exp(-(x - 60) / 9)), "yes", "no")
    table = pd.DataFrame({"x": x, "y": pd.Series(y, dtype="str")})
    settings = params(features=features, class_weight="balanced").model_copy(update={"l2": 0.1})
    fitted = fit.train(table, settings, CellFormat(), times)
    learnt.write(fitted, tmp_path)
    weight = times * (times.sum() / 2 / pd.Series(times).groupby(y).transform("sum").to_numpy())
    Z = np.column_stack([fitted.rows.toarray(), np.ones(n)])
    w = np.append(fitted.fitted.coef_[0], fitted.fitted.intercept_)
    p = 1 / (1 + np.exp(-Z @ w))
    prior = np.diag([*[0.1 * weight.sum()] * (len(w) - 1), 0.0])
    C = np.linalg.inv((Z.T * (weight * p * (1 - p))) @ Z + prior)
    to_units = np.diag(np.append(1 / fitted.features.scale, 1.0))
    to_units[-1, 0] = -x.mean() / x.std()
    expected = 1.959964 * np.sqrt(np.diag(to_units @ C @ to_units.T))
    found = pd.read_csv(tmp_path / paths.INFERENCE)
    np.testing.assert_allclose(found["credible_upper"] - found["coefficient"], expected, rtol=1e-4)
    np.testing.assert_allclose(found["coefficient"] - found["credible_lower"], expected, rtol=1e-4)
    weights, effects = (pd.read_csv(tmp_path / file) for file in (paths.WEIGHTS, paths.EFFECTS))
    beside = weights.set_index("feature").loc[found["feature"][:-1]]
    lower, upper = (np.log(beside[f"odds_ratio_per_unit_credible_{end}"].to_numpy()) for end in ("lower", "upper"))
    np.testing.assert_allclose((upper - lower) / 2, expected[:-1], rtol=1e-4)
    ends = np.log(effects.filter(like="credible").to_numpy()[0])
    assert ends.mean() == pytest.approx(effects["weight_per_unit"][0], rel=1e-4)
    change = np.eye(1) / fitted.features.scale[0]
    if features == "curves":
        low, high = map(float, re.findall(r"from (\d+) to (\d+)", effects["feature"][0])[0])
        change = Z[[np.flatnonzero(x == high)[0]], :-1] - Z[[np.flatnonzero(x == low)[0]], :-1]
    reach = 1.959964 * np.sqrt((change @ C[:-1, :-1] @ change.T).item())
    assert (ends[1] - ends[0]) / 2 == pytest.approx(reach, rel=1e-4)
    if features == "curves":
        drawn = pd.read_csv(tmp_path / paths.CURVES_OF_FEATURES)
        F = Z[[int(np.flatnonzero(x == value)[0]) for value in drawn["value"].round()], :-1]
        band = 1.959964 * np.sqrt(np.diag(F @ C[:-1, :-1] @ F.T))
        np.testing.assert_allclose((drawn["upper"] - drawn["lower"]) / 2, band, rtol=1e-4)


def test_weights_are_sorted_by_effect(trained):
    effect = learnt.weights(trained)["weight_per_standard_deviation"].abs()
    assert effect.is_monotonic_decreasing


def test_firth_gives_a_category_of_one_class_a_finite_weight_with_an_interval(tmp_path):
    """The published example: Heinze and Schemper (2002), intervals of R's logistf."""
    table = pd.read_csv(ROOT / "tests" / "data" / "endometrial.csv").astype({"NV": "str", "HG": "str"})
    settings = params(**NO_PENALTY | {"tolerance": 1e-9}, penalty="firth", min_rows=1)
    learnt.write(trained_on(table, settings), tmp_path)
    found = pd.read_csv(tmp_path / paths.INFERENCE).set_index("feature")
    assert found["coefficient"].tolist() == pytest.approx([-0.03475175, -2.60416387, 2.92927330, 3.77455951], rel=1e-5)
    assert found.loc["NV = 1", ["lower", "upper"]].tolist() == pytest.approx([0.6097244, 7.85463171], rel=1e-5)
    summary = json.loads((tmp_path / paths.TRAINING_SUMMARY).read_text())["1"]
    assert "profile of Firth's penalised likelihood" in summary["note"]


def test_without_penalty_few_rows_per_coefficient_are_a_warning():
    table = quasi_separated().drop(columns="d").iloc[:40]
    with pytest.warns(UserWarning, match=r"only \d+ rows of '(yes|no)' for 4 coefficients \(.*fewer than 10\)"):
        trained_on(table, params(**NO_PENALTY, min_rows=1))


def test_firth_refuses_what_it_is_not_made_for():
    with pytest.raises(UserError, match=r"is for two classes, but there are 3.*train.lambda=0.01"):
        trained_on(bundled("iris"), params(**NO_PENALTY, penalty="firth"))
    with pytest.raises(ValueError, match=r"-S train.penalty=firth -S train.lambda=0 -S optimizer=newton"):
        params(penalty="firth")


def test_clustered_standard_errors_need_groups():
    assert intervals.cluster_codes(pd.Series(["a", "b", "a"], name="group"), "cluster").tolist() == [0, 1, 0]
    with pytest.raises(UserError, match=r"-S split=group -S split.column=patient"):
        intervals.cluster_codes(None, "cluster")


def test_without_penalty_the_weights_of_categories_are_the_limit_of_ever_smaller_penalties():
    colours, classes = ["red", "blue", "green", "red", "blue", "green", "red"] * 20, list("abababba") * 18
    table = pd.DataFrame({"colour": colours, "y": classes[: len(colours)]}).astype("str")
    newton = {"optimizer": "newton", "learning_rate": "auto", "tolerance": 1e-12}
    none, other_start, tiny = (
        learnt.weights(trained_on(table, params(**newton, **changes)))["weight_per_unit"]
        for changes in ({"lambda": 0.0}, {"lambda": 0.0, "seed": 1}, {"lambda": 1e-9})
    )
    np.testing.assert_allclose(none, other_start, atol=1e-7)
    np.testing.assert_allclose(none, tiny, atol=1e-6)


def test_the_model_predicts_from_weights_as_they_are_written(breast_cancer, trained):
    for part in (trained.fitted.coef_, trained.fitted.intercept_):
        np.testing.assert_array_equal(part, formats.significant(part, formats.WEIGHT_DIGITS))


@pytest.mark.parametrize("settings", [{"multiclass": "softmax"}, {"l1_ratio": 1.0}])
def test_a_softmax_and_a_lasso_are_written_with_what_is_defined_for_them(tmp_path, settings):
    table = bundled("wine")
    trained = trained_on(table, params(optimizer="newton", learning_rate="auto", **settings))
    learnt.write(trained, tmp_path)
    summary = json.loads((tmp_path / paths.TRAINING_SUMMARY).read_text())
    assert set(summary) == {"class_0", "class_1", "class_2"}
    weights = pd.read_csv(tmp_path / paths.WEIGHTS)
    P = trained.model.probabilities(table.iloc[:, :-1])
    if "l1_ratio" in settings:
        assert (weights["weight_per_unit"] == 0).mean() > 0.3
    else:
        assert summary["class_0"]["note"].startswith("the classes are one model (softmax)")
        expected = -2 * np.log(P[np.arange(len(P)), pd.factorize(table["target"], sort=True)[0]]).sum()
        assert summary["class_1"]["deviance"] == pytest.approx(expected)
        columns = ["class", "feature", "coefficient", "credible_lower", "credible_upper"]
        assert list(pd.read_csv(tmp_path / paths.INFERENCE)) == columns
        assert "credible intervals" in summary["class_0"]["note"]


@pytest.mark.parametrize("features", ["linear", "curves"])
def test_the_classes_of_a_softmax_have_the_credible_intervals_of_their_joint_information(features, tmp_path):
    """The oracle writes it down row by row, for intercepts whose sum is fixed."""
    rng, n = np.random.default_rng(0), 300
    x, times = rng.normal(50, 9, n).round(), rng.integers(1, 4, n).astype(float)
    z = np.column_stack([np.zeros(n), (x - 50) / 9, (x - 50) ** 2 / 81]) + rng.gumbel(size=(n, 3))
    table = pd.DataFrame({"x": x, "y": pd.Series(np.array(["a", "b", "c"])[z.argmax(axis=1)], dtype="str")})
    settings = params(features=features, multiclass="softmax", optimizer="newton", learning_rate="auto")
    fitted = fit.train(table, settings.model_copy(update={"l2": 0.1}), CellFormat(), times)
    learnt.write(fitted, tmp_path)
    Z = np.column_stack([fitted.rows.toarray(), np.ones(n)])
    P, p = fitted.model.probabilities(table[["x"]]), Z.shape[1]
    H = np.diag(np.tile([*[0.1 * times.sum()] * (p - 1), 0.0], 3))
    for row, shares, often in zip(Z, P, times, strict=True):
        H += often * np.kron(np.diag(shares) - np.outer(shares, shares), np.outer(row, row))
    free = np.zeros((3 * p, 3 * p - 1))
    others = np.arange(3 * p) % p < p - 1
    free[np.ix_(others, np.arange(3 * p - 3))] = np.eye(3 * p - 3)
    free[~others, -2:] = np.linalg.svd(np.ones((1, 3)))[2][1:].T
    C = free @ np.linalg.inv(free.T @ H @ free) @ free.T
    found = pd.read_csv(tmp_path / paths.INFERENCE)
    for k, label in enumerate("abc"):
        of_class = C[k * p : (k + 1) * p, k * p : (k + 1) * p]
        to_units = np.diag(np.append(1 / fitted.features.scale, 1.0))
        to_units[-1, :-1] = -fitted.features.centre / fitted.features.scale
        expected = 1.959964 * np.sqrt(np.diag(to_units @ of_class @ to_units.T))
        rows = found[found["class"] == label]
        np.testing.assert_allclose(rows["credible_upper"] - rows["coefficient"], expected, rtol=1e-4)
        np.testing.assert_allclose(rows["coefficient"] - rows["credible_lower"], expected, rtol=1e-4)
        if features == "curves":
            drawn = pd.read_csv(tmp_path / paths.CURVES_OF_FEATURES).query("`class` == @label")
            F = Z[[int(np.flatnonzero(x == value)[0]) for value in drawn["value"].round()], :-1]
            band = 1.959964 * np.sqrt(np.diag(F @ of_class[:-1, :-1] @ F.T))
            np.testing.assert_allclose((drawn["upper"] - drawn["lower"]) / 2, band, rtol=1e-4)


def test_thousands_of_categories_train_and_are_written_with_their_weights(tmp_path):
    rng, n = np.random.default_rng(0), 30_000
    city = (9_000 * rng.random(n) ** 2).astype(int)
    outcome = np.where(rng.normal(size=9_000)[city] + rng.logistic(size=n) > 0, "yes", "no")
    table = pd.DataFrame({"age": rng.normal(size=n), "city": np.char.mod("c%05d", city), "outcome": outcome})
    table = table.astype({"city": "str", "outcome": "str"})
    settings = params(**{"lambda": 1e-4}, optimizer="quasi_newton", learning_rate="auto")
    learnt.write(trained_on(table, settings), tmp_path)
    weights = pd.read_csv(tmp_path / paths.WEIGHTS)
    assert len(weights) == 1 + len(set(city))
    rare, frequent = (weights.loc[weights["feature"] == f"city = c{k:05d}", "weight_per_unit"].abs() for k in (8999, 0))
    assert rare.item() < frequent.item()  # ridge shrinks what few rows show
    assert pd.read_csv(tmp_path / paths.INFERENCE)["coefficient"].notna().all()


def test_rows_that_stay_on_disk_train_the_same_model(tmp_path):
    table = pd.read_csv(ROOT / "tests" / "data" / "penguins.csv").astype({"year": float}).dropna(subset="sex")
    table = table[[*table.columns.drop("sex"), "sex"]].reset_index(drop=True)
    stored.save_table(table, tmp_path / "rows.parquet")
    for folder, rows in {"memory": table, "disk": stored.StoredTable(tmp_path / "rows.parquet")}.items():
        learnt.write(trained_on(rows, params(features="curves")), tmp_path / folder)
    assert contents(tmp_path / "memory") == contents(tmp_path / "disk")


@pytest.mark.parametrize("optimizer", ["quasi_newton", "gradient_descent"])
def test_the_size_and_the_place_of_blocks_do_not_change_a_written_byte(tmp_path, monkeypatch, optimizer):
    rng, n = np.random.default_rng(0), 30_000
    numbers = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    table = numbers.assign(city=pd.Series(np.char.mod("c%03d", rng.integers(0, 300, n)), dtype="str"))
    table["y"] = pd.Series(np.where(numbers["a"] + rng.logistic(size=n) > 0, "yes", "no"), dtype="str")
    settings = params(optimizer=optimizer, learning_rate="auto", max_iterations=40)
    learnt.write(trained_on(table, settings), tmp_path / "whole")
    monkeypatch.setattr("pipeline.logistic.blocks.BLOCK_BYTES", 50_000)
    make = Design.blocks

    def cut_and_on_disk(design: Design, rows: pd.DataFrame) -> list[Block]:
        blocks = [make(design, rows, [cut])[0] for cut in np.array_split(np.arange(len(rows)), 7)]
        assert all(isinstance(part, np.memmap) for block in blocks for part in (block.dense, block.codes))
        return blocks

    monkeypatch.setattr("pipeline.columns.terms.design.Matrix", lambda blocks: Matrix(blocks[0]))
    monkeypatch.setattr(Design, "block", cut_and_on_disk)
    with compute.mapped_beyond(0, str(tmp_path / "rows")):
        learnt.write(trained_on(table, settings), tmp_path / "cut")
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")

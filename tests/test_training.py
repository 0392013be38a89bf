import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import train_params
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from pipeline import model, outputs, tables
from pipeline.errors import UserError
from pipeline.stages import train
from pipeline.stages.load import bundled


def params(**changes):
    return train_params(**{"lambda": 0.05, "tolerance": 1e-8, "learning_rate": 0.25, **changes})


@pytest.fixture(scope="module")
def breast_cancer():
    return bundled("breast_cancer")


@pytest.fixture(scope="module")
def trained(breast_cancer):
    return train.train(breast_cancer, params())


def test_gradient_descent_finds_the_optimum_that_scikit_learn_finds(breast_cancer, trained):
    X, y = tables.features_and_target(breast_cancer)
    oracle = LogisticRegression(C=1 / (len(X) * 0.05), tol=1e-10, max_iter=1000).fit(
        StandardScaler().fit_transform(X), y
    )
    np.testing.assert_allclose(trained.model["classify"].coef_, oracle.coef_, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(trained.model["classify"].intercept_, oracle.intercept_, rtol=1e-4)


def test_many_classes_train_as_scikit_learn_trains_them_one_vs_rest():
    wine = bundled("wine")
    X, y = tables.features_and_target(wine)
    fitted = train.train(wine, params()).model
    oracle = OneVsRestClassifier(LogisticRegression(C=1 / (len(X) * 0.05), tol=1e-10))
    oracle.fit(StandardScaler().fit_transform(X), y)
    np.testing.assert_allclose(
        fitted.predict_proba(X), oracle.predict_proba(StandardScaler().fit_transform(X)), atol=1e-5
    )


def test_costs_begin_at_the_random_start_and_fall(breast_cancer, trained):
    costs = train.costs(trained.model)
    X, y = tables.features_and_target(breast_cancer)
    w = trained.start["classify"].coef_
    log_loss = -np.log(trained.start.predict_proba(X)[np.arange(len(y)), (y == "malignant").astype(int)]).mean()
    assert costs["iteration"].tolist() == list(range(len(costs)))
    assert costs["cost"][0] == pytest.approx(log_loss + 0.05 / 2 * (w**2).sum(), rel=1e-9)
    assert (np.diff(costs["cost"]) < 1e-15).all()


def test_costs_of_many_classes_are_their_mean_and_a_column_each():
    costs = train.costs(train.train(bundled("iris"), params()).model)
    assert list(costs.columns) == ["iteration", "cost", "cost/setosa", "cost/versicolor", "cost/virginica"]
    classes = costs[list(costs.columns[2:])].ffill()
    pd.testing.assert_series_equal(costs["cost"], classes.mean(axis="columns"), check_names=False)


def test_features_that_would_share_a_name_are_refused():
    table = pd.DataFrame({"age": [1.0, np.nan] * 20, "age is missing": [1.0, 2.0] * 20, "y": ["a", "b", "b", "a"] * 10})
    with pytest.raises(UserError, match="Two features are called 'age is missing'"):
        train.train(table, params())


def test_the_random_start_comes_from_the_seed(breast_cancer, trained):
    again = train.train(breast_cancer, params(max_iterations=1)).start
    other = train.train(breast_cancer, params(max_iterations=1, seed=1)).start
    np.testing.assert_array_equal(again["classify"].coef_, trained.start["classify"].coef_)
    assert not np.allclose(other["classify"].coef_, trained.start["classify"].coef_)


def test_weights_per_unit_reproduce_the_margin_on_raw_features(breast_cancer, trained):
    X, _ = tables.features_and_target(breast_cancer)
    weights = train.weights(trained.model)
    margin = X.to_numpy() @ weights["weight_per_unit"].to_numpy()
    difference = trained.model.decision_function(X) - margin
    np.testing.assert_allclose(difference, difference[0], atol=1e-9)
    np.testing.assert_allclose(
        np.log(weights["odds_ratio_per_unit"]), weights["weight_per_unit"], rtol=1e-9, atol=1e-12
    )


def test_the_summary_says_how_training_stopped(breast_cancer, trained):
    assert "under the tolerance" in train.summary(trained.model)["malignant"]["stopped"]
    short = train.train(breast_cancer, params(max_iterations=3)).model
    summary = train.summary(short)["malignant"]
    assert summary["iterations"] == 3
    assert "iterations ran out" in summary["stopped"]


def test_a_learning_rate_that_is_too_large_is_named_with_one_that_is_safe(breast_cancer):
    with pytest.raises(UserError) as caught:
        train.train(breast_cancer, params(learning_rate=1e6))
    message = str(caught.value)
    assert "learning rate 1e+06" in message
    assert "iteration" in message
    scaled = StandardScaler().fit_transform(breast_cancer.iloc[:, :-1])
    scaled = np.column_stack([scaled, np.ones(len(scaled))])
    safe = 1 / (np.linalg.eigvalsh(scaled.T @ scaled / (4 * len(scaled)))[-1] + 0.05)
    assert f"{safe:.3g}" in message


def test_scaling_is_fitted_on_the_training_rows(breast_cancer):
    rows = breast_cancer.iloc[:300]
    X, y = tables.features_and_target(rows)
    fitted = model.build(params(optimizer="newton"), X).fit(X, y)
    np.testing.assert_allclose(fitted["scale"].mean_, rows.iloc[:, :-1].mean())


def test_the_positive_class_is_a_persons_choice_and_the_model_its_mirror_image(breast_cancer, trained):
    mirrored = train.train(breast_cancer, params(positive="benign"))
    X, _ = tables.features_and_target(breast_cancer)
    assert mirrored.model.classes_.tolist() == ["malignant", "benign"]
    np.testing.assert_array_equal(mirrored.model.predict(X), trained.model.predict(X))
    np.testing.assert_allclose(mirrored.model.predict_proba(X)[:, ::-1], trained.model.predict_proba(X), atol=1e-12)
    weights = train.weights(mirrored.model)
    assert set(weights["class"]) == {"benign"}
    np.testing.assert_array_equal(
        weights["weight_per_unit"], -train.weights(trained.model)["weight_per_unit"].to_numpy()
    )


@pytest.mark.parametrize(("data", "positive"), [("breast_cancer", "bening"), ("wine", "class_1")])
def test_a_positive_class_that_cannot_be_is_named(data, positive):
    with pytest.raises(UserError, match=f"train.positive = '{positive}' should be one of two classes; the classes are"):
        train.train(bundled(data), params(positive=positive))


def test_balanced_classes_weigh_the_same():
    table = bundled("breast_cancer").iloc[100:350]
    X, y = tables.features_and_target(table)
    fitted = train.train(table, params(class_weight="balanced")).model
    oracle = LogisticRegression(C=1 / (len(X) * 0.05), class_weight="balanced", tol=1e-10, max_iter=1000)
    oracle.fit(StandardScaler().fit_transform(X), y)
    np.testing.assert_allclose(fitted["classify"].coef_, oracle.coef_, rtol=1e-3, atol=1e-5)


def test_weights_name_the_levels_of_words():
    table = pd.DataFrame({"colour": ["red", "red", "blue", "blue"] * 10, "y": ["a", "a", "b", "a"] * 10}).astype("str")
    weights = train.train(table, params()).model
    named = train.weights(weights).set_index("feature")["odds_ratio_per_unit"]
    assert named["colour = blue"] > 1 > named["colour = red"]


def test_without_penalty_the_coefficients_come_with_the_published_standard_errors(tmp_path):
    """Graduate admissions: https://stats.oarc.ucla.edu/r/dae/logit-regression/"""
    admissions = pd.read_csv(Path(__file__).parents[1] / "data" / "ucla_binary.csv")
    ranks = {f"rank {rank}": (admissions["rank"] == rank).astype(float) for rank in (2, 3, 4)}
    table = admissions[["gre", "gpa", "admit"]].assign(**ranks)[["gre", "gpa", *ranks, "admit"]]
    params = train_params(**{"lambda": 0}, optimizer="newton", learning_rate="auto", tolerance=1e-10)
    train.write(train.train(table, params), table, tmp_path)
    found = pd.read_csv(tmp_path / outputs.INFERENCE).set_index("feature")
    assert found.loc["gre", "coefficient"] == pytest.approx(0.002264, abs=1e-6)
    assert found.loc["gre", "standard_error"] == pytest.approx(0.001094, abs=1e-6)
    assert found.loc["gpa", "coefficient"] == pytest.approx(0.804038, abs=1e-6)
    assert found.loc["gpa", "standard_error"] == pytest.approx(0.331819, abs=1e-6)
    assert found.loc["(intercept)", "coefficient"] == pytest.approx(-3.989979, abs=1e-6)
    assert found.loc["(intercept)", "standard_error"] == pytest.approx(1.139951, abs=1e-6)
    assert json.loads((tmp_path / outputs.TRAINING_SUMMARY).read_text())["1"]["deviance"] == pytest.approx(
        458.517, abs=1e-3
    )


def test_with_penalty_standard_errors_are_left_out_and_that_is_said(tmp_path, breast_cancer, trained):
    train.write(trained, breast_cancer, tmp_path)
    assert list(pd.read_csv(tmp_path / outputs.INFERENCE)) == ["class", "feature", "coefficient"]
    assert "not defined" in json.loads((tmp_path / outputs.TRAINING_SUMMARY).read_text())["malignant"]["note"]

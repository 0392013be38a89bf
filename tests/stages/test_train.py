import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from pipeline import model, tables
from pipeline.config import Train
from pipeline.errors import UserError
from pipeline.stages import train
from pipeline.stages.load import bundled


def params(**changes) -> Train:
    defaults = {"lambda": 0.05, "tolerance": 1e-8, "seed": 0, "optimizer": "gradient_descent"}
    return Train(**{**defaults, "learning_rate": 0.25, "max_iterations": 10_000, **changes})


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
    assert list(costs.columns) == ["iteration", "cost", "setosa", "versicolor", "virginica"]
    classes = costs[["setosa", "versicolor", "virginica"]].ffill()
    pd.testing.assert_series_equal(costs["cost"], classes.mean(axis="columns"), check_names=False)


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
    fitted = model.build(params(optimizer="newton")).fit(*tables.features_and_target(rows))
    np.testing.assert_allclose(fitted["scale"].mean_, rows.iloc[:, :-1].mean())

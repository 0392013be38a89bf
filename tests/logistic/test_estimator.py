import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn import datasets, linear_model
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from pipeline.logistic import LogisticRegression
from pipeline.logistic.loss import log_loss, predicted
from tests.logistic.reference import EXPECTED, breast_cancer, standardized

NEWTON = {"optimizer": "newton", "tol": 1e-10}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([LogisticRegression(), LogisticRegression(optimizer="newton")])
def test_scikit_learns_own_checks_pass(estimator, check):
    check(estimator)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 1.0, 1: 3.0}])
def test_fit_equals_scikit_learn_with_c_one_over_total_weight_times_l2(weighted, class_weight):
    X, y = breast_cancer()
    weight = np.random.default_rng(0).uniform(0, 2, len(y)) if weighted else None
    total = np.ones(len(y)) if weight is None else weight
    if class_weight == "balanced":
        total = total * (total.sum() / (2 * np.bincount(y, total)))[y]
    elif class_weight:
        total = total * np.where(y == 1, 3.0, 1.0)
    ours = LogisticRegression(0.01, class_weight=class_weight, **NEWTON).fit(X, y, weight)
    # scikit-learn's balanced weights ignore sample_weight, so it gets the product.
    theirs = linear_model.LogisticRegression(C=1 / (0.01 * total.sum()), solver="newton-cholesky", tol=1e-12)
    theirs.fit(X, y, total)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-8)


@pytest.mark.parametrize("name", ["iris", "wine"])
def test_one_vs_rest_matches_the_published_optima(name):
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    X, expected = standardized(X), EXPECTED[f"{name}_std_ovr_lam1"]
    model = LogisticRegression(1 / len(X), **NEWTON).fit(X, y)
    costs = log_loss(model.decision_function(X), y[:, None] == np.arange(3)).mean(axis=0)
    costs += model.l2 / 2 * np.sum(model.coef_**2, axis=1)
    np.testing.assert_allclose(costs, expected["J_per_class"], rtol=1e-10)
    np.testing.assert_allclose(model.intercept_, expected["intercepts"], rtol=1e-6)
    np.testing.assert_allclose(np.sum(model.coef_**2, axis=1), expected["w_norm2"], rtol=1e-6)
    assert (model.predict(X) == y).sum() == expected["train_correct"]
    np.testing.assert_allclose(
        [model.cost_history_[stop, k] for k, stop in enumerate(model.n_iter_)], costs, rtol=1e-10
    )


def test_one_vs_rest_equals_scikit_learns_meta_estimator():
    X, y = datasets.load_digits(return_X_y=True)
    X = X / 16
    names = np.array([f"digit {label}" for label in range(10)])
    ours = LogisticRegression(0.01, **NEWTON).fit(X, names[y])
    inner = linear_model.LogisticRegression(C=1 / (0.01 * len(X)), solver="newton-cholesky", tol=1e-10)
    theirs = OneVsRestClassifier(inner).fit(X, names[y])
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-7)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


def test_the_class_is_that_of_the_highest_margin_where_probabilities_are_equal():
    X, y = datasets.load_digits(return_X_y=True)
    model = LogisticRegression(0.01, max_iter=50, optimizer="newton").fit(X / 16, y)
    far = X * 50
    assert (model.predict_proba(far).argmax(axis=1) != model.predict(far)).any()
    np.testing.assert_array_equal(model.predict(far), model.decision_function(far).argmax(axis=1))
    np.testing.assert_array_equal(model.predict(far), model.classes_[predicted(model.decision_function(far))])


def test_a_class_weight_for_a_class_that_does_not_exist_is_an_error():
    X, y = breast_cancer()
    with pytest.raises(ValueError, match=r"class_weight has a weight for 'yes', but the classes of y are \[0, 1\]"):
        LogisticRegression(class_weight={0: 1.0, "yes": 2.0}).fit(X, y)


def test_fits_inside_scikit_learns_tools():
    X, y = datasets.load_breast_cancer(return_X_y=True)
    pipe = make_pipeline(StandardScaler(), LogisticRegression(optimizer="newton"))
    search = GridSearchCV(pipe, {"logisticregression__l2": [0.001, 0.1]}, cv=3, scoring="neg_log_loss").fit(X, y)
    assert search.best_params_["logisticregression__l2"] == 0.001
    assert cross_val_score(pipe, X, y, cv=3).mean() > 0.96
    assert CalibratedClassifierCV(pipe, cv=3).fit(X, y).score(X, y) > 0.96


def test_clones_and_pickles():
    X, y = breast_cancer()
    model = LogisticRegression(0.1, **NEWTON).fit(X, y)
    assert clone(model).get_params() == model.get_params()
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.stop_reason_ == model.stop_reason_


def test_random_start_is_seeded_and_stays_with_zero_iterations():
    X, y = breast_cancer()
    models = [LogisticRegression(init="random", random_state=seed, max_iter=0).fit(X, y) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(models[0].coef_, models[1].coef_)
    assert (models[0].coef_ != models[2].coef_).all()
    assert models[0].n_iter_[0] == 0
    expected = log_loss(models[0].decision_function(X), y).mean() + 0.005 * np.sum(models[0].coef_ ** 2)
    np.testing.assert_allclose(models[0].cost_history_, [expected])


def test_the_same_fit_twice_gives_the_same_bytes():
    X, y = breast_cancer()
    one, two = (LogisticRegression(optimizer="quasi_newton").fit(X, y) for _ in range(2))
    assert one.coef_.tobytes() == two.coef_.tobytes()
    assert one.cost_history_.tobytes() == two.cost_history_.tobytes()


def test_memory_layout_does_not_matter():
    X, y = datasets.make_classification(20_000, 12, random_state=0)
    row_major = LogisticRegression(0.01, **NEWTON).fit(np.ascontiguousarray(X), y)
    column_major = LogisticRegression(0.01, **NEWTON).fit(np.asfortranarray(X), y)
    np.testing.assert_allclose(column_major.coef_, row_major.coef_, rtol=1e-10)


def test_without_intercept_the_intercept_is_zero():
    X, y = breast_cancer()
    assert LogisticRegression(0.1, fit_intercept=False, init="random", random_state=0).fit(X, y).intercept_ == [0]


def test_callback_sees_iterations_and_falling_costs():
    X, y = breast_cancer()
    seen = []
    model = LogisticRegression(0.1).fit(X, y, callback=lambda iteration, cost: seen.append((iteration, cost)))
    iterations, costs = np.array(seen).T
    assert (np.diff(iterations) > 0).all()
    assert (np.diff(costs[:-1]) < 0).all()
    assert iterations[-1] >= model.n_iter_[0]


@pytest.mark.parametrize("multiclass", ["one_vs_rest", "softmax"])
@pytest.mark.parametrize("optimizer", ["gradient_descent", "newton", "quasi_newton"])
def test_callback_sees_the_mean_cost_of_all_classes_also_of_those_that_converged(optimizer, multiclass):
    X, y = datasets.load_wine(return_X_y=True)
    seen = []
    model = LogisticRegression(0.1, optimizer=optimizer, multiclass=multiclass, init="random", random_state=0)
    model.fit(standardized(X), y, callback=lambda *now: seen.append(now))
    assert multiclass == "softmax" or len(set(model.n_iter_)) > 1
    last = np.array(model.cost_history_).reshape(-1, 3)
    for t in range(1, len(last)):
        last[t] = np.where(np.isnan(last[t]), last[t - 1], last[t])
    for iteration, cost in seen:
        assert cost == pytest.approx(last[min(iteration, len(last) - 1)].mean(), rel=1e-12)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("l2", -1), ("l2", np.nan), ("learning_rate", 0), ("learning_rate", "fast"), ("optimizer", "adam"),
     ("max_iter", -1), ("max_iter", 1.5), ("tol", -1e-3), ("init", "ones"), ("class_weight", "equal"),
     ("class_weight", {0: -1.0}), ("class_weight", {1: np.nan})],
)  # fmt: skip
def test_a_parameter_out_of_range_is_named_with_what_is_allowed(parameter, value):
    with pytest.raises(ValueError, match=f"{parameter} = .* is not allowed: it must be"):
        LogisticRegression(**{parameter: value}).fit([[0.0], [1.0]], [0, 1])


@pytest.mark.parametrize("optimizer", ["gradient_descent", "newton", "quasi_newton"])
def test_zero_iterations_leave_the_start_on_large_data_too(optimizer):
    X, y = datasets.make_classification(90_000, 5, random_state=0)
    model = LogisticRegression(optimizer=optimizer, max_iter=0).fit(X, y)
    assert (model.coef_ == 0).all()
    np.testing.assert_allclose(model.cost_history_, [np.log(2)], rtol=1e-12)


@pytest.mark.parametrize(
    ("settings", "n_features", "used"),
    [
        ({"optimizer": "newton", "l1_ratio": 0.5, "multiclass": "softmax"}, 3, "nesterov"),
        ({"optimizer": "quasi_newton", "l1_ratio": 1.0, "multiclass": "softmax"}, 3, "nesterov"),
        ({"optimizer": "quasi_newton", "l1_ratio": 0.5}, 3, "newton"),
        ({"optimizer": "newton", "l1_ratio": 0.5}, 2_100, "nesterov"),
        ({"optimizer": "newton"}, 2_100, "quasi_newton"),
        ({"optimizer": "newton", "multiclass": "softmax"}, 700, "quasi_newton"),
    ],
)
def test_an_optimizer_that_takes_the_place_of_the_one_asked_for_is_named_and_is_the_same(settings, n_features, used):
    random = np.random.default_rng(0)
    y = np.arange(n_features + 40) % 3
    X = sparse.random(len(y), n_features, 0.01, format="csr", random_state=0)
    X[:, :3] = random.normal(size=(len(y), 3))
    settings = {"l2": 0.1, "max_iter": 2, **settings}
    with pytest.warns(UserWarning, match=rf"optimizer = {settings['optimizer']} can't.*set optimizer to {used}\."):
        exchanged = LogisticRegression(**settings).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        asked = LogisticRegression(**settings | {"optimizer": used}).fit(X, y)
    np.testing.assert_array_equal(exchanged.coef_, asked.coef_)


@pytest.mark.parametrize("optimizer", ["newton", "quasi_newton"])
def test_a_learning_rate_without_use_is_a_warning_whose_ways_out_work(optimizer):
    X, y = breast_cancer()
    settings = {"max_iter": 1, "optimizer": optimizer, "learning_rate": 0.01}
    with pytest.warns(
        UserWarning,
        match=r"learning_rate = 0.01 is not used.*set optimizer to gradient_descent; .*learning_rate to auto\.",
    ):
        LogisticRegression(**settings).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        for way_out in ({"optimizer": "gradient_descent"}, {"learning_rate": "auto"}):
            LogisticRegression(**settings | way_out).fit(X, y)

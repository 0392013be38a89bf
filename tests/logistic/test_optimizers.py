import numpy as np
import pytest
from sklearn import datasets, linear_model
from sklearn.exceptions import ConvergenceWarning

from pipeline.logistic import DivergenceError, LogisticRegression
from pipeline.logistic.fast_objective import FastObjective
from pipeline.logistic.first_order import Gradient
from pipeline.logistic.fitting import fit_columns
from pipeline.logistic.loss import log_loss
from pipeline.logistic.newton import Newton
from pipeline.logistic.objective import cost, gradient
from pipeline.logistic.optimizers import OPTIMIZERS
from pipeline.logistic.penalty import ElasticNet, Ridge
from pipeline.logistic.search import FixedStep, Halving
from tests.logistic.reference import BINARY, EXPECTED, breast_cancer, exam_scores, standardized


def cost_of(model, X, y):
    penalty = model.l2 / 2 * np.sum(model.coef_**2, axis=1)
    return log_loss(X @ model.coef_[0] + model.intercept_[0], y).mean() + penalty[0]


@pytest.mark.parametrize("name", BINARY)
def test_newton_finds_the_published_optimum(name):
    X, y = BINARY[name]()
    expected = EXPECTED[name]
    model = LogisticRegression(
        expected["lam_sum"] / len(X), optimizer="newton", tol=1e-9, fit_intercept=expected["intercept"] != 0
    ).fit(X, y)
    assert cost_of(model, X, y) == pytest.approx(expected["J"], rel=1e-10)
    np.testing.assert_allclose(model.coef_[0], expected["coef"], rtol=1e-6, atol=1e-9)
    assert model.intercept_[0] == pytest.approx(expected["intercept"], rel=1e-6)
    assert (model.predict(X) == y).sum() == expected["train_correct"]
    assert model.n_iter_[0] < 20


@pytest.mark.parametrize("optimizer", ["gradient_descent", "nesterov", "quasi_newton"])
@pytest.mark.parametrize("name", ["breast_cancer_std_lam10", "heart_scale_lam1", "ng_ex2_2_lam100"])
def test_first_order_optimizers_find_the_same_optimum(optimizer, name):
    X, y = BINARY[name]()
    expected = EXPECTED[name]
    l2 = expected["lam_sum"] / len(X)
    model = LogisticRegression(l2, optimizer=optimizer, tol=1e-8, max_iter=50_000).fit(X, y)
    assert cost_of(model, X, y) == pytest.approx(expected["J"], rel=1e-10)
    np.testing.assert_allclose(model.coef_[0], expected["coef"], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("optimizer", ["gradient_descent", "nesterov"])
def test_fixed_steps_reach_the_unpenalised_optimum_on_scaled_features(optimizer):
    X, y = exam_scores()
    model = LogisticRegression(0.0, optimizer=optimizer, tol=1e-8, max_iter=100_000).fit(standardized(X), y)
    assert cost_of(model, standardized(X), y) == pytest.approx(EXPECTED["ng_ex2_1_opt"]["J"], rel=1e-8)
    np.testing.assert_allclose(model.coef_[0] / X.std(axis=0), EXPECTED["ng_ex2_1_opt"]["coef"], rtol=1e-5)


def test_quasi_newton_started_from_a_sample_finds_the_optimum_of_all_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90_000, 4)) @ rng.normal(size=(4, 4))
    y = (X @ [1, -1, 0.5, 0] + rng.logistic(size=len(X)) > 1).astype(int)
    exact = LogisticRegression(1e-4, optimizer="newton", tol=1e-10).fit(X, y)
    sampled = LogisticRegression(1e-4, optimizer="quasi_newton", tol=1e-8).fit(X, y)
    np.testing.assert_allclose(sampled.coef_, exact.coef_, rtol=1e-6)
    np.testing.assert_allclose(sampled.intercept_, exact.intercept_, rtol=1e-6)


@pytest.mark.parametrize("optimizer", ["gradient_descent", "newton", "quasi_newton"])
def test_the_cost_never_rises(optimizer):
    X, y = breast_cancer()
    start = {"init": "random", "random_state": 3}
    costs = LogisticRegression(0.01, optimizer=optimizer, tol=1e-5, **start).fit(X, y).cost_history_
    assert (np.diff(costs) <= 1e-14 * costs[:-1]).all()


def test_cost_history_starts_with_the_start_and_ends_with_the_model():
    X, y = breast_cancer()
    model = LogisticRegression(0.01).fit(X, y)
    assert model.cost_history_[0] == pytest.approx(np.log(2), rel=1e-14)
    assert model.cost_history_[-1] == pytest.approx(cost_of(model, X, y), rel=1e-13)
    assert len(model.cost_history_) == model.n_iter_[0] + 1
    assert model.status_.tolist() == ["converged"]
    assert model.stop_reason_[0].startswith("the gradient norm is under the tolerance (")
    assert "tolerance 1e-06" in model.stop_reason_[0]


def test_one_step_is_the_learning_rate_times_the_gradient():
    X, y = breast_cancer()
    with pytest.warns(ConvergenceWarning):
        model = LogisticRegression(0.1, learning_rate=0.5, max_iter=1).fit(X, y)
    np.testing.assert_allclose(model.coef_[0], -0.5 * X.T @ (0.5 - y) / len(X), rtol=1e-12)
    np.testing.assert_allclose(model.intercept_[0], -0.5 * np.mean(0.5 - y), rtol=1e-12)


def test_iterations_that_ran_out_are_a_warning_with_the_reason():
    X, y = breast_cancer()
    with pytest.warns(ConvergenceWarning, match="iterations ran out .*7 iterations, gradient norm .*, tolerance 1e-06"):
        model = LogisticRegression(0.01, max_iter=7).fit(X, y)
    assert len(model.cost_history_) == 8
    assert model.n_iter_[0] == 7


def test_divergence_names_learning_rate_iteration_cost_and_a_rate_that_is_safe():
    X, y = breast_cancer()
    with pytest.raises(DivergenceError, match=r"learning rate 50: the cost was .* at iteration") as caught:
        LogisticRegression(1.0, learning_rate=50).fit(X, y)
    error = caught.value
    assert error.learning_rate == 50
    assert error.iteration >= 1
    assert not error.cost <= 2 * np.log(2)
    assert f"{error.safe_learning_rate:.3g} is safe" in str(error)
    LogisticRegression(1.0, learning_rate=error.safe_learning_rate).fit(X, y)


@pytest.mark.parametrize("optimizer", ["gradient_descent", "nesterov", "newton", "quasi_newton"])
def test_separable_classes_without_penalty_end_finite_and_say_so(optimizer):
    X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    with pytest.warns(ConvergenceWarning, match="a plane separates the classes, .* without l2 the cost has no minimum"):
        model = LogisticRegression(0.0, optimizer=optimizer, max_iter=200).fit(X, [0, 0, 1, 1])
    assert np.isfinite(model.coef_).all()
    assert model.coef_[0, 0] > 0


def test_newton_survives_features_that_repeat_each_other_or_are_constant():
    X, y = exam_scores()
    plain = LogisticRegression(0.0, optimizer="newton").fit(X, y)
    doubled = np.column_stack([X, X[:, 0], np.full(len(X), 3.0), np.zeros(len(X))])
    model = LogisticRegression(0.0, optimizer="newton").fit(doubled, y)
    np.testing.assert_allclose(model.decision_function(doubled), plain.decision_function(X), rtol=1e-6)


@pytest.mark.filterwarnings("error")
def test_a_tolerance_below_rounding_ends_the_fit_at_the_optimum_with_the_reason_but_no_warning():
    X, y = breast_cancer()
    for optimizer in "newton", "quasi_newton":
        model = LogisticRegression(0.01, optimizer=optimizer, tol=0).fit(X, y)
        assert model.n_iter_[0] < 500
        assert "as low as rounding allows" in model.stop_reason_[0]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("offset", [1e4, 1e6, 1e9])
@pytest.mark.parametrize(
    ("optimizer", "init"), [("newton", "zeros"), ("quasi_newton", "zeros"), ("quasi_newton", "random")]
)
def test_features_far_from_zero_are_fitted_like_centred_ones(offset, optimizer, init):
    X, y = breast_cancer()
    shift = np.array([offset, 0, -offset])  # such as times in seconds
    moved = X[:, :3] + shift
    X = moved - shift  # with the digits that `moved` has
    settings = {"optimizer": optimizer, "init": init, "random_state": 0, "tol": 1e-7}
    here, there = (LogisticRegression(1e-4, **settings).fit(features, y) for features in (X, moved))
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-5)
    np.testing.assert_allclose(there.decision_function(moved), here.decision_function(X), atol=1e-4)
    assert there.cost_history_[-1] == pytest.approx(here.cost_history_[-1], rel=1e-9)


def test_single_precision_features_far_from_zero_are_fitted_like_centred_ones():
    X, y = breast_cancer()
    moved = (X[:, :3] + 1000).astype(np.float32)
    here, there = (LogisticRegression(1e-4, **settings).fit(features, y) for features, settings in (
        (moved.astype(float) - 1000, {"optimizer": "newton"}), (moved, {"optimizer": "quasi_newton"})
    ))  # fmt: skip
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-4)


def test_a_fit_that_no_step_improves_far_from_the_optimum_is_a_warning():
    X, y = breast_cancer()
    X = X[:, :5] + 3e6
    with pytest.warns(
        ConvergenceWarning, match="no step lowers the cost any more, far from the optimum: scale the feat"
    ):
        model = LogisticRegression(1e-6, optimizer="quasi_newton", fit_intercept=False).fit(X, y)
    assert model.status_.tolist() == ["stuck"]


def test_quasi_newton_converges_from_random_weights_where_the_curvature_vanishes():
    """Wide indicator data at random weights: nearly every probability is 0 or 1 there."""
    generator = np.random.default_rng(0)
    X = np.eye(40)[generator.integers(0, 40, (3000, 5))].reshape(3000, 200) * 6
    y = (X @ generator.standard_normal(200) / 6 + generator.standard_normal(3000) > 0).astype(int)
    fits = [
        LogisticRegression(l2=0.001, optimizer=optimizer, init=init, random_state=0, max_iter=500).fit(X, y)
        for optimizer, init in (("quasi_newton", "random"), ("newton", "zeros"))
    ]
    assert fits[0].cost_history_[-1] == pytest.approx(fits[1].cost_history_[-1], rel=1e-9)
    assert "under the tolerance" in fits[0].stop_reason_[0]


def test_quasi_newton_converges_where_the_sample_lacks_the_rows_of_rare_categories():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90_000, 40))
    for category in range(20):
        X[:, category] = 0
        X[rng.choice(len(X), 4, replace=False), category] = 1
    y = rng.random(len(X)) < 1 / (1 + np.exp(-X.sum(axis=1)))
    X = standardized(X)
    model = LogisticRegression(1e-4, optimizer="quasi_newton", tol=1e-7, max_iter=150).fit(X, y)
    assert model.gradient_norm_[0] < 1e-7
    assert cost_of(model, X, y) == pytest.approx(cost_of(LogisticRegression(1e-4, optimizer="newton").fit(X, y), X, y))


def by_hand(search, objective, n_steps):
    W = np.zeros(objective.shape)
    for _ in range(n_steps):
        slope = objective.gradient(W)
        search.accept(objective, W, objective.cost(W), slope)
        W = search.step(objective, W, slope)
    return W


@pytest.mark.parametrize("optimizer", ["gradient_descent", "newton"])
def test_steps_by_hand_are_those_of_fit(optimizer):
    X, y = breast_cancer()
    objective = FastObjective(X, y, np.array([1]), Ridge([0.1]))
    solver = OPTIMIZERS[optimizer][0]
    options = [np.array([0.2])] if optimizer == "gradient_descent" else []
    W = by_hand(solver.search(solver.direction(), *options), objective, 5)
    with pytest.warns(ConvergenceWarning):
        model = LogisticRegression(0.1, 0.2, optimizer, max_iter=5, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(W[:-1, 0], model.coef_[0], rtol=1e-12)


def test_a_search_and_a_direction_combine_freely():
    """Halving around the gradient, and fixed steps of Newton's direction: no optimiser of the table."""
    X, y = BINARY["heart_scale_lam1"]()
    penalty = Ridge([EXPECTED["heart_scale_lam1"]["lam_sum"] / len(X)])
    objective = FastObjective(X, y, np.array([1]), penalty)
    for search, n_steps in (Halving(Gradient()), 3000), (FixedStep(Newton(), np.array([0.5])), 60):
        W = by_hand(search, objective, n_steps)
        assert cost(W, X, y[:, None], penalty)[0] == pytest.approx(EXPECTED["heart_scale_lam1"]["J"], rel=1e-9)
        assert np.linalg.norm(gradient(W, X, y[:, None], penalty)) < 1e-5


def test_halving_takes_back_a_step_that_climbs():
    X, y = breast_cancer()
    objective = FastObjective(1000 * X, y, np.array([1]), Ridge([0.1]))
    search, W = Halving(Gradient()), np.zeros(objective.shape)
    slope, first = objective.gradient(W), objective.cost(W)
    search.accept(objective, W, first, slope)
    W = search.step(objective, W, slope)
    after = objective.cost(W)
    assert after > first
    search.accept(objective, W, after, objective.gradient(W))
    assert (W == 0).all()
    assert after == first


@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
@pytest.mark.parametrize("optimizer", ["gradient_descent", "nesterov", "newton", "quasi_newton"])
def test_an_elastic_net_is_that_of_scikit_learn_with_exact_zeros(l1_ratio, optimizer):
    X, y = breast_cancer()
    l2 = 0.03
    theirs = linear_model.LogisticRegression(
        C=1 / (l2 * len(X)), l1_ratio=l1_ratio, solver="saga", tol=1e-10, max_iter=100_000
    ).fit(X, y)
    ours = LogisticRegression(l2, l1_ratio=l1_ratio, optimizer=optimizer, tol=1e-9, max_iter=100_000).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)
    assert 2 < np.count_nonzero(ours.coef_) < 25
    assert ours.status_[0] == "converged"
    # Karush, Kuhn and Tucker: the slope of the loss is l1 where a weight is not zero, and at most l1 else.
    slope = X.T @ (ours.predict_proba(X)[:, 1] - y) / len(X) + l2 * (1 - l1_ratio) * ours.coef_[0]
    np.testing.assert_allclose(slope[ours.coef_[0] != 0], -l2 * l1_ratio * np.sign(ours.coef_[0][ours.coef_[0] != 0]))
    assert np.abs(slope).max() <= l2 * l1_ratio * (1 + 1e-6)


def test_an_elastic_net_of_many_classes_and_more_features_than_rows_is_sparse():
    X, y = datasets.load_digits(return_X_y=True)
    fits = [
        LogisticRegression(0.01, l1_ratio=1.0, optimizer=optimizer, tol=1e-6).fit(X[:60] / 16, y[:60])
        for optimizer in ("nesterov", "newton")
    ]
    np.testing.assert_allclose(fits[0].coef_, fits[1].coef_, atol=5e-3)
    assert (fits[0].coef_ == 0).mean() > 0.5


def test_a_share_of_the_absolute_weights_beyond_one_is_refused():
    with pytest.raises(ValueError, match=r"l1_ratio = 1.5 is not allowed: it must be a number from 0 to 1"):
        LogisticRegression(l1_ratio=1.5).fit([[0.0], [1.0]], [0, 1])


@pytest.mark.filterwarnings("ignore:no step lowers the cost")
@pytest.mark.parametrize("optimizer", ["gradient_descent", "nesterov", "newton", "quasi_newton"])
@pytest.mark.parametrize("multiclass", ["one_vs_rest", "softmax"])
@pytest.mark.parametrize("l2", [1e4, 1e10, 1e16])
def test_the_intercept_is_found_however_large_the_penalty_is(optimizer, multiclass, l2):
    X = np.random.default_rng(0).normal(size=(400, 3))
    y = np.repeat([0, 1], [170, 230])
    model = LogisticRegression(l2, optimizer=optimizer, multiclass=multiclass, init="random", random_state=0).fit(X, y)
    if l2 == 1e16 and optimizer == "quasi_newton":
        assert model.status_[0] == "stuck"  # beside the cost of the random start, that of the intercept is rounding
        return
    assert model.status_[0] in ("converged", "stalled")
    assert model.intercept_[0] == pytest.approx(np.log(230 / 170), abs=1e-4)
    np.testing.assert_allclose(model.coef_, 0, atol=1e-4)


@pytest.mark.parametrize("optimizer", ["gradient_descent", "newton", "quasi_newton"])
@pytest.mark.parametrize("l2", [1e-300, 1e-100, 1e-20])
def test_a_penalty_that_is_next_to_none_does_not_hide_separated_classes(optimizer, l2):
    X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    with pytest.warns(ConvergenceWarning, match="a plane separates the classes"):
        model = LogisticRegression(l2, optimizer=optimizer, max_iter=300).fit(X, [0, 0, 1, 1])
    assert model.status_[0] == "separated"
    assert LogisticRegression(0.01, optimizer=optimizer).fit(X, [0, 0, 1, 1]).status_[0] == "converged"


@pytest.mark.parametrize("optimizer", ["gradient_descent", "nesterov", "newton", "quasi_newton"])
@pytest.mark.parametrize("l1", [0.0, 0.02])
def test_a_strength_for_each_feature_is_another_scale_of_it(optimizer, l1):
    X, y = breast_cancer()
    X, scale, settings = X[:, :4], np.array([0.5, 1, 2, 4]), {"tol": 1e-9, "max_iter": 100_000}
    of_features = scale[:, None] * np.ones(2)
    uneven = ElasticNet(0.01 * of_features**2, l1 * of_features) if l1 else Ridge(0.01 * of_features**2)
    even = ElasticNet([0.01] * 2, [l1] * 2) if l1 else Ridge([0.01] * 2)
    ours = fit_columns(FastObjective(X, y, np.array([0, 1]), uneven), optimizer, **settings)
    theirs = fit_columns(FastObjective(X / scale, y, np.array([0, 1]), even), "newton", **settings)
    np.testing.assert_allclose(ours.weights[:-1] * scale[:, None], theirs.weights[:-1], atol=1e-6)

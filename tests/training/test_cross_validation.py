import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, train_params
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline import reading
from pipeline.columns import splitting
from pipeline.columns.dataset import bundled
from pipeline.columns.target import features_and_target
from pipeline.config import Combination, Sweep, Train, section_of
from pipeline.errors import UserError
from pipeline.reading import CellFormat, Options
from pipeline.training import fit
from pipeline.training.sweep import Validation, combinations, path, score_grid

pytestmark = pytest.mark.slow

NEWTON = train_params(**{"lambda": 1.0}, tolerance=1e-10, optimizer="newton", learning_rate="auto", max_iterations=100)
DESCENT = NEWTON.model_copy(update={"optimizer": "gradient_descent", "tolerance": 1e-7, "max_iterations": 300})


def cross_validated(table: pd.DataFrame, train: Train, sweep: Sweep, grid: list[Combination]) -> Validation:
    return score_grid(table, train, sweep, grid, cut(table, sweep))


def cut(table: pd.DataFrame, sweep: Sweep) -> list[splitting.Fold]:
    return splitting.folds(table.iloc[:, -1].to_numpy(str), sweep.folds, sweep.seed)


def settings(**changes: object) -> Sweep:
    defaults = {"lambda": [0.01, 0.1], "learning_rate": [0.3], "folds": 5, "seed": 3, "score": "log_loss"}
    limits = {"refit": "best", "max_combinations": 100, "memory": 64}
    return Sweep(**{**defaults, **limits, **changes})


@pytest.fixture(scope="module")
def penguins() -> pd.DataFrame:
    """Numbers and two columns of categories, both with missing cells, and three classes."""
    options = Options(columns=["island", "bill_length_mm", "body_mass_g", "sex", "species"])
    return reading.read(ROOT / "tests" / "data" / "penguins.csv", options, target="species").frame


@pytest.mark.parametrize(
    ("name", "score", "scoring"),
    [
        ("breast_cancer", "log_loss", "neg_log_loss"),
        ("breast_cancer", "roc_auc", "roc_auc"),
        ("wine", "log_loss", "neg_log_loss"),
        ("wine", "accuracy", "accuracy"),
    ],
)
def test_scores_are_those_of_scikit_learns_cross_validation(name, score, scoring):
    table, sweep = bundled(name), settings(score=score)
    validation = cross_validated(table, NEWTON, sweep, combinations(sweep, NEWTON))
    X, y = features_and_target(table)
    if score == "roc_auc":
        y = y == "malignant"
    stratified = StratifiedKFold(5, shuffle=True, random_state=3)
    for row in validation.combinations.to_dict("records"):
        # scikit-learn's C takes the number of rows that a fold trains on; here it is nearly the same in all folds.
        parts = []
        for rows, held_out in stratified.split(X, y):
            one = LogisticRegression(C=1 / (len(rows) * row["lambda"]), tol=1e-10, max_iter=10_000)
            model = make_pipeline(StandardScaler(), OneVsRestClassifier(one))
            parts.append(cross_val_score(model, X, y, cv=[(rows, held_out)], scoring=scoring)[0])
        assert row[score] == pytest.approx(abs(np.mean(parts)), abs=1e-6)
        assert row[f"{score}_standard_error"] == pytest.approx(np.std(parts, ddof=1) / np.sqrt(5), abs=1e-6)
        assert row["status"] == "converged"


def test_a_combination_that_diverges_harms_no_other_and_keeps_its_learning_rate():
    table, grid = bundled("breast_cancer"), [Combination(1.0, 0.1), Combination(1.0, 10.0), Combination(0.1, 0.1)]
    together = cross_validated(table, DESCENT, settings(), grid)
    alone = cross_validated(table, DESCENT, settings(), [grid[0], grid[2]])
    assert list(together.combinations["status"] == "diverged") == [False, True, False]
    assert together.combinations["learning_rate"][1] == 10.0
    assert np.isnan(together.combinations["log_loss"][1])
    np.testing.assert_allclose(together.combinations["log_loss"][[0, 2]], alone.combinations["log_loss"], rtol=1e-9)


def test_a_combination_whose_cost_swings_without_end_counts_as_diverged_from_its_first_rise():
    validation = cross_validated(bundled("breast_cancer"), DESCENT, settings(), [Combination(0.03, 10.0)])
    (row,) = validation.combinations.to_dict("records")
    assert (row["status"], np.isnan(row["log_loss"])) == ("diverged", True)
    assert validation.curves["iteration"].max() == row["iterations"] < 30


def test_the_cost_curve_of_a_combination_falls_and_ends_with_its_last_iteration():
    validation = cross_validated(bundled("breast_cancer"), DESCENT, settings(), [Combination(0.1, 0.1)])
    assert validation.curves["cost"].is_monotonic_decreasing
    assert validation.curves["iteration"].iloc[-1] == validation.combinations["iterations"][0]


def test_auto_is_the_safe_learning_rate_of_each_fold():
    found = cross_validated(bundled("iris"), DESCENT, settings(), [Combination(0.1, "auto")])
    (row,) = found.combinations.to_dict("records")
    assert row["learning_rate"] == "auto"
    assert row["status"] in ("converged", "ran out")


def test_newton_has_no_learning_rate_to_sweep():
    sweep = settings(learning_rate=[0.1, 1.0])
    assert combinations(sweep, NEWTON) == [Combination(0.01, "auto"), Combination(0.1, "auto")]
    assert len(combinations(sweep, DESCENT)) == 4


@pytest.mark.parametrize(
    # Without penalty nothing bounds the weights of classes that a line separates, as here: Newton's would be noise.
    ("optimizer", "lambdas"),
    [("gradient_descent", [0.0, 0.01, 1.0]), ("newton", [0.01, 1.0])],
)
def test_the_score_of_a_combination_is_that_of_training_it_alone_on_each_fold(
    penguins: pd.DataFrame, optimizer: str, lambdas: list[float]
) -> None:
    train, sweep = DESCENT.model_copy(update={"optimizer": optimizer}), settings(score="accuracy")
    grid = combinations(settings(**{"lambda": lambdas}), train)
    found = cross_validated(penguins, train, sweep, grid).combinations
    assert len(found) == len(lambdas)
    for pair, row in zip(grid, found.to_dict("records"), strict=True):
        alone = train.model_copy(update={"l2": pair.l2, "learning_rate": pair.learning_rate})
        losses, shares = [], []
        for rows, held_out in cut(penguins, sweep):
            fitted = fit.train(penguins.iloc[rows], alone, CellFormat()).model
            X, y = features_and_target(penguins.iloc[held_out])
            losses.append(metrics.log_loss(y, fitted.probabilities(X)))
            shares.append((fitted.classify(X) == y).mean())
        assert row["log_loss"] == pytest.approx(np.mean(losses), abs=1e-8)
        assert row["log_loss_standard_error"] == pytest.approx(np.std(losses, ddof=1) / np.sqrt(5), abs=1e-8)
        assert row["accuracy"] == pytest.approx(np.mean(shares), abs=1e-12)


def test_the_score_of_a_combination_depends_on_nothing_beside_it(penguins: pd.DataFrame) -> None:
    grid, sweep = [Combination(l2, rate) for l2 in (0.0, 0.01, 1.0) for rate in (0.1, 0.3)], settings()
    numbers = ["lambda", "learning_rate", "log_loss", "log_loss_standard_error", "iterations"]

    def found(l2: float, asked: list[Combination]) -> pd.DataFrame:
        train = DESCENT.model_copy(update={"l2": l2})
        table = cross_validated(penguins, train, sweep, asked).combinations[numbers]
        return table.sort_values(["lambda", "learning_rate"], ignore_index=True)

    expected = found(0.01, grid)
    pd.testing.assert_frame_equal(found(0.0, grid), expected, rtol=1e-9)  # whatever train.lambda is
    pd.testing.assert_frame_equal(found(0.01, grid[::-1]), expected, rtol=1e-9)
    for place, pair in enumerate(grid):
        alone = expected.iloc[[place]].reset_index(drop=True)
        pd.testing.assert_frame_equal(found(0.01, [pair]), alone, rtol=1e-9)


def test_without_penalty_a_category_that_no_training_row_has_is_scored_as_train_scores_it() -> None:
    colours = ["red", "blue"] * 30 + ["green", "green"]
    size, y = np.arange(62) % 7.0, list("abab") + list("aabb") * 14 + ["a", "b"]
    table = pd.DataFrame({"size": size, "colour": colours, "y": y}).astype({"colour": "str", "y": "str"})
    train = NEWTON.model_copy(update={"l2": 0.0, "min_rows": 1, "seed": 5})
    folds = [(np.arange(60), np.arange(60, 62)), (np.arange(2, 62), np.arange(2))]
    (row,) = score_grid(table, train, settings(), [Combination(0.0, "auto")], folds).combinations.to_dict("records")
    losses = []
    for rows, held_out in folds:
        fitted = fit.train(table.iloc[rows], train, CellFormat()).model
        X, labels = features_and_target(table.iloc[held_out])
        losses.append(metrics.log_loss(labels, fitted.probabilities(X)))
    assert row["log_loss"] == pytest.approx(np.mean(losses), abs=1e-8)


def test_the_path_shrinks_the_weights_as_lambda_grows():
    table, sweep = bundled("breast_cancer"), settings(**{"lambda": [0.01, 0.1, 1.0]})
    found = cross_validated(table, NEWTON, sweep, combinations(sweep, NEWTON)).combinations
    weights = path(table, NEWTON, sweep, found)
    X, y = features_and_target(table)
    oracle = LogisticRegression(C=1 / (len(X) * 0.1), tol=1e-10, max_iter=10_000).fit(
        StandardScaler().fit_transform(X), y
    )
    np.testing.assert_allclose(weights.loc[weights["lambda"] == 0.1, "weight"], oracle.coef_[0], atol=1e-5)
    assert weights.groupby("lambda")["weight"].apply(np.linalg.norm).is_monotonic_decreasing


def test_a_grid_is_every_lambda_with_every_learning_rate_each_once_in_rising_order():
    sweep = settings(
        **{"lambda": [1.0, 0.0, {"minimum": 0.01, "maximum": 1.0, "points": 3}]}, learning_rate=["auto", 3.0]
    )
    assert sweep.combinations == [Combination(l2, rate) for l2 in (0.0, 0.01, 0.1, 1.0) for rate in (3.0, "auto")]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("lambda", [], "sweep.lambda = []: should have at least 1 item"),
        ("lambda", [-1.0], "sweep.lambda = [-1.0]: should be greater than or equal to 0"),
        ("lambda", [{"minimum": 1.0, "maximum": 2.0}], "sweep.lambda.points: has no value"),
        ("learning_rate", [0.0], "sweep.learning_rate = [0.0]: should be greater than 0"),
        ("folds", 1, "sweep.folds = 1: should be greater than or equal to 2"),
        ("score", "loss", "sweep.score = 'loss': should be 'accuracy'"),
        ("max_combinations", 1, "lambda and learning_rate make 2 combinations, more than max_combinations = 1"),
    ],
)
def test_bad_settings_are_named_with_what_is_allowed(key, value, message):
    values = settings().model_dump(by_alias=True) | {key: value}
    with pytest.raises(UserError) as caught:
        section_of({"sweep": values}, "sweep", "conf/")
    assert message in str(caught.value)

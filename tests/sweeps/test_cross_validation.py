import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline import cross_validation, tables
from pipeline.columns.splitting import folds
from pipeline.config import Member, Sweep, Train, section_of
from pipeline.errors import UserError
from pipeline.logistic import many
from pipeline.stages.load import bundled
from pipeline.sweeps.choice import choose
from pipeline.sweeps.cross_validation import cross_validate

NEWTON = Train(
    **{"lambda": 1.0},
    class_weight=None,
    positive=None,
    max_levels=50,
    min_rows=10,
    tolerance=1e-10,
    seed=0,
    optimizer="newton",
    learning_rate="auto",
    max_iterations=100,
)
DESCENT = NEWTON.model_copy(update={"optimizer": "gradient_descent", "tolerance": 1e-7, "max_iterations": 300})


def cross_validated(table: pd.DataFrame, train: Train, sweep: Sweep, grid: list[Member]) -> cross_validation.Validation:
    return cross_validate(table, train, sweep, grid, folds(table["target"].to_numpy(str), sweep.folds, sweep.seed))


def settings(**changes) -> Sweep:
    defaults = {"lambda": [0.01, 0.1], "learning_rate": [0.3], "folds": 5, "seed": 3, "score": "log_loss"}
    limits = {"refit": "best", "max_members": 100, "memory": 64}
    return Sweep(**{**defaults, **limits, **changes})


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
    validation = cross_validated(table, NEWTON, sweep, cross_validation.members(sweep, NEWTON))
    X, y = tables.features_and_target(table)
    if score == "roc_auc":
        y = y == "malignant"
    cut = StratifiedKFold(5, shuffle=True, random_state=3)
    for row in validation.members.to_dict("records"):
        # scikit-learn's C takes the number of rows that a fold trains on; here it is nearly the same in all folds.
        parts = []
        for training, held_out in cut.split(X, y):
            one = LogisticRegression(C=1 / (len(training) * row["lambda"]), tol=1e-10, max_iter=10_000)
            model = make_pipeline(StandardScaler(), OneVsRestClassifier(one))
            parts.append(cross_val_score(model, X, y, cv=[(training, held_out)], scoring=scoring)[0])
        assert row[score] == pytest.approx(abs(np.mean(parts)), abs=1e-6)
        assert row[f"{score}_standard_error"] == pytest.approx(np.std(parts, ddof=1) / np.sqrt(5), abs=1e-6)
        assert row["status"] == "converged"


def test_a_member_that_diverges_harms_no_other_and_keeps_its_learning_rate():
    table, grid = bundled("breast_cancer"), [Member(1.0, 0.1), Member(1.0, 10.0), Member(0.1, 0.1)]
    together = cross_validated(table, DESCENT, settings(), grid)
    alone = cross_validated(table, DESCENT, settings(), [grid[0], grid[2]])
    assert list(together.members["status"] == "diverged") == [False, True, False]
    assert together.members["learning_rate"][1] == 10.0
    assert np.isnan(together.members["log_loss"][1])
    np.testing.assert_allclose(together.members["log_loss"][[0, 2]], alone.members["log_loss"], rtol=1e-9)


def test_the_cost_curve_of_a_member_starts_at_log_2_and_ends_with_its_last_iteration():
    validation = cross_validated(bundled("breast_cancer"), DESCENT, settings(), [Member(0.1, 0.1)])
    assert validation.curves["cost"].iloc[0] == pytest.approx(np.log(2))
    assert validation.curves["cost"].is_monotonic_decreasing
    assert validation.curves["iteration"].iloc[-1] == validation.members["iterations"][0]


def test_auto_is_the_safe_learning_rate_of_each_fold():
    (row,) = cross_validated(bundled("iris"), DESCENT, settings(), [Member(0.1, "auto")]).members.to_dict("records")
    assert row["learning_rate"] == "auto"
    assert row["status"] in ("converged", "ran out")


def test_newton_has_no_learning_rate_to_sweep():
    sweep = settings(learning_rate=[0.1, 1.0])
    assert cross_validation.members(sweep, NEWTON) == [Member(0.01, "auto"), Member(0.1, "auto")]
    assert len(cross_validation.members(sweep, DESCENT)) == 4


def test_an_interrupt_keeps_the_members_that_were_finished(monkeypatch):
    grid = [Member(0.1 * k, 0.1) for k in range(1, 5)]
    monkeypatch.setattr(cross_validation, "CHUNK", 2)
    calls = []

    def interrupted_in_the_second_chunk(*args, **keywords):
        calls.append(None)
        if len(calls) > 7:
            raise KeyboardInterrupt
        return many.fit_members(*args, **keywords)

    monkeypatch.setattr(cross_validation, "fit_members", interrupted_in_the_second_chunk)
    validation = cross_validated(bundled("breast_cancer"), DESCENT, settings(), grid)
    assert validation.interrupted
    assert list(validation.members["lambda"]) == [0.1, 0.2]
    assert set(validation.curves["lambda"]) == {0.1, 0.2}


def scored(*rows) -> pd.DataFrame:
    names = ["lambda", "learning_rate", "log_loss", "log_loss_standard_error", "iterations", "status"]
    return pd.DataFrame(rows, columns=names)


def test_one_standard_error_takes_the_strongest_lambda_within_the_best_ones_error():
    table = scored(
        (0.01, 0.1, 0.50, 0.06, 9, "converged"),
        (0.10, 0.1, 0.55, 0.01, 9, "converged"),
        (1.00, 0.1, 0.57, 0.01, 9, "converged"),
        (9.00, 0.1, np.nan, np.nan, 1, "diverged"),
    )
    choice = choose(table, "log_loss")
    assert (choice.best["lambda"], choice.one_standard_error["lambda"]) == (0.01, 0.1)


def test_of_members_that_score_the_same_the_fastest_is_best():
    table = scored((0.1, 0.1, 0.5, 0.1, 90, "converged"), (0.1, 1.0, 0.5 + 1e-9, 0.1, 9, "converged"))
    assert choose(table, "log_loss").best["learning_rate"] == 1.0


def test_a_score_is_better_when_higher_unless_it_is_a_loss():
    table = scored((0.1, 0.1, 0.5, 0.0, 9, "converged"), (0.2, 0.1, 0.7, 0.0, 9, "converged"))
    renamed = table.rename(columns=lambda name: name.replace("log_loss", "accuracy"))
    assert choose(table, "log_loss").best["lambda"] == 0.1
    assert choose(renamed, "accuracy").best["lambda"] == 0.2


def test_a_sweep_of_which_all_diverged_says_what_to_set():
    with pytest.raises(UserError, match=r"all 1 members diverged.*sweep.learning_rate=\[auto\]"):
        choose(scored((1.0, 9.0, np.nan, np.nan, 1, "diverged")), "log_loss")


def test_the_path_shrinks_the_weights_as_lambda_grows():
    table, sweep = bundled("breast_cancer"), settings(**{"lambda": [0.01, 0.1, 1.0]})
    members = cross_validated(table, NEWTON, sweep, cross_validation.members(sweep, NEWTON)).members
    weights = cross_validation.path(table, NEWTON, sweep, members)
    X, y = tables.features_and_target(table)
    oracle = LogisticRegression(C=1 / (len(X) * 0.1), tol=1e-10, max_iter=10_000).fit(
        StandardScaler().fit_transform(X), y
    )
    np.testing.assert_allclose(weights.loc[weights["lambda"] == 0.1, "weight"], oracle.coef_[0], atol=1e-5)
    assert weights.groupby("lambda")["weight"].apply(np.linalg.norm).is_monotonic_decreasing


def test_a_grid_is_every_lambda_with_every_learning_rate_each_once_in_rising_order():
    sweep = settings(
        **{"lambda": [1.0, 0.0, {"minimum": 0.01, "maximum": 1.0, "points": 3}]}, learning_rate=["auto", 3.0]
    )
    assert sweep.members == [Member(l2, rate) for l2 in (0.0, 0.01, 0.1, 1.0) for rate in (3.0, "auto")]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("lambda", [], "sweep.lambda = []: should have at least 1 item"),
        ("lambda", [-1.0], "sweep.lambda = [-1.0]: should be greater than or equal to 0"),
        ("lambda", [{"minimum": 1.0, "maximum": 2.0}], "sweep.lambda.points: has no value"),
        ("learning_rate", [0.0], "sweep.learning_rate = [0.0]: should be greater than 0"),
        ("folds", 1, "sweep.folds = 1: should be greater than or equal to 2"),
        ("score", "loss", "sweep.score = 'loss': should be 'accuracy'"),
        ("max_members", 1, "lambda and learning_rate make 2 members, more than max_members = 1"),
    ],
)
def test_bad_settings_are_named_with_what_is_allowed(key, value, message):
    values = settings().model_dump(by_alias=True) | {key: value}
    with pytest.raises(UserError) as caught:
        section_of({"sweep": values}, "sweep", "conf/")
    assert message in str(caught.value)

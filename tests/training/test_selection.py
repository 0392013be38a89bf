"""What `auto` stands for. The oracle is how the data was made."""

import numpy as np
import pandas as pd
import pytest
from conftest import train_params
from sklearn.metrics import log_loss

from pipeline import config
from pipeline.columns import splitting
from pipeline.columns.target import features_and_target
from pipeline.reading import CellFormat
from pipeline.training import decision, fit, pair_search, selection
from pipeline.training.sweep import score_grid


def table(n, shape):
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=n), rng.normal(size=(n, 3))
    y = shape(x) + rng.logistic(size=n) > 0
    frame = pd.DataFrame({"x": x, **{f"noise {k}": noise[:, k] for k in range(3)}})
    return frame.assign(y=np.where(y, "yes", "no")).astype({"y": "str"})


AUTO = train_params(**{"lambda": "auto"}, features="auto", optimizer="quasi_newton", learning_rate="auto")


@pytest.mark.parametrize(
    ("shape", "kind"),
    [(lambda x: 2 * x, "linear"), (lambda x: x**2 - 1, "curves"), (lambda x: 4.0 * (np.round(4 * x) % 2) - 2, "steps")],
)
def test_lines_are_kept_unless_curves_are_clearly_better_and_curves_unless_steps_are(shape, kind):
    rows = table(1_000, shape).assign(x=lambda rows: np.round(4 * rows["x"]))
    params, candidates = selection.resolved(rows if kind == "steps" else table(1_000, shape), AUTO)
    assert params.features == kind
    assert set(candidates["features"]) == {"linear", "curves", "steps"}
    names = {"linear": "straight lines", "curves": "curves", "steps": "curves with steps"}
    assert f"training rows: {names[kind]}, lambda" in selection.sentence(params, candidates)
    chosen = candidates[candidates["chosen"]].squeeze()
    assert (chosen["features"], chosen["lambda"]) == (kind, params.l2)
    assert chosen["log_loss"] == candidates.loc[candidates["features"] == kind, "log_loss"].min()


def test_noise_gets_a_strong_penalty_and_a_clear_signal_a_weak_one():
    noise, signal = (selection.resolved(table(300, shape), AUTO)[0].l2 for shape in (lambda x: 0 * x, lambda x: 4 * x))
    assert noise > 10 * signal


def test_what_is_given_is_kept():
    given = AUTO.model_copy(update={"l2": 0.5, "features": "linear"})
    assert selection.resolved(table(100, lambda x: x), given) == (given, None)
    params, candidates = selection.resolved(table(300, lambda x: x), AUTO.model_copy(update={"l2": 0.5}))
    assert params.l2 == 0.5
    assert len(candidates) == 3


def test_many_rows_are_decided_by_a_sample_and_the_choice_repeats(monkeypatch):
    rows = table(3_000, lambda x: x**2 - 1)
    monkeypatch.setattr(selection, "LARGEST_SAMPLE", 500)
    one, other = (selection.resolved(rows, AUTO) for _ in range(2))
    assert one[0] == other[0]
    pd.testing.assert_frame_equal(one[1], other[1])
    assert one[0].features == "curves"


KEPT = AUTO.model_copy(update={"l2": 0.01, "features": "linear", "interactions": "auto"})


def test_a_pair_of_numbers_is_found_beside_a_text():
    rng, n = np.random.default_rng(0), 600
    X = pd.DataFrame(rng.normal(size=(n, 2)), columns=["a", "b"])
    words = rng.choice(["red", "green", "blue", "small", "large", "old"], (n, 3))
    is_yes = rng.random(n) < 1 / (1 + np.exp(-3 * np.sign(X["a"] * X["b"]) - (words == "red").sum(axis=1)))
    mixed = X.assign(text=[" ".join(row) for row in words], y=np.where(is_yes, "yes", "no"))
    mixed = mixed.astype({"text": "str", "y": "str"})
    params, candidates = selection.resolved(mixed, KEPT.of_tokens({"text": "text"}))
    assert ["a", "b"] in [list(pair) for pair in params.interactions]
    best = candidates.groupby("pairs")["log_loss"].min()
    assert best[best.index > 0].min() < best[0] - 0.1


def rows_of_which_a_fold_has_a_pair_of_its_own():
    """The product of a and b gives the class away in the first fold, that of c and d in the others."""
    rng, n = np.random.default_rng(0), 400
    y = rng.permutation(np.repeat(["no", "yes"], n // 2))
    folds = splitting.folds(y, 5, 0)
    X = rng.normal(size=(n, 4))
    first = np.isin(np.arange(n), folds[0][1])
    for k, rows in ((0, first), (2, ~first)):
        wrong = rows & (np.sign(X[:, k] * X[:, k + 1]) != np.where(y == "yes", 1, -1)) & (rng.random(n) < 0.8)
        X[wrong, k] *= -1
    table = pd.DataFrame(X, columns=list("abcd")).assign(y=y)
    return table.astype({"y": "str"}), folds


def test_what_is_called_out_of_fold_has_pairs_that_were_found_without_the_fold(monkeypatch):
    monkeypatch.setattr(pair_search, "PAIRS", (1,))
    table, folds = rows_of_which_a_fold_has_a_pair_of_its_own()
    losses = []
    fold, P = decision.out_of_fold(table, KEPT, None, np.ones(len(table)))
    for k, (learnt, held_out) in enumerate(folds):
        alone = table.iloc[learnt].reset_index(drop=True)
        settled = selection.resolved(alone, KEPT)[0]
        assert k > 0 or settled.pairs == [("c", "d")]
        model = fit.train(alone, settled, CellFormat()).model
        expected = model.probabilities(table.iloc[held_out, :-1])
        np.testing.assert_array_equal(fold[held_out], k)
        np.testing.assert_allclose(P[held_out], expected, rtol=1e-6)
        losses.append(log_loss(table["y"].iloc[held_out], expected, labels=["no", "yes"]))
    sweep = config.Sweep(
        **{"lambda": [KEPT.l2]},
        learning_rate=["auto"],
        folds=5,
        seed=0,
        score="log_loss",
        refit="best",
        max_combinations=1,
        memory=64,
    )
    _, in_folds, _ = selection.without_lambda(table, KEPT, folds)
    found = score_grid(table, KEPT, sweep, sweep.combinations, folds, None, in_folds).combinations
    assert found["log_loss"].squeeze() == pytest.approx(np.mean(losses), rel=0.01)


@pytest.mark.parametrize("seed", range(2))
def test_pairs_of_pure_noise_make_no_log_loss_out_of_fold_better_than_that_of_the_prior(seed):
    rng, n = np.random.default_rng(seed), 300
    noise = pd.DataFrame(rng.normal(size=(n, 8))).rename(columns="x{}".format)
    table = noise.assign(y=rng.permutation(np.repeat(["no", "yes"], n // 2))).astype({"y": "str"})
    _, P = decision.out_of_fold(table, KEPT, None, np.ones(n))
    gains = np.log(P[np.arange(n), (table["y"] == "yes").astype(int)] / 0.5)
    assert gains.mean() <= gains.std(ddof=1) / np.sqrt(n)


@pytest.mark.parametrize("n_positive", [12, 4])
def test_a_sample_chooses_with_all_rows_of_a_rare_class(n_positive, monkeypatch, recwarn):
    monkeypatch.setattr(selection, "LARGEST_SAMPLE", 500)
    rng, is_positive = np.random.default_rng(0), np.arange(4_000) < n_positive
    rows = pd.DataFrame({"x": rng.normal(size=4_000) + 4 * is_positive, "y": np.where(is_positive, "yes", "no")})
    params, candidates = selection.resolved(rows.astype({"y": "str"}), AUTO.model_copy(update={"features": "linear"}))
    said = "has 4 rows: what cross-validation chooses from so few is uncertain"
    assert any(said in str(warning.message) for warning in recwarn) == (n_positive == 4)
    all_rows = n_positive / 4_000
    prior = -(all_rows * np.log(all_rows) + (1 - all_rows) * np.log(1 - all_rows))
    assert candidates.loc[candidates["chosen"], "log_loss"].item() < 0.8 * prior
    assert params.l2 < 0.01


def test_one_row_of_a_third_class_does_not_stop_the_choice():
    rows = table(400, lambda x: 2 * x)
    rows.loc[3, "y"] = "maybe"
    with pytest.warns(UserWarning, match="'maybe' \\(1 rows\\)"):
        params, candidates = selection.resolved(rows, AUTO)
    assert np.isfinite(candidates["log_loss"]).all()
    assert params.features == "linear"


def three_classes(n, is_softmax, seed=0):
    """Drawn from a softmax of two numbers; or classes that one number separates from each other in turn."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    z = X @ np.array([[3, 0, -3], [0, 3, -3]]) if is_softmax else np.zeros((n, 3))
    labels = np.array(["a", "b", "c"])[(z + rng.gumbel(size=(n, 3))).argmax(axis=1)]
    return pd.DataFrame({"x": X[:, 0], "z": X[:, 1], "y": labels}).astype({"y": "str"})


JOINED = AUTO.model_copy(update={"features": "linear", "multiclass": "auto"})


@pytest.mark.parametrize(("is_softmax", "chosen"), [(True, "softmax"), (False, "one_vs_rest")])
def test_classes_are_one_model_where_that_is_clearly_better(is_softmax, chosen):
    params, candidates = selection.resolved(three_classes(900, is_softmax), JOINED)
    assert params.multiclass == chosen
    assert candidates.loc[candidates["chosen"], "multiclass"].item() == chosen
    assert set(candidates["multiclass"]) == {"one_vs_rest", "softmax"}


def test_of_two_classes_there_is_nothing_to_join():
    fixed = JOINED.model_copy(update={"l2": 0.1})
    assert selection.resolved(table(100, lambda x: x), fixed) == (
        fixed.model_copy(update={"multiclass": "one_vs_rest"}),
        None,
    )


def test_how_classes_are_joined_is_chosen_in_each_fold_and_its_probabilities_are_of_that(monkeypatch):
    rows = three_classes(300, True)
    y, chosen = rows["y"].to_numpy(), []
    folds = splitting.folds(y, 5, 0)

    def in_folds(table, asked, settled, folds, key, weight):
        chosen.extend(
            asked.model_copy(update={"l2": 0.01, "multiclass": ["one_vs_rest", "softmax"][k % 2]})
            for k in range(len(folds))
        )
        return chosen

    monkeypatch.setattr(selection, "in_folds", in_folds)
    _, P = decision.out_of_fold(rows, JOINED, None, np.ones(len(rows)))
    for k, (learnt, held_out) in enumerate(folds):
        model = fit.train(rows.iloc[learnt].reset_index(drop=True), chosen[k], CellFormat()).model
        np.testing.assert_allclose(P[held_out], model.probabilities(rows.iloc[held_out]), atol=1e-4)


def test_a_fold_with_a_wrong_cell_is_reported_and_noise_is_not(recwarn):
    rows = table(300, lambda x: 2 * x)
    selection.resolved(rows, AUTO)
    assert not recwarn.list
    losses = np.array([[0.4] * 5, [0.4, 0.4, 0.4, 0.4, 30]])
    candidates = [
        {"features": "linear", "lambda": 0.1, "log_loss": mean, "log_loss_standard_error": error}
        for mean, error in zip(losses.mean(axis=1), losses.std(axis=1, ddof=1) / 5**0.5, strict=True)
    ]
    columns = features_and_target(rows)
    with pytest.warns(UserWarning, match=r"1 of 2 candidates is absurd: 30 with features linear and lambda 0\.1"):
        selection._warn_of_absurd(candidates, losses, selection.Rows(*columns, None))

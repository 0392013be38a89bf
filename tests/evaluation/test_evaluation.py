from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, train_params
from sklearn import metrics
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import permutation_importance
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks import coverage
from pipeline.columns.dataset import bundled
from pipeline.columns.target import features_and_target
from pipeline.errors import UserError
from pipeline.evaluation import checks, references, result
from pipeline.files import formats, paths
from pipeline.logistic import LogisticRegression
from pipeline.logistic.matrix import Matrix
from pipeline.reading import CellFormat
from pipeline.scores import bootstrap, scores
from pipeline.training import fit, learnt

pytestmark = pytest.mark.slow

DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
NEWTON = {"optimizer": "newton", "learning_rate": "auto"}


def split(name):
    table = bundled(name).sample(frac=1, random_state=0, ignore_index=True)
    return table.iloc[::2].reset_index(drop=True), table.iloc[1::2].reset_index(drop=True)


def train_on(table, **changes):
    return fit.train(table, train_params(**{**NEWTON, **changes}), CellFormat())


def written(table, rows, folder, groups=None, **changes):
    trained = train_on(table, **changes)
    learnt.write(trained, folder)
    place = paths.main_result(folder)
    result.write(trained.start, trained.model, table, rows, folder, place, "mine", groups)
    return trained


def scikit_learns(y, predicted, P, classes, positive=None, weight=None):
    codes, guessed = np.searchsorted(classes, y), np.searchsorted(classes, predicted)
    labels, w = np.arange(len(classes)), {"sample_weight": weight}
    hits = codes[:, None] == (labels if len(classes) > 2 else np.flatnonzero(classes == (positive or classes[1])))
    column = P if len(classes) > 2 else P[:, classes == (positive or classes[1])]
    macro = {"average": "macro", "zero_division": 0, **w}
    return {
        "accuracy": metrics.accuracy_score(codes, guessed, **w),
        "f1_macro": metrics.f1_score(codes, guessed, **macro),
        "precision_macro": metrics.precision_score(codes, guessed, **macro),
        "recall_macro": metrics.recall_score(codes, guessed, **macro),
        "roc_auc": metrics.roc_auc_score(hits, column, **w),
        "average_precision": metrics.average_precision_score(hits, column, **w),
        "log_loss": metrics.log_loss(codes, P, labels=labels, **w),
        "brier_score": metrics.brier_score_loss(codes, P, labels=labels, **w),
    }


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_every_score_is_that_of_scikit_learn(n_classes, is_weighted):
    rng, n, classes = np.random.default_rng(n_classes), 2_500, np.array(list("abcd"[:n_classes]))
    P = rng.dirichlet(np.ones(n_classes), n).round(4)
    P /= P.sum(axis=1, keepdims=True)
    y = classes[[rng.choice(n_classes, p=p) for p in P]]
    predicted, weight = classes[P.argmax(axis=1)], rng.integers(1, 5, n) / 4 if is_weighted else None
    for positive in classes[:2] if n_classes == 2 else [None]:
        found = scores.scores(y, predicted, P, classes, positive, weight)
        assert found == pytest.approx(scikit_learns(y, predicted, P, classes, positive, weight), rel=1e-9)


@pytest.mark.parametrize("name", ["breast_cancer", "wine"])
def test_the_scores_of_a_draw_are_scikit_learns_scores_of_its_rows(name):
    table, rows = split(name)
    model = train_on(table).model
    X, y = features_and_target(rows)
    predicted, P = model.classify(X), model.probabilities(X).round(2)  # rounded, so that there are ties
    P /= P.sum(axis=1, keepdims=True)
    found = bootstrap.resampled(y, {"model": (predicted, P)}, model.classes_)["model"]
    assert len(found) == bootstrap.RESAMPLES
    drawn = np.random.default_rng(bootstrap.SEED).integers(0, len(y), (bootstrap.RESAMPLES, len(y)))
    for k in (0, 1, 500, 999):
        i = drawn[k]
        expected = scikit_learns(y[i], predicted[i], P[i], model.classes_)
        assert found.iloc[k].to_dict() == pytest.approx(expected, rel=1e-9)


def test_the_interval_of_an_accuracy_is_that_of_the_binomial_distribution():
    y = np.repeat(["a", "b"], 500)
    predicted = np.where(np.arange(1000) % 5 == 0, "a", y)  # 900 right
    P = np.column_stack([predicted == "a", predicted == "b"]).astype(float)
    draws = bootstrap.resampled(y, {"model": (predicted, P)}, np.array(["a", "b"]))["model"]["accuracy"]
    assert bootstrap.interval(draws) == pytest.approx((0.881, 0.918), abs=0.003)


def test_the_interval_of_many_rows_is_that_of_the_binomial_distribution():
    n = 4 * bootstrap.ROWS
    y = np.where(np.arange(n) % 10 == 0, "b", "a")
    P = np.tile([0.9, 0.1], (n, 1))
    draws = bootstrap.resampled(y, {"prior": (np.full(n, "a"), P)}, np.array(["a", "b"]))["prior"]["accuracy"]
    lower, upper = bootstrap.interval(draws)
    assert upper - lower == pytest.approx(2 * 1.96 * np.sqrt(0.09 / n), rel=0.15)
    assert (lower + upper) / 2 == pytest.approx(0.9, abs=5e-4)


def rare_rows(n_positive):
    """So many rows that draws are of Poisson counts, few of them positive; and the models' predictions for them."""
    rng, n = np.random.default_rng(0), 3 * bootstrap.ROWS
    y = np.where(np.arange(n) < n_positive, "yes", "no")
    p = 1 / (1 + np.exp(4 - 1.5 * (y == "yes") - rng.normal(size=n)))
    return y, {"model": (np.where(p > 0.5, "yes", "no"), np.column_stack([1 - p, p]))}


@pytest.mark.parametrize("n_positive", [60, 6000])
def test_the_interval_of_many_rows_is_that_of_the_bootstrap_of_all_rows(n_positive):
    y, models = rare_rows(n_positive)
    draws = bootstrap.resampled(y, models, np.array(["no", "yes"]))["model"]
    p, rng, areas = models["model"][1][:, 1], np.random.default_rng(1), []
    positive, negative = p[y == "yes"], np.sort(p[y == "no"])
    below = np.searchsorted(negative, positive)
    for _ in range(1000):  # counts of negatives below each positive, in draws of each class
        cumulated = np.append(0, np.bincount(rng.integers(0, len(negative), len(negative)), minlength=len(negative)))
        drawn = cumulated.cumsum()[below[rng.integers(0, len(positive), len(positive))]]
        areas.append(drawn.mean() / len(negative))
    lower, upper = np.quantile(areas, [0.025, 0.975])
    assert bootstrap.interval(draws["roc_auc"]) == pytest.approx((lower, upper), abs=0.15 * (upper - lower))


@pytest.mark.parametrize("n_positive", [60, 6000])
def test_the_scores_of_a_draw_of_many_rows_are_scikit_learns_of_weighted_rows(n_positive, monkeypatch):
    y, models = rare_rows(n_positive)
    model = models["model"]
    kept = np.random.default_rng(2).integers(0, 4, (len(y), 3)).astype(float)
    monkeypatch.setattr(bootstrap, "_counts", lambda n: iter([kept]))
    draws = bootstrap.resampled(y, {"model": model}, np.array(["no", "yes"]))["model"]
    for k in range(3):
        expected = scikit_learns(y, *model, np.array(["no", "yes"]), weight=kept[:, k])
        assert draws.iloc[k].to_dict() == pytest.approx(expected, rel=1e-3)


def test_no_interval_is_empty_where_one_row_of_many_is_positive():
    y, models = rare_rows(1)
    draws = bootstrap.resampled(y, models, np.array(["no", "yes"]))["model"]
    assert not any(np.isnan(bootstrap.interval(draws[name])).any() for name in draws)


def test_scores_are_those_of_the_classes_that_have_rows():
    P = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1]])
    y, predicted, classes = np.array(["a", "b", "a"]), np.array(["a", "b", "a"]), np.array(["a", "b", "c"])
    scored = scores.scores(y, predicted, P, classes)
    assert scored["roc_auc"] == scored["average_precision"] == 1
    draws = bootstrap.resampled(y, {"m": (predicted, P)}, classes)["m"]
    assert bootstrap.interval(draws["roc_auc"]) == (1, 1)
    assert np.isnan(scores.scores(y[:1], predicted[:1], P[:1], classes)["roc_auc"])


@pytest.mark.parametrize("n_rare", [1, 2, 12])
def test_the_black_box_learns_from_a_rare_class_of_many_rows(n_rare, monkeypatch):
    monkeypatch.setattr(references, "ROWS", 11_000)
    X = pd.DataFrame({"x": np.random.default_rng(0).normal(size=12_000)})
    y = np.repeat(["a", "b", "c"], [6_000, 6_000 - n_rare, n_rare])
    (_, P), n = references.black_box(X, y, X.tail(20), np.array(["a", "b", "c"]))
    assert n == pytest.approx(11_000, abs=3)
    np.testing.assert_allclose(P.sum(axis=1), 1)


def test_importance_is_that_of_all_rows_where_positives_are_rare():
    rng, n = np.random.default_rng(0), 20_000
    y = pd.Series(np.where(np.arange(n) < 40, "yes", "no"), dtype="str")
    table = pd.DataFrame({"x": rng.normal(size=n) + 3 * (y == "yes"), "z": rng.normal(size=n), "y": y})
    trained = train_on(table.iloc[::2].reset_index(drop=True), **{"lambda": 1e-4})
    found = checks.importance(trained.model, table).set_index("column")["importance"]
    X, y = features_and_target(table)
    both = of_scikit_learn(trained)
    expected = permutation_importance(both, X, y, scoring="neg_log_loss", n_repeats=5, random_state=1)
    assert found["x"] == pytest.approx(expected.importances_mean[0], rel=0.3)


def test_the_black_box_is_scikit_learns_own_and_takes_categories_dates_and_missing_cells():
    table, rows = split("breast_cancer")
    X, y = features_and_target(table)
    tests, _ = features_and_target(rows)
    (predicted, P), n = references.black_box(X, y, tests, np.unique(y))
    oracle = HistGradientBoostingClassifier(random_state=0).fit(X.to_numpy(), y)
    np.testing.assert_array_equal(P, oracle.predict_proba(tests.to_numpy()))
    assert n == len(X)
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue"], 400)
    mixed = pd.DataFrame({"colour": pd.Series(colour, dtype="str"), "x": rng.normal(size=400)})
    mixed.loc[::7, "colour"], mixed.loc[::5, "x"] = None, np.nan
    mixed["day"] = pd.date_range("2020-01-01", periods=400).where(np.arange(400) % 3 > 0)
    labels = np.where(mixed["colour"] == "red", "yes", "no")
    (predicted, _), _ = references.black_box(mixed, labels, mixed, np.array(["no", "yes"]))
    assert (predicted == labels).mean() > 0.95


def test_the_black_box_of_many_rows_is_trained_on_a_bounded_number(monkeypatch):
    monkeypatch.setattr(references, "ROWS", 100)
    X = pd.DataFrame({"x": np.arange(300.0)})
    y = np.where(X["x"] < 150, "a", "b")
    (predicted, _), n = references.black_box(X, y, X, np.array(["a", "b"]))
    assert n == 100
    assert (predicted == y).mean() > 0.9


def test_every_model_has_its_scores_and_those_on_test_rows_an_interval_around_them(tmp_path):
    written(*split("breast_cancer"), tmp_path)
    table = pd.read_csv(tmp_path / "evaluate/scores.csv").set_index(["model", "rows"])
    assert table.index.tolist() == [
        ("trained", "test"),
        ("trained", "training"),
        ("prior", "test"),
        ("black box", "test"),
        ("random start", "test"),
    ]
    on_test = table.xs("test", level="rows")
    assert (on_test["log_loss_lower"] < on_test["log_loss"]).all()
    assert (on_test["log_loss"] < on_test["log_loss_upper"]).all()
    assert table.xs("training", level="rows")["log_loss_lower"].isna().all()
    assert set(formats.load_json(tmp_path / "evaluate.json")) == {"test", "train", "prior", "black_box", "baseline"}
    assert "black box" in (tmp_path / "evaluate/report.txt").read_text()


def test_a_model_of_noise_is_reported_to_be_no_better_than_the_prior_and_overfitted(tmp_path):
    rng = np.random.default_rng(0)
    noise = pd.DataFrame(rng.normal(size=(400, 60))).rename(columns="x{}".format)
    noise["y"] = pd.Series(rng.choice(["a", "b"], 400), dtype="str")
    written(noise.iloc[::2].reset_index(drop=True), noise.iloc[1::2].reset_index(drop=True), tmp_path)
    found = " ".join(formats.load_json(tmp_path / paths.EVALUATION_WARNINGS)["warnings"])
    assert "is not better, compared with the class shares alone" in found
    assert "much better in training" in found
    assert "-S train.lambda=0.1" in found


def test_a_model_that_orders_rows_better_than_chance_is_not_reported_to_be_chance():
    rng = np.random.default_rng(0)
    y, classes = rng.permutation(["a", "b"] * 60), np.array(["a", "b"])
    margin = np.where(y == "b", 2.0, -2.0) + rng.normal(scale=4, size=len(y))  # the order is good, the log-loss is not
    P = np.column_stack([1 / (1 + np.exp(margin)), 1 / (1 + np.exp(-margin))])
    even = np.full(len(y), "a"), np.full((len(y), 2), 0.5)
    models = {"test": (classes[P.argmax(axis=1)], P), "prior": even}
    judged, prior = (scores.evaluate(y, *models[name], classes, None).metrics for name in models)
    draws = bootstrap.resampled(y, models, classes)
    assert judged["roc_auc"] > 0.6
    assert judged["log_loss"] > prior["log_loss"]
    with pytest.warns(UserWarning, match="orders rows better than chance .*but its probabilities are not better") as w:
        checks.no_better_than_prior(judged, prior, draws["test"], draws["prior"], weighted=False)
    assert "Rely on the order, not on the probabilities" in str(w[0].message)


def test_an_honest_model_gets_no_such_warning(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=800), "z": rng.normal(size=800)})
    table["y"] = pd.Series(np.where(table["x"] + table["z"] + rng.logistic(size=800) > 0, "a", "b"), dtype="str")
    written(table.iloc[::2].reset_index(drop=True), table.iloc[1::2].reset_index(drop=True), tmp_path)
    assert formats.load_json(tmp_path / paths.EVALUATION_WARNINGS)["warnings"] == []


def rare(n=4000):
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    y = np.where(x - 2.5 + rng.logistic(size=n) > 0, "yes", "no")
    return pd.DataFrame({"x": x, "nothing": np.zeros(n), "y": pd.Series(y, dtype="str")})


def test_class_weights_are_reported_to_spoil_probabilities_and_the_threshold_finds_the_same_rows(tmp_path):
    table = rare()
    weighted = written(table, table, tmp_path, class_weight="balanced").model
    (found,) = formats.load_json(tmp_path / paths.EVALUATION_WARNINGS)["warnings"]
    assert "class_weight = balanced spoils the probabilities" in found
    share = (table["y"] == "yes").mean()
    assert f"from a probability of {share:.2g} on" in found
    plain = train_on(table).model
    same = (plain.probabilities(table)[:, 1] > share) == (weighted.classify(table) == "yes")
    assert same.mean() > 0.97


def of_scikit_learn(trained: fit.Training) -> Pipeline:
    """From typed columns to probabilities, as scikit-learn's functions take it."""
    features = FunctionTransformer(lambda X: Matrix([trained.model.design.block(X)], trained.features.T))
    estimator = LogisticRegression()
    vars(estimator).update(vars(trained.fitted))
    return make_pipeline(features, estimator)


def test_importance_is_that_of_scikit_learn_and_a_column_without_effect_is_named():
    table = rare(500)
    trained = train_on(table)
    model = trained.model
    found = checks.importance(model, table).set_index("column")
    both = of_scikit_learn(trained)
    X, y = features_and_target(table)
    expected = permutation_importance(both, X, y, scoring="neg_log_loss", n_repeats=50, random_state=1)
    assert found.loc["x", "importance"] == pytest.approx(expected.importances_mean[0], rel=0.1)
    assert found.loc["nothing", "importance"] == 0
    with pytest.warns(UserWarning, match=r"1 column has no effect: .*\('nothing'\)"):
        checks.without_effect(found.reset_index(), 0.1)


# R. G. Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17, 1998, table I.
@pytest.mark.parametrize(
    ("successes", "n", "ends"),
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_the_interval_of_a_share_is_the_published_one(successes, n, ends):
    assert bootstrap.wilson(successes, n) == pytest.approx(ends, abs=6e-5)


def test_each_group_has_its_rates(tmp_path):
    table = rare()
    sex = pd.DataFrame({"sex": pd.Series(np.where(np.arange(len(table)) % 4 == 0, "f", "m"), dtype="str")})
    model = written(table, table, tmp_path, groups=sex).model
    found = pd.read_csv(tmp_path / "evaluate/groups.csv").set_index("group")
    assert found["rows"].to_dict() == {"(all)": 4000, "f": 1000, "m": 3000}
    women, chosen = (sex["sex"] == "f").to_numpy(), model.classify(table) == "yes"
    actual = (table["y"] == "yes").to_numpy()
    row = found.loc["f"]
    assert row["selection_rate"] == pytest.approx(chosen[women].mean())
    assert row["recall"] == pytest.approx(chosen[women & actual].mean())
    assert row["observed"] == pytest.approx(actual[women].mean())
    assert row["mean_probability"] == pytest.approx(model.probabilities(table)[women, 1].mean())
    assert row["observed_lower"] < row["observed"] < row["observed_upper"]


def test_a_column_of_groups_may_be_no_feature_and_one_that_cannot_be_is_named():
    rows = pd.DataFrame({"x": np.arange(100.0), "y": "a"})
    left_out = pd.DataFrame({"sex": ["f", "m"] * 50})
    assert result.groups_of(["sex"], rows, left_out)["sex"].tolist() == ["f", "m"] * 50
    with pytest.raises(UserError, match=r"evaluate.groups has 'sax', which is no column of the test rows.*'x', 'sex'"):
        result.groups_of(["sax"], rows, left_out)
    with pytest.raises(UserError, match="'x', which has 100 different values"):
        result.groups_of(["x"], rows, left_out)


def plotted(folder):
    """The files that `dvc plots` shows, by name, from dvc.yaml."""
    plots = [settings for plot in DVC["plots"] for settings in plot.values()]
    files = [(file, settings) for settings in plots for file in settings["y"] if "one_vs_rest" not in file]
    return {folder / Path(file).relative_to("outputs"): settings for file, settings in files}


def test_the_plots_of_dvc_have_the_points_of_the_curves_one_line_per_class_and_name_the_data(tmp_path):
    table, rows = split("wine")
    written(table, rows, tmp_path)
    for file, settings in plotted(tmp_path).items():
        shown = pd.read_csv(file)
        assert {settings["x"], *settings["y"].values()} <= set(shown)
        assert set(shown["data"]) == {"mine"}
        assert (ROOT / ".dvc" / "plots" / f"{settings['template']}.json").exists()
        if file.stem == "roc":
            curve = pd.read_csv(tmp_path / "evaluate" / "curves" / "roc.csv")
            pd.testing.assert_frame_equal(shown.drop(columns="data"), curve)
            starts = shown.groupby("class")[["false_positive_rate", "true_positive_rate"]].first()
            assert (len(starts), starts.to_numpy().max()) == (3, 0)
        if file.stem == "confusion":
            predictions = formats.load_csv(tmp_path / paths.PREDICTIONS)
            counts = predictions.groupby(["actual", "predicted"]).size()
            found = shown[shown["rows"] > 0].set_index(["actual", "predicted"])["rows"].sort_index()
            pd.testing.assert_series_equal(found, counts, check_names=False)


def test_a_long_line_of_a_plot_is_thinned_and_keeps_its_ends(tmp_path):
    table, rows = split("breast_cancer")
    written(table, rows, tmp_path, optimizer="gradient_descent", learning_rate=0.3, tolerance=1e-9, max_iterations=2500)
    costs, shown = (pd.read_csv(tmp_path / file) for file in (paths.COSTS, paths.PLOTS / "costs.csv"))
    assert len(costs) > 2000 > len(shown) > 500
    pd.testing.assert_frame_equal(
        shown[["iteration", "cost"]].iloc[[0, -1]].reset_index(drop=True),
        costs[["iteration", "cost"]].iloc[[0, -1]].reset_index(drop=True),
    )


def test_no_class_ends_the_script_of_the_page_that_dvc_writes(tmp_path):
    table, rows = split("iris")
    for part in (table, rows):
        part["target"] = part["target"].replace({"setosa": "</script><script>alert(1)</script>"})
    written(table, rows, tmp_path)
    assert len(plotted(tmp_path)) == 3
    for file in plotted(tmp_path):
        assert "<" not in file.read_text()
        assert "alert(1)" in file.read_text() or file.stem == "costs"


def rows_of(hits, misses, false_alarms, others):
    """Predictions with so many rows of each kind, where `b` is the class to find."""
    counts = {("b", "b"): hits, ("b", "a"): misses, ("a", "b"): false_alarms, ("a", "a"): others}
    rows = [pair for pair, n in counts.items() for _ in range(n)]
    return pd.DataFrame(rows, columns=["actual", "predicted"]).assign(probability_a=0.5, probability_b=0.5)


def test_without_a_hit_the_macro_scores_have_intervals_of_wilson():
    found = bootstrap.of_rare_classes(rows_of(0, 5, 0, 95))
    assert found["precision_macro"][1] == pytest.approx(0.475 + np.hypot(1, 0.978 - 0.95) / 2, abs=0.001)
    upper = 0.4345  # Wilson's upper end of 0 in 5 rows
    assert found["recall_macro"][1] == pytest.approx(0.5 + upper / 2, abs=0.001)
    assert found["f1_macro"][1] > (2 * upper / (1 + upper)) / 2 + 0.4


def test_where_ten_hits_and_predicted_rows_stand_behind_each_class_draws_alone_decide():
    assert bootstrap.of_rare_classes(rows_of(10, 5, 3, 95)) == {}
    assert set(bootstrap.of_rare_classes(rows_of(9, 5, 3, 95))) == {"precision_macro", "recall_macro", "f1_macro"}


def test_rows_of_equal_weight_have_the_intervals_of_no_weight():
    rows = rows_of(3, 4, 2, 60)
    plain, weighted = bootstrap.of_rare_classes(rows), bootstrap.of_rare_classes(rows, np.full(len(rows), 2.5))
    for name, ends in plain.items():
        assert weighted[name] == pytest.approx(ends)


def test_the_intervals_of_a_rare_class_hold_what_they_promise():
    table = coverage.coverage(1.5, 60)
    assert (table.loc[["precision_macro", "recall_macro", "f1_macro"], "report"] >= 0.9).all()

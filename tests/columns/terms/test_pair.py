"""Pairs of columns that act together. The oracle is how the data was made."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from conftest import train_params

from pipeline.columns.terms import Settings, prepare
from pipeline.columns.terms.pair import Pair, promising_pairs
from pipeline.errors import UserError
from pipeline.logistic.loss import sigmoid
from pipeline.reading import CellFormat
from pipeline.training import fit, learnt, selection

pytestmark = pytest.mark.slow

N = 3_000
AUTO = train_params(
    **{"lambda": "auto"}, features="auto", interactions="auto", optimizer="quasi_newton", learning_rate="auto"
)


def frame(n=N, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.normal(size=(n, 4)), columns=["age", "balance", "height", "weight"])
    table["flag"] = rng.integers(0, 2, n).astype(float)
    table["plan"] = pd.Series(rng.choice(["basic", "gold", "none"], n), dtype="str")
    return table, rng


def table(log_odds, n=N, seed=0):
    X, rng = frame(n, seed)
    y = log_odds(X) + rng.logistic(size=n) > 0
    return X.assign(y=np.where(y, "yes", "no")).astype({"y": "str"})


def product(X):
    return 2 * X["age"] * X["balance"] + X["height"]


def by_category(X):
    return 2 * X["age"] * (X["plan"] == "gold") - X["weight"]


def additive(X):
    return X["age"] ** 2 - X["balance"] + (X["plan"] == "gold")


def by_flag(X):
    return 2 * X["age"] * (X["flag"] == 1)


@pytest.mark.parametrize(
    ("log_odds", "best"),
    [(product, ("age", "balance")), (by_category, ("plan", "age")), (by_flag, ("age", "flag"))],
)
def test_the_pair_that_the_data_was_made_with_is_chosen_first(log_odds, best):
    settled, candidates = selection.resolved(table(log_odds), AUTO)
    assert settled.pairs == [best]
    assert candidates.loc[candidates["chosen"], "pairs"].tolist() == [len(settled.pairs)]


def test_additive_data_get_no_pairs_but_for_chance():
    asked = AUTO.model_copy(update={"pair_strength": "auto", "features": "curves"})
    with_pairs = [bool(selection.resolved(table(additive, 600, seed), asked)[0].pairs) for seed in range(5)]
    assert sum(with_pairs) <= 1


def test_pairs_have_a_strength_of_their_own():
    names = ["age", "balance", "height", "weight"]
    weak = lambda X: X["flag"] + 0.35 * sum(X[a] * X[b] for a, b in combinations(names, 2))  # noqa: E731
    asked = AUTO.model_copy(update={"pair_strength": "auto", "features": "linear"})
    for log_odds, l2, strength in [(weak, 1e-4, 10), (product, 1e-2, 1)]:
        settled, candidates = selection.resolved(table(log_odds, 1_500), asked.model_copy(update={"l2": l2}))
        assert settled.pair_strength == candidates.loc[candidates["chosen"], "pair_strength"].item() == strength


def test_bends_of_single_columns_do_not_look_like_pairs_to_lines():
    lines = AUTO.model_copy(update={"features": "linear"})
    assert selection.resolved(table(lambda X: X["age"] ** 2 - X["balance"] ** 2), lines)[0].pairs == []
    rows = table(lambda X: 3 * X["age"] ** 2 + 2 * X["height"] * X["weight"])
    assert selection.resolved(rows, lines)[0].pairs == [("height", "weight")]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [([["age", "age"]], "two different columns"), ([["age", "balance"], ["balance", "age"]], "twice: leave one")],
)
def test_pairs_of_one_column_or_twice_the_same_are_refused(pairs, message):
    with pytest.raises(ValueError, match=message):
        train_params(interactions=pairs)


def test_a_given_pair_fits_the_surface_that_the_data_was_made_with():
    rows = table(product, 20_000)
    params = train_params(
        **{"lambda": 1e-4}, interactions=[["age", "balance"]], optimizer="quasi_newton", learning_rate="auto"
    )
    trained = fit.train(rows, params, CellFormat())
    fitted, X = trained.model, rows.iloc[:, :-1]
    margins = fitted.margins(X)
    usual = (X[["age", "balance"]].abs() < 1.5).all(axis="columns")
    assert np.abs(margins - product(X))[usual].mean() < 0.25
    surface = learnt.effects_of_cells(trained, "pair", {})
    assert surface["pair"].unique().tolist() == ["age x balance"]
    assert surface["rows"].sum() == len(rows)
    corners = surface.astype({"first": float, "second": float}).query("abs(first) > 1 and abs(second) > 1")
    assert (np.sign(corners["effect"]) == np.sign(corners["first"] * corners["second"])).all()


def test_score_tests_find_the_pair_of_residuals_made_by_hand():
    X, rng = frame()
    design, _, Z = prepare(X, Settings(bins=True))
    p = np.full(N, 0.5)
    residuals = (rng.random(N) < sigmoid(3 * X["height"] * X["weight"])) - p
    found = promising_pairs(design.terms, Z, np.asarray(residuals)[:, None], (p * (1 - p))[:, None], 3)
    assert found[0] == ("height", "weight")


@pytest.mark.parametrize(
    ("names", "is_first"),
    [
        (("latitude", "longitude"), True),
        (("pickup_lng", "pickup_lat"), True),
        (("LON", "LAT"), True),
        (("homeLat", "homeLong"), True),
        (("y", "x"), True),
        (("plate", "alone"), False),
        (("start_lat", "end_lon"), False),
        (("far_lat", "far_lon"), False),  # no degrees
    ],
)
def test_latitude_and_longitude_are_tried_first_whatever_the_score_tests_say(names, is_first):
    X, rng = frame()
    scale = 1e4 if names[0].startswith("far") else 1
    X = X.assign(**{name: scale * rng.uniform(-80, 80, N) for name in names})
    design, _, Z = prepare(X, Settings(bins=True))
    p = np.full(N, 0.5)
    residuals = (rng.random(N) < sigmoid(3 * X["height"] * X["weight"])) - p
    found = promising_pairs(design.terms, Z, np.asarray(residuals)[:, None], (p * (1 - p))[:, None], 3)
    assert found[: 1 + is_first] == [*[names] * is_first, ("height", "weight")]


def test_the_groups_of_a_pair_of_places_in_one_town_have_different_names():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"lat": 48.85 + rng.random(500) / 100, "lon": 2.35 + rng.random(500) / 1000})
    design, _, _ = prepare(X, Settings(smoothness=10.0, pairs=[("lat", "lon")]))
    cells = next(term for term in design.terms if isinstance(term, Pair)).effects().cells
    assert not cells.duplicated().any()


def test_pairs_of_missing_and_unseen_cells_have_no_effect():
    X, _ = frame(500)
    settings = Settings(smoothness=10.0, pairs=[("age", "plan"), ("age", "balance")])
    design, features, _ = prepare(X, settings)
    first, second = (positions for term, positions in features.spans if isinstance(term, Pair))
    new = X.iloc[:3].copy()
    new["age"] = [np.nan, 0.5, np.nan]
    new["plan"] = pd.Series(["gold", "platinum", None], dtype="str")
    rows = design.block(new).features(features.T)
    np.testing.assert_array_equal(rows[:, first], 0)
    np.testing.assert_array_equal(rows[[0, 2]][:, second], 0)
    assert np.abs(rows[1, second]).max() > 0


def test_groups_of_a_pair_are_named_by_category_or_by_the_mean_of_their_numbers():
    X, _ = frame(500)
    _, features, _ = prepare(X, Settings(smoothness=10.0, pairs=[("plan", "flag")]))
    cells = features.drawn[-1][1].cells
    assert cells["first"].unique().tolist() == ["basic", "gold", "none", "rare"]
    assert cells["second"].unique().tolist() == ["0", "1", "missing"]


def test_a_pair_of_a_column_that_is_not_there_is_one_message():
    with pytest.raises(UserError, match=r"train.interactions has 'agee', which is no column .*'plan', 'age'"):
        prepare(frame(100)[0], Settings(pairs=[("agee", "plan")]))


def test_the_choice_is_printed_as_overrides_that_hydra_reads():
    from pipeline.config import composition, parse, section_of

    settled, _, overrides = selection.without_lambda(table(by_category, 1_000), AUTO, [])
    composed = section_of(parse(composition.compose([*overrides]), "conf/"), "train", "conf/")
    assert (composed.features, composed.pairs) == (settled.features, settled.pairs)

"""Terms of a table, and their features. scikit-learn's transformers are the oracle."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from pipeline.columns.terms import Design, Features, Settings, prepare
from pipeline.columns.terms.fields import Fields
from pipeline.logistic.matrix import Matrix
from pipeline.training.cross_validation import within

N = 60


@pytest.fixture
def frame():
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": random.normal(40, 10, N).round(),
            "gain": np.where(np.arange(N) % 3 == 0, np.nan, random.normal(size=N)),
            "education": pd.Series(
                (["Bachelors"] * 28 + ["HS-grad"] * 28 + ["Doctorate", "9th", None, None]), dtype="str"
            ),
            "smoker": pd.Series(["yes", "no"] * (N // 2), dtype="str"),
            "sold": pd.date_range("2024-01-30", periods=N, freq="D"),
        }
    )


def written_out(X, new=None, **settings):
    """The features of X (or of new rows) as a data frame."""
    design, features, _ = prepare(X, Settings(**{"min_rows": 10, **settings}))
    matrix = Matrix([design.block(X if new is None else new)], features.T)
    return pd.DataFrame(matrix.toarray(), columns=features.names)


def scikit_learn(numbers, strings, min_rows, max_categories=None):
    """Unfitted transformers of the same features."""
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=min_rows, max_categories=max_categories, sparse_output=False
    )
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(imputer, StandardScaler()), numbers),
            ("missing", SimpleImputer(add_indicator=True, keep_empty_features=True), numbers),
            ("strings", encoder, strings),
        ]
    )


def of_scikit_learn(transformer, X, numbers):
    """Without the imputed numbers in front of the indicators."""
    columns = transformer.transform(X)
    return np.delete(columns, np.arange(len(numbers), 2 * len(numbers)), axis=1)


def test_names_keep_the_names_and_categories_of_the_table(frame):
    assert written_out(frame, min_rows=2).columns.tolist() == [
        *("age", "gain", "gain is missing"),
        *("sold: month", "sold: day", "sold: weekday"),
        *("education = Bachelors", "education = HS-grad", "education is missing", "education is rare"),
        *("smoker = no", "smoker = yes"),
    ]


@pytest.mark.parametrize(("min_rows", "max_categories"), [(1, None), (2, None), (10, None), (1, 3), (3, 2)])
def test_features_are_those_of_scikit_learn_in_rows_that_were_seen_and_in_others(frame, min_rows, max_categories):
    numbers, strings = ["age", "gain"], ["education", "smoker"]
    new = frame.sample(frac=1, random_state=1).reset_index(drop=True)
    new.loc[:3, "education"], new.loc[4:6, "smoker"], new.loc[::7, "gain"] = "Kindergarten", None, np.nan
    new["age"] *= 2
    for learnt in (frame, frame.iloc[20:]):  # the second has lost a category
        learnt = learnt[numbers + strings]
        theirs = scikit_learn(numbers, strings, min_rows, max_categories).fit(learnt)
        for rows in (learnt, new[numbers + strings]):
            found = written_out(learnt, rows, min_rows=min_rows, max_categories=max_categories)
            least, most = learnt[numbers].min(), learnt[numbers].max()
            nearer = rows[numbers].clip(2 * least - most, 2 * most - least, axis=1)
            expected = of_scikit_learn(theirs, rows.assign(**nearer), numbers)
            np.testing.assert_allclose(found, expected, atol=1e-12)


def test_features_fitted_on_some_blocks_of_a_base_matrix_are_those_of_scikit_learn_fitted_on_their_rows(frame):
    frame["rare"] = np.where(np.arange(N) < 3, 7.0, np.nan)  # all missing in the second part
    frame["constant there"] = np.where(np.arange(N) < 25, np.arange(N), 5.0)
    numbers, strings = ["age", "gain", "rare", "constant there"], ["education", "smoker"]
    X = frame[numbers + strings]
    design, _, _ = prepare(X, Settings(min_rows=1))
    first, second = design.block(X.iloc[:25]), design.block(X.iloc[25:])
    for kept, rows in (([second], X.iloc[25:]), ([first], X.iloc[:25])):
        theirs = scikit_learn(numbers, strings, 2).fit(rows)
        features = Features(design, Matrix(kept), Settings(min_rows=2))
        every_row = Matrix([first, second], features.T).toarray()
        expected = of_scikit_learn(theirs, X, numbers)
        expected[:, :4] *= rows[numbers].nunique().to_numpy() > 1  # nothing is learnt from a constant
        np.testing.assert_allclose(every_row, expected, atol=1e-12)


HELD_OUT = 20
ALIKE = {
    "zero": np.zeros(N),
    "not zero": np.full(N, 0.1),
    "far from zero": np.full(N, 1e9 + 0.3),
    "almost always zero": np.where(np.arange(N) == N - 1, 1.0, 0.0),
    "two numbers next to each other": np.where(np.arange(N) % 2, 1.0, 1.001),
    "a few small counts": np.arange(N) % 5.0,
    "all missing": np.full(N, np.nan),
    "zero or missing": np.where(np.arange(N) % 3, 0.0, np.nan),
}


@pytest.mark.parametrize("smoothness", [None, 10.0])
@pytest.mark.parametrize("pairs", [[], [("count", "kind")], [("count", "other")]])
@pytest.mark.parametrize("alike", ALIKE)
def test_where_all_large_counts_are_held_out_features_are_those_of_the_other_rows_alone(smoothness, pairs, alike):
    """Products of a constant are no features there, so pairs are compared where there are none or few of them."""
    count = ALIKE[alike].copy()
    count[:HELD_OUT] = np.geomspace(2, 2e4, HELD_OUT).round()
    kind = pd.Series(["a", "b", "c"] * (N // 3), dtype="str")
    X = pd.DataFrame({"count": count, "other": np.arange(N) % 7.0, "kind": kind})
    settings = Settings(smoothness=smoothness, pairs=pairs)
    design, _, _ = prepare(X, settings)
    learnt, others = design.block(X.iloc[HELD_OUT:]), design.block(X.iloc[:HELD_OUT])
    features = Features(design, Matrix([learnt]), settings)
    (others,) = within(Matrix([others]), Matrix([learnt]), design).blocks
    found = Matrix([learnt, others], features.T).toarray()
    varies = len(np.unique(count[HELD_OUT:][~np.isnan(count[HELD_OUT:])])) > 1
    alone = written_out(X.iloc[HELD_OUT:], X, min_rows=1, smoothness=smoothness, pairs=pairs if varies else [])
    alone = np.roll(alone.to_numpy(), -HELD_OUT, axis=0)
    if not pairs:  # products of two columns, and bends, may be turned
        np.testing.assert_allclose(found @ found.T, alone @ alone.T, rtol=1e-6, atol=1e-6)
    learnt_size, size = np.abs(found[:-HELD_OUT]).max(), np.abs(found).max()
    assert size <= 1.001 * max(np.abs(alone).max(), learnt_size**2)


def test_the_parts_of_dates_are_standardised_and_a_missing_date_is_one_feature(frame):
    frame.loc[[3, 7], "sold"] = pd.NaT
    found = written_out(frame[["sold"]])
    assert found.columns.tolist() == ["sold: month", "sold: day", "sold: weekday", "sold is missing"]
    np.testing.assert_array_equal(found["sold is missing"], frame["sold"].isna())
    parts = np.column_stack([frame["sold"].dt.month, frame["sold"].dt.day, frame["sold"].dt.day_of_week])
    imputed = SimpleImputer(strategy="median").fit_transform(parts)
    np.testing.assert_allclose(found.iloc[:, :3], StandardScaler().fit_transform(imputed), atol=1e-12)


@pytest.mark.parametrize("smoothness", [None, 10.0])
@pytest.mark.parametrize(("part", "unit"), [("year", "365D"), ("month", "31D"), ("day", "1D"), ("weekday", "1D")])
def test_a_part_of_dates_that_is_constant_inside_a_fold_has_features_of_zero_in_every_row(part, unit, smoothness):
    """The rows held out have other years, months, days and weekdays; the others have only one of `part`."""
    days_of_may = pd.Series(pd.to_datetime([f"{year}-05-{day}" for year in (2020, 2021) for day in (3, 14, 25)]))
    constant = {
        "year": pd.Series(pd.date_range("2021-01-01", periods=N, freq="5D")),
        "month": days_of_may.sample(N, replace=True, random_state=0, ignore_index=True),
        "day": pd.Series(pd.date_range("2019-01-07", periods=N, freq="MS") + pd.Timedelta("6D")),
        "weekday": pd.Series(pd.date_range("2021-01-04", periods=N, freq="W-MON")),
    }[part]
    held_out = pd.Series(pd.date_range("1999-02-10", periods=HELD_OUT, freq=unit) + pd.Timedelta("17D"))
    X = pd.DataFrame({"sold": pd.concat([constant, held_out], ignore_index=True)})
    design, every_feature, _ = prepare(X, settings := Settings(smoothness=smoothness))
    learnt, others = design.block(X.iloc[:N]), design.block(X.iloc[N:])
    features = Features(design, Matrix([learnt]), settings)
    found = pd.DataFrame(Matrix([learnt, others], features.T).toarray(), columns=features.names)
    assert any(name.startswith(f"sold: {part}") for name in every_feature.names)
    of_part = found[[name for name in found if name.startswith(f"sold: {part}")]]
    assert len(of_part.columns)
    assert (of_part == 0).all(axis=None)
    assert (found.drop(columns=of_part.columns).std() > 0).any()


def test_features_per_unit_are_the_numbers_of_the_table(frame):
    design, features, _ = prepare(frame, Settings(min_rows=2))
    found = Matrix([design.block(frame)], features.per_unit()).toarray()
    np.testing.assert_allclose(found[:, 0], frame["age"], atol=1e-12)
    np.testing.assert_allclose(found[:, 1], frame["gain"].fillna(frame["gain"].median()), atol=1e-12)
    np.testing.assert_allclose(found[:, 3], frame["sold"].dt.month, atol=1e-12)
    np.testing.assert_array_equal(found[:, 6], frame["education"] == "Bachelors")


@pytest.mark.parametrize("min_rows", [1, 2, 10])
def test_the_deviation_of_each_feature_is_known(frame, min_rows):
    _, features, Z = prepare(frame, Settings(min_rows=min_rows))
    np.testing.assert_allclose(features.deviation, Z.toarray().std(axis=0), atol=1e-12)


@pytest.mark.parametrize(
    "dates", [["2024-01-01"] * 4, ["2024-01-01", None] * 2, [None] * 4, ["2024-01-01 10:00:07"] * 4]
)
def test_dates_of_which_no_part_varies_are_no_failure(dates):
    names = written_out(pd.DataFrame({"sold": pd.to_datetime(dates)})).columns.tolist()
    assert names == ["sold: year", "sold is missing"][: 1 + (None in dates)]


def test_groups_are_the_indicators_of_each_column_of_strings(frame):
    """Beside numbers, missing numbers and dates; with rare categories, and with missing cells as a category."""
    frame["city"] = pd.Series([f"city{i % 20:02}" for i in range(N)], dtype="str")
    _, features, Z = prepare(frame, Settings(min_rows=3, max_categories=5))
    names = [features.names[group].tolist() for group in features.partitions]
    assert names[0] == ["education = Bachelors", "education = HS-grad", "education is rare"]
    assert names[1] == ["smoker = no", "smoker = yes"]
    assert (len(names[2]), names[2][-1], len(names)) == (5, "city is rare", 3)
    for group in features.partitions:
        np.testing.assert_array_equal(Z.toarray()[:, group].sum(axis=1), 1)


def test_a_table_without_strings_has_no_group(frame):
    assert prepare(frame[["age", "sold"]], Settings(min_rows=1))[1].partitions == []


def test_a_design_that_is_stored_makes_the_same_base_matrix_and_has_the_same_weights(frame):
    frame.loc[[3, 7], "sold"] = pd.NaT
    settings = Settings(min_rows=2, smoothness=10.0, pairs=[("age", "education"), ("gain", "age")])
    design = prepare(frame.assign(known=0.5), replace(settings, offset="known"))[0]
    weights = np.random.default_rng(0).normal(size=(design.n_base + 1, 3))
    stored = json.loads(json.dumps(design.state(weights)))
    loaded, found = Design.restored(Fields(stored, "model.json"), 3)
    np.testing.assert_array_equal(found, weights[:-1])
    new = frame.assign(known=-1.0, age=frame["age"] + 3).drop(index=range(5)).reset_index(drop=True)
    ours, theirs = design.block(new), loaded.block(new)
    for name in ("dense", "codes", "offset"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert loaded.columns == design.columns
    assert loaded.groups == design.groups


@pytest.mark.parametrize("size", [1e-300, 1e-170, 1e170, 1e300])
def test_numbers_of_any_size_are_standardised_alike(size):
    x = np.random.default_rng(0).normal(3, 1, 200)
    frame = pd.DataFrame({"x": x, "huge": size * x, "constant": np.full(200, size)})
    found = written_out(frame).to_numpy()
    np.testing.assert_allclose(found[:, 0], (x - x.mean()) / x.std())
    np.testing.assert_allclose(found[:, 1], found[:, 0], atol=1e-12)
    np.testing.assert_allclose(found[:, 2], 0, atol=1e-12)


def test_columns_of_which_every_category_is_rare_are_named(frame):
    frame["city"] = pd.Series([f"city{i % 20:02}" for i in range(N)], dtype="str")
    assert prepare(frame, Settings(min_rows=4))[1].pooled == ["city"]
    assert prepare(frame, Settings(min_rows=3))[1].pooled == []
    assert prepare(frame[["age"]], Settings(min_rows=3))[1].pooled == []

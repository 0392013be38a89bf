import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.preprocessing import StandardScaler

from pipeline.columns import features
from pipeline.errors import UserError

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
            "y": pd.Series(["a", "b"] * (N // 2), dtype="str"),
        }
    )


def fitted(frame, max_categories=50, min_rows=10):
    X = frame.drop(columns="y")
    return features.preprocessing(X, max_categories=max_categories, min_rows=min_rows).fit(X)


def test_names_keep_the_names_and_categories_of_the_table(frame):
    assert fitted(frame, min_rows=2).get_feature_names_out().tolist() == [
        *("age", "gain", "gain is missing"),
        *("sold: month", "sold: day", "sold: weekday"),
        *("education = Bachelors", "education = HS-grad", "education is missing", "education is rare"),
        *("smoker = no", "smoker = yes"),
    ]


def test_complete_numbers_are_only_standardised(frame):
    numbers = pd.DataFrame(np.random.default_rng(1).normal(3, 5, (50, 4)), columns=list("abcd")).assign(y="x")
    numbers.loc[::2, "y"] = "z"
    X = numbers.drop(columns="y")
    np.testing.assert_allclose(fitted(numbers).transform(X), StandardScaler().fit_transform(X), atol=1e-14)


def test_missing_numbers_become_the_median_of_the_training_rows(frame):
    model = fitted(frame)
    columns = model["columns"].transform(frame.drop(columns="y"))
    missing = frame["gain"].isna()
    np.testing.assert_array_equal(columns[missing, 1], frame["gain"].median())
    np.testing.assert_array_equal(columns[:, 2], missing)


def test_an_indicator_is_one_where_the_cell_has_its_category(frame):
    columns = pd.DataFrame(fitted(frame, min_rows=2)["columns"].transform(frame.drop(columns="y")))
    columns.columns = fitted(frame, min_rows=2).get_feature_names_out()
    np.testing.assert_array_equal(columns["education = HS-grad"], frame["education"] == "HS-grad")
    np.testing.assert_array_equal(columns["education is rare"], frame["education"].isin(["Doctorate", "9th"]))
    np.testing.assert_array_equal(columns["education is missing"], frame["education"].isna())
    np.testing.assert_array_equal(columns["sold: month"], frame["sold"].dt.month)


def test_what_training_never_saw_does_not_fail(frame):
    model = fitted(frame, min_rows=2)
    new = frame.drop(columns="y").iloc[:2].copy()
    new["age"] = np.nan
    new["education"] = "Kindergarten"
    new["smoker"] = None
    new["sold"] = pd.NaT
    row = pd.Series(model["columns"].transform(new)[0], model.get_feature_names_out())
    assert row["age"] == frame["age"].median()
    assert row["education is rare"] == 1
    assert row[["smoker = no", "smoker = yes"]].tolist() == [0, 0]
    assert np.isfinite(model.transform(new)).all()


def test_a_missing_date_is_one_feature_however_many_parts_the_dates_have(frame):
    frame.loc[[3, 7], "sold"] = pd.NaT
    model = fitted(frame[["sold", "y"]])
    assert model.get_feature_names_out().tolist() == ["sold: month", "sold: day", "sold: weekday", "sold is missing"]
    columns = model["columns"].transform(frame[["sold"]])
    np.testing.assert_array_equal(columns[:, -1], frame["sold"].isna())
    parts = [frame["sold"].dt.month, frame["sold"].dt.day, frame["sold"].dt.day_of_week]
    np.testing.assert_array_equal(columns[3, :-1], [part.median() for part in parts])


@pytest.mark.parametrize(
    "dates", [["2024-01-01"] * 4, ["2024-01-01", None] * 2, [None] * 4, ["2024-01-01 10:00:07"] * 4]
)
def test_dates_of_which_no_part_varies_are_no_failure(dates):
    frame = pd.DataFrame({"sold": pd.to_datetime(dates)})
    names = features.preprocessing(frame, max_categories=5, min_rows=1).fit(frame).get_feature_names_out().tolist()
    assert names == ["sold: year", "sold is missing"][: 1 + (None in dates)]


def test_categories_beyond_the_bound_are_pooled(frame):
    frame["city"] = pd.Series([f"city{i % 20:02}" for i in range(N)], dtype="str")
    names = fitted(frame, max_categories=5, min_rows=1).get_feature_names_out()
    assert sum(name.startswith("city") for name in names) == 5
    assert "city is rare" in names


def test_one_hot_groups_are_the_indicators_of_each_column_of_strings(frame):
    """Beside numbers, missing numbers and dates; with rare categories, and with missing cells as a category."""
    frame["city"] = pd.Series([f"city{i % 20:02}" for i in range(N)], dtype="str")
    model = fitted(frame, max_categories=5, min_rows=3)
    groups, names = features.one_hot_groups(model), model.get_feature_names_out()
    assert [[name.removeprefix("education") for name in names[groups[0]]], names[groups[1]].tolist()] == [
        [" = Bachelors", " = HS-grad", " is rare"],
        ["smoker = no", "smoker = yes"],
    ]
    assert [name for name in names if name.startswith("city")] == names[groups[2]].tolist()
    assert len(groups) == 3
    indicators = model["columns"].transform(frame.drop(columns="y"))
    for group in groups:
        np.testing.assert_array_equal(indicators[:, group].sum(axis=1), 1)


@pytest.mark.parametrize(("min_rows", "last"), [(1, "education is missing"), (2, "education is rare")])
def test_a_one_hot_group_has_missing_cells_as_a_category_and_one_place_for_rare_ones(frame, min_rows, last):
    model = fitted(frame[["education", "y"]], min_rows=min_rows)
    (group,) = features.one_hot_groups(model)
    names = model.get_feature_names_out()
    np.testing.assert_array_equal(group, np.arange(len(names)))
    assert names[-1] == last
    assert "education is missing" in names
    np.testing.assert_array_equal(model["columns"].transform(frame[["education"]]).sum(axis=1), 1)


def test_a_table_without_strings_has_no_one_hot_group(frame):
    assert features.one_hot_groups(fitted(frame[["age", "sold", "y"]])) == []


def test_the_model_is_stored_without_pickle_and_loads_with_the_short_list(frame):
    model = fitted(frame)
    stored = skops.io.dumps(model)
    assert set(skops.io.get_untrusted_types(data=stored)) <= set(features.TRUSTED)
    loaded = skops.io.loads(stored, trusted=features.TRUSTED)
    X = frame.drop(columns="y")
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    assert loaded.get_feature_names_out().tolist() == model.get_feature_names_out().tolist()


def test_a_matrix_too_large_for_memory_is_one_message_before_it_is_made(frame, monkeypatch):
    monkeypatch.setattr(features, "LARGEST_MATRIX", 500)
    with pytest.raises(UserError, match=r"60 rows of up to 15 features .*train.max_categories = 50.*education \(4\)"):
        fitted(frame)


@pytest.mark.parametrize("size", [1e-300, 1e-170, 1e170, 1e300])
def test_numbers_of_any_size_are_standardised_alike(size):
    x = np.random.default_rng(0).normal(3, 1, 200)
    frame = pd.DataFrame({"x": x, "huge": size * x, "constant": np.full(200, size)})
    matrix = features.preprocessing(frame, max_categories=5, min_rows=1).fit_transform(frame)
    np.testing.assert_allclose(matrix[:, 0], (x - x.mean()) / x.std())
    np.testing.assert_allclose(matrix[:, 1], matrix[:, 0], atol=1e-12)
    np.testing.assert_allclose(matrix[:, 2], 0, atol=1e-12)


def test_the_scaler_is_scikit_learns_to_the_last_bit():
    X = np.random.default_rng(1).normal(size=(100, 4)) * [1e-3, 1, 1e5, 0] + [0, 7, 1e6, 3]
    ours, theirs = features.Scaler().fit(X), StandardScaler().fit(X)
    np.testing.assert_array_equal(ours.transform(X), theirs.transform(X))
    np.testing.assert_array_equal([ours.mean_, ours.scale_], [theirs.mean_, theirs.scale_])


def test_columns_of_which_every_category_is_rare_are_named(frame):
    frame["city"] = pd.Series([f"city{i % 20:02}" for i in range(N)], dtype="str")
    assert features.pooled(fitted(frame, min_rows=4)) == ["city"]
    assert features.pooled(fitted(frame, min_rows=3)) == []
    assert features.pooled(fitted(frame[["age", "y"]])) == []

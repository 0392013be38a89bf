import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.preprocessing import StandardScaler

from pipeline.errors import UserError
from pipeline.columns import features
from pipeline.reading.options import CellFormat, Options
from pipeline.reading import read

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


def fitted(frame, max_levels=50, min_rows=10):
    X = frame.drop(columns="y")
    return features.preprocessing(X, max_levels=max_levels, min_rows=min_rows).fit(X)


def test_names_keep_the_words_of_the_table(frame):
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


def test_a_level_is_one_where_the_cell_has_it(frame):
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
    names = features.preprocessing(frame, max_levels=5, min_rows=1).fit(frame).get_feature_names_out().tolist()
    assert names == ["sold: year", "sold is missing"][: 1 + (None in dates)]


@pytest.mark.parametrize("served", [["True", "FALSE"], [1, 0], [True, False], ["1", "0"], [1.0, 0.0], [True, "false"]])
def test_booleans_are_known_however_they_are_spelt(served):
    stored = pd.DataFrame({"member": pd.Series(["true", "false"], dtype="str")})
    model = features.preprocessing(stored, max_levels=5, min_rows=1).fit(stored)
    raw = pd.DataFrame({"member": served}, index=[4, 4])
    np.testing.assert_array_equal(model.transform(features.conform(raw, model, CellFormat())), model.transform(stored))


def test_levels_beyond_the_bound_are_pooled(frame):
    frame["city"] = pd.Series([f"city{i % 20:02}" for i in range(N)], dtype="str")
    names = fitted(frame, max_levels=5, min_rows=1).get_feature_names_out()
    assert sum(name.startswith("city") for name in names) == 5
    assert "city is rare" in names


def test_the_model_is_stored_without_pickle_and_loads_with_the_short_list(frame):
    model = fitted(frame)
    stored = skops.io.dumps(model)
    assert set(skops.io.get_untrusted_types(data=stored)) <= set(features.TRUSTED)
    loaded = skops.io.loads(stored, trusted=features.TRUSTED)
    X = frame.drop(columns="y")
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    assert loaded.get_feature_names_out().tolist() == model.get_feature_names_out().tolist()


def test_a_matrix_too_large_for_memory_is_one_message_before_it_is_made(frame, monkeypatch):
    monkeypatch.setattr(features, "CELLS", 500)
    with pytest.raises(UserError, match=r"60 rows of up to 15 features .*train.max_levels = 50.*education \(4\)"):
        fitted(frame)


def test_raw_rows_of_any_type_are_served(frame):
    frame["grade"] = pd.Series(["1", "2", "3"] * (N // 3), dtype="str")
    model = fitted(frame, min_rows=2)
    raw = pd.DataFrame(
        {
            "age": [40, 50],
            "gain": [" ?", "1.5"],
            "education": [" Bachelors", None],
            "smoker": ["?", "yes"],
            "sold": ["2024-02-01", "2024-02-02 00:00:00"],
            "grade": [1, 2],
            "not_a_feature": [0, 0],
        }
    )
    clean = pd.DataFrame(
        {
            "age": [40.0, 50.0],
            "gain": [np.nan, 1.5],
            "education": pd.Series(["Bachelors", None], dtype="str"),
            "smoker": pd.Series([None, "yes"], dtype="str"),
            "sold": pd.to_datetime(["2024-02-01", "2024-02-02"]),
            "grade": pd.Series(["1", "2"], dtype="str"),
        }
    )
    np.testing.assert_array_equal(model.transform(features.conform(raw, model, CellFormat())), model.transform(clean))
    nothing = pd.DataFrame(None, raw.index, raw.columns, dtype=object)
    assert np.isfinite(model.transform(features.conform(nothing, model, CellFormat()))).all()
    with pytest.raises(UserError, match=r"row 1, column 'age': 'forty' is no number \(2 such cells\)"):
        features.conform(raw.assign(age="forty"), model, CellFormat())


def test_rows_are_served_as_the_training_table_was_read(tmp_path):
    """The very cells of a file whose missing values, decimals, dates, words and booleans are its own."""
    rows = [(f"{i % 9},5", f"{i % 27 + 1:02}.{i % 12 + 1:02}.2023", "mf"[i % 2], str(i % 2 == 0)) for i in range(N)]
    rows[3], rows[4] = ("-999", "01.02.2023", "NA", "True"), ("1.000,5", "unknown", "female", "False")
    text = "size;sold;sex;member\n" + "\n".join(map(";".join, rows)) + "\n"
    (tmp_path / "table.csv").write_text(text)
    options = Options(missing_values=["-999", "unknown"], thousands=".", replace={"sex": {"m": "male", "f": "female"}})
    table, written = read(tmp_path / "table.csv", options)
    assert dict(table.dtypes.astype(str)) == {
        "size": "float64",
        "sold": "datetime64[us]",
        "sex": "str",
        "member": "str",
    }
    assert table["sex"].tolist()[:5] == ["male", "female", "male", "NA", "female"]
    model = features.preprocessing(table, max_levels=50, min_rows=1).fit(table)
    raw = pd.read_csv(tmp_path / "table.csv", sep=";", dtype=str, keep_default_na=False)
    as_pandas_reads = pd.read_csv(tmp_path / "table.csv", sep=";", decimal=",", thousands=".", keep_default_na=False)
    assert as_pandas_reads["member"].dtype == bool
    for served in (raw, as_pandas_reads):
        np.testing.assert_array_equal(model.transform(features.conform(served, model, written)), model.transform(table))
    np.testing.assert_array_equal(
        model.transform(features.conform(raw.assign(sold=table["sold"].astype(str)), model, written)),
        model.transform(table),
    )

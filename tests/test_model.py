"""From raw cells to class: what is saved, loaded and served."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import train_params
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss

from pipeline import config, model
from pipeline.columns import dataset
from pipeline.columns.target import features_and_target
from pipeline.errors import UserError
from pipeline.evaluation import result
from pipeline.files import formats, paths
from pipeline.reading import CellFormat, Options, read
from pipeline.training import fit, learnt

pytestmark = pytest.mark.slow

TRAIN = train_params(**{"lambda": 0.1}, optimizer="newton", learning_rate="auto", max_iterations=50, min_rows=1)
N = 60


def train_on(table: pd.DataFrame, cell_format: CellFormat | None = None, params: config.Train = TRAIN) -> model.Model:
    """A model of a table of features, with a target that the first numbers or strings decide in part."""
    target = pd.Series(np.where(np.arange(len(table)) % 3 == 0, "a", "b"), dtype="str")
    return fit.train(table.assign(target=target), params, cell_format or CellFormat()).model


def strings(*values: str | None) -> pd.Series:
    return pd.Series(values, dtype="str")


def assert_read_as(fitted: model.Model, raw: pd.DataFrame, typed: pd.DataFrame) -> None:
    read, typed = (rows.reset_index(drop=True) for rows in (fitted.read(raw), typed[fitted.columns]))
    pd.testing.assert_frame_equal(read, typed, check_dtype=False)


@pytest.fixture(scope="module")
def iris() -> pd.DataFrame:
    return dataset.bundled("iris")


@pytest.fixture(scope="module")
def fitted(iris: pd.DataFrame) -> model.Model:
    return fit.train(iris, TRAIN, CellFormat()).model


def test_a_saved_model_reads_coordinates_in_one_cell_or_in_two_columns(tmp_path):
    random = np.random.default_rng(0)
    places = pd.DataFrame({"place_latitude": random.uniform(48, 49, N), "place_longitude": random.uniform(2, 3, N)})
    cell_format = CellFormat(parts={"place_latitude": "latitude", "place_longitude": "longitude"})
    model.save(train_on(places, cell_format), tmp_path / "model.json")
    loaded = model.load(tmp_path / "model.json")
    expected = pd.DataFrame({"place_latitude": [48.85, 48.5, None], "place_longitude": [2.35, 2.5, None]})
    assert_read_as(loaded, pd.DataFrame({"place": ["48.85, 2.35", "POINT (2.5 48.5)", None]}), expected)
    assert_read_as(loaded, expected, expected)
    frame, reasons = loaded.read_each(pd.DataFrame({"place": ["48.85N 2.35E", "here", "95, 2"]}))
    assert frame.index.tolist() == [0]
    assert all("is not a number" in reason for reason in reasons.values())
    assert loaded.raw_columns == ["place", "place_latitude", "place_longitude"]


@pytest.fixture
def mixed() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": random.normal(40, 10, N).round(),
            "gain": np.where(np.arange(N) % 3 == 0, np.nan, random.normal(size=N)),
            "education": strings(*["Bachelors"] * 28, *["HS-grad"] * 28, "Doctorate", "9th", None, None),
            "smoker": strings(*["yes", "no"] * (N // 2)),
            "sold": pd.date_range("2024-01-30", periods=N, freq="D"),
            "grade": strings(*["1", "2", "3"] * (N // 3)),
        }
    )


def test_a_saved_model_predicts_the_same_after_loading(tmp_path: Path, iris: pd.DataFrame, fitted: model.Model) -> None:
    model.save(fitted, tmp_path / "model.json")
    loaded, (X, _) = model.load(tmp_path / "model.json"), features_and_target(iris)
    np.testing.assert_array_equal(loaded.probabilities(X), fitted.probabilities(X))
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))
    assert (loaded.cell_format, loaded.positive_class) == (fitted.cell_format, "virginica")


def test_a_saved_model_reads_cells_as_before(tmp_path: Path) -> None:
    written = CellFormat(("-9", "?"), ",", ".", {"sold": "%d.%m.%Y"}, {"sex": {"m": "male"}})
    table = pd.DataFrame({"size": [1.0, 2.0] * 9, "sold": pd.date_range("2024-01-30", periods=18)})
    model.save(train_on(table.assign(sex=strings(*["male", "f"] * 9)), written), tmp_path / "model.json")
    raw = pd.DataFrame({"size": ["1.000,5", "-9"], "sold": ["01.02.2024", "?"], "sex": ["m", "f"]})
    frame = model.load(tmp_path / "model.json").read(raw)
    assert frame["size"].tolist()[0] == 1000.5
    assert frame["sold"].tolist()[0] == pd.Timestamp("2024-02-01")
    assert frame["sex"].tolist() == ["male", "f"]
    assert frame.iloc[1].isna().tolist() == [True, True, False]


def test_the_same_model_is_saved_as_the_same_bytes(tmp_path: Path, iris: pd.DataFrame) -> None:
    for name in ("one", "two"):
        model.save(fit.train(iris, TRAIN, CellFormat()).model, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def broken(document: dict, place: str, value: object) -> dict:
    """The document with another value at a place such as `terms.0.scale`."""
    copy = json.loads(json.dumps(document))
    *way, last = (int(part) if part.isdigit() else part for part in place.split("."))
    inner = copy
    for part in way:
        inner = inner[part]
    inner[last] = value
    return copy


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("format", "other", "its format is 'other'"),
        ("classes", ["b", "a"], "classes are"),
        ("classes", 3, "classes is 3, not a list of strings"),
        ("multiclass", "ovo", "multiclass is 'ovo'"),
        ("intercept", [float("nan")] * 3, "intercept is .*, not 3 finite numbers"),
        ("intercept", [1.0], "not 3 finite numbers"),
        ("threshold", "half", "threshold is 'half', not a finite number or null"),
        ("calibration", {"x": [0, 1]}, "calibration"),
        ("columns", {}, "reads the column 'sepal length"),
        ("terms", {}, "terms is {}, not a list of sections"),
        ("terms.0", 5, "terms is .*, not a list of sections"),
        ("terms.0.kind", "neuron", r"terms\[0\]: kind is 'neuron', not one of"),
        ("terms.0.scale", 0, r"terms\[0\]: scale is 0, not above 0"),
        ("terms.0.centre", None, r"terms\[0\], centre is None, not a finite number"),
        ("terms.0.effects", [[1.0]], r"terms\[0\], effects is .*, not 1 x 3 finite numbers"),
        ("terms.0.effects", [[1, 2, float("inf")]], "finite numbers"),
        ("average", [], "average is"),
        ("cells.missing_values", [1], "missing_values is .*, not a list of strings"),
        ("made_of", [], "made_of is"),
    ],
)
def test_a_damaged_document_is_one_message(
    tmp_path: Path, fitted: model.Model, place: str, value: object, message: str
) -> None:
    model.save(fitted, tmp_path / "model.json")
    document = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(broken(document, place, value)))
    with pytest.raises(UserError, match=message):
        model.load(tmp_path / "model.json")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\x80\x04\x95", b"PK\x03\x04", b"[" * 100_000])
def test_a_file_that_is_no_document_is_one_message(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(UserError, match=r"model\.json"):
        model.load(tmp_path / "model.json")


def test_a_number_far_beyond_training_counts_as_the_end_wherever_it_is_predicted_and_not_in_older_documents(
    tmp_path: Path,
) -> None:
    x = np.linspace(0, 10, 100)
    table = pd.DataFrame({"x": x, "y": pd.Series(np.where(x > 5, "yes", "no"), dtype="str")})
    fitted = fit.train(table, train_params(**{"lambda": 0.1}, learning_rate="auto"), CellFormat())
    far, end = (table.assign(x=number) for number in (1e9, 20.0))
    model.save(fitted.model, tmp_path / "model.json")
    loaded = model.load(tmp_path / "model.json")
    with pytest.warns(UserWarning, match="100 of 100 numbers are further .* count as -10 or 20"):
        served = loaded.predict(far[["x"]].astype(str), {"probabilities": True})
    expected = result.judge(loaded, end).predictions["probability_yes"]
    np.testing.assert_allclose(served["yes"], expected, rtol=1e-12)
    np.testing.assert_array_equal(result.judge(loaded, far).predictions["probability_yes"], expected)
    document = json.loads((tmp_path / "model.json").read_text())
    for name in ("low", "high"):
        del document["terms"][0][name]
    (tmp_path / "older.json").write_text(json.dumps(document))
    older = model.load(tmp_path / "older.json")
    assert older.margins(far[["x"]])[0] > 1e7 > loaded.margins(far[["x"]])[0]
    np.testing.assert_array_equal(older.margins(table[["x"]]), loaded.margins(table[["x"]]))


def test_the_evaluated_class_is_the_predicted_class_where_probabilities_saturate() -> None:
    X, y = load_digits(return_X_y=True, as_frame=True)
    table = X.assign(target=y.astype(str).astype("str"))
    fitted = fit.train(table, train_params(**{"lambda": 1e-6}, learning_rate=0.3, max_iterations=30), CellFormat())
    for term in fitted.model.design.terms:
        term.low, term.high = -np.inf, np.inf  # as in documents without ends, so that numbers may be far
    far = table.assign(**{name: 5 * X[name] for name in X})
    margins, judged = fitted.model.margins(far), result.judge(fitted.model, far)
    expected = fitted.model.classes_[margins.argmax(axis=1)]
    by_probability = fitted.model.classes_[fitted.model.probabilities(far).argmax(axis=1)]
    assert (by_probability != expected).sum() > 10  # the case that is tested
    for predicted in (judged.predictions["predicted"], fitted.model.predict(far)):
        np.testing.assert_array_equal(predicted, expected)


@pytest.mark.parametrize("positive", [None, "benign", "malignant"])
def test_classes_are_sorted_and_scikit_learns_log_loss_agrees_whatever_is_positive(
    tmp_path: Path, positive: str | None
) -> None:
    table = dataset.bundled("breast_cancer")
    params = train_params(learning_rate=0.3, max_iterations=100, positive=positive)
    fitted = fit.train(table.iloc[::2], params, CellFormat())
    trained = fitted.model
    evaluation_files, rows = paths.main_result(tmp_path), table.iloc[1::2].reset_index(drop=True)
    learnt.write(fitted, tmp_path)
    result.write(fitted.start, trained, table.iloc[::2], rows, tmp_path, evaluation_files, "mine")
    X, y = features_and_target(rows)
    assert trained.classes_.tolist() == ["benign", "malignant"]
    assert trained.positive_class == (positive or "malignant")
    expected = formats.load_json(evaluation_files.metrics)["test"]["log_loss"]
    assert log_loss(y, trained.probabilities(X)) == pytest.approx(expected, rel=1e-6)
    served = trained.predict(X, {"probabilities": True})
    assert log_loss(y, served[sorted(served)]) == pytest.approx(expected, rel=1e-6)


def test_raw_rows_of_any_type_are_read(mixed: pd.DataFrame) -> None:
    fitted = train_on(mixed)
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
            "education": strings("Bachelors", None),
            "smoker": strings(None, "yes"),
            "sold": pd.to_datetime(["2024-02-01", "2024-02-02"]),
            "grade": strings("1", "2"),
        }
    )
    assert_read_as(fitted, raw, clean)
    assert_read_as(fitted, clean[clean.columns[::-1]], clean)
    nothing = pd.DataFrame(None, raw.index, raw.columns, dtype=object)
    assert np.isfinite(fitted.margins(fitted.read(nothing))).all()
    with pytest.raises(UserError, match=r"row 1, column 'age': 'forty' is not a number \(2 such cells\)"):
        fitted.read(raw.assign(age="forty"))


def test_no_rows_are_served_as_no_rows(mixed: pd.DataFrame) -> None:
    fitted = train_on(mixed)
    for rows in (mixed[:0], mixed[:0].astype(object)):
        assert fitted.predict(rows).tolist() == []
        probabilities = fitted.predict(rows, {"probabilities": True})
        assert (len(probabilities), list(probabilities)) == (0, ["a", "b"])


@pytest.mark.parametrize("served", [["True", "FALSE"], [1, 0], [True, False], ["1", "0"], [1.0, 0.0], [True, "false"]])
def test_booleans_are_known_however_they_are_spelt(served: list) -> None:
    stored = pd.DataFrame({"retired": strings(*["true", "false"] * 9)})
    assert_read_as(train_on(stored), pd.DataFrame({"retired": served}, index=[4, 4]), stored.head(2))


@pytest.mark.parametrize("served", [[7, 100000], [7.0, 1e5], ["007", "1e5"], ["007", 100000]])
def test_categories_that_look_like_numbers_are_known_as_numbers(served: list) -> None:
    stored = pd.DataFrame({"code": strings(*["007", "1e5", "A1"] * 6)})
    assert_read_as(train_on(stored), pd.DataFrame({"code": served}), stored.head(2))


def test_a_number_is_the_category_that_is_spelt_like_it_and_a_string_is_no_other_category() -> None:
    stored = pd.DataFrame({"code": strings(*["007", "7", "08"] * 6)})
    fitted = train_on(stored)
    assert fitted.read(pd.DataFrame({"code": [7, 8]}))["code"].tolist() == ["7", "08"]
    assert fitted.read(pd.DataFrame({"code": ["7", "8"]}))["code"].tolist() == ["7", "8"]


def test_numbers_beside_strings_are_read_with_a_decimal_comma_too() -> None:
    fitted = train_on(pd.DataFrame({"size": [1.5, 2.0] * 9}), CellFormat(decimal=",", thousands="."))
    frame = fitted.read(pd.DataFrame({"size": [1.5, "1.000,5", "2,5", "?", 1e-7, 12345678901234567890123]}))
    np.testing.assert_array_equal(frame["size"], [1.5, 1000.5, 2.5, np.nan, 1e-7, 12345678901234567890123.0])


def test_columns_that_are_not_there_are_missing_and_named_in_a_warning(mixed: pd.DataFrame) -> None:
    fitted = train_on(mixed)
    with pytest.warns(UserWarning, match="columns that are not there count as missing: 'gain', 'sold'"):
        read_back = fitted.read(mixed.drop(columns=["gain", "sold"]))
    assert read_back[["gain", "sold"]].isna().all(axis=None)
    with pytest.raises(UserError, match=r"none of the model's columns is there\..* the rows have 'Age'"):
        fitted.read(pd.DataFrame({"Age": [1]}))
    with pytest.raises(UserError, match="column 'age' is there twice"):
        fitted.read(pd.concat([mixed, mixed[["age"]]], axis=1))


def test_rows_are_read_as_the_training_table_was(tmp_path: Path) -> None:
    """The very cells of a file whose missing values, decimals, dates, strings and booleans are its own."""
    rows = [(f"{i % 9},5", f"{i % 27 + 1:02}.{i % 12 + 1:02}.2023", "mf"[i % 2], str(i % 2 == 0)) for i in range(N)]
    rows[3], rows[4] = ("-999", "01.02.2023", "NA", "True"), ("1.000,5", "unknown", "female", "False")
    text = "size;sold;sex;retired\n" + "\n".join(map(";".join, rows)) + "\n"
    (tmp_path / "table.csv").write_text(text)
    options = Options(missing_values=["-999", "unknown"], thousands=".", replace={"sex": {"m": "male", "f": "female"}})
    found = read(tmp_path / "table.csv", options)
    table, kinds = found.frame, ["float64", "datetime64[us]", "str", "str"]
    assert table.dtypes.astype(str).tolist() == kinds
    assert table["sex"].tolist()[:5] == ["male", "female", "male", "NA", "female"]
    fitted = train_on(table, found.cell_format)
    raw = pd.read_csv(tmp_path / "table.csv", sep=";", dtype=str, keep_default_na=False)
    as_pandas_reads = pd.read_csv(tmp_path / "table.csv", sep=";", decimal=",", thousands=".", keep_default_na=False)
    assert as_pandas_reads["retired"].dtype == bool
    for served in (raw, as_pandas_reads, raw.assign(sold=table["sold"].astype(str))):
        assert_read_as(fitted, served, table)

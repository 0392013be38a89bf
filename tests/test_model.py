"""From raw cells to class: what is saved, loaded and served."""

import contextlib
import copy
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from conftest import train_params
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline

from pipeline import config, dataset, evaluation, model, outputs, training
from pipeline.columns.target import features_and_target
from pipeline.errors import UserError
from pipeline.reading import CellFormat, Options, read

pytestmark = pytest.mark.slow

TRAIN = train_params(**{"lambda": 0.1}, optimizer="newton", learning_rate="auto", max_iterations=50, min_rows=1)
N = 60


def fit(table: pd.DataFrame, cell_format: CellFormat | None = None, params: config.Train = TRAIN) -> model.Model:
    """A model of a table of features, with a target that the first numbers or strings decide in part."""
    target = pd.Series(np.where(np.arange(len(table)) % 3 == 0, "a", "b"), dtype="str")
    return training.train(table.assign(target=target), params, cell_format or CellFormat()).model


def strings(*values: str | None) -> pd.Series:
    return pd.Series(values, dtype="str")


def assert_read_as(fitted: model.Model, raw: pd.DataFrame, typed: pd.DataFrame) -> None:
    np.testing.assert_array_equal(fitted.matrix(fitted.read(raw)).toarray(), fitted.matrix(typed).toarray())


@pytest.fixture(scope="module")
def iris() -> pd.DataFrame:
    return dataset.bundled("iris")


@pytest.fixture(scope="module")
def fitted(iris: pd.DataFrame) -> model.Model:
    return training.train(iris, TRAIN, CellFormat()).model


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
    model.save(fitted, tmp_path / "model.skops")
    loaded, (X, _) = model.load(tmp_path / "model.skops"), features_and_target(iris)
    np.testing.assert_array_equal(loaded.probabilities(X), fitted.probabilities(X))
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))
    assert (loaded.cell_format, loaded.positive_class) == (fitted.cell_format, "virginica")


def test_a_saved_model_reads_cells_as_before(tmp_path: Path) -> None:
    written = CellFormat(("-9", "?"), ",", ".", {"sold": "%d.%m.%Y"}, {"sex": {"m": "male"}})
    table = pd.DataFrame({"size": [1.0, 2.0] * 9, "sold": pd.date_range("2024-01-30", periods=18)})
    model.save(fit(table.assign(sex=strings(*["male", "f"] * 9)), written), tmp_path / "model.skops")
    raw = pd.DataFrame({"size": ["1.000,5", "-9"], "sold": ["01.02.2024", "?"], "sex": ["m", "f"]})
    frame = model.load(tmp_path / "model.skops").read(raw)
    assert frame["size"].tolist()[0] == 1000.5
    assert frame["sold"].tolist()[0] == pd.Timestamp("2024-02-01")
    assert frame["sex"].tolist() == ["male", "f"]
    assert frame.iloc[1].isna().tolist() == [True, True, False]


def test_the_same_model_is_saved_as_the_same_bytes(tmp_path: Path, iris: pd.DataFrame) -> None:
    for name in ("one", "two"):
        model.save(training.train(iris, TRAIN, CellFormat()).model, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_saved_model_holds_no_pickle(tmp_path: Path, fitted: model.Model) -> None:
    model.save(fitted, tmp_path / "model.skops")
    with zipfile.ZipFile(tmp_path / "model.skops") as archive:
        assert {re.sub(r".*\.", "", name) for name in archive.namelist()} <= {"npy", "json"}


def test_a_file_with_a_type_that_is_not_trusted_is_refused(tmp_path: Path, iris: pd.DataFrame) -> None:
    class Unknown(SGDClassifier):
        pass

    Unknown.__module__, Unknown.__qualname__ = "somewhere.else", "Unknown"
    skops.io.dump(make_pipeline(Unknown().fit(*features_and_target(iris))), tmp_path / "model.skops")
    with pytest.raises(UserError, match=r"somewhere\.else\.Unknown"):
        model.load(tmp_path / "model.skops")


def damaged(fitted: model.Model, change: str) -> model.Model:
    """A copy in which one part is wrong."""
    copied = copy.deepcopy(fitted)
    exec(change, {"np": np}, vars(copied))
    return copied


@pytest.mark.parametrize(
    "change",
    [
        "classifier.coef_[0, 1] = np.nan",
        "classifier.intercept_[0] = np.inf",
        "base.centre[2] = np.nan",
        "base.scale = base.scale[:2]",
        "features.T.data[0] = np.nan",
        "classifier.coef_ = classifier.coef_[:, :2]",
        "classifier.classes_ = classifier.classes_[:2]",
        "average[0, 0] = np.nan",
        "average = None",
        "positive = 'rose'",
        "threshold = 'half'",
        "base = features",
        "del base.columns[0]",
        "calibration = {'temperature': float('nan')}",
    ],
)
def test_a_model_with_a_wrong_part_is_refused_in_one_message(tmp_path: Path, fitted: model.Model, change: str) -> None:
    model.save(damaged(fitted, change), tmp_path / "model.skops")
    with pytest.raises(UserError, match="is damaged, or not a model of this version of the pipeline"):
        model.load(tmp_path / "model.skops")


def test_a_file_that_is_no_model_or_cut_off_is_refused_in_one_message(tmp_path: Path, fitted: model.Model) -> None:
    file = tmp_path / "model.skops"
    model.save(fitted, file)
    whole = file.read_bytes()
    skops.io.dump({"a": 1}, tmp_path / "foreign.skops")
    with zipfile.ZipFile(tmp_path / "empty.skops", "w"):
        pass
    foreign = [(tmp_path / name).read_bytes() for name in ("foreign.skops", "empty.skops")]
    flipped = [whole[:k] + bytes([whole[k] ^ 255]) + whole[k + 1 :] for k in range(50, len(whole), len(whole) // 12)]
    for content in (b"", b"a,b\n1,2\n", whole[:200], whole[: len(whole) // 2], *foreign, *flipped):
        file.write_bytes(content)
        with contextlib.suppress(UserError):  # a flipped bit may be one of a date
            model.load(file)


def test_a_file_that_unpacks_to_more_than_any_model_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "model.skops"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.npy", b"")
    written = file.read_bytes()
    size = (3 << 30).to_bytes(4, "little")
    directory = written.index(b"PK\1\2")
    file.write_bytes(written[: directory + 24] + size + written[directory + 28 :])
    with pytest.raises(UserError, match=r"unpacks to 3\.0 GB"):
        model.load(file)


def test_the_evaluated_class_is_the_predicted_class_where_probabilities_saturate() -> None:
    X, y = load_digits(return_X_y=True, as_frame=True)
    table = X.assign(target=y.astype(str).astype("str"))
    fitted = training.train(table, train_params(**{"lambda": 1e-6}, learning_rate=0.3, max_iterations=30), CellFormat())
    far = table.assign(**{name: 5 * X[name] for name in X})
    Z, judged = fitted.model.matrix(far.iloc[:, :-1]), evaluation.judge(fitted.model, far)
    margins = Z.toarray() @ fitted.model.classifier.coef_.T + fitted.model.classifier.intercept_
    expected = fitted.model.classes_[margins.argmax(axis=1)]
    by_probability = fitted.model.classes_[fitted.model.probabilities(far).argmax(axis=1)]
    assert (by_probability != expected).sum() > 10  # the case that is tested
    for predicted in (judged.predictions["predicted"], fitted.model.predict(far), fitted.model.classifier.predict(Z)):
        np.testing.assert_array_equal(predicted, expected)


@pytest.mark.parametrize("positive", [None, "benign", "malignant"])
def test_classes_are_sorted_and_scikit_learns_log_loss_agrees_whatever_is_positive(
    tmp_path: Path, positive: str | None
) -> None:
    table = dataset.bundled("breast_cancer")
    params = train_params(learning_rate=0.3, max_iterations=100, positive=positive)
    fitted = training.train(table.iloc[::2], params, CellFormat())
    trained = fitted.model
    evaluation_files, rows = outputs.main_result(tmp_path), table.iloc[1::2].reset_index(drop=True)
    training.write(fitted, tmp_path)
    evaluation.write(fitted.start, trained, table.iloc[::2], rows, tmp_path, evaluation_files, "mine")
    X, y = features_and_target(rows)
    assert trained.classes_.tolist() == ["benign", "malignant"]
    assert trained.positive_class == (positive or "malignant")
    expected = outputs.load_json(evaluation_files.metrics)["test"]["log_loss"]
    assert log_loss(y, trained.probabilities(X)) == pytest.approx(expected, rel=1e-6)
    served = trained.predict(X, {"probabilities": True})
    assert log_loss(y, served[sorted(served)]) == pytest.approx(expected, rel=1e-6)


def test_raw_rows_of_any_type_are_read(mixed: pd.DataFrame) -> None:
    fitted = fit(mixed)
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
    assert np.isfinite(fitted.matrix(fitted.read(nothing)).toarray()).all()
    with pytest.raises(UserError, match=r"row 1, column 'age': 'forty' is not a number \(2 such cells\)"):
        fitted.read(raw.assign(age="forty"))


def test_no_rows_are_served_as_no_rows(mixed: pd.DataFrame) -> None:
    fitted = fit(mixed)
    for rows in (mixed[:0], mixed[:0].astype(object)):
        assert fitted.predict(rows).tolist() == []
        probabilities = fitted.predict(rows, {"probabilities": True})
        assert (len(probabilities), list(probabilities)) == (0, ["a", "b"])


@pytest.mark.parametrize("served", [["True", "FALSE"], [1, 0], [True, False], ["1", "0"], [1.0, 0.0], [True, "false"]])
def test_booleans_are_known_however_they_are_spelt(served: list) -> None:
    stored = pd.DataFrame({"retired": strings(*["true", "false"] * 9)})
    assert_read_as(fit(stored), pd.DataFrame({"retired": served}, index=[4, 4]), stored.head(2))


@pytest.mark.parametrize("served", [[7, 100000], [7.0, 1e5], ["007", "1e5"], ["007", 100000]])
def test_categories_that_look_like_numbers_are_known_as_numbers(served: list) -> None:
    stored = pd.DataFrame({"code": strings(*["007", "1e5", "A1"] * 6)})
    assert_read_as(fit(stored), pd.DataFrame({"code": served}), stored.head(2))


def test_a_number_is_the_category_that_is_spelt_like_it_and_a_string_is_no_other_category() -> None:
    stored = pd.DataFrame({"code": strings(*["007", "7", "08"] * 6)})
    fitted = fit(stored)
    assert fitted.read(pd.DataFrame({"code": [7, 8]}))["code"].tolist() == ["7", "08"]
    assert fitted.read(pd.DataFrame({"code": ["7", "8"]}))["code"].tolist() == ["7", "8"]


def test_numbers_beside_strings_are_read_with_a_decimal_comma_too() -> None:
    fitted = fit(pd.DataFrame({"size": [1.5, 2.0] * 9}), CellFormat(decimal=",", thousands="."))
    frame = fitted.read(pd.DataFrame({"size": [1.5, "1.000,5", "2,5", "?", 1e-7, 12345678901234567890123]}))
    np.testing.assert_array_equal(frame["size"], [1.5, 1000.5, 2.5, np.nan, 1e-7, 12345678901234567890123.0])


def test_columns_that_are_not_there_are_missing_and_named_in_a_warning(mixed: pd.DataFrame) -> None:
    fitted = fit(mixed)
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
    fitted = fit(table, found.cell_format)
    raw = pd.read_csv(tmp_path / "table.csv", sep=";", dtype=str, keep_default_na=False)
    as_pandas_reads = pd.read_csv(tmp_path / "table.csv", sep=";", decimal=",", thousands=".", keep_default_na=False)
    assert as_pandas_reads["retired"].dtype == bool
    for served in (raw, as_pandas_reads, raw.assign(sold=table["sold"].astype(str))):
        assert_read_as(fitted, served, table)

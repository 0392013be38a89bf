"""Predictions of a file's rows, as `python -m pipeline predict` writes them."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from pipeline import model
from pipeline.commands import predict
from pipeline.errors import UserError
from pipeline.evaluation import result
from pipeline.files import formats, paths, stored
from pipeline.reading.rows import chunks
from pipeline.tracking import serving
from pipeline.training import fit

pytestmark = pytest.mark.slow

NAMES = [
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship"),
    *("race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income"),
]
HEADER = ",".join(NAMES)


@pytest.fixture
def rows() -> list[str]:
    return (ROOT / "tests/data/adult-400.csv").read_text().splitlines()


def predicted(file: Path, **options: str) -> pd.DataFrame:
    output = file.with_suffix(".out.parquet")
    predict.main(str(file), options.get("model"), str(output))
    return pd.read_parquet(output)


def test_the_numbers_are_those_of_the_served_model(project: Path, tmp_path: Path, rows: list[str]) -> None:
    (tmp_path / "new.csv").write_text("\n".join([HEADER, *rows]))
    table = predicted(tmp_path / "new.csv")
    served = serving.Served(model.load(paths.ROOT / paths.MODEL))
    raw = pd.read_csv(tmp_path / "new.csv", skipinitialspace=True)
    assert table["line"].tolist() == list(range(2, 402))
    assert table["decision"].tolist() == list(served.predict(raw))
    expected = served.predict(raw, {"probabilities": True})
    np.testing.assert_allclose(table["probability_>50K"], expected[">50K"], rtol=1e-6)
    assert table["class"].tolist() == expected.idxmax(axis=1).tolist()


def test_contributions_are_weights_times_features_relative_to_the_average_training_row(project: Path) -> None:
    fitted = model.load(paths.ROOT / paths.MODEL)
    training_rows = stored.load_table(paths.ROOT / paths.TRAINING_ROWS)
    X = training_rows.iloc[:, :-1]
    weights = formats.load_csv(paths.ROOT / paths.WEIGHTS).set_index("feature")["weight_per_unit"]
    found = pd.DataFrame(fitted.contributions(X)[:, :, 0], columns=fitted.columns)
    for name in ("age", "education"):
        if (numbers := X[name]).dtype != float:
            numbers = numbers.map({category: weights[f"{name} = {category}"] for category in numbers.unique()})
        else:
            numbers = numbers * weights[name]
        np.testing.assert_allclose(found[name], numbers - numbers.mean(), atol=1e-6)
    margins = fitted.margins(training_rows)
    np.testing.assert_allclose(found.sum(axis=1), margins - margins.mean(), atol=1e-7)


def test_the_largest_contributions_are_in_the_users_words(project: Path, tmp_path: Path, rows: list[str]) -> None:
    (tmp_path / "new.csv").write_text("\n".join([HEADER, rows[0]]))
    (row,) = predicted(tmp_path / "new.csv").to_dict("records")
    fitted = model.load(paths.ROOT / paths.MODEL)
    frame = fitted.read(pd.read_csv(tmp_path / "new.csv", skipinitialspace=True))
    values = pd.Series(fitted.contributions(frame)[0, :, 0], fitted.columns)
    first, second, third = values.abs().nlargest(3).index
    cells = pd.Series(dict(zip(NAMES, rows[0].split(", "), strict=True)))
    assert [row[f"contribution_{k}"] for k in (1, 2, 3)] == [
        f"{name} = {cells[name]} ({values[name]:+.2f})" for name in (first, second, third)
    ]


def test_of_many_classes_contributions_are_those_of_the_decided_class() -> None:
    from conftest import train_params

    from pipeline.columns import dataset
    from pipeline.reading import CellFormat

    iris = dataset.bundled("iris")
    trained = fit.train(iris, train_params(optimizer="newton", learning_rate="auto"), CellFormat())
    fitted = trained.model
    table = predict.predictions(fitted, iris.iloc[:, :-1].rename_axis("row"))
    assert [name for name in table if "probability" in name] == [f"probability_{name}" for name in fitted.classes_]
    Z = trained.rows.toarray()
    decided = np.searchsorted(fitted.classes_, table["decision"])
    products = Z * trained.fitted.coef_[decided]
    for row in (0, 70, 140):
        k = int(np.abs(products[row]).argmax())
        value = iris.iloc[row, k]
        assert table["contribution_1"][row] == f"{iris.columns[k]} = {value:g} ({products[row, k]:+.2f})"


def test_without_a_threshold_class_decision_and_what_is_served_are_the_same() -> None:
    from conftest import train_params

    from pipeline.columns import dataset
    from pipeline.reading import CellFormat

    iris = dataset.bundled("iris")
    fitted = fit.train(iris, train_params(optimizer="newton", learning_rate="auto"), CellFormat()).model
    fitted.weights[:-1] = 1e6 * np.abs(fitted.weights[:-1])  # every probability of every class is 1 before
    X = iris.iloc[:, :-1]  # they are divided by their sum, so that only margins show which is the largest
    table = predict.predictions(fitted, X.rename_axis("row"))
    margins = fitted.margins(X)
    expected = fitted.classes_[margins.argmax(axis=1)].tolist()
    assert table["class"].tolist() == table["decision"].tolist() == expected
    assert fitted.predict(X).tolist() == result.judge(fitted, iris).predictions["predicted"].tolist() == expected
    assert fitted.classes_[fitted.probabilities(X).argmax(axis=1)].tolist() != expected


@pytest.mark.parametrize(("threshold", "n_decided"), [(0.5, 2), (0.9, 1)])
def test_with_a_threshold_only_the_decision_follows_it(threshold: float, n_decided: int) -> None:
    from conftest import train_params

    from pipeline.reading import CellFormat

    rows = pd.DataFrame({"x": [-1.0, -2.0, 1.0, 2.0], "y": pd.Series(["a", "a", "b", "b"], dtype="str")})
    fitted = fit.train(rows, train_params(**{"lambda": 0.1}), CellFormat()).model
    probability = fitted.probabilities(rows)[:, 1]
    fitted.threshold = threshold if threshold == 0.5 else float(np.sort(probability)[-1])
    table = predict.predictions(fitted, rows[["x"]].rename_axis("row"))
    assert table["class"].tolist() == np.where(probability >= 0.5, "b", "a").tolist()
    assert table["decision"].tolist() == fitted.predict(rows[["x"]]).tolist()
    assert (table["decision"] == "b").sum() == n_decided


def test_rows_that_cannot_be_read_are_reported_and_the_others_predicted(
    project: Path, tmp_path: Path, rows: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = [rows[1].replace("50,", "fifty,", 1), "1,2,3", "", rows[2], rows[3].replace("53,", "1e999,", 1)]
    (tmp_path / "new.csv").write_text("\n".join([HEADER, rows[0], *wrong, rows[4]]))
    table = predicted(tmp_path / "new.csv")
    assert table["line"].tolist() == [2, 6, 8]
    assert capsys.readouterr().err.splitlines()[-4:] == [
        f"{tmp_path}/new.csv, line 3: column 'age': 'fifty' is not a number",
        f"{tmp_path}/new.csv, line 4: 3 cells instead of 15",
        f"{tmp_path}/new.csv, line 7: column 'age': inf is infinite, or its absolute value is larger than 1e+300",
        "3 rows predicted; 3 can't be read",
    ]


def test_a_column_that_is_written_in_another_way_is_one_line_also_when_served(
    project: Path, tmp_path: Path, rows: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lower = [row.replace(" Male", " male").replace(" Female", " female") for row in rows]
    (tmp_path / "new.csv").write_text("\n".join([HEADER, *lower * 60]))  # three chunks
    predicted(tmp_path / "new.csv")
    printed = capsys.readouterr().err
    assert printed.count("column 'sex'") == 1
    assert "column 'sex': 24,000 of 24,000 cells are categories that training did not have" in printed
    raw = pd.read_csv(tmp_path / "new.csv", skipinitialspace=True)[:50]
    with pytest.warns(UserWarning, match=r"column 'sex': 50 of 50 cells .* \(did you mean '(Fem|M)ale'\?\)"):
        serving.Served(model.load(paths.ROOT / paths.MODEL)).predict(raw)


@pytest.mark.parametrize("output", ["new.csv", "./new.csv", "link.csv"])
@pytest.mark.parametrize("command", ["predict", "watch"])
def test_an_output_that_is_the_file_of_the_rows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, output: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("new.csv").write_text("a\n1\n", encoding="utf-8")
    Path("link.csv").symlink_to("new.csv")
    with pytest.raises(UserError, match="is the file of the rows, which it would replace"):
        import_module(f"pipeline.commands.{command}").main("new.csv", None, output)
    assert Path("new.csv").read_text(encoding="utf-8") == "a\n1\n"


@pytest.mark.parametrize(
    ("sink", "status", "message"),
    [("| head -1", 141, ""), ("> /dev/full", 1, "the output can't be written: No space left on device")],
)
def test_a_terminal_that_takes_no_more_rows_is_no_traceback(
    project: Path, tmp_path: Path, rows: list[str], sink: str, status: int, message: str
) -> None:
    (tmp_path / "new.csv").write_text("\n".join([HEADER, *rows * 5]))
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m pipeline predict {tmp_path}/new.csv {sink}; exit ${{PIPESTATUS[0]}}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert message in done.stderr
    assert not any(word in done.stderr for word in ("Traceback", "Exception ignored", "dvc repro"))


def test_a_quoted_line_break_and_a_file_of_chunks_keep_the_lines(tmp_path: Path) -> None:
    lines = ['a;b;"two', 'lines"', "1;2;3", '4;5;"x', 'y"', "", "6;7;8", "9;10;11"]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    found = [chunk.rows for chunk in chunks(tmp_path / "t.csv", ["b"], size=2)]
    assert [part.index.tolist() for part in found] == [[3, 4], [7, 8]]
    assert found[0]["two\nlines"].tolist() == ["3", "x\ny"]


@pytest.mark.parametrize("suffix", [".csv.gz", ".xlsx", ".parquet", ".json", ".feather"])
def test_other_formats_are_predicted_alike(project: Path, tmp_path: Path, rows: list[str], suffix: str) -> None:
    (tmp_path / "new.csv").write_text("\n".join([HEADER, *rows[:20]]))
    frame = pd.read_csv(tmp_path / "new.csv", skipinitialspace=True, na_values="?")
    file = tmp_path / f"other{suffix}"
    if suffix == ".json":
        frame.to_json(file, orient="records")
    elif suffix == ".csv.gz":
        frame.to_csv(file, index=False)
    else:
        getattr(frame, {".xlsx": "to_excel"}.get(suffix, f"to_{suffix[1:]}"))(
            file, **({} if suffix == ".feather" else {"index": False})
        )
    pd.testing.assert_frame_equal(
        predicted(file).iloc[:, 1:], predicted(tmp_path / "new.csv").iloc[:, 1:], check_exact=True
    )


def test_a_file_without_header_is_read_with_the_names_of_the_settings(
    project: Path, tmp_path: Path, rows: list[str]
) -> None:
    (tmp_path / "new.csv").write_text("\n".join([HEADER, *rows]))
    (tmp_path / "same.csv").write_text("\n".join(rows))
    with_header, without = predicted(tmp_path / "new.csv"), predicted(tmp_path / "same.csv")
    assert without["line"].tolist() == list(range(1, 401))
    pd.testing.assert_frame_equal(with_header.drop(columns="line"), without.drop(columns="line"))


def test_the_terminal_gets_the_table_alone_and_a_missing_column_is_a_warning(
    project: Path, tmp_path: Path, rows: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.DataFrame([line.split(", ") for line in rows], columns=NAMES)
    frame.drop(columns=["age", "income"]).to_csv(tmp_path / "new.csv", index=False)
    predict.main(str(tmp_path / "new.csv"), None, None)
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "line,class,probability_>50K,decision,contribution_1,contribution_2,contribution_3"
    assert len(out.splitlines()) == 401
    assert "warning: columns that are not there count as missing: 'age'\n" in err


def test_what_cannot_be_predicted_is_one_message_and_leaves_no_file(project: Path, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("bill,flipper\n1,2\n3,4\n")
    with pytest.raises(UserError, match=r"none of the model's columns is there. It needs 'age', 'workclass'"):
        predicted(tmp_path / "other.csv")
    (tmp_path / "bad.csv").write_text(f"{HEADER}\n1,2\n3,4\n")
    with pytest.raises(UserError, match=r"bad.csv has no row that can be read \(2 that cannot\)"):
        predicted(tmp_path / "bad.csv")
    with pytest.raises(UserError, match=r"nothing.csv doesn't exist"):
        predicted(tmp_path / "nothing.csv")
    with pytest.raises(UserError, match=r"--output table.txt should end in .csv or .parquet"):
        predict.main(str(tmp_path / "bad.csv"), None, "table.txt")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bad.csv", "other.csv"]


def test_without_a_trained_model_the_message_names_the_ways_to_one(project: Path, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"nothing has been trained here. `dvc repro` trains a model"):
        predict.main("new.csv", None, None)


def test_a_model_of_the_store_that_is_not_there_is_one_message(project: Path, own_store: None, monkeypatch) -> None:
    for name, message in {
        "models:/adult@champion": r"there is no model models:/adult@champion. Name models:/<name>@champion",
        "models:/m-123": r"there is no model models:/m-123",
        "0123456789abcdef": r"there is no run 0123456789abcdef. Name models:",
    }.items():
        with pytest.raises(UserError, match=message):
            predict.main("new.csv", name, None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError, match=r"the MLflow store http://127.0.0.1:9 can't be used") as caught:
        predict.main("new.csv", "models:/adult@champion", None)
    assert str(caught.value).endswith("Mend the store, or set MLFLOW_TRACKING_URI.")
    mlflow.set_tracking_uri(None)

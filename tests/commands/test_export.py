"""The model of a project, written in other languages."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from pipeline import model
from pipeline.commands import export
from pipeline.errors import UserError
from pipeline.files import paths, stored

pytestmark = pytest.mark.slow


def written(file: Path, **options: object) -> str:
    values = {"model": None, "dialect": "duckdb", "table": "people", "keep": [], "rows": 3, "points": False}
    export.main(str(file), **(values | options))
    return file.read_text(encoding="utf-8") if file.suffix != ".xlsx" else ""


def training_rows() -> pd.DataFrame:
    return stored.load_table(paths.ROOT / paths.TRAINING_ROWS)


def test_python_that_was_written_agrees_with_the_model(project: Path, tmp_path: Path) -> None:
    names: dict = {}
    exec(written(tmp_path / "model.py"), names)
    rows = training_rows().head(50)
    answers = [names["predict"](row)["probabilities"][">50K"] for row in rows.to_dict("records")]
    np.testing.assert_allclose(answers, model.load(paths.ROOT / paths.MODEL).probabilities(rows)[:, 1], atol=1e-9)


def test_the_statement_names_the_table_and_keeps_columns(project: Path, tmp_path: Path) -> None:
    text = written(tmp_path / "model.sql", dialect="postgres", keep=["id"])
    assert 'FROM "people"' in text
    assert '\n  "id",' in text


def test_a_page_has_a_field_for_each_column_with_frequent_choices_first(project: Path, tmp_path: Path) -> None:
    page = written(tmp_path / "model.html")
    fields = {field["name"]: field for field in json.loads(re.search(r"const FIELDS = (.*);\n", page)[1])}
    rows = training_rows().drop(columns="income")
    assert list(fields) == list(rows.columns)
    assert fields["education"]["choices"][:3] == rows["education"].value_counts(sort=True).index[:3].tolist()
    assert sum(fields["age"]["rows"]) == len(rows)
    assert rows["age"].quantile(0.4) < fields["age"]["start"] < rows["age"].quantile(0.6)
    assert "http" not in page.replace("http://www.w3.org", "")  # nothing is fetched


def test_the_page_calculates_what_the_model_predicts(project: Path, tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("there is no node")
    page = written(tmp_path / "model.html")
    script = re.search(r"<script>(.*?)const form =", page, re.DOTALL)[1]
    code = script + "console.log(JSON.stringify(predict(Object.fromEntries(FIELDS.map((f) => [f.name, f.start])))));"
    answer = json.loads(subprocess.run(["node", "-"], input=code, capture_output=True, text=True, check=True).stdout)
    starts = {field["name"]: field["start"] for field in json.loads(re.search(r"const FIELDS = (.*);\n", page)[1])}
    fitted = model.load(paths.ROOT / paths.MODEL)
    expected = fitted.probabilities(fitted.read(pd.DataFrame([starts])))[0, 1]
    assert answer["probabilities"][">50K"] == pytest.approx(expected, abs=1e-9)


def test_a_workbook_has_a_row_to_fill_in_and_many_rows(project: Path, tmp_path: Path) -> None:
    written(tmp_path / "model.xlsx", rows=3)
    book = openpyxl.load_workbook(tmp_path / "model.xlsx")
    assert book.sheetnames == ["one row", "many rows", "tables"]
    header, *lines = book["many rows"].iter_rows(values_only=True)
    columns = training_rows().columns.drop("income").tolist()
    assert list(header[: len(columns) + 3]) == [*columns, "probability_<=50K", "probability_>50K", "decision"]
    assert len(lines) == 3


def test_points_are_whole_and_their_cost_is_printed(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict = {}
    exec(written(tmp_path / "model.py", points=True), names)
    cost = re.search(r"Points cost ([+-][\d.]+) log-loss", capsys.readouterr().out)
    assert abs(float(cost[1])) < 0.05
    rows = training_rows().head(40)
    points = np.array([list(names["predict"](row)["contributions"].values()) for row in rows.to_dict("records")])
    points /= np.log(2) / 20
    np.testing.assert_allclose(points, points.round(), atol=1e-6)
    assert points.min() >= 0
    card = written(tmp_path / "card.html", points=True)
    assert "20 points double the odds" in card
    assert "Points cost" in card


@pytest.mark.parametrize(
    ("file", "options", "message"),
    [
        ("model.csv", {}, r"model.csv should end in one of .sql, .py, .js, .html, .xlsx. JSON is the model itself"),
        ("model.py", {"points": True, "model": "models:/x/1"}, "Leave out --model"),
    ],
)
def test_what_can_not_be_written_is_one_message(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, options: dict, message: str
) -> None:
    monkeypatch.setattr("pipeline.tracking.named.model_of", lambda name: (model.load(paths.ROOT / paths.MODEL), None))
    with pytest.raises(UserError, match=message):
        written(tmp_path / file, **options)

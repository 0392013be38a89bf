"""Every exported form of a model gives the probabilities, decisions and contributions of `predict`."""

import json
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from conftest import train_params

from pipeline.errors import UserError
from pipeline.export import formula, program, sheet, sql
from pipeline.model import Model
from pipeline.reading import CellFormat
from pipeline.training import fit

N = 240
TOWNS = ["Ulm", "São Paulo", "O'Hara", None, "Nice"]


def strings(values: Any) -> pd.Series:
    return pd.Series(values, dtype="str")


def people() -> pd.DataFrame:
    """Numbers with ties and missing cells, strings, dates, and truth values."""
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": random.normal(40, 10, N).round(),
            'in\'come "net"': np.where(random.random(N) < 0.2, np.nan, random.normal(size=N)),
            "town": strings(random.choice(TOWNS, N, p=[0.4, 0.3, 0.1, 0.1, 0.1])),
            "smoker": strings(random.choice(["Yes", "No"], N)),
            "ward": strings(random.choice(["1", "2", "10"], N)),
            "since": pd.date_range("2023-11-30 05:17", periods=N, freq="31h").where(np.arange(N) % 9 > 0),
        }
    )


def target(table: pd.DataFrame, n_classes: int) -> pd.Series:
    random = np.random.default_rng(1)
    z = (table["age"] - 40) / 8 + (table["town"] == "Ulm") * (table["age"] - 40) / 5 + random.normal(size=N)
    return strings(pd.qcut(z, n_classes, labels=[f"cl'ass {k}" for k in range(n_classes)]).astype(str))


ISOTONIC = {"x": np.array([0.1, 0.4, 0.4, 0.9]), "y": np.array([0.05, 0.3, 0.5, 0.8])}
PAIRS = [["age", "town"], ["age", 'in\'come "net"']]
MODELS: dict[str, tuple[int, dict[str, Any], dict[str, Any]]] = {  # classes, settings, and what corrects them
    "lines": (2, {}, {"threshold": 0.3, "calibration": ISOTONIC, "positive": "cl'ass 0"}),
    "curves and pairs": (2, {"smoothness": 1.0, "interactions": PAIRS}, {"calibration": {"temperature": 1.7}}),
    "three classes": (3, {"smoothness": 1.0}, {"calibration": {"temperature": 0.8}}),
    "softmax": (3, {"multiclass": "softmax", "smoothness": 1.0, "interactions": [["ward", "town"]]}, {}),
}


@pytest.fixture(scope="module", params=MODELS)
def fitted(request: pytest.FixtureRequest) -> Model:
    n_classes, settings, corrections = MODELS[request.param]
    params = train_params(
        **{"lambda": 0.01, "optimizer": "newton", "learning_rate": "auto", "max_iterations": 50, "min_rows": 3}
        | settings
    )
    table = people()
    model = fit.train(table.assign(target=target(table, n_classes)), params, CellFormat()).model
    for name, value in corrections.items():
        setattr(model, name, value)
    return model


def new_rows(fitted: Model, gap: float) -> pd.DataFrame:
    """Those of training, numbers on and just below all edges of curves, and what training never had."""
    rows = people()
    edges = [term.edges for term in fitted.design.terms if hasattr(term, "edges") and term.name == "age"]
    extreme = np.concatenate([*edges, *(np.nextafter(each - gap, -np.inf) for each in edges), [-1e9, 0.0, 1e9, np.nan]])
    others = rows.iloc[np.arange(len(extreme)) % N].assign(age=extreme, town="Oslo", ward=None, since=pd.NaT)
    return pd.concat([rows, others], ignore_index=True)


def expected(fitted: Model, rows: pd.DataFrame) -> pd.DataFrame:
    _, decided, P = fitted.predicted(rows)
    contributions = fitted.contributions(rows)
    column = 0 if contributions.shape[2] == 1 else np.searchsorted(fitted.classes_, decided)
    values = contributions[np.arange(len(rows)), :, column]
    names = [" x ".join(columns) for columns in fitted.design.groups]
    shown = [fitted.positive_class] if len(fitted.classes_) == 2 else fitted.classes_.tolist()
    probabilities = {f"probability_{name}": P[:, fitted.classes_.tolist().index(name)] for name in shown}
    effects = {f"contribution_{name}": values[:, k] for k, name in enumerate(names)}
    return pd.DataFrame({**probabilities, "decision": decided, **effects})


def assert_agrees(results: pd.DataFrame, fitted: Model, rows: pd.DataFrame) -> None:
    wanted = expected(fitted, rows)
    assert results["decision"].tolist() == wanted["decision"].tolist()
    numbers = [name for name in wanted if name != "decision"]
    np.testing.assert_allclose(results[numbers].to_numpy(float), wanted[numbers], rtol=1e-12, atol=1e-9)


def as_results(answers: list[dict[str, Any]], fitted: Model) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **{f"probability_{name}": p for name, p in answer["probabilities"].items()},
            "decision": answer["class"],
            **{f"contribution_{name}": value for name, value in answer["contributions"].items()},
        }
        for answer in answers
    )


def by_python(fitted: Model, rows: pd.DataFrame) -> pd.DataFrame:
    names: dict[str, Any] = {}
    exec(program.python(formula.of(fitted), "a model"), names)
    return as_results([names["predict"](row) for row in rows.astype(object).to_dict("records")], fitted)


def by_node(fitted: Model, rows: pd.DataFrame) -> pd.DataFrame:
    if shutil.which("node") is None:
        pytest.skip("there is no node")
    cells = rows.assign(since=rows["since"].astype("str")).astype(object)
    records = cells.where(cells.notna(), None).to_dict("records")
    code = program.javascript(formula.of(fitted), "a model")
    code += f"\nconsole.log(JSON.stringify({json.dumps(records)}.map(predict)));"
    answer = subprocess.run(["node", "-"], input=code, capture_output=True, text=True, check=True)
    return as_results(json.loads(answer.stdout), fitted)


def by_duckdb(fitted: Model, rows: pd.DataFrame) -> pd.DataFrame:
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    connection.execute('CREATE TABLE "new ""rows" AS SELECT * FROM rows')
    statement = sql.select(formula.of(fitted), "a model", "duckdb", 'new "rows', ["place"])
    return connection.execute(statement).df().sort_values("place", ignore_index=True)


def by_sqlite(fitted: Model, rows: pd.DataFrame) -> pd.DataFrame:
    connection = sqlite3.connect(":memory:")
    rows.assign(since=rows["since"].astype("str")).to_sql("rows", connection, index=False)
    statement = sql.select(formula.of(fitted), "a model", "sqlite", "rows", ["place"])
    return pd.read_sql(statement, connection).sort_values("place", ignore_index=True)


def by_libreoffice(fitted: Model, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows are pasted into the workbook, and it is calculated."""
    if shutil.which("soffice") is None:
        pytest.skip("there is no LibreOffice")
    with tempfile.TemporaryDirectory() as folder:
        path, profile = Path(folder) / "model.xlsx", f"-env:UserInstallation=file://{folder}/profile"
        sheet.write(formula.of(fitted), "a model", path, len(rows))
        book = openpyxl.load_workbook(path)
        for j, name in enumerate(fitted.columns, 1):
            for i, value in enumerate(rows[name], 2):
                if not pd.isna(value):
                    book["many rows"].cell(i, j).value = value
        book.save(path)
        command = ["soffice", profile, "--headless", "--convert-to", "xlsx", "--outdir", f"{folder}/out", str(path)]
        subprocess.run(command, capture_output=True, check=True)
        calculated = openpyxl.load_workbook(Path(folder) / "out/model.xlsx", data_only=True)["many rows"]
        header, *lines = calculated.iter_rows(values_only=True)
    results = pd.DataFrame(lines, columns=header).loc[:, lambda table: ~table.columns.duplicated()]
    if len(fitted.classes_) > 2:
        for name in (name for name in expected(fitted, rows) if name.startswith("contribution_")):
            each = [results[f"{name}: {label}"] for label in fitted.classes_]
            results[name] = np.select([results["decision"] == label for label in fitted.classes_], each)
    return results


TEXTS = [
    "Never again, it's broken",
    "don't DON'T broken \N{RIGHT SINGLE QUOTATION MARK}again\N{RIGHT SINGLE QUOTATION MARK} never",
    "東京は broken",
    "fits well €5 again",
    "\N{LATIN SMALL LIGATURE FI}ne 'fits' well",
]


def reviews(delimiter: str, template: str = "{}") -> pd.DataFrame:
    """Texts and lists, some of each missing."""
    random = np.random.default_rng(2)
    values = ["a b", "c", "d'e", "f.g"]
    lists = [template.format(delimiter.join(random.permutation(values)[: random.integers(1, 4)])) for _ in range(N)]
    text = [" ".join(random.choice(TEXTS, 2)) for _ in range(N)]
    table = pd.DataFrame({"text": strings(text), "list": strings(lists)})
    return table.where(random.random((N, 2)) > 0.1).astype("str")


def of_tokens(table: pd.DataFrame, columns: list[str]) -> Model:
    y = strings(np.where(np.arange(N) % 3 + table["list"].str.contains("c").fillna(False) > 1, "yes", "no"))
    params = train_params(
        **{"lambda": 0.01}, optimizer="quasi_newton", learning_rate="auto", max_iterations=99, word_pairs=True
    ).of_tokens({name: name for name in columns})
    return fit.train(table[columns].assign(y=y).rename(columns={"y": "target"}), params, CellFormat()).model


@pytest.mark.parametrize("by", [by_python, by_node])
@pytest.mark.parametrize(("delimiter", "template"), [(";", "{}"), ("', '", "['{}']")])
def test_words_and_lists_of_programs_agree_with_the_model(
    by: Callable[..., pd.DataFrame], delimiter: str, template: str
) -> None:
    table = reviews(delimiter, template)
    fitted = of_tokens(table, ["text", "list"])
    rows = table.assign(since=pd.NaT)
    assert_agrees(by(fitted, rows), fitted, rows)


@pytest.mark.parametrize("by", [by_libreoffice, by_duckdb, by_sqlite])
def test_lists_agree_with_the_model(by: Callable[..., pd.DataFrame]) -> None:
    fitted = of_tokens(reviews("; "), ["list"])
    rows = reviews("; ")[["list"]].assign(since=pd.NaT, place=np.arange(N))
    if by is by_libreoffice:  # where a row without any cell is no row
        rows = rows[rows["list"].notna()].reset_index(drop=True)
    assert_agrees(by(fitted, rows), fitted, rows)


@pytest.mark.parametrize("by", [by_python, by_node, by_duckdb, by_sqlite, by_libreoffice])
@pytest.mark.parametrize("mark", [";", ", "])
def test_an_empty_list_has_no_value_and_an_empty_cell_is_missing(mark: str, by: Callable[..., pd.DataFrame]) -> None:
    table = reviews(mark)[["list"]]
    table.loc[:9, "list"] = "[]"
    fitted = of_tokens(table, ["list"])
    cells = ["[]", "[ ]", "c", "c" + mark, f"c{mark}{mark}f.g", f" {mark} "] + ["", " ", "NA"] * (
        by is not by_libreoffice
    )
    rows = pd.DataFrame({"list": cells}, dtype="str").assign(since=pd.NaT, place=np.arange(len(cells)))
    typed = rows.assign(list=fitted.read(rows)["list"])
    assert typed["list"].isna().tolist() == [cell.strip() in ("", "NA") for cell in cells]
    z = fitted.margins(typed)
    assert z[0] == z[1] == z[5]
    assert z[2] == z[3]
    assert_agrees(by(fitted, rows), fitted, typed)


def test_words_that_a_language_can_not_express_are_one_message(tmp_path: Path) -> None:
    of_model = formula.of(of_tokens(reviews(";"), ["text", "list"]))
    with pytest.raises(UserError, match="the words of 'text' can't be written as SQL"):
        sql.select(of_model, "a model", "duckdb", "rows", [])
    with pytest.raises(UserError, match="the words of 'text' can't be written as formulas"):
        sheet.write(of_model, "a model", tmp_path / "model.xlsx", 3)


@pytest.mark.parametrize("by", [by_libreoffice, by_python, by_node, by_duckdb, by_sqlite])
def test_every_language_agrees_with_the_model(by: Callable[..., pd.DataFrame], fitted: Model) -> None:
    rows = new_rows(fitted, gap=1e-9 if by is by_libreoffice else 0)  # which takes neighbouring numbers for the same
    assert_agrees(by(fitted, rows.assign(place=np.arange(len(rows)))), fitted, rows)

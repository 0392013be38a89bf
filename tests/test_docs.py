"""README and docs: links lead somewhere, commands exist, settings and the document of a model are as they say."""

import json
import re
import runpy
import shlex
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, copy_conf, train_params
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, IntervalSweep

from pipeline import config, model
from pipeline.__main__ import COMMANDS, STAGES, parser
from pipeline.columns.terms.design import KINDS
from pipeline.columns.terms.line import Missing
from pipeline.commands import use
from pipeline.config import Train, composition
from pipeline.logistic import calibration
from pipeline.reading import CellFormat
from pipeline.training import fit

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "benchmarks" / "README.md"])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    text = re.sub(r"(?s)```.*?```", "", page.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.name != "CHANGELOG.md":  # it has the names of old commands, too
        made_there = set(re.findall(r"Write `pipeline/(?:stages|commands)/(\w+)\.py`", text))  # by a recipe
        assert set(re.findall(r"python -m pipeline ([a-z_]+)", text)) <= {*STAGES, *COMMANDS} | made_there
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)^([a-z]+):", makefile))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)) <= targets


FOR_A_TABLE = ["README.md", *(f"docs/{name}.md" for name in ["own-table", "use", "model", "sweeps", "honest", "runs"])]


def commands_of(page: str) -> list[list[str]]:
    """The words of each command in the blocks of a page; of a block that lists overrides alone, they too."""
    blocks = re.findall(r"(?s)```sh\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"))
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    starts = ("-S", "python -m pipeline", "dvc exp run", "make sweep")
    parts = [part for line in lines if line.startswith(starts) for part in re.split(" && | > ", line)]
    return [shlex.split(part, comments=True) for part in parts if part.startswith(starts)]


def first_of(override: str) -> str:
    """An override that `multirun` and `queue` would make of one with several values."""
    parsed = OverridesParser.create().parse_override(override)
    value = parsed.value()
    if isinstance(value, Glob):
        return f"{parsed.key_or_group}={sorted(Path('conf', parsed.key_or_group).glob('*.yaml'))[0].stem}"
    if isinstance(value, IntervalSweep):
        return f"{parsed.key_or_group}={value.start}"
    return f"{parsed.key_or_group}={value.list[0]}" if isinstance(value, ChoiceSweep) else override


@pytest.fixture(scope="module")
def with_own_table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder in which `use` has made a table the data set in use."""
    folder = tmp_path_factory.mktemp("own")
    copy_conf(folder)
    (folder / "data").mkdir()
    shutil.copy(ROOT / "tests" / "data" / "penguins.csv", folder / "data")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        use.main("data/penguins.csv", "species", [])
        yield


@pytest.mark.parametrize("page", FOR_A_TABLE)
def test_each_command_of_a_page_is_about_the_table_in_use_or_names_its_own(page: str, with_own_table: None) -> None:
    commands = commands_of(page)
    assert commands
    for words in commands:
        overrides = [word for before, word in pairwise(words) if before == "-S"]
        if words[:2] == ["python", "-m"]:
            arguments = vars(parser(words[3]).parse_args(words[3:]))
            overrides = arguments.get("overrides", []) if words[3] in ("multirun", "queue") else []
        elif words[0] == "make":
            overrides = words[2].removeprefix("GRID=").split()
        overrides = [first_of(word) for word in overrides if not word.startswith("hydra")]
        composed = composition.compose(overrides)
        composition.check(composed, "conf/")
        named = [word for word in overrides if word.startswith("data=")]
        data = config.parse(composed, "conf/")["data"]
        assert data.get("path") == "data/penguins.csv" or (named and data["name"] != "breast_cancer"), words


def test_every_picture_has_a_text() -> None:
    for page in PAGES:
        assert all(re.findall(r"!\[(.*?)\]", page.read_text(encoding="utf-8").replace("\n", " "))), page


def test_the_page_of_settings_is_that_of_conf() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "settings.py"))["page"]()
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == made, "run: python docs/settings.py"


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, waiting = set(), {ROOT / "README.md"}
    while waiting:
        seen |= waiting
        links = {
            (page.parent / link.partition("#")[0]).resolve()
            for page in waiting
            for link in re.findall(r"\]\(([^)\s]+\.md[^)\s]*)\)", page.read_text(encoding="utf-8"))
            if not link.startswith("http")
        }
        waiting = links - seen
    assert set(ROOT.glob("docs/**/*.md")) <= seen


SCHEMA = json.loads((ROOT / "docs" / "model.schema.json").read_text(encoding="utf-8"))


def table_of_all_kinds(n: int = 120) -> pd.DataFrame:
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": np.where(np.arange(n) % 7 == 0, np.nan, random.integers(20, 70, n).astype(float)),
            "balance": random.normal(size=n),
            "sold": pd.date_range("2024-01-30", periods=n, freq="D").where(np.arange(n) % 9 > 0),
            "town": pd.Series([["Rome", "Oslo", None][k] for k in random.integers(0, 3, n)], dtype="str"),
            "exposure": random.normal(size=n),
        }
    )
    return table.assign(
        target=pd.Series(np.where(table["balance"] + random.normal(size=n) > 0, "yes", "no"), dtype="str")
    )


def saved(table: pd.DataFrame, params: Train, cell_format: CellFormat, path: Path) -> tuple[model.Model, dict]:
    """A model of the table with corrected probabilities, and the document that it is saved as."""
    fitted = fit.train(table, params, cell_format).model
    codes = pd.factorize(table["target"], sort=True)[0]
    correct = calibration.isotonic if len(fitted.classes_) == 2 else calibration.temperature
    fitted.calibration = correct(fitted.probabilities(table), codes, np.ones(len(table)))
    model.save(fitted, path)
    return fitted, json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(params=["all kinds", "numbers", "three classes"])
def example(request: Any, tmp_path: Path) -> tuple[pd.DataFrame, model.Model, dict]:
    table, newton = table_of_all_kinds(), {"optimizer": "newton", "learning_rate": "auto", "lambda": 0.1}
    params, cell_format = train_params(**newton), CellFormat()
    if request.param == "all kinds":
        pairs = [["age", "town"], ["age", "balance"]]
        params = train_params(**newton, features="curves", interactions=pairs, offset="exposure", positive="no")
        cell_format = CellFormat(("?",), ",", ".", {"sold": "%d.%m.%Y"}, {"town": {"R": "Rome"}})
    elif request.param == "numbers":
        table = table[["balance", "exposure", "target"]]
    else:
        third = pd.Series(np.where(table["exposure"] > 0.5, "perhaps", table["target"]), dtype="str")
        table, params = table.assign(target=third), train_params(**newton, multiclass="softmax")
    fitted, document = saved(table, params, cell_format, tmp_path / "model.json")
    return table, fitted, document


def test_a_saved_model_is_a_document_of_the_schema(example: tuple[pd.DataFrame, model.Model, dict]) -> None:
    document = example[2]
    jsonschema.validate(document, SCHEMA)
    of_schema = jsonschema.Draft202012Validator(SCHEMA)
    for key in SCHEMA["required"]:
        assert not of_schema.is_valid({**document, "terms": [], key: [[]]}), key
    assert not of_schema.is_valid({**document, "terms": [], "more": 1})


def test_the_schema_describes_every_kind_of_term_and_every_key() -> None:
    kinds = {entry["properties"]["kind"]["const"] for entry in SCHEMA["$defs"].values() if "properties" in entry}
    assert kinds == {kind.kind for kind in (*KINDS, Missing)}
    entries = [SCHEMA, *(entry for entry in SCHEMA["$defs"].values() if "properties" in entry)]
    for entry in entries:
        for key, value in entry["properties"].items():
            assert key == "kind" or value["description"]


class Reader:
    """The margins of rows of typed columns from a document alone, as its schema says."""

    def __init__(self, document: dict) -> None:
        self.intercept, self.terms = document["intercept"], document["terms"]
        names = {"day_of_week": "weekday"}
        self.lines, self.coded = dict[str, dict](), dict[str, dict]()
        for term in self.terms:
            if "scale" in term:
                part = f": {names.get(term['part'], term['part'])}" if "part" in term else ""
                self.lines[term["column"] + part] = term
            elif term["kind"] in ("categories", "curve"):
                self.coded[term.get("line", term.get("column"))] = term

    def number(self, line: dict, row: pd.Series) -> float:
        cell = row[line["column"]]
        return np.nan if pd.isna(cell) else getattr(cell, line["part"]) if "part" in line else cell

    def place(self, term: dict, row: pd.Series) -> int:
        """Which base column is 1."""
        if term["kind"] == "pair":
            places = [self.place(self.coded[name], row) for name in term["terms"]]
            one, other = (groups[place] for groups, place in zip(term["groups"], places, strict=True))
            return one * (max(term["groups"][1]) + 1) + other
        if term["kind"] == "curve":
            number = self.number(self.lines[term["line"]], row)
            return len(term["points"]) if np.isnan(number) else sum(edge <= number for edge in term["edges"])
        cell = None if pd.isna(row[term["column"]]) else row[term["column"]]
        return term["categories"].index(cell) if cell in term["categories"] else len(term["categories"])

    def effect(self, term: dict, row: pd.Series) -> Any:
        if term["kind"] == "offset":
            return row[term["column"]]
        weights = np.array(term["effects"])
        if term["kind"] == "missing":
            return float(pd.isna(row[term["column"]])) * weights[0]
        if "scale" in term:
            number = min(max(self.number(term, row), term["low"]), term["high"])
            base = (number - term["centre"]) / term["scale"]
            return (term["fill"] if np.isnan(base) else base) * weights[0]
        return weights[self.place(term, row)]

    def margins(self, frame: pd.DataFrame) -> np.ndarray:
        return np.array(
            [self.intercept + sum(self.effect(term, row) for term in self.terms) for _, row in frame.iterrows()]
        )


def test_the_margins_are_those_that_the_schema_makes_of_the_document(
    example: tuple[pd.DataFrame, model.Model, dict],
) -> None:
    table, fitted, document = example
    columns = fitted.read(table)
    assert set(columns) <= set(document["columns"])
    margins = fitted.margins(columns).reshape(len(table), -1)
    np.testing.assert_allclose(margins, Reader(document).margins(columns), rtol=1e-9, atol=1e-9)

"""Every override that is printed: the shell and Hydra read exactly the names and values that are meant."""

import ast
import re
import shlex
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from dvc.utils.hydra import get_hydra_sweeps
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import OmegaConf

from pipeline import config, overrides
from pipeline.columns import associations, leaks, roles, sentinels, target
from pipeline.config import composition
from pipeline.errors import UserError
from pipeline.reading import Options, read

NAMES = [
    *(
        "zip_code",
        "price, net",
        "Heart Rate (bpm)",
        "[x]",
        "Bob's data",
        'say "x"',
        "'\"",
        "größe",
        "\N{GRINNING FACE}",
    ),
    *(
        "two\nlines\tand a tab",
        "back\\slash",
        "ends in \\",
        "\\'\\\\\"",
        "$HOME",
        "a=b",
        " before",
        "after ",
        "a: b #c",
    ),
    *(
        "\N{GRINNING FACE}",
        "a: b #c",
        "}{",
        "'ü\"}",
        "24",
        "-999",
        "007",
        "1e3",
        "true",
        "null",
        "yes",
        "y",
        "~",
        "",
        "a.b",
        "-S",
        "@x:y",
    ),
]
TABLE = ["data=table", "data.path=a.csv", "data.target=y"]


def typed(message: str) -> Iterator[str]:
    """What a shell gives the program for each `-S` of a message; sentences go on after it."""
    for place in re.finditer("(?<!\\w)-S ", message):
        words = shlex.shlex(message[place.end() :], posix=True)
        words.whitespace_split, words.commenters = True, ""
        yield re.sub(r"[.,;:)]+$", "", str(words.get_token()))


def parsed(text: str) -> tuple[str, Any]:
    """Key and value of an override as Hydra reads it."""
    override = OverridesParser.create().parse_override(text)
    value = override.value()
    return override.get_key_element().lstrip("+"), OmegaConf.to_container(OmegaConf.create({"x": value}), resolve=True)[
        "x"
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_of_any_name_composes_to_exactly_that_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    settings: dict[str, Any] = {
        "target": name,
        "drop": [name, "b"],
        "roles": {name: "drop"},
        "replace": {"y": {name: "b", "c": name}},
        "date_format": {name: name, "b": "c"},
        "expectations": {name: {"type": "number"}},
        "skip": 3,
        "quote": None,
        "header": False,
    }
    printed = [overrides.override(f"data.{key}", value) for key, value in settings.items()]
    given = [text for message in printed for text in typed(message)]
    (queued,) = get_hydra_sweeps({"params.yaml": given})  # DVC's queue writes them anew
    for overridden in (given, queued["params.yaml"]):
        data = config.parse(composition.compose([*TABLE, *overridden]), "conf/")["data"]
        assert {key: data[key] for key in settings} == settings


@pytest.mark.parametrize("name", [name for name in NAMES if not overrides.VALUE.fullmatch(name)])
def test_a_value_is_quoted_as_hydra_quotes_it(name: str) -> None:
    assert overrides.assignment("a", name) == f"a={QuotedString(name, Quote.double).with_quotes()}"


@pytest.mark.parametrize(
    "value", [0.1, 1e-300, 3, -2.5, True, None, [1.0, ["a", "b c"]], [{"minimum": 1e-5, "points": 4}]]
)
def test_numbers_lists_and_nested_values_are_kept_to_the_last_digit(value: Any) -> None:
    assert parsed(overrides.assignment("a", value)) == ("a", value)


def test_a_column_gets_a_role_whether_it_has_one_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for name in ("zip", "zip code"):
        text = overrides.assignment("data.roles", {name: "categorical"})
        twice = composition.compose([*TABLE, "+data.roles.a=drop", f"+data.roles={{{name}: date}}", text])
        assert config.parse(twice, "conf/")["data"]["roles"] == {"a": "drop", name: "categorical"}


def test_what_no_configuration_can_hold_is_said_instead_of_an_override() -> None:
    message = overrides.override("data.drop", ["${x}"])
    assert "-S" not in message
    assert "Rename the file or the column" in message


ROWS = 60
NORMAL = np.random.default_rng(0).normal(size=ROWS)


def frame_of(name: str, values: Any, classes: Any = None) -> pd.DataFrame:
    return pd.DataFrame({name: values, "y": ["a", "b"] * (ROWS // 2) if classes is None else classes})


def messages(call: Callable[[], object]) -> str:
    """All warnings of a call, and its error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call()
        except UserError as error:
            return " ".join([*(str(warning.message) for warning in caught), str(error)])
    return " ".join(str(warning.message) for warning in caught)


def read_of(name: str, cells: list[str], folder: Path) -> str:
    path = folder / "a.csv"
    frame_of(name, cells).to_csv(path, index=False)
    return messages(lambda: read(path, Options(), target="y"))


def codes(name: str) -> pd.DataFrame:
    return pd.DataFrame({"column": ["b", name], "role": "numeric", "reason": ""})


PRINTERS: dict[str, Callable[[str, Path], str]] = {
    "a cell that is no number": lambda name, folder: read_of(name, ["oops", *map(str, NORMAL[1:])], folder),
    "a bound": lambda name, folder: read_of(name, ["<0.1", *map(str, NORMAL[1:])], folder),
    "categories": lambda name, folder: read_of(name, ["3+", *"012" * 20][:ROWS], folder),
    "a column left out": lambda name, folder: messages(lambda: roles.decide(frame_of(name, range(ROWS)), "y")),
    "two columns that say the same": lambda name, folder: messages(
        lambda: associations.warn(pd.DataFrame({"b": NORMAL, name: NORMAL}), codes(name))
    ),
    "a number that means missing": lambda name, folder: messages(
        lambda: sentinels.warn(pd.DataFrame({name: [-999, *NORMAL[1:]], "b": NORMAL}), codes(name))
    ),
    "dates": lambda name, folder: messages(
        lambda: leaks.warn_of_dates(
            pd.DataFrame({name: pd.to_datetime(["2024-01-01"])}),
            pd.DataFrame({"column": [name], "role": "date"}),
        )
    ),
    "classes that differ in capitals": lambda name, folder: messages(
        lambda: target.with_target(frame_of("a", NORMAL, [name, name.upper(), "k"] * 20), "y")
    ),
}


@pytest.mark.parametrize("printer", PRINTERS)
@pytest.mark.parametrize(
    "name", ["price, net", "Heart Rate (bpm)", 'Bob\'s "x"', "größe\n[cm]\\", "a=$b \N{GRINNING FACE}"]
)
def test_every_override_of_a_message_has_exactly_the_name(printer: str, name: str, tmp_path: Path) -> None:
    found = [parsed(text) for text in typed(PRINTERS[printer](name, tmp_path))]
    named = [value for key, value in found if re.fullmatch(r"data\.(drop|roles|replace(\.y)?)|split\.column", key)]
    assert named
    for value in named:
        assert name in value  # the name itself, or one of a list, or of the keys of a mapping


def formatted_by_hand(file: Path) -> list[str]:
    """The f-strings of a module in which a value is put into an override."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.JoinedStr)
        for before, after in pairwise(node.values)
        if isinstance(before, ast.Constant)
        and isinstance(after, ast.FormattedValue)
        and re.search(r"-S [^ ]*$|\b(data|train|split|sweep)\.[\w.]+=\S*$", str(before.value))
    ]


def test_no_message_formats_an_override_by_hand() -> None:
    files = {*(ROOT / "pipeline").rglob("*.py")} - {ROOT / "pipeline" / "overrides.py"}
    assert {file.name: found for file in files if (found := formatted_by_hand(file))} == {}

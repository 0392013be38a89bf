"""Every way on that a message proposes is followed: the same table with that override loads and splits, without it."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from test_overrides import typed

from pipeline import config
from pipeline.columns import dataset
from pipeline.config import composition
from pipeline.errors import UserError
from pipeline.overrides import assignment, beside, override

ROWS = 120
NOISE = [f"{value:.4f}" for value in np.random.default_rng(0).normal(size=ROWS)]
NOISE_DE = [number.replace(".", ",") for number in NOISE]
CLASSES = ["no", "yes"] * (ROWS // 2)


def csv(separator: str = ",", **columns: Any) -> str:
    """`columns`, a column of noise and the target y."""
    cells = {**columns, "noise": NOISE, "y": CLASSES} | columns
    return "\n".join(map(separator.join, [list(cells), *zip(*cells.values(), strict=True)])) + "\n"


def strings(cell: Callable[[int], object]) -> list[str]:
    return [str(cell(row)) for row in range(ROWS)]


def some(first: list[str], others: list[str]) -> list[str]:
    return [*first, *others[len(first) :]]


def messages(path: Path, settings: list[str]) -> list[str]:
    """What is printed where the table is loaded and split with these settings, an error last."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        error = []
        try:
            composed = composition.compose(["data=table", f"data.path={path}", "data.target=y", *settings])
            params = config.validate(composition.check(composed, "conf/"), "conf/")
            dataset.split(dataset.load(params.data), params.split, params.data)
        except UserError as found:
            error = [f"error: {found}"]
    return [*(str(warning.message) for warning in caught if warning.category is UserWarning), *error]


def ways(message: str) -> list[list[str]]:
    """The overrides of each way on: those that stand beside each other are one."""
    found = re.findall(r"(?:-S (?:'[^']*'|\"(?:\\.|[^\"])*\"|[^\s'\"])+(?: |$)?)+", message)
    return [list(typed(way)) for way in found]


DAYS = strings(lambda row: f"2023-01-{row % 28 + 1:02}")
TIMES = strings(lambda row: f"{row % 24}:{row % 60:02}")
LETTERS = strings(lambda row: "uvw"[row % 3])
PROVOKED = {
    "no number": (csv(a=some(["oops"], NOISE)), "is not a number"),
    "a bound": (csv(a=some(["<0.1"], NOISE)), "is not a number"),
    "a string that means missing": (csv(a=some(["unk"] * 4, NOISE)), r"mean.* missing"),
    "categories": (csv(a=strings(lambda row: ["3+", "0", "1", "2"][row % 4])), "categories: 4 distinct"),
    "more digits than a number keeps": (csv(a=strings(lambda row: 10**18 + 7 * row)), "more digits"),
    "leading zeros": (csv(a=strings(lambda row: f"{row % 20:03}")), "zeros"),
    "thousands": (csv(";", a=strings(lambda row: f"{row + 1}.{row % 10}34.567"), noise=NOISE_DE), "thousands"),
    "dates of two orders": (csv(a=strings(lambda row: f"0{row % 9 + 1}/0{row % 8 + 1}/2021")), "can be read as"),
    "a date that does not exist": (csv(a=some(["2023-02-30"], DAYS)), "2-30"),
    "dates in two forms": (
        csv(a=strings(lambda row: f"2021-01-{row % 28 + 1:02}" if row % 2 else f"{row % 28 + 1:02}/02/2021")),
        "two ways",
    ),
    "dates": (csv(a=strings(lambda row: f"20{row % 60 + 10}-01-{row % 28 + 1:02}")), "split by time"),
    "a duration": (csv(a=some(["41:38:44"], strings(lambda row: f"{row % 24}:{row % 60:02}:00"))), "in h"),
    "a duration among hours and minutes": (csv(a=some(["124:38"], TIMES)), "minutes and seconds"),
    "a number that means missing": (csv(a=some(["-999"] * 3, NOISE)), "-999"),
    "a repeated identifier": (csv(patient_id=strings(lambda row: row // 4 + 7)), "identifier"),
    "a repeated identifier of strings": (csv(shop_id=strings(lambda row: f"s{row // 24}")), "identifier"),
    "columns that say the same": (csv(a=NOISE, b=NOISE), "same|told apart|alone"),
    "a leak": (csv(a=strings(lambda row: row % 2), b=strings(lambda row: row % 7)), "almost perfectly"),
    "a column left out": (csv(a=strings(lambda row: row + 1)), "left out"),
    "classes in capitals": (csv(y=strings(lambda row: ["no", "yes", "Yes", "k"][row % 4])), "capital letters"),
    "a class of two rows": (csv(y=some(["rare"] * 2, CLASSES)), "leave these out"),
    "a class of one row": (csv(y=some(["rare"], CLASSES)), "leave these out"),
    "no header": (csv().split("\n", 1)[1], "header"),
    "two columns of one name": (csv(a=LETTERS, b=LETTERS[::-1], noise=LETTERS).replace("a,b", "a,a", 1), "named 'a'"),
    "a comment below": (csv() + "# the end\n", "comment"),
    "a total below": (csv(a=NOISE[::-1]) + "Total,,\n", "'Total'"),
    "rows of units": (csv(a=some(["cm"], NOISE)), "cm"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROVOKED)
def test_each_way_on_that_is_printed_works(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, words = PROVOKED[name]
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    monkeypatch.chdir(ROOT)
    printed = [message for message in messages(path, []) if re.search(words, message)]
    assert printed, messages(path, [])
    for message in printed:
        assert ways(message) or "file" in message
        for way in ways(message):
            left = messages(path, way)
            assert not [text for text in left if text.startswith("error")], way
            assert message not in left or way[0].startswith("split="), way  # the stage load knows no split


COLUMNS = csv(a=NOISE, b=NOISE, c=NOISE[::-1], d=some(["oops"], NOISE), **{"größe (cm)": strings(lambda row: row + 1)})

ADDED = {"drop": ["ä"], "roles": {"ä": "drop"}, "replace": {"y": {"ä": "b"}}, "more_missing": ["ä"]}


@pytest.mark.parametrize(
    "settings",
    [
        {"drop": ["c"], "roles": {"noise": "numeric"}, "more_missing": ["n.d."]},
        {"drop": ["größe (cm)"], "replace": {"y": {"no": "nein", "Ü": "x"}}, "more_missing": ["ü"]},
        {"roles": {"größe (cm)": "drop", "c": "numeric"}, "replace": {"größe (cm)": {"1": "2"}}},
    ],
)
def test_each_way_on_keeps_what_is_set(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    path = tmp_path / "a.csv"
    path.write_text(COLUMNS, encoding="utf-8")
    asked = [assignment(f"data.{key}", value) for key, value in settings.items()]
    printed = messages(path, asked)
    with beside("data", settings):
        printed += [override(f"data.{key}", value) for key, value in ADDED.items()]
    for way in (way for message in printed for way in ways(message) if not way[0].startswith("split=")):
        composed = composition.compose(["data=table", f"data.path={path}", "data.target=y", *asked, *way])
        data = config.parse(composed, "conf/")["data"]
        for key, value in settings.items():
            entries = set if isinstance(value, list) else lambda found: set(config.flatten(found).items())
            assert entries(value) <= entries(data[key]), way

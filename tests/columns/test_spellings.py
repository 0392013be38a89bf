"""Spellings of one category are proposed in one command, and following it joins them."""

import re
import shlex
import warnings

import numpy as np
import pandas as pd
import pytest

from pipeline import config
from pipeline.columns import dataset, spellings
from pipeline.commands import table
from pipeline.config import composition
from pipeline.errors import reported_warnings

TITLES = ["data scientist", "nurse", "software engineer", "teacher", "sales manager", "accountant", "physician"]


def varied(title: str, rng: np.random.Generator) -> str:
    """The title in other letters, with other blanks and punctuation, or with a slip."""
    kind = rng.integers(8)
    place = int(rng.integers(1, len(title) - 2))
    slips = [
        title[:place] + title[place + 1 :],
        title[:place] + "q" + title[place:],
        title[:place] + "z" + title[place + 1 :],
    ]
    forms = [title, title.upper(), title.title(), f" {title} ", title.replace(" ", "-"), title.replace(" ", "_") + "."]
    return (forms + [slips[int(rng.integers(3))]] * 2)[kind]


def test_hundreds_of_spellings_become_the_titles_when_the_printed_command_is_followed(own_conf, tmp_path, capsys):
    rng = np.random.default_rng(0)
    true = rng.choice(TITLES, 3_000)
    column = pd.Series([varied(title, rng) for title in true], dtype="str")
    assert column.nunique() > 150
    path = tmp_path / "jobs.csv"
    rows = pd.DataFrame({"job title": column, "y": rng.choice(["yes", "no"], 3_000)})
    rows.to_csv(path, index=False, sep=";", encoding="utf-16")
    given = ['data.delimiter=";"', "data.encoding=utf-16"]
    asked = composition.compose(["data=table", f"data.path={path}", "data.target=y", *given])
    with reported_warnings() as warned:
        dataset.load(config.validate(config.parse(asked, "conf/"), "conf/").data)
    (told,) = [text for text in warned if "several spellings" in text]
    assert len(told) < 500
    assert re.search(r"job title \(\d+ more of 7, such as '", told)
    words = shlex.split(told.rsplit("printed by: ", 1)[1])
    assert words[:4] == ["python", "-m", "pipeline", "table"]
    table.main(*words[4:6], words[6:])
    words = shlex.split(capsys.readouterr().out.split("To join spellings:\n")[1].splitlines()[0])
    assert words[0] == "-S"
    composed = composition.compose(["data=table", f"data.path={path}", "data.target=y", *given, *words[1::2]])
    replaced = dataset.load(config.validate(config.parse(composed, "conf/"), "conf/").data).table["job title"]
    agrees = pd.crosstab(replaced, true).max(axis=1).sum() / len(true)
    assert agrees == 1
    assert replaced.nunique() <= 12


@pytest.mark.parametrize(
    "cells",
    [
        {"type 1": 90, "type 2": 3},
        {"iran": 90, "iraq": 4},
        {"male": 90, "female": 5},
        {"1.5": 90, "15": 50, "-15": 3},
        {"C": 90, "C++": 30, "C#": 30},
        {"stage IIa": 20, "stage IIb": 20, "x": 3},
        {"<5": 9, ">5": 9, "5": 9},
    ],
)
def test_different_categories_are_not_taken_for_spellings(cells):
    column = pd.Series(np.repeat([*cells], [*cells.values()]), dtype="str")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spellings.warn(spellings.found(pd.DataFrame({"c": column}), "y"), "a command")

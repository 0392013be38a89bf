"""Spellings of one category are proposed in one command, and following it joins them."""

import shlex
import warnings

import numpy as np
import pandas as pd
import pytest

from pipeline import config
from pipeline.columns import spellings
from pipeline.config import composition

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


def test_hundreds_of_spellings_become_the_titles_when_the_printed_command_is_followed(own_conf):
    rng = np.random.default_rng(0)
    true = rng.choice(TITLES, 3_000)
    column = pd.Series([varied(title, rng) for title in true], dtype="str")
    assert column.nunique() > 150
    with pytest.warns(UserWarning, match="several spellings") as caught:
        spellings.warn(pd.DataFrame({"job title": column, "y": "no"}), {"y"})
    words = shlex.split(str(caught[0].message).rsplit("To join them: ", 1)[1].removesuffix("."))
    assert words[0] == "-S"
    composed = composition.compose(["data=table", "data.path=x.csv", "data.target=y", *words[1::2]])
    replaced = column.replace(config.parse(composed, "the command")["data"]["replace"]["job title"])
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
        spellings.warn(pd.DataFrame({"c": column}), set())

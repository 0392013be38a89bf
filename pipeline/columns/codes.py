"""Columns of whole numbers that are codes, such as postcodes: their digits name something, and measure nothing.

A column is one by its name, or by its digits: few numbers that are far apart, all of one width, and neither round nor
years. Each code needs rows to learn from. The target is not looked at.
"""

import re
import warnings
from collections.abc import Collection

import numpy as np
import pandas as pd
from pandas.api import types

from pipeline.columns.roles import COVERED, FREQUENT, MANY, WORDS, is_repeated_identifier
from pipeline.overrides import override

ALONE = re.compile(  # last word of a name
    "cpt|department|dept|diagnosis|drg|fips|icd|isic|mcc|naics|plz|postal|postalcode|postcode|sic|sku|store|shop|zip|"
    "zipcode"
)
BEFORE = re.compile(  # one of these, before `no`, `number` and the like
    "airport|area|branch|carrier|census|channel|city|cluster|country|county|district|industry|job|location|market|"
    "merchant|occupation|product|province|region|route|sector|segment|site|state|station|supplier|vendor|warehouse|zone"
)
ROUND = 0.4  # share of multiples of five from which numbers are round
WIDTH, APART = 4, 20  # digits, and numbers between two codes, on average, where only the digits tell
FEWEST = 5  # rows per code, on average


def found(frame: pd.DataFrame, known: Collection[str]) -> list[str]:
    """The columns of numbers that are codes, but those `known` to be something. Warns of each, with the other way."""
    names = []
    for name in map(str, frame.columns):
        if name in known or not types.is_numeric_dtype(frame[name]):
            continue
        cells = frame[name].dropna()
        if not len(cells) or not (np.rint(head := cells.head(1000)) == head).all() or cells.min() < 0:
            continue
        counts = cells.value_counts()
        reason = "its name" if _is_named(name) else "its digits" if _look_like_codes(counts.index.to_numpy()) else None
        if reason is None or len(counts) < 3 or is_repeated_identifier(cells, len(counts)):
            continue
        if _can_be_learnt(counts):
            names.append(name)
            warnings.warn(
                f"column {name!r} holds whole numbers that are read as codes ({len(counts):,} categories), because of "
                f"{reason}. If they are quantities: {override('data.roles', {name: 'numeric'})}.",
                stacklevel=3,
            )
        elif reason == "its name" and len(counts) < len(cells):
            warnings.warn(
                f"column {name!r} has the name of a code, but few rows of each ({len(counts):,} in {len(cells):,} "
                f"cells), so it is read as numbers. To read it as categories: "
                f"{override('data.roles', {name: 'categorical'})}.",
                stacklevel=3,
            )
    return names


def _is_named(name: str) -> bool:
    words = [word.lower() for word in WORDS.findall(name)]
    before, last = ["", "", *words][-2:]
    ends = last in ("id", "code", "cd") or (last in ("no", "nr", "num", "number") and BEFORE.fullmatch(before))
    return ALONE.fullmatch(last) is not None or bool(before and ends)


def _can_be_learnt(counts: pd.Series) -> bool:
    n_cells = counts.sum()
    frequent = counts[counts >= FREQUENT].sum()
    return n_cells >= FEWEST * len(counts) and (len(counts) <= MANY or frequent >= COVERED * n_cells)


def _look_like_codes(distinct: np.ndarray) -> bool:
    """Few numbers of one width that are far apart, neither round nor years."""
    widths = {len(f"{number:.0f}") for number in distinct.tolist()}
    are_years = distinct.min() >= 1800 and distinct.max() < 2200
    are_whole = bool((np.rint(distinct) == distinct).all()) and len(widths) == 1 and min(widths) >= WIDTH
    is_apart = FEWEST < len(distinct) <= MANY and np.ptp(distinct) > APART * len(distinct)
    return are_whole and is_apart and not are_years and np.mean(distinct % 5 == 0) < ROUND

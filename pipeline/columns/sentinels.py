"""Sentinels: numbers and dates that stand for "not known", such as -999 or 9999-12-31, and would be learnt as values.

A value is reported if it is one that programs write for a missing cell, and if no other value of the column is near:

    at the edge, and farther from its neighbour than the other values are from each other (their 1st to 99th percentile)
    or the only negative value of a column, -1 at least 2% of its cells
"""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

from pipeline.columns.roles import features
from pipeline.overrides import override

NINES = [10**n - 1 for n in range(1, 11)]  # 9, 99, 999, ...
CODES = [*NINES[1:], *(nines - k for nines in NINES[1:4] for k in (1, 2)), *(8 * n // 9 for n in NINES[1:4])]  # 98, 88
LIMITS = [2.0**15, 2.0**15 - 1, 2.0**16 - 1, 2.0**31, 2.0**31 - 1, 2.0**32 - 1, 2.0**63, 1e20, 1e30, 1e31, 1e36]
NUMBERS = np.array([*CODES, *LIMITS, *(-float(n) for n in [1, 7, 8, 9, *CODES, *LIMITS])])
DATES = np.array(
    [
        *("0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01"),
        *("2099-12-31", "2999-12-31", "9999-01-01", "9999-12-31"),
    ],
    dtype="datetime64[us]",
).astype(float)
FILLS = 9e36  # of climate and satellite data: 9.96921e36 in netCDF, +-3.4e38
LEAST_DISTINCT = 10  # other values of the column; with fewer, a number is a code like the others
LEAST_SHARE = 0.02  # of -1 in a column without other negative numbers


class Sentinel(NamedTuple):
    """A value that may stand for "not known"."""

    column: str
    value: str
    cells: int
    nearest: str  # other value


def suspects(frame: pd.DataFrame, roles: pd.DataFrame) -> list[Sentinel]:
    """The sentinels among the features that are numbers or dates; `roles` is what `roles.decide` returns."""
    sentinels = []
    for name in features(roles):
        cells = frame[name].dropna()
        if types.is_datetime64_dtype(cells):
            sentinels += _of(name, cells.to_numpy("datetime64[us]").astype(float), DATES, cells)
        elif types.is_numeric_dtype(cells):
            sentinels += _of(name, cells.to_numpy(float), NUMBERS, cells)
    return sentinels


def warn(frame: pd.DataFrame, roles: pd.DataFrame) -> None:
    """A warning for each value: its columns, its numbers of cells, and the override that reads it as missing."""
    by_value: dict[str, list[Sentinel]] = {}
    for sentinel in suspects(frame, roles):
        by_value.setdefault(sentinel.value, []).append(sentinel)
    for value, where in by_value.items():
        columns = ", ".join(
            f"{each.column!r} ({each.cells:,} cells; the nearest other is {each.nearest})" for each in where
        )
        setting = override("data.more_missing", [value])
        one = override("data.replace", {where[0].column: {value: "NA"}})
        warnings.warn(
            f"{value} is far from all other values of {columns}. If it means missing, in every column: {setting}. "
            f"In one column only: {one}.",
            stacklevel=2,
        )


def _of(name: str, values: np.ndarray, codes: np.ndarray, cells: pd.Series) -> list[Sentinel]:
    if not len(values) or not (np.isin([values.min(), values.max()], codes) | (np.abs(values).max() > FILLS)).any():
        return []
    distinct, first, counts = np.unique(values, return_index=True, return_counts=True)
    is_code = np.isin(distinct, codes) | (np.abs(distinct) > FILLS)
    others = distinct[~is_code]
    if not is_code.any() or len(others) < LEAST_DISTINCT:
        return []
    low, high = np.quantile(np.repeat(others, counts[~is_code]), [0.01, 0.99])
    spread = (high - low) or (others[-1] - others[0])
    sentinels = []
    for place in np.flatnonzero(is_code):
        value, count = distinct[place], int(counts[place])
        nearest = others[np.argmin(np.abs(others - value))]
        is_edge = value < others[0] or value > others[-1]
        is_far = is_edge and abs(value - nearest) > spread
        only_negative = value < 0 <= others[0] and not types.is_datetime64_dtype(cells)
        if is_far or (only_negative and (value < -1 or count >= LEAST_SHARE * len(values))):
            at = cells.iloc[first[place]]
            near = cells.iloc[np.flatnonzero(values == nearest)[0]]
            sentinels.append(Sentinel(name, _text(at), count, _text(near)))
    return sentinels


def _text(value: object) -> str:
    return value.date().isoformat() if isinstance(value, pd.Timestamp) else f"{value:.15g}"

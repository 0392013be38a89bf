"""What the user requires of the columns, written in `conf/` and checked before anything is learnt.

data:
  expectations:
    age: {type: number, minimum: 17, maximum: 90, missing: false}
    sex: {allowed: [Female, Male]}
    record: {unique: true}
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from pipeline.columns.profile import type_of
from pipeline.errors import UserError
from pipeline.reading import unknown_column

SHOWN = 5  # rows of a violation


def check(frame: pd.DataFrame, expectations: Mapping[str, Mapping[str, Any]], source: str) -> None:
    """Raise `UserError` with every violation: the column, the rule, the number of rows, the first few.

    Rules of a column: `type` (number, string, date), `minimum`, `maximum`, `allowed` (a list), `unique`, and `missing`
    (false: no cell may be missing). Dates are written as `2024-12-31`.
    """
    lines = []
    for name, rules in expectations.items():
        if name not in frame:
            raise unknown_column(name, frame.columns, "data.expectations")
        for rule, value in {"missing": True, **rules}.items():
            column, requirement = frame[name], f"column {name!r}, {rule}: {value}"
            if (breaks := _breaks(column, rule, value)).any():
                lines.append(f"{requirement}: {_rows(column[breaks], np.flatnonzero(breaks) + 1)}")
            elif rule == "type" and type_of(column) != value:
                lines.append(f"{requirement}: the column is read as another type, which data.roles can change")
    if lines:
        raise UserError(
            "\n  ".join([f"{source} breaks data.expectations:", *lines])
            + "\nCorrect these rows, or change data.expectations in conf/."
        )


def _breaks(column: pd.Series, rule: str, value: Any) -> pd.Series:
    """Which cells break the rule, (n_rows,). A missing cell breaks none but `missing`."""
    is_known, kind = column.notna(), type_of(column)
    if rule == "missing":
        return ~is_known & (not value)
    if rule == "unique":
        return is_known & value & column.duplicated(keep=False)
    if rule == "type":
        return is_known & ~_fits(column, value)
    try:
        if kind == "string" and rule != "allowed":
            raise TypeError("strings have no minimum and no maximum")
        values = [_like(column, each) for each in (value if rule == "allowed" else [value])]
    except (TypeError, ValueError):
        raise UserError(
            f"data.expectations.{column.name}.{rule} = {value!r}, but {column.name!r} holds {kind}s. "
            + ("Use `allowed`, or `type: number`." if kind == "string" else f"Give a {kind}.")
        ) from None
    if rule == "allowed":
        return is_known & ~column.isin(values)
    return column < values[0] if rule == "minimum" else column > values[0]


def _fits(column: pd.Series, kind: str) -> pd.Series:
    """Which cells could be of the type `kind`, (n_rows,)."""
    if kind == "number" and types.is_string_dtype(column):
        return pd.to_numeric(column, errors="coerce").notna()
    if kind == "date" and types.is_string_dtype(column):
        return pd.to_datetime(column, errors="coerce", format="mixed").notna()
    return pd.Series(type_of(column) == kind, column.index)


def _like(column: pd.Series, value: float | str) -> pd.Timestamp | str | float:
    """`value` in the type of the column; the classes of a target may be the strings "0" and "1"."""
    if types.is_datetime64_dtype(column):
        return pd.Timestamp(value)
    if types.is_string_dtype(column):
        return value if isinstance(value, str) else f"{value:.15g}"
    return float(value)


def _rows(cells: pd.Series, rows: np.ndarray) -> str:
    few = "; ".join(f"row {row:,}: {value}" for row, value in zip(rows[:SHOWN], cells, strict=False))
    more = "; ..." if len(rows) > SHOWN else ""
    return f"{len(rows):,} row{'s break' if len(rows) > 1 else ' breaks'} this rule ({few}{more})"

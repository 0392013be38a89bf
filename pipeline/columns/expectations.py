"""What the user requires of the columns, written in `conf/` and checked with pandera before anything is learnt.

data:
  expectations:
    age: {type: number, minimum: 17, maximum: 90, missing: false}
    sex: {allowed: [Female, Male]}
    record: {unique: true}
"""

from collections.abc import Mapping
from typing import Any

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
    if not expectations:
        return
    import pandera.pandas as pandera  # takes 0.7 s, so only where there are expectations

    columns = {}
    for name, rules in expectations.items():
        if name not in frame:
            raise unknown_column(name, frame.columns, "data.expectations")
        columns[name] = pandera.Column(
            checks=[
                _check(pandera, rule, value, frame[name])
                for rule, value in rules.items()
                if rule != "missing" and (rule, value) != ("unique", False)
            ],
            nullable=rules.get("missing", True),
        )
    try:
        pandera.DataFrameSchema(columns).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        violations = errors.failure_cases.groupby(["column", "check"], sort=False)
        lines = [_violation(name, rule, cases) for (name, rule), cases in violations]
        raise UserError(
            "\n  ".join([f"{source} breaks data.expectations:", *lines])
            + "\nCorrect these rows, or change data.expectations in conf/."
        ) from None


def _check(pandera: Any, rule: str, value: Any, column: pd.Series) -> Any:
    shown, kind = f"{rule}: {value}", type_of(column)
    if rule == "type":
        return pandera.Check(lambda series: kind == value or _fits(series, value), error=shown)
    if rule == "unique":
        return pandera.Check(lambda series: ~series.duplicated(keep=False), error=shown)
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
        return pandera.Check.isin(values, error=shown)
    return (pandera.Check.ge if rule == "minimum" else pandera.Check.le)(values[0], error=shown)


def _fits(column: pd.Series, kind: str) -> pd.Series | bool:
    """Which cells of a column of another type could be of the type `kind`; False if all could."""
    if kind == "number" and types.is_string_dtype(column):
        fits = pd.to_numeric(column, errors="coerce").notna()
    elif kind == "date" and types.is_string_dtype(column):
        fits = pd.to_datetime(column, errors="coerce", format="mixed").notna()
    else:
        fits = pd.Series(False, column.index)
    return False if fits.all() else fits


def _like(column: pd.Series, value: float | str) -> pd.Timestamp | str | float:
    """`value` in the type of the column; the classes of a target may be the strings "0" and "1"."""
    if types.is_datetime64_dtype(column):
        return pd.Timestamp(value)
    if types.is_string_dtype(column):
        return value if isinstance(value, str) else f"{value:.15g}"
    return float(value)


def _violation(name: str, rule: str, cases: pd.DataFrame) -> str:
    rule = {"not_nullable": "missing: False"}.get(rule, rule)
    rows = cases["index"].dropna().astype(int) + 1
    if rows.empty:  # a rule about the column, not about cells
        return f"column {name!r}, {rule}: the column is read as another type, which data.roles can change"
    few = "; ".join(f"row {row:,}: {value}" for row, value in zip(rows[:SHOWN], cases["failure_case"], strict=False))
    more = "; ..." if len(rows) > SHOWN else ""
    return (
        f"column {name!r}, {rule}: {len(rows):,} row{'s break' if len(rows) > 1 else ' breaks'} this rule ({few}{more})"
    )

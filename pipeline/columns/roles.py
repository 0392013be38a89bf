"""What each column is for: a feature of some kind, the target, or nothing, and why.

The decision is a table (column, role, reason) that a person can read and overrule, `data.roles.zip_code=categorical`.
"""

import re
from collections.abc import Mapping

import pandas as pd
from pandas.api import types

from pipeline.errors import UserError
from pipeline.reading import unknown_column

FEATURES = ("numeric", "categorical", "boolean", "date")
PAIRS = ({"yes", "no"}, {"true", "false"}, {"y", "n"}, {"t", "f"}, {"on", "off"})
IDENTIFIER = re.compile(r"(?i)(^|[_\W])(id|uuid|guid|key|index|row|no|nr|number)$|(?-i:[a-z]I[dD]$)")
UNIQUE = 0.5  # words that so often occur only once are text or names, not levels
EPOCH, MIDNIGHT = pd.Timestamp("1970-01-01"), pd.Timestamp("1970-01-02")  # the day of times without one
SENTENCE = 4  # words in a cell


def decide(frame: pd.DataFrame, target: str, overrule: Mapping[str, str] | None = None) -> pd.DataFrame:
    """One row a column: `column`, `role`, `reason`.

    Roles: target; numeric, categorical, boolean, date (the features); identifier, text, constant, empty and drop
    (left out). A column that `overrule` names has that role; `reading.read` saw that its values allow it.
    Errors: `UserError` for a column that doesn't exist, and when no feature is left.
    """
    overrule = overrule or {}
    for name, role in overrule.items():
        if name not in frame:
            raise unknown_column(name, frame.columns, "data.roles")
        if name == target:
            raise UserError(f"data.roles.{name} = {role!r}, but {name!r} is data.target. Remove one of the two.")
    decisions = []
    for name in frame:
        if name == target:
            decision = "target", "data.target"
        elif name in overrule:
            decision = overrule[name], f"data.roles.{name}"
        else:
            decision = _decided(frame[name])
        decisions.append((name, *decision))
    roles = pd.DataFrame(decisions, columns=["column", "role", "reason"])
    if len(roles) == 1:
        raise UserError(
            f"There is no column but the target {target!r}. Keep a feature: see data.columns and data.drop."
        )
    if not features(roles):
        dropped = "; ".join(
            f"{row.column}: {row.role}, {row.reason}" for row in roles.itertuples() if row.role != "target"
        )
        raise UserError(f"No column is left to predict {target!r} from ({dropped}). Overrule one with data.roles.")
    return roles


def features(roles: pd.DataFrame) -> list[str]:
    """The columns that the model takes."""
    return roles.loc[roles["role"].isin(FEATURES), "column"].tolist()


def _decided(column: pd.Series) -> tuple[str, str]:
    known = column.dropna()
    levels = known.nunique()
    if levels == 0:
        return "empty", "every cell is missing"
    if levels == 1 and len(known) == len(column):
        return "constant", f"every cell is {_shown(known.iloc[0])}"
    if types.is_datetime64_dtype(column):
        form = "%H:%M" if known.max() < MIDNIGHT and known.min() >= EPOCH else "%Y-%m-%d"
        return "date", f"{'times' if form == '%H:%M' else 'dates'} from {known.min():{form}} to {known.max():{form}}"
    if types.is_numeric_dtype(column):
        return _decided_number(known, levels, len(column))
    return _decided_word(known, levels, len(column))


def _decided_number(known: pd.Series, levels: int, rows: int) -> tuple[str, str]:
    whole = bool((known % 1 == 0).all())
    if whole and levels == rows:
        if known.max() - known.min() == rows - 1:
            return "identifier", "counts the rows"
        if IDENTIFIER.search(str(known.name)):
            return "identifier", "every row another whole number, and its name says so"
    if levels == 2:
        return "numeric", f"numbers, {_shown(known.min())} or {_shown(known.max())}"
    return "numeric", f"{'whole numbers' if whole else 'numbers'} from {_shown(known.min())} to {_shown(known.max())}"


def _decided_word(known: pd.Series, levels: int, rows: int) -> tuple[str, str]:
    if levels <= 2 and any({word.lower() for word in known.unique()} <= pair for pair in PAIRS):
        return "boolean", " or ".join(map(repr, sorted(known.unique())))
    if levels > UNIQUE * len(known) and levels > 2:
        sentences = known.iloc[:1000].str.split().str.len().mean() >= SENTENCE
        share = f"{levels:,} distinct values in {len(known):,} cells"
        return ("text", f"{share}, several words each") if sentences else ("identifier", share)
    return "categorical", f"words, {levels:,} distinct"


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)

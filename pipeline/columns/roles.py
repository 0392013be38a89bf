"""What each column is for: a feature of some kind, the target, or nothing, and why.

The decision is a table (column, role, reason) that the user reads and can change: `data.roles.zip_code=categorical`.
"""

import re
from collections.abc import Mapping

import pandas as pd
from pandas.api import types

from pipeline.errors import UserError
from pipeline.reading import override, unknown_column

FEATURES = ("numeric", "categorical", "boolean", "date")
PAIRS = ({"yes", "no"}, {"true", "false"}, {"y", "n"}, {"t", "f"}, {"on", "off"})
IDENTIFIER = re.compile(r"(?i)(^|[_\W])(id|uuid|guid|key|index|row|no|nr|number)$|(?-i:[a-z]I[dD]$)")
UNIQUE = 0.5  # share of distinct strings from which they are text or names, not categories
EPOCH, MIDNIGHT = pd.Timestamp("1970-01-01"), pd.Timestamp("1970-01-02")  # the day of times without a date
SENTENCE = 4  # words in a cell


def decide(frame: pd.DataFrame, target: str, given: Mapping[str, str] | None = None) -> pd.DataFrame:
    """One row per column of `frame`: `column`, `role`, `reason`.

    Roles: target; numeric, categorical, boolean, date (the features); identifier, text, constant, empty and drop
    (left out). A column in `given` has the role that it gives; `reading.read` has checked that its cells allow it.
    Errors: `UserError` for a column that doesn't exist, and when no feature is left.
    """
    given = given or {}
    for name, role in given.items():
        if name not in frame:
            raise unknown_column(name, frame.columns, "data.roles")
        if name == target:
            raise UserError(f"data.roles.{name} = {role!r}, but {name!r} is data.target. Remove one of the two.")
    decisions = []
    for name in map(str, frame.columns):
        if name == target:
            role, reason = "target", "data.target"
        elif name in given:
            role, reason = given[name], f"data.roles.{name}"
        else:
            role, reason = _decided(frame[name])
        decisions.append((name, role, reason))
    roles = pd.DataFrame(decisions, columns=["column", "role", "reason"])
    if len(roles) == 1:
        raise UserError(
            f"The target {target!r} is the only column. Keep at least one feature: change data.columns or data.drop."
        )
    if not features(roles):
        left_out = [row for row in decisions if row[0] != target]
        shown = "; ".join(f"{name}: {role}, {reason}" for name, role, reason in left_out)
        raise UserError(
            f"No column is left to predict {target!r} from ({shown}). To use one as a feature, give it a role, such as "
            f"{override('data.roles', left_out[0][0], 'categorical')}."
        )
    return roles


def features(roles: pd.DataFrame) -> list[str]:
    """The columns that the model takes."""
    return roles.loc[roles["role"].isin(FEATURES), "column"].tolist()


def _decided(column: pd.Series) -> tuple[str, str]:
    known = column.dropna()
    distinct = known.nunique()
    if distinct == 0:
        return "empty", "every cell is missing"
    if distinct == 1 and len(known) == len(column):
        return "constant", f"every cell is {_shown(known.iloc[0])}"
    if types.is_datetime64_dtype(column):
        are_times = known.max() < MIDNIGHT and known.min() >= EPOCH
        kind, form = ("times", "%H:%M") if are_times else ("dates", "%Y-%m-%d")
        return "date", f"{kind} from {known.min():{form}} to {known.max():{form}}"
    if types.is_numeric_dtype(column):
        return _decided_numbers(known, distinct, len(column))
    return _decided_strings(known, distinct)


def _decided_numbers(known: pd.Series, distinct: int, rows: int) -> tuple[str, str]:
    whole = bool((known % 1 == 0).all())
    if whole and distinct == rows:
        if known.max() - known.min() == rows - 1:
            return "identifier", "consecutive whole numbers, one per row"
        if IDENTIFIER.search(str(known.name)):
            return "identifier", "a different whole number in every row, and the name of an identifier"
    if distinct == 2:
        return "numeric", f"numbers, {_shown(known.min())} or {_shown(known.max())}"
    return "numeric", f"{'whole numbers' if whole else 'numbers'} from {_shown(known.min())} to {_shown(known.max())}"


def _decided_strings(known: pd.Series, distinct: int) -> tuple[str, str]:
    if distinct <= 2 and any({string.lower() for string in known.unique()} <= pair for pair in PAIRS):
        return "boolean", " or ".join(map(repr, sorted(known.unique())))
    if distinct > UNIQUE * len(known) and distinct > 2:
        share = f"{distinct:,} distinct strings in {len(known):,} cells"
        n_words = [len(string.split()) for string in known.iloc[:1000]]
        return (
            ("text", f"{share}, of several words") if sum(n_words) >= SENTENCE * len(n_words) else ("identifier", share)
        )
    return "categorical", f"strings, {distinct:,} distinct"


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)

"""What each column is for: a feature of some kind, the target, or nothing, and why.

The decision is a table (column, role, reason) that the user reads and can change: `data.roles.zip_code=categorical`.
What is left out, and an identifier that repeats, are warnings.
"""

import re
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api import types

from pipeline.columns import splitting
from pipeline.columns.terms.lists import BRACKETS, delimiter
from pipeline.columns.terms.tokens import split_words
from pipeline.errors import UserError
from pipeline.overrides import override
from pipeline.reading import addresses, unknown_column
from pipeline.reading.served import PAIRS

TOKENS = ("text", "list")  # cells of any number of words or values
FEATURES = ("numeric", "categorical", "boolean", "date", *TOKENS)
SPECIAL = ("target", "weight", "offset")
# Names that pandas gives a saved index.
INDEX = re.compile(r"Unnamed: \d+(\.\d+)*(_level_\d+|_[xy])?|__index_level_\d+__|level_0")
# Of a column that counts the rows; `x`, `...1`, `V1` and `_c0` are the names of R, readr, data.table and Spark for one
# without, `column_1` that of the first without a header.
ROW_NUMBERS = re.compile(
    "(row|case|obs|observation|record|line)?(names?|id|index|idx|number|num|no|nr)|obs|row|n|x1?|1|v1|c0|column1"
)
SPREAD = 2  # at most so many times as many numbers as rows: the others were left out
UNNAMED = re.compile(r"column_\d+")  # a blank in the header, or no header
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")  # EmployeeNumber: Employee, Number
KEYS = ("id", "uuid", "guid", "pk", "rowid")  # first or last word of the name of an identifier
CONTACTS = ("ssn", "phone", "telephone", "email", "iban", "account", "acct", "passport")
COUNTERS = ("no", "nr", "nbr", "num", "number", "key", "index", "idx", "row", "serial")  # last word, of unique numbers
COUNTED = (  # before a counter, also if the identifier repeats
    "account|booking|card|case|claim|client|contract|customer|document|employee|invoice|license|member|order|patient|"
    "person|phone|policy|record|serial|staff|student|subject|ticket|transaction|user|visit"
)
FEW = 20  # so few distinct identifiers (shops, sites), or so many rows of each, are categories
UNIQUE = 0.5  # share of distinct strings from which they are text or names, not categories ...
MANY = 100  # ... or so many distinct strings, ...
FREQUENT, COVERED = 10, 0.3  # ... unless those of 10 rows or more cover three tenths of the cells
HEAD = 1_000  # cells
EPOCH, MIDNIGHT = pd.Timestamp("1970-01-01"), pd.Timestamp("1970-01-02")  # the day of times without a date
# Least words in a cell of a text, on average, and share of them that other cells have, too; in a short text
SENTENCE, KNOWN = 4, 0.1
PHRASE, WELL_KNOWN = 2, 0.5
PERSON = re.compile(
    r"(?i)((full|first|last|given|family|customer|client|employee|patient|person|student|user)[ _]?)?name"
)


def decide(
    frame: pd.DataFrame,
    target: str,
    user_roles: Mapping[str, str] | None = None,
    *,
    weight: str | None = None,
    offset: str | None = None,
) -> pd.DataFrame:
    """One row per column of `frame`: `column`, `role`, `reason`.

    Roles: target; numeric, categorical, boolean, date (the features); weight, offset; identifier, text, constant, empty
    and drop (left out). A column in `user_roles` has the role that it gives; `reading.read` has checked that its cells
    allow it.
    Errors: `UserError` for a column that doesn't exist, and when no feature is left.
    """
    user_roles = user_roles or {}
    for name, role in user_roles.items():
        if name not in frame:
            raise unknown_column(name, frame.columns, "data.roles")
        if name == target:
            raise UserError(f"data.roles.{name} = {role!r}, but {name!r} is data.target. Remove one of the two.")
    special = {target: "target"}
    for role, column in (("weight", weight), ("offset", offset)):
        if column is None:
            continue
        if column not in frame:
            raise unknown_column(column, frame.columns, f"data.{role}")
        if column in special or column in user_roles:
            other = f"data.{special[column]}" if column in special else f"data.roles.{column}"
            raise UserError(f"data.{role} = {column!r}, but it is {other}, too. Remove one of the two.")
        _check_numbers(frame[column], role)
        special[column] = role
    decisions = []
    has_header = not all(UNNAMED.fullmatch(str(name)) for name in frame.columns)
    for place, name in enumerate(map(str, frame.columns)):
        if name in special:
            role, reason = special[name], f"data.{special[name]}"
        elif name in user_roles:
            role, reason = user_roles[name], f"data.roles.{name}"
        else:
            is_blank = has_header and place == 0 and UNNAMED.fullmatch(name) is not None
            role, reason = _decided(frame[name], is_blank)
        decisions.append((name, role, reason))
    roles = pd.DataFrame(decisions, columns=["column", "role", "reason"])
    if len(roles) == 1:
        raise UserError(
            f"The target {target!r} is the only column. Keep at least one feature: change data.columns or data.drop."
        )
    if not features(roles):
        raise _no_feature(frame, target, decisions)
    _warn_of_left_out(roles, frame)
    for name, role in roles[["column", "role"]].itertuples(index=False):
        if role not in SPECIAL and name not in user_roles:
            is_alone = features(roles) == [name]  # that of the groups is no feature
            _warn_of_repeated(frame[name], role, None if is_alone else frame[target])
    return roles


def _no_feature(frame: pd.DataFrame, target: str, decisions: Sequence[tuple[str, str, str]]) -> UserError:
    """The error where every column is left out, with what can be done."""
    left_out = [row for row in decisions if row[1] not in SPECIAL]
    if not left_out:
        return UserError(f"No column is left to predict {target!r} from. Keep at least one feature.")
    reasons = "; ".join(f"{name}: {role}, {reason}" for name, role, reason in left_out)
    usable = [(name, as_feature) for name, *_ in left_out if (as_feature := _usable_as(frame[name]))]
    advice = f"To use one as a feature, give it a role, such as {override('data.roles', dict(usable[:1]))}."
    return UserError(
        f"No column is left to predict {target!r} from ({reasons}). "
        f"{advice if usable else 'Add columns to the file that repeat values or hold numbers.'}"
    )


def features(roles: pd.DataFrame) -> list[str]:
    """The columns that the model takes."""
    return roles.loc[roles["role"].isin(FEATURES), "column"].tolist()


def tokens(roles: pd.DataFrame) -> dict[str, str]:
    """The columns of texts and lists, and their roles."""
    chosen = roles[roles["role"].isin(TOKENS)]
    return dict(zip(chosen["column"], chosen["role"], strict=True))


def are_times(dates: pd.Series) -> bool:
    """Whether these are times of day, which are read as those of one day."""
    return bool(dates.min() >= EPOCH and dates.max() < MIDNIGHT)


def named(roles: pd.DataFrame, role: str) -> str | None:
    """The column with a role of `SPECIAL`; None where there is none."""
    names = roles.loc[roles["role"] == role, "column"].tolist()
    return names[0] if names else None


def _check_numbers(column: pd.Series, role: str) -> None:
    """Row weights and offsets are known numbers, weights from 0 up and not all 0."""
    name = str(column.name)
    if not types.is_numeric_dtype(column):
        raise UserError(f"data.{role} = {name!r} is no column of numbers: {_text(column.dropna().iloc[0])}.")
    if n_missing := int(column.isna().sum()):
        raise UserError(
            f"data.{role} = {name!r} is missing in {n_missing:,} of {len(column):,} rows. Fill these cells in, or "
            f"remove the rows."
        )
    if role == "weight" and (column.min() < 0 or column.sum() == 0):
        raise UserError(
            f"data.weight = {name!r} has numbers from {_text(column.min())} to {_text(column.max())}; weights are "
            f"from 0 up, and not all 0."
        )


def _warn_of_left_out(roles: pd.DataFrame, frame: pd.DataFrame) -> None:
    left_out = roles[~roles["role"].isin([*FEATURES, *SPECIAL, "drop"])]
    if left_out.empty:
        return
    groups = left_out.groupby(["role", "reason"], sort=False)["column"]
    reasons = "; ".join(f"{', '.join(names)} ({role}: {reason})" for (role, reason), names in groups)
    usable = {name: as_feature for name in left_out["column"] if (as_feature := _usable_as(frame[name]))}
    advice = f" To use one as a feature, give it a role: {override('data.roles', dict([*usable.items()][:1]))}."
    count = "1 column is" if len(left_out) == 1 else f"{len(left_out):,} columns are"
    warnings.warn(
        f"{count} left out: {reasons}.{advice * bool(usable)}",
        stacklevel=3,
    )


def _usable_as(column: pd.Series) -> str | None:
    """The role that makes a feature of a column that was left out; None where no role can help."""
    if column.nunique() < 2:
        return None
    if types.is_numeric_dtype(column):
        return "numeric"
    return "categorical" if column.value_counts().iloc[0] >= FREQUENT else None


def _warn_of_repeated(column: pd.Series, role: str, classes: pd.Series | None) -> None:
    """An identifier of which several rows have the same: a patient, a shop. Two values are a flag (`sent_email`).

    `classes` (n_samples,) is None where the rows can't be split by it.
    """
    if role in ("boolean", "date") or not _names_identifier(str(column.name), repeats=True):
        return
    cells = column.dropna()
    counts = cells.value_counts()
    if len(counts) <= 2 or len(counts) == len(cells) or (types.is_numeric_dtype(column) and not _are_whole(cells)):
        return
    steps = []
    if classes is not None and splitting.can_be_grouped(cells, classes[cells.index]):
        first = f"fill in its {column.isna().sum():,} missing cells, and then " * bool(column.isna().any())
        steps.append(
            f"If rows of one identifier belong together, {first}don't let it be in training and in test rows: "
            f"-S split=group {override('split.column', str(column.name))}."
        )
    if role == "numeric":
        steps.append(f"If its numbers are codes: {override('data.roles', {str(column.name): 'categorical'})}.")
    if steps:
        warnings.warn(
            f"column {column.name!r} has the name of an identifier, and rows share it: {len(counts):,} distinct in "
            f"{len(cells):,} rows ({_text(counts.index[0])} in {counts.iloc[0]:,}). {' '.join(steps)}",
            stacklevel=3,
        )


def _names_identifier(name: str, *, repeats: bool) -> bool:
    """Whether `name` is one of an identifier, or, unless it `repeats`, of a number that counts the rows."""
    words = [word.lower() for word in WORDS.findall(name)]
    if not words:
        return False
    before, last = words[-2] if len(words) > 1 else "", words[-1]
    if words[0] in KEYS or last in (*KEYS, *CONTACTS) or re.fullmatch(f"({COUNTED})id", last):
        return True
    return last in COUNTERS and (not repeats or re.fullmatch(COUNTED, before) is not None)


def _decided(column: pd.Series, is_blank: bool) -> tuple[str, str]:
    cells = column.dropna()
    is_number = types.is_numeric_dtype(column)
    distinct = cells.head(HEAD).nunique()
    if distinct <= 2 or not is_number or _are_whole(cells):  # of others it does not matter, and takes long
        distinct = cells.nunique()
    if distinct == 0:
        return "empty", "every cell is missing"
    if distinct == 1 and len(cells) == len(column):
        return "constant", f"every cell is {_text(cells.iloc[0])}"
    counts_rows = distinct == len(column) and (_are_whole(cells) if is_number else not is_blank)
    if INDEX.fullmatch(str(column.name)) or is_blank:
        is_level = str(column.name).startswith("__index")
        if counts_rows or is_level or (is_number and not is_blank and _are_whole(cells)):
            return "identifier", "the index of a data frame, which was saved with it"
    if types.is_datetime64_dtype(column):
        kind, form = ("times", "%H:%M") if are_times(cells) else ("dates", "%Y-%m-%d")
        return "date", f"{kind} from {cells.min():{form}} to {cells.max():{form}}"
    if is_number:
        return _decided_numbers(cells, distinct, len(column))
    return _decided_strings(cells, distinct)


def _count_rows(cells: pd.Series, distinct: int) -> bool:
    """Whether different whole numbers are those of rows, by name, and because they rise and leave few out."""
    name = re.sub(r"[\W_]", "", str(cells.name)).lower()
    if distinct < len(cells) or not (ROW_NUMBERS.fullmatch(name) or cells.name == "#"):
        return False
    is_rising = cells.is_monotonic_increasing and cells.max() - cells.min() < SPREAD * len(cells)
    return name.startswith("rown") or is_rising


def _decided_numbers(cells: pd.Series, distinct: int, rows: int) -> tuple[str, str]:
    whole = _are_whole(cells)
    if whole and distinct == rows and cells.max() - cells.min() == rows - 1:
        return "identifier", "consecutive whole numbers, one per row"
    if whole and _count_rows(cells, distinct):
        return "identifier", "rising whole numbers, with the name of a row number"
    if whole and distinct == len(cells) and 2 * distinct > rows and _names_identifier(str(cells.name), repeats=False):
        return "identifier", "a different whole number in each row, with the name of an identifier"
    if whole and is_repeated_identifier(cells, distinct):
        return "identifier", f"{distinct:,} distinct whole numbers, with the name of an identifier"
    if distinct == 2:
        return "numeric", f"numbers, {_text(cells.min())} or {_text(cells.max())}"
    return "numeric", f"{'whole numbers' if whole else 'numbers'} from {_text(cells.min())} to {_text(cells.max())}"


def _decided_strings(cells: pd.Series, distinct: int) -> tuple[str, str]:
    if distinct <= 2 and any({string.lower() for string in cells.unique()} <= {*pair} for pair in PAIRS):
        return "boolean", " or ".join(map(repr, sorted(cells.unique())))
    share = f"{distinct:,} distinct strings in {len(cells):,} cells"
    if is_repeated_identifier(cells, distinct):
        return "identifier", f"{share}, with the name of an identifier"
    otherwise = override("data.roles", {str(cells.name): "categorical"})
    if (mark := delimiter(cells)) is not None:
        between = "in brackets" if mark == BRACKETS else f"with {mark!r} between them"
        return "list", f"values {between}, a feature for each; as categories: {otherwise}"
    counts = cells.value_counts()
    covered = counts[counts >= FREQUENT].sum() / len(cells)
    has_many = distinct > MANY or (distinct > 2 and distinct > UNIQUE * len(cells))
    n_words, known = _words(cells) if has_many else (0.0, 0.0)
    is_short = n_words >= PHRASE and known >= WELL_KNOWN
    as_text = f"; as words: {override('data.roles', {str(cells.name): 'text'})}" if is_short else ""
    if not has_many or covered >= COVERED:
        return "categorical", f"strings, {distinct:,} distinct{as_text}"
    if part := addresses.part_in(pa.array(cells.unique()[:HEAD], pa.large_string())):
        return "identifier", f"{share}, {addresses.NAMES[part]}"
    is_long = n_words >= SENTENCE and known >= KNOWN
    if is_long or (is_short and not PERSON.fullmatch(str(cells.name))):
        return "text", f"{share}, a feature for each word; as categories: {otherwise}"
    return "identifier", f"{share}{as_text}"


def _words(cells: pd.Series) -> tuple[float, float]:
    """Words in a cell, on average, and the share of them that are letters alone and in several of the cells."""
    some = pa.array(cells.iloc[:HEAD], pa.large_string())
    rows, words = split_words(some.combine_chunks() if isinstance(some, pa.ChunkedArray) else some)
    found = pd.DataFrame({"row": rows, "word": words.to_pandas()})
    known = found.drop_duplicates()["word"].value_counts()
    known = known[(known > 1) & known.index.str.fullmatch(r"[^\W\d_]{3,}|[^\x00-\x7f]+")]
    return len(found) / len(some), float(found["word"].isin(known.index).mean()) if len(found) else 0.0


def is_repeated_identifier(cells: pd.Series, distinct: int) -> bool:
    return distinct > FEW and len(cells) < FEW * distinct and _names_identifier(str(cells.name), repeats=True)


def _are_whole(numbers: pd.Series) -> bool:
    return bool((np.rint(numbers) == numbers).all())  # forty times faster than `% 1`


def _text(value: object) -> str:
    return f"{value:{'.15g' if value % 1 == 0 else 'g'}}" if isinstance(value, float) else repr(value)

"""Lists in cells, `python;sql`, `a, b`, `a|b` or `['a', 'b']`: a feature for each value, 1 where the cell has it."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from pipeline.columns.terms import expression
from pipeline.columns.terms.expression import Constant, Expression
from pipeline.columns.terms.fields import Fields
from pipeline.columns.terms.term import Settings, Term
from pipeline.columns.terms.tokens import LEAST, Tokens, chunks, flat, most_frequent, rows_with

DELIMITERS = (";", "|", "\n", ",")
BRACKETS = "[]"  # instead of a delimiter, those around cells such as ['a', 'b']: Python's, or JSON
ENTRY = r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^,"'\s][^,]*))\s*,?"""  # of a cell in brackets
END = "\x1f"  # of an entry, where a cell is split
CELLS = 10_000  # that are looked at
SHARED = 0.1  # least share of cells that have the delimiter ...
REPEATED = 0.8  # ... share of values that REPEATS cells have or more ...
REPEATS = 3
FEWEST = 5  # ... and distinct cells
MOVED = 0.2  # share of values that are first in a cell and elsewhere in others: `Boston, MA` has parts, not values
LONGEST = 4  # words of a value, on average


class Lists(Tokens):
    """The values of a column of lists.

    delimiter  what stands between two values, `BRACKETS`, or "" where each cell is one value
    """

    kind = "list"
    role = "list"

    def __init__(self, column: str, values: list[str], delimiter: str) -> None:
        super().__init__(column, values, np.empty((0, 2), int), np.ones(len(values)))
        self.delimiter = delimiter

    @classmethod
    def _of(cls, name: str, cells: pd.Series, settings: Settings) -> "Lists":
        term, seen = cls(name, [], delimiter(cells) or _commonest(cells)), pd.Series(dtype=float)
        for part in chunks(cells):
            seen = seen.add(rows_with(*term.split(part)), fill_value=0)
        least = max(settings.min_rows, LEAST)
        return cls(name, sorted(most_frequent(seen[seen >= least], settings.words).index), term.delimiter)

    def split(self, cells: pa.Array) -> tuple[np.ndarray, pa.Array]:
        return flat(split(cells, self.delimiter))

    def state(self) -> dict[str, object]:
        return {"column": self.columns[0], "delimiter": self.delimiter, "tokens": self.tokens}

    @classmethod
    def restored(cls, state: Fields, earlier: Sequence[Term]) -> "Lists":
        return cls(state.text("column"), state.texts("tokens"), state.text("delimiter"))

    def expression(self, weights: np.ndarray) -> Expression:
        values = dict(zip(self.tokens, weights.tolist(), strict=True))
        name = self.columns[0]
        return expression.Missing(name, Constant(0.0), expression.Values(name, self.delimiter, values))

    def _weighted(self, parts: list[sparse.csr_matrix]) -> sparse.csr_matrix:
        parts[0].data[:] = 1
        return parts[0]


def split(cells: pa.Array, delimiter: str) -> pa.Array:
    """The values of each cell, without space around them; an empty list for a missing cell.

    Rows that are served may have lists, which are read as JSON, where training had another delimiter.
    """
    text = pc.utf8_trim_whitespace(pc.fill_null(cells, ""))
    mark = END if delimiter in (BRACKETS, "") else delimiter
    inside = pc.replace_substring_regex(pc.utf8_trim(text, "[](){}"), ENTRY, r"\1\2\3" + mark)
    is_in = True if delimiter == BRACKETS else pc.match_substring_regex(text, r"(?s)^\[.*\]$")
    lists = pc.split_pattern(pc.if_else(is_in, inside, text), mark)
    return type(lists).from_arrays(lists.offsets, pc.utf8_trim_whitespace(lists.values))


def delimiter(cells: pd.Series) -> str | None:
    """What stands between the values of cells that are lists; None where they are none."""
    known = pa.array(cells.dropna().head(CELLS), pa.large_string())
    known = known.combine_chunks() if isinstance(known, pa.ChunkedArray) else known
    if len(pc.unique(known)) < FEWEST:
        return None
    are_in = pc.match_substring_regex(known, r"^\s*(\[[^\[\]{}]*\]|\([^()]*\)|\{[^{}:]*\})\s*$")
    if np.mean(are_in.to_numpy(zero_copy_only=False)) > 1 - SHARED:
        return BRACKETS if _are_lists(known, BRACKETS) else None
    return next((mark for mark in DELIMITERS if _are_lists(known, mark)), None)


def _are_lists(cells: pa.Array, mark: str) -> bool:
    lists = [[value for value in values if value] for values in split(cells, mark).to_pylist()]
    several = [values for values in lists if len(values) > 1]
    values = [value for values in lists for value in values]
    if len(several) < SHARED * len(lists) or not values:
        return False
    counts = Counter(values)
    repeated = sum(count for count in counts.values() if count >= REPEATS)
    n_words = sum(len(value.split()) for value in values)
    if repeated < REPEATED * len(values) or n_words > LONGEST * len(values) or len(counts) > len(pc.unique(cells)):
        return False
    if mark == "," and max(map(len, several)) < 3 and all(_is_number(value) for value in counts):
        return False  # decimal commas
    first, later = {values[0] for values in several}, {value for values in several for value in values[1:]}
    moved = sum((values[0] in later) + sum(value in first for value in values[1:]) for values in several)
    return moved >= MOVED * sum(map(len, several))


def _commonest(cells: pd.Series) -> str:
    """The delimiter of a column that is a list because the user says so."""
    counts = {mark: int(cells.str.contains(mark, regex=False).sum()) for mark in DELIMITERS}
    if cells.str.match(r"\s*\[.*\]\s*$").mean() > 0.5:
        return BRACKETS
    most = max(counts, key=lambda mark: counts[mark])
    return most if counts[most] else ""


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).lstrip("-").isdigit()

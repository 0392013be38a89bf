"""The strings of a column. Each is examined once, however many rows have it.

A column of a million rows with five distinct strings costs five.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import CellError
from pipeline.reading.numbers import NUMBER, mask
from pipeline.reading.options import CellFormat

EXACT = 2**53  # a float64 keeps every digit of whole numbers up to here
SENTENCE = r"\pL+([^\pL\pN]+\pL+){4}"
RARELY_MISSING = (  # these mean missing only where all other cells are numbers or dates
    *("na", "none", "missing", "Missing", "MISSING", "..", "...", ":", "._"),
    *(f".{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),  # of SAS
)


@dataclass(frozen=True)
class Strings:
    """A column of strings.

    distinct   each string once
    is_known   (n_distinct,), which of them do not mean missing
    positions  (n_rows,), for each row the position of its string in `distinct`, -1 if the cell was null already
    """

    name: str
    distinct: pa.Array
    is_known: np.ndarray
    positions: np.ndarray

    @property
    def but_missing(self) -> pa.Array:
        """The distinct strings, null for those that mean missing."""
        return pc.if_else(pa.array(self.is_known), self.distinct, None)

    @property
    def rarely_missing(self) -> np.ndarray:
        """The strings that mean missing only where all others are numbers or dates."""
        return self.is_known & mask(pc.is_in(self.distinct, pa.array(RARELY_MISSING, pa.large_string())))

    @property
    def are_sentences(self) -> bool:
        """Whether most cells have five words in a row, as no date and no duration has."""
        return 2 * self.cells(self.is_known & mask(pc.match_substring_regex(self.distinct, SENTENCE))) > len(
            self.positions
        )

    @cached_property
    def counts(self) -> np.ndarray:
        """The number of cells with each string, (n_distinct,)."""
        return np.bincount(self.positions[self.positions >= 0], minlength=len(self.distinct))

    def cells(self, which: np.ndarray) -> int:
        return int(self.counts[which].sum())

    def totals(self, labels: pa.Array) -> dict[str, int]:
        """The number of known cells by the label of their string, the most frequent first; null is no label."""
        has_label = self.is_known & mask(labels.is_valid())
        cells = pd.Series(self.counts[has_label]).groupby(labels.to_pandas()[has_label].to_numpy()).sum()
        return {str(label): int(n) for label, n in cells.sort_values(ascending=False, kind="stable").items()}

    def most_frequent(self, which: np.ndarray, n: int) -> list[str]:
        """At most `n` of the strings that `which` selects, those with most cells first."""
        places = np.flatnonzero(which)
        places = places[np.argsort(-self.counts[places], kind="stable")][:n]
        return self.distinct.take(pa.array(places)).to_pylist()

    def examples(self, which: np.ndarray, n: int = 3) -> str:
        """The most frequent of these strings with their numbers of cells: `'unknown' (40 cells), 'x' (1 cell)`."""
        strings, counts = self.most_frequent(which, n), sorted(self.counts[which], reverse=True)
        few = [f"{string[:60]!r} ({n_cells(count)})" for string, count in zip(strings, counts, strict=False)]
        return ", ".join(few) + (f" and {len(counts) - n:,} others" if len(counts) > n else "")

    def spread(self, values: pa.Array) -> pa.Array:
        """`values`, one per distinct string, to the rows."""
        return values.take(pa.array(self.positions, mask=self.positions < 0))

    def as_strings(self) -> pa.Array:
        """The strings of the rows, null where they mean missing."""
        return self.spread(self.but_missing)

    def error(self, wrong: np.ndarray, problem: str, step: str, *settings: tuple[str, Any]) -> CellError:
        """The error that names the first cell whose string is `wrong`, and counts them all; see `CellError`."""
        rows = np.flatnonzero(np.append(wrong & self.is_known, False)[self.positions])
        string = self.distinct[int(self.positions[rows[0]])].as_py()
        return cell_error(self.name, int(rows[0]), repr(string[:60]), problem, len(rows), step, *settings)

    def warn(self, text: str) -> None:
        warnings.warn(f"column {self.name!r}: {text}", stacklevel=2)


def encoded(column: pa.ChunkedArray, name: str, cell_format: CellFormat) -> Strings:
    """The strings of a column that may also hold numbers or booleans, after `data.replace`."""
    is_float = pa.types.is_floating(column.type)
    if is_float and largest(column) <= EXACT and pc.all(pc.equal(pc.floor(column), column)).as_py():
        column = column.cast(pa.int64(), safe=False)  # 1 is stored as 1.0 where a cell is missing; it is the string "1"
    encoded = column.cast(pa.large_string()).combine_chunks().dictionary_encode()
    distinct = pc.utf8_trim_whitespace(encoded.dictionary)
    if others := cell_format.replace.get(name):
        by_value = {float(old): new for old, new in others.items() if re.fullmatch(NUMBER, old)}
        distinct = pa.array([_replaced(string, others, by_value) for string in distinct.to_pylist()], pa.large_string())
    is_known = ~mask(pc.is_in(distinct, pa.array(list(cell_format.missing_values), pa.large_string())))
    return Strings(name, distinct, is_known, encoded.indices.fill_null(-1).to_numpy())


def _replaced(string: str, others: Mapping[str, str], by_value: Mapping[float, str]) -> str:
    """What the user wants instead of a cell; the cell -999.0 is -999, too."""
    if string not in others and by_value and re.fullmatch(NUMBER, string):
        return by_value.get(float(string), string)
    return others.get(string, string)


def largest(column: pa.ChunkedArray) -> float:
    """The largest absolute value."""
    ends = pc.min_max(column).as_py()
    return max((abs(float(end)) for end in ends.values() if end is not None), default=0.0)


def cell_error(
    name: str, row: int, cell: str, problem: str, count: int, step: str, *settings: tuple[str, Any]
) -> CellError:
    cells = f"{count:,} such cells" if count > 1 else "the only such cell"
    reason = f"column {name!r}: {cell} {problem}"
    return CellError(f"row {row + 1:,}, {reason} ({cells})", reason, step, settings)


def n_cells(count: int) -> str:
    return f"{count:,} cell{'' if count == 1 else 's'}"

"""Delimited text (CSV and its relatives) to an Arrow table; what is not given is found out from the first lines.

`csv.Sniffer` is not used: it takes `1,5;2,3` for comma-separated, and fails on a single column.
"""

import contextlib
import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from pipeline.errors import UserError
from pipeline.reading.decoding import SAMPLE
from pipeline.reading.options import Options

NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:[+-]?inf(inity)?)"
DATE = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*"
DELIMITERS = "\t;|,"  # the rarer within cells, the earlier


@dataclass(frozen=True)
class Dialect:
    """How a text is written."""

    delimiter: str
    decimal: str
    names: list[str]  # of the columns
    skip: int  # lines before the first row
    spaced: bool  # there are spaces between a delimiter and a quote
    padded: dict[str, str]  # by column, a number with leading zeros: a code, perhaps


def sniff(text: pa.Buffer, path: Path, options: Options, target: str | None = None) -> Dialect:
    """How `text` is written, found out from its first lines as far as `options` leaves it open.

    A first line that contains the name of the `target` is a header, even if other names are numbers.
    Errors: `UserError` for a text without rows, and for options that do not fit it.
    """
    given = options.delimiter
    declared = re.match(rb"(?i)(?:\xef\xbb\xbf)?sep=(.)\r?\n", text[:9].to_pybytes())  # written by Excel
    if given is None and declared:
        given = declared[1].decode("latin-1")
    if given is not None and (len(given) != 1 or given in '"\r\n'):
        raise UserError(f"data.delimiter = {given!r} should be one character, such as ',' or ';', and not a quote.")
    start = text[:SAMPLE].to_pybytes()
    sample = start.decode("utf-8-sig", errors="ignore")
    if len(start) < text.size and "\n" in sample:
        sample = sample[: sample.rindex("\n") + 1]
    parsed = {delimiter: _rows(sample, delimiter) for delimiter in given or DELIMITERS}
    best = max(parsed, key=lambda delimiter: _agreement(parsed[delimiter][0]))
    if not given and _agreement(parsed[best][0]) == 0:
        best = ","
    (rows, ends), before = parsed[best], 0
    if not rows:
        raise UserError(f"{path} has no row that can be read. Give a file with a header and rows.")
    above = _rows_above(rows)
    if above:
        if remarks := rows[bool(declared) : above]:
            warnings.warn(
                f"{path}: the lines above the table are left out; the first is {remarks[0][0][:60]!r}.", stacklevel=3
            )
        rows, before = rows[above:], ends[above - 1]
    first = [cell.strip() for cell in rows[0]]
    header = options.header
    if header is None:
        has_values = target not in first and any(_is_value(cell, options.missing_values) for cell in first)
        header = options.names is None and not has_values
    if header and len(rows) == 1 and text.size <= SAMPLE:
        raise UserError(f"{path} has a header but no rows. Give a table with at least two rows.")
    found = options.names or (first if header else [""] * len(first))
    if len(found) != len(first):
        raise UserError(
            f"{path} has {len(first)} columns, but data.names has {len(found)}. Give one name per column in data.names."
        )
    names = [name or f"column_{place}" for place, name in enumerate(found, start=1)]
    cells = [(name, cell.strip()) for row in rows[header:] for name, cell in zip(names, row, strict=False)]
    return Dialect(
        delimiter=best,
        decimal=options.decimal or _decimal([cell for _, cell in cells]),
        names=names,
        skip=ends[above] if header else before,
        spaced=re.search(re.escape(f'{best} "').encode(), text) is not None,
        padded={name: cell for name, cell in cells if re.fullmatch(r"0+[1-9]\d*", cell)},
    )


def parse(
    text: pa.Buffer, path: Path, dialect: Dialect, kept: list[str], as_strings: set[str], *, missing: Collection[str]
) -> pa.Table:
    """The columns `kept`, typed by Arrow, but those in `as_strings` as strings. Errors: `UserError` naming the line."""
    if dialect.spaced:  # Arrow takes a quote for one only right after the delimiter
        mark = dialect.delimiter.encode()
        text = pa.py_buffer(text.to_pybytes().replace(mark + b' "', mark + b'"'))
    ragged: list[arrow_csv.InvalidRow] = []

    def collect(row: arrow_csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(text),
            arrow_csv.ReadOptions(column_names=dialect.names, skip_rows=dialect.skip, block_size=1 << 22),
            arrow_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=collect),
            arrow_csv.ConvertOptions(
                decimal_point=dialect.decimal,
                null_values=list(missing),
                strings_can_be_null=True,
                true_values=[],  # `true` and `false` remain strings
                false_values=[],
                include_columns=kept,
                column_types={name: pa.string() for name in as_strings & set(kept)},
            ),
        )
    except (pa.ArrowException, ValueError) as error:
        raise UserError(
            f"{path} can't be read as a table with {dialect.delimiter!r} between cells: {error}. If that is not its "
            f"delimiter, set the right one: -S 'data.delimiter=\";\"'."
        ) from None
    if ragged:
        raise _ragged(path, text, dialect, ragged)
    _check_last_quote(path, text, table)
    return table


def _ragged(path: Path, text: pa.Buffer, dialect: Dialect, rows: list[arrow_csv.InvalidRow]) -> UserError:
    """Arrow reads on several threads and doesn't know the number of the line: read again, slowly."""
    reader = csv.reader(io.TextIOWrapper(pa.BufferReader(text), "utf-8", newline=""), delimiter=dialect.delimiter)
    width, line, end = rows[0].actual_columns, "?", 0  # "?" where Python and Arrow disagree about quotes
    with contextlib.suppress(csv.Error):
        for row in reader:
            if len(row) == width and reader.line_num > dialect.skip:
                line = str(end + 1)  # where the row begins: a superfluous quote may join it with those below
                break
            end = reader.line_num
    return UserError(
        f"{path}, line {line} has {width} cells instead of {len(dialect.names)} ({len(rows):,} such lines): "
        f"{rows[0].text[:100]!r}. Correct it (a cell that contains {dialect.delimiter!r} needs quotes around it), or "
        f"set data.delimiter if cells are separated by another character."
    )


def _check_last_quote(path: Path, text: pa.Buffer, table: pa.Table) -> None:
    """A quote that is never closed puts the rest of the file into one cell of the last row."""
    for name in table.column_names if table.num_rows else ():
        last = table[name][-1].as_py()
        if isinstance(last, str) and "\n" in last and text.to_pybytes().count(b'"') % 2:
            raise UserError(
                f"{path}, row {table.num_rows:,}, column {name!r}: the quote before {last[:40]!r} is never closed. "
                f"Close it, or write it twice if it is part of the text."
            )


def _rows(sample: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """The rows that are not blank, and the number of lines up to the end of each."""
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows, ends = [], []
    with contextlib.suppress(csv.Error):  # a cell of more than 128 KiB, or a lone carriage return: use the rows before
        for row in reader:
            if row:
                rows.append(row)
                ends.append(reader.line_num)
    return rows, ends


def _rows_above(rows: list[list[str]]) -> int:
    """Number of rows before the table that have one cell: a title, a date, a remark of the program that wrote the file.

    Such rows may be filled with blank cells to the width of the table.
    """
    width = Counter(map(len, rows)).most_common(1)[0][0]
    in_table = (not row[0].strip() or any(cell.strip() for cell in row[1:]) for row in rows)
    first = next((place for place, is_in_table in enumerate(in_table) if is_in_table), 0)
    return first if width > 1 and len(rows[first]) == width else 0


def _agreement(rows: list[list[str]]) -> float:
    """Share of the rows that have the most frequent number of cells; 0 if that number is one."""
    if not rows:
        return 0
    width, count = Counter(map(len, rows)).most_common(1)[0]
    return count / len(rows) if width > 1 else 0


def _is_value(cell: str, missing: Collection[str]) -> bool:
    return bool(
        re.fullmatch(NUMBER, cell.replace(",", ".", 1)) or re.fullmatch(DATE, cell) or (cell and cell in missing)
    )


def _decimal(cells: list[str]) -> str:
    """A comma if some cells have decimals after a comma and none after a point; groups of three may be thousands."""
    found = [re.fullmatch(r"[+-]?(\d+)([.,])(\d+)", cell) for cell in cells]
    marks = {match[2] for match in found if match and not re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", match[0].lstrip("+-"))}
    return "," if marks == {","} else "."

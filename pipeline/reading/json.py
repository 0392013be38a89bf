"""A table in JSON: an array of objects, or one object in each line."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.errors import UserError
from pipeline.reading import decoding
from pipeline.reading.decoding import Text

CELL = 8  # bytes in memory, about
JSON = rb'(\xef\xbb\xbf)?\s*(\[\s*)?\{\s*("|\})'


def is_json(text: Text) -> bool:
    return re.match(JSON, text.start(4096)) is not None


def json_table(text: Text, path: Path) -> pa.Table:
    """A list of JSON objects, or one object in each line. Errors: `UserError` if it is neither."""
    from pyarrow import json as arrow_json

    _check_keys(text, path)
    is_list = text.start(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
    if not is_list:
        try:
            return arrow_json.read_json(
                text.open(),
                parse_options=arrow_json.ParseOptions(newlines_in_values=False),
            )
        except pa.ArrowException:
            pass  # a column with strings and numbers, or a damaged line: Python finds out which
    decoded = text.whole().decode("utf-8-sig", "replace")
    lines = [decoded] if is_list else decoded.splitlines()
    rows: list[Any] = []
    for number, line in enumerate(lines, start=1):
        try:
            value = json.loads(line) if line.strip() else []
        except (ValueError, RecursionError) as error:
            place = f"line {getattr(error, 'lineno', number) if is_list else number}"
            raise UserError(
                f"{path}, {place} is not JSON: {line[:60]!r}. Give a list of objects, or one object in each line."
            ) from None
        rows += value if isinstance(value, list) else [value]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{path} is JSON, but no list of objects. Give one object for each row.")
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: _json_column([row.get(name) for row in rows]) for name in names})


def _check_keys(text: Text, path: Path) -> None:
    """Errors: `UserError` for objects that share so few keys that a table of them is far larger than the file.

    Each object becomes a row with a cell for every key of all objects, also those within columns; the first bytes are
    looked at.
    """
    start = text.start(decoding.BLOCK)
    n_objects, keys = start.count(b"{"), set(re.findall(rb'"([^"\\]*)"\s*:', start))
    size = CELL * n_objects * len(keys)
    if size > max(decoding.SMALL, decoding.GROWTH * len(start)):
        raise UserError(
            f"{path} has {n_objects:,} JSON objects with {len(keys):,} different keys in its first {len(start):,} "
            f"bytes, which would become a table of {size / 2**30:.1f} GB, nearly all of it empty. Save it as CSV with "
            f"one column for the keys and one for their values, or with the columns that you need."
        )


def _json_column(cells: list[Any]) -> pa.Array:
    try:
        return pa.array(cells)
    except (pa.ArrowException, OverflowError):
        return pa.array(
            [cell if cell is None or isinstance(cell, str) else json.dumps(cell) for cell in cells], pa.string()
        )

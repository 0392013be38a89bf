"""A table in JSON: a list of objects or one in each line, within other objects or by column or row; also GeoJSON.

    [{"a": 1}, {"a": 2}]                   and one object in each line: the usual forms
    [["a", "b"], [1, 2]]                   rows, below one of names; else called 0, 1, ...
    {"data": [...], "count": 2}            the one list that an object holds, also further in
    {"columns": [...], "data": [[...]]}    pandas, orient="split"
    {"a": [1, 2]}, {"a": {"0": 1}}         columns; {"0": {"a": 1}} are rows
    {"features": [{"properties": ...}]}    GeoJSON: properties, and the longitude and latitude of points

An object in a cell becomes a column for each of its keys, `a.b`.
"""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.errors import UserError
from pipeline.reading import decoding
from pipeline.reading.decoding import Text

CELL = 8  # bytes in memory, about
JSON = rb'(\xef\xbb\xbf)?\s*(\[\s*)?(\{\s*("|\})|\[\s*["\[\d])'
GIVE = "Give a list of objects, or one object in each line."


def is_json(text: Text) -> bool:
    return re.match(JSON, text.start(4096)) is not None


def json_table(text: Text, path: Path) -> pa.Table:
    """The table of a file of JSON. Errors: `UserError` if there is none in it."""
    from pyarrow import json as arrow_json

    start = text.start(decoding.SAMPLE).lstrip(b"\xef\xbb\xbf \t\r\n")
    if re.match(rb"\{[^\n]*\}\s*\n\s*\{", start) and not re.match(rb'[^\n]*"type":\s*"Feature"', start):  # lines
        _check_size(text, path)
        try:
            options = arrow_json.ParseOptions(newlines_in_values=False)
            return flat(arrow_json.read_json(text.open(), parse_options=options))
        except pa.ArrowException:
            pass  # a column with strings and numbers, or a damaged line: Python finds out which
    values = _values(text.whole().decode("utf-8-sig", "replace"), path)
    rows = values if len(values) > 1 else _rows(values[0])
    if rows and all(isinstance(row, list) for row in rows):
        has_names = all(isinstance(name, str) for name in rows[0])
        names = rows[0] if has_names else [str(k) for k in range(len(rows[0]))]
        rows = [dict(zip(names, row, strict=False)) for row in rows[has_names:]]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{path} is JSON, but no list of objects. Give one object for each row.")
    rows = [_feature(row) if row.get("type") == "Feature" else row for row in rows]
    rows = [_flat(row) if any(isinstance(cell, dict) for cell in row.values()) else row for row in rows]
    names = list(dict.fromkeys(name for row in rows for name in row))
    _refuse(path, len(rows), len(names), text.size)
    return pa.table({name: _json_column([row.get(name) for row in rows]) for name in names})


def flat(table: pa.Table) -> pa.Table:
    """The columns of structs as columns of their fields, `a.b`."""
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return table


def _values(text: str, path: Path) -> list[Any]:
    """The values of a text, with blanks between them. Errors: `UserError` naming the line."""
    decoder, values, at = json.JSONDecoder(), list[Any](), 0
    while rest := re.compile(r"[^\s,]").search(text, at):
        try:
            value, at = decoder.raw_decode(text, rest.start())
        except (ValueError, RecursionError) as error:
            lines = text.splitlines()
            line = min(text.count("\n", 0, getattr(error, "pos", rest.start())) + 1, len(lines))
            raise UserError(f"{path}, line {line} is not JSON: {lines[line - 1][:60]!r}. {GIVE}") from None
        values.append(value)
    return values


def _rows(value: Any) -> Any:
    """The rows of the one value of a file, as far as it has any."""
    if not isinstance(value, dict):
        return value
    if value.get("type") == "FeatureCollection":
        return value.get("features", [])
    columns, data = value.get("columns"), value.get("data")
    if isinstance(columns, list) and isinstance(data, list) and all(isinstance(row, list) for row in data):
        return [dict(zip(map(str, columns), row, strict=False)) for row in data]
    lists = [inner for inner in value.values() if isinstance(inner, list)]
    if len(lists) > 1 and len(lists) == len(value) and len({*map(len, lists)}) == 1 and not _holds(lists[0], dict):
        return [dict(zip(value, cells, strict=True)) for cells in zip(*lists, strict=True)]
    if tables := [inner for inner in lists if _holds(inner, dict) or _holds(inner, list)]:
        return max(tables, key=len)
    inner = [cell for cell in value.values() if isinstance(cell, dict)]
    if len(inner) == len(value) > 1 and not any(_holds([*cell.values()], dict | list) for cell in inner):
        are_rows = sum(map(str.isdigit, value)) > sum(map(str.isdigit, inner[0]))
        if are_rows or (len(value) > len(inner[0]) and not all(map(str.isdigit, inner[0]))):
            return inner
        labels = dict.fromkeys(label for column in inner for label in column)
        return [{name: column.get(label) for name, column in value.items()} for label in labels]
    wrapped = [rows for cell in inner if isinstance(rows := _rows(cell), list) and _holds(rows, dict)]
    return wrapped[0] if len(wrapped) == 1 else [value]


def _holds(cells: list[Any], kind: Any) -> bool:
    return bool(cells) and all(isinstance(cell, kind) for cell in cells)


def _feature(feature: dict[str, Any]) -> dict[str, Any]:
    geometry = feature.get("geometry") or {}
    row = dict(feature.get("properties") or {})
    if geometry.get("type") == "Point" and len(geometry.get("coordinates", [])) >= 2:
        for name, degrees in zip(("longitude", "latitude"), geometry["coordinates"], strict=False):
            row.setdefault(name, degrees)
    return row


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for name, cell in row.items():
        nested = _flat(cell) if isinstance(cell, dict) else {}
        cells |= {f"{name}.{key}": inner for key, inner in nested.items()} if nested else {name: cell or None}
        if not nested and not isinstance(cell, dict):
            cells[name] = cell
    return cells


def _check_size(text: Text, path: Path) -> None:
    """Errors: `UserError` for objects that share so few keys that a table of them is far larger than the file.

    Each object becomes a row with a cell for every key of all objects, also those within columns; the first bytes are
    looked at.
    """
    start = text.start(decoding.BLOCK)
    keys = {*re.findall(rb'"([^"\\]*)"\s*:', start)}
    _refuse(path, start.count(b"{"), len(keys), len(start))


def _refuse(path: Path, n_objects: int, n_keys: int, n_bytes: int) -> None:
    if (cells := CELL * n_objects * n_keys) > max(decoding.SMALL, decoding.GROWTH * n_bytes):
        raise UserError(
            f"{path} has {n_objects:,} JSON objects with {n_keys:,} different keys in its first {n_bytes:,} bytes, "
            f"which would become a table of {cells / 2**30:.1f} GB, nearly all of it empty. Save it as CSV with "
            f"one column for the keys and one for their values, or with the columns that you need."
        )


def _json_column(cells: list[Any]) -> pa.Array:
    try:
        return pa.array(cells)
    except (pa.ArrowException, OverflowError):
        return pa.array(
            [cell if cell is None or isinstance(cell, str) else json.dumps(cell) for cell in cells], pa.string()
        )

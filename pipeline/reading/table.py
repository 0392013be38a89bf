"""A user's table, from a file to a frame with three kinds of columns: float64, str and datetime64[us].

The first bytes of the file decide whether it is Parquet, Feather or delimited text. What is wrong with a file is a
`UserError` that names file, row, column and value; what had to be assumed is a warning.
"""

import difflib
import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from pipeline.errors import UserError
from pipeline.reading import cells, decoding, delimited
from pipeline.reading.options import CellFormat, Options, override

FORMATS = {b"PAR1": "Parquet", b"ARROW1": "Feather", b"FEA1": "Feather"}
KINDS = {"numeric": "numbers", "categorical": "strings", "boolean": "strings", "date": "dates", "drop": None}  # by role


class Reading(NamedTuple):
    """A table, and how its cells were found to be written: the decimal mark, and the format of dates by column."""

    frame: pd.DataFrame
    cell_format: CellFormat


def read(
    path: Path, options: Options | None = None, *, target: str | None = None, roles: Mapping[str, str] | None = None
) -> Reading:
    """The table in `path`, missing cells as NaN or NaT, each column of the type that all its cells have.

    The target, and columns to which `roles` gives the role categorical or boolean, keep the strings of the file:
    `02139` stays `02139`. Errors: `UserError` for anything that makes the file no usable table.
    """
    options = options or Options()
    if options.decimal is None and options.thousands in (".", ","):
        options = replace(options, decimal="," if options.thousands == "." else ".")
    if options.decimal == options.thousands is not None:
        raise UserError(f"data.decimal and data.thousands are both {options.decimal!r}. Change one of them.")
    given = options.date_format if isinstance(options.date_format, Mapping) else {}
    kinds = dict.fromkeys(given, "dates") | {name: KINDS[role] for name, role in (roles or {}).items()}
    kinds |= {target: "strings"} if target else {}
    stored = _stored_as(path)
    if stored == "text":
        table, decimal = _read_text(path, options, kinds, target)
    else:
        table, decimal = _read_columnar(path, stored, options, kinds), options.decimal or "."
    if table.num_rows == 0:
        raise UserError(f"{path} has a header but no rows. Give a table with at least two rows.")
    for name in options.replace:
        if name not in table.column_names:
            raise unknown_column(name, table.column_names, "data.replace")
    cell_format = CellFormat(options.missing_values, decimal, options.thousands, options.date_format, options.replace)
    try:
        parsed = {name: cells.parse(table[name], name, cell_format, kinds.get(name)) for name in table.column_names}
    except UserError as error:
        raise UserError(f"{path}, {error}") from None
    frame = pa.table({name: values for name, (values, _) in parsed.items()}).to_pandas(self_destruct=True)
    date_formats = {name: date_format for name, (_, date_format) in parsed.items() if date_format}
    return Reading(frame, replace(cell_format, date_format=date_formats))


def unknown_column(name: str, available: Iterable[str], where: str) -> UserError:
    """The error for a column that does not exist, with the most similar name that does."""
    available = [str(column) for column in available]
    close = difflib.get_close_matches(name, available, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    shown = ", ".join(available[:30]) + (f" and {len(available) - 30} more" if len(available) > 30 else "")
    return UserError(f"{where} has no column {name!r}. {hint}The columns are {shown}.")


def _stored_as(path: Path) -> str:
    """Parquet, Feather or text. Errors: `UserError` for a path that is no file, or can't be read."""
    try:
        if not path.exists():
            close = difflib.get_close_matches(path.name, _beside(path), n=1)
            hint = f" Did you mean {path.with_name(close[0])}?" if close else ""
            raise UserError(f"{path} doesn't exist.{hint} Put the table there, or set data.path.")
        if path.is_dir():
            some = ", ".join(_beside(path / "any")[:5])
            raise UserError(f"{path} is a directory. Set data.path to one file in it: {some}.")
        if not path.is_file():
            raise UserError(f"{path} is not a regular file. Set data.path to a CSV, Parquet or Feather file.")
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}. Check its permissions.") from None
    if not start:
        raise UserError(f"{path} is empty (0 bytes). Give a table with a header and rows.")
    kind = next((kind for magic, kind in FORMATS.items() if start.startswith(magic)), "text")
    if kind == "text" and path.suffix in (".parquet", ".pq", ".feather", ".arrow"):
        raise UserError(
            f"{path} begins with {start[:4]!r}, so it is not a {path.suffix[1:]} file. Write it again, or, if it is "
            f"text, rename it to .csv."
        )
    return kind


def _beside(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else []


def _read_text(
    path: Path, options: Options, kinds: Mapping[str, str | None], target: str | None
) -> tuple[pa.Table, str]:
    """The columns as Arrow reads them, and the decimal mark. Warns of numbers that lose leading zeros."""
    text = decoding.text(path, options.compression, options.encoding)
    dialect = delimited.sniff(text, path, options, target)
    kept = _kept(dialect.names, options, kinds, path)
    as_strings = {name for name, kind in kinds.items() if kind in ("strings", "dates")} | set(options.replace)
    replaced = {old for others in options.replace.values() for old in others}
    parse = partial(delimited.parse, text, path, dialect, kept, missing=set(options.missing_values) - replaced)
    table = parse(as_strings)
    dates = {field.name for field in table.schema if pa.types.is_temporal(field.type)}
    if options.date_format and dates:  # in the given format, not in the one that Arrow knows
        table = parse(as_strings | dates)
    for name, cell in dialect.padded.items():
        if name in kept and name not in kinds and pa.types.is_integer(table.schema.field(name).type):
            warnings.warn(
                f"column {name!r} holds numbers such as {cell!r}, which are read without their leading zeros. If they "
                f"are codes, read them as strings: {override('data.roles', name, 'categorical')}.",
                stacklevel=3,
            )
    return table, dialect.decimal


def _read_columnar(path: Path, kind: str, options: Options, required: Collection[str]) -> pa.Table:
    try:
        if kind == "Parquet":
            import pyarrow.parquet as parquet

            with parquet.ParquetFile(path) as file:
                return file.read(columns=_kept(file.schema_arrow.names, options, required, path))
        from pyarrow import feather

        table = feather.read_table(path)
        return table.select(_kept(table.column_names, options, required, path))
    except (pa.ArrowException, OSError, ValueError) as error:
        problem = str(error).rstrip(".")
        raise UserError(f"{path} is incomplete or damaged: {problem}. Write or copy the {kind} file again.") from None


def _kept(available: Collection[str], options: Options, required: Collection[str], path: Path) -> list[str]:
    """The columns to read, in the file's order."""
    known = set(available)
    if len(known) < len(available):
        repeated = [name for name in known if list(available).count(name) > 1]
        raise UserError(
            f"{path} has more than one column named {', '.join(map(repr, sorted(repeated)[:5]))}. Rename them; if the "
            f"first line is not a header, -S data.header=false."
        )
    for name in [*(options.columns or ()), *options.drop, *sorted(required)]:
        if name not in known:
            raise unknown_column(name, available, str(path))
    for name in required:
        if name in options.drop:
            raise UserError(
                f"data.drop leaves out {name!r}, but data.target, data.roles or data.date_format needs it. Remove it "
                f"from one of the two."
            )
    kept = (known if options.columns is None else {*options.columns, *required}) - set(options.drop)
    if not kept:
        raise UserError(
            f"{path}: data.columns and data.drop leave no column. Keep at least the target and one feature."
        )
    return [name for name in available if name in kept]

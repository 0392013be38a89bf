"""A user's table, from a file to a frame with three kinds of columns: float64, str and datetime64[us].

The first bytes of the file decide what it is: delimited text, or a format of its own. A folder of files is one table.
What is wrong with a file is a `UserError` that names file, row, column and value; what had to be assumed is a warning.
"""

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa

from pipeline import compute
from pipeline.errors import CellError, UserError
from pipeline.overrides import override
from pipeline.reading import (
    archives,
    body,
    cells,
    chosen,
    coordinates,
    decoding,
    delimited,
    formats,
    header,
    held,
)
from pipeline.reading.opened import opened
from pipeline.reading.options import CellFormat, Options
from pipeline.reading.parts import files

KINDS = {
    "numeric": "numbers",
    "categorical": "strings",
    "boolean": "strings",
    "date": "dates",
    "text": "strings",
    "list": "strings",
    "drop": None,
}  # by role


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
    column_formats = options.date_format if isinstance(options.date_format, Mapping) else {}
    kinds: dict[str, str | None] = {**dict.fromkeys(column_formats, "dates"), **dict.fromkeys(options.units, "numbers")}
    kinds |= dict.fromkeys(options.parts, "strings")
    kinds |= {name: KINDS[role] for name, role in (roles or {}).items()}
    kinds |= {target: "classes"} if target else {}
    of_parts = coordinates.sources(options.parts)
    if options.columns is not None:
        options = replace(options, columns=[*dict.fromkeys(of_parts.get(name, name) for name in options.columns)])
    in_file = {of_parts.get(name, name): "strings" if name in of_parts else kind for name, kind in kinds.items()}
    table, decimal, known_kinds, notes = _stored(path, _Asked(options, in_file, target))
    if table.num_rows == 0:
        raise UserError(f"{path} has a header but no rows. Give a table with at least two rows.")
    cell_format = CellFormat(**{field.name: getattr(options, field.name) for field in fields(CellFormat)})
    cell_format = replace(cell_format, decimal=decimal)
    parts = {**options.parts, **coordinates.found(table, cell_format, known_kinds)}
    of_parts = coordinates.sources(parts)
    known_kinds = {**known_kinds, **dict.fromkeys(of_parts, "numbers")}
    replaced = {name: options.replace[source] for name, source in of_parts.items() if source in options.replace}
    cell_format = replace(cell_format, parts=parts, replace={**options.replace, **replaced})
    names, table = table.column_names, coordinates.divided(table, parts)
    for setting in ("replace", "units", "parts"):
        for name in getattr(options, setting):
            if name not in {*names, *table.column_names}:
                raise chosen.unknown_column(name, names, f"data.{setting}")
    frames: list[pd.DataFrame] = []
    written: dict[str, dict[str, str]] = {"date_format": {}, "units": {**options.units}, "parts": parts}
    n_bytes = table.nbytes
    try:
        for name in table.column_names:
            values, found = cells.parse(table[name], name, cell_format, known_kinds.get(name))
            table = table.drop_columns([name])  # so that the column is in memory only once
            frames.append(held.column(pa.table([values], names=[name]).to_pandas(), n_bytes))
            for setting, value in found.items():
                written[setting][name] = value
            compute.release()
            pa.default_memory_pool().release_unused()
    except UserError as error:
        message = error.advised(override) if isinstance(error, CellError) else str(error)
        raise UserError(" ".join([f"{path}, {message}", *notes])) from None
    for note in notes:
        warnings.warn(f"{path}: {note}", stacklevel=2)
    frame = pd.concat(frames, axis=1)
    pa.default_memory_pool().release_unused()  # what the parser needed is not needed by those who use the frame
    return Reading(
        frame, replace(cell_format, date_format=written["date_format"], units=written["units"], parts=written["parts"])
    )


class _Asked(NamedTuple):
    """How to read a file: the settings, the kinds of columns that they decide, and columns to keep as strings."""

    options: Options
    kinds: Mapping[str, str | None]
    target: str | None
    as_strings: Collection[str] = ()


class _Stored(NamedTuple):
    """The columns of a file as they are stored, before the judgement of their cells."""

    table: pa.Table
    decimal: str
    kinds: Mapping[str, str | None]  # by column, where the file or the settings decide
    notes: list[str]  # on lines that may be no rows


def _stored(path: Path, asked: _Asked) -> _Stored:
    """The columns of a file, or of the files in a folder."""
    try:
        paths = files(path)
        if paths == [path]:
            return _file(path, asked)
        try:
            return _joined(paths, path, asked)
        except UserError as error:
            raise UserError(
                f"{error} ({path} is a directory, so its {len(paths)} files are read as one table. To read one alone, "
                f"set data.path to it, as in {paths[0]}.)"
            ) from None
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror or error}. Check its permissions.") from None


def _joined(paths: Sequence[Path], root: Path, asked: _Asked) -> _Stored:
    """The rows of several files with the same columns, in the order of the files, and the columns of their folders."""
    options, kinds, target, as_strings = asked
    folders = [_partition(path.relative_to(root)) for path in paths]
    keys = folders[0].keys()
    if odd := next((path for path, folder in zip(paths, folders, strict=True) if folder.keys() != keys), None):
        raise UserError(f"{odd} is not in folders such as {paths[0].parent}. Give each file the same kinds of folders.")
    inner = replace(
        options,
        columns=None if options.columns is None else [name for name in options.columns if name not in keys],
        drop=[name for name in options.drop if name not in keys],
        replace={name: cells for name, cells in options.replace.items() if name not in keys},
    )
    of_files = {name: kind for name, kind in kinds.items() if name not in keys}
    asked = _Asked(inner, of_files, None if target in keys else target, as_strings)
    inputs = [_file(path, asked) for path in paths]
    names = inputs[0].table.column_names
    for file, path in zip(inputs, paths, strict=True):
        if problems := [
            *(f"has no column {name!r}" for name in names if name not in file.table.column_names),
            *(f"has the column {name!r} besides" for name in file.table.column_names if name not in names),
        ]:
            raise UserError(f"{path} {' and '.join(problems[:3])}, unlike {paths[0].name}. Make their headers equal.")
    decimal = "," if any(file.decimal == "," for file in inputs) else "."  # a file of whole numbers alone shows none
    types = {name: [file.table.schema.field(name).type for file in inputs] for name in names}
    mixed = [name for name in names if len({*types[name]} - {pa.null()}) > 1]
    strings = [name for name in mixed if not all(map(_is_number, types[name]))]
    if strings or len({file.decimal for file in inputs}) > 1:
        asked = asked._replace(options=replace(inner, decimal=decimal), as_strings=[*as_strings, *strings])
        inputs = [_file(path, asked) for path in paths]
    tables = [file.table.select(names) for file in inputs]
    for name in mixed:
        common = pa.string() if name in strings else pa.float64()
        tables = [table.set_column(names.index(name), name, table[name].cast(common)) for table in tables]
    wanted = None if options.columns is None else {*options.columns, *kinds}
    for key in [key for key in keys if key not in options.drop and (wanted is None or key in wanted)]:
        cells = [
            pa.repeat(pa.scalar(folder[key], pa.string()), len(table))
            for folder, table in zip(folders, tables, strict=True)
        ]
        if key in names:
            raise UserError(f"{paths[0]} has a column {key!r}, and so have the names of its folders. Rename one.")
        tables = [table.append_column(key, column) for table, column in zip(tables, cells, strict=True)]
    notes = [note for file in inputs for note in file.notes]
    return _Stored(pa.concat_tables(tables, promote_options="permissive"), decimal, {**inputs[0].kinds, **kinds}, notes)


def _partition(path: Path) -> dict[str, str | None]:
    """The cells that the names of the folders of a file hold, by column, as Hive writes them: `year=2023/a.parquet`."""
    pairs = (unquote(part).split("=", 1) for part in path.parts[:-1] if "=" in part)
    return {name: None if cell == "__HIVE_DEFAULT_PARTITION__" else cell for name, cell in pairs}


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)


def _file(path: Path, asked: _Asked) -> _Stored:
    """The columns of a file, or of those in an archive."""
    with archives.unpacked(path, asked.options) as (paths, folder, inner):
        if folder is None:
            return _single(path, asked)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            stored = _joined(paths, folder, asked._replace(options=inner))
    for warning in caught:
        warnings.warn(archives.renamed(str(warning.message), folder, path), warning.category, stacklevel=4)
    return stored


def _single(path: Path, asked: _Asked) -> _Stored:
    kind, content, options, kinds = opened(path, asked.options, asked.target, asked.options.columns or ())
    if isinstance(content, decoding.Text):
        return _text(content, path, asked._replace(options=options, kinds={**kinds, **asked.kinds}))
    return _Stored(_columns(content, path, kind, options, asked.kinds), options.decimal or ".", asked.kinds, [])


def _text(text: decoding.Text, path: Path, asked: _Asked) -> _Stored:
    """The columns as Arrow reads them. Warns of numbers that lose leading zeros."""
    options, kinds, target, as_strings = asked
    expected = [target, *kinds, *options.replace, *(options.columns or ())] if target else []
    text = delimited.unwrapped(text, options)
    dialect = delimited.sniff(text, path, options, expected)
    names = chosen.unique_names(dialect.names)
    row_names = [name for name in names[:1] if name == header.ROW_NAMES]
    kept = [names[place] for place in chosen.kept(dialect.names, options, kinds, path, row_names=row_names)]
    strings = {
        *as_strings,
        *options.replace,
        *(name for name, kind in kinds.items() if kind in ("strings", "classes", "dates")),
    }
    replaced = {old for others in options.replace.values() for old in others}
    missing = set(options.missing_values) - replaced
    table = body.parse(text, path, dialect, names, kept, strings, missing=missing)
    dates = {field.name for field in table.schema if pa.types.is_temporal(field.type)}
    if options.date_format and dates:  # in the given format, not in the one that Arrow knows
        table = body.parse(text, path, dialect, names, kept, strings | dates, missing=missing)
    for place, cell in dialect.padded.items():
        name = names[place]
        if name in kept and name not in kinds and _is_number(table.schema.field(name).type):
            warnings.warn(
                f"column {name!r} holds numbers such as {cell!r}, which are read without their leading zeros. If they "
                f"are codes, read them as strings: {override('data.roles', {name: 'categorical'})}.",
                stacklevel=6,
            )
    return _Stored(table, dialect.decimal, kinds, [dialect.footer] if dialect.footer else [])


def _columns(
    columns: formats.Columns, path: Path, kind: str, options: Options, kinds: Mapping[str, str | None]
) -> pa.Table:
    places = chosen.kept(columns.names, options, kinds, path, row_names=columns.row_names)
    names = chosen.unique_names(columns.names)
    try:
        return columns.read(places).rename_columns([names[place] for place in places])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise formats.damaged(path, kind, error) from None

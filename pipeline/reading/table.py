"""A user's table, from a file to a frame with three kinds of columns: float64, str and datetime64[us].

The first bytes of the file decide what it is: delimited text, or a format of its own. A folder of files is one table.
What is wrong with a file is a `UserError` that names file, row, column and value; what had to be assumed is a warning.
"""

import difflib
import re
import shlex
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path, PurePosixPath
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
    decoding,
    delimited,
    formats,
    header,
    held,
    json,
    sparse,
    spreadsheets,
)
from pipeline.reading.options import CellFormat, Options

KINDS = {
    "numeric": "numbers",
    "categorical": "strings",
    "boolean": "strings",
    "date": "dates",
    "text": "strings",
    "list": "strings",
    "drop": None,
}  # by role
SHEETS = ("Excel", "Excel 97", "OpenDocument")


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
    table, decimal, known_kinds, notes = _stored(path, options, kinds, target)
    if table.num_rows == 0:
        raise UserError(f"{path} has a header but no rows. Give a table with at least two rows.")
    for setting in ("replace", "units", "parts"):
        for name in getattr(options, setting):
            if name not in table.column_names:
                raise unknown_column(name, table.column_names, f"data.{setting}")
    cell_format = CellFormat(**{field.name: getattr(options, field.name) for field in fields(CellFormat)})
    cell_format = replace(cell_format, decimal=decimal)
    frames: list[pd.DataFrame] = []
    written: dict[str, dict[str, str]] = {"date_format": {}, "units": {**options.units}, "parts": {**options.parts}}
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


def unknown_column(name: str, available: Iterable[str], where: str) -> UserError:
    """The error for a column that does not exist, with the most similar name that does."""
    available = [str(column) for column in available]
    close = difflib.get_close_matches(name, available, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    columns = ", ".join(available[:30]) + (f" and {len(available) - 30} more" if len(available) > 30 else "")
    return UserError(f"{where} has no column {name!r}. {hint}The columns are {columns}.")


class _Stored(NamedTuple):
    """The columns of a file as they are stored, before the judgement of their cells."""

    table: pa.Table
    decimal: str
    kinds: Mapping[str, str | None]  # by column, where the file or the settings decide
    notes: list[str]  # on lines that may be no rows


def _stored(path: Path, options: Options, kinds: Mapping[str, str | None], target: str | None) -> _Stored:
    """The columns of a file, or of the files in a folder."""
    try:
        paths = files(path)
        if paths == [path]:
            return _file(path, options, kinds, target)
        try:
            return _joined(paths, path, options, kinds, target)
        except UserError as error:
            raise UserError(
                f"{error} ({path} is a directory, so its {len(paths)} files are read as one table. To read one alone, "
                f"set data.path to it, as in {paths[0]}.)"
            ) from None
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror or error}. Check its permissions.") from None


def _joined(
    paths: Sequence[Path],
    root: Path,
    options: Options,
    kinds: Mapping[str, str | None],
    target: str | None,
    as_strings: Collection[str] = (),
) -> _Stored:
    """The rows of several files with the same columns, in the order of the files, and the columns of their folders."""
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
    inputs = [_file(path, inner, of_files, None if target in keys else target, as_strings) for path in paths]
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
        decided = replace(inner, decimal=decimal)
        inputs = [_file(path, decided, of_files, target, [*as_strings, *strings]) for path in paths]
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


def files(path: Path, setting: str = "data.path") -> list[Path]:
    """The file, or the files of one table in a folder, by name. Errors: `UserError` for a path that is neither."""
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path} is a link to {path.readlink()}, and no file is there. Replace it, or set {setting}.")
    if url := re.match(r"(https?|s3|gs|gcs|abfss?|ftp|hdfs):/+", str(path)):
        raise _not_fetched(url[1], f"{url[1]}://{str(path)[url.end() :]}", setting)
    if not path.exists():
        path_text = str(path) if str(path).isprintable() else repr(str(path))
        close = difflib.get_close_matches(path.name, _beside(path), n=1)
        hint = f" Did you mean {path.with_name(close[0])}?" if close else ""
        raise UserError(f"{path_text} doesn't exist.{hint} Put the table there, or set {setting}.")
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"{path} is not a regular file. Set {setting} to a CSV, Excel or Parquet file.")
    entries = [path / name for name in _beside(path / "any") if not name.startswith((".", "_"))]
    folders = [entry for entry in entries if entry.is_dir()]
    if any("=" not in folder.name for folder in folders):
        raise UserError(
            f"{path} is a directory with others in it ({', '.join(folder.name for folder in folders[:5])}). A table "
            f"may be a directory of files, or of others that are called column=cell: set {setting} to one of them, or "
            f"to one file."
        )
    if not entries:
        raise UserError(f"{path} is a directory without files. Put the table there, or set {setting}.")
    return [file for entry in entries for file in (files(entry, setting) if entry.is_dir() else [entry])]


def _not_fetched(scheme: str, url: str, setting: str) -> UserError:
    """The error for the address of a table: DVC and a later run need the file itself."""
    file = f"data/{PurePosixPath(url.partition('?')[0]).name or 'table.csv'}"
    fetch = {
        "s3": ["aws", "s3", "cp", url, file],
        "gs": ["gsutil", "cp", url, file],
        "gcs": ["gsutil", "cp", url, file],
        "hdfs": ["hdfs", "dfs", "-get", url, file],
    }.get(scheme, ["curl", "-L", "-o", file, url])
    return UserError(
        f"{url} is an address, not a file. Fetch it first: {shlex.join(fetch)}. Or let DVC fetch it and remember from "
        f"where: {shlex.join(['dvc', 'import-url', url, file])}. Then: {override(setting, file)}."
    )


def _beside(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else []


def _file(
    path: Path,
    options: Options,
    kinds: Mapping[str, str | None],
    target: str | None,
    as_strings: Collection[str] = (),
) -> _Stored:
    """The columns of a file, or of those in an archive."""
    with archives.unpacked(path, options) as (paths, folder, inner):
        if folder is None:
            return _single(path, options, kinds, target, as_strings)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            stored = _joined(paths, folder, inner, kinds, target, as_strings)
    for warning in caught:
        warnings.warn(archives.renamed(str(warning.message), folder, path), warning.category, stacklevel=4)
    return stored


def _single(
    path: Path, options: Options, kinds: Mapping[str, str | None], target: str | None, as_strings: Collection[str]
) -> _Stored:
    kind = formats.stored_as(path)
    decimal = options.decimal or "."
    if kind in SHEETS:
        text = spreadsheets.spreadsheet(path, kind, options.sheet, target)
        as_text = replace(options, delimiter=",", quote='"', escape='"')
        return _text(text, path, as_text, kinds, target, as_strings)
    if kind != "text":
        columns = formats.columns(path, kind, options.sheet, target)
        return _Stored(_columns(columns, path, kind, options, kinds), decimal, kinds, [])
    text = decoding.text(path, options.compression, options.encoding)
    if json.is_json(text):
        table = json.json_table(text, path)
        columns = formats.Columns(table.column_names, [], table.select)
        return _Stored(_columns(columns, path, "JSON", options, kinds), decimal, kinds, [])
    if (table := sparse.table(text, path, options.columns or ())) is not None:
        columns = formats.Columns(table.column_names, [], table.select)
        return _Stored(_columns(columns, path, "sparse", options, kinds), decimal, kinds, [])
    if arff := formats.arff(text, path, options):
        options, nominal = arff
        kinds = {**nominal, **kinds}
    return _text(text, path, options, kinds, target, as_strings)


def _text(
    text: decoding.Text,
    path: Path,
    options: Options,
    kinds: Mapping[str, str | None],
    target: str | None,
    as_strings: Collection[str],
) -> _Stored:
    """The columns as Arrow reads them. Warns of numbers that lose leading zeros."""
    expected = [target, *kinds, *options.replace, *(options.columns or ())] if target else []
    text = delimited.unwrapped(text, options)
    dialect = delimited.sniff(text, path, options, expected)
    names = unique_names(dialect.names)
    row_names = [name for name in names[:1] if name == header.ROW_NAMES]
    kept = [names[place] for place in _kept(dialect.names, options, kinds, path, row_names=row_names)]
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
    places = _kept(columns.names, options, kinds, path, row_names=columns.row_names)
    names = unique_names(columns.names)
    try:
        return columns.read(places).rename_columns([names[place] for place in places])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise formats.damaged(path, kind, error) from None


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, those that repeat with a number: d, d_2."""
    distinct_names: list[str] = []
    for name in names:
        number, unique = 2, name
        while unique in distinct_names or (unique != name and unique in names):
            number, unique = number + 1, f"{name}_{number}"
        distinct_names.append(unique)
    return distinct_names


def _without_header(name: str, names: Sequence[str], path: Path) -> UserError | None:
    """The error for a name that a file without a header can't have; None for a file with a header."""
    if list(names) != [f"column_{place}" for place in range(1, len(names) + 1)]:
        return None
    return UserError(
        f"{path} has no column {name!r}, because no header was seen: the first line is taken for a row. The columns "
        f"are {names[0]} to {names[-1]}. Use these names, as in {override('data.target', names[-1])}; or name all "
        f"columns, as in {override('data.names', [*names[:-1], name])}; or, if the first line is a header, "
        f"set data.header=true, and data.target to a name in it."
    )


def _kept(
    names: Sequence[str], options: Options, required: Collection[str], path: Path, *, row_names: Collection[str] = ()
) -> list[int]:
    """The positions of the columns to read. A name stands for all columns that have it.

    Those in `row_names` are left out unless a setting names them. Warns of these and of repeated names.
    """
    unique = unique_names(names)
    all_names = {*names, *unique}
    for name in [*(options.columns or ()), *options.drop, *sorted(required)]:
        if name not in all_names:
            raise _without_header(name, names, path) or unknown_column(name, unique, str(path))
    for name in required:
        if name in options.drop:
            raise UserError(
                f"data.drop leaves out {name!r}, but data.target, data.roles or data.date_format needs it. Remove it "
                f"from one of the two."
            )
    wanted = {*(options.columns or ()), *required}
    left_out = {*options.drop, *(name for name in row_names if name not in wanted)}
    kept = [
        place
        for place, pair in enumerate(zip(names, unique, strict=True))
        if not left_out.intersection(pair) and (options.columns is None or wanted.intersection(pair))
    ]
    if not kept:
        raise UserError(
            f"{path}: data.columns and data.drop leave no column. Keep at least the target and one feature."
        )
    is_text = list(row_names) == [header.ROW_NAMES]
    for name in sorted(left_out.intersection(row_names) - set(options.drop)):
        why = "the header has one name less than the rows have cells" if is_text else "pandas saved it as the index"
        warnings.warn(
            f"{path}: the column {name!r} is left out, because it holds row names: {why}. To use it: "
            f"{override('data.roles', {name: 'categorical' if is_text else 'numeric'})}.",
            stacklevel=6,
        )
    counts = Counter(names[place] for place in kept)
    if repeated := [name for name, count in counts.items() if count > 1]:
        name = repeated[0]
        numbered = (
            f"if the first line is not a header: -S data.header=false {override('data.target', f'column_{len(names)}')}"
        )
        if asked := next((name for name in repeated if name in required), None):
            raise UserError(
                f"{path} has more than one column named {asked!r}, so data.target, data.roles or data.date_format is "
                f"ambiguous. Rename them; {numbered}."
            )
        called = [unique[place] for place in kept if names[place] == name]
        warnings.warn(
            f"{path} has more than one column named {', '.join(map(repr, repeated[:5]))}. They are called "
            f"{' and '.join(map(repr, called))}. To leave out all of them: "
            f"{override('data.drop', [name])}, one of them: {override('data.drop', called[-1:])}."
            + f" {numbered[0].upper()}{numbered[1:]}."
            * (not required),  # a line with the target's name is a header
            stacklevel=6,
        )
    return kept

"""Files that are no delimited text: which format a file has, and its columns as an Arrow table.

pandas and Arrow read Parquet, Feather, ORC, Stata and SAS; Excel needs `openpyxl` and SPSS needs `pyreadstat`, which
are installed when they are wanted. A spreadsheet becomes delimited text, since it may have titles, units and totals as
well. An ARFF file is delimited text below a header of its own. Any other format is named, with the way to a CSV."""

import csv
import datetime
import io
import re
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from pipeline.errors import UserError
from pipeline.overrides import override
from pipeline.reading import decoding, held
from pipeline.reading.decoding import Text
from pipeline.reading.options import Options

MAGIC = {
    b"PAR1": "Parquet",
    b"ARROW1": "Feather",
    b"FEA1": "Feather",
    b"ORC": "ORC",
    b"HEADER RECORD*******LIBRARY": "SAS transport",
    b"\0\0\0\0\0\0\0\0\0\0\0\0\xc2\xea\x81\x60": "SAS",
    b"<stata_dta>": "Stata",
    b"$FL2": "SPSS",
    b"$FL3": "SPSS",
    b"\xd0\xcf\x11\xe0": "Excel 97",
}
STATA = rb"[\x69-\x73][\x01\x02]\x01\x00"  # the formats 105 to 115, before those that begin with their name
EXCEL = (".xlsx", ".xlsm")
SAVE = "Save the table as CSV"
FOREIGN = {  # by the first bytes: what it is, and how it becomes a table that can be read
    rb"SQLite format 3\0": ("an SQLite database", "Save it as CSV: sqlite3 -header -csv FILE 'select * from TABLE'"),
    rb"\x89HDF": ("HDF5", "Save it as Parquet: pandas.read_hdf('FILE').to_parquet('t.parquet')"),
    rb"\x93NUMPY": ("a NumPy array", "Save it as CSV: numpy.savetxt('table.csv', numpy.load('FILE'), delimiter=',')"),
    rb"Obj\x01": ("Avro", "Save it as Parquet or CSV"),
    rb"%PDF": ("a PDF document", SAVE),
    rb"RD[ABX]\d|X\n\0\0\0": ("data of R", "Save it as CSV in R: write.csv(table, 'table.csv', row.names = FALSE)"),
    rb"\x80[\x02-\x05]": (
        "a pickle of Python",
        "Save it as Parquet: pandas.read_pickle('FILE').to_parquet('table.parquet')",
    ),
    rb"HEADER RECORD\*+LIBV8": ("a SAS transport file of version 8", SAVE),
    rb"MATLAB 5.0": ("a MATLAB file", "Save it as CSV in MATLAB: writetable(T, 'table.csv')"),
    rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body|table)": (
        "a web page",
        "Download the file itself, not its page",
    ),
    rb"(\xef\xbb\xbf)?\s*<\?xml": ("XML", f"{SAVE}: pandas.read_xml('FILE').to_csv('table.csv', index=False)"),
    rb"version https://git-lfs": ("a pointer of Git LFS, not the file itself", "Fetch it: git lfs pull"),
}
LIBRARIES = {"Excel": "openpyxl", "Excel 97": "xlrd", "OpenDocument": "odfpy", "SPSS": "pyreadstat"}
ENGINES: dict[str, Any] = {"Excel": "openpyxl", "Excel 97": "xlrd", "OpenDocument": "odf"}  # as pandas calls them


class Columns(NamedTuple):
    """The columns of a file that has their types, and a function that reads some of them, by position."""

    names: list[str]
    row_names: list[str]  # those that pandas saved as the index of its frame
    read: Callable[[list[int]], pa.Table]


def stored_as(path: Path) -> str:
    """The format of a file, from its first bytes; "text" if it is none of those above. Errors: `UserError`."""
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise UserError(f"{path} is empty (0 bytes). Give a table with a header and rows.")
    kind = next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), "text")
    if re.match(STATA, start) and path.suffix == ".dta":
        return "Stata"
    if start.startswith(b"PK\3\4"):
        return _packed_as(path)
    if kind == "text" and path.suffix in (".parquet", ".pq", ".feather", ".arrow", ".orc", ".dta", ".sas7bdat", ".sav"):
        raise UserError(
            f"{path} begins with {start[:4]!r}, so it is not a {path.suffix[1:]} file. Write it again, or, if it is "
            f"text, rename it to .csv."
        )
    if kind == "text":
        refuse_foreign(start, path)
    return kind


def refuse_foreign(start: bytes, path: Path) -> None:
    """Errors: `UserError` for a format that is not read, but known."""
    for magic, (name, step) in FOREIGN.items():
        if re.match(magic, start):
            raise UserError(
                f"{path} is {name}, which is not read. {step.replace('FILE', path.name)}; then set data.path."
            )


def _packed_as(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            decoding.check_growth(path, sum(entry.file_size for entry in archive.infolist()))
            if "mimetype" in names and b"opendocument.spreadsheet" in archive.read("mimetype"):
                return "OpenDocument"
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        return "Excel" if path.suffix in EXCEL else "text"
    if any(re.fullmatch(r"(.*/)?data\.pkl", name) or name.endswith(".npy") for name in names):
        raise UserError(f"{path} holds arrays of Python, which are not read. {SAVE}, and set data.path to it.")
    return "Excel" if any(name.startswith("xl/") for name in names) else "text"


def columns(path: Path, kind: str) -> Columns:
    """The columns of a file of the format `kind`. Errors: `UserError` if it is damaged, or a library is missing."""
    try:
        if kind == "Parquet":
            import pyarrow.parquet as parquet

            file = parquet.ParquetFile(path)
            schema = file.schema_arrow
            if len(set(schema.names)) == len(schema.names):

                def read(places: list[int]) -> pa.Table:
                    names = [schema.names[place] for place in places]
                    kept = pa.schema([schema.field(place) for place in places])
                    batches = pa.RecordBatchReader.from_batches(kept, file.iter_batches(columns=names))
                    groups = (file.metadata.row_group(k) for k in range(file.num_row_groups))
                    return held.joined(batches, sum(group.total_byte_size for group in groups))

                return Columns(schema.names, _index(schema), read)
        table = _table(path, kind)
        return Columns(table.column_names, _index(table.schema), table.select)
    except ImportError:
        raise _not_installed(path, kind) from None
    except Exception as error:  # of many libraries, none of which lists its own
        raise damaged(path, kind, error) from None


def damaged(path: Path, kind: str, error: Exception) -> UserError:
    problem = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
    return UserError(f"{path} is incomplete or damaged: {problem}. Write or copy the {kind} file again.")


def _table(path: Path, kind: str) -> pa.Table:
    if kind == "Parquet":
        import pyarrow.parquet as parquet

        return parquet.ParquetFile(path).read()
    if kind == "Feather":
        from pyarrow import feather

        return feather.read_table(path)
    if kind == "ORC":
        from pyarrow import orc

        return orc.read_table(path)
    if kind == "Stata":
        frame = _stata(path)
    elif kind == "SPSS":
        frame = pd.read_spss(path)
    else:
        frame = pd.read_sas(path, format="xport" if kind == "SAS transport" else "sas7bdat", encoding="infer")
    return _from_frame(frame)


def _stata(path: Path) -> pd.DataFrame:
    """With the labels of values, unless two values of a column have one label."""
    try:
        return pd.read_stata(path)
    except ValueError as error:
        if "labels" not in str(error):
            raise
        warnings.warn(f"{path} has two values with one label, so codes are read instead of labels.", stacklevel=7)
        return pd.read_stata(path, convert_categoricals=False)


def _from_frame(frame: pd.DataFrame) -> pa.Table:
    """Columns of several types, which Arrow has not, become strings."""
    arrays = []
    for _, column in frame.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(column.cat.categories.dtype)
        try:
            arrays.append(pa.array(column, from_pandas=True))
        except (pa.ArrowException, TypeError):
            arrays.append(pa.array([None if pd.isna(cell) else str(cell) for cell in column], pa.string()))
    return pa.Table.from_arrays(arrays, names=[str(name) for name in frame.columns])


def _index(schema: pa.Schema) -> list[str]:
    """The columns that pandas saved as the index of its frame. A range of numbers is not saved as a column."""
    try:
        saved = (schema.pandas_metadata or {}).get("index_columns", [])
    except ValueError:
        return []
    return [name for name in saved if isinstance(name, str) and name in schema.names]


def _not_installed(path: Path, kind: str) -> UserError:
    library = LIBRARIES[kind]
    return UserError(
        f"{path} is a file of {kind}. To read it, install a library: pip install {library}. Or save it as CSV and set "
        f"data.path to that file."
    )


def spreadsheet(path: Path, kind: str, sheet: str | int | None) -> Text:
    """A sheet as comma-separated text. Warns which one it is if there are several. Errors: `UserError`."""
    try:
        with pd.ExcelFile(path, engine=ENGINES[kind]) as book:
            names = book.sheet_names
            wanted = names[sheet or 0] if not isinstance(sheet, str) and (sheet or 0) < len(names) else sheet
            if wanted not in names:
                raise UserError(
                    f"{path} has no sheet {sheet!r}. Its sheets are {', '.join(map(repr, names[:10]))}: set data.sheet."
                )
            frame = pd.read_excel(book, sheet_name=wanted, header=None, dtype=object, na_filter=False)
    except ImportError:
        raise _not_installed(path, kind) from None
    except UserError:
        raise
    except Exception as error:  # of openpyxl, which has none of its own
        raise damaged(path, kind, error) from None
    if sheet is None and len(names) > 1:
        others = ", ".join(map(repr, names[1:10]))
        warnings.warn(
            f"{path} has {len(names)} sheets: {wanted!r} is read, not {others}. For another one: "
            f"{override('data.sheet', names[1])}.",
            stacklevel=4,
        )
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([_written(cell) for cell in row] for row in frame.itertuples(index=False))
    text = stream.getvalue()
    if "\0" in text or not text.strip(', \n"'):
        raise UserError(
            f"{path}: the sheet {wanted!r} is empty. Set data.sheet to one of {', '.join(map(repr, names))}."
        )
    return Text(text.encode("utf-8", "replace"))


def _written(cell: Any) -> str:
    """A cell of a spreadsheet as text."""
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(" ") if cell.time() != datetime.time() else cell.date().isoformat()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    return "" if cell is None else str(cell)


def arff(text: Text, path: Path, options: Options) -> tuple[Options, dict[str, str]] | None:
    """How to read an ARFF file as delimited text, and the kinds of its nominal columns; None if it is none.

    Source: https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/
    """
    start = text.start(1 << 20).decode("utf-8-sig", "ignore")
    if not re.match(r"(?i)(\s*(%[^\n]*)?\n)*\s*@relation\b", start):
        return None
    head = re.search(r"(?im)^\s*@data[^\n]*\n", start)
    if not head:
        raise UserError(f"{path} is ARFF, but has no line @data. Write it again, or save it as CSV.")
    attribute = r"""(?im)^\s*@attribute\s+('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+)\s+(\S.*)$"""
    specs = re.findall(attribute, start[: head.start()])
    names = [re.sub(r"\\(.)", r"\1", name[1:-1]) if name[0] in "'\"" else name for name, _ in specs]
    if re.match(r"(\s*(%[^\n]*)?\n)*\s*\{", start[head.end() :]):
        raise UserError(
            f"{path} is a sparse ARFF file, which is not read. Save it as CSV: in Weka, filter "
            f"SparseToNonSparse and save as CSV; then set data.path."
        )
    kinds = {name: "strings" for name, (_, kind) in zip(names, specs, strict=True) if re.match("(?i)[{]|string", kind)}
    body = start[head.end() :]
    quote = "'" if body.count("'") >= body.count('"') and "'" in body else '"'
    arff_options = replace(
        options,
        names=names,
        header=False,
        skip=start[: head.end()].count("\n"),
        comment=options.comment or "%",
        delimiter=options.delimiter or ("\t" if "\t" in body.split("\n")[0] else ","),
        quote=options.quote or quote,
        escape=options.escape or ("\\" if "\\" + quote in body else None),
    )
    return arff_options, kinds

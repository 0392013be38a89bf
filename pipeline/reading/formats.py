"""Files that are no delimited text: which format a file has, and its columns as an Arrow table.

pandas and Arrow read Parquet, Feather, ORC, Stata and SAS, Python reads SQLite; the others need a library of
`LIBRARIES`, which is installed when it is wanted. An ARFF file is delimited text below a header of its own. Any other
format is named, with the way to a CSV."""

import re
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from pipeline.errors import UserError
from pipeline.reading import databases, decoding, held
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
    b"SQLite format 3\0": "SQLite",
    b"RDX": "R",
    b"RDA": "R",
    b"RDB": "R",
    b"X\n\0\0\0": "R",
    b"A\n2\n": "R",
    b"A\n3\n": "R",
}
STATA = rb"[\x69-\x73][\x01\x02]\x01\x00"  # the formats 105 to 115, before those that begin with their name
EXCEL = (".xlsx", ".xlsm")
SAVE = "Save the table as CSV"
FOREIGN = {  # by the first bytes: what it is, and how it becomes a table that can be read
    rb"\x89HDF": ("HDF5", "Save it as Parquet: pandas.read_hdf('FILE').to_parquet('t.parquet')"),
    rb"\x93NUMPY": ("a NumPy array", "Save it as CSV: numpy.savetxt('table.csv', numpy.load('FILE'), delimiter=',')"),
    rb"Obj\x01": ("Avro", "Save it as Parquet or CSV"),
    rb"%PDF": ("a PDF document", SAVE),
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
LIBRARIES = {
    "Excel": "openpyxl",
    "Excel 97": "xlrd",
    "OpenDocument": "odfpy",
    "SPSS": "pyreadstat",
    "DuckDB": "duckdb",
    "R": "pyreadr",
}
SAVED = {  # what else makes a CSV, run where FILE is
    "DuckDB": """duckdb FILE -c "copy TABLE to 'table.csv'\"""",
    "R": """Rscript -e 'write.csv(readRDS("FILE"), "table.csv", row.names = FALSE)'""",
    "RData": """Rscript -e 'load("FILE"); write.csv(NAME, "table.csv", row.names = FALSE)'""",
}


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
    kind = begins_as(start) or "text"
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


def begins_as(start: bytes) -> str | None:
    """The format with these first bytes; None for those that are text, or not known."""
    kind = next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), None)
    return "DuckDB" if start[8:12] == b"DUCK" else kind


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


def columns(path: Path, kind: str, sheet: str | int | None = None, target: str | None = None) -> Columns:
    """The columns of a file of the format `kind`. Errors: `UserError` if it is damaged, or a library is missing.

    sheet, target  which of several tables (`databases.table`)
    """
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
        table = _table(path, kind, sheet, target)
        return Columns(table.column_names, _index(table.schema), table.select)
    except ImportError:
        raise not_installed(path, kind) from None
    except UserError:
        raise
    except Exception as error:  # of many libraries, none of which lists its own
        raise damaged(path, kind, error) from None


def damaged(path: Path, kind: str, error: Exception) -> UserError:
    problem = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
    return UserError(f"{path} is incomplete or damaged: {problem}. Write or copy the {kind} file again.")


def _table(path: Path, kind: str, sheet: str | int | None, target: str | None) -> pa.Table:
    if kind == "Parquet":
        import pyarrow.parquet as parquet

        return parquet.ParquetFile(path).read()
    if kind == "Feather":
        from pyarrow import feather

        return feather.read_table(path)
    if kind == "ORC":
        from pyarrow import orc

        return orc.read_table(path)
    if kind in databases.OPENERS:
        frame = databases.table(path, kind, sheet, target)
        if isinstance(frame, pa.Table):
            return frame
    elif kind == "Stata":
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


def not_installed(path: Path, kind: str) -> UserError:
    saved = SAVED.get("RData" if kind == "R" and path.suffix.lower() != ".rds" else kind, "").replace("FILE", path.name)
    return UserError(
        f"{path} is a file of {kind}. To read it, install a library: pip install {LIBRARIES[kind]}. Or save it as CSV"
        f"{f', {saved},' * bool(saved)} and set data.path to that file."
    )


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

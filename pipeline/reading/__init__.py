"""A user's file to a frame. It knows no configuration, and could be a package of its own.

table       a file to a frame with three kinds of columns
parts       the files of one table
chosen      which columns of a file are read
opened      a file of any format as text or columns
decoding    bytes to text: compression and encoding
formats     Parquet and other formats that are no delimited text
archives    tar, zip, and compressed files of these formats
spreadsheets  a sheet to delimited text
databases   SQLite, DuckDB and R: one of several tables
sparse      LIBSVM and Vowpal Wabbit
delimited   how a delimited text is written: delimiter, quotes, decimal mark
header      its header, and what stands above and below the rows
json        a table in JSON
body        delimited text to columns
cells       what a column is: numbers, strings or dates
advice      warnings and errors about what it is read as
typed       a column whose kind is known
strings     the distinct strings of a column
served      how cells that a model is served were spelt in training
numbers     strings to numbers
quantities  numbers with units
durations   durations on a clock
coordinates  latitude and longitude in one cell
addresses   parts of emails, URLs and IP addresses
dates       strings to dates
held        columns in memory or in files
rows        the rows of a file one chunk after the other, as they are written
options     how to read a file, and how its cells were found to be written
"""

from typing import TYPE_CHECKING, Any

from pipeline.reading.options import CellFormat, Options

if TYPE_CHECKING:
    from pipeline.reading.chosen import unknown_column
    from pipeline.reading.parts import files
    from pipeline.reading.table import Reading, read

_HOMES = {"Reading": ".table", "files": ".parts", "read": ".table", "unknown_column": ".chosen"}
__all__ = ["CellFormat", "Options", "Reading", "files", "read", "unknown_column"]


def __getattr__(name: str) -> Any:
    """What reads whole files is imported when it is first used: a served model only reads cells."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

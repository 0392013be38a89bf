"""A user's file to a frame. It knows no configuration, and could be a package of its own.

table       a file to a frame with three kinds of columns
decoding    bytes to text: compression and encoding
formats     spreadsheets, Parquet and other formats that are no delimited text
delimited   how a delimited text is written: delimiter, quotes, header
body        delimited text to columns
cells       the cells of a column to numbers, strings or dates
dates       strings to dates
held        columns in memory or in files
rows        the rows of a file one chunk after the other, as they are written
options     how to read a file, and how its cells were found to be written
"""

from pipeline.reading.options import CellFormat, Options
from pipeline.reading.table import Reading, files, read, unknown_column

__all__ = ["CellFormat", "Options", "Reading", "files", "read", "unknown_column"]

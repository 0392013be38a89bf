"""The rows of a file, one chunk after the other, with their cells as they are written: for a model that reads them.

Lines of text and batches of Parquet are read as they are needed, so memory does not grow with the file. Compressed
text, text in an old encoding or with comments or escapes, and files of other formats are read as a whole.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from pipeline.errors import UserError
from pipeline.reading import archives, body, decoding, delimited, formats
from pipeline.reading.chosen import unique_names
from pipeline.reading.opened import opened
from pipeline.reading.options import Options

ROWS = 10_000  # of a chunk


class Chunk(NamedTuple):
    """Consecutive rows: their index, which is called "line" or "row", has where each begins, counted from 1."""

    rows: pd.DataFrame
    wrong: dict[int, str]  # lines that are no rows, with the reason


def chunks(path: Path, expected: Sequence[str], options: Options | None = None, size: int = ROWS) -> Iterator[Chunk]:
    """The rows of the file in `path`, which should have the columns `expected`, `size` at a time.

    options  how the file is written, where it has no header with some of these names

    Errors: `UserError` where the file can't be read as a table.
    """
    if not path.is_file():
        what = "is not a file" if path.exists() else "doesn't exist"
        raise UserError(f"{path} {what}. Give a file with a header and rows, such as data/new.csv.")
    try:
        yield from _chunks(path, list(expected), options or Options(), size)
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror or error}. Check its permissions.") from None


def _chunks(path: Path, expected: list[str], options: Options, size: int) -> Iterator[Chunk]:
    with archives.unpacked(path, Options()) as (paths, _, _):
        for file in paths:
            yield from _of_file(file, expected, options, size)


def _of_file(path: Path, expected: list[str], options: Options, size: int) -> Iterator[Chunk]:
    if formats.stored_as(path) == "Parquet":
        import pyarrow.parquet as parquet

        try:
            yield from _batches(parquet.ParquetFile(path).iter_batches(size))
        except pa.ArrowException as error:
            raise formats.damaged(path, "Parquet", error) from None
        return
    file = opened(path, Options(sheet=options.sheet), next(iter(expected), None), expected)
    if isinstance(file.content, decoding.Text):
        yield from _lines(file.content, path, expected, file.options, options, size)
    else:
        columns = file.content
        yield from _batches(columns.read(list(range(len(columns.names)))).to_batches(size))


def _batches(batches: Iterator[pa.RecordBatch] | list[pa.RecordBatch]) -> Iterator[Chunk]:
    first = 1
    for batch in batches:
        frame = batch.to_pandas().reset_index(drop=True)
        yield Chunk(frame.set_axis(pd.RangeIndex(first, first + len(frame), name="row")), {})
        first += len(frame)


def _lines(
    text: decoding.Text, path: Path, expected: list[str], file_options: Options, options: Options, size: int
) -> Iterator[Chunk]:
    text = delimited.unwrapped(text, options)
    start = text.start(decoding.SAMPLE).decode("utf-8-sig", "ignore")
    first = [name for name in expected if name in start][:1]  # `sniff` looks for the header by the first name
    dialect = delimited.sniff(text, path, file_options, [*first, *expected])
    if len(options.names or ()) == len(dialect.names) and not {*expected} & {*dialect.names}:
        dialect = delimited.sniff(text, path, options)
    names, width = unique_names(dialect.names), len(dialect.names)
    stream = io.TextIOWrapper(body.plain(text, dialect).open(), "utf-8-sig", newline="")
    reader = csv.reader(islice(stream, dialect.skip, None), delimiter=dialect.delimiter, quotechar=dialect.quote)
    lines: list[int] = []
    rows: list[list[str]] = []
    wrong: dict[int, str] = {}

    def chunk() -> Chunk:
        index = pd.Index(lines, dtype="int64", name="line")
        return Chunk(pd.DataFrame(rows, index, names, dtype="str"), wrong)

    end = dialect.skip
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            row, wrong[end + 1] = [], str(error)
        line, end = end + 1, dialect.skip + reader.line_num
        if row is None:
            break
        if dialect.trailing and len(row) == width + 1 and not row[-1].strip():
            row.pop()
        if len(row) == width:
            lines.append(line)
            rows.append(row)
        elif row:
            wrong[line] = f"{len(row)} cell{'s' * (len(row) > 1)} instead of {width}"
        if len(rows) + len(wrong) >= size:
            yield chunk()
            lines, rows, wrong = [], [], {}
    if rows or wrong:
        yield chunk()

"""A file of any format as a text with rows, or as columns that have their types."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pipeline.reading import decoding, formats, json, sparse, spreadsheets
from pipeline.reading.decoding import Text
from pipeline.reading.formats import Columns
from pipeline.reading.options import Options


class Opened(NamedTuple):
    """kind  the format, "text" for delimited text
    content
    options  how a text is written
    kinds    of columns, where the file declares them
    """

    kind: str
    content: Text | Columns
    options: Options
    kinds: dict[str, str]


def opened(path: Path, options: Options, target: str | None, needed: Collection[str] = ()) -> Opened:
    """`target` decides which of several sheets or tables; of sparse rows, columns that are `needed` are there."""
    kind = formats.stored_as(path)
    if kind in spreadsheets.ENGINES:
        text = spreadsheets.spreadsheet(path, kind, options.sheet, target)
        return Opened("text", text, replace(options, delimiter=",", quote='"', escape='"'), {})
    if kind != "text":
        return Opened(kind, formats.columns(path, kind, options.sheet, target), options, {})
    text = decoding.text(path, options.compression, options.encoding)
    table = json.json_table(text, path) if json.is_json(text) else sparse.table(text, path, needed)
    if table is not None:
        return Opened("JSON", Columns(table.column_names, [], table.select), options, {})
    return Opened("text", text, *(formats.arff(text, path, options) or (options, {})))

"""A sheet of a spreadsheet as comma-separated text, since it may have titles, units and totals as that may.

A merged area has its value in one cell of the file; a formula has the value that a program computed last, or none.
"""

import csv
import datetime
import io
import re
import shlex
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.overrides import override
from pipeline.reading import formats
from pipeline.reading.decoding import Text

ENGINES: dict[str, Any] = {"Excel": "openpyxl", "Excel 97": "xlrd", "OpenDocument": "odf"}  # as pandas calls them
TOP = 100  # rows in which a header may be
Area = tuple[int, int, int, int]  # first row, first column, and the row and the column after the last, from 0


def spreadsheet(path: Path, kind: str, sheet: str | int | None, expected: str | None = None) -> Text:
    """The sheet, or if none is given the one with most cells below a cell `expected`. Errors: `UserError`.

    Warns which one it is if there are several, of merged areas, which are filled, and of formulas without a value.
    """
    try:
        with pd.ExcelFile(path, engine=ENGINES[kind]) as book:
            names = book.sheet_names
            wanted = names[sheet or 0] if not isinstance(sheet, str) and (sheet or 0) < len(names) else sheet
            if wanted not in names:
                raise UserError(
                    f"{path} has no sheet {sheet!r}. Its sheets are {', '.join(map(repr, names[:10]))}: set data.sheet."
                )
            if sheet is None and len(names) > 1:
                wanted = max(names, key=lambda name: _below(book, name, expected))
                others = ", ".join(repr(name) for name in names[:10] if name != wanted)
                other = next(name for name in names if name != wanted)
                reason = f", which has a cell {expected!r}," if wanted != names[0] else ""
                warnings.warn(
                    f"{path} has {len(names)} sheets: {wanted!r}{reason} is read, not {others}. For another one: "
                    f"{override('data.sheet', other)}.",
                    stacklevel=4,
                )
            frame = pd.read_excel(book, sheet_name=wanted, header=None, dtype=object, na_filter=False)
        place = names.index(wanted)
        _fill(frame, _areas(path, kind, place), path)
        if kind == "Excel":
            _warn_of_formulas(frame, path, place)
    except ImportError:
        raise formats.not_installed(path, kind) from None
    except UserError:
        raise
    except Exception as error:  # of openpyxl, which has none of its own
        raise formats.damaged(path, kind, error) from None
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([_written(cell) for cell in row] for row in frame.itertuples(index=False))
    text = stream.getvalue()
    if "\0" in text or not text.strip(', \n"'):
        raise UserError(
            f"{path}: the sheet {wanted!r} is empty. Set data.sheet to one of {', '.join(map(repr, names))}."
        )
    return Text(text.encode("utf-8", "replace"))


def _below(book: pd.ExcelFile, sheet: str | int, expected: str | None) -> int:
    """The number of cells below the first that is `expected`; -1 where there is none. A list of columns has few."""
    top = pd.read_excel(book, sheet_name=sheet, header=None, dtype=object, na_filter=False, nrows=TOP)
    written = top.map(lambda cell: _written(cell).strip()).to_numpy()
    places = np.argwhere(written == expected)
    return int((written[places[0, 0] + 1 :, places[0, 1]] != "").sum()) if len(places) else -1


def _areas(path: Path, kind: str, place: int) -> list[Area]:
    """The merged areas of the sheet at `place`."""
    if kind == "Excel":
        if not _sheets_match(path, rb"<(\w+:)?mergeCell "):  # else all is read once more, cell by cell
            return []
        import openpyxl

        ranges = openpyxl.load_workbook(path, data_only=True).worksheets[place].merged_cells.ranges
        return sorted((area.min_row - 1, area.min_col - 1, area.max_row, area.max_col) for area in ranges)
    if kind == "Excel 97":
        import xlrd

        merged = xlrd.open_workbook(path, formatting_info=True).sheet_by_index(place).merged_cells
        return sorted((top, left, bottom, right) for top, bottom, left, right in merged)
    return _areas_of_opendocument(path, place)


def _areas_of_opendocument(path: Path, place: int) -> list[Area]:
    from odf import namespaces, opendocument, table

    def number(element: Any, name: str) -> int:
        return int(element.attributes.get((namespaces.TABLENS, f"number-{name}"), 1))

    areas, top = [], 0
    sheet = opendocument.load(str(path)).getElementsByType(table.Table)[place]
    for row in sheet.getElementsByType(table.TableRow):
        left = 0
        for cell in row.childNodes:
            bottom, right = top + number(cell, "rows-spanned"), left + number(cell, "columns-spanned")
            if (bottom, right) != (top + 1, left + 1):
                areas.append((top, left, bottom, right))
            left += number(cell, "columns-repeated")
        top += number(row, "rows-repeated")
    return areas


def _sheets_match(path: Path, pattern: bytes) -> bool:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if re.match(r"xl/worksheets/.*\.xml$", name)]
        return any(re.search(pattern, archive.read(name)) for name in names)


def _fill(frame: pd.DataFrame, areas: list[Area], path: Path) -> None:
    """Write the value of each merged area into all its cells. Warns of each column, with the number of cells.

    A title over the whole table, beside which its rows have nothing, stays as it is.
    """
    filled: dict[int, int] = {}
    for top, left, bottom, right in areas:
        beside = frame.iloc[top:bottom].drop(columns=frame.columns[left:right])
        cell = frame.iloc[top, left] if top < len(frame) and left < frame.shape[1] else ""
        if cell == "" or (right - left > 1 and (beside == "").all(axis=None)):
            continue
        bottom, right = min(bottom, len(frame)), min(right, frame.shape[1])
        for column in range(left, right):
            frame.iloc[top:bottom, column] = cell  # type: ignore[assignment]
        for column in range(left, right):
            filled[column] = filled.get(column, 0) + bottom - top - (column == left)
    _join_header(frame, areas)
    if columns := [f"{_called(frame, column)} ({count:,} cells)" for column, count in sorted(filled.items()) if count]:
        warnings.warn(
            f"{path}: merged cells are filled with the value of their area: {', '.join(columns)}. If they should stay "
            f"empty, unmerge them in the file.",
            stacklevel=5,
        )


def _join_header(frame: pd.DataFrame, areas: list[Area]) -> None:
    """Of a header in two rows, keep the lower: the upper has names of groups, and else only cells merged with it.

    Names that repeat in the lower row get that of their group before them.
    """
    for top in {top for top, left, bottom, right in areas if bottom - top == 1 < right - left}:
        below = {column for area in areas if area[0] == top < area[2] - 1 for column in range(area[1], area[3])}
        groups = {column for area in areas if area[0] == top == area[2] - 1 for column in range(area[1], area[3])}
        known = {column for column in range(frame.shape[1]) if frame.iloc[top, column] != ""}
        if not below or not known <= below | groups or top + 1 == len(frame):
            continue
        names = frame.iloc[top + 1].map(_written)
        for column in groups & set(range(frame.shape[1])):
            if (names == names.iloc[column]).sum() > 1:
                frame.iloc[top + 1, column] = f"{_written(frame.iloc[top, column])} {names.iloc[column]}"
        frame.iloc[top] = ""


def _warn_of_formulas(frame: pd.DataFrame, path: Path, place: int) -> None:
    """Warn of the cells whose formula has no value, since no program has computed it."""
    if not _sheets_match(path, rb"<(\w+:)?f[ />]"):
        return
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(path, read_only=True)
    empty: dict[int, int] = {}
    for row, cells in enumerate(book.worksheets[place].iter_rows(max_row=len(frame))):
        for cell in cells:
            column = getattr(cell, "column", 0) - 1  # 0 of a cell that is not in the file
            if getattr(cell, "data_type", "") == "f" and (column >= frame.shape[1] or frame.iloc[row, column] == ""):
                empty[column] = empty.get(column, 0) + 1
    book.close()
    if empty:
        convert = ["libreoffice", "--convert-to", "xlsx", "--outdir", "data", str(path)]
        columns = ", ".join(f"{_called(frame, column)} ({count:,} cells)" for column, count in sorted(empty.items()))
        warnings.warn(
            f"{path}: formulas that were never calculated are missing cells: {columns}. Open the file in a spreadsheet "
            f"program and save it, or: {shlex.join(convert)}.",
            stacklevel=5,
        )


def _called(frame: pd.DataFrame, column: int) -> str:
    """A column as the spreadsheet calls it, and its first string: C 'weight'."""
    letters, rest = "", column + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(ord("A") + letter) + letters
    cells = frame.iloc[:TOP, column].tolist() if column < frame.shape[1] else []
    name = next((cell for cell in cells if isinstance(cell, str) and cell.strip()), None)
    return f"column {letters}" if name is None else f"column {letters} {name[:60]!r}"


def _written(cell: Any) -> str:
    """A cell of a spreadsheet as text."""
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(" ") if cell.time() != datetime.time() else cell.date().isoformat()
    if isinstance(cell, datetime.timedelta):  # of the format [h]:mm: 8 hours are no time of day
        return str(pd.Timedelta(cell))
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    return "" if cell is None else str(cell)

"""A model as a workbook whose formulas are visible: a row to fill in, a sheet to paste many rows into, and tables.

The tables hold what each number (LOOKUP) or string (EXACT) adds. A contribution is the sum of the expressions of its
columns less that of the average training row; the margin is what the average row has, and all contributions.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from pipeline.columns.terms import expression as e
from pipeline.columns.terms.lists import BRACKETS
from pipeline.errors import UserError
from pipeline.export.formula import Formula, spelt

BOLD, INPUT = Font(bold=True), PatternFill("solid", fgColor="FFF6D5")
LONGEST = 8_000  # characters of a formula
LOWEST = -1e300  # below all numbers of a LOOKUP
PARTS = {"year": "YEAR", "month": "MONTH", "day": "DAY", "hour": "HOUR", "minute": "MINUTE"}

Reference = Callable[[str], str]  # the cell of a column


def write(formula: Formula, title: str, path: Path, n_rows: int) -> None:
    """Write the workbook; `n_rows` are those of the sheet for many rows.

    Errors: `UserError` for a model of which a contribution is longer than a formula may be.
    """
    book = Workbook()
    one, many, tables = book.active, book.create_sheet("many rows"), _Tables(book.create_sheet("tables"), formula)
    one.title = "one row"
    _one_row(one, formula, tables, title)
    _many_rows(many, formula, tables, n_rows)
    for sheet in (one, many):
        for column in range(1, sheet.max_column + 1):
            sheet.column_dimensions[get_column_letter(column)].width = 22
    book.save(path)


def _one_row(sheet: Worksheet, formula: Formula, tables: "_Tables", title: str) -> None:
    sheet.append([title])
    sheet.append(["column", "fill in"])
    place = {name: f"$B${row}" for row, name in enumerate(formula.columns, 3)}
    for name in formula.columns:
        row = int(place[name].removeprefix("$B$"))
        _string(sheet.cell(row, 1), name)
        sheet.cell(row, 2).fill = INPUT
    first = len(place) + 4
    for k, (name, value) in enumerate(_results(formula, tables, place.__getitem__, lambda k: f"$B${first + k}")):
        _string(sheet.cell(first + k, 1), name)
        sheet.cell(first + k, 2, value)
    for row in (1, 2):
        for cell in sheet[row]:
            cell.font = BOLD
    sheet.freeze_panes = "A3"


def _many_rows(sheet: Worksheet, formula: Formula, tables: "_Tables", n_rows: int) -> None:
    n = len(formula.columns)
    letters = [get_column_letter(k + 1) for k in range(n)]
    for k, name in enumerate(formula.columns):
        _string(sheet.cell(1, k + 1), name)
    for row in range(2, n_rows + 2):
        place = {name: f"${letter}{row}" for name, letter in zip(formula.columns, letters, strict=True)}
        is_empty = f"COUNTA(${letters[0]}{row}:${letters[-1]}{row})=0"
        results = _results(formula, tables, place.__getitem__, partial(_place, row, n + 1))
        for k, (name, value) in enumerate(results):
            if row == 2:
                _string(sheet.cell(1, n + 1 + k), name)
            sheet.cell(row, n + 1 + k, f'=IF({is_empty},"",{value[1:]})')
        for k in range(n):
            sheet.cell(row, k + 1).fill = INPUT
    for cell in sheet[1]:
        cell.font = BOLD
    sheet.freeze_panes = sheet.cell(2, n + 1)


def _place(row: int, first: int, k: int) -> str:
    return f"{get_column_letter(first + k)}{row}"


def _results(
    formula: Formula, tables: "_Tables", cell: Reference, result: Callable[[int], str]
) -> list[tuple[str, str]]:
    """Names and formulas: probabilities, decision, margins, and contributions. `result(k)` is the cell of the k-th."""
    f = formula
    labels = f.classes if len(f.intercept) > 1 else [""]
    n_classes, n_columns = len(f.classes), len(f.intercept)
    margins = [result(n_classes + 1 + k) for k in range(n_columns)]
    shares = _probabilities(f, tables, margins)
    results = [(f"probability_{name}", f"={share}") for name, share in zip(f.classes, shares, strict=True)]
    results.append(("decision", f"={_decision(f, margins, result(f.place))}"))
    first = n_classes + 1 + n_columns
    for k, label in enumerate(labels):
        start = f.intercept[k] + f.sign * sum(group.average[k] for group in f.groups)
        cells = [result(first + k * len(f.groups) + g) for g in range(len(f.groups))]
        results.append((f"log-odds {label}".strip(), f"={start!r}+{f.sign}*({_total(cells)})"))
    for k, label in enumerate(labels):
        for group in f.groups:
            written = "+".join(tables.written(each, cell) for each in group.expressions[k]) or "0"
            value = f"={f.sign}*({written})-{group.average[k]!r}".replace("--", "+")
            if len(value) > LONGEST:
                raise UserError(
                    f"what {group.name!r} adds takes a formula of {len(value):,} characters, and a workbook takes "
                    f"{LONGEST:,}. Write the model as a program: `python -m pipeline export model.py`."
                )
            results.append((f"contribution_{group.name}" + (f": {label}" if label else ""), value))
    return results


def _probabilities(f: Formula, tables: "_Tables", margins: Sequence[str]) -> list[str]:
    if len(margins) == 1:
        shares = [_sigmoid(f"-{margins[0]}"), _sigmoid(margins[0])]
    elif f.multiclass == "softmax":
        shares = [f"EXP({z}-MAX({','.join(margins)}))" for z in margins]
    else:
        shares = [_sigmoid(z) for z in margins]
    if len(margins) > 1:
        shares = [f"{share}/({_total(shares)})" for share in shares]
    if f.calibration and "x" in f.calibration:
        second = tables.interpolated(shares[1], f.calibration["x"], f.calibration["y"])
        return [f"1-({second})", second]
    if f.calibration:
        inverse = 1 / f.calibration["temperature"]
        powers = [f"EXP(MAX(-700,{inverse!r}*LN(MAX({share},1E-300))))" for share in shares]
        return [f"{power}/({_total(powers)})" for power in powers]
    return shares


def _decision(f: Formula, margins: Sequence[str], probability: str) -> str:
    if f.threshold is not None:
        return f"IF({probability}>={f.threshold!r},{_text(f.classes[f.place])},{_text(f.classes[1 - f.place])})"
    if len(margins) == 1:
        return f"IF({margins[0]}>0,{_text(f.classes[1])},{_text(f.classes[0])})"
    row = f"{margins[0]}:{margins[-1]}"
    return f"CHOOSE(MATCH(MAX({row}),{row},0),{','.join(map(_text, f.classes))})"


def _sigmoid(z: str) -> str:
    return f"1/(1+EXP(MIN(700,{z[1:] if z.startswith('-') else '-' + z})))"


def _total(cells: Sequence[str]) -> str:
    return "+".join(cells) or "0"


def _text(string: str) -> str:
    return '"' + string.replace('"', '""') + '"'


def _string(cell: Cell, value: str) -> None:
    """Also where it looks like a formula or a number."""
    cell.value, cell.data_type = value, "s"


class _Tables:
    """What numbers and strings add: each table has columns of its own, and is written once."""

    def __init__(self, sheet: Worksheet, formula: Formula) -> None:
        self.sheet, self.formula, self.free = sheet, formula, count(1)
        self.ranges: dict[Any, list[str]] = {}
        self.missing = self._range("missing", [("missing", formula.missing)])[0]

    def written(self, node: e.Expression, cell: Reference) -> str:
        match node:
            case e.Constant(value):
                return f"({value!r})"
            case e.Number(column):
                return f"VALUE({cell(column)})"
            case e.DatePart(column, part):
                return f"WEEKDAY({cell(column)},3)" if part == "day_of_week" else f"{PARTS[part]}({cell(column)})"
            case e.Missing(column, missing, present):
                absent = f"SUMPRODUCT(--EXACT({self.missing},TRIM({cell(column)})))>0"
                return f"IF({absent},{self.written(missing, cell)},{self.written(present, cell)})"
            case e.Clipped(x, low, high):
                return f"MIN(MAX({self.written(x, cell)},{low!r}),{high!r})"
            case e.Straight(x, centre, scale, slope):
                return f"({slope!r})*(({self.written(x, cell)}-({centre!r}))/{scale!r})"
            case e.Steps(x, edges, values):
                names = ("from", [LOWEST, *edges]), ("adds", values)
                lows, numbers = self._range(("steps", *edges, *values), names)
                return f"LOOKUP({self.written(x, cell)},{lows},{numbers})"
            case e.Lookup(column, values, other):
                return self._lookup(column, values, other, cell(column))
            case e.Words(column):
                raise UserError(
                    f"the words of {column!r} can't be written as formulas. Write the model as a page or a program: "
                    f"`python -m pipeline export model.html`."
                )
            case e.Values(column, delimiter, values):
                return self._values(column, delimiter, values, cell(column))
            case e.Grid(row, column, values):
                lines = [(f"{j}", [line[j] for line in values]) for j in range(len(values[0]))]
                ranges = self._range(("grid", *map(tuple, values)), lines)
                both = f"{ranges[0].split(':')[0]}:{ranges[-1].split(':')[1]}"
                return f"INDEX({both},{self.written(row, cell)}+1,{self.written(column, cell)}+1)"

    def interpolated(self, p: str, x: Sequence[float], y: Sequence[float]) -> str:
        """The straight lines between the points (x, y), from each x on: the last where several are equal."""
        gaps = np.diff(x)
        slopes = [*np.divide(np.diff(y), gaps, out=np.zeros(len(gaps)), where=gaps > 0).tolist(), 0.0]
        names = ("from", [LOWEST, *x]), ("is", [y[0], *y]), ("slope", [0.0, *slopes]), ("at", [0.0, *x])
        lows, starts, ups, at = self._range(("points", *x, *y), names)
        return f"LOOKUP({p},{lows},{starts})+LOOKUP({p},{lows},{ups})*({p}-LOOKUP({p},{lows},{at}))"

    def _lookup(self, column: str, values: dict[str, float], other: float, cell: str) -> str:
        numbers = dict(values)
        for form, category in spelt(self.formula.categories[column]).items():
            for written in (form.removeprefix("#"), form.upper(), form.capitalize()):
                if category in values:
                    numbers.setdefault(written, values[category])
        names = ("string", list(numbers)), ("adds", [value - other for value in numbers.values()])
        strings, adds = self._range(("strings", column, *numbers.values(), other), names)
        return f"(({other!r})+SUMPRODUCT(EXACT(TRIM({strings}),TRIM({cell}))*{adds}))"

    def _values(self, column: str, delimiter: str, values: dict[str, float], cell: str) -> str:
        if delimiter in (BRACKETS, "\n"):
            raise UserError(
                f"the lists of {column!r} can't be written as formulas. Write the model as a page or a program: "
                f"`python -m pipeline export model.html`."
            )
        mark = _text(delimiter or "\x1f")
        names = ("value", list(values)), ("adds", list(values.values()))
        strings, numbers = self._range(("values", column, *values.values()), names)
        plain = f'SUBSTITUTE(SUBSTITUTE({cell},{mark}&" ",{mark})," "&{mark},{mark})'
        found = f"ISNUMBER(FIND({mark}&{strings}&{mark},{mark}&{plain}&{mark}))"
        return f"SUMPRODUCT({found}*{numbers})" if values else "0"

    def _range(self, key: Any, columns: Sequence[tuple[str, Sequence[Any]]]) -> list[str]:
        """The ranges of columns with these headings, one for each."""
        if key not in self.ranges:
            self.ranges[key] = []
            for heading, values in columns:
                place = next(self.free)
                letter = get_column_letter(place)
                _string(self.sheet.cell(1, place), heading)
                for row, value in enumerate(values, 2):
                    cell = self.sheet.cell(row, place)
                    _string(cell, value) if isinstance(value, str) else setattr(cell, "value", value)
                self.ranges[key].append(f"tables!${letter}$2:${letter}${len(values) + 1}")
        return self.ranges[key]

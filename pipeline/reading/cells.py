"""The cells of a column as numbers, dates or strings; a cell that does not fit the others is an error that names it.

Each distinct string is examined once, however many rows have it: a column of a million rows with five distinct strings
costs five.
"""

import re
import shlex
import warnings
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import UserError
from pipeline.reading.dates import as_dates, guesses
from pipeline.reading.delimited import NUMBER
from pipeline.reading.options import CellFormat, override

LARGEST = 1e150  # its square is still a float64
YEARS = -62_135_596_800_000_000, 253_402_300_799_999_999  # 1 to 9999, in microseconds after 1970
THOUSANDS = r"^[+-]?[1-9]\d{0,2}([,.'\s\x{a0}\x{202f}]\d{3})+([.,]\d+)?$"  # RE2's syntax
TIME = pa.timestamp("us")
MOSTLY = 0.9  # share of numbers from which a cell that is not a number is taken for a mistake ...
CATEGORIES = 20  # ... unless so few distinct values are more likely categories (`0`, `1`, `2`, `3+`)
CORRECT = "Correct it, or add it to data.missing_values"
UNIT = r"(%|[$€£¥]|°[CF]|USD|EUR|GBP|[kcm]?m|k?g|lbs?|in|ft|k?Wh?|m?s|h)"
QUANTITY = rf"^[(+-]*\s*[$€£¥]?\s*\d[\d,.]*\s*{UNIT}?\)?$"


@dataclass(frozen=True)
class Strings:
    """A column of strings.

    distinct   each string once, null if it means missing
    positions  for each row the position of its string in `distinct`, -1 if the cell was null already
    """

    name: str
    distinct: pa.Array
    positions: np.ndarray

    @property
    def known(self) -> np.ndarray:
        return _mask(self.distinct.is_valid())

    def are_mostly(self, which: np.ndarray) -> bool:
        counts = np.bincount(self.positions[self.positions >= 0], minlength=len(self.distinct))
        return bool(counts[which & self.known].sum() >= MOSTLY * counts[self.known].sum())

    def spread(self, values: pa.Array) -> pa.Array:
        """`values`, one per distinct string, to the rows."""
        return values.take(pa.array(self.positions, mask=self.positions < 0))

    def error(self, wrong: np.ndarray, problem: str, step: str) -> UserError:
        """The error that names the first cell whose string is `wrong`, and counts them all."""
        rows = np.flatnonzero(np.append(wrong & self.known, False)[self.positions])
        string = self.distinct[int(self.positions[rows[0]])].as_py()
        return _error(self.name, int(rows[0]), repr(string[:60]), problem, len(rows), step)


def parse(
    column: pa.ChunkedArray, name: str, cell_format: CellFormat, kind: str | None = None
) -> tuple[pa.Array | pa.ChunkedArray, str | None]:
    """`column` as float64, string or timestamp, and the format of its dates if these were strings.

    `kind` is numbers, strings or dates; if it is None, the cells decide. Errors: `UserError` for a cell that does not
    fit the kind or the other cells.
    """
    stored = column.type
    if pa.types.is_dictionary(stored):
        column, stored = column.cast(stored.value_type), stored.value_type
    is_string = pa.types.is_string(stored) or pa.types.is_large_string(stored) or pa.types.is_string_view(stored)
    try:
        if pa.types.is_time(stored):  # on 1970-01-01: year, month and day are constant, and so no features
            return column.cast(pa.time64("us")).cast(pa.int64()).cast(TIME), None
        if pa.types.is_temporal(stored) and kind in (None, "dates"):
            return _within_years(column.cast(TIME, safe=False), name), None
        is_boolean = pa.types.is_boolean(stored) and kind != "numbers"  # the strings "true" and "false", not 1 and 0
        if is_string or is_boolean or kind in ("strings", "dates") or name in cell_format.replace:
            strings = _strings(column, name, cell_format)
            if kind == "strings" or is_boolean:
                return strings.spread(strings.distinct), None
            if kind == "dates":
                return _dates(strings, cell_format, certain=True)
            return _inferred(strings, cell_format, kind)
        return _number(column.cast(pa.float64(), safe=False), name, cell_format), None
    except pa.ArrowException as error:
        raise UserError(
            f"column {name!r} of {stored} can't be read as numbers, strings or dates: {error}. Change it in the file, "
            f"or leave it out with data.drop."
        ) from None


def _strings(column: pa.ChunkedArray, name: str, cell_format: CellFormat) -> Strings:
    if pa.types.is_floating(column.type) and pc.all(pc.equal(pc.floor(column), column)).as_py():
        column = column.cast(pa.int64(), safe=False)  # 1 is stored as 1.0 where a cell is missing; it is the string "1"
    encoded = column.cast(pa.large_string()).combine_chunks().dictionary_encode()
    distinct = pc.utf8_trim_whitespace(encoded.dictionary)
    if others := cell_format.replace.get(name):
        distinct = pa.array([others.get(string, string) for string in distinct.to_pylist()], pa.large_string())
    is_missing = pc.is_in(distinct, pa.array(list(cell_format.missing_values), pa.large_string()))
    return Strings(name, pc.if_else(is_missing, None, distinct), encoded.indices.fill_null(-1).to_numpy())


def _inferred(strings: Strings, cell_format: CellFormat, kind: str | None) -> tuple[pa.Array, str | None]:
    known = strings.known
    if not known.any():
        return pa.nulls(len(strings.positions), pa.float64()), None
    plain = pc.replace_substring_regex(strings.distinct, r"^\+", "")  # Arrow does not parse +1
    if mark := cell_format.thousands:
        groups = rf"^-?\d{{1,3}}(\Q{mark}\E\d{{2,3}})*\Q{mark}\E\d{{3}}(\D\d+)?$"  # not 01.02.2023
        plain = pc.if_else(pc.match_substring_regex(plain, groups), pc.replace_substring(plain, mark, ""), plain)
    if cell_format.decimal == ",":  # and then a cell with a point in it is not a number
        plain = pc.replace_substring(pc.replace_substring(plain, ".", "?"), ",", ".")
    is_number = _mask(pc.match_substring_regex(plain, f"^({NUMBER})$"))
    if is_number[known].all():
        return _number(strings.spread(plain.cast(pa.float64())), strings.name, cell_format), None
    grouped = _mask(pc.match_substring_regex(strings.distinct, THOUSANDS))
    if (is_number | grouped)[known].all():
        raise strings.error(grouped, "has a thousands separator", _grouping(strings.distinct.filter(pa.array(grouped))))
    other = "." if cell_format.decimal == "," else ","
    decimals = _mask(pc.match_substring_regex(strings.distinct, rf"^[+-]?\d+[{other}]\d+$"))
    if (is_number | decimals)[known].all():
        mark = "comma" if other == "," else "point"
        raise strings.error(decimals, f"has a decimal {mark}", f"Set it: {_setting('decimal', other)}")
    if kind == "numbers":
        raise strings.error(~is_number, "is not a number", CORRECT)
    dates, date_format = _dates(strings, cell_format, certain=False)
    if dates is not None:
        return dates, date_format
    if strings.are_mostly(is_number) and known.sum() > CATEGORIES:
        raise strings.error(
            ~is_number, "is not a number, but most cells of this column are", _or_as_strings(strings.name)
        )
    quantity = _mask(pc.match_substring_regex(strings.distinct, QUANTITY)) & ~is_number
    if strings.are_mostly(quantity):
        example = strings.distinct[int(np.flatnonzero(quantity)[0])].as_py()
        warnings.warn(
            f"column {strings.name!r} holds strings such as {example!r}, not numbers. If it should hold numbers, "
            f"remove currency signs, brackets and units from the file.",
            stacklevel=2,
        )
    return strings.spread(strings.distinct), None


def _or_as_strings(name: str) -> str:
    return f"{CORRECT}, or read this column as strings: {override('data.roles', name, 'categorical')}"


def _grouping(grouped: pa.Array) -> str:
    """The settings that read numbers such as `1.234.567,8` or `1,234`."""
    marks = [re.sub(r"[+\-\d]", "", string) for string in grouped.to_pylist()]
    longest = max(marks, key=len)
    decimal = longest[-1] if longest[-1] != longest[0] else None
    step = f"Set it: {_setting('thousands', longest[0])}" + (f" {_setting('decimal', decimal)}" if decimal else "")
    return step + (f"; or, if it is a decimal mark, {_setting('decimal', longest)}" if longest in (",", ".") else "")


def _setting(key: str, value: str) -> str:
    return "-S " + shlex.quote(f'data.{key}="{value}"')


def _dates(strings: Strings, cell_format: CellFormat, *, certain: bool) -> tuple[pa.Array | None, str | None]:
    """The column as dates, and their format. If it holds none: an error if it is `certain` to hold dates, else None."""
    known = strings.distinct.to_pandas().dropna()
    if not len(known):
        return pa.nulls(len(strings.positions), TIME), None
    given = cell_format.date_format
    if given is not None and not isinstance(given, str):
        given = given.get(strings.name)
    formats = [given] if given else guesses(known)
    if certain or formats:
        formats = [*dict.fromkeys([*formats, "ISO8601"])]
    readings = {date_format: as_dates(known, date_format) for date_format in formats}
    complete = {date_format: dates for date_format, dates in readings.items() if dates.notna().all()}
    if complete:
        first, dates = next(iter(complete.items()))
        if not given and any(not others.equals(dates) for others in complete.values()):
            raise strings.error(
                strings.known,
                f"can be read as {' or '.join(complete)}",
                f"Set the format that is right, such as {_setting('date_format', first)}",
            )
        dates = dates.reindex(range(len(strings.distinct)))
        return strings.spread(pa.Array.from_pandas(dates, type=TIME)), first
    shapes = known.str.replace(r"\d+", "0", regex=True)
    for date_format, dates in readings.items():
        is_date, wrong = dates.notna(), np.isin(np.arange(len(strings.distinct)), known.index[dates.isna()])
        alike = is_date.any() and shapes[~is_date].isin(shapes[is_date]).all()  # 2023-02-30 among dates
        if alike or (is_date.any() and (certain or strings.are_mostly(~wrong))):
            raise strings.error(wrong, f"is not a date of the format {date_format}", _or_as_strings(strings.name))
    if certain:
        problem = f"is not a date of the format {given}" if given else "is not a date of a known format"
        raise strings.error(strings.known, problem, "Set data.date_format, or change the column's role in data.roles")
    return None, None


def _number(column: pa.Array | pa.ChunkedArray, name: str, cell_format: CellFormat) -> pa.Array | pa.ChunkedArray:
    """Finite numbers, and null for those that mean missing."""
    if unknown := [float(string) for string in cell_format.missing_values if re.fullmatch(NUMBER, string)]:
        column = pc.if_else(pc.is_in(column, pa.array(unknown)), pa.scalar(None, pa.float64()), column)
    _refuse(
        column,
        pc.greater(pc.abs(column), LARGEST),
        name,
        f"is infinite, or its absolute value is larger than {LARGEST:g}",
    )
    return column


def _within_years(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    microseconds = column.cast(pa.int64())
    outside = pc.or_(pc.less(microseconds, YEARS[0]), pc.greater(microseconds, YEARS[1]))
    _refuse(microseconds, outside, name, "microseconds after 1970 is a date outside the years 1 to 9999")
    return column


def _refuse(column: pa.Array | pa.ChunkedArray, wrong: pa.Array | pa.ChunkedArray, name: str, problem: str) -> None:
    """An error if some numbers are `wrong`: it names the first and counts them all."""
    if count := pc.sum(wrong).as_py():
        row = pc.index(wrong, True).as_py()
        raise _error(name, row, str(column[row].as_py()), problem, count, CORRECT)


def _error(name: str, row: int, cell: str, problem: str, count: int, step: str) -> UserError:
    cells = f"{count:,} such cells" if count > 1 else "the only such cell"
    return UserError(f"row {row + 1:,}, column {name!r}: {cell} {problem} ({cells}). {step}.")


def _mask(column: pa.Array) -> np.ndarray:
    return column.fill_null(False).to_numpy(zero_copy_only=False)

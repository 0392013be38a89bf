"""A column whose kind is known, as numbers, dates or strings: all that a served model needs of this room.

Errors name the first cell that does not fit, and count such cells.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import CellError
from pipeline.overrides import override
from pipeline.reading import addresses, coordinates, numbers, quantities
from pipeline.reading.dates import EXCEL, SERIALS, as_dates, guesses, swapped
from pipeline.reading.numbers import NUMBER, Numbers, mask
from pipeline.reading.options import CellFormat
from pipeline.reading.strings import EXACT, Strings, cell_error, encoded, largest

LARGEST = 1e300  # the sum of a column of larger ones may be infinite
YEARS = -62_135_596_800_000_000, 253_402_300_799_999_999  # 1 to 9999, in microseconds after 1970
THOUSANDS = r"^[+-]?[1-9]\d{0,2}([,.'\s\x{a0}\x{202f}]\d{3})+([.,]\d+)?$"  # RE2's syntax
TIME = pa.timestamp("us")
CORRECT = "Correct it, or, if it means missing, add it to data.more_missing"
AS_STRINGS = "Correct it, or read this column as strings: {}"
Column: TypeAlias = pa.Array | pa.ChunkedArray


def parse(column: pa.ChunkedArray, name: str, cell_format: CellFormat, kind: str) -> tuple[Column, str | None]:
    """`column` as float64, string or timestamp, and the format of its dates if these were strings.

    `kind` is numbers, strings or dates. Errors: `CellError` for a cell that does not fit it.
    """
    with readable(column, name):
        stored = as_stored(column, name, cell_format, kind)
        if not isinstance(stored, Strings):
            return stored, None
        if part := cell_format.parts.get(name):
            stored = replace(stored, distinct=_part_of(stored.distinct, part, cell_format.decimal))
        if kind == "strings":
            return stored.as_strings(), None
        if kind == "dates":
            parsed = dates(stored, cell_format, certain=True)
            return parsed.column, parsed.date_format
        if unit := cell_format.units.get(name):
            return _in_unit(stored, cell_format, unit), None
        read, other = read_numbers(stored, cell_format)
        if other.any():
            raise stored.error(other, "is not a number", CORRECT)
        return finite(stored.spread(read.read), name, cell_format), None


def _part_of(strings: pa.Array, part: str, decimal: str | None) -> pa.Array:
    if part in coordinates.LIMITS:
        return coordinates.part_of(strings, part, decimal)
    return addresses.part_of(strings, part)


def _in_unit(strings: Strings, cell_format: CellFormat, unit: str) -> Column:
    """The numbers of a column in its unit or currency. Warns of cells that can't be converted, which are missing."""
    wanted, foreign = unit, np.zeros(len(strings.distinct), dtype=bool)
    if (currencies := numbers.currencies(pa.array([unit])))[0].as_py():
        foreign = mask(pc.not_equal(numbers.currencies(strings.distinct), currencies[0])) & strings.is_known
        strings, wanted = replace(strings, is_known=strings.is_known & ~foreign), quantities.PLAIN
    measured = read_quantities(strings, cell_format, quantities.clock_of(unit))
    if measured.other.any():
        raise strings.error(measured.other, "is not a number", CORRECT)
    column, unknown = measured.column(strings, cell_format, wanted)
    if (foreign := foreign | unknown).any():
        strings.warn(f"{strings.examples(foreign)} can't be converted to {unit!r}, which this column counts: missing.")
    return column


class Measured(NamedTuple):
    """Strings as numbers with units.

    amounts  float64, (n_distinct,), and null
    units    as they are written, null where there is none
    other    which strings are neither such numbers nor mean missing, (n_distinct,)
    is_price  which have a currency, (n_distinct,)
    """

    amounts: pa.Array
    units: pa.Array
    other: np.ndarray
    is_price: np.ndarray

    def column(self, strings: Strings, cell_format: CellFormat, unit: str) -> tuple[Column, np.ndarray]:
        """The numbers of the rows in `unit`, and which of the distinct strings can't be converted to it."""
        numbers_, foreign = quantities.converted(self.amounts.to_numpy(zero_copy_only=False), self.units, unit)
        values = pa.array(numbers_, pa.float64(), mask=np.isnan(numbers_))
        return finite(strings.spread(values), strings.name, cell_format), foreign & strings.is_known


def read_quantities(strings: Strings, cell_format: CellFormat, clock: str | None) -> Measured:
    """The strings as numbers with units. `clock` as `quantities.split`. Errors: as `read_numbers`."""
    parts = quantities.split(strings.but_missing, cell_format.decimal, clock)
    amounts = replace(strings, distinct=pc.coalesce(parts.amounts, strings.distinct))
    numerals, other = read_numbers(amounts, cell_format)
    is_price = numerals.notations.get("currency", np.zeros(len(other), dtype=bool))
    return Measured(numerals.read, parts.units, other, is_price)


@contextmanager
def readable(column: pa.ChunkedArray, name: str) -> Iterator[None]:
    """An error for a type of Arrow that none of the three kinds can hold."""
    try:
        yield
    except pa.ArrowException as error:
        reason = f"column {name!r} of {column.type} can't be read as numbers, strings or dates: {error}"
        step = "Change it in the file, or leave it out: {}"
        raise CellError(reason, reason, step, (("data.drop", [name]),)) from None


def as_json(cell: Any) -> str | None:
    """A list as the string that a text file would have for it; None for a missing cell."""
    return None if cell is None else json.dumps(list(cell), ensure_ascii=False, default=str)


def as_stored(column: pa.ChunkedArray, name: str, cell_format: CellFormat, kind: str | None) -> Column | Strings:
    """The numbers, dates or booleans of `column`, if its type or `kind` shows which they are, or else its strings."""
    stored = column.type
    if pa.types.is_dictionary(stored):
        column, stored = column.cast(stored.value_type), stored.value_type
    if pa.types.is_list(stored) or pa.types.is_large_list(stored) or pa.types.is_fixed_size_list(stored):
        column, stored = pa.chunked_array([pa.array(map(as_json, column.to_pylist()), pa.string())]), pa.string()
    if pa.types.is_time(stored):  # on 1970-01-01: year, month and day are constant, and so no features
        return column.cast(pa.time64("us"), safe=False).cast(pa.int64()).cast(TIME)
    if pa.types.is_duration(stored):
        hours = pc.divide(column.cast(pa.duration("us"), safe=False).cast(pa.int64()).cast(pa.float64()), 3.6e9)
        return pc.divide(hours, quantities.factor(cell_format.units.get(name, "h"), "time") / 3600)
    if pa.types.is_temporal(stored) and kind in (None, "dates"):
        if pa.types.is_timestamp(stored) and stored.tz:
            column = pc.local_timestamp(column)  # the hour that clocks showed: summer time makes no feature
        return _without_missing(within_years(column.cast(TIME, safe=False), name), cell_format)
    is_string = pa.types.is_string(stored) or pa.types.is_large_string(stored) or pa.types.is_string_view(stored)
    is_boolean = pa.types.is_boolean(stored) and kind != "numbers"  # the strings "true" and "false", not 1 and 0
    is_whole = pa.types.is_integer(stored) or (pa.types.is_decimal(stored) and stored.scale == 0)
    may_be_codes = kind is None and is_whole and largest(column) > EXACT
    is_given = kind in ("strings", "classes", "dates") or name in cell_format.replace
    if not (is_string or is_boolean or may_be_codes or is_given):
        return finite(column.cast(pa.float64(), safe=False), name, cell_format)
    strings = encoded(column, name, cell_format)
    return strings.as_strings() if is_boolean and kind != "classes" else strings


def read_numbers(strings: Strings, cell_format: CellFormat) -> tuple[Numbers, np.ndarray]:
    """The strings as numbers, and which neither are numbers nor mean missing, (n_distinct,).

    Errors: `CellError` where those have a decimal mark or separator that a setting would read.
    """
    numerals = numbers.read(strings.but_missing, cell_format.decimal, cell_format.thousands)
    other = strings.is_known & ~numerals.is_number & ~strings.rarely_missing
    if not other.any():
        return numerals, other
    grouped = mask(pc.match_substring_regex(numerals.written, THOUSANDS)) & other
    if grouped.any() and not (other & ~grouped).any():
        step, settings = _grouping(numerals.written.filter(pa.array(grouped)))
        raise strings.error(grouped, "has a thousands separator", step, *settings)
    mark = "." if cell_format.decimal == "," else ","
    decimals = mask(pc.match_substring_regex(numerals.written, rf"^[+-]?\d+[{mark}]\d+$")) & other
    if decimals.any() and not (other & ~decimals).any():
        word = "comma" if mark == "," else "point"
        raise strings.error(decimals, f"has a decimal {word}", "Set it: {}", ("data.decimal", mark))
    return numerals, other


def _grouping(grouped: pa.Array) -> tuple[str, list[tuple[str, str]]]:
    """The settings that read numbers such as `1.234.567,8` or `1,234`."""
    marks = [re.sub(r"[+\-\d]", "", string) for string in grouped.to_pylist()]
    longest = max(marks, key=len)
    step, settings = "Set it: {}", [("data.thousands", longest[0])]
    if longest[-1] != longest[0]:
        step, settings = f"{step} {{}}", [*settings, ("data.decimal", longest[-1])]
    if longest in (",", "."):
        step, settings = f"{step}; or, if it is a decimal mark, {{}}", [*settings, ("data.decimal", longest)]
    return step, settings


class Dates(NamedTuple):
    """A column of strings as dates, and their format; where `column` is None it holds no dates alone.

    readings  the distinct strings in each format that they might have
    """

    column: pa.Array | None
    date_format: str | None = None
    readings: Mapping[str, pd.Series] = MappingProxyType({})


def dates(strings: Strings, cell_format: CellFormat, *, certain: bool) -> Dates:
    """Errors: `UserError` where it is `certain` that the column holds dates, and where most cells are of one format."""
    is_missing = strings.rarely_missing
    candidates = strings.distinct.to_pandas()[strings.is_known & ~is_missing]
    if not len(candidates):
        return Dates(pa.nulls(len(strings.positions), TIME) if certain else None)
    user_format = cell_format.date_format
    if user_format is not None and not isinstance(user_format, str):
        user_format = user_format.get(strings.name)
    formats = [user_format] if user_format else guesses(candidates)
    if certain or formats:
        formats = [*dict.fromkeys([*formats, "ISO8601"])]
    readings = {date_format: as_dates(candidates, date_format) for date_format in formats}
    complete = {date_format: read for date_format, read in readings.items() if read.notna().all()}
    if complete:
        first, read = next(iter(complete.items()))
        if not user_format and any(not others.equals(read) for others in complete.values()):
            raise strings.error(
                strings.is_known & ~is_missing,
                f"can be read as {' or '.join(complete)}",
                "Set the format that is right, such as {}",
                ("data.date_format", first),
            )
        values = pa.Array.from_pandas(read.reindex(range(len(strings.distinct))), type=TIME)
        return Dates(strings.spread(_without_missing(values, cell_format)), first)
    if not user_format and (mixed := _with_serials(strings, candidates, readings)):
        return mixed
    categorical = ("data.roles", {strings.name: "categorical"})
    for date_format, read in readings.items():
        other_order = readings.get(swapped(date_format))
        if other_order is not None and read.notna().any() and (read.notna() | other_order.notna()).all():
            example = strings.most_frequent(places(strings, other_order.isna()), 1)[0]
            problem = f"is not a date of the format {date_format}, but {example!r} is: day and month change places"
            step = f"Write all dates in one order. {AS_STRINGS}"
            raise strings.error(places(strings, read.isna()), problem, step, categorical)
    shapes = candidates.str.replace(r"\d+", "0", regex=True)
    for date_format, read in readings.items():
        is_date = read.notna()
        alike = is_date.any() and shapes[~is_date].isin(shapes[is_date]).all()  # 2023-02-30 among dates
        if alike or (is_date.any() and certain):
            problem = f"is not a date of the format {date_format}"
            raise strings.error(places(strings, ~is_date), problem, AS_STRINGS, categorical)
    if certain:
        reason = f"is not a date of the format {user_format}" if user_format else "is not a date of a known format"
        raise strings.error(strings.is_known, reason, "Set data.date_format, or change the column's role in data.roles")
    return Dates(None, None, readings)


def _with_serials(strings: Strings, candidates: pd.Series, readings: Mapping[str, pd.Series]) -> Dates | None:
    """Dates among which some are the serial numbers of Excel, with a warning; None for other columns."""
    numbers_ = pd.to_numeric(candidates, errors="coerce")
    is_serial = numbers_.between(*SERIALS)
    forms = {form: read for form, read in readings.items() if read[~is_serial].notna().all() and form != "ISO8601"}
    if not is_serial.any() or is_serial.all() or len(forms) != 1:
        return None
    date_format = f"{next(iter(forms))}|{EXCEL}"
    read = as_dates(candidates, date_format)
    serials = places(strings, is_serial)
    example = strings.most_frequent(serials, 1)[0]
    strings.warn(
        f"{strings.examples(serials, 1)} among dates are read as serial numbers of Excel: {example!r} is "
        f"{read[candidates == example].iloc[0]:%Y-%m-%d}. Excel may have taken the day for the month: check some. "
        f"To read this column as strings: {override('data.roles', {strings.name: 'categorical'})}."
    )
    return Dates(
        strings.spread(pa.Array.from_pandas(read.reindex(range(len(strings.distinct))), type=TIME)), date_format
    )


def places(strings: Strings, which: pd.Series) -> np.ndarray:
    """Which of the distinct strings are those, by position in `which`, (n_distinct,)."""
    return np.isin(np.arange(len(strings.distinct)), which.index[which])


def _without_missing(dates: pa.Array | pa.ChunkedArray, cell_format: CellFormat) -> pa.Array | pa.ChunkedArray:
    """The dates, null for those that mean missing, such as 9999-12-31."""
    written = [string for string in cell_format.missing_values if re.match(r"\d{4}-\d\d-\d\d", string)]
    missing = pa.Array.from_pandas(as_dates(pd.Series(written, dtype="str"), "ISO8601").dropna(), type=TIME)
    return pc.if_else(pc.is_in(dates, missing), pa.scalar(None, TIME), dates) if len(missing) else dates


def finite(column: pa.Array | pa.ChunkedArray, name: str, cell_format: CellFormat) -> pa.Array | pa.ChunkedArray:
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


def within_years(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    microseconds = column.cast(pa.int64())
    outside = pc.or_(pc.less(microseconds, YEARS[0]), pc.greater(microseconds, YEARS[1]))
    _refuse(microseconds, outside, name, "microseconds after 1970 is a date outside the years 1 to 9999")
    return column


def _refuse(column: pa.Array | pa.ChunkedArray, wrong: pa.Array | pa.ChunkedArray, name: str, problem: str) -> None:
    """An error if some numbers are `wrong`: it names the first and counts them all."""
    if count := pc.sum(wrong).as_py():
        row = pc.index(wrong, True).as_py()
        raise cell_error(name, row, str(column[row].as_py()), problem, count, CORRECT)

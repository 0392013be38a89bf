"""What a column is: numbers, dates or strings, as its cells show; a cell that does not fit the others is an error.

Where most known cells are numbers or dates, a column never becomes strings without a warning: what can't be mistaken is
read (`numbers`), and any other cell is an error, or a warning if the cells look like categories or codes (`advice`).
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.overrides import override
from pipeline.reading import addresses, advice, dates, durations, quantities, typed
from pipeline.reading.numbers import NUMBER, mask
from pipeline.reading.options import CellFormat
from pipeline.reading.strings import Strings, encoded
from pipeline.reading.typed import Column


class Read(NamedTuple):
    """A column as float64, string or timestamp, and by setting (`date_format`, `units`) how its cells are written."""

    column: Column
    found: Mapping[str, str] = MappingProxyType({})


def parse(column: pa.ChunkedArray, name: str, cell_format: CellFormat, kind: str | None = None) -> Read:
    """`kind` is numbers, strings, dates or classes (strings, of which `None` may be one); if it is None, the cells
    decide, and what they leave open is a warning.

    Errors: `UserError` for a cell that does not fit the kind or the other cells.
    """
    if kind in ("strings", "dates") or {name} & {*cell_format.units, *cell_format.parts}:
        values, date_format = typed.parse(column, name, cell_format, kind or "numbers")
        return Read(values, {"date_format": date_format} if date_format else {})
    with typed.readable(column, name):
        stored = typed.as_stored(column, name, cell_format, kind)
        if not isinstance(stored, Strings):
            if pa.types.is_duration(column.type):
                return Read(stored, {"units": "h"})
            return _numbers(stored, name) if kind is None and pa.types.is_floating(stored.type) else Read(stored)
        if kind == "classes":
            return Read(_with_classes(stored, cell_format).as_strings())
        if kind == "numbers":
            other = typed.read_numbers(stored, cell_format)[1]
            measured = _measured(stored, cell_format, other, _clock(stored) or "h")
            return measured or Read(typed.parse(column, name, cell_format, kind)[0])
        return _inferred(stored, cell_format)


def _with_classes(strings: Strings, cell_format: CellFormat) -> Strings:
    """The target, with `None` as a class if the others are strings. Warns of it, and of strings that mean missing."""
    wanted = pa.array(
        [*cell_format.replace.get(strings.name, {}).values()], pa.large_string()
    )  # so the user has decided
    letters = mask(pc.match_substring_regex(strings.distinct, r"\pL")) & ~mask(pc.is_in(strings.distinct, wanted))
    is_none = mask(pc.equal(pc.utf8_lower(strings.distinct), "none")) & ~strings.is_known
    are_numbers = pc.match_substring_regex(strings.distinct.filter(pa.array(strings.is_known)), f"^({NUMBER})$")
    if not pc.any(pc.invert(are_numbers)).as_py():
        is_none[:] = False
    for which, text, other in (  # and what the first one could be replaced by
        (is_none, "kept as a class. If it means that the class is not known", "NA"),
        (letters & ~strings.is_known & ~is_none, "read as missing. If it is a class, give it another name", "no_{}"),
    ):
        for string in strings.most_frequent(which, 1):
            example = override("data.replace", {strings.name: {string: other.format(string)}})
            strings.warn(f"{strings.examples(which)} in the target is {text}: {example}.")
    return replace(strings, is_known=strings.is_known | is_none)


def _inferred(strings: Strings, cell_format: CellFormat) -> Read:
    if not strings.is_known.any():
        return Read(pa.nulls(len(strings.positions), pa.float64()))
    if strings.are_sentences:  # to try numbers, dates and durations on each takes longer than all else
        advice.warn_of_defaults(strings, cell_format)
        return Read(strings.as_strings())
    numerals, other = typed.read_numbers(strings, cell_format)
    if not other.any() and numerals.is_number.any():
        if advice.are_long_codes(strings, numerals.is_number):
            return Read(replace(strings, is_known=numerals.is_number).as_strings())
        advice.ask_of_shares(strings, numerals)
        advice.warn_of_missing(strings, strings.rarely_missing, "numbers")
        advice.warn_of_notations(strings, numerals)
        return _numbers(typed.finite(strings.spread(numerals.read), strings.name, cell_format), strings.name)
    part = addresses.part_in(strings.distinct.filter(pa.array(strings.is_known)))
    if part and (read := _addresses(strings, part)):
        return read
    clock = _clock(strings)
    readings: Mapping[str, pd.Series] = {}
    if clock is None:
        parsed = typed.dates(strings, cell_format, certain=False)
        if parsed.column is not None:
            advice.warn_of_missing(strings, strings.rarely_missing, "dates")
            return Read(parsed.column, {"date_format": parsed.date_format} if parsed.date_format else {})
        readings = parsed.readings
    if measured := _measured(strings, cell_format, other, clock):
        return measured
    advice.judge_dates(strings, readings)
    if not (
        advice.warn_of_months(strings)
        or advice.judged(strings, numerals.is_number, other, "number")
        or advice.warn_of_currencies(strings, numerals.is_number)
    ):
        advice.warn_of_quantities(strings, numerals.is_number)
    advice.warn_of_defaults(strings, cell_format)
    return Read(strings.as_strings())


def _numbers(column: Column, name: str) -> Read:
    """The numbers, or dates if the name of the column and their range say that they count time, with a warning."""
    limits = pc.min_max(column).as_py()
    date_format = limits["max"] and dates.of_numbers(name, limits["min"], limits["max"])
    if not date_format:
        if limits["max"] and (form := dates.likely_format(name, column, limits["min"], limits["max"])):
            advice.propose_dates(name, limits["max"], form)
        return Read(column)
    strings = encoded(pa.chunked_array([column] if isinstance(column, pa.Array) else column), name, CellFormat())
    read = dates.as_dates(strings.distinct.to_pandas(), date_format)
    if read.isna().any():
        return Read(column)
    example = strings.most_frequent(strings.is_known, 1)[0]
    strings.warn(
        f"numbers such as {example} are read as dates of the format {date_format}: {example} is "
        f"{read[pc.index(strings.distinct, example).as_py()]:%Y-%m-%d %H:%M}. If they are numbers: "
        f"{override('data.roles', {name: 'numeric'})}."
    )
    return Read(strings.spread(pa.Array.from_pandas(read, type=typed.TIME)), {"date_format": date_format})


def _addresses(strings: Strings, part: str) -> Read | None:
    """The part of the addresses, with a warning; None where it does not repeat."""
    parts = addresses.part_of(strings.but_missing, part)
    n_parts = len(parts.drop_null().unique())
    if n_parts < 2 or 2 * n_parts > strings.cells(strings.is_known):
        return None
    strings.warn(
        f"{addresses.NAMES[part]}, of which the {part} is read: {n_parts:,} distinct, such as {parts.drop_null()[0]}. "
        f"To read them whole: {override('data.roles', {strings.name: 'categorical'})}."
    )
    return Read(strings.spread(parts), {"parts": part})


def _clock(strings: Strings) -> str | None:
    return durations.clock(strings.distinct.to_pandas()[strings.is_known & ~strings.rarely_missing])


def _measured(strings: Strings, cell_format: CellFormat, other: np.ndarray, clock: str | None) -> Read | None:
    """The column as numbers in its most frequent unit, with a warning; None where its cells have none.

    other  (n_distinct,), which strings are no plain numbers
    """
    if not quantities.likely(strings.distinct.filter(pa.array(other)), cell_format.decimal, clock):
        return None
    measured = typed.read_quantities(strings, cell_format, clock)
    unit, fits = advice.unit_of(strings, measured, clock), mask(measured.amounts.is_valid())
    if unit is None or not fits.any():
        return None
    if advice.judged(strings, fits, measured.other, "number"):
        return Read(strings.as_strings())
    if measured.other.any():
        return None
    advice.warn_of_missing(strings, strings.rarely_missing, "numbers")
    advice.warn_of_units(strings, measured, unit)
    return Read(measured.column(strings, cell_format, unit)[0], {"units": unit})

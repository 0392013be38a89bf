"""What a column is: numbers, dates or strings, as its cells show; a cell that does not fit the others is an error.

Where most known cells are numbers or dates, a column never becomes strings without a warning: what can't be mistaken is
read (`numbers`), and any other cell is an error, or a warning if the cells look like categories or codes (`advice`).
"""

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.overrides import override
from pipeline.reading import advice, typed
from pipeline.reading.numbers import NUMBER, mask
from pipeline.reading.options import CellFormat
from pipeline.reading.strings import Strings
from pipeline.reading.typed import Column


def parse(
    column: pa.ChunkedArray, name: str, cell_format: CellFormat, kind: str | None = None
) -> tuple[Column, str | None]:
    """`column` as float64, string or timestamp, and the format of its dates if these were strings.

    `kind` is numbers, strings, dates or classes (strings, of which `None` may be one); if it is None, the cells decide,
    and what they leave open is a warning. Errors: `UserError` for a cell that does not fit the kind or the other cells.
    """
    if kind not in (None, "classes"):
        return typed.parse(column, name, cell_format, kind)
    with typed.readable(column, name):
        stored = typed.as_stored(column, name, cell_format, kind)
        if not isinstance(stored, Strings):
            return stored, None
        if kind == "classes":
            return _with_classes(stored, cell_format).as_strings(), None
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


def _inferred(strings: Strings, cell_format: CellFormat) -> tuple[Column, str | None]:
    if not strings.is_known.any():
        return pa.nulls(len(strings.positions), pa.float64()), None
    numerals, other = typed.read_numbers(strings, cell_format)
    if not other.any() and numerals.is_number.any():
        if advice.are_long_codes(strings, numerals.is_number):
            return replace(strings, is_known=numerals.is_number).as_strings(), None
        advice.warn_of_missing(strings, strings.rarely_missing, "numbers")
        advice.warn_of_notations(strings, numerals)
        return typed.finite(strings.spread(numerals.read), strings.name, cell_format), None
    dates = typed.dates(strings, cell_format, certain=False)
    if dates.column is not None:
        advice.warn_of_missing(strings, strings.rarely_missing, "dates")
        return dates.column, dates.date_format
    advice.judge_dates(strings, dates.readings)
    if not advice.judged(strings, numerals.is_number, other, "number"):
        advice.warn_of_quantities(strings, numerals.is_number)
    advice.warn_of_defaults(strings, cell_format)
    return strings.as_strings(), None

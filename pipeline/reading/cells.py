"""What the cells of a column are: numbers, dates or words, and whether any of them is not what the others are.

Words are looked at once each, not once a row: a column of a million rows and five words costs five.
"""

import re
import warnings
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import UserError
from pipeline.reading.dates import as_dates, guesses
from pipeline.reading.delimited import NUMBER
from pipeline.reading.options import CellFormat

LARGEST = 1e150  # whose square is a number, too
YEARS = -62_135_596_800_000_000, 253_402_300_799_999_999  # 1 to 9999, in microseconds
THOUSANDS = r"^[+-]?[1-9]\d{0,2}([,.'\s\x{a0}\x{202f}]\d{3})+([.,]\d+)?$"  # RE2's syntax
TIME = pa.timestamp("us")
MOSTLY = 0.9  # share of numbers from which a word among them is a mistake ...
LEVELS = 20  # ... unless so few distinct values are more likely names of levels (`0`, `1`, `2`, `3+`)
MEND = "Mend it, or add it to data.missing_values"
DROP = "Mend it, or leave it out with data.drop."
UNIT = r"(%|[$€£¥]|°[CF]|USD|EUR|GBP|[kcm]?m|k?g|lbs?|in|ft|k?Wh?|m?s|h)"
QUANTITY = rf"^[(+-]*\s*[$€£¥]?\s*\d[\d,.]*\s*{UNIT}?\)?$"


@dataclass(frozen=True)
class Strings:
    """A column of words: each of them once, null if it means missing, and for every row its place among them, or -1."""

    name: str
    distinct: pa.Array
    rows: np.ndarray

    @property
    def known(self) -> np.ndarray:
        return _mask(self.distinct.is_valid())

    @property
    def counts(self) -> np.ndarray:
        return np.bincount(self.rows[self.rows >= 0], minlength=len(self.distinct))

    def are_mostly(self, which: np.ndarray) -> bool:
        return self.counts[which & self.known].sum() >= MOSTLY * self.counts[self.known].sum()

    def spread(self, values: pa.Array) -> pa.Array:
        """`values`, one for each distinct word, to the rows."""
        return values.take(pa.array(self.rows, mask=self.rows < 0))

    def odd(self, wrong: np.ndarray, problem: str, step: str) -> UserError:
        """The error that names the first cell whose word is `wrong`, and says how many there are."""
        places = np.flatnonzero(np.append(wrong & self.known, False)[self.rows])
        word = self.distinct[int(self.rows[places[0]])].as_py()
        cells = f"{len(places):,} such cells" if len(places) > 1 else "the only such cell"
        return UserError(f"row {places[0] + 1:,}, column {self.name!r}: {word[:60]!r} {problem} ({cells}). {step}.")


def parse(
    column: pa.ChunkedArray, name: str, options: CellFormat, kind: str | None = None
) -> tuple[pa.Array | pa.ChunkedArray, str | None]:
    """`column` as float64, string or timestamp, and the form of its dates if these were words.

    `kind` is numbers, words or dates; where it is None the cells decide. Errors: `UserError` for a cell that doesn't
    fit the kind or the others.
    """
    stored = column.type
    if pa.types.is_dictionary(stored):
        column, stored = column.cast(stored.value_type), stored.value_type
    is_word = pa.types.is_string(stored) or pa.types.is_large_string(stored) or pa.types.is_string_view(stored)
    try:
        if pa.types.is_time(stored):  # the parts of its date are constant, and so left out of the features
            return column.cast(pa.time64("us")).cast(pa.int64()).cast(TIME), None
        if pa.types.is_temporal(stored) and kind in (None, "dates"):
            return _within_years(column.cast(TIME, safe=False), name), None
        is_boolean = pa.types.is_boolean(stored) and kind != "numbers"  # the words "true" and "false", not 1 and 0
        if is_word or is_boolean or kind in ("strings", "dates") or name in options.replace:
            words = _words(column, name, options)
            if kind == "strings" or is_boolean:
                return words.spread(words.distinct), None
            return _dates(words, options, certain=True) if kind == "dates" else _inferred(words, options, kind)
        return _number(column.cast(pa.float64(), safe=False), name, options), None
    except pa.ArrowException as error:
        raise UserError(
            f"column {name!r} of {stored} is no column of numbers, words or dates: {error}. {DROP}"
        ) from None


def _words(column: pa.ChunkedArray, name: str, options: CellFormat) -> Strings:
    if pa.types.is_floating(column.type) and pc.all(pc.equal(pc.floor(column), column)).as_py():
        column = column.cast(pa.int64(), safe=False)  # 1.0, so stored because a cell is missing, is the word "1"
    encoded = column.cast(pa.large_string()).combine_chunks().dictionary_encode()
    distinct = pc.utf8_trim_whitespace(encoded.dictionary)
    if others := options.replace.get(name):
        distinct = pa.array([others.get(word, word) for word in distinct.to_pylist()], pa.large_string())
    is_missing = pc.is_in(distinct, pa.array(list(options.missing_values), pa.large_string()))
    return Strings(name, pc.if_else(is_missing, None, distinct), encoded.indices.fill_null(-1).to_numpy())


def _inferred(words: Strings, options: CellFormat, kind: str | None) -> tuple[pa.Array, str | None]:
    known = words.known
    if not known.any():
        return pa.nulls(len(words.rows), pa.float64()), None
    plain = pc.replace_substring_regex(words.distinct, r"^\+", "")  # Arrow knows no +1
    if options.thousands:
        groups = (
            rf"^-?\d{{1,3}}(\Q{options.thousands}\E\d{{2,3}})*\Q{options.thousands}\E\d{{3}}(\D\d+)?$"  # not 01.02.2023
        )
        joined = pc.replace_substring(plain, options.thousands, "")
        plain = pc.if_else(pc.match_substring_regex(plain, groups), joined, plain)
    if options.decimal == ",":  # and a word with a point in it is no number
        plain = pc.replace_substring(pc.replace_substring(plain, ".", "?"), ",", ".")
    is_number = _mask(pc.match_substring_regex(plain, f"^({NUMBER})$"))
    if is_number[known].all():
        return _number(words.spread(plain.cast(pa.float64())), words.name, options), None
    grouped = _mask(pc.match_substring_regex(words.distinct, THOUSANDS))
    if (is_number | grouped)[known].all():
        raise words.odd(grouped, "has a thousands separator", _grouping(words.distinct.filter(pa.array(grouped))))
    other = "." if options.decimal == "," else ","
    decimals = _mask(pc.match_substring_regex(words.distinct, rf"^[+-]?\d+[{other}]\d+$"))
    if (is_number | decimals)[known].all():
        mark = "comma" if other == "," else "point"
        raise words.odd(decimals, f"has a decimal {mark}", f"Set it: -S \"data.decimal='{other}'\"")
    if kind == "numbers":
        raise words.odd(~is_number, "is no number", MEND)
    dates, form = _dates(words, options, certain=False)
    if form:
        return dates, form
    if words.are_mostly(is_number) and known.sum() > LEVELS:
        raise words.odd(~is_number, "stands among numbers", _or_a_role(words.name))
    quantity = _mask(pc.match_substring_regex(words.distinct, QUANTITY)) & ~is_number
    if words.are_mostly(quantity):
        example = words.distinct[int(np.flatnonzero(quantity)[0])].as_py()
        warnings.warn(
            f"column {words.name!r} holds words such as {example!r}, not numbers. If they should be, take signs and "
            f"units out of the file.",
            stacklevel=2,
        )
    return words.spread(words.distinct), None


def _or_a_role(name: str) -> str:
    """The step for a column that may be of words after all; Hydra's overrides take few signs in a name."""
    role = (
        f"-S '+data.roles.{name}=categorical'"
        if re.fullmatch(r"[A-Za-z_][A-Za-z_0-9-]*", name)
        else "data.roles in conf/"
    )
    return f"{MEND}, or make it words: {role}"


def _grouping(grouped: pa.Array) -> str:
    """How to say what the marks in numbers like `1.234.567,8` or `1,234` are."""
    marks = [re.sub(r"[+\-\d]", "", word) for word in grouped.to_pylist()]
    longest = max(marks, key=len)
    decimal = longest[-1] if longest[-1] != longest[0] else None
    step = f"Set it: -S \"data.thousands='{longest[0]}'\"" + (f" -S \"data.decimal='{decimal}'\"" if decimal else "")
    return step + (f"; or, if it is a decimal mark, -S \"data.decimal='{longest}'\"" if longest in (",", ".") else "")


def _dates(words: Strings, options: CellFormat, *, certain: bool) -> tuple[pa.Array | None, str | None]:
    """The column as dates, and their form. If it is none: an error where it is `certain` to be one, else None."""
    known = words.distinct.to_pandas().dropna()
    given = options.date_format if isinstance(options.date_format, str) else (options.date_format or {}).get(words.name)
    forms = [given] if given else guesses(known)
    if certain or forms:
        forms = dict.fromkeys([*forms, "ISO8601"])
    readings = {form: as_dates(known, form) for form in forms}
    complete = {form: dates for form, dates in readings.items() if dates.notna().all()}
    first = next(iter(complete), None)
    if not given and any(not dates.equals(complete[first]) for dates in complete.values()):
        raise words.odd(words.known, f"reads as {' or '.join(complete)}", "Set data.date_format to one of them")
    if complete and len(known):
        dates = complete[first].reindex(range(len(words.distinct)))
        return words.spread(pa.Array.from_pandas(dates, type=TIME)), first
    shapes = known.str.replace(r"\d+", "0", regex=True)
    for form, dates in readings.items():
        is_date, wrong = dates.notna(), np.isin(np.arange(len(words.distinct)), known.index[dates.isna()])
        alike = is_date.any() and shapes[~is_date].isin(shapes[is_date]).all()  # 2023-02-30 among dates
        if alike or (is_date.any() and (certain or words.are_mostly(~wrong))):
            raise words.odd(wrong, f"is no date of the form {form}", _or_a_role(words.name))
    if certain and len(known):
        raise words.odd(words.known, "is no date of a known form", "Set data.date_format, or another role")
    return (pa.nulls(len(words.rows), TIME) if certain else None), None


def _number(column: pa.Array | pa.ChunkedArray, name: str, options: CellFormat) -> pa.Array | pa.ChunkedArray:
    """Finite numbers, and null for those that mean missing."""
    if unknown := [float(word) for word in options.missing_values if re.fullmatch(NUMBER, word)]:
        column = pc.if_else(pc.is_in(column, pa.array(unknown)), pa.scalar(None, pa.float64()), column)
    large = pc.greater(pc.abs(column), LARGEST)
    if pc.any(large).as_py():
        raise _at(column, large, name, "is infinite, or so large that its square is")
    return column


def _within_years(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    microseconds = column.cast(pa.int64())
    outside = pc.or_(pc.less(microseconds, YEARS[0]), pc.greater(microseconds, YEARS[1]))
    if pc.any(outside).as_py():
        raise _at(microseconds, outside, name, "microseconds after 1970 are a date outside the years 1 to 9999")
    return column


def _at(column: pa.Array | pa.ChunkedArray, wrong: pa.Array | pa.ChunkedArray, name: str, problem: str) -> UserError:
    """The error that names the first number that is `wrong`, and says how many there are."""
    row = pc.index(wrong, True).as_py()
    return UserError(
        f"row {row + 1:,}, column {name!r}: {column[row].as_py()} {problem} ({pc.sum(wrong).as_py():,} such cells). "
        f"{MEND}."
    )


def _mask(column: pa.Array) -> np.ndarray:
    return column.fill_null(False).to_numpy(zero_copy_only=False)

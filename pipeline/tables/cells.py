"""What the cells of a column are: numbers, dates or words, and whether any of them is not what the others are.

Words are looked at once each, not once a row: a column of a million rows and five words costs five.
"""

import re
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import UserError
from pipeline.tables.delimited import NUMBER
from pipeline.tables.options import Options

THOUSANDS = r"^[+-]?\d{1,3}([,.'\s\x{a0}\x{202f}]\d{3})+([.,]\d+)?$"  # RE2's syntax
TIME = pa.timestamp("us")
MOSTLY = 0.9  # share of numbers from which a word among them is a mistake ...
LEVELS = 20  # ... unless so few distinct values are more likely names of levels (`0`, `1`, `2`, `3+`)
DROP = "Mend it, or leave it out with data.drop."


@dataclass(frozen=True)
class Words:
    """A column of words: each of them once, null if it means missing, and for every row its place among them, or -1."""

    name: str
    distinct: pa.Array
    rows: np.ndarray

    @property
    def known(self) -> np.ndarray:
        return _mask(self.distinct.is_valid())

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
    column: pa.ChunkedArray, name: str, decimal: str, options: Options, *, as_words: bool, as_dates: bool
) -> pa.Array | pa.ChunkedArray:
    """`column` as float64, string or timestamp. Errors: `UserError` for a cell that doesn't fit the others."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    is_word = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    try:
        if pa.types.is_time(kind):  # the parts of its date are constant, and so left out of the features
            return column.cast(pa.time64("us")).cast(pa.int64()).cast(TIME)
        if pa.types.is_temporal(kind) and not as_words:
            return column.cast(TIME, safe=False)
        if is_word or as_words or as_dates or pa.types.is_boolean(kind):
            words = _words(column, name, options)
            if as_words or pa.types.is_boolean(kind):  # the words "true" and "false"
                return words.spread(words.distinct)
            return _dates(words, options, certain=True) if as_dates else _inferred(words, decimal, options)
        return _finite(column.cast(pa.float64(), safe=False), name)
    except pa.ArrowException as error:
        raise UserError(f"column {name!r} of {kind} is no column of numbers, words or dates: {error}. {DROP}") from None


def _words(column: pa.ChunkedArray, name: str, options: Options) -> Words:
    if pa.types.is_floating(column.type) and pc.all(pc.equal(pc.floor(column), column)).as_py():
        column = column.cast(pa.int64(), safe=False)  # 1.0, so stored because a cell is missing, is the word "1"
    encoded = column.cast(pa.large_string()).combine_chunks().dictionary_encode()
    distinct = pc.utf8_trim_whitespace(encoded.dictionary)
    is_missing = pc.is_in(distinct, pa.array(list(options.missing_values), pa.large_string()))
    return Words(name, pc.if_else(is_missing, None, distinct), encoded.indices.fill_null(-1).to_numpy())


def _inferred(words: Words, decimal: str, options: Options) -> pa.Array:
    known = words.known
    if not known.any():
        return pa.nulls(len(words.rows), pa.float64())
    plain = pc.replace_substring_regex(words.distinct, r"^\+", "")  # Arrow knows no +1
    if options.thousands:
        plain = pc.replace_substring(plain, options.thousands, "")
    if decimal != ".":
        plain = pc.replace_substring(plain, decimal, ".")
    is_number = _mask(pc.match_substring_regex(plain, f"^({NUMBER})$"))
    if is_number[known].all():
        return _finite(words.spread(plain.cast(pa.float64())), words.name)
    grouped = _mask(pc.match_substring_regex(words.distinct, THOUSANDS))
    if (is_number | grouped)[known].all():
        marks = re.sub(r"[+\-\d]", "", words.distinct.filter(pa.array(grouped))[0].as_py())
        step = f"Set data.thousands={marks[0]!r}" + f" and data.decimal={marks[-1]!r}" * (marks[-1] != marks[0])
        raise words.odd(grouped, "has a thousands separator", step)
    dates = _dates(words, options, certain=False)
    if dates is not None:
        return dates
    counts = np.bincount(words.rows[words.rows >= 0], minlength=len(known))
    if counts[is_number].sum() >= MOSTLY * counts[known].sum() and known.sum() > LEVELS:
        step = f"Mend it, add it to data.missing_values, or give it a role, -S '+data.roles.{words.name}=categorical'"
        raise words.odd(~is_number, "stands among numbers", step)
    return words.spread(words.distinct)


def _dates(words: Words, options: Options, *, certain: bool) -> pa.Array | None:
    """The column as dates. If it is none: an error where it is `certain` to be one, else None."""
    known = words.distinct.to_pandas().dropna()
    forms = [options.date_format] if options.date_format else _guesses(known)
    readings = {form: _as_dates(known, form) for form in forms}
    complete = [dates for dates in readings.values() if dates.notna().all()]
    if any(not dates.equals(complete[0]) for dates in complete):
        raise words.odd(words.known, f"reads as {' or '.join(readings)}", "Set data.date_format to one of them")
    if complete and len(known):
        return words.spread(pa.Array.from_pandas(complete[0].reindex(range(len(words.distinct))), type=TIME))
    shapes = known.str.replace(r"\d+", "0", regex=True)
    for form, dates in readings.items():
        is_date = dates.notna()
        if is_date.any() and (certain or shapes[~is_date].isin(shapes[is_date]).all()):  # 2023-02-30 among dates
            wrong = np.isin(np.arange(len(words.distinct)), known.index[~is_date])
            raise words.odd(wrong, f"is no date of the form {form}", "Mend it, or add it to data.missing_values")
    if certain and len(known):
        raise words.odd(words.known, "is no date of a known form", "Set data.date_format, or another role")
    return pa.nulls(len(words.rows), TIME) if certain else None


def _guesses(words: pd.Series) -> list[str]:
    like_dates = [word for word in words[:20] if re.search(r"\d.*[-/. :].*\d", word)][:5]
    guess = pd.tseries.api.guess_datetime_format
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas wonders aloud whether day or month comes first; both are tried
        found = [guess(word, dayfirst=day_first) for day_first in (False, True) for word in like_dates]
    return [form for form in dict.fromkeys(found) if form and not re.match("%Y.%d", form)]


def _as_dates(words: pd.Series, form: str) -> pd.Series:
    try:
        return pd.to_datetime(words, format=form, errors="coerce", utc=True).dt.tz_localize(None)
    except (ValueError, OverflowError, re.error) as error:
        raise UserError(f"data.date_format = {form!r} is no date format: {error}. An example: '%d/%m/%Y'.") from None


def _finite(column: pa.Array | pa.ChunkedArray, name: str) -> pa.Array | pa.ChunkedArray:
    infinite = pc.is_inf(column)
    if pc.any(infinite).as_py():
        row = pc.index(infinite, True).as_py()
        raise UserError(
            f"row {row + 1:,}, column {name!r}: {column[row].as_py()} is not finite ({pc.sum(infinite).as_py():,} such "
            f"cells). Mend it, or add it to data.missing_values."
        )
    return column


def _mask(column: pa.Array) -> np.ndarray:
    return column.fill_null(False).to_numpy(zero_copy_only=False)

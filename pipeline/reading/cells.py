"""The cells of a column as numbers, dates or strings; a cell that does not fit the others is an error that names it.

Each distinct string is examined once, however many rows have it: a column of a million rows with five distinct strings
costs five. Where most known cells are numbers or dates, a column never becomes strings without a warning: what can't be
mistaken is read (`numbers`), and any other cell is an error, or a warning if the cells look like categories or codes.
"""

import re
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import CellError, UserError
from pipeline.overrides import override
from pipeline.reading import numbers
from pipeline.reading.dates import as_dates, guesses, swapped
from pipeline.reading.numbers import NUMBER, mask
from pipeline.reading.options import MISSING, CellFormat

LARGEST = 1e300  # the sum of a column of larger ones may be infinite
EXACT = 2**53  # a float64 keeps every digit of whole numbers up to here
YEARS = -62_135_596_800_000_000, 253_402_300_799_999_999  # 1 to 9999, in microseconds after 1970
THOUSANDS = r"^[+-]?[1-9]\d{0,2}([,.'\s\x{a0}\x{202f}]\d{3})+([.,]\d+)?$"  # RE2's syntax
TIME = pa.timestamp("us")
MOSTLY = 0.9  # share of numbers from which a cell that is not a number is taken for a mistake
CATEGORIES = 20  # so few distinct strings are more likely categories (`0`, `1`, `2`, `3+`)
RARELY_MISSING = (  # these mean missing only where all other cells are numbers or dates
    *("na", "none", "missing", "Missing", "MISSING", "..", "...", ":", "._"),
    *(f".{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),  # of SAS
)
ASKED = (  # proposed as a string that means missing; RE2's syntax
    r"^(?i:\W*(unk(nown)?|unspecified|undefined|undetermined|not[ _-]?(available|applicable|known|reported|recorded|"
    r"given|provided|stated|specified|collected|tested|done|asked)|no[ _-]?(data|info(rmation)?|answer|response|value)|"
    r"(privacy[ _-]?)?suppressed|withheld|redacted|confidential|refused|declined|missing|none|n\W?[ad]\W?|nil|null|"
    r"blank|empty|error|invalid|pending|tb[acd]|do(n't|nt| not) know|x+|\W+)\W*)$"
)
UNIT = r"(%|[$€£¥]|°[CF]|USD|EUR|GBP|[kcm]?m|k?g|lbs?|in|ft|k?Wh?|m?s|h|[kKMB]|bn|years?|yrs?|days?|months?)"
QUANTITY = rf"^[(+-]*\s*[$€£¥]?\s*\d[\d,.]*\s*{UNIT}?\)?$"
BOUND = r"^([<>≤≥~≈±]|<=|>=)\s*[+-]?[\d.,]+\s*%?$"  # `<0.1`, below what could be measured
NEARLY = r"^\W*\d[\d.,]*\W*$"  # a number with a mark of a footnote
PAIRS = (("yes", "no"), ("true", "false"), ("y", "n"), ("t", "f"), ("on", "off"), ("1", "0"))
CORRECT = "Correct it, or, if it means missing, add it to data.more_missing"


@dataclass(frozen=True)
class Strings:
    """A column of strings.

    distinct   each string once
    known      (n_distinct,), which of them do not mean missing
    positions  (n_rows,), for each row the position of its string in `distinct`, -1 if the cell was null already
    """

    name: str
    distinct: pa.Array
    known: np.ndarray
    positions: np.ndarray

    @property
    def but_missing(self) -> pa.Array:
        """The distinct strings, null for those that mean missing."""
        return pc.if_else(pa.array(self.known), self.distinct, None)

    @cached_property
    def counts(self) -> np.ndarray:
        """The number of cells with each string, (n_distinct,)."""
        return np.bincount(self.positions[self.positions >= 0], minlength=len(self.distinct))

    def cells(self, which: np.ndarray) -> int:
        return int(self.counts[which].sum())

    def most_frequent(self, which: np.ndarray, n: int) -> list[str]:
        """At most `n` of the strings that `which` selects, those with most cells first."""
        places = np.flatnonzero(which)
        places = places[np.argsort(-self.counts[places], kind="stable")][:n]
        return self.distinct.take(pa.array(places)).to_pylist()

    def shown(self, which: np.ndarray, n: int = 3) -> str:
        """The most frequent of these strings with their numbers of cells: `'unknown' (40 cells), 'x' (1 cell)`."""
        strings, counts = self.most_frequent(which, n), sorted(self.counts[which], reverse=True)
        few = [f"{string[:60]!r} ({_n_cells(count)})" for string, count in zip(strings, counts, strict=False)]
        return ", ".join(few) + (f" and {len(counts) - n:,} others" if len(counts) > n else "")

    def spread(self, values: pa.Array) -> pa.Array:
        """`values`, one per distinct string, to the rows."""
        return values.take(pa.array(self.positions, mask=self.positions < 0))

    def as_strings(self) -> pa.Array:
        """The strings of the rows, null where they mean missing."""
        return self.spread(self.but_missing)

    def error(self, wrong: np.ndarray, problem: str, step: str) -> UserError:
        """The error that names the first cell whose string is `wrong`, and counts them all."""
        rows = np.flatnonzero(np.append(wrong & self.known, False)[self.positions])
        string = self.distinct[int(self.positions[rows[0]])].as_py()
        return _error(self.name, int(rows[0]), repr(string[:60]), problem, len(rows), step)

    def warn(self, text: str) -> None:
        warnings.warn(f"column {self.name!r}: {text}", stacklevel=2)


def parse(
    column: pa.ChunkedArray, name: str, cell_format: CellFormat, kind: str | None = None
) -> tuple[pa.Array | pa.ChunkedArray, str | None]:
    """`column` as float64, string or timestamp, and the format of its dates if these were strings.

    `kind` is numbers, strings, dates or classes (strings, of which `None` may be one); if it is None, the cells decide,
    and what they leave open is a warning. Errors: `UserError` for a cell that does not fit the kind or the other cells.
    """
    stored = column.type
    if pa.types.is_dictionary(stored):
        column, stored = column.cast(stored.value_type), stored.value_type
    is_string = pa.types.is_string(stored) or pa.types.is_large_string(stored) or pa.types.is_string_view(stored)
    try:
        if pa.types.is_time(stored):  # on 1970-01-01: year, month and day are constant, and so no features
            return column.cast(pa.time64("us")).cast(pa.int64()).cast(TIME), None
        if pa.types.is_temporal(stored) and kind in (None, "dates"):
            if pa.types.is_timestamp(stored) and stored.tz:
                column = pc.local_timestamp(column)  # the hour that clocks showed: summer time makes no feature
            return _without_missing(_within_years(column.cast(TIME, safe=False), name), cell_format), None
        is_boolean = pa.types.is_boolean(stored) and kind != "numbers"  # the strings "true" and "false", not 1 and 0
        is_whole = pa.types.is_integer(stored) or (pa.types.is_decimal(stored) and stored.scale == 0)
        may_be_codes = kind is None and is_whole and _largest(column) > EXACT
        is_given = kind in ("strings", "classes", "dates") or name in cell_format.replace
        if is_string or is_boolean or may_be_codes or is_given:
            strings = _strings(column, name, cell_format)
            if kind == "classes":
                return _with_classes(strings, cell_format).as_strings(), None
            if kind == "strings" or is_boolean:
                return strings.as_strings(), None
            if kind == "dates":
                return _dates(strings, cell_format, certain=True)
            return _inferred(strings, cell_format, kind)
        return _number(column.cast(pa.float64(), safe=False), name, cell_format), None
    except pa.ArrowException as error:
        raise UserError(
            f"column {name!r} of {stored} can't be read as numbers, strings or dates: {error}. Change it in the file, "
            f"or leave it out: {override('data.drop', [name])}."
        ) from None


def served(column: pd.Series, categories: Collection[object] | None, decimal: str = ".") -> pa.ChunkedArray:
    """A column that a model is served, of any types, for `parse`: categories are spelt as in training.

    `categories` are those that training had (missing is one that is no string), None for numbers and dates. `true`,
    `Yes` or 1 is understood if training had the same word, or if its categories are one of `PAIRS` and nothing else:
    then 1 means `yes`. The category `007` may arrive as the number 7, as other software reads it. In a column of
    numbers, True is 1; where numbers and strings are mixed, numbers get the `decimal` mark of the training table.
    Errors: `UserError` for true and false that can't be understood, which would count as an unseen category.
    """
    column = column.reset_index(drop=True).infer_objects()
    if categories is not None:
        column = column.dropna().astype(object).map(_in_training(column.name, categories)).reindex(column.index)
    elif column.dtype == object:

        def string(cell: object) -> str:
            written = _as_string(cell, "1", "0")
            return written if isinstance(cell, str) else written.replace(".", decimal)

        column = column.dropna().map(string).reindex(column.index)
    return pa.chunked_array([pa.array(column, from_pandas=True)])


def _in_training(name: object, categories: Collection[object]) -> Callable[[object], str]:
    """How a cell was spelt in training."""
    known = {category.casefold(): category for category in categories if isinstance(category, str)}
    pair = next((pair for pair in PAIRS if known and set(known) <= set(pair)), None)
    spelt = {word: known.get(pair[side]) for words in PAIRS for side, word in enumerate(words)} if pair else {}
    numbers = Counter(float(category) for category in known if re.fullmatch(NUMBER, category))
    by_number = {float(word): known[word] for word in known if re.fullmatch(NUMBER, word) and numbers[float(word)] == 1}

    def spell(cell: object) -> str:
        string = _as_string(cell, "true", "false")
        word = string.strip().casefold()
        if string.strip() in known.values():
            return string
        found = spelt.get(word) or (known.get(word) if word in ("true", "false") else None)
        if found is None and not isinstance(cell, str | bool | np.bool_):
            found = by_number.get(float(word)) if re.fullmatch(NUMBER, word) else None
        if found is None and (word in ("true", "false") or word in spelt):
            shown = ", ".join(map(repr, list(known.values())[:5])) + (", ..." if len(known) > 5 else "")
            raise UserError(
                f"column {name!r}: {string!r} is a truth value, but the model was trained with {shown}. Use one of "
                f"these; leave the cell empty if it is not known."
            )
        return found or string

    return spell


def _as_string(value: object, true: str, false: str) -> str:
    if isinstance(value, bool | np.bool_):
        return true if value else false
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _strings(column: pa.ChunkedArray, name: str, cell_format: CellFormat) -> Strings:
    is_float = pa.types.is_floating(column.type)
    if is_float and _largest(column) <= EXACT and pc.all(pc.equal(pc.floor(column), column)).as_py():
        column = column.cast(pa.int64(), safe=False)  # 1 is stored as 1.0 where a cell is missing; it is the string "1"
    encoded = column.cast(pa.large_string()).combine_chunks().dictionary_encode()
    distinct = pc.utf8_trim_whitespace(encoded.dictionary)
    if others := cell_format.replace.get(name):
        by_value = {float(old): new for old, new in others.items() if re.fullmatch(NUMBER, old)}
        distinct = pa.array([_replaced(string, others, by_value) for string in distinct.to_pylist()], pa.large_string())
    known = ~mask(pc.is_in(distinct, pa.array(list(cell_format.missing_values), pa.large_string())))
    return Strings(name, distinct, known, encoded.indices.fill_null(-1).to_numpy())


def _replaced(string: str, others: Mapping[str, str], by_value: Mapping[float, str]) -> str:
    """What the user wants instead of a cell; the cell -999.0 is -999, too."""
    if string not in others and by_value and re.fullmatch(NUMBER, string):
        return by_value.get(float(string), string)
    return others.get(string, string)


def _with_classes(strings: Strings, cell_format: CellFormat) -> Strings:
    """The target, with `None` as a class if the others are strings. Warns of it, and of strings that mean missing."""
    wanted = pa.array(
        [*cell_format.replace.get(strings.name, {}).values()], pa.large_string()
    )  # so the user has decided
    letters = mask(pc.match_substring_regex(strings.distinct, r"\pL")) & ~mask(pc.is_in(strings.distinct, wanted))
    is_none = mask(pc.equal(pc.utf8_lower(strings.distinct), "none")) & ~strings.known
    are_numbers = pc.match_substring_regex(strings.distinct.filter(pa.array(strings.known)), f"^({NUMBER})$")
    if not pc.any(pc.invert(are_numbers)).as_py():
        is_none[:] = False
    for which, text, other in (  # and what the first one could be replaced by
        (is_none, "kept as a class. If it means that the class is not known", "NA"),
        (letters & ~strings.known & ~is_none, "read as missing. If it is a class, give it another name", "no_{}"),
    ):
        for string in strings.most_frequent(which, 1):
            example = override("data.replace", {strings.name: {string: other.format(string)}})
            strings.warn(f"{strings.shown(which)} in the target is {text}: {example}.")
    return replace(strings, known=strings.known | is_none)


def _inferred(strings: Strings, cell_format: CellFormat, kind: str | None) -> tuple[pa.Array, str | None]:
    known = strings.known
    if not known.any():
        return pa.nulls(len(strings.positions), pa.float64()), None
    found = numbers.read(strings.but_missing, cell_format.decimal, cell_format.thousands)
    is_number, is_missing = found.known, _rarely_missing(strings)
    other = known & ~is_number & ~is_missing
    if not other.any() and (is_number.any() or kind == "numbers"):
        if kind is None and _are_codes(strings, is_number):
            return replace(strings, known=is_number).as_strings(), None
        if kind is None:
            _warn_of_missing(strings, is_missing, "numbers")
            _warn_of_notations(strings, found)
        return _number(strings.spread(found.read), strings.name, cell_format), None
    grouped = mask(pc.match_substring_regex(found.written, THOUSANDS)) & other
    if grouped.any() and not (other & ~grouped).any():
        raise strings.error(grouped, "has a thousands separator", _grouping(found.written.filter(pa.array(grouped))))
    mark = "." if cell_format.decimal == "," else ","
    decimals = mask(pc.match_substring_regex(found.written, rf"^[+-]?\d+[{mark}]\d+$")) & other
    if decimals.any() and not (other & ~decimals).any():
        word = "comma" if mark == "," else "point"
        raise strings.error(decimals, f"has a decimal {word}", f"Set it: {override('data.decimal', mark)}")
    if kind == "numbers":
        raise strings.error(other, "is not a number", CORRECT)
    dates, date_format = _dates(strings, cell_format, certain=False)
    if dates is not None:
        return dates, date_format
    if not _judged(strings, is_number, other, "number"):
        _warn_of_quantities(strings, is_number)
    _warn_of_defaults(strings, cell_format)
    return strings.as_strings(), None


def _rarely_missing(strings: Strings) -> np.ndarray:
    return strings.known & mask(pc.is_in(strings.distinct, pa.array(RARELY_MISSING, pa.large_string())))


def _judged(strings: Strings, fits: np.ndarray, other: np.ndarray, noun: str, form: str = "") -> bool:
    """Whether most known cells are numbers or dates, and the rest was reported. Errors: `UserError` if not a warning.

    Few distinct strings are categories, and many with digits in them are codes: a warning. All else is an error.
    """
    if not fits.any() or not other.any():
        return False
    asked = other & mask(pc.match_substring_regex(strings.distinct, ASKED))
    n_fits, n_other = strings.cells(fits), strings.cells(other & ~asked)
    distinct, others = int(fits.sum()), int(other.sum())
    if n_fits <= n_other and distinct <= max(CATEGORIES, 10 * others):
        return False
    name, cells = strings.name, strings.cells(fits | other)
    are_few = distinct + others <= CATEGORIES and 2 * (distinct + others) <= cells
    are_few &= noun == "number" or n_fits < MOSTLY * cells
    digits = mask(pc.match_substring_regex(strings.distinct, r"\d")) & other
    nearly = mask(pc.match_substring_regex(strings.distinct, NEARLY)) & other
    bounds = mask(pc.match_substring_regex(strings.distinct, BOUND)) & other
    quantities = mask(pc.match_substring_regex(strings.distinct, QUANTITY)) & other
    are_codes = (
        noun == "number"
        and n_fits < MOSTLY * cells
        and (strings.cells(digits & ~bounds & ~quantities & ~nearly) > strings.cells(other) / 2)
    )
    steps = []
    proposed = strings.most_frequent(asked, 5) or (strings.most_frequent(other, 5) if others <= 3 else [])
    if proposed and (asked.any() or not digits.any()):
        mean = f"{', '.join(map(repr, proposed))} mean{'s' * (len(proposed) == 1)}"
        steps.append(f"If {mean} missing: {override('data.more_missing', proposed)}.")
    if bounds.any():
        bound = strings.most_frequent(bounds, 1)[0]
        number = re.sub(r"[^\d.]", "", bound)
        steps.append(f"If a number should stand for {bound!r}: {override('data.replace', {name: {bound: number}})}.")
    as_categories = override("data.roles", {name: "categorical"})
    leave_out = f"To leave it out: {override('data.drop', [name])}."
    if are_few or are_codes:
        kind = "categories" if are_few else "codes"
        shown = f"{strings.shown(other)} {'is' if others == 1 else 'are'} no {noun}{'s' * (others > 1)}"
        steps += [f"To read it so without this warning: {as_categories}.", leave_out]
        strings.warn(
            f"{n_fits / cells:.0%} of the known cells are {noun}s, but {shown}, so it is read as strings "
            f"({kind}: {distinct + others:,} distinct). {' '.join(steps)}"
        )
        return True
    steps += [f"To read this column as strings: {as_categories}.", leave_out]
    most = "most cells" if 2 * n_fits > cells else f"the other {distinct:,} distinct cells"
    problem = f"is not a {noun}{form}, but {most} of this column are"
    counted = f"{n_fits / cells:.1%} of the known cells are {noun}s" + (
        f"; the others are {strings.shown(other)}" if others > 1 else ""
    )
    raise strings.error(other, problem, f"{counted}. Correct the file. {' '.join(steps)}".rstrip("."))


def _are_codes(strings: Strings, is_number: np.ndarray) -> bool:
    """Whether most numbers are whole and have more digits than a float64 keeps; warns if so, and if some have."""
    long = np.flatnonzero(mask(pc.match_substring_regex(strings.distinct, r"^[+-]?[1-9]\d{15,}$")) & is_number)
    exceed = np.zeros_like(is_number)
    exceed[[place for place in long if abs(int(strings.distinct[int(place)].as_py())) > EXACT]] = True
    if not exceed.any():
        return False
    if 2 * strings.cells(exceed) < strings.cells(is_number):
        strings.warn(
            f"{strings.shown(exceed)} has more digits than a number keeps, and is rounded. If it stands for a missing "
            f"cell: {override('data.more_missing', strings.most_frequent(exceed, 3))}. If the column holds codes: "
            f"{override('data.roles', {strings.name: 'categorical'})}."
        )
        return False
    strings.warn(
        f"{_n_cells(strings.cells(exceed))} such as {strings.most_frequent(exceed, 1)[0]} have more digits than a "
        f"number keeps, so the column is read as strings (codes). If it holds quantities: "
        f"{override('data.roles', {strings.name: 'numeric'})}."
    )
    return True


def _warn_of_missing(strings: Strings, which: np.ndarray, kind: str) -> None:
    if which.any():
        strings.warn(
            f"{strings.shown(which)} is read as missing, because all other cells are {kind}. If it is a category: "
            f"{override('data.roles', {strings.name: 'categorical'})}."
        )


def _warn_of_notations(strings: Strings, found: numbers.Numbers) -> None:
    """Numbers that are not written plainly: how many, an example, and how it is read."""
    if not found.notations:
        return
    which = np.any([*found.notations.values()], axis=0)
    example = strings.most_frequent(which, 1)[0]
    value = found.read[pc.index(strings.distinct, example).as_py()].as_py()
    text = (
        f"{strings.cells(which):,} of {strings.cells(strings.known):,} cells are written like {example!r}, which is "
        f"read as the number {value:.15g} ({', '.join(found.notations)})."
    )
    plain = found.known & ~which
    if "percent" in found.notations and plain.any():
        text += f" Cells without % are taken for percent, too: {strings.most_frequent(plain, 1)[0]!r}."
    if "digit groups" in found.notations:
        grouped = strings.most_frequent(found.notations["digit groups"], 1)[0]
        if mark := re.search(r"\d([,.' ])\d{2,3}", grouped):
            setting = override("data.thousands", mark[1])
            text += f" To read every such cell in this way, also when the model is served: {setting}."
    strings.warn(f"{text} If that is wrong: {override('data.roles', {strings.name: 'categorical'})}.")


def _warn_of_quantities(strings: Strings, is_number: np.ndarray) -> None:
    quantity = mask(pc.match_substring_regex(strings.distinct, f"{QUANTITY}|{BOUND}")) & strings.known & ~is_number
    if quantity.any() and 2 * strings.cells(quantity | is_number) > strings.cells(strings.known):
        strings.warn(
            f"{_n_cells(strings.cells(quantity))} such as {strings.most_frequent(quantity, 1)[0]!r} are read as "
            f"strings, not as numbers. If they should be numbers, remove units from the file. To read them as "
            f"strings without this warning: {override('data.roles', {strings.name: 'categorical'})}."
        )


def _warn_of_defaults(strings: Strings, cell_format: CellFormat) -> None:
    """Strings that mean missing unless the user's own list, which replaces the default, leaves them out."""
    left_out = pa.array(sorted({*MISSING} - {*cell_format.missing_values}), pa.large_string())
    which = strings.known & mask(pc.is_in(strings.distinct, left_out))
    if which.any():
        strings.warn(
            f"{strings.shown(which)} is read as a category, because data.missing_values, which replaces the default "
            f"list, does not contain it. To add strings to the default list, use data.more_missing instead."
        )


def _grouping(grouped: pa.Array) -> str:
    """The settings that read numbers such as `1.234.567,8` or `1,234`."""
    marks = [re.sub(r"[+\-\d]", "", string) for string in grouped.to_pylist()]
    longest = max(marks, key=len)
    decimal = longest[-1] if longest[-1] != longest[0] else None
    step = f"Set it: {override('data.thousands', longest[0])}" + (
        f" {override('data.decimal', decimal)}" if decimal else ""
    )
    return step + (
        f"; or, if it is a decimal mark, {override('data.decimal', longest)}" if longest in (",", ".") else ""
    )


def _dates(strings: Strings, cell_format: CellFormat, *, certain: bool) -> tuple[pa.Array | None, str | None]:
    """The column as dates, and their format. If it holds none: an error if it is `certain` to hold dates, else None."""
    is_missing = _rarely_missing(strings)
    known = strings.distinct.to_pandas()[strings.known & ~is_missing]
    if not len(known):
        return (pa.nulls(len(strings.positions), TIME) if certain else None), None
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
                strings.known & ~is_missing,
                f"can be read as {' or '.join(complete)}",
                f"Set the format that is right, such as {override('data.date_format', first)}",
            )
        if not certain:
            _warn_of_missing(strings, is_missing, "dates")
        dates = pa.Array.from_pandas(dates.reindex(range(len(strings.distinct))), type=TIME)
        return strings.spread(_without_missing(dates, cell_format)), first

    def places(which: pd.Series) -> np.ndarray:
        return np.isin(np.arange(len(strings.distinct)), known.index[which])

    _refuse_durations(strings, known, readings, certain=certain)
    as_strings = f"Correct it, or read this column as strings: {override('data.roles', {strings.name: 'categorical'})}"
    for date_format, dates in readings.items():
        other_order = readings.get(swapped(date_format))
        if other_order is not None and dates.notna().any() and (dates.notna() | other_order.notna()).all():
            example = strings.most_frequent(places(other_order.isna()), 1)[0]
            problem = f"is not a date of the format {date_format}, but {example!r} is: day and month change places"
            raise strings.error(places(dates.isna()), problem, f"Write all dates in one order. {as_strings}")
    shapes = known.str.replace(r"\d+", "0", regex=True)
    for date_format, dates in readings.items():
        is_date = dates.notna()
        alike = is_date.any() and shapes[~is_date].isin(shapes[is_date]).all()  # 2023-02-30 among dates
        if alike or (is_date.any() and certain):
            raise strings.error(places(~is_date), f"is not a date of the format {date_format}", as_strings)
    if certain:
        problem = f"is not a date of the format {given}" if given else "is not a date of a known format"
        raise strings.error(strings.known, problem, "Set data.date_format, or change the column's role in data.roles")
    if readings:
        are_dates = {date_format: dates.notna() for date_format, dates in readings.items()}
        best = max(are_dates, key=lambda date_format: are_dates[date_format].sum())
        is_date = are_dates[best] & ~known.str.fullmatch(NUMBER)  # 2024 is a number, and a year in ISO 8601
        if not _judged(strings, places(is_date), places(~is_date), "date", f" of the format {best}"):
            _warn_of_two_forms(strings, {form: places(dates) for form, dates in are_dates.items()}, best)
    return None, None


def _refuse_durations(strings: Strings, known: pd.Series, formats: Collection[str], *, certain: bool) -> None:
    """An error for `41:38:44` among cells that could be times of day: no format of dates reads it."""
    parts = known.str.extract(r"^(\d+):([0-5]\d)(?::([0-5]\d))?$").astype(float)
    late = parts[0] >= 24
    if parts[0].isna().any() or not late.any() or not (certain or (~late).any()) or not any("%H" in f for f in formats):
        return
    hours, minutes, seconds = parts.fillna({2: 0})[late].iloc[0]
    raise strings.error(
        np.isin(np.arange(len(strings.distinct)), known.index[late]),
        "is no time of day, which ends before 24:00, but perhaps a duration",
        f"Write durations as numbers in the file, such as {hours + minutes / 60 + seconds / 3600:.6g} hours. To leave "
        f"the column out: {override('data.drop', [strings.name])}",
    )


def _warn_of_two_forms(strings: Strings, are_dates: Mapping[str, np.ndarray], best: str) -> None:
    """Where two formats of dates together read most cells, neither alone."""
    rest = {form: which & ~are_dates[best] for form, which in are_dates.items()}
    other = max(rest, key=lambda form: strings.cells(rest[form]))
    forms = {best: are_dates[best], other: rest[other]}
    if all(map(np.any, forms.values())) and sum(map(strings.cells, forms.values())) >= MOSTLY * strings.cells(
        strings.known
    ):
        shown = " and ".join(
            f"{_n_cells(strings.cells(which))} of the format {form}, such as {strings.most_frequent(which, 1)[0]!r}"
            for form, which in forms.items()
        )
        strings.warn(
            f"dates are written in two ways, {shown}, so it is read as strings. To have dates, write all of them in "
            f"one way in the file. To read it as strings without this warning: "
            f"{override('data.roles', {strings.name: 'categorical'})}. To leave it out: "
            f"{override('data.drop', [strings.name])}."
        )


def _without_missing(dates: pa.Array | pa.ChunkedArray, cell_format: CellFormat) -> pa.Array | pa.ChunkedArray:
    """The dates, null for those that mean missing, such as 9999-12-31."""
    written = [string for string in cell_format.missing_values if re.match(r"\d{4}-\d\d-\d\d", string)]
    missing = pa.Array.from_pandas(as_dates(pd.Series(written, dtype="str"), "ISO8601").dropna(), type=TIME)
    return pc.if_else(pc.is_in(dates, missing), pa.scalar(None, TIME), dates) if len(missing) else dates


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


def _largest(column: pa.ChunkedArray) -> float:
    """The largest absolute value."""
    ends = pc.min_max(column).as_py()
    return max((abs(float(end)) for end in ends.values() if end is not None), default=0.0)


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


def _error(name: str, row: int, cell: str, problem: str, count: int, step: str) -> CellError:
    cells = f"{count:,} such cells" if count > 1 else "the only such cell"
    reason = f"column {name!r}: {cell} {problem}"
    return CellError(f"row {row + 1:,}, {reason} ({cells}). {step}.", reason)


def _n_cells(count: int) -> str:
    return f"{count:,} cell{'' if count == 1 else 's'}"

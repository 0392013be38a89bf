"""What is said of a column that could be read in another way: warnings, or an error, with the settings that decide."""

import re
import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.overrides import override
from pipeline.reading import dates, numbers, quantities
from pipeline.reading.numbers import NUMBER, mask
from pipeline.reading.options import MISSING, CellFormat
from pipeline.reading.strings import EXACT, Strings, n_cells
from pipeline.reading.typed import Measured, places

MOSTLY = 0.9  # share of numbers from which a cell that is not a number is taken for a mistake
FEW_UNITS = 5  # of a column, if it holds quantities
CATEGORIES = 20  # so few distinct strings are more likely categories (`0`, `1`, `2`, `3+`)
ASKED = (  # proposed as a string that means missing; RE2's syntax
    r"^(?i:\W*(unk(nown)?|unspecified|undefined|undetermined|not[ _-]?(available|applicable|known|reported|recorded|"
    r"given|provided|stated|specified|collected|tested|done|asked)|no[ _-]?(data|info(rmation)?|answer|response|value)|"
    r"(privacy[ _-]?)?suppressed|withheld|redacted|confidential|refused|declined|missing|none|n\W?[ad]\W?|nil|null|"
    r"blank|empty|error|invalid|pending|tb[acd]|do(n't|nt| not) know|x+|\W+)\W*)$"
)
UNIT = r"(%|[$€£¥]|°[CF]|USD|EUR|GBP|[kcm]?m|k?g|lbs?|in|ft|k?Wh?|m?s|h|[kKMB]|bn|years?|yrs?|days?|months?)"
QUANTITY = rf"^[(+-]*\s*[$€£¥]?\s*\d[\d,.]*\s*{UNIT}?\)?$"
BOUND = r"^([<>≤≥~≈±]|<=|>=)\s*[+-]?[\d.,]+\s*%?$"  # `<0.1`, below what could be measured
DAY_WORD_YEAR = r"^\d{1,2}[.,\s/-]+(?P<word>\p{L}[\p{L}\p{M}]{2,})[.,\s/-]+(?:19|20)\d\d\b"
MONTH_NAMES = 24  # in two cases
NEARLY = r"^\W*\d[\d.,]*\W*$"  # a number with a mark of a footnote


def judged(strings: Strings, fits: np.ndarray, other: np.ndarray, noun: str, form: str = "") -> bool:
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
    measured = mask(pc.match_substring_regex(strings.distinct, QUANTITY)) & other
    are_codes = (
        noun == "number"
        and n_fits < MOSTLY * cells
        and (strings.cells(digits & ~bounds & ~measured & ~nearly) > strings.cells(other) / 2)
    )
    steps = _steps(strings, other, asked, bounds, measured)
    as_categories = override("data.roles", {name: "categorical"})
    leave_out = f"To leave it out: {override('data.drop', [name])}."
    if are_few or are_codes:
        kind = "categories" if are_few else "codes"
        misfits = f"{strings.examples(other)} {'is' if others == 1 else 'are'} no {noun}{'s' * (others > 1)}"
        steps += [f"To read it so without this warning: {as_categories}.", leave_out]
        strings.warn(
            f"{n_fits / cells:.0%} of the known cells are {noun}s, but {misfits}, so it is read as strings "
            f"({kind}: {distinct + others:,} distinct). {' '.join(steps)}"
        )
        return True
    steps += [f"To read this column as strings: {as_categories}.", leave_out]
    most = "most cells" if 2 * n_fits > cells else f"the other {distinct:,} distinct cells"
    problem = f"is not a {noun}{form}, but {most} of this column are"
    counted = f"{n_fits / cells:.1%} of the known cells are {noun}s" + (
        f"; the others are {strings.examples(other)}" if others > 1 else ""
    )
    raise strings.error(other, problem, f"{counted}. Correct the file. {' '.join(steps)}".rstrip("."))


def _steps(
    strings: Strings, other: np.ndarray, asked: np.ndarray, bounds: np.ndarray, measured: np.ndarray
) -> list[str]:
    """What other cells may be, missing, a bound or a number with a unit, and the settings that read them so."""
    steps, few = [], int(other.sum()) <= 3
    proposed = strings.most_frequent(asked, 5) or (strings.most_frequent(other, 5) if few else [])
    if proposed and (asked.any() or not pc.any(pc.match_substring_regex(pa.array(proposed), r"\d")).as_py()):
        mean = f"{', '.join(map(repr, proposed))} mean{'s' * (len(proposed) == 1)}"
        steps.append(f"If {mean} missing: {override('data.more_missing', proposed)}.")
    if bounds.any():
        bound = strings.most_frequent(bounds, 1)[0]
        number = re.sub(r"[^\d.]", "", bound)
        example = override("data.replace", {strings.name: {bound: number}})
        steps.append(f"If a number should stand for {bound!r}: {example}.")
    if measured.any():
        cell = strings.most_frequent(measured, 1)[0]
        unit = quantities.split(pa.array([cell], pa.large_string()), None).units[0].as_py() or ""
        if quantity := quantities.quantity_of([unit]):
            unit = quantities.PLAIN if quantity == "number" else unit
            steps.append(f"To read {cell!r} with its unit: {override('data.units', {strings.name: unit})}.")
    return steps


def are_long_codes(strings: Strings, is_number: np.ndarray) -> bool:
    """Whether most numbers are whole and have more digits than a float64 keeps; warns if so, and if some have."""
    long = np.flatnonzero(mask(pc.match_substring_regex(strings.distinct, r"^[+-]?[1-9]\d{15,}$")) & is_number)
    exceed = np.zeros_like(is_number)
    exceed[[place for place in long if abs(int(strings.distinct[int(place)].as_py())) > EXACT]] = True
    if not exceed.any():
        return False
    if 2 * strings.cells(exceed) < strings.cells(is_number):
        strings.warn(
            f"{strings.examples(exceed)} has more digits than a number keeps, and is rounded. If it stands for a "
            f"missing cell: {override('data.more_missing', strings.most_frequent(exceed, 3))}. If the column holds "
            f"codes: {override('data.roles', {strings.name: 'categorical'})}."
        )
        return False
    strings.warn(
        f"{n_cells(strings.cells(exceed))} such as {strings.most_frequent(exceed, 1)[0]} have more digits than a "
        f"number keeps, so the column is read as strings (codes). If it holds quantities: "
        f"{override('data.roles', {strings.name: 'numeric'})}."
    )
    return True


def warn_of_missing(strings: Strings, which: np.ndarray, kind: str) -> None:
    if which.any():
        strings.warn(
            f"{strings.examples(which)} is read as missing, because all other cells are {kind}. If it is a category: "
            f"{override('data.roles', {strings.name: 'categorical'})}."
        )


def warn_of_notations(strings: Strings, numerals: numbers.Numbers) -> None:
    """Numbers that are not written plainly: how many, an example, and how it is read."""
    if not numerals.notations:
        return
    which = np.any([*numerals.notations.values()], axis=0)
    example = strings.most_frequent(which, 1)[0]
    value = numerals.read[pc.index(strings.distinct, example).as_py()].as_py()
    text = (
        f"{strings.cells(which):,} of {strings.cells(strings.is_known):,} cells are written like {example!r}, which is "
        f"read as the number {value:.15g} ({', '.join(numerals.notations)})."
    )
    plain = numerals.is_number & ~which
    if "percent" in numerals.notations and plain.any():
        text += f" Cells without % are taken for percent, too: {strings.most_frequent(plain, 1)[0]!r}."
    if "digit groups" in numerals.notations:
        grouped = strings.most_frequent(numerals.notations["digit groups"], 1)[0]
        if mark := re.search(r"\d([,.' ])\d{2,3}", grouped):
            setting = override("data.thousands", mark[1])
            text += f" To read every such cell in this way, also when the model is served: {setting}."
    strings.warn(f"{text} If that is wrong: {override('data.roles', {strings.name: 'categorical'})}.")


def ask_of_shares(strings: Strings, numerals: numbers.Numbers) -> None:
    """An error where `12 %` stands beside `0.12`, which may be 12 % or 0.12 %."""
    percent = numerals.notations.get("percent")
    if percent is None or not (plain := numerals.is_number & ~percent).any():
        return
    values = np.abs(numerals.read.to_numpy(zero_copy_only=False))
    if not (values[plain] <= 1).all() or (values[percent] <= 1).all():
        return
    raise strings.error(
        plain & (values > 0) if (values[plain] > 0).any() else plain,
        f"has no % beside cells such as {strings.most_frequent(percent, 1)[0]!r}",
        "If such cells are shares, of which 1 is 100 %: {}. If they are percent: {}",
        ("data.units", {strings.name: quantities.PLAIN}),
        ("data.units", {strings.name: "%"}),
    )


def unit_of(strings: Strings, measured: Measured, clock: str | None) -> str | None:
    """The unit that all cells can be converted to, the most frequent; None where there is none.

    Warns of units without a common quantity. A unit that no table has is one where a column has many numbers with it,
    and no other unit; fewer are categories.
    """
    counts = _units(strings, measured)
    if not counts:
        return None
    keys = {quantities.plain(unit) for unit in counts}
    quantity = quantities.quantity_of(["M", *keys] if measured.is_price.any() else keys)
    most = next(iter(counts))
    if quantity != "number" and 2 * sum(counts.values()) < strings.cells(strings.is_known):
        return None
    if quantity == "number":
        share = sum(counts.values()) / strings.cells(strings.is_known)
        return quantities.PLAIN if share > 1 - MOSTLY else None  # else a mistake
    if quantity == "time" and clock and keys == {"h"}:
        return clock
    n_numbers = int((strings.is_known & mask(measured.units.is_valid())).sum())
    if quantity or (len(keys) == 1 and n_numbers > CATEGORIES):
        return most
    if 1 < len(keys) <= FEW_UNITS and n_numbers > CATEGORIES:
        named = ", ".join(f"{unit} ({n_cells(count)})" for unit, count in counts.items())
        strings.warn(
            f"numbers with units that can't be converted into each other, {named}, are read as strings. To read those "
            f"in {most} and take the others for missing: {override('data.units', {strings.name: most})}. "
            f"{_without_warning(strings)}."
        )
    return None


def warn_of_units(strings: Strings, measured: Measured, unit: str) -> None:
    """Which units cells have, and what they are read as."""
    counts = _units(strings, measured)
    is_shown = unit != quantities.PLAIN
    has_unit = strings.is_known & mask(measured.units.is_valid())
    example = strings.most_frequent(has_unit, 1)[0]
    values = quantities.converted(measured.amounts.to_numpy(zero_copy_only=False), measured.units, unit)[0]
    value = f"{values[pc.index(strings.distinct, example).as_py()]:.6g}" + f" {unit}" * is_shown
    shown = [*counts.items()][:FEW_UNITS]
    named = ", ".join(f"{name} ({n_cells(count)})" for name, count in shown if name != quantities.PLAIN)
    text = f"numbers with units, {named}, are read as numbers{f' in {unit}' * is_shown}: {example!r} is {value}."
    plain = strings.is_known & ~has_unit & mask(measured.amounts.is_valid())
    if is_shown and plain.any():
        text += f" Cells without a unit are taken for {unit}, too: {strings.examples(plain, 1)}."
    if others := [name for name in counts if quantities.plain(name) != quantities.plain(unit)][:is_shown]:
        text += f" To have {others[0]}: {override('data.units', {strings.name: others[0]})}."
    if unit == "h" and re.fullmatch(r"\d+:\d\d", example):
        text += f" If these are minutes and seconds: {override('data.units', {strings.name: 'min'})}."
    strings.warn(f"{text} If they are no numbers: {override('data.roles', {strings.name: 'categorical'})}.")


def _units(strings: Strings, measured: Measured) -> dict[str, int]:
    """The number of cells with each unit, the most frequent first; spellings of a unit are one."""
    spelt: dict[str, str] = {}
    counts: dict[str, int] = {}
    for unit, count in strings.totals(measured.units).items():
        first = spelt.setdefault(quantities.plain(unit), unit)
        counts[first] = counts.get(first, 0) + count
    return counts


def warn_of_currencies(strings: Strings, is_number: np.ndarray) -> bool:
    """Prices in several currencies, whose rates change: how many of each. Whether there are such."""
    signs = numbers.currencies(strings.distinct)
    priced = strings.is_known & ~is_number & mask(signs.is_valid())
    digits = mask(pc.match_substring_regex(strings.distinct, r"^\D{0,5}\d[\d.,' ]*\D{0,5}$"))
    if not priced.any() or 2 * strings.cells(priced & digits) <= strings.cells(strings.is_known):
        return False
    counts = strings.totals(pc.if_else(pa.array(priced), signs, None))
    if len(counts) < 2:
        return False
    most = next(iter(counts))
    named = ", ".join(f"{sign} ({n_cells(count)})" for sign, count in counts.items())
    strings.warn(
        f"prices in several currencies, {named}, are read as strings. Convert them in the file, or, to take all but "
        f"{most} for missing: {override('data.units', {strings.name: most})}. {_without_warning(strings)}."
    )
    return True


def _without_warning(strings: Strings) -> str:
    as_categories = override("data.roles", {strings.name: "categorical"})
    return f"To read it as strings without this warning: {as_categories}"


def warn_of_quantities(strings: Strings, is_number: np.ndarray) -> None:
    quantity = mask(pc.match_substring_regex(strings.distinct, f"{QUANTITY}|{BOUND}")) & strings.is_known & ~is_number
    if quantity.any() and 2 * strings.cells(quantity | is_number) > strings.cells(strings.is_known):
        strings.warn(
            f"{n_cells(strings.cells(quantity))} such as {strings.most_frequent(quantity, 1)[0]!r} are read as "
            f"strings, not as numbers. If they should be numbers, remove units from the file. To read them as "
            f"strings without this warning: {override('data.roles', {strings.name: 'categorical'})}."
        )


def warn_of_defaults(strings: Strings, cell_format: CellFormat) -> None:
    """Strings that mean missing unless the user's own list, which replaces the default, leaves them out."""
    left_out = pa.array(sorted({*MISSING} - {*cell_format.missing_values}), pa.large_string())
    which = strings.is_known & mask(pc.is_in(strings.distinct, left_out))
    if which.any():
        strings.warn(
            f"{strings.examples(which)} is read as a category, because data.missing_values, which replaces the default "
            f"list, does not contain it. To add strings to the default list, use data.more_missing instead."
        )


def judge_dates(strings: Strings, readings: Mapping[str, pd.Series]) -> None:
    """The same of dates, which are read in several formats."""
    if not readings:
        return
    are_dates = {date_format: read.notna() for date_format, read in readings.items()}
    best = max(are_dates, key=lambda date_format: are_dates[date_format].sum())
    candidates = strings.distinct.to_pandas()[are_dates[best].index]
    is_date = are_dates[best] & ~candidates.str.fullmatch(NUMBER)  # 2024 is a number, and a year in ISO 8601
    if not judged(strings, places(strings, is_date), places(strings, ~is_date), "date", f" of the format {best}"):
        _warn_of_two_forms(strings, {form: places(strings, which) for form, which in are_dates.items()}, best)


def propose_dates(name: str, example: float, date_format: str) -> None:
    """What numbers would be as dates."""
    date = dates.as_dates(pd.Series([f"{example:.0f}"]), date_format)[0]
    what = f"{dates.UNITS[date_format]} since 1970" if date_format in dates.UNITS else f"of the format {date_format}"
    warnings.warn(
        f"column {name!r}: all numbers may be dates, {what}, but are read as numbers: {example:.0f} would be "
        f"{date:%Y-%m-%d %H:%M}. To have dates: {override('data.date_format', {name: date_format})}. To read them as "
        f"numbers without this warning: {override('data.roles', {name: 'numeric'})}.",
        stacklevel=2,
    )


def warn_of_months(strings: Strings) -> bool:
    """Dates with names of months that are in no known language: whether there are such."""
    are_dates = strings.is_known & mask(pc.match_substring_regex(strings.distinct, DAY_WORD_YEAR))
    if strings.cells(are_dates) <= MOSTLY * strings.cells(strings.is_known):
        return False
    found = pc.extract_regex(strings.distinct.filter(pa.array(are_dates)), DAY_WORD_YEAR)
    words = sorted({*pc.struct_field(found, 0).to_pylist()})
    if len(words) > MONTH_NAMES or not words:
        return False
    strings.warn(
        f"{strings.examples(are_dates, 1)} look like dates, but {', '.join(map(repr, words[:3]))} "
        f"{'is' if len(words) == 1 else 'are'} no month in a language that is known, so it is read as strings. To have "
        f"dates, write the months in English or as numbers in the file. {_without_warning(strings)}."
    )
    return True


def _warn_of_two_forms(strings: Strings, are_dates: Mapping[str, np.ndarray], best: str) -> None:
    """Where two formats of dates together read most cells, neither alone."""
    rest = {form: which & ~are_dates[best] for form, which in are_dates.items()}
    other = max(rest, key=lambda form: strings.cells(rest[form]))
    forms = {best: are_dates[best], other: rest[other]}
    if all(map(np.any, forms.values())) and sum(map(strings.cells, forms.values())) >= MOSTLY * strings.cells(
        strings.is_known
    ):
        ways = " and ".join(
            f"{n_cells(strings.cells(which))} of the format {form}, such as {strings.most_frequent(which, 1)[0]!r}"
            for form, which in forms.items()
        )
        strings.warn(
            f"dates are written in two ways, {ways}, so it is read as strings. To have dates: "
            f"{override('data.date_format', {strings.name: '|'.join(forms)})}. {_without_warning(strings)}. "
            f"To leave it out: {override('data.drop', [strings.name])}."
        )

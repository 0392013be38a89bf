"""Strings to numbers: the notations that can't be mistaken, each read and counted.

    (1,234.50)   -1234.5    brackets are a minus           ="123"  '123    123      as spreadsheets mark text
    12.5-        -12.5      a minus at the end             12,34,567       1234567  groups of two or three digits
    −5           -5         a minus of Unicode             1 234,5         1234.5   groups with a space or apostrophe
    $5   5 €     5          one currency in a column       ١٢  １２        12       digits of other scripts
    12.5%        12.5       percent                        1.5D+03         1500     an exponent of Fortran
    5.1 ± 0.1    5.1        without its uncertainty

`1,234` alone may be a decimal or a group of digits, so it is read only beside cells that decide.
"""

import unicodedata
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:[+-]?inf(inity)?)"
CURRENCY = (
    r"(?:[A-Z]{1,2}\p{Sc}|\p{Sc}|USD|EUR|GBP|JPY|CHF|INR|CNY|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RON|TRY|RUB|BRL|MXN|ZAR|"
    r"KRW|SGD|HKD|THB|IDR|MYR|PHP|VND|ILS|AED|SAR|PKR|BDT|LKR|NGN|KES|EGP|Rs\.?|kr\.?|zł|Kč)"
)
FEW_LETTERS = r"^[^\p{L}\p{M}]*(\p{L}{1,3}[^\p{L}\p{M}]*)?$"  # a currency or an exponent
BETWEEN_DIGITS = r"\d\s*[-/:]\s*\d"  # of dates, times and ranges
MINUS = "\N{MINUS SIGN}\N{SMALL HYPHEN-MINUS}\N{FULLWIDTH HYPHEN-MINUS}\N{EN DASH}\N{HYPHEN}\N{NON-BREAKING HYPHEN}"
FOREIGN = {
    "\N{ARABIC DECIMAL SEPARATOR}": ".",
    "\N{ARABIC THOUSANDS SEPARATOR}": ",",
    "\N{FULLWIDTH FULL STOP}": ".",
    "\N{FULLWIDTH COMMA}": ",",
    "\N{ARABIC PERCENT SIGN}": "%",
    "\N{FULLWIDTH PERCENT SIGN}": "%",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
}
SIGNS = str.maketrans(dict.fromkeys(MINUS, "-") | FOREIGN)
GROUP_MARKS = ",.' "
STEPS = (  # notation, what is replaced, by what; RE2's syntax
    ("uncertainty", r"([\d.,])\s*(?:±|\+/-|\+-)\s*[\d.,]+(\D*)$", r"\1\2"),
    ("uncertainty", r"(\d\.\d+)\(\d{1,3}\)(\D*)$", r"\1\2"),
    ("text", r"""^'([^"=]*[^"='])'?$|^="([^"]*)"$""", r"\1\2"),
    ("currency", rf"^([(+-]*)\s*{CURRENCY}\s*([(+-]*[\d.,])", r"\1\2"),
    ("currency", rf"([\d.,])\s*{CURRENCY}([)-]?)$", r"\1\2"),
    ("percent", r"([\d.,])\s*%([)-]?)$", r"\1\2"),
    ("brackets", r"^\(\s*([\d.,][^()]*?)\s*\)$", r"-\1"),
    ("minus at the end", r"^([\d.,][^-]*)-$", r"-\1"),
    ("exponent", r"(\d*[.,]\d*)[dD]([+-]?\d+)$|(\d)[dD]([+-]\d+)$", r"\1\3e\2\4"),
)


class Numbers(NamedTuple):
    """What was read of the strings (n,).

    read       float64, null for a string that is not a number
    notations  by name, which strings (n,) needed it; plain numbers are in none
    written    the strings without the signs that numbers may have
    """

    read: pa.Array
    notations: dict[str, np.ndarray]
    written: pa.Array

    @property
    def is_number(self) -> np.ndarray:
        """Which strings are numbers."""
        return mask(self.read.is_valid())


def read(strings: pa.Array, decimal: str | None, thousands: str | None) -> Numbers:
    """`strings` (n,), with a mark before decimals and between groups of digits (None: as the strings themselves show).

    Strings with two currencies, or with groups that contradict each other, are not read.
    """
    text = _plain(strings, decimal, thousands)
    is_number, is_known = mask(pc.match_substring_regex(text, f"^({NUMBER})$")), mask(strings.is_valid())
    notations: dict[str, np.ndarray] = {}
    written = strings
    if not is_number[is_known].all():
        written, notations = _undecorated(strings, is_known & ~is_number)
        candidates = _plain(written, decimal, thousands)
        is_read = mask(pc.match_substring_regex(candidates, f"^({NUMBER})$")) & ~is_number
        text, is_number = pc.if_else(pa.array(is_read), candidates, text), is_number | is_read
        if thousands is None and not is_number[is_known].all():
            text, is_number, notations["digit groups"] = _ungrouped(written, text, is_number, notations["currency"])
        priced = notations["currency"] & is_number
        if priced.any() and len(currencies(strings.filter(pa.array(priced))).unique()) > 1:
            is_number &= ~priced
        notations = {name: which & is_number for name, which in notations.items() if (which & is_number).any()}
    return Numbers(pc.if_else(pa.array(is_number), text, None).cast(pa.float64()), notations, written)


def currencies(strings: pa.Array) -> pa.Array:
    """The currency of each of some prices; null for other strings."""
    return pc.struct_field(pc.extract_regex(strings.cast(pa.large_string()), f"(?P<sign>{CURRENCY})"), 0)


def mask(column: pa.Array) -> np.ndarray:
    """Where a column of booleans is true, (n,)."""
    return column.fill_null(False).to_numpy(zero_copy_only=False)


def _plain(strings: pa.Array, decimal: str | None, thousands: str | None) -> pa.Array:
    """The strings with a point before decimals and without groups, as Arrow parses numbers."""
    plain = pc.replace_substring_regex(strings, r"^\+", "")  # Arrow does not parse +1
    if thousands:
        groups = rf"^-?\d{{1,3}}(\Q{thousands}\E\d{{2,3}})*\Q{thousands}\E\d{{3}}(\D\d+)?$"  # not 01.02.2023
        is_grouped = pc.match_substring_regex(plain, groups)
        plain = pc.if_else(is_grouped, pc.replace_substring(plain, thousands, ""), plain)
    if decimal == ",":  # and then a cell with a point in it is not a number
        plain = pc.replace_substring(pc.replace_substring(plain, ".", "?"), ",", ".")
    return plain


def _undecorated(strings: pa.Array, which: np.ndarray) -> tuple[pa.Array, dict[str, np.ndarray]]:
    """The strings without the signs that numbers may have, and which strings had them."""
    which = which & mask(pc.match_substring_regex(strings, FEW_LETTERS))
    which &= mask(pc.match_substring_regex(strings, r"\p{Nd}")) & ~mask(
        pc.match_substring_regex(strings, BETWEEN_DIGITS)
    )
    part = strings.filter(pa.array(which))
    notations = dict.fromkeys(["signs of Unicode", *(name for name, _, _ in STEPS)], np.zeros(len(part), dtype=bool))
    if not pc.all(pc.string_is_ascii(part)).as_py():
        before, part = part, pa.array([_ascii(string) for string in part.to_pylist()], part.type)
        notations["signs of Unicode"] = mask(pc.not_equal(before, part))
    for name, pattern, replacement in STEPS:
        before, part = part, pc.replace_substring_regex(part, pattern, replacement)
        notations[name] = notations[name] | mask(pc.not_equal(before, part))
    places = np.flatnonzero(which)
    written = pc.replace_with_mask(strings, pa.array(which), part)
    return written, {name: np.isin(np.arange(len(strings)), places[had]) for name, had in notations.items()}


def _ascii(string: str) -> str:
    return "".join(
        str(unicodedata.decimal(sign)) if sign.isdecimal() else " " if unicodedata.category(sign) == "Zs" else sign
        for sign in unicodedata.normalize("NFC", string.translate(SIGNS))
    )


def _ungrouped(
    written: pa.Array, text: pa.Array, is_number: np.ndarray, is_price: np.ndarray
) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    """`text` with the groups of digits removed, where all numbers of the column agree on the marks.

    A price such as `$1,234` has no three decimals after a comma.
    """
    grouped = mask(pc.match_substring_regex(written, r"^[+-]?[1-9]\d{0,2}([,.' ]\d{2,3})*[,.' ]\d{3}([.,]\d+)?$"))
    grouped &= ~is_number
    like_numbers = mask(pc.match_substring_regex(written, r"^[+-]?[\d,.' ]+$"))
    involved = written.filter(pa.array(is_number | like_numbers))
    readings = []
    present = [mark for mark in GROUP_MARKS if pc.any(pc.match_substring(involved, mark)).as_py()]
    for group in present if grouped.any() else ():
        short = r"\d{2,3}" if group == "," else r"\d{3}"  # of groups, two digits are Indian
        for point in ".,".replace(group, ""):
            many = rf"[1-9]\d{{0,2}}(\Q{group}\E{short})*\Q{group}\E\d{{3}}"
            end = rf"(\Q{point}\E\d*)?([eE][+-]?\d+)?"
            fits = pc.match_substring_regex(involved, rf"^[+-]?(({many}|\d+){end}|\Q{point}\E\d+)$")
            decides = (
                rf"^[+-]?\d+(\Q{group}\E\d+){{2,}}|^[+-]?\d+\Q{group}\E\d+\Q{point}\E|"
                rf"^[+-]?(0|\d{{4,}})\Q{point}\E\d|^[+-]?\d*\Q{point}\E(\d|\d\d|\d{{4,}})$"
            )
            is_sure = group not in ",." or (group == "," and (grouped & is_price).any())
            is_sure = is_sure or pc.any(pc.match_substring_regex(involved, decides)).as_py()
            if pc.all(fits).as_py() and is_sure:
                readings.append((group, point))
    if not readings or len({group for group, _ in readings}) > 1:
        return text, is_number, np.zeros_like(grouped)
    group, point = readings[0]
    both = pa.array(is_number | grouped)
    plain = pc.replace_substring(pc.replace_substring(written, group, ""), point, ".")
    return pc.if_else(both, pc.replace_substring_regex(plain, r"^\+", ""), text), is_number | grouped, grouped

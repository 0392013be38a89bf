"""Numbers with units: `79.2 kg`, `€1.2M`, `5 ft 11 in`, `2h 50m`, each as a number in the unit of its column.

    number = (amount x factor of its unit + offset - offset of the column's unit) / factor of the column's unit

A column counts one quantity. Its unit is in the cell format, and so in `model.json`: "kg", or "1" for plain numbers, of
which k, M and % are multiples. A cell without a unit is in that of the column. Units that have no unambiguous factor
(gallons, tons, cups) are read where a column has no other.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.reading import durations
from pipeline.reading.numbers import CURRENCY

PLAIN = "1"  # the unit of plain numbers
_SPELT = {  # quantity: its units by factor, the first that has all units of a column decides
    "mass": {
        1: "kg kgs kilo kilos kilogram kilograms",
        1e-3: "g gr gram grams gramme grammes",
        1e-6: "mg milligram milligrams",
        1e-9: "ug mcg",
        1e3: "t tonne tonnes",
        0.45359237: "lb lbs pound pounds",
        0.028349523125: "oz ounce ounces",
        6.35029318: "st stone stones",
    },
    "length": {
        1: "m meter meters metre metres",
        1e-2: "cm centimeter centimeters centimetre centimetres",
        1e-1: "dm",
        1e-3: "mm millimeter millimeters millimetre millimetres",
        1e-6: "um micron microns",
        1e3: "km kms kilometer kilometers kilometre kilometres",
        0.0254: 'in inch inches " ″ ”',
        0.3048: "ft foot feet '",
        0.9144: "yd yds yard yards",
        1609.344: "mi mile miles",
    },
    "area": {
        1: "m2 sqm",
        1e-4: "cm2",
        1e6: "km2",
        1e4: "ha hectare hectares",
        0.09290304: "ft2 sqft sqfeet",
        0.83612736: "yd2 sqyd sqyards",
        4046.8564224: "acre acres",
        2589988.110336: "mi2 sqmi",
    },
    "volume": {
        1: "l liter liters litre litres",
        1e-3: "ml cc ccm cm3 milliliter millilitre",
        1e-2: "cl",
        1e-1: "dl",
        1e3: "m3 cbm",
    },
    "time": {
        1: "s sec secs second seconds",
        1e-3: "ms msec millisecond milliseconds",
        60: "min mins minute minutes m",
        3600: "h hr hrs hour hours std",
        86400: "d day days",
        604800: "w wk wks week weeks",
        2629800: "mo mon mons month months mth mths",
        31557600: "y yr yrs year years",
    },
    "temperature": {1: "°C ℃ C celsius degC °K kelvin", 5 / 9: "°F ℉ F fahrenheit degF"},
    "data": {
        1: "B byte bytes",
        **{10 ** (3 * k): f"{p.upper()}B {p}B {p}b" for k, p in enumerate("kmgt", 1)},
        **{2 ** (10 * k): f"{p}iB {p}ib" for k, p in enumerate("KMGT", 1)},
    },
    "speed": {1: "m/s mps", 1 / 3.6: "km/h kmh kph kmph km/hr", 0.44704: "mph mi/h", 1852 / 3600: "kn kt kts knots"},
    "power": {1: "W watt watts", 1e-3: "mW", 1e3: "kW KW", 1e6: "MW", 745.6998715822702: "hp bhp", 735.49875: "PS"},
    "energy": {1: "J", 1e3: "kJ KJ", 1e6: "MJ", 4184: "kcal", 3600: "Wh", 3.6e6: "kWh KWh", 3.6e9: "MWh"},
    "pressure": {1: "Pa", 100: "hPa mbar", 1e3: "kPa", 1e5: "bar", 6894.757293168: "psi", 133.322387415: "mmHg"},
    "frequency": {1: "Hz", 1e3: "kHz", 1e6: "MHz", 1e9: "GHz"},
    "voltage": {1: "V", 1e-3: "mV", 1e3: "kV"},
    "current": {1: "A", 1e-3: "mA"},
    "number": {
        1: PLAIN,
        0.01: "% percent pct",
        0.001: "‰",
        1e3: "k K thousand thousands tsd",
        1e5: "lakh lakhs lac lacs",
        1e6: "M m mm mn mio mln million millions",
        1e7: "cr crore crores",
        1e9: "B b bn mrd mld billion billions",
        1e12: "T tn trillion trillions",
    },
}
QUANTITIES = {
    quantity: {unit: float(factor) for factor, units in spelt.items() for unit in units.split()}
    for quantity, spelt in _SPELT.items()
}
OFFSETS = {
    **dict.fromkeys(("°F", "℉", "F", "fahrenheit", "degF"), -160 / 9),
    **dict.fromkeys(("°K", "kelvin"), -273.15),
}  # added in the base unit
KNOWN = {unit for units in QUANTITIES.values() for unit in units}
SIGN = r"[\p{L}°℃℉%‰\"']"  # begins a unit; RE2's syntax
SIMPLE = (
    rf"^(?P<before>[(+-]*\s*(?:{CURRENCY})?\s*[+-]?)(?P<number>\d[\d.,'\s]*?(?:[eE][+-]?\d+)?)\s*"
    rf"(?P<unit>{SIGN}[^\d;|,=]{{0,20}}?[23²³]?)(?P<after>\)?)$"
)
UNCERTAIN = r"([\d.,])\s*(±|\+/-|\+-)\s*[\d.,]+"  # 5.1 ± 0.1
PART = re.compile(r"(\d+(?:[.,]\d+)?)\s*([^\W\d_]+|[°'\"]+)\.?,?\s*(?:and\s+|und\s+|et\s+|y\s+)?", re.IGNORECASE)
PRIMES = {"'": r"[\x{2018}\x{2019}\x{2032}]", '"': r"[\x{201c}\x{201d}\x{2033}]|''"}
FEET = r"""^(\d{1,2})\s*'\s*(\d{1,2}(?:\.\d+)?)\s*"?$"""  # 5'11"
EMPTY = pa.scalar("", pa.large_string())
SAMPLE = 1_000  # distinct strings


class Quantities(NamedTuple):
    """Strings (n,) in two parts.

    amounts  as numbers are written, with their currency; null for a string that is no number with a unit
    units    as they are written, null for a string without one
    """

    amounts: pa.Array
    units: pa.Array


def split(strings: pa.Array, decimal: str | None, clock: str | None = None) -> Quantities:
    """The amounts and units of `strings` (n,), null for those that mean missing; of `12:30` if `clock` is given.

    `clock` is what the first of its two parts counts, "h" or "min".
    """
    certain = pc.replace_substring_regex(strings, UNCERTAIN, r"\1")
    for mark, primes in PRIMES.items():
        certain = pc.replace_substring_regex(certain, primes, mark)
    certain = pc.replace_substring_regex(certain, FEET, r"\1 ft \2 in")
    before, number, unit, after = (pc.struct_field(pc.extract_regex(certain, SIMPLE), k) for k in range(4))
    distinct = unit.drop_null().unique()
    priced = pc.extract_regex(distinct, rf"^(?P<unit>.*?)\.?\s*(?P<currency>{CURRENCY})$")  # Mio. €
    names = pc.utf8_trim_whitespace(pc.coalesce(pc.struct_field(priced, 0), distinct))
    currency = pc.fill_null(pc.struct_field(priced, 1), EMPTY)
    place = pc.index_in(unit, distinct)
    amounts = pc.binary_join_element_wise(before, number, currency.take(place), after, EMPTY)
    units = pc.replace_with_mask(names, pc.equal(names, EMPTY), pa.scalar(PLAIN, pa.large_string())).take(place)
    rest = pc.and_(strings.is_valid(), amounts.is_null())
    sums = [_sum(string, decimal or ".", clock) for string in certain.filter(rest).to_pylist()]
    if any(sums):
        summed = (pa.array([pair and pair[k] for pair in sums], amounts.type) for k in range(2))
        amounts, units = (
            pc.replace_with_mask(part, rest, new) for part, new in zip((amounts, units), summed, strict=True)
        )
    return Quantities(amounts, units)


def _sum(string: str, decimal: str, clock: str | None) -> tuple[str, str] | None:
    """`2h 50m` as 2.8333 and `h`; None for a string of other form."""
    if clock and (hours := durations.hours(string, clock)) is not None:
        return repr(hours).replace(".", decimal), "h"
    negative, text = string.startswith("-"), string.lstrip("+-").strip()
    parts = PART.findall(text)
    if len(parts) < 2 or PART.sub("", text):
        return None
    units = [unit for _, unit in parts]
    quantity = quantity_of(units)
    if quantity in (None, "number", "temperature"):
        return None
    first = units[0]
    total = sum(float(number.replace(",", ".")) * factor(unit, quantity) for number, unit in parts)
    return repr((-total if negative else total) / factor(first, quantity)).replace(".", decimal), first


def plain(unit: str) -> str:
    """The unit as the table has it: `Sq. Ft.` is `sqft`; one that it does not have, without blanks and points."""
    text = re.sub(r"[\s.]|\^(?=\d)", "", unit).translate({0xB2: "2", 0xB3: "3", 0xB5: "u", 0x3BC: "u"})
    return text if text in KNOWN or len(text) < 2 or text.lower() not in KNOWN else text.lower()


def quantity_of(units: Iterable[str]) -> str | None:
    """The quantity that all of these units count; None where there is none."""
    wanted = {plain(unit) for unit in units}
    return next((quantity for quantity, known in QUANTITIES.items() if wanted <= known.keys()), None)


def factor(unit: str, quantity: str | None) -> float:
    return QUANTITIES[quantity][plain(unit)] if quantity else 1.0


def clock_of(unit: str) -> str | None:
    """What the two parts of `12:30` count in a column of this unit, the first of them; None where it is no time."""
    if quantity_of([unit]) != "time":
        return None
    return "min" if factor(unit, "time") <= factor("min", "time") else "h"


def converted(amounts: np.ndarray, units: pa.Array, unit: str) -> tuple[np.ndarray, np.ndarray]:
    """`amounts` (n,) of `units` in the `unit` of the column, and which of these units can't be converted, (n,)."""
    series = pd.Series(units.to_pandas())
    result, unknown = amounts.copy(), np.zeros(len(amounts), dtype=bool)
    for name in series.dropna().unique():
        which = (series == name).to_numpy()
        if plain(name) == plain(unit):
            continue
        quantity = quantity_of([name, unit])
        if quantity is None:
            result[which], unknown = np.nan, unknown | which
            continue
        base = amounts[which] * factor(name, quantity) + OFFSETS.get(plain(name), 0.0)
        result[which] = (base - OFFSETS.get(plain(unit), 0.0)) / factor(unit, quantity)
    return result, unknown


def likely(strings: pa.Array, decimal: str | None, clock: str | None) -> bool:
    """Whether half of a sample of strings or more have a unit."""
    sample = strings.drop_null()[:SAMPLE]
    units = split(sample, decimal, clock).units
    return 0 < len(sample) <= 2 * (len(units) - units.null_count)

"""Latitude and longitude in one cell, read as two columns of degrees: `place_latitude` and `place_longitude`.

    48.85, 2.35   (48.85, 2.35)   48,85; 2,35        latitude first
    POINT (2.35 48.85)                               longitude first, as in all well-known text
    48.85N, 2.35E   48°51'00"N 2°21'E   E 2.35 N 48.85

degrees + minutes / 60 + seconds / 3600, less than 0 in the south and in the west
"""

import re
from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.overrides import override
from pipeline.reading.numbers import mask
from pipeline.reading.options import CellFormat
from pipeline.reading.strings import encoded

LIMITS = {"latitude": 90, "longitude": 180}
AXIS = {"N": "latitude", "S": "latitude", "E": "longitude", "W": "longitude"}
ANGLE = (
    r"([NSEW]?)\s*([+-]?\d{1,3}(?:\.\d+)?)\s*[°º]?\s*(?:([0-5]?\d(?:\.\d+)?)\s*'\s*)?"
    r"(?:([0-5]?\d(?:\.\d+)?)\s*(?:\"|'')\s*)?([NSEW]?)"
)
PLAIN = {0x2032: "'", 0x2019: "'", 0x2033: '"', 0x201D: '"', 0x2212: "-"}  # primes, quotes, minus
BETWEEN = r"(?:\s*[,;|/]\s*|\s+|(?<=[NSEW]))"
PAIR = re.compile(rf"\s*((?:SRID=\d+;)?\s*POINT)?\s*[(\[]?\s*{ANGLE}{BETWEEN}{ANGLE}\s*[)\]]?\s*", re.IGNORECASE)
COMMAS = re.compile(r"(\D*\d+),(\d+\D*;\D*\d+),(\d+\D*)")  # 48,85; 2,35
SURE = r"\.\d\d+\D.*\.\d\d|[NSEWnsew°]"  # other pairs of numbers may be anything; RE2's syntax
NUMBER = r"[+-]?\d{1,3}(?:\.\d+)?"
DECIMALS = rf"^[(\[]?\s*(?P<latitude>{NUMBER})\s*[,;]\s*(?P<longitude>{NUMBER})\s*[)\]]?$"
HEAD = 1_000  # cells


def degrees(string: str) -> dict[str, float] | None:
    """Latitude and longitude; None for a string that is no pair of coordinates."""
    if not (match := PAIR.fullmatch(COMMAS.sub(r"\1.\2.\3", string).translate(PLAIN))):
        return None
    well_known, *cells = match.groups()
    found, axes = [], []
    for before, whole, minutes, seconds, after in (cells[:5], cells[5:]):
        side = (before or after).upper()
        size = abs(float(whole)) + float(minutes or 0) / 60 + float(seconds or 0) / 3600
        found.append(-size if whole.startswith("-") or side in ("S", "W") else size)
        axes.append(AXIS.get(side))
    first = "longitude" if well_known or axes[0] == "longitude" or axes[1] == "latitude" else "latitude"
    second = "latitude" if first == "longitude" else "longitude"
    pair = {first: found[0], second: found[1]}
    is_named = all(axis in (None, name) for axis, name in zip(axes, pair, strict=True))
    return pair if is_named and all(abs(pair[name]) <= limit for name, limit in LIMITS.items()) else None


def parts_of(strings: pa.Array) -> dict[str, pa.Array]:
    """Latitude and longitude of each string, (n,), null for one that is no pair of coordinates."""
    decimals = pc.extract_regex(strings, DECIMALS)
    parts = {part: pc.struct_field(decimals, part).cast(pa.float64()) for part in LIMITS}
    in_range = [pc.less_equal(pc.abs(parts[part]), limit) for part, limit in LIMITS.items()]
    rest = pc.and_(strings.is_valid(), pc.invert(pc.fill_null(pc.and_(*in_range), False)))
    others = [degrees(string) or {} for string in strings.filter(rest).to_pylist()]  # ten times slower
    return {
        part: pc.replace_with_mask(parts[part], rest, pa.array([each.get(part) for each in others], pa.float64()))
        for part in LIMITS
    }


def part_of(strings: pa.Array, part: str, decimal: str | None) -> pa.Array:
    """The latitude or the longitude of each string, as numbers are written; any other string as it is."""
    numbers = parts_of(strings)[part].cast(strings.type)
    return pc.coalesce(pc.replace_substring(numbers, ".", decimal or "."), strings)


def sources(parts: Mapping[str, str]) -> dict[str, str]:
    """The column that holds each column of latitudes or longitudes, by name."""
    return {name: name.removesuffix(f"_{part}") for name, part in parts.items() if part in LIMITS}


def found(table: pa.Table, cell_format: CellFormat, known: Collection[str]) -> dict[str, str]:
    """The part of each new column that columns of coordinates, but those in `known`, are read as. Warns of them."""
    parts: dict[str, str] = {}
    for field in table.schema:
        names = {f"{field.name}_{part}": part for part in LIMITS}
        column = table[field.name]
        if field.name in known or not pa.types.is_string(field.type) or {*names} & {*table.column_names}:
            continue
        if not any(map(degrees, column.slice(0, HEAD).drop_null().unique().to_pylist())):
            continue
        strings = encoded(column, field.name, cell_format)
        fits = strings.is_known & mask(parts_of(strings.distinct)["latitude"].is_valid())
        sure = fits & mask(pc.match_substring_regex(strings.distinct, SURE))
        other = strings.is_known & ~strings.rarely_missing & ~fits
        n_fits = strings.cells(fits)
        if 2 * strings.cells(sure) < n_fits or strings.cells(other) >= n_fits:
            continue
        if other.any():
            strings.warn(
                f"most cells are latitude and longitude, but not {strings.examples(other)}, so it is read as strings. "
                f"If such cells mean missing: {override('data.more_missing', strings.most_frequent(other, 3))}."
            )
        else:
            example = strings.most_frequent(sure, 1)[0]
            pair = degrees(example) or {}
            strings.warn(
                f"latitude and longitude in one cell are read as two columns, {' and '.join(names)}: {example!r} is "
                f"{pair['latitude']:.6g} and {pair['longitude']:.6g}. To read them as strings: "
                f"{override('data.roles', {field.name: 'categorical'})}."
            )
            parts |= names
    return parts


def divided(table: pa.Table, parts: Mapping[str, str]) -> pa.Table:
    """The table with the columns of coordinates once for each part that is read of them, as they are written."""
    columns = sources(parts)
    names = [
        (name, source)
        for source in table.column_names
        for name in [each for each in columns if columns[each] == source] or [source]
    ]
    return pa.table({name: table[source] for name, source in names})

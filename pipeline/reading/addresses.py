"""Addresses by the part that repeats: the domain of an email, the host of a URL, the first half of an IPv4 address."""

import pyarrow as pa
import pyarrow.compute as pc

NAMES = {"domain": "email addresses", "host": "URLs", "network": "IP addresses"}  # by part
PATTERNS = {  # RE2's syntax
    "domain": r"^(?i:mailto:)?[^@\s,;]+@(?P<part>[\pL\d-]+(?:\.[\pL\d-]+)+)$",
    "host": r"^(?:(?i:https?|ftp)://(?:[^/@\s]*@)?(?:www\.)?|www\.)(?P<part>[^/:?#\s]+)\S*$",
    "network": r"^(?P<part>[0-2]?\d?\d\.[0-2]?\d?\d)\.[0-2]?\d?\d\.[0-2]?\d?\d(?:[:/]\d+)?$",
}
SAMPLE = 100  # strings


def part_of(strings: pa.Array, part: str) -> pa.Array:
    """That part of each address, in small letters; a string that is no such address as it is."""
    found = pc.struct_field(pc.extract_regex(strings, PATTERNS[part]), 0)
    return pc.coalesce(pc.utf8_lower(found), strings)


def part_in(strings: pa.Array) -> str | None:
    """The part that all of these known strings have; None where they are no addresses."""
    for part, pattern in PATTERNS.items():
        if all(pc.all(pc.match_substring_regex(some, pattern)).as_py() for some in (strings[:SAMPLE], strings)):
            return part if len(strings) else None
    return None

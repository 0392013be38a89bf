"""Strings to dates: which formats they may have, and reading them in one of these.

A format is one of `strptime`, in which `%q` is a quarter and `%G-W%V` a week; `ISO8601`; `s`, `ms`, `us` or `ns` since
1970, and `excel`, days since the end of 1899, of numbers; or several of these with `|` between them. A cell that does
not have the format as it stands is read without its weekday, offset and ordinals, its month in English (`plain`).
"""

import re
import warnings
from functools import cache
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import UserError

FORMATS = {  # of dates and times that pandas doesn't guess
    r"\d{1,2}:\d\d": ("%H:%M",),
    r"\d{1,2}:\d\d:\d\d": ("%H:%M:%S",),
    r"\d{1,2}([hH])\d\d": (r"%H\1%M",),
    r"\d{1,2}:\d\d( ?)[AP]M": (r"%I:%M\1%p",),
    r"\d{1,2}:\d\d:\d\d( ?)[AP]M": (r"%I:%M:%S\1%p",),
    r"\d{1,2}( ?)[AP]M": (r"%I\1%p",),
    r"\d{1,2}/\d{1,2}/\d\d": ("%d/%m/%y", "%m/%d/%y"),
    r"\d\d\.\d\d\.\d\d": ("%d.%m.%y",),
    r"\d{1,2}([- ])[A-Z]{3}\1\d\d": (r"%d\1%b\1%y",),
    r"\d\d[A-Z]{3}\d{4}": ("%d%b%Y",),
    r"[A-Z]{3}([-/ .,']*)\d{4}": (r"%b\1%Y",),
    r"[A-Z]{3}([-/ .']{1,2})\d\d": (r"%b\1%y",),
    r"\d{4}([-/ .]*)[A-Z]{3}": (r"%Y\1%b",),
    r"(0?[1-9]|1[0-2])([-/.])[12]\d{3}": (r"%m\2%Y",),
    r"[12]\d{3}([/.])(0[1-9]|1[0-2])": (r"%Y\1%m",),
    r"\d{4}([-/ ]*)Q[1-4]": (r"%Y\1Q%q",),
    r"Q[1-4]([-/ ']*)\d{4}": (r"Q%q\1%Y",),
    r"[1-4]Q([-/ ']*)\d{4}": (r"%qQ\1%Y",),
    r"[1-4]Q([-/ ']?)\d\d": (r"%qQ\1%y",),
    r"Q[1-4]([-/ '])\d\d": (r"Q%q\1%y",),
    r"\d{8}T\d{6}": ("%Y%m%dT%H%M%S",),
    r"\d\d([/-]?)[A-Z]{3}\1\d{4}:\d\d:\d\d:\d\d": (r"%d\1%b\1%Y:%H:%M:%S",),
    r"\d{4}-\d\d-\d\d-\d\d\.\d\d\.\d\d(\.\d+)?": ("%Y-%m-%d-%H.%M.%S", "%Y-%m-%d-%H.%M.%S.%f"),
    r"W\d{1,2}([-/ ]?)\d{4}": (r"W%V\1%G",),
    r"\d{4}(-?)W\d\d": (r"%G\1W%V",),
    r"\d{4}(-?)W\d\d\1[1-7]": (r"%G\1W%V\1%u",),
    r"\d{4}([年년] ?)\d{1,2}([月월])": (r"%Y\1%m\2",),
    r"[A-Z]{3} [ \d]?\d \d\d:\d\d:\d\d \d{4}": ("%b %d %H:%M:%S %Y",),
}
MONTHS = (  # of twelve languages; a part of a name is one, too
    "january januar janvier enero gennaio janeiro januari январь января січень січня styczeń stycznia ocak",
    "february februar février fevrier febrero febbraio fevereiro februari февраль февраля лютий лютого luty "
    "lutego şubat",
    "march märz maerz mrz mars marzo março marco maart mrt март марта березень березня marzec marca mart",
    "april avril abril aprile апрель апреля квітень квітня kwiecień kwietnia nisan",
    "may mai mayo maggio maio mei maj май мая травень травня maja may\u0131s",
    "june juni juin junio giugno junho июнь июня червень червня czerwiec czerwca haziran",
    "july juli juillet julio luglio julho июль июля липень липня lipiec lipca temmuz",
    "august août aout agosto augustus augusti август августа серпень серпня sierpień sierpnia ağustos",
    "september septembre septiembre settembre setembro сентябрь сентября вересень вересня wrzesień września eylül",
    "october oktober octobre octubre ottobre outubro октябрь октября жовтень жовтня październik października ekim",
    "november novembre noviembre novembro ноябрь ноября листопад листопада listopad listopada kas\u0131m",
    "december dezember décembre decembre diciembre dicembre dezembro декабрь декабря грудень грудня grudzień "
    "grudnia aral\u0131k",
)
UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
SINCE = 3e8, 4.1e9  # 1979 to 2099, in seconds
LIKELY = {  # 1990 to 2035
    **{unit: (631_152_000 * n, 2_082_758_400 * n) for unit, n in (("s", 1), ("ms", 10**3), ("us", 10**6))},
    "%Y%m%d": (19900101, 20360101),
    "%Y%m": (199001, 203601),
}
FEWEST = 5  # distinct numbers
NO_TIMES = re.compile(  # words of names of other large numbers
    "id|ids|key|number|no|num|nr|code|phone|mobile|fax|account|npi|isbn|ssn|barcode|ean|hash|seed|"
    "price|amount|cost|sales|revenue|income|salary|budget|gross|profit|balance|value|gdp|assets|"
    "population|count|total|sum|bytes|size|views"
)
EXCEL = "excel"
SERIALS = 20_000, 60_000  # 1954 to 2064
LONGEST = 40  # characters
OFFSET = r"(:\d\d(\.\d+)?|[T ]\d\d)\s*(Z|UTC|GMT|[+-]\d\d(:?\d\d)?)$"  # from Greenwich, after a time
STEPS = (  # of `plain`
    (r"(:\d\d(?:\.\d+)?(?: ?[AP]M)?) *(?:Z|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d\d)?|(?!AM|PM)[A-Z]{3,4})( \d{4})?$", r"\1\2"),
    (r"^(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}[.,]*|[^\W\d_]{2,},)\s+(?=.*\d)", ""),
    (r"(\d)(?:st|nd|rd|th|er|º)\b", r"\1"),
    (r"^(\d{4})[年년]\s?(\d{1,2})[月월]\s?(\d{1,2})[日일]", r"\1-\2-\3"),
    (r" (\d\d)\.(\d\d)\.(\d\d)(?:\.\d+)?(?= [AP]M$)", r" \1:\2:\3"),  # of Oracle
    (r"(:\d\d)\s*(?:Uhr|h|hrs?)$", r"\1"),
    (r"(\d) ?([ap])\.? ?m\.?$", r"\1 \2m"),
    (r"\s+(?:de|del|of)\s+", " "),
    (r"(\d{4})\s*[\u0433\u0440](?:ода|оку|\.)?(?=,? |$)", r"\1"),  # of a year in Russian, Ukrainian
)


def guesses(strings: pd.Series) -> list[str]:
    """The formats that some of the strings may have: ten are tried."""
    like_dates = strings[
        strings.str.contains(
            r"\d.*[-/. :].*\d|[^\W\d_]{3}.*\d\d|\d\d.*[^\W\d_]{3}|[Qq].*\d|\d.*[QqWw]|\d ?[AaPp]\.?[Mm]|\d[hHT年년]"
        )
        & (strings.str.len() <= LONGEST)
    ]
    like_dates = like_dates.iloc[:: max(len(like_dates) // 10, 1)][:10]
    written = dict.fromkeys([*like_dates, *plain(like_dates)])
    date_formats: list[str | None] = [date_format for string in written for date_format in _of_shape(string)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns that day or month may come first; both are tried
        date_formats += [_guess(string, day_first) for day_first in (False, True) for string in written]
    foreign = r"%Y.%d|.*(?<!%)[A-Za-z]{2}"  # words that pandas takes for a part of the format
    return [guess for guess in dict.fromkeys(date_formats) if guess and not re.match(foreign, guess)]


def plain(strings: pd.Series) -> pd.Series:
    """The strings without weekday, offset and ordinals, months in English: `Mi., 3. März 2021` is `3. Mar 2021`."""
    for pattern, text in STEPS:
        strings = strings.str.replace(pattern, text, regex=True, flags=re.IGNORECASE)
    return strings.str.replace(
        r"([^\W\d_]{3,})\.?", lambda match: _months().get(match[1].lower(), match[0]), regex=True
    )


@cache
def _months() -> dict[str, str]:
    """The English month of each name, and of each part of three letters or more that begins the names of one alone."""
    found: dict[str, set[int]] = {}
    for number, names in enumerate(MONTHS, 1):
        for name in names.split():
            for length in range(3, len(name) + 1):
                found.setdefault(name[:length], set()).add(number)
    return {part: MONTHS[min(numbers) - 1][:3].title() for part, numbers in found.items() if len(numbers) == 1}


def _of_shape(string: str) -> list[str]:
    """The formats of `FORMATS` that the string may have."""
    matches = ((re.fullmatch(shape, string, re.IGNORECASE), formats) for shape, formats in FORMATS.items())
    return [match.expand(date_format) for match, formats in matches if match for date_format in formats]


def _guess(string: str, day_first: bool) -> str | None:
    """As pandas guesses, but also 12-hour times, and times after dates that it does not guess."""
    guess = pd.tseries.api.guess_datetime_format
    half = re.fullmatch(r"(.+?)(,? )\d{1,2}:\d\d(:\d\d)?(?:( ?)[AaPp][Mm])?", string)
    whole = None if half and half[4] is not None else guess(string, dayfirst=day_first)
    if whole or not half:
        return whole
    known = _of_shape(half[1])  # day first, if there are two
    date = guess(half[1], dayfirst=day_first) or (known[0 if day_first else -1] if known else None)
    hour = "%H:%M" if half[4] is None else "%I:%M"
    return date and f"{date}{half[2]}{hour}{':%S' * bool(half[3])}" + (f"{half[4]}%p" if half[4] is not None else "")


def as_dates(strings: pd.Series, date_format: str) -> pd.Series:
    """The strings as dates, NaT for each that has another format; a time without a date is one of 1970-01-01.

    The hour is the one that is written, whatever its offset from Greenwich: 09:00-05:00 in winter and 09:00-04:00 in
    summer are the same hour of the day. Errors: `UserError` for a format that is none.
    """
    first, *others = date_format.split("|")
    read = _in_format(strings, first)
    if (other := read.isna()).any() and re.search("%[bBHIYy]", first):
        read = read.where(~other, _in_format(plain(strings[other]), first).reindex(read.index))
    for form in others:
        if (other := read.isna()).any():
            read = read.where(~other, as_dates(strings[other], form).reindex(read.index))
    return read


def _in_format(strings: pd.Series, date_format: str) -> pd.Series:
    whole = re.sub(r"\s*%[zZ]$", "", date_format)
    if date_format in (*UNITS, EXCEL):
        numbers = pd.to_numeric(strings, errors="coerce").astype(float)
        unit: Any = "D" if date_format == EXCEL else date_format
        origin = "1899-12-30" if date_format == EXCEL else "unix"
        return pd.to_datetime(numbers, unit=unit, origin=origin, errors="coerce").dt.as_unit("us").dt.round("ms")
    if whole != date_format or date_format == "ISO8601":
        strings = strings.str.replace(OFFSET, r"\1", regex=True)
    elif "%q" in date_format:  # the first month of the quarter
        strings = strings.str.replace(r"(?i)Q([1-4])(?!\d)|([1-4])Q", _first_month, regex=True)
        whole = re.sub("Q%q|%qQ", "Q%m", date_format)
    elif "%V" in date_format and "%u" not in date_format:
        strings, whole = strings + " 1", f"{date_format} %u"  # the Monday of the week
    if date_format != "ISO8601" and not re.search("%[YyGcxs]", date_format):  # Arrow's date for times, too
        strings, whole = "1970 " + strings, f"%Y {whole}"
    try:
        return pd.to_datetime(strings, format=whole, errors="coerce", utc=True).dt.tz_localize(None).dt.as_unit("us")
    except (ValueError, OverflowError, re.error) as error:
        raise UserError(
            f"data.date_format = {date_format!r} is not a date format: {str(error).replace(whole, date_format)}. "
            f"Write it as in this example: -S 'data.date_format=\"%d/%m/%Y\"'."
        ) from None


def _first_month(match: re.Match[str]) -> str:
    return f"Q{3 * int(match[1] or match[2]) - 2:02}"


def likely_format(name: str, numbers: pa.Array, low: float, high: float) -> str | None:
    """The format of numbers from `low` to `high` that may be dates of 1990 to 2035: since 1970, or `20210501`.

    None where the name of the column says that they are something else.
    """
    if low == high or any(map(NO_TIMES.fullmatch, words_of(name))):
        return None
    for date_format, (first, last) in LIKELY.items():
        if first <= low and high < last:
            if "%" not in date_format:
                return date_format
            strings = pc.unique(numbers).drop_null().cast(pa.int64(), safe=False).cast(pa.string()).to_pandas()
            if len(strings) >= FEWEST and as_dates(strings, date_format).notna().all():
                return date_format
    return None


def words_of(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def of_numbers(name: str, low: float, high: float) -> str | None:
    """The format of numbers from `low` to `high` that are dates, as the name of their column and their range say."""
    words = words_of(name)
    if words & {"time", "timestamp", "ts", "epoch", "unix", "unixtime", "date", "datetime", "created", "updated"}:
        for unit, parts in (("s", 1), ("ms", 1e3), ("us", 1e6)):
            if SINCE[0] * parts <= low <= high < SINCE[1] * parts:
                return unit
    if words & {"date", "day", "dt", "yyyymmdd"} and SERIALS[0] <= low <= high < SERIALS[1]:
        return EXCEL
    return "%Y%m%d" if words & {"date", "day", "dt", "yyyymmdd"} and 19000101 <= low <= high <= 21001231 else None


def swapped(date_format: str) -> str:
    """The format with day and month in each other's place."""
    return re.sub("%[dm]", lambda match: {"%d": "%m", "%m": "%d"}[match[0]], date_format)

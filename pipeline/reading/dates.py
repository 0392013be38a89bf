"""Strings to dates: which formats they may have, and reading them in one of these."""

import re
import warnings

import pandas as pd

from pipeline.errors import UserError

FORMATS = {  # of dates and times that pandas doesn't guess
    r"\d{1,2}:\d\d": ("%H:%M",),
    r"\d{1,2}:\d\d:\d\d": ("%H:%M:%S",),
    r"\d{1,2}/\d{1,2}/\d\d": ("%d/%m/%y", "%m/%d/%y"),
    r"\d\d\.\d\d\.\d\d": ("%d.%m.%y",),
    r"\d{1,2}-[A-Za-z]{3}-\d\d": ("%d-%b-%y",),
}
LONGEST = 40  # characters
OFFSET = r"(:\d\d(\.\d+)?|[T ]\d\d)\s*(Z|UTC|GMT|[+-]\d\d(:?\d\d)?)$"  # from Greenwich, after a time


def guesses(strings: pd.Series) -> list[str]:
    """The formats, as `strptime` takes them, that some of the strings may have: ten are tried."""
    like_dates = strings[strings.str.contains(r"\d.*[-/. :].*\d") & (strings.str.len() <= LONGEST)]
    like_dates = like_dates.iloc[:: max(len(like_dates) // 10, 1)][:10]
    date_formats: list[str | None] = [
        date_format
        for string in like_dates
        for shape, formats in FORMATS.items()
        if re.fullmatch(shape, string)
        for date_format in formats
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns that day or month may come first; both are tried
        date_formats += [_guess(string, day_first) for day_first in (False, True) for string in like_dates]
    return [guess for guess in dict.fromkeys(date_formats) if guess and not re.match("%Y.%d", guess)]


def _guess(string: str, day_first: bool) -> str | None:
    guess = pd.tseries.api.guess_datetime_format
    if half := re.fullmatch(r"(.+?) \d{1,2}:\d\d(:\d\d)?( ?)[AaPp][Mm]", string):  # pandas guesses no 12-hour format
        date = guess(half[1], dayfirst=day_first)
        return date and f"{date} %I:%M{':%S' * bool(half[2])}{half[3]}%p"
    return guess(string, dayfirst=day_first)


def as_dates(strings: pd.Series, date_format: str) -> pd.Series:
    """The strings as dates, NaT for each that has another format; a time without a date is one of 1970-01-01.

    The hour is the one that is written, whatever its offset from Greenwich: 09:00-05:00 in winter and 09:00-04:00 in
    summer are the same hour of the day.
    `date_format` is one that `strptime` takes, or "ISO8601". Errors: `UserError` if it is neither.
    """
    whole = re.sub(r"\s*%[zZ]$", "", date_format)
    if whole != date_format or date_format == "ISO8601":
        strings = strings.str.replace(OFFSET, r"\1", regex=True)
    if date_format != "ISO8601" and not re.search("%[Yycxs]", date_format):  # Arrow's date for times, too
        strings, whole = "1970 " + strings, f"%Y {whole}"
    try:
        return pd.to_datetime(strings, format=whole, errors="coerce", utc=True).dt.tz_localize(None)
    except (ValueError, OverflowError, re.error) as error:
        raise UserError(
            f"data.date_format = {date_format!r} is not a date format: {str(error).replace(whole, date_format)}. "
            f"Write it as in this example: -S 'data.date_format=\"%d/%m/%Y\"'."
        ) from None


def swapped(date_format: str) -> str:
    """The format with day and month in each other's place."""
    return re.sub("%[dm]", lambda match: {"%d": "%m", "%m": "%d"}[match[0]], date_format)

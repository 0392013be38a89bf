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


def guesses(strings: pd.Series) -> list[str]:
    """The formats, as `strptime` takes them, that some of the first strings may have."""
    like_dates = [string for string in strings[:20] if re.search(r"\d.*[-/. :].*\d", string)][:5]
    found: list[str | None] = [
        date_format
        for string in like_dates
        for shape, formats in FORMATS.items()
        if re.fullmatch(shape, string)
        for date_format in formats
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns that day or month may come first; both are tried
        found += [_guess(string, day_first) for day_first in (False, True) for string in like_dates]
    return [guess for guess in dict.fromkeys(found) if guess and not re.match("%Y.%d", guess)]


def _guess(string: str, day_first: bool) -> str | None:
    guess = pd.tseries.api.guess_datetime_format
    if half := re.fullmatch(r"(.+?) \d{1,2}:\d\d(:\d\d)?( ?)[AaPp][Mm]", string):  # pandas guesses no 12-hour format
        date = guess(half[1], dayfirst=day_first)
        return date and f"{date} %I:%M{':%S' * bool(half[2])}{half[3]}%p"
    return guess(string, dayfirst=day_first)


def as_dates(strings: pd.Series, date_format: str) -> pd.Series:
    """The strings as dates, NaT for each that has another format; a time without a date is one of 1970-01-01.

    `date_format` is one that `strptime` takes, or "ISO8601". Errors: `UserError` if it is neither.
    """
    whole = date_format
    if date_format != "ISO8601" and not re.search("%[Yycxs]", date_format):  # Arrow's date for times, too
        strings, whole = "1970 " + strings, f"%Y {date_format}"
    try:
        return pd.to_datetime(strings, format=whole, errors="coerce", utc=True).dt.tz_localize(None)
    except (ValueError, OverflowError, re.error) as error:
        raise UserError(
            f"data.date_format = {date_format!r} is not a date format: {str(error).replace(whole, date_format)}. "
            f"Write it as in this example: -S 'data.date_format=\"%d/%m/%Y\"'."
        ) from None

"""Words to dates: which forms they may be of, and reading them so."""

import re
import warnings

import pandas as pd

from pipeline.errors import UserError

FORMS = {  # of dates and times that pandas doesn't guess
    r"\d{1,2}:\d\d": ("%H:%M",),
    r"\d{1,2}:\d\d:\d\d": ("%H:%M:%S",),
    r"\d{1,2}/\d{1,2}/\d\d": ("%d/%m/%y", "%m/%d/%y"),
    r"\d\d\.\d\d\.\d\d": ("%d.%m.%y",),
    r"\d{1,2}-[A-Za-z]{3}-\d\d": ("%d-%b-%y",),
}


def guesses(words: pd.Series) -> list[str]:
    """The forms, as `strptime` takes them, that some of the first words have."""
    like_dates = [word for word in words[:20] if re.search(r"\d.*[-/. :].*\d", word)][:5]
    found = [
        form for word in like_dates for shape, forms in FORMS.items() if re.fullmatch(shape, word) for form in forms
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas wonders aloud whether day or month comes first; both are tried
        found += [_guess(word, day_first) for day_first in (False, True) for word in like_dates]
    return [form for form in dict.fromkeys(found) if form and not re.match("%Y.%d", form)]


def _guess(word: str, day_first: bool) -> str | None:
    guess = pd.tseries.api.guess_datetime_format
    if half := re.fullmatch(r"(.+?) \d{1,2}:\d\d(:\d\d)?( ?)[AaPp][Mm]", word):  # which pandas knows no form of
        date = guess(half[1], dayfirst=day_first)
        return date and f"{date} %I:%M{':%S' * bool(half[2])}{half[3]}%p"
    return guess(word, dayfirst=day_first)


def as_dates(words: pd.Series, form: str) -> pd.Series:
    """The words as dates, NaT where one is not of the form (or of ISO8601). Errors: `UserError` for a bad form."""
    given = form
    if form != "ISO8601" and not re.search("%[Yycxs]", form):  # a time of day is one of 1970-01-01, as Arrow has it
        words, form = "1970 " + words, f"%Y {form}"
    try:
        return pd.to_datetime(words, format=form, errors="coerce", utc=True).dt.tz_localize(None)
    except (ValueError, OverflowError, re.error) as error:
        problem = str(error).replace(form, given)
        raise UserError(f"data.date_format = {given!r} is no date format: {problem}. An example: '%d/%m/%Y'.") from None

"""Durations on a clock or in ISO 8601, in hours: `41:38:44`, `41h38`, `1 days 02:10:00`, `PT1H5M`.

Two parts are hours and minutes, as in Excel's `[h]:mm`; in a column that counts minutes, minutes and seconds. Others,
such as `2h 50m`, are sums of units (`quantities`).
"""

import re

import pandas as pd

CLOCK = re.compile(r"([+-]?)(\d+)[:hH]([0-5]\d)(?::([0-5]\d(?:[.,]\d+)?))?")
TIME_SPAN = re.compile(r"^([+-]?\d+)\.(\d\d:\d\d:\d\d)")  # of .NET: 1.02:10:00
OF_DAYS = re.compile(r"[+-]?\d+ days?,? [+-]?\d+:\d\d:\d\d(\.\d+)?|[+-]?P(?=[\dT])[\d.,DHMSWT]+")


def hours(string: str, first: str) -> float | None:
    """None for a string that is none of these. `first` is what the first of two parts counts, "h" or "min"."""
    string = TIME_SPAN.sub(r"\1 days \2", string.strip())
    if clock := CLOCK.fullmatch(string):
        sign, whole, minutes, seconds = clock.groups()
        total = int(whole) + int(minutes) / 60 + float((seconds or "0").replace(",", ".")) / 3600
        total = total / 60 if first == "min" and seconds is None else total
        return -total if sign == "-" else total
    if OF_DAYS.fullmatch(string):
        try:
            return pd.to_timedelta(string.replace(",", "")).total_seconds() / 3600
        except ValueError:
            return None
    return None


def clock(strings: pd.Series) -> str | None:
    """What the first of two parts counts ("h"; "min" beside strings of three) where all of these are durations.

    None where they may be times of day.
    """
    if not len(strings) or hours(strings.iloc[0], "h") is None:
        return None
    read = strings.map(lambda string: hours(string, "h"))
    if read.isna().any() or not ((read >= 24) | (read < 0) | strings.str.contains(r"[dP]|^[+-]?\d+\.\d\d:")).any():
        return None
    n_marks = strings.str.count("[:hH]")
    return "min" if (n_marks == 1).any() and (n_marks == 2).any() else "h"

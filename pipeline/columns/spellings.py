"""Spellings of one category: proposed as `data.replace`, and never joined without being asked.

case, space, punctuation    `Data  scientist`, `data-scientist` and `DATA SCIENTIST`: the same letters and digits
one edit                    a rare spelling that differs in a letter from one that is ten times as frequent
"""

import unicodedata
import warnings
from collections.abc import Iterator

import pandas as pd
from pandas.api import types

from pipeline.overrides import override

LEVELS = 5_000  # strings of a column, at most
LONG, LONGEST = 5, 60  # letters of a name in which one edit is a slip
REPEATED = 5  # cells of each category, on average
RARE = 10  # times as rare, at least
SHOWN = 3
SHORT = 300  # characters of an override that is printed among other warnings


def groups(cells: pd.Series) -> dict[str, str]:
    """For each string of `cells` that is another spelling of a more frequent one, that one."""
    counts = cells.value_counts()
    if not 2 < len(counts) <= LEVELS:
        return {}
    forms = pd.Series([_form(string) for string in counts.index], counts.index)
    first = dict(zip(forms[::-1], forms.index[::-1], strict=True))  # of each form, the most frequent spelling
    sizes = counts.groupby(forms).sum().sort_values(ascending=False, kind="stable")
    of_near: dict[str, str] = {}
    joined: dict[str, str] = {}
    for form, size in sizes.items():
        form = str(form)
        is_word = LONG <= len(form) <= LONGEST
        near = next((of_near[key] for key in _cut(form) if key in of_near and _one_edit(form, of_near[key])), None)
        if is_word and near is not None and RARE * size <= sizes[near]:
            joined[form] = near
        elif is_word:
            for key in _cut(form):
                of_near.setdefault(key, form)
    if REPEATED * (len(sizes) - len(joined)) > len(cells):  # names, or text
        return {}
    ends = ((string, first[joined.get(form, form)]) for string, form in forms.items() if form)
    return {str(string): end for string, end in ends if string != end}


def found(frame: pd.DataFrame, target: str) -> dict[str, dict[str, str]]:
    """The groups of each column of strings that has some, but the target."""
    columns = {str(name): frame[name] for name in frame if name != target and types.is_string_dtype(frame[name])}
    return {name: joined for name, cells in columns.items() if (joined := groups(cells.dropna()))}


def warn(columns: dict[str, dict[str, str]], command: str) -> None:
    """One warning of what was `found`, and the override that joins it, or if it is long the command that prints it."""
    if not columns:
        return
    counts = {name: len({*joined.values()}) for name, joined in columns.items()}
    examples = {name: [f"{old!r} for {new!r}" for old, new in [*of.items()][:SHOWN]] for name, of in columns.items()}
    shown = "; ".join(
        f"{name} ({len(joined):,} more of {counts[name]:,}, such as {', '.join(examples[name])})"
        for name, joined in columns.items()
    )
    whole = override("data.replace", columns)
    way = f"To join them: {whole}" if len(whole) <= SHORT else f"What joins them is printed by: {command}"
    warnings.warn(f"These columns have several spellings of some categories: {shown}. {way}", stacklevel=2)


def _form(string: str) -> str:
    """Its letters and digits alone, small, with signs that tell categories apart: `C++`, and `1.5` or `-1`."""
    plain = unicodedata.normalize("NFKC", string).casefold()
    has_number = any(character.isdigit() for character in plain)
    kept = [c for c in plain if c.isalnum() or c in "+#<>=%" or (has_number and c in ".,-/")]
    return "".join(kept)


def _cut(form: str) -> Iterator[str]:
    """The form, and what is left of it without one letter: forms that are one edit apart share one of these."""
    yield form
    for place in range(len(form)):
        yield form[:place] + form[place + 1 :]


def _one_edit(form: str, other: str) -> bool:
    """Whether one letter is changed, left out, added, or exchanged with the next; no digit, which may mean another."""
    if abs(len(form) - len(other)) > 1 or form == other:
        return False
    start = next((k for k, (a, b) in enumerate(zip(form, other, strict=False)) if a != b), min(len(form), len(other)))
    a, b = form[start:], other[start:]
    if any(character.isdigit() for character in a[:2] + b[:2]):
        return False
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])

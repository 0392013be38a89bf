"""Rows to predict that are unlike the training rows: `boston` for `Boston`, months for years, a fraction for a percent.

A category that training never had is no error, and neither is a number beyond those of training: a few are expected.
Where they are a tenth of a column, or more than half of its numbers (five at least) are beyond the 5 % or the 95 %
quantile of training, on the same side, the column is probably written in another way. A number that is so far beyond
those of training that the model takes it for a nearer one (`Line`) is always reported. Later rows have later dates, so
dates are reported only where all of them (five at least) are outside of training, by the first of their parts that the
model takes: the year if it varies.
"""

import difflib
from collections import Counter
from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.columns.terms import Categories, Design
from pipeline.columns.terms.line import Line

SHARE, MOST, FEW = 0.1, 0.5, 5
KEPT = 100  # unseen categories of a column that are counted one by one
CELLS, UNSEEN, OUTSIDE, LOW, HIGH, FAR = range(6)

Counts = dict[str, Counter[int | str]]  # by column: how many cells there are of each kind, and of each unseen category


def counts(design: Design, frame: pd.DataFrame) -> Counts:
    """How many cells of typed rows are unlike those that the terms were fitted on."""
    tally: Counts = {}
    for name, term in _compared(design).items():
        cells = frame[name].dropna()
        if isinstance(term, Categories):
            strings = pa.array(cells, pa.large_string())
            unseen = strings.filter(pc.invert(pc.is_in(strings, pa.array(term.categories, pa.large_string()))))
            distinct = Counter({pair["values"]: pair["counts"] for pair in pc.value_counts(unseen).to_pylist()})
            tally[name] = Counter({CELLS: len(cells), UNSEEN: len(unseen)}) + Counter(dict(distinct.most_common(KEPT)))
        else:
            x, (lowest, low, high, highest) = term.numbers(cells), term.range
            kinds = {OUTSIDE: (x < lowest) | (x > highest), LOW: x < low, HIGH: x > high}
            kinds[FAR] = (x < term.low) | (x > term.high)
            tally[name] = Counter({CELLS: len(x), **{kind: int(which.sum()) for kind, which in kinds.items()}})
    return tally


def _compared(design: Design) -> dict[str, Categories | Line]:
    """The term that each column is compared by: its categories or its numbers; of several parts of a date the first."""
    terms = [term for term in design.terms if isinstance(term, Categories | Line)]
    return {term.columns[0]: term for term in reversed(terms)}


def added(total: Counts, more: Counts) -> Counts:
    """The counts of both; of the unseen categories the most frequent."""
    result: Counts = {}
    for name, counter in more.items():
        both = total.get(name, Counter()) + counter
        categories = Counter({key: count for key, count in both.items() if isinstance(key, str)})
        kinds = Counter({key: count for key, count in both.items() if isinstance(key, int)})
        result[name] = kinds + Counter(dict(categories.most_common(KEPT)))
    return result


def messages(design: Design, total: Counts) -> Iterator[str]:
    """One line for each column that is unlike that of training."""
    for name, term in _compared(design).items():
        count = total.get(name, Counter())
        if isinstance(term, Categories):
            if count[UNSEEN] >= SHARE * max(count[CELLS], 1):
                yield _unseen(name, count, [category for category in term.categories if category is not None])
        elif texts := [text for text in (_far(count, term), (_later if term.part else _outside)(count, term)) if text]:
            yield f"column {name!r}: {'; '.join(texts)}"


def _unseen(name: str, count: Counter[int | str], categories: list[str]) -> str:
    frequent = max((key for key in count if isinstance(key, str)), key=lambda key: (count[key], key))
    if alike := _nearest(frequent, categories):
        hint = f"did you mean {alike!r}?"
    else:
        hint = f"training had {', '.join(map(repr, categories[:3]))}{', ...' if len(categories) > 3 else ''}"
    return (
        f"column {name!r}: {count[UNSEEN]:,} of {count[CELLS]:,} cells are categories that training did not have, such "
        f"as {frequent!r} ({hint})"
    )


def _nearest(category: str, categories: list[str]) -> str | None:
    """The category of training that is written most alike; case and spaces matter least."""
    plain = {"".join(candidate.casefold().split()): candidate for candidate in reversed(categories)}
    close = difflib.get_close_matches("".join(category.casefold().split()), list(plain), n=1)
    return plain[close[0]] if close else None


def _outside(count: Counter[int | str], term: Line) -> str:
    n, (lowest, low, high, highest) = max(count[CELLS], 1), term.range.tolist()
    if count[OUTSIDE] >= SHARE * n:
        return (
            f"{count[OUTSIDE]:,} of {count[CELLS]:,} numbers are outside of what training had, {lowest:.7g} to "
            f"{highest:.7g}. Is it in the same unit?"
        )
    for kind, limit, beyond in ((LOW, low, "below"), (HIGH, high, "above")):
        if count[kind] > MOST * n and n >= FEW:
            return (
                f"{count[kind]:,} of {count[CELLS]:,} numbers are {beyond} {limit:.7g}, as at most 5 % were in "
                f"training, which had {lowest:.7g} to {highest:.7g}. Is it in the same unit?"
            )
    return ""


def _far(count: Counter[int | str], term: Line) -> str:
    """Sentence on the numbers that count as others."""
    if not count[FAR]:
        return ""
    what = "dates" if term.part else "numbers"
    return (
        f"{count[FAR]:,} of {count[CELLS]:,} {what} are further from those of training, {term.range[0]:.7g} to "
        f"{term.range[-1]:.7g}, than these from each other, and count as {term.low:.7g} or {term.high:.7g}"
    )


def _later(count: Counter[int | str], term: Line) -> str:
    if count[OUTSIDE] < max(count[CELLS], FEW):
        return ""
    part = term.part.replace("_", " ")
    return (
        f"the {part} of {count[OUTSIDE]:,} of {count[CELLS]:,} dates is outside of what training had, "
        f"{term.range[0]:.7g} to {term.range[-1]:.7g}. The model can only extrapolate"
    )

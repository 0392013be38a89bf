"""What a model does with each column, and with single rows, as pictures and tables for the page.

All of it is from `Model.contributions` of test rows, whatever kind of term a column became: what the column adds to the
log-odds of a row, compared with the average training row.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup
from pandas.api import types

from pipeline.columns.target import features_and_target
from pipeline.figures import svg
from pipeline.figures.svg import Bar, Line
from pipeline.files.stored import Table, in_memory
from pipeline.model import Model

ROWS = 5_000  # of the test rows that pictures are made of, at most
WORDS = 20  # of a text
LISTED = 8  # categories, or parts of a number, with a line of their own
POINTS = 60  # of a curve
CLASSES = 10  # with a line of their own
SUREST, REASONS = 5, 3
PAIR = "What the pair adds beside its two columns alone: the stronger the colour the more, blue less, orange more."
OTHERS, MISSING = "(others)", "(missing)"
SECONDS = 1e9  # nanoseconds


class Explained(NamedTuple):
    """A column (or a pair): its picture, and a table of its rows and what it adds to them."""

    name: str
    picture: Markup
    caption: str
    header: list[str]
    rows: list[list[str]]


class Sample(NamedTuple):
    """Some of the test rows with what each group of columns adds to them, (n_rows, n_groups, n_columns of weights)."""

    frame: pd.DataFrame
    actual: np.ndarray
    contributions: np.ndarray
    labels: list[str]  # of the columns of weights


def sampled(fitted: Model, test: Table) -> Sample:
    """Every k-th test row, at most ROWS of them."""
    rows = np.arange(0, len(test), -(-len(test) // ROWS))
    frame, y = features_and_target(in_memory(test.take(rows)) if len(rows) < len(test) else in_memory(test))
    labels = [fitted.positive_class] if len(fitted.classes_) == 2 else [str(label) for label in fitted.classes_]
    return Sample(frame, y.astype(str), fitted.contributions(frame).round(6), labels)


def explained(
    fitted: Model,
    sample: Sample,
    names: list[str],
    curves: pd.DataFrame | None,
    pairs: pd.DataFrame | None,
    words: pd.DataFrame | None = None,
) -> list[Explained]:
    """Those of the columns `names`, in this order, and of pairs; curves, pairs and words are tables of training."""
    places = {group: k for k, group in enumerate(fitted.design.groups)}
    found = []
    for name in names:
        if words is not None and (words["column"] == name).any():
            found.append(_words(name, words[words["column"] == name]))
        elif (name,) in places:
            found.append(_column(name, sample, sample.contributions[:, places[(name,)], :], curves))
    if pairs is not None:
        for pair in dict.fromkeys(pairs["pair"]):
            found.append(_pair(str(pair), pairs[pairs["pair"] == pair]))
    return found


def _words(name: str, words: pd.DataFrame) -> Explained:
    """The words of a text, or values of a list, that matter most, of one class or of each: the first of `words`."""
    first = words.groupby("class", sort=False).head(max(WORDS // words["class"].nunique(), 1)).head(WORDS)
    largest = first.sort_values("effect", ascending=False, kind="stable")
    of_class = f" of {words['class'].iloc[0]}" if len(words["class"].unique()) == 1 else ""
    titles = [str(row.token) if of_class else f"{row.token} ({row[1]})" for row in largest.itertuples()]
    cells = zip(titles, largest["rows"], largest["effect"], strict=True)
    rows = [[title, f"{n:,}", f"{effect:+.2f}"] for title, n, effect in cells]
    bars = [Bar(row[0], effect, note=row[2]) for row, effect in zip(rows, largest["effect"], strict=True)]
    caption = "What each adds in a row that has it, on average: those that matter most. words.csv has all of them."
    picture = svg.bars(bars, f"adds to the log-odds{of_class}")
    return Explained(name, picture, caption, [name, "training rows", "adds, on average"], rows)


def _column(name: str, sample: Sample, added: np.ndarray, curves: pd.DataFrame | None) -> Explained:
    cells, of_class = sample.frame[name], sample.labels if len(sample.labels) == 1 else sample.labels[:CLASSES]
    is_number = types.is_numeric_dtype(cells) and not types.is_bool_dtype(cells)
    is_line = (is_number or types.is_datetime64_any_dtype(cells)) and cells.nunique() > LISTED
    table = _table(cells, sample, added, is_line)
    y = f"adds to the log-odds{f' of {sample.labels[0]}' if len(sample.labels) == 1 else ''}"
    caption = "What it adds, compared with the average training row."
    if not is_line and len(of_class) == 1:
        bars = [Bar(row[0], float(value), note=f"{value:+.2f}") for row, value in table.means]
        return Explained(name, svg.bars(bars, y), caption, table.header, table.rows)
    if not is_line:
        return Explained(name, _squares(table, of_class), caption, table.header, table.rows)
    there = cells.notna().to_numpy()
    numbers = cells[there].astype("datetime64[ns]").astype("int64") / SECONDS if not is_number else cells[there]
    order = np.argsort(numbers.to_numpy(float), kind="stable")
    x, values = numbers.to_numpy(float)[order], added[there][order]
    x, first = np.unique(x, return_index=True)
    chosen = np.unique(np.linspace(0, len(x) - 1, POINTS).round().astype(int))
    band = None
    if curves is not None and len(sample.labels) == 1 and is_number:
        bent = curves[(curves["feature"] == name) & (curves["value"] >= x[0]) & (curves["value"] <= x[-1])].dropna()
        bent = bent.iloc[np.unique(np.linspace(0, len(bent) - 1, POINTS).round().astype(int))] if len(bent) else bent
        if len(bent) > 1:
            band = Line("", bent["value"], bent["effect"], "c0", (bent["lower"], bent["upper"]))
    drawn = [band] if band else []
    for k, label in enumerate(of_class if band is None else []):
        drawn.append(Line(label, x[chosen], values[first][chosen][:, k], f"c{k}", dots=not is_number))
    counts, edges = np.histogram(numbers, bins=30)
    dates = None if is_number else lambda value: str(pd.Timestamp(round(value * SECONDS)))[:10]
    caption += " Grey: where the rows are." + (" The band is of 95 %." if band else "")
    return Explained(
        name, svg.lines(drawn, name, y, rows=(edges, counts), dates=dates), caption, table.header, table.rows
    )


class _Rows(NamedTuple):
    header: list[str]
    rows: list[list[str]]
    means: list[tuple[list[str], Any]]


def _table(cells: pd.Series, sample: Sample, added: np.ndarray, is_line: bool) -> _Rows:
    """A line per fifth of the numbers, or per frequent category: rows, share of the class, mean of what is added."""
    if is_line:
        fifth = pd.qcut(cells, 5, labels=False, duplicates="drop")
        ends = cells.groupby(fifth).agg(["min", "max"]).map(_cell)
        names, labels = fifth.map(ends["min"] + " to " + ends["max"]), (ends["min"] + " to " + ends["max"]).tolist()
    else:
        names = cells.map(_cell, na_action="ignore")
        labels = names.value_counts().index[:LISTED].tolist()
    names = names.astype(object).where(names.isin(labels) | names.isna(), OTHERS).fillna(MISSING)
    rows, means = [], []
    for label in [*labels, OTHERS, MISSING]:
        there = (names == label).to_numpy()
        if not there.any():
            continue
        mean = added[there].mean(axis=0)
        if len(sample.labels) == 1:
            share = f"{(sample.actual[there] == sample.labels[0]).mean():.0%}"
            adds = f"{mean[0]:+.2f}"
        else:
            actual, counts = np.unique(sample.actual[there], return_counts=True)
            share = f"{actual[counts.argmax()]}: {counts.max() / counts.sum():.0%}"
            adds = f"{mean.max():+.2f} to {sample.labels[int(np.argmax(mean))]}"
        row = [str(label), f"{there.sum():,}", share, adds]
        rows.append(row)
        means.append((row, mean[0] if len(sample.labels) == 1 else mean))
    of_class = f"{sample.labels[0]} among them" if len(sample.labels) == 1 else "most frequent class"
    return _Rows([str(cells.name), "test rows", of_class, "adds, on average"], rows, means)


def _squares(table: _Rows, labels: list[str]) -> Markup:
    values = np.array([mean[: len(labels)] for _, mean in table.means]).reshape(len(table.means), len(labels))
    return svg.squares(values, ([row[0] for row, _ in table.means], labels), (table.header[0], "class"), numbers=False)


def _pair(name: str, cells: pd.DataFrame) -> Explained:
    """The class of the largest effect: what the pair adds beside its two columns alone."""
    label = cells["class"].iloc[int(np.argmax(cells["effect"].abs()))]
    part = cells[cells["class"] == label]
    grid = part.pivot_table(index="first", columns="second", values="effect", sort=False)
    grid = grid.reindex(sorted(grid.columns, key=_sort_key), axis=1).reindex(sorted(grid.index, key=_sort_key))
    some = [np.unique(np.linspace(0, n - 1, 24).round().astype(int)) for n in grid.shape]
    grid = grid.iloc[some[0], some[1]]
    first, second = name.split(" x ", 1)
    names = [str(cell) for cell in grid.index], [str(cell) for cell in grid.columns]
    largest = part.reindex(part["effect"].abs().sort_values(ascending=False, kind="stable").index).head(LISTED)
    rows = [
        [str(a), str(b), f"{n:,}", f"{e:+.2f}"]
        for a, b, n, e in largest[["first", "second", "rows", "effect"]].to_numpy()
    ]
    header = [first, second, "training rows", f"adds to the log-odds of {label}"]
    return Explained(name, svg.squares(grid.to_numpy(float), names, (first, second), numbers=False), PAIR, header, rows)


def _sort_key(cell: Any) -> tuple[int, float, str]:
    try:
        return 0, float(cell), ""
    except ValueError:
        return 1, 0.0, str(cell)


def surest_mistakes(fitted: Model, test: Table, predictions: pd.DataFrame) -> list[list[str]]:
    """The wrong predictions whose actual class had the least probability: row, actual, predicted, that, and reasons."""
    actual, predicted = (predictions[side].astype(str) for side in ("actual", "predicted"))
    labels = [str(label) for label in fitted.classes_]
    P = predictions[[f"probability_{label}" for label in labels]].to_numpy(float)
    codes = pd.Categorical(actual, labels).codes
    of_actual = P[np.arange(len(P)), codes]
    wrong = np.flatnonzero(actual != predicted)
    wrong = wrong[np.argsort(of_actual[wrong], kind="stable")][:SUREST]
    if not len(wrong):
        return []
    in_order = np.sort(wrong)
    frame = features_and_target(in_memory(test.take(in_order)))[0].set_axis(in_order, axis=0).loc[wrong]
    added, rows = fitted.contributions(frame), []
    for k, row in enumerate(wrong.tolist()):
        if added.shape[2] == 1:
            values = added[k, :, 0] if predicted[row] == fitted.positive_class else -added[k, :, 0]
        else:
            values = added[k, :, labels.index(predicted[row])]
        values = values.round(9)
        largest = np.argsort(-values, kind="stable")[:REASONS]
        reasons = [f"{cells_of(frame.iloc[k], fitted.design.groups[g])} ({values[g]:+.2f})" for g in largest.tolist()]
        rows.append([f"{row + 1:,}", actual[row], predicted[row], f"{of_actual[row]:.2%}", "; ".join(reasons)])
    return rows


def cells_of(row: pd.Series, group: tuple[str, ...]) -> str:
    """`age = 52`, `sex is missing`, and of a pair both."""
    named = (f"{name} is missing" if pd.isna(row[name]) else f"{name} = {_cell(row[name])}" for name in group)
    return " and ".join(named)


def _cell(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    if isinstance(value, pd.Timestamp):  # a time without a date is one of 1970-01-01
        return str(value).removeprefix("1970-01-01 ").removesuffix(" 00:00:00")
    return str(value)

"""How later rows differ from those that a model was trained on and judged on.

    PSI = sum over bins of (q - p) log(q / p)        p, q  the share of a bin before and now

PSI is the population stability index. The bins of a number are tenths of the training rows, those of strings are the
most frequent categories; the other categories, those that training never had, and missing cells are bins of their own.
Of texts and lists, each word or value of a cell is counted in place of the cell.
A bin without rows counts as half a row. By custom, a column has changed above 0.1, and much above 0.25.

Without any change PSI is about (1/n + 1/m) times chi-square with as many degrees of freedom as there are bins but one,
so it is large where rows are few. What is under the 95 % quantile of that may be chance. Source: Yurdakul and Naranjo,
Statistical properties of the population stability index, Journal of Risk Model Validation 14(4), 2020.
"""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from pipeline.columns.profile import as_numbers, places
from pipeline.columns.terms import Tokens
from pipeline.columns.terms.tokens import chunks
from pipeline.evaluation.verdict import score_names
from pipeline.files.formats import SCORE_DIGITS, significant
from pipeline.files.stored import Table
from pipeline.model import Model
from pipeline.scores import bootstrap, scores

CATEGORIES = 50  # of a column that have a bin each
CHANGED, MUCH = 0.1, 0.25
TOKEN_ROWS = 100_000  # of which the words are counted, at most
EXAMPLES = 3  # of new categories
OTHERS = ("rare", "new", "missing")


def reference(
    fitted: Model, training: Table, predictions: pd.DataFrame, judged: pd.DataFrame, title: str
) -> dict[str, Any]:
    """What later rows are compared with: bins and their counts, and the scores on the test rows.

    training is the training rows, the target last; predictions and judged are those of the test rows (`evaluation`).
    """
    row = judged[(judged["model"] == "trained") & (judged["rows"] == "test")].iloc[0]
    names = [name for name in score_names(judged) if name not in scores.OF_DECISION]
    return {
        "data": title,
        "target": str(training.columns[-1]),
        "columns": {name: _bins(_cells(fitted, name, training[name])) for name in fitted.columns},
        "probabilities": {label: _bins(predictions[f"probability_{label}"]) for label in _compared_classes(fitted)},
        "scores": {name: [row[name], row[f"{name}_lower"], row[f"{name}_upper"]] for name in names},
    }


def _cells(fitted: Model, name: str, column: pd.Series) -> pd.Series:
    """The cells of a column; of texts and lists (of many, every k-th) the tokens that are features, and missing."""
    term = next((term for term in fitted.design.terms if isinstance(term, Tokens) and term.name == name), None)
    if term is None:
        return column
    column = column.iloc[:: max(-(-len(column) // TOKEN_ROWS), 1)]
    found = pd.concat([pd.Series(term.split(cells)[1].to_pandas(), dtype="str") for cells in chunks(column)])
    known = found[places(found, term.tokens) >= 0]
    return pd.concat([known, column[column.isna()]], ignore_index=True)


def _compared_classes(fitted: Model) -> list[str]:
    """The classes whose probability is compared: of two the positive one, else each."""
    return [fitted.positive_class] if len(fitted.classes_) == 2 else [str(label) for label in fitted.classes_]


def _bins(column: pd.Series) -> dict[str, Any]:
    """The `edges` or `categories` of a column, and the `counts` of its bins."""
    axis: dict[str, Any]
    categories: Sequence[str] | pd.Index
    if types.is_string_dtype(column):
        counts = column.value_counts()
        axis = {"categories": sorted(counts.index, key=lambda name: (-counts[name], name))[:CATEGORIES]}
        categories = counts.index
    else:
        numbers = as_numbers(column)
        numbers = np.sort(numbers[~np.isnan(numbers)])  # makes quantiles faster
        tenths = np.quantile(numbers, np.arange(1, 10) / 10, method="inverted_cdf") if len(numbers) else []
        axis, categories = {"edges": np.unique(significant(np.asarray(tenths), SCORE_DIGITS)).tolist()}, []
    return axis | {"counts": _counts(column, axis, categories).tolist()}


def _counts(column: pd.Series, axis: dict[str, Any], categories: Sequence[str] | pd.Index) -> np.ndarray:
    """How many cells each bin has; `categories` are all of training."""
    if "edges" in axis:
        numbers, n_bins = as_numbers(column), len(axis["edges"]) + 1
        place = np.where(np.isnan(numbers), n_bins, np.searchsorted(axis["edges"], numbers))
        return np.bincount(place, minlength=n_bins + 1)
    n = len(axis["categories"])
    place = places(column, axis["categories"])
    rare = np.where(places(column, categories) >= 0, n, n + 1)
    place = np.where(place >= 0, place, np.where(column.isna(), n + 2, rare))
    return np.bincount(place, minlength=n + 3)


def _labels(axis: dict[str, Any]) -> list[str]:
    """What each bin holds, for a reader."""
    if "categories" in axis:
        return [*axis["categories"], *OTHERS]
    edges = [f"{edge:.4g}" for edge in axis["edges"]]
    if not edges:
        return ["any", "missing"]
    between = [f"to {high}" for high in edges[1:]]
    return [f"to {edges[0]}", *between, f"above {edges[-1]}", "missing"]


class Watch:
    """Counts of later rows, which `add` takes in any number of parts."""

    def __init__(self, fitted: Model, before: dict[str, Any]) -> None:
        self.fitted, self.before = fitted, before
        self.counts = {name: np.zeros(len(bins["counts"]), int) for name, bins in self.axes.items()}
        self.categories = {
            name: [category for category in categories if category is not None]
            for name, categories in fitted.categories.items()
        } | {term.name: term.tokens for term in fitted.design.terms if isinstance(term, Tokens)}
        self.new: dict[str, dict[str, int]] = {name: {} for name in fitted.categories}
        self.n_rows = 0
        self.labelled: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # class, decision, probabilities

    @property
    def axes(self) -> dict[str, dict[str, Any]]:
        """The bins of each column, and of each probability under a name for it."""
        probabilities = self.before["probabilities"].items()
        return {f"probability of {label}": bins for label, bins in probabilities} | self.before["columns"]

    def add(self, frame: pd.DataFrame, y: np.ndarray | None) -> None:
        """Rows of typed columns, and their classes (n_samples,), None for one that is not known."""
        decided, P = self.fitted.decide(frame)
        self.n_rows += len(frame)
        for label in self.before["probabilities"]:
            place = self.fitted.classes_.astype(str).tolist().index(label)
            self._count(f"probability of {label}", pd.Series(significant(P[:, place], SCORE_DIGITS)))
        for name in self.before["columns"]:
            self._count(name, frame[name])
            if name in self.new:
                unseen = frame[name][(places(frame[name], self.categories[name]) < 0) & frame[name].notna()]
                for category, count in unseen.value_counts().items():
                    self.new[name][str(category)] = self.new[name].get(str(category), 0) + int(count)
        if y is not None:
            is_labelled = pd.notna(y)
            self.labelled.append((y[is_labelled], decided[is_labelled], P[is_labelled]))

    def _count(self, name: str, column: pd.Series) -> None:
        cells = _cells(self.fitted, name, column)
        self.counts[name] += _counts(cells, self.axes[name], self.categories.get(name, []))

    def changes(self) -> pd.DataFrame:
        """One row for each probability and each column: the probabilities first, then what changed most."""
        rows = []
        for name, bins in self.axes.items():
            before, now = np.array(bins["counts"]), self.counts[name]
            value, chance = stability(before, now)
            new = sorted(self.new.get(name, {}).items(), key=lambda pair: (-pair[1], pair[0]))
            rows.append(
                {
                    "column": name,
                    "psi": value,
                    "by_chance": chance,
                    "verdict": _verdict(value, chance),
                    "changed": value > max(chance, CHANGED),
                    "missing_before": before[-1] / before.sum(),
                    "missing_now": now[-1] / now.sum(),
                    "new_categories": sum(count for _, count in new) / now.sum(),
                    "new": ", ".join(category for category, _ in new[:EXAMPLES])
                    + (", ..." if len(new) > EXAMPLES else ""),
                }
            )
        n = len(self.before["probabilities"])
        table = pd.DataFrame(rows[n:]).sort_values("psi", ascending=False, kind="stable")
        return pd.concat([pd.DataFrame(rows[:n]), table], ignore_index=True)

    def panels(self, names: Iterable[str]) -> dict[str, pd.DataFrame]:
        """The counts of each bin (index) `before` and `now`, of some of the columns."""
        return {
            name: pd.DataFrame(
                {"before": self.axes[name]["counts"], "now": self.counts[name]}, _labels(self.axes[name])
            )
            for name in names
        }

    def judged(self) -> pd.DataFrame | None:
        """The scores of the rows whose class is known, beside those of the test rows; None where there are none."""
        if not sum(len(y) for y, _, _ in self.labelled):
            return None
        y, decided, P = (np.concatenate(chunks) for chunks in zip(*self.labelled, strict=True))
        fitted = self.fitted
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a class without rows: its score is NaN
            values = scores.scores(y, decided, P, fitted.classes_, fitted.positive)
            draws = bootstrap.resampled(y, {"now": (decided, P)}, fitted.classes_, fitted.positive)["now"]
        rows = []
        for name, (test, lower, upper) in self.before["scores"].items():
            now = values[name]
            ends = bootstrap.interval(draws[name])
            below, above = ("better", "worse") if name in scores.LOSSES else ("worse", "better")
            verdict = f"{below} than" if now < lower else f"{above} than" if now > upper else "within"
            rows.append(
                (name, now, *ends, test, lower, upper, verdict if np.isfinite(now) else "not defined: one class")
            )
        columns = ["score", "now", "now_lower", "now_upper", "test", "test_lower", "test_upper", "verdict"]
        return pd.DataFrame(rows, columns=columns)


def _verdict(value: float, chance: float) -> str:
    if value <= chance:
        return "as before"
    return "a little" if value <= CHANGED else "changed" if value <= MUCH else "changed much"


def stability(before: np.ndarray, now: np.ndarray) -> tuple[float, float]:
    """PSI of two arrays of counts (n_bins,), and its 95 % quantile where nothing changed."""
    used = (before > 0) | (now > 0)
    before, now = before[used], now[used]
    n, m = before.sum(), now.sum()
    if not n or not m or len(before) < 2:
        return 0.0, 0.0
    p, q = np.maximum(before, 0.5) / n, np.maximum(now, 0.5) / m
    from scipy.stats import chi2

    return float(((q - p) * np.log(q / p)).sum()), float(chi2.ppf(0.95, len(p) - 1) * (1 / n + 1 / m))

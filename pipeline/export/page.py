"""A model as one page that calculates: a field for each column, without a server or a library (`templates/page.html`).

A field begins with what most training rows have: the middle of the numbers, the most frequent string.
"""

import html
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.columns.terms import Categories, Tokens
from pipeline.columns.terms.line import Line
from pipeline.export.formula import Formula, document
from pipeline.export.program import TEMPLATES, filled
from pipeline.model import Model
from pipeline.scores.curves import curves

MOST = 2_000  # choices of a field


def write(model: Model, formula: Formula, title: str, predictions: pd.DataFrame | None = None) -> str:
    """The page. `predictions` are those of test rows: what their shares say of a probability is shown beside it."""
    of_test_rows = None
    if predictions is not None and len(model.classes_) == 2:
        observed = curves(predictions, model.positive_class)["calibration"].sort_values("predicted")
        of_test_rows = observed[["predicted", "lower", "upper"]].round(4).to_dict("list")
    parts = {
        "TITLE": html.escape(title),
        "MODEL": _script(document(formula)),
        "FIELDS": _script(fields(model)),
        "OBSERVED": _script(of_test_rows),
        "PREDICT": (TEMPLATES / "predict.js").read_text(encoding="utf-8"),
    }
    return filled("page.html", parts)


def fields(model: Model) -> list[dict[str, Any]]:
    """A field for each column, with what it begins with, and the training rows to be shown with it."""
    return [_field(name, kind, model) for name, kind in model.design.columns.items()]


def _field(name: str, kind: str, model: Model) -> dict[str, Any]:
    terms = [term for term in model.design.terms if term.columns == (name,)]
    if any(isinstance(term, Tokens) for term in terms):
        return {"name": name, "kind": "text", "start": None}
    if kind == "string":
        term = next(term for term in terms if isinstance(term, Categories))
        order = _frequent_first(term.categories, term.counts)
        return {"name": name, "kind": "choice", "choices": order[:MOST], "start": order[0] if order else None}
    lines = [term for term in terms if isinstance(term, Line)]
    if kind == "date":
        parts = {line.part for line in lines}
        return {"name": name, "kind": "datetime-local" if parts & {"hour", "minute"} else "date", "start": None}
    range_ = lines[0].range.tolist() if lines else [-1.0, -1.0, 1.0, 1.0]
    low, high = range_[1:3]
    rows = lines[0].histogram if lines else []
    start = _middle(rows, low, high) if rows else low if lines else 0.0
    whole = bool(lines) and all(number.is_integer() for number in range_) and high - low > 5
    return {
        "name": name,
        "kind": "number",
        "low": low,
        "high": high if high > low else low + 1,
        "rows": rows,
        "start": round(start) if whole else float(f"{start:.4g}"),
        "whole": whole,
    }


def _frequent_first(categories: Sequence[str | None], counts: Sequence[int]) -> list[str]:
    order = np.argsort(-np.array(counts or np.zeros(len(categories))), kind="stable")
    return [str(categories[k]) for k in order if categories[k] is not None]


def _middle(rows: Sequence[int], low: float, high: float) -> float:
    """The median of a histogram."""
    below = np.append(0, np.cumsum(rows)) / sum(rows)
    return float(np.interp(0.5, below, np.linspace(low, high, len(rows) + 1)))


def _script(value: Any) -> str:
    """JSON that can't end the script that it is in."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")

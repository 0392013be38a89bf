"""Points: the effects of a model of two classes as whole numbers, to be added by hand.

    points = effect / (log 2 / 20), rounded        20 points double the odds
    odds   = 2^((base + sum of points) / 20)

A number has at most `ROWS` rows: effects are rounded to multiples of the smallest whole number for which neighbouring
bins with the same points leave no more. Every column has 0 at its least. The model is fitted again without pairs of
columns, which take tables of two sides. What this and the rounding cost is found by cross-validation: the same folds,
models as they are and with points.
"""

import html
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline import config
from pipeline.columns import splitting
from pipeline.columns.target import features_and_target
from pipeline.columns.terms import Categories, expression
from pipeline.columns.terms.curve import Curve
from pipeline.columns.terms.line import Line
from pipeline.columns.terms.term import Term
from pipeline.errors import UserError
from pipeline.export.formula import Formula, of
from pipeline.export.program import filled
from pipeline.files import formats, paths, stored
from pipeline.files.stored import Table, in_memory
from pipeline.logistic.loss import log_losses
from pipeline.model import Model
from pipeline.reading import CellFormat
from pipeline.training import fit, selection

UNIT = float(np.log(2) / 20)
ROWS = 10  # of a number
FOLDS = 5
TOTALS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)  # probabilities of the card


class Side(NamedTuple):
    """What one part of a card says: the points of each of its rows, and the expression that has them."""

    name: str
    rows: list[tuple[str, int]]
    expression: expression.Expression


@dataclass(frozen=True)
class Card:
    """base: the points of a row that has 0 everywhere; `formula` is the model with these effects."""

    positive: str
    base: int
    sides: list[Side]
    formula: Formula


def card(model: Model) -> Card:
    """Errors: `UserError` for a model of more than two classes, or with a term that has no table."""
    if len(model.classes_) > 2:
        raise UserError(f"points are for two classes, and this model has {len(model.classes_)}. Leave out --points.")
    formula, base = of(model), float(model.sign * model.weights[-1, 0])
    by_columns: dict[tuple[str, ...], list[Side]] = {}
    for term in model.design.terms:
        for side, shift in _sides(term, model):
            by_columns.setdefault(term.columns, []).append(side)
            base += shift
    whole = round(base / UNIT)
    groups = [
        replace(group, expressions=[[side.expression for side in by_columns.get(group.columns, [])]], average=[0.0])
        for group in formula.groups
    ]
    rounded = replace(formula, groups=groups, intercept=[model.sign * whole * UNIT])
    sides = [side for all_of in by_columns.values() for side in all_of]
    return Card(model.positive_class, whole, sides, rounded)


def _sides(term: Term, model: Model) -> Iterator[tuple[Side, float]]:
    """The part of a term, and what its points leave out: the effect that is 0 points."""
    weights = {id(each): model.sign * model.weights[model.design.base_columns(each), 0] for each in model.design.terms}
    v = weights[id(term)]
    if isinstance(term, Line):
        curve = next((each for each in model.design.terms if isinstance(each, Curve) and each.line is term), None)
        missing = weights[id(term.missing)][0] if term.missing is not None else 0.0
        missing += v[0] * term.fill + (weights[id(curve)][-1] if curve else 0.0)
        edges, x = (curve.edges, curve.points * term.scale + term.centre) if curve else _parts(term)
        effects = v[0] * term.standardised(x) + (weights[id(curve)][:-1] if curve else 0.0)
        yield _of_number(term, edges, effects, missing, has_missing=term.missing is not None, sign=model.sign)
    elif isinstance(term, Categories):
        lowest = min(v)
        points = np.rint((v - lowest) / UNIT).astype(int)
        names = ["not known" if name is None else name for name in term.categories] + ["any other"]
        rows = [
            (", ".join(name for name, number in zip(names, points, strict=True) if number == each), each)
            for each in sorted(set(points.tolist()), reverse=True)
        ]
        yield Side(term.name, rows, term.expression(model.sign * UNIT * points)), lowest
    elif term.kind not in ("missing", "curve"):
        raise UserError(f"{term.name!r} ({term.kind}) has no table of points. Leave out --points, or this column.")


def _parts(line: Line) -> tuple[np.ndarray, np.ndarray]:
    """Edges and middles of equal parts of the middle of the range."""
    ends = np.linspace(line.range[1], line.range[2], 25) if line.range[2] > line.range[1] else line.range[1:2]
    return (ends[1:-1], (ends[1:] + ends[:-1]) / 2) if len(ends) > 1 else (np.empty(0), ends)


def _of_number(
    line: Line, edges: np.ndarray, effects: np.ndarray, missing: float, has_missing: bool, sign: int
) -> tuple[Side, float]:
    lowest, step = float(min([*effects, missing] if has_missing else effects)), 1
    while True:
        points = (np.rint((effects - lowest) / (step * UNIT)) * step).astype(int)
        changes = np.flatnonzero(np.diff(points))
        if len(changes) < ROWS:
            break
        step += 1
    kept, values = edges[changes], points[np.append(changes, len(points) - 1)]
    of_missing = int(np.rint((missing - lowest) / UNIT))
    ends = [f"{edge:.6g}" for edge in kept]
    between = [f"{low} to {high}" for low, high in pairwise(ends)]
    names = [f"below {ends[0]}", *between, f"{ends[-1]} or more"] if ends else ["any"]
    rows = list(zip(names, values.tolist(), strict=True))
    steps = expression.Steps(line.number(), kept.tolist(), (sign * UNIT * values).tolist())
    made = expression.Missing(line.columns[0], expression.Constant(sign * UNIT * of_missing), steps)
    return Side(line.name, rows + ([("not known", of_missing)] if has_missing else []), made), lowest


def evaluated(node: Any, rows: pd.DataFrame) -> np.ndarray:
    """An expression of each row of typed columns, (n_rows,)."""
    match node:
        case expression.Constant(value):
            return np.full(len(rows), value)
        case expression.Number(column):
            return rows[column].to_numpy(dtype=float, na_value=np.nan)
        case expression.DatePart(column, part):
            return getattr(rows[column].dt, part).to_numpy(dtype=float, na_value=np.nan)
        case expression.Missing(column, missing, present):
            return np.where(rows[column].isna(), evaluated(missing, rows), evaluated(present, rows))
        case expression.Clipped(x, low, high):
            return np.clip(evaluated(x, rows), low, high)
        case expression.Straight(x, centre, scale, slope):
            return slope * ((evaluated(x, rows) - centre) / scale)
        case expression.Steps(x, edges, values):
            return np.array(values)[np.searchsorted(edges, evaluated(x, rows), side="right").clip(0, len(edges))]
        case expression.Lookup(column, values, other):
            return rows[column].map(values).fillna(other).to_numpy(dtype=float)
        case expression.Grid(row, column, values):
            return np.array(values)[evaluated(row, rows).astype(int), evaluated(column, rows).astype(int)]
    raise TypeError(node)


def probability(formula: Formula, rows: pd.DataFrame) -> np.ndarray:
    """Of the second of two classes, before calibration, (n_rows,)."""
    z = formula.intercept[0] + sum(evaluated(each, rows) for group in formula.groups for each in group.expressions[0])
    return 1 / (1 + np.exp(-z))


def without_pairs(params: config.Train) -> config.Train:
    return params.model_copy(update={"interactions": []})


def of_training(threshold: float | None) -> tuple[Card, pd.DataFrame]:
    """The card of the training rows of this repository with the settings of `train`, and what the points cost.

    Errors: `UserError` where nothing has been trained, or for a model that has no points.
    """
    if not (paths.ROOT / paths.TRAINING_ROWS).exists():
        raise UserError(f"{paths.TRAINING_ROWS} is not there, and points are fitted on it: `dvc repro` makes it.")
    table = in_memory(stored.StoredTable(paths.ROOT / paths.TRAINING_ROWS))
    key, weight = stored.load_key(paths.ROOT / paths.KEY), stored.load_weights(paths.ROOT / paths.TRAINING_WEIGHTS)
    cell_format = CellFormat(**formats.load_json(paths.ROOT / paths.CELL_FORMAT))
    params = selection.resolved(table, config.read("train"), key, weight)[0]
    model = fit.train(table, without_pairs(params), cell_format, weight).model
    model.threshold = threshold
    return card(model), cost(table, params, cell_format, key, weight)


def cost(
    table: Table, params: config.Train, cell_format: CellFormat, key: pd.Series | None, weight: np.ndarray | None
) -> pd.DataFrame:
    """Log-loss and AUC of held-out training rows, of models as they are and with points: one row each."""
    from sklearn.metrics import roc_auc_score

    X, y = features_and_target(table)
    _, codes = np.unique(y, return_inverse=True)
    probabilities = {"as it is": np.full(len(y), np.nan), "points": np.full(len(y), np.nan)}
    for training, held_out in splitting.folds(y, FOLDS, 0, key):
        part = None if weight is None else weight[training]
        model = fit.train(in_memory(table.take(training)), params, cell_format, part).model
        rows = in_memory(X.take(held_out))
        probabilities["as it is"][held_out] = model.probabilities(rows)[:, 1]
        bare = fit.train(in_memory(table.take(training)), without_pairs(params), cell_format, part).model
        probabilities["points"][held_out] = probability(card(bare).formula, rows)
    judged = ~np.isnan(probabilities["points"])
    weights = np.ones(len(y)) if weight is None else weight
    scores = {}
    for name, p in probabilities.items():
        losses = log_losses(np.column_stack([1 - p[judged], p[judged]]), codes[judged])
        area = roc_auc_score(codes[judged], p[judged], sample_weight=weights[judged])
        scores[name] = {"log_loss": np.average(losses, weights=weights[judged]), "roc_auc": area}
    return pd.DataFrame(scores).T


def page(of_model: Card, title: str, note: str) -> str:
    """The card as a page that prints on one sheet."""
    parts = "".join(
        f"<table><caption>{html.escape(side.name)}</caption>"
        + "".join(f"<tr><th scope=row>{html.escape(name)}<td>{points}" for name, points in side.rows)
        + "</table>"
        for side in of_model.sides
    )
    totals = [(round(np.log(p / (1 - p)) / UNIT) - of_model.base, p) for p in TOTALS]
    chances = "".join(f"<tr><th scope=row>{total}<td>{100 * p:.0f} %" for total, p in totals)
    values = {"TITLE": html.escape(title), "NOTE": html.escape(note), "PARTS": parts, "TOTALS": chances}
    return filled("card.html", values)

"""What is saved, loaded and served: raw cells in, class or probability out, in one document that needs no other file.

    raw cells --read--> typed columns --terms--> base matrix --weights--> margins --> probabilities --> class

    margin = intercept + sum over terms of the effect of its cells        (`columns.terms`)

The class of a row is decided in one place (`Model.predicted`), from the margins or with a threshold: what is evaluated
is what is served. The module knows no configuration and no optimiser, so a saved model loads wherever NumPy, pandas and
PyArrow are.

A model is stored as JSON, in which nothing can run; each value is checked when it is loaded. `docs/model.schema.json`
describes it.
"""

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.columns import novelty
from pipeline.columns.terms import Categories, Design, Offset
from pipeline.columns.terms.fields import Fields, cell_format_of
from pipeline.errors import UserError
from pipeline.files.stored import Table
from pipeline.logistic.calibration import calibrated
from pipeline.logistic.loss import MULTICLASS, predicted, probabilities
from pipeline.logistic.matrix import Matrix, margins
from pipeline.reading import CellFormat, coordinates, served, typed

FORMAT = "logistic-regression-1"
# Of the weights of base columns, rounded before they are stored. With nine digits, the seventh digit of one probability
# in a hundred would not be that of the fit.
EFFECT_DIGITS = 12


class Model:
    """A fitted logistic regression with all that is done to a user's cells before it.

    design       the terms, which make typed columns the base matrix
    weights      (n_base + 1, n_columns), of base columns and the intercept: a column for each class, one for two
    classes_     (n_classes,), sorted
    multiclass   of three classes or more: "one_vs_rest" or "softmax"
    positive     of two classes, the one that weights and curves refer to; None is the last in sorted order
    cell_format  how the cells of the training table were written, and so how new ones are read
    made_of      settings that the model was made with, by name

    `threshold` is the probability of the positive class, of two, from which on a row is decided to be of it. `costs`
    (n_classes, n_classes), of three classes or more, has a row for each true class and a column for each prediction:
    the class of the least expected cost is decided. Without both the margins decide. `calibration` corrects the
    probabilities (`logistic.calibration`). `average` (n_groups, n_columns) has what each of the groups of columns of
    `design` adds to the margins of the average training row.
    """

    def __init__(
        self,
        design: Design,
        weights: np.ndarray,
        classes: np.ndarray,
        multiclass: str,
        positive: str | None,
        cell_format: CellFormat,
        made_of: Mapping[str, Any],
    ) -> None:
        self.design, self.weights = design, weights
        self.classes_, self.multiclass, self.positive = classes, multiclass, positive
        self.cell_format, self.made_of = cell_format, dict(made_of)
        self.threshold: float | None = None
        self.costs: np.ndarray | None = None
        self.calibration: dict[str, Any] | None = None
        self.average = np.zeros((len(design.groups), weights.shape[1]))

    @property
    def columns(self) -> list[str]:
        """The columns that predictions need."""
        return list(self.design.columns)

    @property
    def raw_columns(self) -> list[str]:
        """The columns that a file of rows may have for predictions: coordinates may be in one."""
        held_in = coordinates.sources(self.cell_format.parts)
        return [*dict.fromkeys([*(held_in.get(name, name) for name in self.columns), *self.columns])]

    @property
    def offset(self) -> list[str]:
        """The column that is a known part of the margin, if there is one."""
        return [term.name for term in self.design.terms if isinstance(term, Offset)]

    @cached_property
    def categories(self) -> dict[str, list[str | None]]:
        """The categories of each column of strings, as training had them."""
        return {term.name: term.categories for term in self.design.terms if isinstance(term, Categories)}

    @property
    def positive_class(self) -> str:
        """The class that the weights of a two-class model refer to."""
        return str(self.classes_[-1]) if self.positive is None else self.positive

    @property
    def sign(self) -> int:
        """-1 where the weights of two classes are those of the other class than `positive_class`, else 1."""
        return 1 if len(self.classes_) > 2 or self.positive_class == str(self.classes_[1]) else -1

    def classify(self, frame: pd.DataFrame) -> np.ndarray:
        """The class that is decided for each row of typed columns, (n_samples,)."""
        return self.decide(frame)[0]

    def probabilities(self, frame: pd.DataFrame) -> np.ndarray:
        """The probabilities (n_samples, n_classes) of rows of typed columns, in the order of `classes_`."""
        return self.decide(frame)[1]

    def margins(self, frame: Table) -> np.ndarray:
        """z of rows of typed columns: (n_samples,) of two classes, for the last; else (n_samples, n_classes)."""
        z = margins(Matrix([self.design.block(frame)]), self.weights)
        return z[:, 0] if z.shape[1] == 1 else z

    def decide(self, frame: Table) -> tuple[np.ndarray, np.ndarray]:
        """Both."""
        return self.predicted(frame)[1:]

    def predicted(self, frame: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The most probable class (n_samples,), the decided class and the probabilities.

        Without threshold and costs both classes agree.

        Margins show the most probable class also where several probabilities are rounded to 1.
        """
        if not len(frame):
            return self.classes_[:0], self.classes_[:0], np.empty((0, len(self.classes_)))
        z = self.margins(frame)
        P = calibrated(probabilities(z, self.multiclass), self.calibration)
        if self.threshold is None:
            probable = self.classes_[predicted(z)]
            return probable, probable if self.costs is None else self.classes_[(P @ self.costs).argmin(axis=1)], P
        place = self.classes_.tolist().index(self.positive_class)
        at_half, decided = (
            self.classes_[np.where(P[:, place] >= threshold, place, 1 - place)] for threshold in (0.5, self.threshold)
        )
        return at_half, decided, P

    def contributions(self, frame: pd.DataFrame) -> np.ndarray:
        """What each group of columns adds to the margins of each row: (n_samples, n_groups, n_columns of weights).

        It is relative to the average training row: with the margins of that row, the contributions add up to the
        margins. Of two classes, the margins are those of `positive_class`.
        """
        block, V = self.design.block(frame), self.sign * self.weights
        n_dense = self.design.n_dense
        parts = [block.dense[:, :, None] * V[:n_dense], V[n_dense + block.codes]]
        for term in self.design.counted:
            first = term.start - block.n_coded
            counts = block.counts[:, first : first + term.n_counts]
            parts.append((counts @ V[self.design.base_columns(term)])[:, None])
        contributions = np.concatenate(parts, axis=1)
        is_of_group = self.design.group_of == np.arange(len(self.design.groups))[:, None]
        return np.einsum("tp,npk->ntk", is_of_group.astype(float), contributions) - self.average

    def words(self, frame: pd.DataFrame, columns: Any, n: int = 3) -> dict[tuple[str, ...], list[str]]:
        """For each text or list, the n tokens of each row that add most to its column of the margins, and how much."""
        block, told = self.design.block(frame), {}
        for term in self.design.counted:
            first, labels = term.start - block.n_coded, term.labels
            counts = block.counts[:, first : first + term.n_counts]
            of_row = np.broadcast_to(columns, len(frame)).repeat(np.diff(counts.indptr))
            added = counts.data * self.sign * self.weights[self.design.base_columns(term)][counts.indices, of_row]
            told[term.columns] = [
                f"{term.name}: {_listed(labels, counts.indices[row], added[row], n)}"
                for row in map(slice, counts.indptr, counts.indptr[1:])
            ]
        return told

    def set_average(self, rows: Matrix) -> None:
        """Let contributions be relative to the average of these rows of the base matrix."""
        sums = [block.transposed(np.ones((len(block), 1))) for block, _ in rows.strips()]
        means = np.sum(sums, axis=0) / len(rows)
        average = np.zeros_like(self.average)
        groups = np.repeat(self.design.group_of, self.design.widths)
        np.add.at(average, groups, (means * self.sign * self.weights)[:-1])
        self.average = average.round(9) + 0.0  # no -0

    def read(self, raw: pd.DataFrame) -> pd.DataFrame:
        """A user's raw rows as typed columns, read as the training table was, whatever types they arrive in.

        Numbers and dates may be strings, as the training table wrote them; categories may be numbers or booleans. All
        cells of a column that is not there are missing, with a warning; columns that the model does not use are
        ignored. Errors: `UserError` for a cell that is not a number or a date, for a column that is there twice, and
        where none of the model's columns is there.
        """
        self._check_columns(raw)
        return pd.DataFrame({name: self._typed(name, self._column(raw, name)) for name in self.columns})

    def read_each(self, raw: pd.DataFrame) -> tuple[pd.DataFrame, dict[Any, str]]:
        """As `read`, but without the rows that can't be read: for these the reason, by their label in the index."""
        self._check_columns(raw)
        frame: dict[str, pd.Series] = {}
        reasons: dict[Any, str] = {}
        for name in self.columns:
            column = self._column(raw, name)
            try:
                frame[name] = self._typed(name, column)
            except UserError:
                codes, distinct = pd.factorize(column, use_na_sentinel=False)
                typed, wrong = self._sorted_out(name, pd.Series(distinct))
                frame[name] = typed.reindex(range(len(distinct))).iloc[codes].set_axis(raw.index)
                where = np.flatnonzero(np.isin(codes, list(wrong)))
                reasons = {raw.index[i]: wrong[codes[i]] for i in where.tolist()} | reasons
        return pd.DataFrame(frame).drop(index=list(reasons)), reasons

    def _sorted_out(self, name: str, column: pd.Series) -> tuple[pd.Series, dict[Any, str]]:
        """The cells that can be read, typed, and why the others can't be. Halves are tried until they can be."""
        try:
            return self._typed(name, column), {}
        except UserError as error:
            if len(column) == 1:
                return self._typed(name, column[:0]), {column.index[0]: getattr(error, "reason", str(error))}
        halves = [self._sorted_out(name, half) for half in (column[: len(column) // 2], column[len(column) // 2 :])]
        return pd.concat([typed for typed, _ in halves]), halves[0][1] | halves[1][1]

    def _column(self, raw: pd.DataFrame, name: str) -> pd.Series:
        held = name if name in raw else coordinates.sources(self.cell_format.parts).get(name)
        return raw[held] if held in raw else pd.Series(None, raw.index, object)

    def _typed(self, name: str, column: pd.Series) -> pd.Series:
        """A column of raw cells as numbers, dates or strings."""
        as_strings = served.spelt(column.rename(name), self.categories.get(name), self.cell_format.decimal or ".")
        return (
            typed.parse(as_strings, name, self.cell_format, f"{self.design.columns[name]}s")[0]
            .to_pandas()
            .set_axis(column.index)
        )

    def _check_columns(self, raw: pd.DataFrame) -> None:
        names = self.columns
        present = raw.columns.tolist()
        if twice := [name for name in names if present.count(name) > 1]:
            raise UserError(f"column {twice[0]!r} is there twice. Leave one out.")
        in_file = coordinates.sources(self.cell_format.parts)
        absent = [name for name in names if name not in present and in_file.get(name) not in present]
        if len(absent) == len(names):
            raise UserError(
                f"none of the model's columns is there. It needs {', '.join(map(repr, names))}; the rows have "
                f"{', '.join(map(repr, present)) or 'no columns'}."
            )
        if absent:
            warnings.warn(f"columns that are not there count as missing: {', '.join(map(repr, absent))}", stacklevel=3)

    def predict(self, raw: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
        """What is served for raw rows: the classes, or with `params={"probabilities": True}` one column per class."""
        frame = self.read(raw)
        for message in novelty.messages(self.design, novelty.counts(self.design, frame)):
            warnings.warn(message, stacklevel=2)
        if (params or {}).get("probabilities"):
            return pd.DataFrame(self.probabilities(frame), columns=[str(label) for label in self.classes_])
        return self.classify(frame)


def _listed(labels: list[str], places: np.ndarray, added: np.ndarray, n: int) -> str:
    largest = np.argsort(-np.abs(added.round(9)), kind="stable")[:n]
    return ", ".join(f"{labels[places[k]]} {added[k]:+.2f}" for k in largest) or "nothing that training had"


def save(model: Model, path: Path) -> None:
    """Write `model` as JSON, the same bytes for the same model."""
    calibration = model.calibration and {name: np.asarray(part).tolist() for name, part in model.calibration.items()}
    document = {
        "format": FORMAT,
        "made_of": model.made_of,
        "classes": model.classes_.tolist(),
        "multiclass": model.multiclass,
        "positive": model.positive,
        "threshold": model.threshold,
        "costs": None if model.costs is None else model.costs.tolist(),
        "calibration": calibration,
        "intercept": model.weights[-1].tolist(),
        **model.design.state(model.weights),
        "average": model.average.tolist(),
        "cells": {**asdict(model.cell_format), "missing_values": [*model.cell_format.missing_values]},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    sections = (f"{json.dumps(key)}: {_written(value)}" for key, value in document.items())
    path.write_text("{\n" + ",\n".join(sections) + "\n}\n", encoding="utf-8")


def _written(value: Any) -> str:
    """JSON with a line for each term."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"  {json.dumps(part, ensure_ascii=False)}" for part in value) + "\n]"
    return json.dumps(value, ensure_ascii=False)


def load(path: Path) -> Model:
    """A model that `save` wrote. Errors: `UserError` for a file that is no such document."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no model: {error}. `dvc repro` writes one.") from None
    fields = Fields(values, str(path))
    if (written := fields.value("format")) != FORMAT:
        raise UserError(f"{path} is no model: its format is {written!r}, not {FORMAT!r}. `dvc repro` writes one.")
    classes = np.array(fields.texts("classes"))
    if len(classes) < 2 or (np.unique(classes) != classes).any():
        raise fields.wrong(f"classes are {classes.tolist()}, not two or more in order")
    if (multiclass := fields.text("multiclass")) not in MULTICLASS:
        raise fields.wrong(f"multiclass is {multiclass!r}, not one of {', '.join(MULTICLASS)}")
    n_columns = 1 if len(classes) == 2 else len(classes)
    design, weights = Design.restored(fields, n_columns)
    weights = np.vstack([weights, fields.numbers("intercept", n_columns)])
    positive = fields.text_or_null("positive")
    if positive is not None and (positive not in classes or n_columns > 1):
        raise fields.wrong(f"positive is {positive!r}, not one of two classes")
    model = Model(
        design,
        weights,
        classes,
        multiclass,
        positive,
        cell_format_of(fields.section("cells")),
        fields.section("made_of").values,
    )
    model.threshold, model.calibration = fields.number_or_null("threshold"), _calibration(fields, n_columns)
    if fields.value("costs") is not None:
        model.costs = fields.numbers("costs", len(classes), len(classes))
        if n_columns == 1 or (model.costs < 0).any():
            raise fields.wrong("costs are below 0, or of two classes")
    model.average = fields.numbers("average", len(design.groups), n_columns)
    return model


def _calibration(fields: Fields, n_columns: int) -> dict[str, Any] | None:
    if fields.value("calibration") is None:
        return None
    section = fields.section("calibration")
    if "temperature" in section:
        return {"temperature": section.number("temperature")}
    x = section.numbers("x", None)
    if n_columns > 1 or not len(x) or (np.diff(x) < 0).any():
        raise section.wrong("x does not ascend, or there are more than two classes")
    return {"x": x, "y": section.numbers("y", len(x))}

"""A model as sums of expressions of the cells of a row, which every language writes down in its own way.

margin of a class = intercept + sum over groups of columns of their expressions
contribution of a group = sign (its expressions) - that of the average training row
"""

from collections import Counter
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from pipeline.columns.terms.expression import Expression
from pipeline.errors import UserError
from pipeline.model import Model
from pipeline.reading.served import PAIRS


@dataclass(frozen=True)
class Group:
    """The terms of some columns.

    expressions  for each column of weights (one for two classes, else one for each class), the expressions to be added
    average      (n_columns,), what they add to the average training row, with the sign of contributions
    """

    columns: tuple[str, ...]
    expressions: list[list[Expression]]
    average: list[float]

    @property
    def name(self) -> str:
        return " x ".join(self.columns)


@dataclass(frozen=True)
class Formula:
    """intercept (n_columns,); `sign` is that of contributions; `place` the position of the class of the threshold."""

    columns: dict[str, str]
    classes: list[str]
    multiclass: str
    place: int
    sign: int
    threshold: float | None
    calibration: dict[str, Any] | None
    intercept: list[float]
    groups: list[Group]
    missing: list[str]
    categories: dict[str, list[str]]


def of(model: Model) -> Formula:
    """The formula of a model. Errors: `UserError` for one that decides by a table of costs."""
    if model.costs is not None:
        raise UserError(
            "a model that decides by decision.costs can't be exported, only its probabilities could. Predict with "
            "`python -m pipeline predict`, or train it to predict the most probable class: -S decision=none."
        )
    design, weights = model.design, model.weights
    groups = []
    for columns, average in zip(design.groups, model.average.tolist(), strict=True):
        terms = [term for term in design.terms if term.columns == columns]
        expressions = [[term.expression(column[design.base_columns(term)]) for term in terms] for column in weights.T]
        groups.append(Group(columns, expressions, average))
    calibration = model.calibration and {key: np.asarray(part).tolist() for key, part in model.calibration.items()}
    return Formula(
        design.columns,
        model.classes_.tolist(),
        model.multiclass,
        model.classes_.tolist().index(model.positive_class) if len(model.classes_) == 2 else 0,
        model.sign,
        model.threshold,
        calibration,
        weights[-1].tolist(),
        groups,
        [*model.cell_format.missing_values],
        {name: [each for each in names if each is not None] for name, names in model.categories.items()},
    )


def aliases(categories: list[str]) -> dict[str, str]:
    """Other ways to write categories that are two truth values, in small letters: `true` for `Yes`, where predictions
    understand it."""
    forms = {category.casefold(): category for category in categories}
    pair = next((pair for pair in PAIRS if forms and set(forms) <= set(pair)), None)
    words = {word: forms.get(pair[side]) for words in PAIRS for side, word in enumerate(words)} if pair else forms
    wanted = {word for words in PAIRS for word in words} if pair else {"true", "false"}
    return {word: form for word, form in words.items() if form is not None and word in wanted}


def numbers(categories: list[str]) -> dict[float, str]:
    """The category that a cell means that is a number: `007` for 7, where no other category is 7."""
    values = {}
    for category in categories:
        try:
            values[category] = float(category)
        except ValueError:
            continue
    count = Counter(values.values())
    return {number: category for category, number in values.items() if count[number] == 1 and np.isfinite(number)}


def spelt(categories: list[str]) -> dict[str, str]:
    """The category that each `aliases` means, and each of the `numbers`, which begin with #."""
    return aliases(categories) | {f"#{_plain(number)}": name for number, name in numbers(categories).items()}


def nested(expression: Any) -> Any:
    """An expression as nested lists, its kind first: what JSON can hold."""
    if not is_dataclass(expression):
        return expression
    kind = type(expression).__name__.lower()
    return [kind, *(nested(getattr(expression, field.name)) for field in fields(expression))]


def document(formula: Formula) -> dict[str, Any]:
    """The formula in values that JSON has, under the names that `templates/` use."""
    return {
        "columns": formula.columns,
        "classes": formula.classes,
        "multiclass": formula.multiclass,
        "positive": formula.classes[formula.place],
        "sign": formula.sign,
        "threshold": formula.threshold,
        "calibration": formula.calibration,
        "intercept": formula.intercept,
        "groups": [
            {"name": group.name, "columns": group.columns, "average": group.average, "terms": nested_all(group)}
            for group in formula.groups
        ],
        "missing": formula.missing,
        "aliases": {name: spelt(categories) for name, categories in formula.categories.items()},
    }


def nested_all(group: Group) -> list[list[Any]]:
    return [[nested(expression) for expression in column] for column in group.expressions]


def _plain(number: float) -> str:
    return str(int(number)) if number.is_integer() else repr(number)

"""What a term adds to the margin, as an expression of the cells of a row that any language can compute.

    margin = intercept + sum over terms of their expressions

An expression is made of the few kinds below, each a number for a row. `columns.terms` makes them of its weights;
`export` writes them in other languages. A kind that all of these languages need to know is one class here.

    Constant   a number
    Number     the number of a cell
    DatePart   a part of the date of a cell: year, month, day, day_of_week (Monday is 0), hour, minute
    Missing    one expression where a cell is missing, another where not
    Clipped    x, but at least low and at most high
    Straight   slope (x - centre) / scale
    Steps      values[number of edges that are at most x]
    Lookup     the number of a string, and that of all others
    Words      of the words of a cell, the sum of tf idf / norm times their numbers, and apart the same of pairs
    Values     of the values of a list, the sum of their numbers
    Grid       numbers[i][j], for two expressions that are whole numbers
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Constant:
    value: float


@dataclass(frozen=True)
class Number:
    column: str


@dataclass(frozen=True)
class DatePart:
    column: str
    part: str


@dataclass(frozen=True)
class Missing:
    column: str
    missing: "Expression"
    present: "Expression"


@dataclass(frozen=True)
class Clipped:
    x: "Expression"
    low: float
    high: float


@dataclass(frozen=True)
class Straight:
    x: "Expression"
    centre: float
    scale: float
    slope: float


@dataclass(frozen=True)
class Steps:
    """edges (n_steps - 1,), ascending; values (n_steps,)."""

    x: "Expression"
    edges: list[float]
    values: list[float]


@dataclass(frozen=True)
class Lookup:
    column: str
    values: dict[str, float]
    other: float


@dataclass(frozen=True)
class Words:
    """numbers of each word, and of each two neighbours with a space between them: idf and weight (`terms.tokens`)."""

    column: str
    words: dict[str, tuple[float, float]]
    neighbours: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Values:
    """`delimiter` is "[]" for lists in brackets, and "" where a cell is one value."""

    column: str
    delimiter: str
    values: dict[str, float]


@dataclass(frozen=True)
class Grid:
    """values (n_rows, n_columns)."""

    row: "Expression"
    column: "Expression"
    values: list[list[float]]


Expression = Constant | Number | DatePart | Missing | Clipped | Straight | Steps | Lookup | Words | Values | Grid

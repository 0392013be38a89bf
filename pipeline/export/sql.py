"""A model as one SELECT over a table of raw cells.

    cells -> sums of terms by group of columns -> margins -> probabilities -> decision and contributions

A missing cell is NULL, or in a column of strings one of the strings that the model reads as missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.columns.terms import expression as e
from pipeline.columns.terms.lists import BRACKETS
from pipeline.errors import UserError
from pipeline.export.formula import Formula, aliases, numbers

MOST = 1_600  # columns that all of the databases take in one SELECT
SMALLEST = -700.0  # of an exponent: the next databases call an error
PARTS = {"day_of_week": "ISODOW"}


@dataclass(frozen=True)
class Dialect:
    """What differs between databases."""

    double: str
    largest: str
    find: str
    has_nan: bool
    has_types: bool


DIALECTS = {
    "duckdb": Dialect("DOUBLE", "GREATEST", "STRPOS", has_nan=True, has_types=True),
    "postgres": Dialect("DOUBLE PRECISION", "GREATEST", "STRPOS", has_nan=True, has_types=True),
    "sqlite": Dialect("REAL", "MAX", "INSTR", has_nan=False, has_types=False),
}


def select(formula: Formula, title: str, dialect: str, table: str, keep: Sequence[str]) -> str:
    """The statement. `keep` are columns of the table to be shown beside the result, first those of the model.

    Errors: `UserError` for more columns than databases take.
    """
    return _Writer(formula, DIALECTS[dialect]).select(title, table, [*formula.columns, *keep])


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def text(string: str) -> str:
    return "'" + string.replace("'", "''") + "'"


def number(value: float) -> str:
    """A literal that is a float64: with an exponent."""
    written = repr(float(value))
    return written if "e" in written else written + "e0"


def total(parts: Sequence[str]) -> str:
    """Their sum, in halves: databases bound how deep an expression is."""
    if len(parts) <= 8:
        return " + ".join(parts) or number(0)
    middle = len(parts) // 2
    return f"({total(parts[:middle])}) + ({total(parts[middle:])})"


class _Writer:
    def __init__(self, formula: Formula, dialect: Dialect) -> None:
        self.formula, self.dialect = formula, dialect
        self.labels = formula.classes if len(formula.intercept) > 1 else [""]

    def select(self, title: str, table: str, keep: Sequence[str]) -> str:
        f = self.formula
        n = len(keep) + len(f.columns) + (len(f.groups) + 3) * len(self.labels)
        if n > MOST:
            raise UserError(
                f"the statement would have {n:,} columns, and databases take {MOST:,}. Write the model as a program: "
                f"`python -m pipeline export model.py`."
            )
        steps = [
            ("cells", [f"{self._cell(name)} AS {self._named('cell', name)}" for name in f.columns], quoted(table)),
            ("sums", self._sums(), "cells"),
            ("margins", self._margins(), "sums"),
            ("shares", self._shares(), "margins"),
            ("probabilities", self._probabilities(), "shares"),
            ("decisions", [f"{self._decision()} AS {quoted('decision')}"], "probabilities"),
        ]
        written = ",\n".join(
            f"{name} AS (\n  SELECT *,\n    " + ",\n    ".join(columns) + f"\n  FROM {source}\n)"
            for name, columns, source in steps
        )
        results = [*map(quoted, keep), *self._results()]
        return f"-- {title}\nWITH {written}\nSELECT\n  " + ",\n  ".join(results) + "\nFROM decisions\n"

    def _named(self, what: str, *names: str) -> str:
        return quoted(" ".join([what, *filter(None, names)]))

    def _cell(self, name: str) -> str:
        kind, raw = self.formula.columns[name], quoted(name)
        absent = ", ".join(map(text, self.formula.missing))
        if kind == "number":
            double = f"CAST({raw} AS {self.dialect.double})"
            if self.dialect.has_nan:
                return f"NULLIF({double}, CAST('NaN' AS {self.dialect.double}))"
            return f"CASE WHEN typeof({raw}) = 'text' AND TRIM({raw}) IN ({absent}) THEN NULL ELSE {double} END"
        if kind == "date":
            return f"CAST({raw} AS TIMESTAMP)" if self.dialect.has_types else f"NULLIF({raw}, '')"
        string = f"TRIM(CAST({raw} AS VARCHAR))"
        return f"CASE WHEN {string} IN ({absent}) THEN NULL ELSE {string} END"

    def _sums(self) -> list[str]:
        return [
            f"{total([self.written(each) for each in group.expressions[k]])} AS {self._named('sum', group.name, label)}"
            for group in self.formula.groups
            for k, label in enumerate(self.labels)
        ]

    def _margins(self) -> list[str]:
        return [
            f"CAST({number(self.formula.intercept[k])} + "
            f"{total([self._named('sum', group.name, label) for group in self.formula.groups])} "
            f"AS {self.dialect.double}) AS {self._named('margin', label)}"
            for k, label in enumerate(self.labels)
        ]

    def _shares(self) -> list[str]:
        """What probabilities are proportional to."""
        f, margins = self.formula, [self._named("margin", label) for label in self.labels]
        if len(margins) == 1:
            return [self._sigmoid(f"-1 * {margins[0]}", "share 0"), self._sigmoid(margins[0], "share 1")]
        if f.multiclass == "softmax":
            top = f"{self.dialect.largest}({', '.join(margins)})"
            return [f"{self._exp(f'{z} - {top}')} AS {quoted(f'share {k}')}" for k, z in enumerate(margins)]
        return [self._sigmoid(z, f"share {k}") for k, z in enumerate(margins)]

    def _probabilities(self) -> list[str]:
        f, shares = self.formula, [quoted(f"share {k}") for k in range(len(self.formula.classes))]
        if f.calibration and "x" in f.calibration:
            second = self._interpolated(shares[1], f.calibration["x"], f.calibration["y"])
            return [
                f"1 - ({second}) AS {self._named('probability', f.classes[0])}",
                f"{second} AS {self._named('probability', f.classes[1])}",
            ]
        if len(f.intercept) > 1:
            shares = [f"{share} / ({total(shares)})" for share in shares]
        if f.calibration:
            inverse = number(1 / f.calibration["temperature"])
            powers = [self._exp(f"{inverse} * LN({share})") for share in shares]
            shares = [f"{power} / ({total(powers)})" for power in powers]
        names = [self._named("probability", name) for name in f.classes]
        return [f"{share} AS {name}" for share, name in zip(shares, names, strict=True)]

    def _decision(self) -> str:
        f = self.formula
        if f.threshold is not None:
            p = self._named("probability", f.classes[f.place])
            yes, no = text(f.classes[f.place]), text(f.classes[1 - f.place])
            return f"CASE WHEN {p} >= {number(f.threshold)} THEN {yes} ELSE {no} END"
        if len(f.intercept) == 1:
            return f'CASE WHEN "margin" > 0 THEN {text(f.classes[1])} ELSE {text(f.classes[0])} END'
        margins = [self._named("margin", label) for label in self.labels]
        cases = [
            f"WHEN {' AND '.join(f'{z} >= {other}' for other in margins[k + 1 :])} THEN {text(f.classes[k])}"
            for k, z in enumerate(margins[:-1])
        ]
        return f"CASE {' '.join(cases)} ELSE {text(f.classes[-1])} END"

    def _results(self) -> list[str]:
        f = self.formula
        shown = [f.classes[f.place]] if len(f.intercept) == 1 else f.classes
        results = [f"{self._named('probability', name)} AS {quoted(f'probability_{name}')}" for name in shown]
        results.append(quoted("decision"))
        for group in f.groups:
            values = [
                f"{f.sign} * {self._named('sum', group.name, label)} - {number(group.average[k])}"
                for k, label in enumerate(self.labels)
            ]
            cases = [f"WHEN {text(label)} THEN {value}" for label, value in zip(self.labels, values, strict=True)]
            value = values[0] if len(values) == 1 else f'CASE "decision" {" ".join(cases)} END'
            results.append(f"{value} AS {quoted(f'contribution_{group.name}')}")
        return results

    def _sigmoid(self, z: str, name: str) -> str:
        exp = self._exp(f"-1 * {z}" if not z.startswith("-1 * ") else z.removeprefix("-1 * "))
        return f"CASE WHEN {z} > {number(SMALLEST)} THEN 1 / (1 + {exp}) ELSE {self._exp(z)} END AS {quoted(name)}"

    def _exp(self, z: str) -> str:
        return f"EXP(CASE WHEN {z} > {number(SMALLEST)} THEN {z} ELSE {number(SMALLEST)} END)"

    def _interpolated(self, p: str, x: Sequence[float], y: Sequence[float]) -> str:
        cases = [f"WHEN {p} <= {number(x[0])} THEN {number(y[0])}"]
        for a, b, low, high in zip(x, x[1:], y, y[1:], strict=False):
            if b > a:
                slope = (high - low) / (b - a)
                cases.append(f"WHEN {p} < {number(b)} THEN {number(low)} + {number(slope)} * ({p} - {number(a)})")
        return f"CASE {' '.join(cases)} ELSE {number(y[-1])} END"

    def written(self, node: e.Expression) -> str:
        """An expression."""
        match node:
            case e.Constant(value):
                return number(value)
            case e.Number(column):
                return self._named("cell", column)
            case e.DatePart(column, part):
                return self._part(self._named("cell", column), part)
            case e.Missing(column, missing, present):
                one, other = self.written(missing), self.written(present)
                return f"CASE WHEN {self._named('cell', column)} IS NULL THEN {one} ELSE {other} END"
            case e.Clipped(inner, low, high):
                x = self.written(inner)
                ends = f"WHEN {x} < {number(low)} THEN {number(low)} WHEN {x} > {number(high)} THEN {number(high)}"
                return f"CASE {ends} ELSE {x} END"
            case e.Straight(x, centre, scale, slope):
                return f"{number(slope)} * (({self.written(x)} - {number(centre)}) / {number(scale)})"
            case e.Steps(x, edges, values):
                return self._steps(self.written(x), edges, values)
            case e.Lookup(column, values, other):
                return self._lookup(column, values, other)
            case e.Words(column):
                raise UserError(
                    f"the words of {column!r} can't be written as SQL. Write the model as a program: "
                    f"`python -m pipeline export model.py`."
                )
            case e.Values(column, delimiter, values):
                return self._values(column, delimiter, values)
            case e.Grid(row, column, values):
                rows = [
                    f"WHEN {i} THEN CASE {self.written(column)} "
                    + " ".join(f"WHEN {j} THEN {number(value)}" for j, value in enumerate(line))
                    + " END"
                    for i, line in enumerate(values)
                ]
                return f"CASE {self.written(row)} {' '.join(rows)} END"

    def _steps(self, x: str, edges: Sequence[float], values: Sequence[float]) -> str:
        cases = [
            f"WHEN {x} < {number(edge)} THEN {number(value)}"
            for edge, value, following in zip(edges, values, values[1:], strict=False)
            if value != following
        ]
        return f"CASE {' '.join(cases)} ELSE {number(values[-1])} END" if cases else number(values[-1])

    def _lookup(self, column: str, values: dict[str, float], other: float) -> str:
        cell, categories = self._named("cell", column), self.formula.categories[column]
        written = {name: value for name, value in values.items() if value != other}
        whole = {int(number): name for number, name in numbers(categories).items() if number.is_integer()}
        spelt = {form: name for number, name in whole.items() for form in (f"{number}.0", f"{number}")}
        more = {form: values[name] for form, name in spelt.items() if form not in values and name in values}
        cases = " ".join(f"WHEN {text(name)} THEN {number(value)}" for name, value in {**written, **more}.items())
        small = {word: values[name] for word, name in aliases(categories).items() if name in values}
        last = number(other)
        if small:
            words = " ".join(f"WHEN {text(word)} THEN {number(value)}" for word, value in small.items())
            last = f"CASE LOWER({cell}) {words} ELSE {last} END"
        return f"CASE {cell} {cases} ELSE {last} END" if cases else last

    def _values(self, column: str, delimiter: str, values: dict[str, float]) -> str:
        if delimiter == BRACKETS:
            raise UserError(
                f"the lists of {column!r} are in brackets, which can't be written as SQL. Write a program: "
                f"`python -m pipeline export model.py`."
            )
        mark, cell = delimiter or "\x1f", self._named("cell", column)
        plain = f"REPLACE(REPLACE({cell}, {text(mark + ' ')}, {text(mark)}), {text(' ' + mark)}, {text(mark)})"
        marked = f"{text(mark)} || {plain} || {text(mark)}"
        return total(
            [
                f"CASE WHEN {self.dialect.find}({marked}, {text(mark + value + mark)}) > 0 THEN {number(weight)} "
                f"ELSE {number(0)} END"
                for value, weight in values.items()
                if weight
            ]
        )

    def _part(self, cell: str, part: str) -> str:
        if self.dialect.has_types:
            extracted = f"EXTRACT({PARTS.get(part, part.upper())} FROM {cell})"
            return f"CAST({extracted} AS {self.dialect.double})" + (" - 1" if part == "day_of_week" else "")
        sign = {"year": "%Y", "month": "%m", "day": "%d", "day_of_week": "%w", "hour": "%H", "minute": "%M"}[part]
        value = f"CAST(strftime('{sign}', {cell}) AS REAL)"
        return f"(CAST({value} AS INTEGER) + 6) % 7" if part == "day_of_week" else value

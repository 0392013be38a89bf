"""Numbers: a straight line, standardised, and an indicator of missing cells.

    base column  (x - centre) / scale, and 0 where the cell is missing
    feature      mean 0 and standard deviation 1 in the training rows, 0 where they are constant; a missing cell becomes
                 the median

A number further from those of training than these are from each other counts as one at that distance: nothing was
learnt there, and a straight line has no end. Centre and scale of the base column are mean and standard deviation of all
training rows of the table. They only keep numbers near 1: the feature is scaled by its own rows, those of a fold.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.columns.terms import expression
from pipeline.columns.terms.expression import Constant, Expression, Number
from pipeline.columns.terms.fields import Fields
from pipeline.columns.terms.term import Map, Piece, Rows, Settings, Term, indicators
from pipeline.files.stored import Table

EPSILON = np.finfo(float).eps
MARGIN = 1.0  # of the range of training, on each side
PARTS = 24  # of a histogram
UNKNOWN = np.array([-1, -1, 1, 1]) * np.finfo(float).max


class Line(Term):
    """A number as a straight line.

    centre, scale, fill  of the base column; fill is that of a missing cell, where training had none
    range                (4,), minimum, 5 % and 95 % quantile, and maximum of training, in the units of the table
    low, high            a number beyond counts as this, in the units of the table; infinite in documents without them
    histogram            (PARTS,), the numbers in equal parts from the 5 % to the 95 % quantile, all beyond in the outer
    missing              the term that is 1 where cells are missing, or None
    """

    kind = "line"
    part = ""  # of a date
    n_dense = 1

    def __init__(self, column: str, centre: float, scale: float, fill: float) -> None:
        self.columns = (column,)
        self.centre, self.scale, self.fill = centre, scale, fill
        self.range, self.low, self.high = UNKNOWN, -np.inf, np.inf
        self.histogram: list[int] = []
        self.missing: Missing | None = None

    @classmethod
    def fit(cls, table: Table, settings: Settings, earlier: Sequence[Term]) -> list[Term]:
        """A line for each column of numbers, and then an indicator for each that has missing cells."""
        numbers = table.select_dtypes("number").columns.drop([settings.offset], errors="ignore")
        lines = [line_of(cls(str(name), 0, 1, 0), table[name]) for name in numbers]
        return [*lines, *(line.missing for line in lines if line.missing is not None)]

    def numbers(self, cells: pd.Series) -> np.ndarray:
        """The cells of its column as numbers, NaN where they are missing."""
        return cells.to_numpy(dtype=np.float64, na_value=np.nan)

    def encode(self, table: Table) -> Piece:
        column = self.standardised(np.clip(self.numbers(table[self.columns[0]]), self.low, self.high))
        return Piece([np.where(np.isnan(column), self.fill, column)])

    def standardised(self, numbers: Any) -> Any:
        """In units of the base column."""
        return standardised(numbers, self.centre, self.scale)

    def state(self) -> dict[str, Any]:
        part = {"part": self.part} if self.part else {}
        numbers = {"centre": self.centre, "scale": self.scale, "fill": self.fill, "range": self.range.tolist()}
        ends = {"low": float(self.low), "high": float(self.high)} if np.isfinite([self.low, self.high]).all() else {}
        return {"column": self.columns[0], **part, **numbers, **ends, "histogram": self.histogram}

    @classmethod
    def restored(cls, state: Fields, earlier: Sequence[Term]) -> "Line":
        centre, scale, fill = (state.number(name) for name in ("centre", "scale", "fill"))
        if scale <= 0:
            raise state.wrong(f"scale is {scale:g}, not above 0")
        line = cls.named(state, centre, scale, fill)
        line.range = state.numbers("range", 4)
        if "low" in state or "high" in state:
            line.low, line.high = state.number("low"), state.number("high")
            if line.low > line.high:
                raise state.wrong(f"low is {line.low:g}, above high, which is {line.high:g}")
        line.histogram = state.codes("histogram", PARTS).tolist() if state.value("histogram") else []
        return line

    @classmethod
    def named(cls, state: Fields, *numbers: float) -> "Line":
        return cls(state.text("column"), *numbers)

    def number(self) -> Expression:
        """The number of a cell that is not missing."""
        return Number(self.columns[0])

    def expression(self, weights: np.ndarray) -> Expression:
        slope = float(weights[0])
        x = self.number()
        if np.isfinite([self.low, self.high]).all():
            x = expression.Clipped(x, float(self.low), float(self.high))
        line = expression.Straight(x, self.centre, self.scale, slope)
        return expression.Missing(self.columns[0], Constant(slope * self.fill), line)

    def features(self, rows: Rows, settings: Settings) -> Map | None:
        j = self.dense
        present, n_missing, median = rows.dense(j), 0, 0.0
        if self.missing is not None:
            is_missing = rows.dense(self.missing.dense) == 1
            present, n_missing = present[~is_missing], int(is_missing.sum())
            median = float(np.median(present)) if len(present) else -self.centre / self.scale  # 0 in its own units
        n = len(rows)
        mean = (present.sum() + n_missing * median) / n
        variance = (((present - mean) ** 2).sum() + n_missing * (median - mean) ** 2) / n
        # Rounding is no variation: as in scikit-learn's StandardScaler, and also that of the base matrix, whose numbers
        # are not near 0 where these rows are constant and others are not.
        magnitude = max(abs(self.centre / self.scale), abs(mean))
        with np.errstate(over="ignore"):
            is_constant = variance <= n * EPSILON * variance + (n * magnitude * EPSILON) ** 2
            deviation = 1 / self.scale if is_constant else np.sqrt(variance)
        factor = 0.0 if is_constant else 1 / deviation  # nothing can be learnt from a constant
        entries = {j: factor, rows.intercept: -mean * factor}
        if self.missing is not None:
            entries[self.missing.dense] = median * factor
        return Map(
            [self.name],
            np.array(list(entries)),
            np.zeros(len(entries), int),
            np.array(list(entries.values())),
            np.array([self.centre + self.scale * mean]),
            np.array([self.scale * deviation]),
            np.array([0.0 if is_constant else 1.0]),
        )


class Missing(Term):
    """1 where a cell is missing."""

    kind = "missing"
    n_dense = 1

    def __init__(self, column: str) -> None:
        self.columns = (column,)

    @classmethod
    def fit(cls, table: Table, settings: Settings, earlier: Sequence[Term]) -> list[Term]:
        """None: the terms of numbers and dates bring theirs."""
        return []

    def encode(self, table: Table) -> Piece:
        return Piece([table[self.columns[0]].isna().to_numpy()])

    def state(self) -> dict[str, Any]:
        return {"column": self.columns[0]}

    @classmethod
    def restored(cls, state: Fields, earlier: Sequence[Term]) -> "Missing":
        return cls(state.text("column"))

    def expression(self, weights: np.ndarray) -> Expression:
        return expression.Missing(self.columns[0], Constant(float(weights[0])), Constant(0.0))

    def features(self, rows: Rows, settings: Settings) -> Map | None:
        share = rows.dense(self.dense).mean(keepdims=True)
        if not share.any():
            return None
        return indicators([f"{self.name} is missing"], np.array([self.dense]), np.zeros(1, int), share)


def line_of(line: Line, cells: pd.Series) -> Line:
    """The line, fitted on cells of its column."""
    numbers = line.numbers(cells)
    line.centre, line.scale, fill = centre_and_scale(numbers)
    line.range = range_of(numbers)
    line.low, line.high = ends_of(line.range[0], line.range[-1])
    line.histogram = histogram(numbers, line.range)
    line.missing = Missing(line.columns[0]) if np.isnan(numbers).any() else None
    line.fill = fill if line.missing is None else 0.0
    return line


def range_of(column: np.ndarray) -> np.ndarray:
    """The minimum, the 5 % and the 95 % quantile, and the maximum of the numbers that are known, (4,)."""
    present = column[~np.isnan(column)]
    return np.quantile(present, [0, 0.05, 0.95, 1], method="inverted_cdf") if len(present) else UNKNOWN


def ends_of(lowest: Any, highest: Any) -> tuple[Any, Any]:
    """What a number beyond counts as, for the least and the largest number of training."""
    with np.errstate(over="ignore"):
        width = MARGIN * (highest - lowest)
        return np.maximum(lowest - width, UNKNOWN[0]), np.minimum(highest + width, UNKNOWN[-1])


def histogram(column: np.ndarray, range_: np.ndarray) -> list[int]:
    """The numbers in each of `PARTS` equal parts of the middle of their range; none of a constant."""
    low, high = range_[1], range_[2]
    if not low < high < np.inf or not np.isfinite(high - low):
        return []
    present = np.clip(column[~np.isnan(column)], low, high)
    return np.histogram(present, PARTS, (low, high))[0].tolist()


def centre_and_scale(column: np.ndarray) -> tuple[float, float, float]:
    """Mean and standard deviation (1 for a constant), and the median in their units, of the numbers that are known.

    The square of 1e-170 or 1e300 is no float64, so they are computed in a unit of the column's own, a power of two.
    """
    present = column[~np.isnan(column)]
    if not len(present):
        return 0.0, 1.0, 0.0
    unit = np.ldexp(1.0, np.frexp(max(present.max(), -present.min()))[1])
    centre, deviation = (present / unit).mean(), (present / unit).std()
    scale = float(deviation * unit) or 1.0
    return float(centre * unit), scale, float(standardised(np.median(present), centre * unit, scale))


def standardised(column: Any, centre: float, scale: float) -> Any:
    unit = np.ldexp(1.0, np.frexp(scale)[1])
    return (column / unit - centre / unit) / (scale / unit)

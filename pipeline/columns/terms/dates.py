"""Dates: year, month, day, weekday, hour and minute, those that vary, each as a number.

Month, weekday and hour bend as cycles (`cyclic`) and then have no straight line.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.columns.terms import expression
from pipeline.columns.terms.cyclic import PERIODS
from pipeline.columns.terms.expression import Expression
from pipeline.columns.terms.fields import Fields
from pipeline.columns.terms.line import Line, line_of
from pipeline.columns.terms.term import Map, Rows, Settings, Term
from pipeline.files.stored import Table

PARTS = ("year", "month", "day", "day_of_week", "hour", "minute")
NAMES = {"day_of_week": "weekday"}


class DatePart(Line):
    """A part of a date as a straight line."""

    kind = "date part"

    def __init__(self, column: str, part: str, centre: float, scale: float, fill: float) -> None:
        super().__init__(column, centre, scale, fill)
        self.part = part

    @classmethod
    def fit(cls, table: Table, settings: Settings, earlier: Sequence[Term]) -> list[Term]:
        """The parts of each column of dates, and then an indicator if it has missing cells."""
        terms: list[Term] = []
        for name in table.select_dtypes("datetime").columns:
            cells = table[name]
            lines = [line_of(cls(str(name), part, 0, 1, 0), cells) for part in _varying(cells)]
            for line in lines:
                line.missing = lines[0].missing
            terms += [*lines, *([] if lines[0].missing is None else [lines[0].missing])]
        return terms

    @property
    def name(self) -> str:
        return f"{self.columns[0]}: {NAMES.get(self.part, self.part)}"

    @classmethod
    def named(cls, state: Fields, *numbers: float) -> "DatePart":
        if (part := state.text("part")) not in PARTS:
            raise state.wrong(f"part is {part!r}, not one of {', '.join(PARTS)}")
        return cls(state.text("column"), part, *numbers)

    def features(self, rows: Rows, settings: Settings) -> Map | None:
        is_cyclic = self.part in PERIODS and settings.smoothness is not None
        return None if is_cyclic else super().features(rows, settings)

    def number(self) -> Expression:
        return expression.DatePart(self.columns[0], self.part)

    def numbers(self, cells: pd.Series) -> np.ndarray:
        part = getattr(pd.to_datetime(cells, errors="coerce").dt, self.part)
        return part.to_numpy(dtype=np.float64, na_value=np.nan)


def _varying(dates: pd.Series) -> Sequence[str]:
    return [part for part in PARTS if len(getattr(dates.dt, part).dropna().unique()) > 1] or PARTS[:1]

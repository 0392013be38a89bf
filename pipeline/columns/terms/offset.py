"""The offset: a column of numbers that is a known part of the log-odds, with the weight 1."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.columns.terms.expression import Expression, Number
from pipeline.columns.terms.fields import Fields
from pipeline.columns.terms.term import Map, Piece, Rows, Settings, Term
from pipeline.errors import UserError
from pipeline.files.stored import Table


class Offset(Term):
    kind = "offset"

    def __init__(self, column: str) -> None:
        self.columns = (column,)

    @classmethod
    def fit(cls, table: Table, settings: Settings, earlier: Sequence[Term]) -> list[Term]:
        return [] if settings.offset is None else [cls(settings.offset)]

    def encode(self, table: Table) -> Piece:
        """Errors: `UserError` where cells are missing."""
        column = table[self.name]
        if n_missing := int(column.isna().sum()):
            raise UserError(
                f"{n_missing:,} of {len(column):,} rows have no {self.name!r}, the known part of the log-odds that "
                f"this model adds to (data.offset). Fill these cells in."
            )
        return Piece(offset=column.to_numpy(dtype="float64"))

    def state(self) -> dict[str, Any]:
        return {"column": self.name}

    @classmethod
    def restored(cls, state: Fields, earlier: Sequence[Term]) -> "Offset":
        return cls(state.text("column"))

    def expression(self, weights: np.ndarray) -> Expression:
        return Number(self.name)

    def features(self, rows: Rows, settings: Settings) -> Map | None:
        return None

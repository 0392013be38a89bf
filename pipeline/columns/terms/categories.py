"""Categories: a feature for each string, 1 where the cell has it.

Missing is a category. Rare categories are pooled. A category that is not in the training rows counts as rare; where no
category is rare, it counts as none. Indicators are not standardised: one that is divided by its standard deviation
would make a rare category nearly free of the penalty, which should shrink it more than a frequent one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from pipeline.columns.terms.expression import Constant, Expression, Lookup, Missing
from pipeline.columns.terms.fields import Fields
from pipeline.columns.terms.term import Map, Piece, Rows, Settings, Term, indicators
from pipeline.files.stored import Table


class Categories(Term):
    """A column of strings; the last code is that of all others than its categories.

    categories  sorted, None (missing) last
    counts      the training rows of each; none in models of earlier versions
    """

    kind = "categories"
    is_partition = True
    is_ordered = False

    def __init__(self, column: str, categories: list[str | None], counts: list[int]) -> None:
        self.columns, self.categories, self.counts = (column,), categories, counts
        self.n_codes = len(categories) + 1

    @classmethod
    def fit(cls, table: Table, settings: Settings, earlier: Sequence[Term]) -> list[Term]:
        names = [name for name in table.select_dtypes("str").columns if name not in settings.tokens]
        return [cls(str(name), *_counted(table[name])) for name in names]

    def encode(self, table: Table) -> Piece:
        codes = pc.index_in(_strings(table[self.columns[0]]), pa.array(self.categories, pa.large_string()))
        return Piece(codes=pc.fill_null(codes, len(self.categories)).to_numpy())

    def state(self) -> dict[str, Any]:
        return {"column": self.columns[0], "categories": self.categories, "counts": self.counts}

    @classmethod
    def restored(cls, state: Fields, earlier: Sequence[Term]) -> "Categories":
        categories = state.texts_or_null("categories")
        counts = state.codes("counts", len(categories)).tolist() if state.value("counts") else []
        return cls(state.text("column"), categories, counts)

    def expression(self, weights: np.ndarray) -> Expression:
        numbers = dict(zip(self.categories, weights.tolist(), strict=False))
        other = float(weights[-1])
        missing, known = numbers.pop(None, other), {str(name): number for name, number in numbers.items()}
        return Missing(self.columns[0], Constant(missing), Lookup(self.columns[0], known, other))

    def features(self, rows: Rows, settings: Settings) -> Map | None:
        seen = rows.counts(self)[:-1]
        is_rare = seen < settings.min_rows
        if settings.max_categories is not None and settings.max_categories < (~is_rare).sum() + 1:
            is_rare[np.argsort(seen, kind="stable")[: len(seen) - settings.max_categories + 1]] = True
        kept = np.flatnonzero(~is_rare)
        names = [
            f"{self.name} is missing" if self.categories[k] is None else f"{self.name} = {self.categories[k]}"
            for k in kept
        ]
        codes, features, shares = kept, np.arange(len(kept)), seen[kept] / len(rows)
        if seen[is_rare].any():
            names.append(f"{self.name} is rare")
            pooled = np.append(np.flatnonzero(is_rare), len(self.categories))  # and new ones
            codes, features = np.append(kept, pooled), np.append(features, np.full(len(pooled), len(kept)))
            shares = np.append(shares, seen[is_rare].sum() / len(rows))
        return indicators(names, rows.first(self) + codes, features, shares)

    def groups(self, counts: np.ndarray, n_groups: int) -> np.ndarray:
        """The group of each code (n_codes,): the most frequent categories, and the last for all others."""
        frequent = np.sort(np.argsort(-counts[:-1], kind="stable")[: n_groups - 1])
        groups = np.full(len(counts), len(frequent))
        groups[frequent] = np.arange(len(frequent))
        return groups

    def of_groups(self, groups: np.ndarray, counts: np.ndarray, smoothness: float) -> sparse.csr_matrix:
        """Its features in each group, (n_groups, n_groups - 1); 0 in the last."""
        return sparse.csr_matrix(np.eye(int(groups.max()) + 1)[:, :-1])

    def group_names(self, groups: np.ndarray) -> list[str]:
        """The category of each group."""
        first = [int(np.flatnonzero(groups == g)[0]) for g in range(int(groups.max()))]
        return ["missing" if (name := self.categories[k]) is None else name for k in first] + ["rare"]


def _strings(column: pd.Series) -> pa.Array | pa.ChunkedArray:
    return pa.array(column, pa.large_string(), from_pandas=True)


def _counted(column: pd.Series) -> tuple[list[str | None], list[int]]:
    categories, counts = pc.value_counts(_strings(column)).flatten()
    order = pc.sort_indices(categories)  # missing last
    return categories.take(order).to_pylist(), counts.take(order).to_pylist()

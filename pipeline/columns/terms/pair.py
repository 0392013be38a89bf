"""Pairs of columns that act together: features of their combinations, and which pairs are worth trying.

A pair has a feature for each product of a feature of the one column and a feature of the other. Those of a number are
its straight line and its first bends (`terms.curve`), those of strings their most frequent categories. So a pair of
numbers is a smooth surface, and the same ridge penalty that keeps curves smooth keeps it flat.

Pairs are found by score tests. In a model without pairs, a row has the residual r = y - p and the curvature
s = p (1 - p). Let R and S be their sums in a cell (i, j), the rows with one combination of two groups of values. To
second order, weights d_ij of all cells lower the summed loss by sum (R d - S d^2 / 2), at most by sum R^2 / (2 S).
What weights a_i + b_j of single groups would lower as well is no interaction. The rest is half of

    min over a, b of  sum S (R / S - a_i - b_j)^2,

which is on average its degrees of freedom where nothing interacts. Lou, Caruana, Gehrke and Hooker (2013), Accurate
intelligible models with pairwise interactions.
"""

import re
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from pipeline.columns.terms.curve import Curve
from pipeline.columns.terms.expression import Expression, Grid
from pipeline.columns.terms.fields import Fields
from pipeline.columns.terms.term import Effects, Map, Piece, Rows, Settings, Term, products
from pipeline.errors import UserError
from pipeline.files.stored import Table
from pipeline.logistic.matrix import Block, Matrix

GROUPS = 32  # of each column of a pair: bins with about as many rows each, or its most frequent categories
COARSE = 8  # groups of each column in a score test
SMOOTHNESS = 10.0  # of pairs of numbers that are straight lines on their own
AXES = (  # names of the coordinates of a place, and the largest
    (r"((?<![A-Za-z])(?i:lat(itude)?)|Lat(itude)?)(?![a-z])|^[yY]$", 90),
    (r"((?<![A-Za-z])(?i:lon|lng|long|longitude)|Lon|Lng|Long|Longitude)(?![a-z])|^[xX]$", 180),
)


class Pair(Term):
    """Two terms with codes; groups_of[k] has the group of each code of terms[k]."""

    kind = "pair"
    can_be_rough = True

    def __init__(self, one: Term, other: Term, groups: tuple[np.ndarray, np.ndarray]) -> None:
        self.terms, self.groups_of = (one, other), groups
        self.columns = (one.columns[0], other.columns[0])
        self.shape = (int(groups[0].max()) + 1, int(groups[1].max()) + 1)
        self.n_codes = self.shape[0] * self.shape[1]

    @classmethod
    def fit(cls, table: Table, settings: Settings, earlier: Sequence[Term]) -> list[Term]:
        """The pairs of the settings. Errors: `UserError` for a column that is not there, or has no codes."""

        def counts(term: Term) -> np.ndarray:
            return np.bincount(codes_of(term, table), minlength=term.n_codes)

        return [*cls.named(settings.pairs, earlier, counts)]

    @classmethod
    def named(
        cls, pairs: Sequence[tuple[str, str]], terms: Sequence[Term], counts: Callable[[Term], np.ndarray]
    ) -> list["Pair"]:
        """Pairs of these names; `counts` are the training rows that have each code of a term."""
        sides = [(_named(one, terms), _named(other, terms)) for one, other in pairs]
        each = {term.name: term for pair in sides for term in pair}
        groups = {name: term.groups(counts(term), GROUPS) for name, term in each.items()}
        return [cls(one, other, (groups[one.name], groups[other.name])) for one, other in sides]

    def encode(self, table: Table) -> Piece:
        one, other = (groups[codes_of(term, table)] for term, groups in zip(self.terms, self.groups_of, strict=True))
        return Piece(codes=one * self.shape[1] + other)

    def in_block(self, block: Block) -> np.ndarray:
        """Its sparse column in rows of the base matrix that has the codes of both terms, (n_rows,)."""
        sides = zip(self.terms, self.groups_of, strict=True)
        one, other = (groups[block.codes[:, term.code] - term.start] for term, groups in sides)
        return (self.start + one * self.shape[1] + other).astype(np.int32)

    def state(self) -> dict[str, Any]:
        return {"terms": [term.name for term in self.terms], "groups": [each.tolist() for each in self.groups_of]}

    @classmethod
    def restored(cls, state: Fields, earlier: Sequence[Term]) -> "Pair":
        coded = {term.name: term for term in earlier if term.is_ordered is not None}
        names = state.texts("terms")
        if len(names) != 2 or any(name not in coded for name in names):
            raise state.wrong(f"terms are {names}, not two of {list(coded)}")
        one, other = (coded[name] for name in names)
        groups = state.value("groups")
        if not isinstance(groups, list) or len(groups) != 2:
            raise state.wrong("groups are not two lists")
        sides = Fields(dict(zip(names, groups, strict=True)), "groups of a pair")
        return cls(one, other, (sides.codes(names[0], one.n_codes), sides.codes(names[1], other.n_codes)))

    def expression(self, weights: np.ndarray) -> Expression:
        one, other = (term.expression(groups) for term, groups in zip(self.terms, self.groups_of, strict=True))
        return Grid(one, other, weights.reshape(self.shape).tolist())

    def features(self, rows: Rows, settings: Settings) -> Map | None:
        is_mixed = self.terms[0].is_ordered != self.terms[1].is_ordered
        sides = []
        for term, groups in zip(self.terms, self.groups_of, strict=True):
            counts = rows.counts(term)
            side = term.of_groups(groups, counts, settings.smoothness or SMOOTHNESS)
            if is_mixed and not term.is_ordered:  # else bends of the number alone would be among the products
                side = _centred(side, groups, counts)
            sides.append(side)
        Phi = sparse.coo_matrix(sparse.kron(*sides)) / np.sqrt(settings.pair_strength)
        seen = rows.counts(self)
        names = [f"{self.name}, {k}" for k in range(1, Phi.shape[1] + 1)]
        mean = seen @ Phi / len(rows)
        deviation = np.sqrt(np.maximum(seen @ Phi.power(2) / len(rows) - mean**2, 0))
        return products(names, rows.first(self), Phi, deviation)

    def effects(self) -> Effects:
        """Of each combination of groups, beside the effects of the single columns."""
        one, other = (term.group_names(groups) for term, groups in zip(self.terms, self.groups_of, strict=True))
        cells = pd.DataFrame({"first": np.repeat(one, len(other)), "second": np.tile(other, len(one))})
        return Effects(cells, [(self, Piece(codes=np.arange(self.n_codes)))])


def codes_of(term: Term, table: Table) -> np.ndarray:
    """The codes of a term that has some, (n_rows,)."""
    codes = term.encode(table).codes
    assert codes is not None
    return codes


def _named(name: str, terms: Sequence[Term]) -> Term:
    coded = {term.name: term for term in terms if term.is_ordered is not None}
    if name not in coded:
        raise UserError(
            f"train.interactions has {name!r}, which is no column of strings or of numbers that vary. These columns "
            f"can be paired: {', '.join(map(repr, coded))}."
        )
    return coded[name]


def _centred(indicators: sparse.csr_matrix, groups: np.ndarray, counts: np.ndarray) -> sparse.csr_matrix:
    """Indicators of groups (n_groups, n_groups - 1) less their mean over the rows of all groups but the last."""
    rows = np.bincount(groups, counts)[:-1]
    centred = indicators.toarray()
    centred[:-1] -= rows / max(rows.sum(), 1)
    return sparse.csr_matrix(centred)


def promising_pairs(
    terms: Sequence[Term], rows: Matrix, residuals: np.ndarray, curvatures: np.ndarray, n: int
) -> list[tuple[str, str]]:
    """The names of at most `n` pairs, first latitude and longitude, then those that would lower the cost most.

    residuals, curvatures  (n_rows, n_columns), of a model without pairs on `rows`
    """
    groups = {}
    for term in terms:
        if term.is_ordered is not None:
            codes = codes_in(term, rows)
            groups[term.name] = term.groups(np.bincount(codes, minlength=term.n_codes), COARSE)[codes]
    names = list(combinations(groups, 2))
    gains = np.zeros(len(names))
    for r, s in zip(residuals.T, curvatures.T, strict=True):
        sums = np.empty((2, len(names), COARSE**2))
        for k, (first, second) in enumerate(names):
            cell = groups[first] * COARSE + groups[second]
            sums[:, k] = [np.bincount(cell, weights, COARSE**2) for weights in (r, s)]
        gains += _interactions(*sums)
    found = [names[k] for k in np.argsort(-gains, kind="stable").tolist() if gains[k] > 0]
    return [*dict.fromkeys([*_places(terms), *found])][:n]


def _places(terms: Sequence[Term]) -> list[tuple[str, str]]:
    """The pairs of a latitude and a longitude of one name, whose numbers may be degrees."""
    curves = [term for term in terms if isinstance(term, Curve) and term.is_ordered]
    sides = [
        {
            re.sub(axis, "*", term.name): term.name
            for term in curves
            if re.search(axis, term.name) and np.abs(term.values).max() <= largest
        }
        for axis, largest in AXES
    ]
    order = [term.name for term in curves]
    pairs = (sorted((sides[0][name], sides[1][name]), key=order.index) for name in sides[0] if name in sides[1])
    return [(one, other) for one, other in pairs]


def codes_in(term: Term, rows: Matrix) -> np.ndarray:
    """The codes of a term in a base matrix, (n_rows,)."""
    return np.concatenate([block.codes[:, term.code] for block in rows.blocks]) - term.start


def _interactions(R: np.ndarray, S: np.ndarray) -> np.ndarray:
    """The minimum above less its degrees of freedom, (n_pairs,), for sums over cells (n_pairs, COARSE^2).

    Few rows count less.
    """
    each = np.eye(COARSE)
    groups = np.hstack([np.repeat(each, COARSE, axis=0), np.tile(each, (COARSE, 1))])
    filled = S > 0
    S = np.where(filled, S + 1, 0)
    values, vectors = np.linalg.eigh(groups.T @ (S[:, :, None] * groups))
    kept = values > 1e-10 * values[:, -1:]
    of_groups = np.einsum("pvk,pv->pk", vectors, R @ groups) ** 2 / np.where(kept, values, np.inf)
    squares = np.where(filled, R, 0) ** 2 / np.where(filled, S, 1)
    return squares.sum(axis=1) - of_groups.sum(axis=1) - (filled.sum(axis=1) - kept.sum(axis=1))

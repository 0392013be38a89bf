"""What a term is: a part of the margin, made of some columns of the table.

    margin = intercept + sum over terms of (its piece of the base matrix) V,        V = T W

A term is fitted on the training rows of a table, never on the target. It knows which columns it reads, how their cells
become its piece of the base matrix (`encode`), and how this becomes features with weights (`features`, its piece of T).
A new kind of column is a class with these verbs, named in `KINDS`; nothing else knows of it.

    dense   the float columns of the base matrix that are its own
    codes   its column of codes: the code of a row is a 1 in one of `n_codes` sparse columns, from `start` on
    counts  its `n_counts` sparse columns of any numbers, from `start` on
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from pipeline.columns.terms.expression import Expression
from pipeline.columns.terms.fields import Fields
from pipeline.files.stored import Table
from pipeline.logistic.matrix import Matrix


class Piece(NamedTuple):
    """What a term makes of rows: float columns, codes from 0, or a known part of the margin; each (n_rows,).

    Or counts: a CSR matrix (n_rows, n_counts).
    """

    dense: Sequence[np.ndarray] = ()
    codes: np.ndarray | None = None
    offset: np.ndarray | None = None
    counts: Any = None


class Map(NamedTuple):
    """A piece of T: numbers[k] is in row rows[k] and in column features[k], counted from the first of the term.

    centre and scale (n_features,): a feature times its scale plus its centre is in the units of its column; 0 and 1 for
    indicators. deviation (n_features,) is the standard deviation of each feature in training.
    """

    names: list[str]
    rows: np.ndarray
    features: np.ndarray
    numbers: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    deviation: np.ndarray


class Effects(NamedTuple):
    """Cells that stand for all others, whose effects on the margin make a picture.

    cells   one row for each, `value`, or of a pair `first` and `second`
    pieces  the terms that act together there, and their piece of the base matrix for these cells
    """

    cells: pd.DataFrame
    pieces: list[tuple["Term", Piece]]


@dataclass(frozen=True)
class Settings:
    """What terms are made of a table.

    A category with fewer than `min_rows` rows, or beyond the `max_categories` most frequent of its column (of which the
    rare ones together are one), is pooled as rare. Numbers bend if `smoothness` is given, with `steps` also by rank and
    at single values. `pairs` of columns act together, with `pair_strength` times the lambda; `offset` is a column that
    is a known part of the margin. `multiples` has those of the penalty of curves and pairs, by the name of the term.
    With `bins`, numbers have codes even where nothing bends. `signs` has 1 or -1 for each column along which the margin
    never falls or never rises. `tokens` are the columns of texts and lists by name, of which the `words` most frequent
    tokens have features; words have the penalty times `words_penalty`, and with `word_pairs` neighbours have features,
    too.
    """

    min_rows: int = 1
    max_categories: int | None = None
    smoothness: float | None = None
    pairs: Sequence[tuple[str, str]] = ()
    pair_strength: float = 1.0
    multiples: Mapping[str, float] = field(default_factory=dict)
    offset: str | None = None
    bins: bool = False
    steps: bool = False
    signs: Mapping[str, int] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)
    words: int = 20_000
    words_penalty: float = 1.0
    word_pairs: bool = False

    @classmethod
    def of(cls, train: Any, **changes: Any) -> "Settings":
        """Those of the section `train` of the configuration, with changes."""
        settings = cls(
            min_rows=train.min_rows,
            smoothness=train.bending,
            pairs=train.pairs,
            pair_strength=train.times_lambda,
            multiples=train.multiples,
            offset=train.offset,
            steps=train.features == "steps",
            tokens=train.tokens,
            words=train.words,
            words_penalty=1.0 if train.words_penalty == "auto" else train.words_penalty,
            word_pairs=train.word_pairs is True,
        )
        return replace(settings, **changes)

    @property
    def has_bins(self) -> bool:
        return self.bins or self.smoothness is not None or bool(self.pairs)


class Rows:
    """Training rows as terms see them when they make features: columns and counts of the base matrix."""

    def __init__(self, matrix: Matrix) -> None:
        self.matrix = matrix

    def __len__(self) -> int:
        return len(self.matrix)

    @property
    def intercept(self) -> int:
        """The row of T that belongs to the intercept."""
        return self.matrix.n_base

    def dense(self, j: int) -> np.ndarray:
        """A float column, (n_rows,)."""
        return np.concatenate([block.dense[:, j] for block in self.matrix.blocks])

    def first(self, term: "Term") -> int:
        """The row of T of the first code of a term."""
        return self.matrix.blocks[0].dense.shape[1] + term.start

    def counts(self, term: "Term") -> np.ndarray:
        """The rows that have each code of a term, (n_codes,)."""
        return self._counts[term.start : term.start + term.n_codes]

    def tallies(self, term: "Term") -> np.ndarray:
        """The rows that have each token of a term, the sums of its numbers, and of their squares, (3, n_counts)."""
        first = term.start - self.matrix.blocks[0].n_coded
        return self._tallies[:, first : first + term.n_counts]

    def near(self, term: "Term", piece: Piece) -> np.ndarray:
        """How many rows have each code of a piece, or are nearest to each of its numbers, (n_cells,)."""
        if piece.codes is not None:
            return self.counts(term)[piece.codes]
        order = np.argsort(piece.dense[0])
        ascending = np.asarray(piece.dense[0], dtype=float)[order]
        places = order[np.searchsorted((ascending[1:] + ascending[:-1]) / 2, self.dense(term.dense))]
        return np.bincount(places, minlength=len(order))

    @cached_property
    def _counts(self) -> np.ndarray:
        counts = np.zeros(self.matrix.blocks[0].n_coded, dtype=np.int64)
        for block in self.matrix.blocks:
            counts += np.bincount(block.codes.ravel(), minlength=len(counts))
        return counts

    @cached_property
    def _tallies(self) -> np.ndarray:
        parts = [block.counts for block in self.matrix.blocks]
        n = parts[0].shape[1]
        powers = ((None, part.data, part.data**2) for part in parts)
        return np.sum(
            [
                [np.bincount(part.indices, weights, n) for weights in of_part]
                for part, of_part in zip(parts, powers, strict=True)
            ],
            axis=0,
        )


class Term:
    """A part of the margin. `Design` says where in the base matrix its piece is: `dense`, `code` and `start`."""

    kind: ClassVar[str]
    is_partition: ClassVar[bool] = False  # each row has exactly one of its features, which are indicators
    can_be_rough: ClassVar[bool] = False  # its penalty has a multiple of its own
    is_ordered: bool | None = None  # whether its codes have an order; None where it can be in no pair
    columns: tuple[str, ...]  # of the table, that it reads
    n_dense = 0
    n_codes = 0
    n_counts = 0
    dense = 0  # the first of its float columns of the base matrix
    code = -1  # its column of codes
    start = 0  # the first of its sparse columns

    @classmethod
    def fit(cls, table: Table, settings: Settings, earlier: Sequence["Term"]) -> list["Term"]:
        """The terms of this kind, fitted on training rows; `earlier` are those of the kinds before it."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """What it is called: its columns."""
        return " x ".join(self.columns)

    def encode(self, table: Any) -> Piece:
        """Its piece of the base matrix of some rows."""
        raise NotImplementedError

    def features(self, rows: Rows, settings: Settings) -> Map | None:
        """Its piece of T, fitted on training rows; None where it has no features."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """What it is, in values that JSON has; `restored` makes it again."""
        raise NotImplementedError

    @classmethod
    def restored(cls, state: Fields, earlier: Sequence["Term"]) -> "Term":
        """The term of a `state`; `earlier` are the terms before it. Errors: `UserError` for values that do not fit."""
        raise NotImplementedError

    def expression(self, weights: np.ndarray) -> Expression:
        """What it adds to a margin, for the weights (n_dense + n_codes,) of its base columns."""
        raise NotImplementedError

    def effects(self) -> Effects | None:
        """The cells whose effects are drawn; None where a weight for each feature says all."""
        return None

    def groups(self, counts: np.ndarray, n_groups: int) -> np.ndarray:
        """For pairs: the group of each code (n_codes,), of at most `n_groups`; the last holds what has no effect.

        counts  (n_codes,), the training rows that have each code
        """
        raise NotImplementedError

    def of_groups(self, groups: np.ndarray, counts: np.ndarray, smoothness: float) -> sparse.csr_matrix:
        """For pairs: its features in each group, (n_groups, n_features); 0 in the last."""
        raise NotImplementedError

    def group_names(self, groups: np.ndarray) -> list[str]:
        """For pairs: what each group is called in tables and pictures."""
        raise NotImplementedError


def indicators(names: list[str], rows: np.ndarray, features: np.ndarray, shares: np.ndarray) -> Map:
    """The map of features that are 0 or 1, and 1 in so large a share of the rows (n_features,)."""
    zeros, ones = np.zeros(len(names)), np.ones(len(names))
    return Map(names, rows, features, np.ones(len(features)), zeros, ones, np.sqrt(shares * (1 - shares)))


def products(names: list[str], first: int, Phi: Any, deviation: np.ndarray) -> Map:
    """The map of features with the numbers Phi (n_codes, n_features); `first` is the row of T of the first code."""
    Phi = sparse.coo_matrix(Phi)
    zeros, ones = np.zeros(len(names)), np.ones(len(names))
    return Map(names, first + Phi.row, Phi.col, Phi.data, zeros, ones, deviation)

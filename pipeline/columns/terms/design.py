"""The terms of a table together: a frame to the base matrix, and the base matrix to features (`logistic.matrix`).

X = [B 1] T       B the pieces of all terms side by side, T those of their maps
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from pipeline.columns.terms.categories import Categories
from pipeline.columns.terms.curve import Curve
from pipeline.columns.terms.dates import DatePart
from pipeline.columns.terms.fields import Fields
from pipeline.columns.terms.line import Line, Missing
from pipeline.columns.terms.lists import Lists
from pipeline.columns.terms.offset import Offset
from pipeline.columns.terms.pair import Pair
from pipeline.columns.terms.term import Effects, Map, Piece, Rows, Settings, Term
from pipeline.columns.terms.tokens import Tokens, Words
from pipeline.compute import empty, is_mapped
from pipeline.files.stored import Table
from pipeline.logistic.matrix import Block, Matrix

KINDS: tuple[type[Term], ...] = (Offset, Line, DatePart, Categories, Words, Lists, Curve, Pair)


class Design:
    """The terms of a table, each with its place in the base matrix.

    columns  the kind ("number", "date" or "string") of each column that predictions need, by name
    """

    def __init__(self, columns: dict[str, str], terms: Sequence[Term]) -> None:
        self.columns, self.terms = columns, list(terms)
        self.n_dense = self.n_sparse = n_coded = 0
        for term in self.terms:
            term.dense = self.n_dense
            self.n_dense += term.n_dense
            if term.n_codes:
                term.code, term.start = n_coded, self.n_sparse
                n_coded += 1
                self.n_sparse += term.n_codes
        for term in self.counted:
            term.start = self.n_sparse
            self.n_sparse += term.n_counts

    @classmethod
    def fit(cls, table: Table, settings: Settings) -> "Design":
        """Fitted on the training rows `table`, which has no column of the target.

        Errors: `UserError` for a pair of which a column is not there, or has no codes.
        """
        kinds: dict[Any, str] = {"number": "number", "datetime": "date", "str": "string"}
        kind_of = {name: kind for dtype, kind in kinds.items() for name in table.select_dtypes(dtype).columns}
        terms: list[Term] = []
        for kind in KINDS:
            terms += kind.fit(table, settings, terms)
        return cls({str(name): kind_of[name] for name in table.columns}, terms)

    def state(self, weights: np.ndarray) -> dict[str, Any]:
        """The columns and the terms in values that JSON has, each term with its rows of weights.

        weights  (n_base + 1, n_columns), of the base columns and the intercept
        """
        states = [
            {"kind": term.kind, **term.state(), "effects": weights[self.base_columns(term)].tolist()}
            for term in self.terms
        ]
        return {"columns": self.columns, "terms": states}

    @classmethod
    def restored(cls, state: Fields, n_columns: int) -> tuple["Design", np.ndarray]:
        """The design and the weights of the base columns (n_base, n_columns).

        Errors: `UserError` for values that do not fit.
        """
        all_kinds: tuple[type[Term], ...] = (*KINDS, Missing)
        kinds = {term.kind: term for term in all_kinds}
        columns = state.section("columns")
        terms: list[Term] = []
        for part in state.sections("terms"):
            if (kind := part.text("kind")) not in kinds:
                raise part.wrong(f"kind is {kind!r}, not one of {', '.join(kinds)}")
            terms.append(kinds[kind].restored(part, terms))
        names = {name: columns.text(name) for name in columns}
        if unknown := [name for term in terms for name in term.columns if name not in names]:
            raise state.wrong(f"a term reads the column {unknown[0]!r}, which is not among the columns")
        design = cls(names, terms)
        weights = np.empty((design.n_base, n_columns))
        for term, part in zip(terms, state.sections("terms"), strict=True):
            places = design.base_columns(term)
            weights[places] = part.numbers("effects", len(places), n_columns)
        return design, weights

    def base_columns(self, term: Term) -> np.ndarray:
        """The positions of the base columns of a term: its float columns, then those of its codes or counts."""
        codes = self.n_dense + term.start + np.arange(term.n_codes + term.n_counts)
        return np.append(np.arange(term.dense, term.dense + term.n_dense), codes)

    @property
    def counted(self) -> list[Tokens]:
        """The terms of texts and lists."""
        return [term for term in self.terms if isinstance(term, Tokens)]

    @property
    def tokens(self) -> dict[str, str]:
        """The roles of their columns."""
        return {term.columns[0]: term.role for term in self.terms if isinstance(term, Tokens)}

    @property
    def n_base(self) -> int:
        """The number of base columns."""
        return self.n_dense + self.n_sparse

    @cached_property
    def groups(self) -> list[tuple[str, ...]]:
        """What contributions are listed by: each column, then each combination of columns."""
        return list(dict.fromkeys([*((name,) for name in self.columns), *(term.columns for term in self.terms)]))

    @cached_property
    def group_of(self) -> np.ndarray:
        """The position in `groups` of each float column, of each column of codes, and of each term with counts."""
        place = {columns: k for k, columns in enumerate(self.groups)}
        dense = [place[term.columns] for term in self.terms for _ in range(term.n_dense)]
        coded = [place[term.columns] for term in self.terms if term.n_codes]
        return np.array(dense + coded + [place[term.columns] for term in self.counted], int)

    @cached_property
    def widths(self) -> np.ndarray:
        """The number of base columns of each of those."""
        coded = [term.n_codes for term in self.terms if term.n_codes]
        return np.array([1] * self.n_dense + coded + [term.n_counts for term in self.counted], int)

    def block(self, table: Table) -> Block:
        """The base matrix of the rows of a table, which has these columns, in any order."""
        return self.blocks(table, [slice(None)])[0]

    def blocks(self, table: Table, row_sets: Sequence[slice | np.ndarray]) -> list[Block]:
        """A block for each of `row_sets`, which are rows of the table. One term after another is in memory."""
        n_coded = sum(term.n_codes > 0 for term in self.terms)
        sizes = [len(table) if isinstance(rows, slice) else len(rows) for rows in row_sets]
        n_bytes = sum(sizes) * (8 * self.n_dense + 4 * n_coded)
        dense = [empty((size, self.n_dense), np.float64, n_bytes) for size in sizes]
        codes = [empty((size, n_coded), np.int32, n_bytes) for size in sizes]
        offset, counts = None, []
        for term in self.terms:
            piece = term.encode(table)
            for j, column in enumerate(piece.dense, term.dense):
                for numbers, rows in zip(dense, row_sets, strict=True):
                    numbers[:, j] = column[rows]
            if piece.codes is not None:
                for code, rows in zip(codes, row_sets, strict=True):
                    code[:, term.code] = piece.codes[rows] + term.start
            offset = offset if piece.offset is None else piece.offset[:, None]
            counts += [] if piece.counts is None else [piece.counts]
        counted: list[Any] = [None] * len(row_sets)
        if counts:
            whole = sparse.hstack(counts, format="csr")
            counted = [_stored(whole if isinstance(rows, slice) else whole[rows], n_bytes) for rows in row_sets]
        offsets = [None if offset is None else offset[rows] for rows in row_sets]
        return [
            Block(numbers, code, self.n_sparse, *others)
            for numbers, code, *others in zip(dense, codes, offsets, counted, strict=True)
        ]


def _stored(counts: sparse.csr_matrix, n_bytes: float) -> sparse.csr_matrix:
    """With its arrays in files where those of a matrix of so many bytes, besides them, are."""
    arrays = counts.data, counts.indices, counts.indptr
    n_bytes += sum(array.nbytes for array in arrays)
    if not is_mapped(n_bytes):
        return counts
    mapped = [empty(array.shape, array.dtype, n_bytes) for array in arrays]
    for array, file in zip(arrays, mapped, strict=True):
        file[:] = array
    return sparse.csr_matrix(tuple(mapped), counts.shape)


class Span(NamedTuple):
    """The features of a term."""

    term: Term
    positions: np.ndarray


class Features:
    """The features that the terms of a design have in some training rows.

    T          (n_base + 1, n_features + 1)
    names      (n_features,)
    centre     (n_features,): a feature times its scale plus its centre is in the units of its column; 0 and 1 for
    scale      indicators
    deviation  (n_features,), the standard deviation of each feature in training
    design     whose features they are
    signs      (n_features,), 1 or -1 for those of monotone terms, else 0; None where no term is monotone
    spans      the positions of the features of each term that has some
    n_dense    the number of float columns of the base matrix
    """

    def __init__(self, design: Design, rows: Matrix, settings: Settings, terms: Sequence[Term] | None = None) -> None:
        """Fit on `rows`, the base matrix of the training rows; of all terms, or of some."""
        seen, self.n_dense, self.design = Rows(rows), design.n_dense, design
        maps: list[Map] = []
        self.spans: list[Span] = []
        n_features = 0
        for term in design.terms if terms is None else terms:
            made = term.features(seen, settings)
            if made is not None:
                if term.can_be_rough and term.name in settings.multiples:
                    root = np.sqrt(settings.multiples[term.name])
                    made = made._replace(numbers=made.numbers / root, deviation=made.deviation / root)
                self.spans.append(Span(term, n_features + np.arange(len(made.names))))
                maps.append(made)
                n_features += len(made.names)
        row = np.concatenate([*(made.rows for made in maps), [design.n_base]])
        column = np.concatenate(
            [*(span.positions[made.features] for span, made in zip(self.spans, maps, strict=True)), [n_features]]
        )
        number = np.concatenate([*(made.numbers for made in maps), [1.0]])  # the last is that of the intercept
        self.signs: np.ndarray | None = None
        if settings.signs:
            self.signs = np.zeros(n_features)
            for term, positions in self.spans:
                if term.kind in ("line", "curve"):
                    self.signs[positions] = settings.signs.get(term.name, 0)
        self.T = sparse.csr_matrix((number, (row, column)), (design.n_base + 1, n_features + 1))
        self.names = np.array([name for made in maps for name in made.names], dtype=object)
        self.centre, self.scale, self.deviation = (
            np.concatenate([np.empty(0), *(getattr(made, name) for made in maps)])
            for name in ("centre", "scale", "deviation")
        )

    @property
    def partitions(self) -> list[np.ndarray]:
        """The positions of features of which each row has exactly one: the categories of each column."""
        return [positions for term, positions in self.spans if term.is_partition]

    @property
    def pooled(self) -> list[str]:
        """Columns without effect: each of their categories is rare, so all are pooled into one."""
        return [
            term.name
            for term, positions in self.spans
            if term.is_partition and len(positions) == 1 and self.names[positions[0]] == f"{term.name} is rare"
        ]

    @property
    def drawn(self) -> list[tuple[Term, Effects]]:
        """The terms whose effects make a picture."""
        return [(term, effects) for term, _ in self.spans if (effects := term.effects()) is not None]

    def positions(self, terms: Iterable[Term]) -> np.ndarray:
        """The features of some terms, in their order."""
        features = [positions for term in terms for other, positions in self.spans if other is term]
        return np.concatenate([np.empty(0, int), *features])

    def of_pieces(self, pieces: Sequence[tuple[Term, Piece]]) -> np.ndarray:
        """The features of these terms, in their order, for rows with these pieces, (n_rows, n_chosen)."""
        T = self.T[:, self.positions(term for term, _ in pieces)].toarray()
        X: Any = T[-1]
        for term, piece in pieces:
            for j, column in enumerate(piece.dense, term.dense):
                X = X + np.outer(column, T[j])
            if piece.codes is not None:
                X = X + T[self.n_dense + term.start + piece.codes]
        return X

    def per_unit(self) -> sparse.csr_matrix:
        """T of the same features in the units of their columns."""
        scaled = self.T @ sparse.diags(np.append(self.scale, 1.0), format="csr")
        last = sparse.csr_matrix(([1.0], ([self.T.shape[0] - 1], [0])), (self.T.shape[0], 1))
        return sparse.csr_matrix(scaled + last @ sparse.csr_matrix(np.append(self.centre, 0.0)))


def prepare(table: Table, settings: Settings) -> tuple[Design, Features, Matrix]:
    """The terms of training rows, their features, and these as a matrix (n_samples, n_features)."""
    design = Design.fit(table, settings)
    rows = Matrix([design.block(table)])
    features = Features(design, rows, settings)
    return design, features, rows.with_features(features.T)

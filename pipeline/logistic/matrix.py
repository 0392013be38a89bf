"""Rows that are described by few numbers and codes, and the features that are linear in them.

    X = [B 1] T       z = [B 1] (T W) + o       gradient = T' [B 1]' (s (p - y)) + penalty'

B, the base matrix, is cut into blocks of rows. A block has float columns, and codes: whole numbers, one per row and
column of categories. Code c of a row stands for a 1 in column c of the sparse part of B and 0 in the others (one-hot),
which is never written out. Counts, such as those of words, are a CSR matrix: the last of the sparse columns. All that
turns base columns into features is linear and is the sparse matrix T (n_base + 1, n_features + 1), whose last row and
column belong to the intercept: scaling and centring, imputing (what replaces a missing number is a weight of its
indicator), pooling of rare categories, columns that are left out. So a pass takes as long as the codes do, whatever T
is, and many T (one for each fold) share one B.

    B  (n_samples, n_base)               dense columns first, then sparse ones
    T  (n_base + 1, n_features + 1)      None where X is B, and dense
    W  (n_features + 1, n_columns)       weights of the features, the intercept last
    V  (n_base + 1, n_columns)           T W, weights of the base columns
    o  (n_samples, 1)                    the offset: a part of the margin that is known, mostly none
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, cast

import numpy as np
from numpy import ndarray
from scipy import sparse

from pipeline.logistic.threads import STRIPS, Call, strip_rows, workers

WORTH_SENDING = 100_000_000  # multiplications of one pass: to write rows down for other machines takes longer


@dataclass(eq=False)
class Block:
    """Consecutive rows of B.

    dense  (n_rows, n_dense), float64, or float32 (which becomes float64 where it is used)
    codes  (n_rows, n_code_columns) of int32, each the number of a sparse column; None where there are none
    n_sparse  the number of sparse columns, those of codes before those of counts
    offset (n_rows, 1), or None
    counts a `scipy.sparse` CSR matrix of any numbers (n_rows, n_counted), the last sparse columns; None without any
    """

    dense: ndarray
    codes: Any = None
    n_sparse: int = 0
    offset: ndarray | None = None
    counts: Any = None

    def __len__(self) -> int:
        return len(self.dense)

    def __getitem__(self, rows: slice | ndarray) -> "Block":
        """Some of the rows: a view for a slice, a copy for positions."""
        parts = (None if part is None else part[rows] for part in (self.codes, self.offset, self.counts))
        codes, offset, counts = parts
        return Block(self.dense[rows], codes, self.n_sparse, offset, counts)

    @property
    def n_base(self) -> int:
        return self.dense.shape[1] + self.n_sparse

    @property
    def n_coded(self) -> int:
        """The sparse columns that belong to codes."""
        return self.n_sparse - (0 if self.counts is None else self.counts.shape[1])

    def margins(self, V: ndarray) -> ndarray:
        """z = [B 1] V + o, (n_rows, n_columns)."""
        z = self.product(V)
        if self.offset is not None:
            z += self.offset
        return z

    def product(self, V: ndarray) -> ndarray:
        """[B 1] V, (n_rows, n_columns)."""
        n_dense = self.dense.shape[1]
        z = self._floats() @ V[:n_dense]
        for part, columns in self._sparse:
            z += part @ V[n_dense:-1][columns]
        z += V[-1]
        return z

    def transposed(self, R: ndarray) -> ndarray:
        """[B 1]' R, (n_base + 1, n_columns), for R (n_rows, n_columns)."""
        return np.concatenate([self.dense_transposed(R), self.sparse_transposed(R), R.sum(axis=0, keepdims=True)])

    def dense_transposed(self, R: ndarray) -> ndarray:
        """The rows of `transposed` that belong to dense columns."""
        return self._floats().T @ R

    def sparse_transposed(self, R: ndarray) -> ndarray:
        """Those that belong to sparse columns."""
        return np.concatenate([np.empty((0, R.shape[1])), *(part.T @ R for part, _ in self._sparse)])

    def squared(self) -> "Block":
        """The block of the squares of its numbers."""
        counts = None if self.counts is None else self.counts.power(2)
        return Block(self._floats() ** 2, self.codes, self.n_sparse, counts=counts)

    def features(self, T: Any = None, chosen: ndarray | slice = slice(None)) -> ndarray:
        """X of these rows written out, (n_rows, n_chosen); `chosen` are positions of features."""
        return self._floats()[:, chosen] if T is None else self.chosen_features(self.parts(T, chosen))

    def parts(self, T: Any, chosen: ndarray | slice = slice(None)) -> tuple[Any, Any, ndarray]:
        """The rows of T of dense columns, of sparse ones and of the intercept, for `chosen_features` of many blocks."""
        T, n_dense = T[:, :-1][:, chosen], self.dense.shape[1]
        return T[:n_dense], T[n_dense:-1], T[-1:].toarray()

    def chosen_features(self, parts: tuple[Any, Any, ndarray]) -> ndarray:
        """The features of these `parts` of T, (n_rows, n_chosen)."""
        X = self._floats() @ parts[0]
        for part, columns in self._sparse:
            X += (part @ parts[1][columns]).toarray()
        X += parts[2]
        return X

    def written(self) -> ndarray:
        """B written out, (n_rows, n_base)."""
        return np.column_stack([self._floats(), *(part.toarray() for part, _ in self._sparse)])

    def _floats(self) -> ndarray:
        return np.asarray(self.dense, dtype=np.float64)

    @cached_property
    def _sparse(self) -> list[tuple[Any, slice]]:
        """The sparse parts of B, and which of the sparse columns they are.

        As codes and ones are shared, to keep them takes a number per row.
        """
        n_coded, parts = self.n_coded, []
        if n_coded:
            n_rows, n_codes = self.codes.shape
            ends = np.arange(0, self.codes.size + 1, n_codes, dtype=np.int32)
            ones = _ones(self.codes.size.bit_length())[: self.codes.size]
            parts.append((sparse.csr_matrix((ones, self.codes.ravel(), ends), (n_rows, n_coded)), slice(n_coded)))
        if self.counts is not None:
            parts.append((self.counts, slice(n_coded, self.n_sparse)))
        return parts

    def __getstate__(self) -> dict[str, Any]:
        """What other processes get."""
        return {name: value for name, value in vars(self).items() if name != "_sparse"}


@cache
def _ones(n_bits: int) -> ndarray:
    return np.ones(2**n_bits)


class Matrix:
    """X = [B 1] T, with B in blocks. It has the shape and the length of X; `T` may be exchanged (`with_features`)."""

    def __init__(self, blocks: Iterable[Block], T: Any = None):
        self.blocks = [block for block in blocks if len(block)]
        if T is None and self.blocks and self.blocks[0].n_sparse:
            T = sparse.identity(self.blocks[0].n_base + 1)
        self.T: Any = None
        self.T_transposed: Any = None
        n_features = self.n_base
        if T is not None:
            self.T, self.T_transposed, n_features = sparse.csr_matrix(T), sparse.csr_matrix(T.T), T.shape[1] - 1
        self.shape = (sum(map(len, self.blocks)), n_features)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def offset(self) -> ndarray | None:
        """o, or None."""
        offsets = [block.offset for block in self.blocks if block.offset is not None]
        return np.concatenate(offsets) if offsets else None

    def mirrored(self) -> "Matrix":
        """The same rows for labels 1 - y: the offset with the other sign."""
        if self.offset is None:
            return self
        return Matrix([replace(b, offset=-cast(ndarray, b.offset)) for b in self.blocks], self.T)

    @property
    def n_base(self) -> int:
        return self.blocks[0].n_base if self.blocks else 0

    @property
    def nbytes(self) -> int:
        """What X would take if it was written out."""
        return 8 * self.shape[0] * self.shape[1]

    def toarray(self) -> ndarray:
        """X written out, (n_samples, n_features), C-contiguous float64."""
        features = [block.features(self.T) for block in self.blocks]
        return np.ascontiguousarray(features[0] if len(features) == 1 else np.concatenate(features))

    def take(self, rows: ndarray) -> "Matrix":
        """A copy of some rows (n_rows,), positions in ascending order."""
        starts = np.cumsum([0, *map(len, self.blocks)])
        cuts = np.searchsorted(rows, starts)
        places = zip(self.blocks, starts, cuts, cuts[1:], strict=False)
        return Matrix([block[rows[first:last] - start] for block, start, first, last in places], self.T)

    def with_features(self, T: Any) -> "Matrix":
        """Other features of the same rows."""
        return Matrix(self.blocks, T)

    def strips(self) -> Iterator[tuple[Block, slice]]:
        """Pieces of blocks, and the rows of each: tasks that do not depend on the number of threads."""
        longest, start = strip_rows(len(self)), 0
        for block in self.blocks:
            size = -(-len(block) // -(-len(block) // longest))
            for first in range(0, len(block), size):
                piece = block[first : first + size]
                yield piece, slice(start + first, start + first + len(piece))
            start += len(block)

    @cached_property
    def pieces(self) -> list[Block]:
        """The blocks of `strips`, the same objects each time."""
        return [block for block, _ in self.strips()]

    def base_weights(self, W: ndarray) -> ndarray:
        """V = T W."""
        return W if self.T is None else self.T @ W

    def feature_gradient(self, G: ndarray) -> ndarray:
        """T' G, a gradient of the weights of features from one of the weights of base columns."""
        return G if self.T is None else self.T_transposed @ G


def as_matrix(X: Any) -> Matrix:
    """An array (n_samples, n_features), or a `scipy.sparse` matrix, as one block."""
    if isinstance(X, Matrix):
        return X
    if sparse.issparse(X):
        return Matrix([Block(np.empty((X.shape[0], 0)), None, X.shape[1], counts=sparse.csr_matrix(X))])
    return Matrix([Block(X)])


def margins(X: Any, W: ndarray) -> ndarray:
    """z = X w + b, (n_samples, n_columns), with the same bytes for any number of threads. X: a `Matrix` or an array."""
    matrix = as_matrix(X)
    V = matrix.base_weights(W)
    with workers(1 if matrix.shape[0] * W.size < 100_000 else STRIPS) as run:
        call: Any = Call("margins", (V,))
        is_local = matrix.shape[0] * W.size < WORTH_SENDING
        return np.concatenate(list(run((lambda block: call(block)) if is_local else call, matrix.pieces)))

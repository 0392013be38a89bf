"""Rows as blocks of numbers and codes: the sums of `one_exp`, for data larger than a cache and for any loss.

1. Blocks. A block of rows and its margins stay in the processor's cache, so a pass reads memory once: margins, what
   the loss makes of them, and the sums over rows follow each other block by block.
2. No one-hot. Rows are those of the base matrix B of `matrix`, numbers and codes: the sums are over base columns, and
   T turns them into those of features once per pass (`strips`). Only a curvature is computed from blocks of X.

    V  (n_base + 1, n_columns)   weights of base columns, the intercept last
    s  (n_rows, 1)               row weights, or () the same for all rows
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy import ndarray

from pipeline.logistic.binomial import GROUP
from pipeline.logistic.loss import Labels, Loss
from pipeline.logistic.matrix import Block

BLOCK_BYTES = 2 * 2**20  # one core's share of the last two levels of cache; smaller blocks are too short for threads
MULTIPLICATIONS = 1_000_000  # larger products take twice as long: OpenBLAS copies X before it multiplies


class Strip:
    """Sums over consecutive rows, block by block, for `codes` (n_rows,), the class of each row."""

    def __init__(self, rows: Block, codes: ndarray, s: ndarray, fit_intercept: bool, n_columns: int):
        self.rows, self.codes, self.s, self.ones = rows, codes, s, float(fit_intercept)
        n_stored = rows.dense.shape[1] + (0 if rows.codes is None else rows.codes.shape[1])
        n_rows = _block_rows(max(n_stored, 1), n_columns)
        self.blocks = [slice(start, min(start + n_rows, len(rows))) for start in range(0, len(rows), n_rows)]

    def evaluate(self, loss: Loss, labels: Labels, V: ndarray) -> tuple[ndarray, ndarray]:
        """The sums of the loss, (n_columns,), and [B 1]' (s residual), of the shape of V: see `Loss.sums`."""
        total = np.zeros(V.shape[1])

        def residuals(block: Block, y: ndarray | int, s: ndarray) -> ndarray:
            values, R = loss.sums(block.margins(V), y, s)
            np.add(total, values, total)
            return R

        return total, self._transposed(residuals, labels, V.shape[1])

    def values(self, loss: Loss, labels: Labels, V: ndarray) -> ndarray:
        """The sums of the loss, (n_columns,), exact where `evaluate` has an infinite one."""
        return sum((s * loss.value(block.margins(V), y)).sum(axis=0) for block, y, s in self._each_block(labels))

    def label_sums(self, classes: ndarray) -> ndarray:
        """[B 1]'(s [code = class]) for each class, and [B 1]'s last: (n_base + 1, n_classes + 1)."""
        return self._transposed(
            lambda block, y, s: s * np.column_stack([y, np.ones(len(block))]), classes, len(classes) + 1
        )

    def sandwich(
        self, loss: Loss, labels: Labels, V: ndarray, T: Any, chosen: ndarray | slice, mean: bool
    ) -> ndarray:  # fmt: skip
        """X' diag(s curvature) X of each column and the chosen features and the intercept; or (1, ...), their mean."""
        total: Any = 0
        parts = None if T is None else self.rows.parts(T, chosen)
        for block, squares in self._each_squares(loss, labels, V, mean):
            X = block.features(None, chosen) if parts is None else block.chosen_features(parts)
            total += self._product(X, np.sqrt(squares))
        return total

    def gram(self, T: Any) -> ndarray:
        """X' diag(s) X, with the intercept."""
        total: Any = 0
        for block, _, s in self._each_block(None):
            total += self._product(block.features(T), np.broadcast_to(np.sqrt(s), (len(block), 1)))[0]
        return total

    def gram_product(self, V: ndarray) -> ndarray:
        """[B 1]' diag(s) [B 1] V, of the shape of V."""
        return self._transposed(lambda block, _, s: s * block.product(V), None, V.shape[1])

    def squares(self, loss: Loss, labels: Labels, V: ndarray) -> ndarray:
        """The sums of squares of each base column, weighted by the mean of s curvature over columns, (n_base + 1,)."""
        squares = [squares for _, squares in self._each_squares(loss, labels, V, True)]
        total = self.rows.squared().transposed(np.concatenate(squares))[:, 0]
        total[-1] *= self.ones
        return total

    def joint_sandwich(self, loss: Any, V: ndarray, T: Any) -> ndarray:
        """X' diag(s curvature) X for each two columns of one model, (K, n_features + 1, K, n_features + 1)."""
        total: Any = 0
        for block, _, s in self._each_block(None):
            curvature = loss.joint_curvature(block.margins(V))
            X = np.column_stack([block.features(T), np.full(len(block), self.ones)])
            K, n = loss.n_coupled, X.shape[1]
            products = np.empty((K, n, K, n))
            for k in range(K):
                for j in range(k, K):
                    products[k, :, j] = (X.T * (s * curvature[:, k, j, None])[:, 0]) @ X
                    products[j, :, k] = products[k, :, j].T
            total = total + products
        return total

    def _product(self, X: ndarray, roots: ndarray) -> ndarray:
        """[X 1]' diag(root^2) [X 1] for each column of roots (n_rows, n_roots)."""
        scaled, products = np.empty((len(X), X.shape[1] + 1)), []
        for root in roots.T:
            np.multiply(X, root[:, None], scaled[:, :-1])
            np.multiply(root, self.ones, scaled[:, -1])
            products.append(scaled.T @ scaled)
        return np.array(products)

    def _transposed(self, residuals: Callable[..., ndarray], labels: Labels, n_columns: int) -> ndarray:
        """[B 1]' R, (n_base + 1, n_columns), for the rows R (n_rows, n_columns) that `residuals` makes of a block.

        The sums of dense columns are taken block by block, in the cache. Those of sparse columns are taken at once: for
        many categories, writing a sum for each of them takes longer than reading the codes of a block.
        """
        n_dense, total = self.rows.dense.shape[1], np.zeros((self.rows.n_base + 1, n_columns))
        kept = np.empty((len(self.rows) if self.rows.n_sparse else 0, n_columns))
        for rows, block in zip(self.blocks, self._each_block(labels), strict=True):
            R = residuals(*block)
            total[:n_dense] += block[0].dense_transposed(R)
            total[-1] += R.sum(axis=0)
            if len(kept):
                kept[rows] = R
        total[n_dense:-1] = self.rows.sparse_transposed(kept)
        total[-1] *= self.ones
        return total

    def _each_squares(self, loss: Loss, labels: Labels, V: ndarray, mean: bool) -> Iterator[tuple[Block, ndarray]]:
        for block, y, s in self._each_block(labels):
            squares = s * loss.curvature(block.margins(V), y)
            yield block, squares.mean(axis=1, keepdims=True) if mean else squares

    def _each_block(self, labels: Labels) -> Iterator[tuple[Block, ndarray | int, ndarray]]:
        """Blocks with the y (n_rows, n_columns) and the s of their rows."""
        for rows, block in zip(self.blocks, self._blocks, strict=True):
            y = 0 if labels is None else self.codes[rows, None] == labels
            yield block, y, self.s[rows] if self.s.ndim else self.s

    @cached_property
    def _blocks(self) -> list[Block]:
        """The rows of each block, the same objects in each pass."""
        return [self.rows[rows] for rows in self.blocks]

    def __getstate__(self) -> dict[str, Any]:
        """What other processes get."""
        return {name: value for name, value in vars(self).items() if name != "_blocks"}


def _block_rows(n_features: int, n_columns: int) -> int:
    """The number of rows of a block, a multiple of GROUP."""
    in_cache = BLOCK_BYTES // (8 * (n_features + n_columns))
    return max(GROUP, min(in_cache, MULTIPLICATIONS // (n_features * n_columns)) // GROUP * GROUP)

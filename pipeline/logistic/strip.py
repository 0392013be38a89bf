"""Sums over a run of rows, a block at a time, for the objective.

A block of X and its margins stay in the processor's cache, so memory is read once a pass. Weights W
are (n_features + 1, n_columns), the intercept last; s are the row weights, q = 1 / (1 + exp(z)) is the probability of
y = 0. A strip either holds the column of ones that goes with the intercept (small data: a copy), or adds it by hand
(large data: the user's own array, in place).
"""

import numpy as np

BLOCK_BYTES = 2 * 2**20  # a core's share of the last two levels of cache; less, and calls are too short for threads
SMALL_BYTES = 768 * 1024  # data that is one block, with everything around it in a second-level cache
MULTIPLICATIONS = 1_000_000  # up to which OpenBLAS multiplies in place: beyond, it copies X first, for twice the time
GROUP = 8  # log(a) + log(b) = log(a b): so many factors 1 + exp(z) share a logarithm
ONE = np.array(1.0)


class Strip:
    """X (n_rows, n_features), weight s (n_rows, 1) or the same for all rows (), ones: 1 with an intercept, else 0."""

    def __init__(self, X, weight, ones, has_ones, n_columns):
        self.X, self.weight, self.ones, self.has_ones = X, weight, ones, has_ones
        n_rows = len(X) if has_ones else block_rows(X.shape[1], n_columns)
        self.blocks = [slice(start, min(start + n_rows, len(X))) for start in range(0, len(X), n_rows)]

    def loss_and_gradient(self, W):
        """sum s log(1 + exp(z)), (n_columns,), and X'(s q), of the shape of W."""
        loss, gradient = np.zeros(W.shape[1]), np.zeros(W.shape)
        part = np.empty((len(W) - 1, W.shape[1]))
        buffer = np.empty((self.blocks[0].stop, W.shape[1]))
        for X, s in self._each_block():
            z = buffer[: len(X)]
            np.dot(X, W[:-1], z)
            np.add(z, W[-1], z)
            np.exp(z, z)
            np.add(z, ONE, z)
            loss += sum_of_logs(z, s)
            np.divide(s, z, z)
            np.dot(X.T, z, part)
            gradient[:-1] += part
            gradient[-1] += self.ones * np.add.reduce(z, 0)
        return loss, gradient

    def exact_loss(self, W):
        """sum s log(1 + exp(z)), (n_columns,), where exp(z) is too large for a float64."""
        return sum((s * np.logaddexp(0, self._margins(X, W))).sum(axis=0) for X, s in self._each_block())

    def label_sums(self, codes, classes):
        """X'(s [code = class]) for each class and, last, X's: (n_features + 1, n_classes + 1)."""
        total = np.zeros((self.X.shape[1] + (not self.has_ones), len(classes) + 1))
        for (X, s), rows in zip(self._each_block(), self.blocks, strict=True):
            chosen = s * (codes[rows, None] == classes)
            weight = s * np.ones((len(X), 1))
            total[: X.shape[1]] += np.hstack([X.T @ chosen, X.T @ weight])
            if not self.has_ones:
                total[-1] += self.ones * np.append(chosen.sum(axis=0), weight.sum())
        return total

    def curvature(self, W, average=False):
        """X' diag(s p q) X for each column, (n_columns, n_features + 1, n_features + 1); or (1, ...), their mean."""
        total = np.zeros((1 if average else W.shape[1], len(W), len(W)))
        for X, s in self._each_block():
            q = 1 / (1 + np.exp(self._margins(X, W)))
            squares = s * q * (1 - q)
            roots = np.sqrt(squares.mean(axis=1, keepdims=True) if average else squares)
            for k, root in enumerate(roots.T):
                scaled = X * root[:, None]
                total[k, : X.shape[1], : X.shape[1]] += scaled.T @ scaled
                if not self.has_ones:
                    total[k, -1, :-1] += self.ones * (root @ scaled)
                    total[k, -1, -1] += self.ones * (root @ root)
        if not self.has_ones:
            total[:, :-1, -1] = total[:, -1, :-1]
        return total

    def smallest_margin(self, W, codes, positive):
        """The smallest of z for rows of y = 1 and -z for the others, (n_columns,)."""
        blocks = zip(self._each_block(), self.blocks, strict=True)
        signed = (np.where(codes[r, None] == positive, 1, -1) * self._margins(X, W) for (X, _), r in blocks)
        return np.min([margins.min(axis=0) for margins in signed], axis=0)

    def _each_block(self):
        one_weight = self.weight.ndim == 0
        for rows in self.blocks:
            yield np.asarray(self.X[rows], dtype=np.float64), self.weight if one_weight else self.weight[rows]

    def _margins(self, X, W):
        return X @ W if self.has_ones else X @ W[:-1] + W[-1]


def block_rows(n_features, n_columns):
    """How many rows of a block, a multiple of GROUP."""
    in_cache = BLOCK_BYTES // (8 * (n_features + n_columns))
    return max(GROUP, min(in_cache, MULTIPLICATIONS // (n_features * n_columns)) // GROUP * GROUP)


def sum_of_logs(factors, s):
    """sum s log(factors) over rows, (..., n_columns), factors (..., n_rows, n_columns) from 1 up; may be infinite."""
    if s.ndim:
        return np.einsum("...ik,i->...k", np.log(factors), s[:, 0])
    *ahead, n_rows, n_columns = factors.shape
    whole = n_rows // GROUP * GROUP
    grouped = factors[..., :whole, :].reshape(*ahead, GROUP, whole // GROUP, n_columns)
    total = np.log(np.multiply.reduce(grouped, axis=-3)).sum(axis=-2)
    if whole < n_rows:
        total += np.log(factors[..., whole:, :]).sum(axis=-2)
    return s * total

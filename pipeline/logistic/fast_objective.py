"""`objective.cost`, `gradient` and `curvature`, several times faster, for rows with class codes instead of labels.

1. One exp per margin. With q = 1 - p = 1 / (1 + exp(z)) and the constants c = X'(s (1 - y)) and l = X'(s y),

       cost     = sum_i s_i log(1 + exp(z_i)) - w . l + penalty       the factor 1 + exp(z) serves both:
       gradient = c - X'(s q) + penalty'                              its logarithm here, its inverse there

   so labels are read only once, for c and l. Where exp(z) is too large for a float64, the cost is computed again by
   the slower formula that is exact there (q = 0 is right already).
2. Fewer logarithms. log a + log b = log(a b): GROUP factors are multiplied and share one logarithm.
3. Blocks. A block of rows and its margins stay in the processor's cache, so a pass reads memory once.
4. Small data (up to SMALL_BYTES) is one block: a copy with a column of ones, so that the intercept needs no code of its
   own, and with buffers that every pass uses again. `evaluate` fills a buffer that `costs` reads, for many points at
   once: most of the time of a small pass is that of calling NumPy.
5. Strips. Large data stays where it is, and is cut into a fixed number of strips that threads share; their sums are
   added in order, so the number of threads does not change a bit.

Shapes as in `objective`; s are the row weights, divided by their sum.
"""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy import ndarray

from pipeline.compute import STRIPS, Run, strips, workers
from pipeline.logistic.penalty import Ridge

BLOCK_BYTES = 2 * 2**20  # one core's share of the last two levels of cache; smaller blocks are too short for threads
SMALL_BYTES = 768 * 1024  # data that fits in a second-level cache together with its buffers
MULTIPLICATIONS = 1_000_000  # larger products take twice as long: OpenBLAS copies X before it multiplies
GROUP = 8
ONE = np.array(1.0)


class FastObjective:
    """Cost, gradient and curvature of every column of a weight matrix W (n_features + 1, n_columns).

    X              (n_samples, n_features), float64 or float32 (stays float32 in memory, each block becomes float64)
    codes          (n_samples,), the class of each row as a whole number
    positive       (n_columns,): in column k, y = 1 for the rows of class positive[k] and 0 for all others
    penalty        of each column
    sample_weight  (n_samples,) or None
    run            maps a function over strips: `map`, or what `compute.workers` yields. Only inside `workers` are the
                   last digits the same for any number of threads
    """

    def __init__(
        self, X: ndarray, codes: ndarray, positive: ndarray, penalty: Ridge,
        sample_weight: ndarray | None = None, fit_intercept: bool = True, run: Run = map,
    ):  # fmt: skip
        self.X, self.codes, self.positive, self.penalty, self.run = X, codes, positive, penalty, run
        self.sample_weight, self.fit_intercept = sample_weight, fit_intercept
        weight = np.array(1 / len(X)) if sample_weight is None else (sample_weight / np.sum(sample_weight))[:, None]
        self.weight = weight  # s above: (n_samples, 1), or () where it is the same for all rows
        self.small, ones = X.nbytes <= SMALL_BYTES, float(fit_intercept)
        if self.small:
            X = np.full((len(X), X.shape[1] + 1), ones, order="F")
            X[:, :-1] = self.X
        self.strips = [
            _Strip(X[rows], codes[rows], weight[rows] if weight.ndim else weight, ones, self.small, len(positive))
            for rows in ([slice(None)] if self.small else strips(len(X)))
        ]
        classes, column = np.unique(positive, return_inverse=True)
        sums = self._total("label_sums", classes)
        self.label_sum = sums[:, column]  # l above
        self.constant = sums[:, -1:] - self.label_sum  # c above
        self._allocate()

    @property
    def shape(self) -> tuple[int, int]:
        """Of the weights: (n_features + 1, n_columns)."""
        return self.label_sum.shape

    def cost(self, W: ndarray) -> ndarray:
        """J of each column, (n_columns,)."""
        return self._cost_and_gradient(W)[0]

    def gradient(self, W: ndarray) -> ndarray:
        """The first derivatives, of the shape of W."""
        return self._cost_and_gradient(W)[1]

    def curvature(self, W: ndarray) -> ndarray:
        """The second derivatives (Hessians), (n_columns, n_features + 1, n_features + 1)."""
        total = self._total("curvature", W)
        diagonal = np.arange(len(W))
        total[:, diagonal, diagonal] += self.penalty.curvature(W).T
        return total

    def mean_curvature(self, W: ndarray) -> ndarray:
        """The mean over columns of X' diag(s p (1 - p)) X, without the penalty, (n_features + 1, n_features + 1)."""
        return self._total("curvature", W, True)[0]

    def bound(self) -> ndarray:
        """X' diag(s) X / 4: no curvature without penalty is larger, at any W (Bohning and Lindsay, 1988)."""
        return self.mean_curvature(np.zeros((self.shape[0], 1)))

    def safe_learning_rate(self) -> ndarray:
        """One over the largest eigenvalue that the curvature can have, (n_columns,): gradient descent never climbs.

        That of `bound`, A' A with rows A = sqrt(s) [X 1] / 2, which is that of the smaller A A' for few rows.
        """
        if len(self.X) > self.X.shape[1]:
            product = self.bound()
        else:
            X, root = np.asarray(self.X, dtype=np.float64), np.sqrt(self.weight) / 2
            product = root * (X @ X.T + self.fit_intercept) * root.T
        return 1 / (np.linalg.eigvalsh(product)[-1] + self.largest_penalty_curvature)

    def select(self, columns: ndarray) -> "FastObjective":
        """The same rows, only these columns."""
        narrow = copy.copy(self)
        narrow.positive, narrow.penalty = self.positive[columns], self.penalty.select(columns)
        narrow.label_sum, narrow.constant = self.label_sum[:, columns], self.constant[:, columns]
        narrow._allocate()
        return narrow

    def with_features(self, X: ndarray) -> "FastObjective":
        """The same rows, described by other features X (n_samples, n_other_features)."""
        return FastObjective(
            X, self.codes, self.positive, self.penalty, self.sample_weight, self.fit_intercept, self.run
        )

    def sample(self, n_samples: int) -> "FastObjective":
        """The same models on so many rows, drawn with a fixed seed."""
        rows = np.sort(np.random.default_rng(0).choice(len(self.X), n_samples, replace=False))
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        X, codes = self.X[rows], self.codes[rows]
        return FastObjective(X, codes, self.positive, self.penalty, weight, self.fit_intercept, self.run)

    def buffer(self, length: int) -> ndarray:
        """Memory that `evaluate` fills and `costs` reads, for so many points: (length, n, n_columns)."""
        n = 1 if not self.small else len(self._z) if self._grouped is None else self._grouped.shape[1]
        return np.empty((length, n, self.shape[1]))

    def evaluate(self, W: ndarray, gradient: ndarray, buffer: ndarray) -> None:
        """Write the gradient at W into `gradient`, and what `costs` needs besides W into `buffer` (n, n_columns)."""
        if self.small:
            z, X = self._z, self.strips[0].X
            X.dot(W, z)
            np.exp(z, z)
            if self._grouped is None:
                np.add(z, ONE, buffer)
                np.divide(self.strips[0].weight, buffer, z)
            else:
                np.add(z, ONE, z)
                np.multiply.reduce(self._grouped, 0, None, out=buffer)
                np.divide(self.strips[0].weight, z, z)
            X.T.dot(z, gradient)
        else:
            parts = self._each_strip("loss_and_gradient", W)
            buffer[0] = sum(loss for loss, _ in parts)
            gradient[:] = sum(part for _, part in parts)
        np.subtract(self.constant, gradient, gradient)
        np.add(gradient, self.penalty.gradient(W, self._scratch), gradient)

    def costs(self, W: ndarray, buffer: ndarray) -> ndarray:
        """J of each column at evaluated points W (length, n_features + 1, n_columns): (length, n_columns)."""
        if not self.small:
            loss = buffer[:, 0]
        elif self._grouped is None:
            loss = _sum_of_logs(buffer, self.strips[0].weight)
        else:
            loss = np.log(buffer).sum(axis=1) / len(self._z)
        for t in np.flatnonzero(~np.isfinite(loss).all(axis=1)):  # exp, or a product of factors, passed 10^308
            loss[t] = self._total("exact_loss", W[t])
        return loss - np.einsum("tjk,jk->tk", W, self.label_sum) + self.penalty.value(W)

    def _cost_and_gradient(self, W: ndarray) -> tuple[ndarray, ndarray]:
        gradient, buffer = np.empty(self.shape), self.buffer(1)
        with np.errstate(over="ignore"):
            self.evaluate(W, gradient, buffer[0])
            return self.costs(W[None], buffer)[0], gradient

    def _each_strip(self, method: str, *arguments: Any) -> list:
        return list(self.run(lambda strip: getattr(strip, method)(*arguments), self.strips))

    def _total(self, method: str, *arguments: Any) -> ndarray:
        return sum(self._each_strip(method, *arguments))

    def _allocate(self) -> None:
        self._scratch = np.zeros(self.shape)
        self.largest_penalty_curvature = self.penalty.curvature(self._scratch).max(axis=0)  # (n_columns,)
        if self.small:
            n = len(self.X)
            padded = np.ones((-(-n // GROUP) * GROUP, self.shape[1]))
            self._z = padded[:n]
            # The factors of a single column go to `costs`, which takes the logarithms of many points in one call. More
            # columns would fill the cache: they are multiplied in groups at once.
            grouped = self.sample_weight is None and self.shape[1] > 1
            self._grouped = padded.reshape(GROUP, -1, self.shape[1]) if grouped else None


class _Strip:
    """Sums over consecutive rows, block by block.

    X holds the column of ones (`has_ones`: small data), or it is added by hand. weight (n_rows, 1), or () the same for
    all rows; ones: 1 with an intercept, 0 without.
    """

    def __init__(self, X: ndarray, codes: ndarray, weight: ndarray, ones: float, has_ones: bool, n_columns: int):
        self.X, self.codes, self.weight, self.ones, self.has_ones = X, codes, weight, ones, has_ones
        n_rows = len(X) if has_ones else _block_rows(X.shape[1], n_columns)
        self.blocks = [slice(start, min(start + n_rows, len(X))) for start in range(0, len(X), n_rows)]

    def loss_and_gradient(self, W: ndarray) -> tuple[ndarray, ndarray]:
        """sum s log(1 + exp(z)), (n_columns,), and X'(s q), of the shape of W."""
        loss, gradient = np.zeros(W.shape[1]), np.zeros(W.shape)
        part = np.empty((len(W) - 1, W.shape[1]))
        buffer = np.empty((self.blocks[0].stop, W.shape[1]))
        for X, s, _ in self._each_block():
            z = buffer[: len(X)]
            np.dot(X, W[:-1], z)
            np.add(z, W[-1], z)
            np.exp(z, z)
            np.add(z, ONE, z)
            loss += _sum_of_logs(z, s)
            np.divide(s, z, z)
            np.dot(X.T, z, part)
            gradient[:-1] += part
            gradient[-1] += self.ones * np.add.reduce(z, 0)
        return loss, gradient

    def exact_loss(self, W: ndarray) -> ndarray:
        """sum s log(1 + exp(z)), (n_columns,), where exp(z) is too large for a float64."""
        return sum((s * np.logaddexp(0, self._margins(X, W))).sum(axis=0) for X, s, _ in self._each_block())

    def label_sums(self, classes: ndarray) -> ndarray:
        """X'(s [code = class]) for each class, and X's last: (n_features + 1, n_classes + 1)."""
        total = np.zeros((self.X.shape[1] + (not self.has_ones), len(classes) + 1))
        for X, s, codes in self._each_block():
            chosen = s * np.column_stack([codes[:, None] == classes, np.ones(len(X))])
            total[: X.shape[1]] += X.T @ chosen
            if not self.has_ones:
                total[-1] += self.ones * chosen.sum(axis=0)
        return total

    def curvature(self, W: ndarray, mean: bool = False) -> ndarray:
        """X' diag(s p q) X of each column, (n_columns, n_features + 1, n_features + 1), or (1, ...), their mean."""
        total = np.zeros((1 if mean else W.shape[1], len(W), len(W)))
        for X, s, _ in self._each_block():
            q = 1 / (1 + np.exp(self._margins(X, W)))
            squares = s * q * (1 - q)
            roots = np.sqrt(squares.mean(axis=1, keepdims=True) if mean else squares)
            for H, root in zip(total, roots.T, strict=True):
                scaled = X * root[:, None]
                H[: X.shape[1], : X.shape[1]] += scaled.T @ scaled
                if not self.has_ones:
                    H[-1, :-1] = H[:-1, -1] = H[-1, :-1] + self.ones * (root @ scaled)
                    H[-1, -1] += self.ones * (root @ root)
        return total

    def _each_block(self) -> Iterator[tuple[ndarray, ndarray, ndarray]]:
        for rows in self.blocks:
            weight = self.weight[rows] if self.weight.ndim else self.weight
            yield np.asarray(self.X[rows], dtype=np.float64), weight, self.codes[rows]

    def _margins(self, X: ndarray, W: ndarray) -> ndarray:
        return X @ W if self.has_ones else X @ W[:-1] + W[-1]


def _block_rows(n_features: int, n_columns: int) -> int:
    """The number of rows of a block, a multiple of GROUP."""
    in_cache = BLOCK_BYTES // (8 * (n_features + n_columns))
    return max(GROUP, min(in_cache, MULTIPLICATIONS // (n_features * n_columns)) // GROUP * GROUP)


def _sum_of_logs(factors: ndarray, s: ndarray) -> ndarray:
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


def margins(X: ndarray, W: ndarray) -> ndarray:
    """z = X w + b, (n_samples, n_columns), with the same bytes for any number of threads."""
    with workers(1 if X.size * W.shape[1] < 100_000 else STRIPS) as run:
        return np.concatenate(list(run(lambda rows: X[rows] @ W[:-1] + W[-1], strips(len(X)))))

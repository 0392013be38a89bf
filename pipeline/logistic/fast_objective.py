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
6. No one-hot. Large data is the base matrix B of `matrix`: sums over rows are those of B, and T turns them into those
   of X once per pass. Only a curvature is computed from blocks of X, for some features.

Shapes as in `objective`; s are the row weights, divided by their sum.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy import ndarray

from pipeline.logistic.matrix import Block, as_matrix
from pipeline.logistic.penalty import Ridge
from pipeline.logistic.threads import Call, Run

BLOCK_BYTES = 2 * 2**20  # one core's share of the last two levels of cache; smaller blocks are too short for threads
SMALL_BYTES = 768 * 1024  # data that fits in a second-level cache together with its buffers
MULTIPLICATIONS = 1_000_000  # larger products take twice as long: OpenBLAS copies X before it multiplies
LARGEST_FACTOR = 2_000  # features: the time of a factorisation grows with the cube of their number
GROUP = 8
ONE = np.array(1.0)


class FastObjective:
    """Cost, gradient and curvature of every column of a weight matrix W (n_features + 1, n_columns).

    X              (n_samples, n_features): a `Matrix`, a `scipy.sparse` matrix, or an array of float64 or float32
                   (which stays float32 in memory, each block becomes float64)
    codes          (n_samples,), the class of each row as a whole number
    positive       (n_columns,): in column k, y = 1 for the rows of class positive[k] and 0 for all others
    penalty        of each column
    sample_weight  (n_samples,) or None
    run            maps a function over strips: `map`, or what `compute.workers` yields. Only inside `workers` are the
                   last digits the same for any number of threads
    """

    is_coupled = False  # whether columns are classes of one model (`softmax`), and how many are
    n_coupled = 1
    _curvatures_of_model = 1  # times `bound`, that the curvature of a whole model is at most

    def __init__(
        self, X: Any, codes: ndarray, positive: ndarray, penalty: Ridge,
        sample_weight: ndarray | None = None, fit_intercept: bool = True, run: Run = map,
    ):  # fmt: skip
        if not isinstance(X, ndarray):
            X = as_matrix(X)
            X = X.toarray() if X.nbytes <= SMALL_BYTES and X.offset is None else X
        self.X, self.codes, self.positive, self.penalty, self.run = X, codes, positive, penalty, run
        self.sample_weight, self.fit_intercept = sample_weight, fit_intercept
        weight = np.array(1 / X.shape[0]) if sample_weight is None else (sample_weight / np.sum(sample_weight))[:, None]
        self.weight = weight  # s above: (n_samples, 1), or () where it is the same for all rows
        self.matrix, self.small = as_matrix(X), isinstance(X, ndarray) and X.nbytes <= SMALL_BYTES
        self.small = self.small and not self.is_coupled
        strips = [(Block(X), slice(None))] if self.small else self.matrix.strips()
        self.strips = [
            self._strip(
                block, codes[rows], weight[rows] if weight.ndim else weight, float(fit_intercept), len(positive)
            )
            for block, rows in strips
        ]
        if self.small:
            self._with_ones = np.full((len(X), X.shape[1] + 1), float(fit_intercept), order="F")
            self._with_ones[:, :-1] = X
        classes, column = np.unique(positive, return_inverse=True)
        sums = self.matrix.feature_gradient(self._total("label_sums", classes))
        self.label_sum = sums[:, column]  # l above
        self.constant = sums[:, -1:] - self.label_sum  # c above
        self._allocate()

    @property
    def shape(self) -> tuple[int, int]:
        """Of the weights: (n_features + 1, n_columns)."""
        return self.label_sum.shape

    def inner(self, A: ndarray, B: ndarray) -> ndarray:
        """The products of the columns of A and B (..., n_features + 1, n_columns), (..., n_columns)."""
        return np.einsum("...jk,...jk->...k", A, B)

    def newton(self, W: ndarray, gradient: ndarray) -> ndarray:
        """curvature(W)^-1 gradient of each column, of the shape of W."""
        H = self.curvature(W)
        diagonal = np.arange(len(W))
        # Features that repeat each other make H singular: a small addition to the diagonal keeps them still.
        H[:, diagonal, diagonal] = H[:, diagonal, diagonal] * (1 + 1e-12) + np.finfo(float).tiny
        return np.linalg.solve(H, gradient.T[:, :, None])[:, :, 0].T

    def cost(self, W: ndarray) -> ndarray:
        """J of each column, (n_columns,)."""
        return self._cost_and_gradient(W)[0]

    def gradient(self, W: ndarray) -> ndarray:
        """The first derivatives, of the shape of W."""
        return self._cost_and_gradient(W)[1]

    def curvature(self, W: ndarray) -> ndarray:
        """The second derivatives (Hessians), (n_columns, n_features + 1, n_features + 1)."""
        total = self._curvature(W)
        diagonal = np.arange(len(W))
        total[:, diagonal, diagonal] += self.penalty.curvature(W).T
        return total

    def mean_curvature(self, W: ndarray, features: ndarray | slice = slice(None)) -> ndarray:
        """The mean over columns of X' diag(s p (1 - p)) X, without the penalty, (n_chosen + 1, n_chosen + 1)."""
        return self._curvature(W, features, mean=True)[0]

    def mean_squares(self, W: ndarray) -> ndarray:
        """The diagonal of `mean_curvature`, (n_features + 1,); roughly for features of several base columns."""
        total = self._total("squares", self.matrix.base_weights(W))
        return total if self.matrix.T is None else self.matrix.T.T.power(2) @ total

    def bound(self, features: ndarray | slice = slice(None)) -> ndarray:
        """X' diag(s) X / 4: no curvature without penalty is larger, at any W (Bohning and Lindsay, 1988)."""
        return self._total("curvature", None, self.matrix.T, features, True)[0]

    def safe_learning_rate(self) -> ndarray:
        """For each weight, of the shape of W: with these steps gradient descent never climbs.

        One over the sum of the largest eigenvalue that the curvature without penalty can have and the curvature of the
        penalty, which the intercept does not have: so it moves however large the penalty is. The eigenvalue is that of
        `bound`, A' A with rows A = sqrt(s) [X 1] / 2, which is that of the smaller A A' for few rows. Where both are
        large, it is found by products with `bound` (Lanczos).
        """
        n_samples, n_features = self.matrix.shape
        if n_features < min(n_samples, LARGEST_FACTOR):
            largest = np.linalg.eigvalsh(self.bound())[-1]
        elif n_samples <= LARGEST_FACTOR:
            X, root = self.matrix.toarray(), np.sqrt(self.weight) / 2
            largest = np.linalg.eigvalsh(root * (X @ X.T + self.fit_intercept) * root.T)[-1]
        else:
            from scipy.sparse.linalg import LinearOperator, eigsh

            size, to_base, back = n_features + 1, self.matrix.base_weights, self.matrix.feature_gradient
            product = LinearOperator(
                (size, size), lambda v: back(self._total("bound", to_base(v.reshape(-1, 1))))[:, 0]
            )
            largest = 1.01 * eigsh(product, 1, v0=np.ones(size), tol=1e-3, return_eigenvectors=False)[0]
        return 1 / (self._curvatures_of_model * largest + self.penalty.curvature(self._scratch))

    def select(self, columns: ndarray) -> "FastObjective":
        """The same rows, only these columns."""
        narrow = copy.copy(self)
        narrow.positive, narrow.penalty = self.positive[columns], self.penalty.select(columns)
        narrow.label_sum, narrow.constant = self.label_sum[:, columns], self.constant[:, columns]
        narrow._allocate()
        return narrow

    def with_features(self, X: ndarray) -> "FastObjective":
        """The same rows, described by an array of other features (n_samples, n_other_features)."""
        return type(self)(X, self.codes, self.positive, self.penalty, self.sample_weight, self.fit_intercept, self.run)

    def sample(self, n_samples: int) -> "FastObjective":
        """The same models on so many rows, drawn with a fixed seed."""
        rows = np.sort(np.random.default_rng(0).choice(len(self.matrix), n_samples, replace=False))
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        X, codes = self.matrix.take(rows), self.codes[rows]
        return type(self)(X, codes, self.positive, self.penalty, weight, self.fit_intercept, self.run)

    def buffer(self, length: int) -> ndarray:
        """Memory that `evaluate` fills and `costs` reads, for so many points: (length, n, n_columns)."""
        n = 1 if not self.small else len(self._z) if self._grouped is None else self._grouped.shape[1]
        return np.empty((length, n, self.shape[1]))

    def evaluate(self, W: ndarray, gradient: ndarray, buffer: ndarray) -> None:
        """Write the gradient at W into `gradient`, and what `costs` needs besides W into `buffer` (n, n_columns)."""
        if self.small:
            z, X = self._z, self._with_ones
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
            total, buffer[0] = np.zeros((self.matrix.n_base + 1, self.shape[1])), 0
            for loss, part in self._each_strip("loss_and_gradient", self.matrix.base_weights(W)):
                buffer[0] += loss
                total += part
            gradient[:] = self.matrix.feature_gradient(total)
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
            loss[t] = self._total("exact_loss", self.matrix.base_weights(W[t]))
        return loss - np.einsum("tjk,jk->tk", W, self.label_sum) + self.penalty.value(W)

    def _cost_and_gradient(self, W: ndarray) -> tuple[ndarray, ndarray]:
        gradient, buffer = np.empty(self.shape), self.buffer(1)
        with np.errstate(over="ignore"):
            self.evaluate(W, gradient, buffer[0])
            return self.costs(W[None], buffer)[0], gradient

    def _strip(self, *arguments: Any) -> "Strip":
        return Strip(*arguments)

    def _each_strip(self, method: str, *arguments: Any) -> Iterator:
        return iter(self.run(Call(method, arguments), self.strips))

    def _total(self, method: str, *arguments: Any) -> ndarray:
        parts = self._each_strip(method, *arguments)
        total = next(parts)
        for part in parts:
            total += part
        return total

    def _curvature(self, W: ndarray, features: ndarray | slice = slice(None), mean: bool = False) -> ndarray:
        T = self.matrix.T
        if T is not None and not isinstance(features, slice):
            T, features = T[:, np.append(features, T.shape[1] - 1)], slice(None)
        return self._total("curvature", self.matrix.base_weights(W), T, features, mean)

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


class Strip:
    """Sums over consecutive rows, block by block.

    weight (n_rows, 1), or () the same for all rows; ones: 1 with an intercept, 0 without; V: weights of base columns.
    """

    def __init__(self, rows: Block, codes: ndarray, weight: ndarray, ones: float, n_columns: int):
        self.rows, self.codes, self.weight, self.ones = rows, codes, weight, ones
        n_stored = rows.dense.shape[1] + (rows.codes.shape[1] if isinstance(rows.codes, ndarray) else 0)
        n_rows = _block_rows(max(n_stored, 1), n_columns)
        self.blocks = [slice(start, min(start + n_rows, len(rows))) for start in range(0, len(rows), n_rows)]

    def loss_and_gradient(self, V: ndarray) -> tuple[ndarray, ndarray]:
        """sum s log(1 + exp(z)), (n_columns,), and [B 1]'(s q), of the shape of V."""
        loss = np.zeros(V.shape[1])

        def residuals(block: Block, s: ndarray, _: ndarray) -> ndarray:
            z = block.margins(V)
            np.exp(z, z)
            np.add(z, ONE, z)
            np.add(loss, _sum_of_logs(z, s), loss)
            return np.divide(s, z, z)

        return loss, self._sums(residuals, V.shape[1])

    def exact_loss(self, V: ndarray) -> ndarray:
        """sum s log(1 + exp(z)), (n_columns,), where exp(z) is too large for a float64."""
        return sum((s * np.logaddexp(0, block.margins(V))).sum(axis=0) for block, s, _ in self._each_block())

    def label_sums(self, classes: ndarray) -> ndarray:
        """[B 1]'(s [code = class]) for each class, and [B 1]'s last: (n_base + 1, n_classes + 1)."""

        def residuals(block: Block, s: ndarray, codes: ndarray) -> ndarray:
            return s * np.column_stack([codes[:, None] == classes, np.ones(len(block))])

        return self._sums(residuals, len(classes) + 1)

    def curvature(self, V: ndarray | None, T: Any, features: ndarray | slice, mean: bool) -> ndarray:
        """X' diag(s p q) X of each column and the chosen features, with the intercept; or (1, ...), their mean.

        Without V, p q is 1/4, the largest that it can be.
        """
        total: Any = 0
        for block, s, _ in self._each_block():
            squares = self._squares(block, s, V)
            roots = np.sqrt(squares.mean(axis=1, keepdims=True) if mean else squares)
            X = block.features(T, features)
            scaled, products = np.empty((len(X), X.shape[1] + 1)), []
            for root in roots.T:
                np.multiply(X, root[:, None], scaled[:, :-1])
                np.multiply(root, self.ones, scaled[:, -1])
                products.append(scaled.T @ scaled)
            total += np.array(products)
        return total

    def squares(self, V: ndarray) -> ndarray:
        """The sums of squares of each base column, weighted by the mean of s p q over columns, (n_base + 1,)."""
        curvatures = [self._squares(block, s, V).mean(axis=1, keepdims=True) for block, s, _ in self._each_block()]
        total = self.rows.squared().transposed(np.concatenate(curvatures))[:, 0]
        total[-1] *= self.ones
        return total

    def bound(self, V: ndarray) -> ndarray:
        """[B 1]' diag(s) [B 1] V / 4, of the shape of V."""
        return self._sums(lambda block, s, _: s / 4 * block.product(V), V.shape[1])

    def _sums(self, residuals: Callable[[Block, ndarray, ndarray], ndarray], n_columns: int) -> ndarray:
        """[B 1]' R, (n_base + 1, n_columns), for the rows R (n_rows, n_columns) that `residuals` finds for a block.

        The sums of dense columns are taken block by block, in the cache. Those of sparse columns are taken at once: for
        many categories, writing a sum for each of them takes longer than reading the codes of a block.
        """
        n_dense, total = self.rows.dense.shape[1], np.zeros((self.rows.n_base + 1, n_columns))
        kept = np.empty((len(self.rows) if self.rows.n_sparse else 0, n_columns))
        for rows, block in zip(self.blocks, self._each_block(), strict=True):
            R = residuals(*block)
            total[:n_dense] += block[0].dense_transposed(R)
            total[-1] += R.sum(axis=0)
            if len(kept):
                kept[rows] = R
        total[n_dense:-1] = self.rows.sparse_transposed(kept)
        total[-1] *= self.ones
        return total

    def _squares(self, block: Block, s: ndarray, V: ndarray | None) -> ndarray:
        if V is None:
            return np.broadcast_to(s / 4, (len(block), 1))
        q = 1 / (1 + np.exp(block.margins(V)))
        return s * q * (1 - q)

    def _each_block(self) -> Iterator[tuple[Block, ndarray, ndarray]]:
        for rows in self.blocks:
            yield self.rows[rows], self.weight[rows] if self.weight.ndim else self.weight, self.codes[rows]


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

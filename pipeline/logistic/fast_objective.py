"""`objective.cost`, `gradient` and `curvature` as loss x rows x penalty, several times faster, for rows with codes.

    loss      `binomial`, `softmax`: what a row costs, by its margins
    rows      `one_exp.OneArray` for small data, else `strips.Strips`: margins, and sums over rows
    penalty   `penalty`: what weights cost

None of the three knows the others. A canonical loss is A(z) - y z: J has the labels in l = X'(s y) only, and its
gradient in c = X'(s (1 - y)), which are computed once. Shapes as in `objective`; s are the row weights, divided by
their sum.
"""

import copy
from typing import Any

import numpy as np
from numpy import ndarray

from pipeline.logistic.binomial import Binomial
from pipeline.logistic.loss import Loss
from pipeline.logistic.matrix import as_matrix
from pipeline.logistic.one_exp import OneArray
from pipeline.logistic.penalty import Penalty
from pipeline.logistic.strips import Strips
from pipeline.logistic.threads import Run

SMALL_BYTES = 768 * 1024  # data that fits in a second-level cache together with its buffers
LARGEST_FACTOR = 2_000  # features: the time of a factorisation grows with the cube of their number


class FastObjective:
    """Cost, gradient and curvature of every column of a weight matrix W (n_features + 1, n_columns).

    X              (n_samples, n_features): a `Matrix`, a `scipy.sparse` matrix, or an array of float64 or float32
                   (which stays float32 in memory, each block becomes float64)
    codes          (n_samples,), the class of each row as a whole number
    positive       (n_columns,): in column k, y = 1 for the rows of class positive[k] and 0 for all others
    penalty        of each column
    sample_weight  (n_samples,) or None
    run            maps a function over strips: `map`, or what `threads.workers` yields
    loss           what a row costs
    """

    def __init__(
        self, X: Any, codes: ndarray, positive: ndarray, penalty: Penalty, sample_weight: ndarray | None = None,
        fit_intercept: bool = True, run: Run = map, loss: Loss | None = None,
    ):  # fmt: skip
        if not isinstance(X, ndarray):
            X = as_matrix(X)
            X = X.toarray() if X.nbytes <= SMALL_BYTES and X.offset is None else X
        self.X, self.codes, self.positive, self.penalty, self.run = X, codes, positive, penalty, run
        self.sample_weight, self.fit_intercept, self.loss = sample_weight, fit_intercept, loss or Binomial()
        self.matrix, n_columns = as_matrix(X), len(positive)
        s = np.array(1 / X.shape[0]) if sample_weight is None else (sample_weight / np.sum(sample_weight))[:, None]
        self.s = s  # (n_samples, 1), or () where it is the same for all rows
        self.rows: OneArray | Strips
        if isinstance(X, ndarray) and X.nbytes <= SMALL_BYTES and self.loss.is_one_exp:
            self.rows = OneArray(X, codes, s, fit_intercept, n_columns)
        else:
            self.rows = Strips(self.matrix, codes, s, fit_intercept, n_columns, run)
        self.label_sum, self.constant = np.zeros((2, X.shape[1] + 1, n_columns))
        if self.loss.is_canonical:
            classes, column = np.unique(positive, return_inverse=True)
            sums = self.rows.label_sums(classes)
            self.label_sum = sums[:, column]  # l above
            self.constant = sums[:, -1:] - self.label_sum  # c above
        self._allocate()

    @property
    def shape(self) -> tuple[int, int]:
        """Of the weights: (n_features + 1, n_columns)."""
        return self.label_sum.shape

    @property
    def n_coupled(self) -> int:
        """How many neighbouring columns are one model."""
        return self.loss.n_coupled

    def inner(self, A: ndarray, B: ndarray) -> ndarray:
        """The products of the columns of A and B (..., n_features + 1, n_columns), summed over those of a model."""
        return self._of_models(np.einsum("...jk,...jk->...k", A, B))

    def cost(self, W: ndarray) -> ndarray:
        """J of the model of each column, (n_columns,)."""
        return self._cost_and_gradient(W)[0]

    def gradient(self, W: ndarray) -> ndarray:
        """The first derivatives, of the shape of W."""
        return self._cost_and_gradient(W)[1]

    def curvature(self, W: ndarray) -> ndarray:
        """The second derivatives (Hessians) of each column alone, (n_columns, n_features + 1, n_features + 1)."""
        total = self.rows.sandwich(self.loss, self._labels, W, slice(None), False)
        diagonal = np.arange(len(W))
        total[:, diagonal, diagonal] += self.penalty.curvature(W).T
        return total

    def joint_curvature(self, W: ndarray) -> ndarray:
        """Those of one coupled model, all of its columns together, (K (n_features + 1), K (n_features + 1))."""
        total = self.rows.joint_sandwich(self.loss, W).reshape(W.size, W.size)  # type: ignore[union-attr]
        total[np.diag_indices(W.size)] += self.penalty.curvature(W).T.ravel()
        return total

    def mean_curvature(self, W: ndarray, features: ndarray | slice = slice(None)) -> ndarray:
        """The mean over columns of `curvature`, without the penalty, (n_chosen + 1, n_chosen + 1)."""
        return self.rows.sandwich(self.loss, self._labels, W, features, True)[0]

    def mean_squares(self, W: ndarray) -> ndarray:
        """The diagonal of `mean_curvature`, (n_features + 1,); roughly for features of several base columns."""
        return self.rows.squares(self.loss, self._labels, W)

    def safe_learning_rate(self) -> ndarray:
        """For each weight, of the shape of W: with these steps gradient descent never climbs.

        One over the sum of the largest eigenvalue that the curvature without penalty can have and the curvature of the
        penalty, which the intercept does not have: so it moves however large the penalty is. The eigenvalue is that of
        X' diag(s) X times the bound of the loss: A' A with rows A = sqrt(bound s) [X 1], which is that of the smaller
        A A' for few rows. Where both are large, it is found by products (Lanczos).
        """
        n_samples, n_features = self.matrix.shape
        bound = self.loss.bound_of_model
        if bound is None:
            raise ValueError(f"{type(self.loss).__name__} has no largest curvature, so no learning rate is safe.")
        if n_features < min(n_samples, LARGEST_FACTOR):
            largest = np.linalg.eigvalsh(self.rows.gram() * bound)[-1]
        elif n_samples <= LARGEST_FACTOR:
            X, root = self.matrix.toarray(), np.sqrt(self.s)
            largest = bound * np.linalg.eigvalsh(root * (X @ X.T + self.fit_intercept) * root.T)[-1]
        else:
            from scipy.sparse.linalg import LinearOperator, eigsh

            size = n_features + 1
            product = LinearOperator((size, size), lambda v: bound * self.rows.gram_product(v.reshape(-1, 1))[:, 0])
            largest = 1.01 * eigsh(product, 1, v0=np.ones(size), tol=1e-3, return_eigenvectors=False)[0]
        return 1 / (largest + self.penalty.curvature(self._scratch))

    def select(self, columns: ndarray) -> "FastObjective":
        """The same rows, only these columns."""
        narrow = copy.copy(self)
        narrow.positive, narrow.penalty = self.positive[columns], self.penalty.select(columns)
        narrow.label_sum, narrow.constant = self.label_sum[:, columns], self.constant[:, columns]
        narrow.rows = self.rows.of_columns(narrow.shape[1])
        narrow._allocate()
        return narrow

    def with_features(self, X: ndarray) -> "FastObjective":
        """The same rows, described by an array of other features (n_samples, n_other_features)."""
        return self._of(X, self.codes, self.sample_weight)

    def sample(self, n_samples: int) -> "FastObjective":
        """The same models on so many rows, drawn with a fixed seed."""
        rows = np.sort(np.random.default_rng(0).choice(len(self.matrix), n_samples, replace=False))
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        return self._of(self.matrix.take(rows), self.codes[rows], weight)

    def buffer(self, length: int) -> ndarray:
        """Memory that `evaluate` fills and `costs` reads, for so many points: (length, n, n_columns)."""
        return self.rows.buffer(length, self.shape[1])

    def evaluate(self, W: ndarray, gradient: ndarray, buffer: ndarray) -> None:
        """Write the gradient at W into `gradient`, and what `costs` needs besides W into `buffer` (n, n_columns)."""
        self.rows.evaluate(self.loss, self._labels, W, gradient, buffer)
        np.add(self.constant, gradient, gradient)
        np.add(gradient, self.penalty.gradient(W, self._scratch), gradient)

    def costs(self, W: ndarray, buffer: ndarray) -> ndarray:
        """J of the model of each column at evaluated points W (length, n_features + 1, n_columns)."""
        values = self.rows.values(self.loss, self._labels, W, buffer)
        return self._of_models(values - np.einsum("tjk,jk->tk", W, self.label_sum) + self.penalty.value(W))

    def _cost_and_gradient(self, W: ndarray) -> tuple[ndarray, ndarray]:
        gradient, buffer = np.empty(self.shape), self.buffer(1)
        with np.errstate(over="ignore"):
            self.evaluate(W, gradient, buffer[0])
            return self.costs(W[None], buffer)[0], gradient

    def _of(self, X: Any, codes: ndarray, weight: ndarray | None) -> "FastObjective":
        return type(self)(X, codes, self.positive, self.penalty, weight, self.fit_intercept, self.run, self.loss)

    def _of_models(self, values: ndarray) -> ndarray:
        """Sums over the columns of each model, for each of them."""
        if self.n_coupled == 1:
            return values
        models = values.reshape(*values.shape[:-1], -1, self.n_coupled)
        return np.repeat(models.sum(axis=-1), self.n_coupled, axis=-1)

    def _allocate(self) -> None:
        self._labels = None if self.loss.is_canonical else self.positive
        self._scratch = np.zeros(self.shape)
        self.largest_penalty_curvature = self.penalty.curvature(self._scratch).max(axis=0)  # (n_columns,)

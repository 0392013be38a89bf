"""Rows as one array: the sums of `objective`, with one exponential and a fraction of a logarithm per margin.

With f = 1 + exp(z), q = 1 - p = 1 / f, and the constants c = X'(s (1 - y)) and l = X'(s y),

    cost     = sum_i s_i log f_i - w . l + penalty       the factor f serves both: its logarithm here,
    gradient = c - X'(s q) + penalty'                    its inverse there

so labels are read once, for c and l, and never again. This is the fastest path for data that fits into a cache, where
most of the time of a pass is that of calling NumPy: the column of ones makes the intercept a weight like the others,
buffers are used again, and logarithms wait until those of many points are taken in one call. Sums of logarithms are
logarithms of products of GROUP factors (`binomial`). Where exp(z) is too large for a float64, q = 0 is right, and the
value is computed again with `logaddexp`.

    A  (n_samples, n_features + 1)   X with a column of ones last (of zeros, without intercept)
    s  (n_samples, 1), or () where all rows weigh the same
"""

import copy

import numpy as np
from numpy import ndarray

from pipeline.logistic.binomial import GROUP, ONE, sum_of_logs
from pipeline.logistic.loss import Labels, Loss


class OneArray:
    """Sums over the rows of an array, for a loss with `is_one_exp`. The verbs are those of `strips.Strips`."""

    def __init__(self, X: ndarray, codes: ndarray, s: ndarray, fit_intercept: bool = True, n_columns: int = 1):
        self.A = np.full((len(X), X.shape[1] + 1), float(fit_intercept), order="F")
        self.A[:, :-1] = X
        self.codes, self.s, self.minus_s = codes, s, -s
        self._allocate(n_columns)

    def of_columns(self, n_columns: int) -> "OneArray":
        """The same rows, with buffers for so many columns."""
        narrow = copy.copy(self)
        narrow._allocate(n_columns)
        return narrow

    def _allocate(self, n_columns: int) -> None:
        n = len(self.A)
        padded = np.ones((-(-n // GROUP) * GROUP, n_columns))
        self.z = padded[:n]
        # The factors of a single column wait for `values`, which takes the logarithms of many points in one call. More
        # columns would fill the cache: they are multiplied in groups at once.
        is_grouped = not self.s.ndim and n_columns > 1
        self.grouped = padded.reshape(GROUP, -1, n_columns) if is_grouped else None

    def buffer(self, length: int, n_columns: int) -> ndarray:
        """Memory for what `evaluate` leaves to `values`, of so many points."""
        n = len(self.z) if self.grouped is None else self.grouped.shape[1]
        return np.empty((length, n, n_columns))

    def evaluate(self, loss: Loss, labels: Labels, W: ndarray, out: ndarray, buffer: ndarray) -> None:
        """Write -A'(s q) at W into `out`, and the factors, or their products, into `buffer`."""
        z, A = self.z, self.A
        A.dot(W, z)
        np.exp(z, z)
        if self.grouped is None:
            np.add(z, ONE, buffer)
            np.divide(self.minus_s, buffer, z)
        else:
            np.add(z, ONE, z)
            np.multiply.reduce(self.grouped, 0, None, out=buffer)
            np.divide(self.minus_s, z, z)
        A.T.dot(z, out)

    def values(self, loss: Loss, labels: Labels, W: ndarray, buffer: ndarray) -> ndarray:
        """sum s log f at evaluated points W (length, n_features + 1, n_columns): (length, n_columns)."""
        of_groups = self.grouped is not None
        total = np.log(buffer).sum(axis=1) / len(self.A) if of_groups else sum_of_logs(buffer, self.s)
        for t in np.flatnonzero(~np.isfinite(total).all(axis=1)):  # exp, or a product of factors, passed 10^308
            total[t] = (self.s * loss.value(self.A @ W[t], 0)).sum(axis=0)
        return total

    def label_sums(self, classes: ndarray) -> ndarray:
        """A'(s [code = class]) for each class, and A's last: (n_features + 1, n_classes + 1)."""
        return self.A.T @ (self.s * np.column_stack([self.codes[:, None] == classes, np.ones(len(self.A))]))

    def sandwich(self, loss: Loss, labels: Labels, W: ndarray, chosen: ndarray | slice, mean: bool) -> ndarray:
        """A' diag(s p q) A of each column and the chosen features and the intercept; or (1, ...), their mean."""
        squares = self.s * loss.curvature(self.A @ W, 0)
        A = self.A if isinstance(chosen, slice) else self.A[:, np.append(chosen, -1)]
        roots = np.sqrt(squares.mean(axis=1, keepdims=True) if mean else squares)
        return np.array([scaled.T @ scaled for scaled in (A * root[:, None] for root in roots.T)])

    def squares(self, loss: Loss, labels: Labels, W: ndarray) -> ndarray:
        """The diagonal of the mean of `sandwich`, (n_features + 1,)."""
        return (self.A**2).T @ (self.s * loss.curvature(self.A @ W, 0)).mean(axis=1)

    def gram(self) -> ndarray:
        """A' diag(s) A."""
        return (self.s * self.A).T @ self.A

    def gram_product(self, V: ndarray) -> ndarray:
        """A' diag(s) A V."""
        return self.A.T @ (self.s * (self.A @ V))

"""Rows as strips of blocks that threads, or other machines, share: the sums of `blocks`, on all cores.

The rows are cut into a fixed number of strips, each a `Strip`, whose sums are added in order: so the number of threads
does not change a bit. The weights of features become those of base columns, and the sums of base columns those of
features, once per pass:  V = T W,  G = T' (sums).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy import ndarray

from pipeline.logistic.blocks import Strip
from pipeline.logistic.loss import Labels, Loss
from pipeline.logistic.matrix import Matrix
from pipeline.logistic.threads import Call, Run


class Strips:
    """Sums over the rows of a matrix (n_samples, n_features), for any loss.

    run   maps a function over strips: `map`, or what `threads.workers` yields. Only inside `workers` are the last
          digits the same for any number of threads
    """

    def __init__(self, matrix: Matrix, codes: ndarray, s: ndarray, fit_intercept: bool, n_columns: int, run: Run):
        self.matrix, self.run = matrix, run
        self.strips = [
            Strip(block, codes[rows], s[rows] if s.ndim else s, fit_intercept, n_columns)
            for block, rows in matrix.strips()
        ]

    def of_columns(self, n_columns: int) -> "Strips":
        return self

    def buffer(self, length: int, n_columns: int) -> ndarray:
        """Memory for what `evaluate` leaves to `values`, of so many points."""
        return np.empty((length, 1, n_columns))

    def evaluate(self, loss: Loss, labels: Labels, W: ndarray, out: ndarray, buffer: ndarray) -> None:
        """Write X' (s residual) at W into `out`, and the sums of the loss into `buffer`."""
        total, buffer[0] = np.zeros((self.matrix.n_base + 1, W.shape[1])), 0
        for values, sums in self._each("evaluate", loss, labels, self.matrix.base_weights(W)):
            buffer[0] += values
            total += sums
        out[:] = self.matrix.feature_gradient(total)

    def values(self, loss: Loss, labels: Labels, W: ndarray, buffer: ndarray) -> ndarray:
        """The sums of the loss at evaluated points W (length, n_features + 1, n_columns): (length, n_columns)."""
        values = buffer[:, 0]
        for t in np.flatnonzero(~np.isfinite(values).all(axis=1)):
            values[t] = self._total("values", loss, labels, self.matrix.base_weights(W[t]))
        return values

    def label_sums(self, classes: ndarray) -> ndarray:
        """X'(s [code = class]) for each class, and X's last: (n_features + 1, n_classes + 1)."""
        return self.matrix.feature_gradient(self._total("label_sums", classes))

    def sandwich(self, loss: Loss, labels: Labels, W: ndarray, chosen: ndarray | slice, mean: bool) -> ndarray:
        """X' diag(s curvature) X of each column and the chosen features and the intercept; or (1, ...), their mean."""
        T = self.matrix.T
        if T is not None and not isinstance(chosen, slice):
            T, chosen = T[:, np.append(chosen, T.shape[1] - 1)], slice(None)
        return self._total("sandwich", loss, labels, self.matrix.base_weights(W), T, chosen, mean)

    def joint_sandwich(self, loss: Loss, W: ndarray) -> ndarray:
        """X' diag(s curvature) X for each two columns of one model, (K, n_features + 1, K, n_features + 1)."""
        return self._total("joint_sandwich", loss, self.matrix.base_weights(W), self.matrix.T)

    def squares(self, loss: Loss, labels: Labels, W: ndarray) -> ndarray:
        """The diagonal of the mean of `sandwich`, (n_features + 1,); roughly for features of several base columns."""
        total = self._total("squares", loss, labels, self.matrix.base_weights(W))
        return total if self.matrix.T is None else self.matrix.T.T.power(2) @ total

    def gram(self) -> ndarray:
        """X' diag(s) X, with the intercept."""
        return self._total("gram", self.matrix.T)

    def gram_product(self, V: ndarray) -> ndarray:
        """X' diag(s) X V, with the intercept."""
        return self.matrix.feature_gradient(self._total("gram_product", self.matrix.base_weights(V)))

    def _each(self, method: str, *arguments: Any) -> Iterator:
        return iter(self.run(Call(method, arguments), self.strips))

    def _total(self, method: str, *arguments: Any) -> ndarray:
        sums = self._each(method, *arguments)
        total = next(sums)
        for one in sums:
            total += one
        return total

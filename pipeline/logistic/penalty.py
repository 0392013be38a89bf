"""Penalties: a term of the objective that keeps weights small.

A penalty has three methods of the weights W (n_features + 1, n_columns), whose last row, the intercept, is never
penalised: `value` (n_columns,), `gradient` and `curvature` (the second derivatives), both of the shape of W. `select`
returns the same penalty for some of the columns.
"""

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike


class Ridge:
    """l2/2 ||w||^2, with l2 (n_columns,), or one number for all columns. Hoerl and Kennard (1970)."""

    def __init__(self, l2: ArrayLike):
        self.l2 = np.asarray(l2, dtype=np.float64)
        self._curvature = np.empty((0, 0))

    def value(self, W: ndarray) -> ndarray:
        """Of W, or of several W at once: (..., n_features + 1, n_columns) to (..., n_columns)."""
        w = W[..., :-1, :]
        return self.l2 / 2 * np.einsum("...jk,...jk->...k", w, w)

    def gradient(self, W: ndarray, out: ndarray | None = None) -> ndarray:
        return np.multiply(W, self.curvature(W), out)

    def curvature(self, W: ndarray) -> ndarray:
        if self._curvature.shape != W.shape:  # it is the same at any W, so it is kept
            self._curvature = np.ones(W.shape) * self.l2
            self._curvature[-1] = 0
        return self._curvature

    def select(self, columns: ndarray) -> "Ridge":
        return Ridge(self.l2[columns]) if self.l2.ndim else self

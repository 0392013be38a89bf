"""Penalties: a term of the objective that keeps weights small.

A penalty has methods of the weights W (n_features + 1, n_columns), whose last row, the intercept, is never penalised:
`value` (n_columns,), and of its smooth part `gradient` and `curvature` (the second derivatives), both of the shape of
W. Where it has a kink at zero (`is_smooth` is False), `prox` is the step of its other part, and `smallest_subgradient`
is zero at the optimum, as the gradient of a smooth one is. `select` returns the same penalty for some of the columns.
"""

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike


class Ridge:
    """l2/2 ||w||^2, with l2 (n_columns,), or one number for all columns. Hoerl and Kennard (1970)."""

    is_smooth = True

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

    def is_free(self, W: ndarray, tol: float) -> ndarray:
        """Whether a column has no penalty, or one whose slope at W is too small for the tolerance, (n_columns,)."""
        return np.linalg.norm(self.gradient(W), axis=0) <= (self.l2 > 0) * tol

    def prox(self, W: ndarray, step: ArrayLike) -> ndarray:
        return W

    def smallest_subgradient(self, W: ndarray, gradient: ndarray) -> ndarray:
        return gradient

    def select(self, columns: ndarray) -> "Ridge":
        return Ridge(self.l2[columns]) if self.l2.ndim else self


class ElasticNet(Ridge):
    """l1 |w| + l2/2 ||w||^2, with l1 and l2 (n_columns,): some weights are exactly zero. Zou and Hastie (2005)."""

    is_smooth = False

    def __init__(self, l2: ArrayLike, l1: ArrayLike):
        super().__init__(l2)
        self.l1 = np.asarray(l1, dtype=np.float64)

    def value(self, W: ndarray) -> ndarray:
        return super().value(W) + self.l1 * np.abs(W[..., :-1, :]).sum(axis=-2)

    def is_free(self, W: ndarray, tol: float) -> ndarray:
        return super().is_free(W, tol) & (self.l1 <= tol)

    def prox(self, W: ndarray, step: ArrayLike) -> ndarray:
        """The minimum over V of ||V - W||^2 / (2 step) + l1 |V|, in place: weights move towards zero and stop there."""
        w = W[..., :-1, :]
        w[...] = shrunk(w, np.broadcast_to(step, W.shape)[..., :-1, :] * self.l1)
        return W

    def smallest_subgradient(self, W: ndarray, gradient: ndarray) -> ndarray:
        """The shortest vector among the slopes of the cost at W, for the gradient of its smooth part."""
        found = gradient.copy()
        w, g = W[..., :-1, :], gradient[..., :-1, :]
        found[..., :-1, :] = np.where(w != 0, g + np.sign(w) * self.l1, shrunk(g, self.l1))
        return found

    def select(self, columns: ndarray) -> "ElasticNet":
        return ElasticNet(self.l2[columns], self.l1[columns])


def shrunk(values: ndarray, by: ArrayLike) -> ndarray:
    """Each of `values` nearer to zero by so much, but not beyond it."""
    return np.sign(values) * np.maximum(np.abs(values) - by, 0)


def penalty_of(strength: ndarray, l1_ratio: float) -> Ridge:
    """Ridge, or an elastic net, of the strength lambda (n_columns,) of each column."""
    strength = np.asarray(strength, dtype=np.float64)
    if l1_ratio == 0 or not strength.any():
        return Ridge(strength)
    return ElasticNet(strength * (1 - l1_ratio), strength * l1_ratio)

"""Penalties: a term of the objective that keeps weights small.

A penalty is a function of the weights W (n_features + 1, n_columns), whose last row, the intercept, is never penalised.
What a solver may ask of it is what it `offers`:

    smooth   it has no kink: `gradient`, and `curvature`, the diagonal of the second derivatives, are those of all of it
    prox     it has one, at zero: `gradient` and `curvature` are of its smooth part, and `prox` is the step of the rest
    signs    its smooth part is a ridge, and some weights have the sign `signs` (n_features,)
    l1       that kink is `l1` |w|, so it can be minimised coordinate by coordinate
"""

from typing import Self

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike


class Penalty:
    """A penalty with a kink and no smooth part defines `value`, `prox` and `select`."""

    offers = frozenset({"prox"})
    l1: ndarray  # of one that offers it
    is_rotation_invariant = False  # whether weights that are rotated, the intercept left out, cost the same

    def value(self, W: ndarray) -> ndarray:
        """Of W, or of several W at once: (..., n_features + 1, n_columns) to (..., n_columns)."""
        raise NotImplementedError

    def gradient(self, W: ndarray, out: ndarray | None = None) -> ndarray:
        """Of the smooth part, of the shape of W."""
        return np.zeros(W.shape)

    def curvature(self, W: ndarray) -> ndarray:
        """The diagonal of the second derivatives of the smooth part, of the shape of W."""
        return np.zeros(W.shape)

    def prox(self, W: ndarray, step: ArrayLike) -> ndarray:
        """The minimum over V of ||V - W||^2 / (2 step) + the part with the kink, in place; step of the shape of W."""
        raise NotImplementedError

    def slope(self, W: ndarray, gradient: ndarray) -> ndarray:
        """What is zero at the optimum, for the gradient of the smooth part of J: how far a proximal step would move."""
        return W - np.array([self.prox(V - g, np.ones(V.shape)) for V, g in zip(W, gradient, strict=True)])

    def is_free(self, W: ndarray, tol: float) -> ndarray | np.bool_:
        """Whether a column has no penalty, or one whose slope at W is too small for the tolerance, (n_columns,)."""
        return np.False_

    def select(self, columns: ndarray) -> Self:
        """The same penalty for some of the columns."""
        raise NotImplementedError


class Ridge(Penalty):
    """l2/2 ||w||^2. Hoerl and Kennard (1970).

    l2 is one number, (n_columns,), or (n_features, n_columns) for one of each feature.
    """

    offers = frozenset({"smooth"})

    def __init__(self, l2: ArrayLike):
        self.l2 = np.asarray(l2, dtype=np.float64)
        self.is_rotation_invariant = self.l2.ndim < 2
        self._curvature = np.empty((0, 0))

    def value(self, W: ndarray) -> ndarray:
        w = W[..., :-1, :]
        if self.l2.ndim == 2:
            return np.einsum("...jk,...jk,jk->...k", w, w, self.l2 / 2)
        return self.l2 / 2 * np.einsum("...jk,...jk->...k", w, w)

    def gradient(self, W: ndarray, out: ndarray | None = None) -> ndarray:
        return np.multiply(W, self.curvature(W), out)

    def curvature(self, W: ndarray) -> ndarray:
        if self._curvature.shape != W.shape:  # it is the same at any W, so it is kept
            self._curvature = of_weights(self.l2, W)
        return self._curvature

    def slope(self, W: ndarray, gradient: ndarray) -> ndarray:
        return gradient

    def is_free(self, W: ndarray, tol: float) -> ndarray | np.bool_:
        return np.linalg.norm(self.gradient(W), axis=0) <= (self.curvature(W).max(axis=0) > 0) * tol

    def select(self, columns: ndarray) -> Self:
        return type(self)(_of_columns(self.l2, columns))


class ElasticNet(Ridge):
    """l1 |w| + l2/2 ||w||^2, with l1 and l2 as in `Ridge`: some weights are exactly zero. Zou and Hastie (2005)."""

    offers = frozenset({"prox", "l1"})

    def __init__(self, l2: ArrayLike, l1: ArrayLike):
        super().__init__(l2)
        self.l1, self.is_rotation_invariant = np.asarray(l1, dtype=np.float64), False

    def value(self, W: ndarray) -> ndarray:
        return super().value(W) + (self.l1 * np.abs(W[..., :-1, :])).sum(axis=-2)

    def is_free(self, W: ndarray, tol: float) -> ndarray | np.bool_:
        return super().is_free(W, tol) & (of_weights(self.l1, W).max(axis=0) <= tol)

    def prox(self, W: ndarray, step: ArrayLike) -> ndarray:
        """Weights move towards zero and stop there."""
        w = W[..., :-1, :]
        w[...] = shrunk(w, np.broadcast_to(step, W.shape)[..., :-1, :] * self.l1)
        return W

    def slope(self, W: ndarray, gradient: ndarray) -> ndarray:
        """The shortest vector among the slopes of the cost at W."""
        shortest = gradient.copy()
        w, g = W[..., :-1, :], gradient[..., :-1, :]
        shortest[..., :-1, :] = np.where(w != 0, g + np.sign(w) * self.l1, shrunk(g, self.l1))
        return shortest

    def select(self, columns: ndarray) -> Self:
        return type(self)(_of_columns(self.l2, columns), _of_columns(self.l1, columns))


class SignedRidge(Ridge):
    """Ridge, and weights that may not have the other sign than `signs` (n_features,): -1, 1, or 0 for either.

    It is l2/2 ||w||^2 plus a function that is 0 for weights that are allowed and infinite for others, whose proximal
    step is the nearest allowed weight.
    """

    offers = frozenset({"prox", "signs"})

    def __init__(self, l2: ArrayLike, signs: ndarray):
        super().__init__(l2)
        self.signs, self.is_rotation_invariant = signs, False

    def prox(self, W: ndarray, step: ArrayLike) -> ndarray:
        w = W[..., :-1, :]
        w[w * self.signs[:, None] < 0] = 0
        return W

    def slope(self, W: ndarray, gradient: ndarray) -> ndarray:
        return Penalty.slope(self, W, gradient)

    def select(self, columns: ndarray) -> Self:
        return type(self)(_of_columns(self.l2, columns), self.signs)


def of_weights(lambda_: ndarray, W: ndarray) -> ndarray:
    """The lambda of each weight, of the shape of W: 0 for the intercept."""
    each = np.zeros(W.shape)
    each[:-1] = lambda_
    return each


def shrunk(values: ndarray, by: ArrayLike) -> ndarray:
    """Each of `values` nearer to zero by so much, but not beyond it."""
    return np.sign(values) * np.maximum(np.abs(values) - by, 0)


def penalty_of(lambda_: ArrayLike, l1_ratio: float, signs: ndarray | None = None) -> Ridge:
    """Ridge, or an elastic net, of the lambda of each column, (n_columns,); ridge with `signs` of some weights."""
    lambda_ = np.asarray(lambda_, dtype=np.float64)
    if signs is not None:
        return SignedRidge(lambda_, signs)
    if l1_ratio == 0 or not lambda_.any():
        return Ridge(lambda_)
    return ElasticNet(lambda_ * (1 - l1_ratio), lambda_ * l1_ratio)


def _of_columns(lambda_: ndarray, columns: ndarray) -> ndarray:
    return lambda_[..., columns] if lambda_.ndim else lambda_

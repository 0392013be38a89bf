"""The pointwise functions of logistic regression, of margins z = X w + b, exact to the last digit at any z.

What training minimises is a `Loss`: `binomial` and `softmax` are two.
"""

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike

Labels = ndarray | None  # of each column, the class that has y = 1; None for a canonical loss, which gets y = 0
MULTICLASS = ("one_vs_rest", "softmax")  # how models of several classes are joined


def sigmoid(z: ArrayLike) -> ndarray:
    """1 / (1 + exp(-z)), the probability of y = 1."""
    return np.exp(-np.logaddexp(0, -np.asarray(z, dtype=np.float64)))


def log_loss(z: ArrayLike, y: ArrayLike) -> ndarray:
    """log(1 + exp(z)) - y z for margins z and labels y in {0, 1}: minus the logarithm of the probability of y."""
    return np.logaddexp(0, np.where(y, -1, 1) * np.asarray(z, dtype=np.float64))


def probabilities(margins: ndarray, multiclass: str = "one_vs_rest") -> ndarray:
    """Class probabilities (n_samples, n_classes).

    margins (n_samples,) for two classes; (n_samples, n_classes) for more. By "softmax" the probability of a class is
    its exp(z) divided by the sum of all; by "one_vs_rest" that against the rest, divided by their sum.
    """
    if multiclass == "softmax" and margins.ndim == 2:
        return np.exp(log_probabilities(margins, multiclass))
    P = sigmoid(margins)
    if P.ndim == 1:
        return np.column_stack([sigmoid(-margins), P])
    total = P.sum(axis=1, keepdims=True)
    # Where all margins are so low that every exp is 0, the classes of the highest margin share the probability.
    highest = margins == margins.max(axis=1, keepdims=True)
    P = np.where(total > 0, P, highest)
    return P / P.sum(axis=1, keepdims=True)


def log_probabilities(margins: ndarray, multiclass: str = "one_vs_rest") -> ndarray:
    """The logarithms of `probabilities`, exact where these are too small for a float64."""
    if margins.ndim == 1:
        return -np.column_stack([np.logaddexp(0, margins), np.logaddexp(0, -margins)])
    L = margins if multiclass == "softmax" else -np.logaddexp(0, -margins)
    return L - np.logaddexp.reduce(L, axis=1, keepdims=True)


def log_losses(P: ndarray, codes: ndarray) -> ndarray:
    """The log-loss of each row, for probabilities P (n_samples, n_classes) and classes as codes (n_samples,)."""
    return -np.log(np.maximum(P[np.arange(len(codes)), codes], np.finfo(P.dtype).eps))


def predicted(margins: ndarray) -> ndarray:
    """The index of the predicted class of each row, (n_samples,).

    margins (n_samples,) for two classes: the second where z > 0; (n_samples, n_classes) for more: the highest margin,
    the first of equal ones. Probabilities would not do: those of large margins are all 1.
    """
    return (margins > 0).astype(int) if margins.ndim == 1 else margins.argmax(axis=1)


class Loss:
    """What a row costs: a function of its margins z and labels y in {0, 1}, both (n_rows, n_columns).

    A loss defines `value(z, y)`, and its first and second derivatives by z, `residual(z, y)` and `curvature(z, y)`.

    One that is A(z) - y z (`is_canonical`) is trained without its labels, which J and its gradient need in two sums
    only: `sums` are those of A(z) and A'(z) - 1, and `residual` and `curvature` get y = 0.
    """

    offers = frozenset({"gradient", "curvature"})  # what solvers may ask of it (`optimizers.NEEDS`)
    is_canonical = False
    is_one_exp = False  # whether A(z) = log f and 1 - A'(z) = 1 / f for f = 1 + exp(z), as `one_exp` needs
    n_coupled = 1  # neighbouring columns that are one model: its classes
    bound_of_model: float | None = (
        None  # what the curvature of a model (all its columns) never exceeds, if there is one
    )

    def value(self, z: ndarray, y: ArrayLike) -> ndarray:
        raise NotImplementedError

    def residual(self, z: ndarray, y: ArrayLike) -> ndarray:
        raise NotImplementedError

    def curvature(self, z: ndarray, y: ArrayLike) -> ndarray:
        raise NotImplementedError

    def sums(self, z: ndarray, y: ArrayLike, s: ndarray) -> tuple[ndarray, ndarray]:
        """sum_i s_i value, (n_columns,), and s residual, (n_rows, n_columns), for row weights s (n_rows, 1) or ().

        It may write into z.
        """
        return (s * self.value(z, y)).sum(axis=0), s * self.residual(z, y)

"""The pointwise functions of logistic regression, of margins z = X w + b, exact to the last digit at any z."""

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike

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


def predicted(margins: ndarray) -> ndarray:
    """The index of the predicted class of each row, (n_samples,).

    margins (n_samples,) for two classes: the second where z > 0; (n_samples, n_classes) for more: the highest margin,
    the first of equal ones. Probabilities would not do: those of large margins are all 1.
    """
    return (margins > 0).astype(int) if margins.ndim == 1 else margins.argmax(axis=1)

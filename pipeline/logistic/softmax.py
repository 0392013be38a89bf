"""Softmax: one model of K classes, in place of K models of one class against the rest (multinomial regression).

    J(W) = sum_i s_i [log sum_k exp(z_ik) - z_i,y_i] + penalty(W),       z = X W + b
    gradient  = X' (s (P - Y)) + penalty'(W),                            P_ik = exp(z_ik) / sum_l exp(z_il)
    curvature = X' diag(s p_k (1[k = l] - p_l)) X  for classes k and l, + penalty''(W)

The columns of a model are coupled: each of them shows the cost of the whole model, products of columns are summed over
the model, and so step sizes and stops are those of the model. Adding a number to all intercepts changes nothing: their
mean stays that of the start. Of two classes it is the same model as one column. Bishop, Pattern Recognition and Machine
Learning, 4.3.4; the bound X'X / 2 is Bohning's (1992).
"""

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike

from pipeline.logistic.binomial import Binomial
from pipeline.logistic.loss import Loss
from pipeline.logistic.penalty import Ridge


def loss_of(multiclass: str, n_columns: int) -> Loss:
    """The loss of a model with so many columns of weights."""
    return Softmax(n_columns) if multiclass == "softmax" and n_columns > 1 else Binomial()


def cost(W: ndarray, X: ndarray, Y: ndarray, penalty: Ridge) -> float:
    """J of one model: X (n_samples, n_features), Y (n_samples, n_classes) in {0, 1}, W (n_features + 1, n_classes)."""
    z = X @ W[:-1] + W[-1]
    return float(np.mean(np.logaddexp.reduce(z, axis=1) - np.sum(z * Y, axis=1)) + np.sum(penalty.value(W)))


def gradient(W: ndarray, X: ndarray, Y: ndarray, penalty: Ridge) -> ndarray:
    """The first derivatives, of the shape of W."""
    ones = np.column_stack([X, np.ones(len(X))])
    return ones.T @ (probabilities(X @ W[:-1] + W[-1]) - Y) / len(X) + penalty.gradient(W)


def probabilities(z: ndarray) -> ndarray:
    """P of margins z (..., n_classes)."""
    P = np.exp(z - z.max(axis=-1, keepdims=True))
    return P / P.sum(axis=-1, keepdims=True)


class Softmax(Loss):
    """Of columns of which each n_classes neighbours are one model; each has a share of 1 / n_classes of A(z)."""

    is_canonical = True
    bound_of_model = 1 / 2

    def __init__(self, n_classes: int):
        self.n_coupled = n_classes

    def value(self, z: ndarray, y: ArrayLike) -> ndarray:
        total = np.logaddexp.reduce(self._models(z), axis=2) / self.n_coupled
        return np.repeat(total, self.n_coupled, axis=1) - y * z

    def residual(self, z: ndarray, y: ArrayLike) -> ndarray:
        return self._probabilities(z) - y

    def curvature(self, z: ndarray, y: ArrayLike) -> ndarray:
        """Of each column alone; `joint_curvature` is of all."""
        P = self._probabilities(z)
        return P * (1 - P)

    def joint_curvature(self, z: ndarray) -> ndarray:
        """p_k (1[k = l] - p_l) of one model, (n_rows, n_classes, n_classes)."""
        P = probabilities(z)
        return P[:, :, None] * (np.eye(self.n_coupled) - P[:, None, :])

    def sums(self, z: ndarray, y: ArrayLike, s: ndarray) -> tuple[ndarray, ndarray]:
        models = self._models(z)
        top = models.max(axis=2, keepdims=True)
        E = np.exp(models - top)
        total = E.sum(axis=2, keepdims=True)
        share = (s * (np.log(total) + top)[:, :, 0]).sum(axis=0) / self.n_coupled
        return np.repeat(share, self.n_coupled), s * (E / total - 1).reshape(len(z), -1)

    def _models(self, z: ndarray) -> ndarray:
        return z.reshape(len(z), -1, self.n_coupled)

    def _probabilities(self, z: ndarray) -> ndarray:
        return probabilities(self._models(z)).reshape(len(z), -1)

"""Softmax: one model of K classes, in place of K models of one class against the rest (multinomial regression).

    J(W) = sum_i s_i [log sum_k exp(z_ik) - z_i,y_i] + penalty(W),       z = X W + b
    gradient  = X' (s (P - Y)) + penalty'(W),                            P_ik = exp(z_ik) / sum_l exp(z_il)
    curvature = X' diag(s p_k (1[k = l] - p_l)) X  for classes k and l, + penalty''(W)

The columns of a model are coupled: each of them shows the cost of the whole model, products of columns are summed over
the model, and so step sizes and stops are those of the model. Adding a number to all intercepts changes nothing: their
mean stays that of the start. Of two classes it is the same model as one column. Bishop, Pattern Recognition and Machine
Learning, 4.3.4; the bound X'X / 2 is Bohning's (1992).
"""

from typing import Any

import numpy as np
from numpy import ndarray

from pipeline.logistic.fast_objective import FastObjective, Strip
from pipeline.logistic.matrix import Block
from pipeline.logistic.penalty import Ridge


def objective_of(multiclass: str, n_columns: int) -> type[FastObjective]:
    """The objective of a model with so many columns of weights."""
    return SoftmaxObjective if multiclass == "softmax" and n_columns > 1 else FastObjective


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


class SoftmaxObjective(FastObjective):
    """As `FastObjective`, for columns of which each K neighbours, one for each class, are one model."""

    is_coupled = True
    _curvatures_of_model = 2

    def __init__(self, X: Any, codes: ndarray, positive: ndarray, *settings: Any, **more: Any):
        self.n_coupled = len(np.unique(positive))
        super().__init__(X, codes, positive, *settings, **more)

    def inner(self, A: ndarray, B: ndarray) -> ndarray:
        return self._coupled(super().inner(A, B))

    def costs(self, W: ndarray, buffer: ndarray) -> ndarray:
        return self._coupled(super().costs(W, buffer))

    def newton(self, W: ndarray, gradient: ndarray) -> ndarray:
        """The curvature of each model, all of its classes together, divides the gradient; of the shape of W."""
        K, n = self.n_coupled, len(W)
        penalty = self.penalty.curvature(W)
        out = np.empty_like(W)
        for first in range(0, W.shape[1], K):
            k = np.arange(first, first + K)
            one = self.select(k)
            H = one._total("joint_curvature", one.matrix.base_weights(W[:, k]), one.matrix.T)
            H = H.reshape(K * n, K * n)
            diagonal = np.diag(H) + penalty[:, k].T.ravel()
            # Weights without penalty (the intercepts) may move together: a small addition makes H regular, and their
            # mean, which is only rounding then, is taken out.
            H[np.diag_indices(K * n)] = diagonal + 1e-10 * diagonal.max()
            step = np.linalg.solve(H, gradient[:, k].T.ravel()).reshape(K, n).T
            out[:, k] = step - step.mean(axis=1, keepdims=True) * (penalty[:, k] == 0)
        return out

    def _coupled(self, values: ndarray) -> ndarray:
        """Sums over the columns of each model, for each of them."""
        models = values.reshape(*values.shape[:-1], -1, self.n_coupled)
        return np.repeat(models.sum(axis=-1), self.n_coupled, axis=-1)

    def _strip(self, *arguments: Any) -> Strip:
        return _SoftmaxStrip(*arguments, n_classes=self.n_coupled)


class _SoftmaxStrip(Strip):
    """Each column has a share of 1/K of the loss of its model."""

    def __init__(self, *arguments: Any, n_classes: int):
        super().__init__(*arguments)
        self.n_classes = n_classes

    def loss_and_gradient(self, V: ndarray) -> tuple[ndarray, ndarray]:
        """The loss without labels, (n_columns,), and [B 1]'(s (1 - P)), of the shape of V."""
        loss = np.zeros(V.shape[1])

        def residuals(block: Block, s: ndarray, _: ndarray) -> ndarray:
            z = self._models(block.margins(V))
            top = z.max(axis=2, keepdims=True)
            E = np.exp(z - top)
            total = E.sum(axis=2, keepdims=True)
            share = (s * (np.log(total) + top)[:, :, 0]).sum(axis=0) / self.n_classes
            np.add(loss, np.repeat(share, self.n_classes), loss)
            return s * (1 - E / total).reshape(len(block), -1)

        return loss, self._sums(residuals, V.shape[1])

    def exact_loss(self, V: ndarray) -> ndarray:
        return self.loss_and_gradient(V)[0]

    def joint_curvature(self, V: ndarray, T: Any) -> ndarray:
        """X' diag(s p_k (1[k = l] - p_l)) X of one model, (n_classes, n_features + 1, n_classes, n_features + 1)."""
        total: Any = 0
        for block, s, _ in self._each_block():
            P = probabilities(block.margins(V))
            X = np.column_stack([block.features(T), np.full(len(block), self.ones)])
            K, n = self.n_classes, X.shape[1]
            found = np.empty((K, n, K, n))
            for k in range(K):
                for j in range(k, K):
                    found[k, :, j] = (X.T * (np.broadcast_to(s, P.shape)[:, k] * P[:, k] * ((k == j) - P[:, j]))) @ X
                    found[j, :, k] = found[k, :, j].T
            total = total + found
        return total

    def _squares(self, block: Block, s: ndarray, V: ndarray | None) -> ndarray:
        if V is None:
            return super()._squares(block, s, V)
        P = probabilities(self._models(block.margins(V))).reshape(len(block), -1)
        return s * P * (1 - P)

    def _models(self, z: ndarray) -> ndarray:
        return z.reshape(len(z), -1, self.n_classes)

"""The binomial loss, of one class against the rest: log(1 + exp(z)) - y z.

One exponential serves the value and its derivative: with f = 1 + exp(z), log(1 + exp(z)) = log f and 1 - p = 1 / f.
Fewer logarithms: log a + log b = log(a b), so GROUP factors are multiplied and share one.
"""

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike

from pipeline.logistic.loss import Loss, log_loss, sigmoid

GROUP = 8
ONE = np.array(1.0)


class Binomial(Loss):
    """Of each column on its own. The bound is Bohning and Lindsay's (1988)."""

    is_canonical = is_one_exp = True
    bound_of_model = 1 / 4

    def value(self, z: ndarray, y: ArrayLike) -> ndarray:
        return log_loss(z, y)

    def residual(self, z: ndarray, y: ArrayLike) -> ndarray:
        return sigmoid(z) - y

    def curvature(self, z: ndarray, y: ArrayLike) -> ndarray:
        q = 1 / (1 + np.exp(z))
        return q * (1 - q)

    def sums(self, z: ndarray, y: ArrayLike, s: ndarray) -> tuple[ndarray, ndarray]:
        """Infinite where exp(z) is too large for a float64, and right in the second part."""
        np.exp(z, z)
        np.add(z, ONE, z)
        return sum_of_logs(z, s), np.divide(-s, z, z)


def sum_of_logs(factors: ndarray, s: ndarray) -> ndarray:
    """sum s log(factors) over rows, (..., n_columns), factors (..., n_rows, n_columns) from 1 up; may be infinite."""
    if s.ndim:
        return np.einsum("...ik,i->...k", np.log(factors), s[:, 0])
    *ahead, n_rows, n_columns = factors.shape
    whole = n_rows // GROUP * GROUP
    grouped = factors[..., :whole, :].reshape(*ahead, GROUP, whole // GROUP, n_columns)
    total = np.log(np.multiply.reduce(grouped, axis=-3)).sum(axis=-2)
    if whole < n_rows:
        total += np.log(factors[..., whole:, :]).sum(axis=-2)
    return s * total

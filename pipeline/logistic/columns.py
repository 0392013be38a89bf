"""Fit the columns of one weight matrix: what the estimator, one-vs-rest and every sweep run."""

import numpy as np

from pipeline.logistic.minimize import Minimum, minimize
from pipeline.logistic.objective import Objective
from pipeline.logistic.optimizers import OPTIMIZERS, QuasiNewton

SAMPLE_FLOATS = 6_000_000  # 48 MB


def fit_columns(
    objective: Objective, optimizer, learning_rate=None, start=None, max_iter=10_000, tol=1e-6, callback=None
) -> Minimum:
    """Minimise every column of the objective.

    learning_rate (n_columns,) is the fixed step of gradient_descent and nesterov, None for one that is safe; newton and
    quasi_newton need none. start (n_features + 1, n_columns) defaults to zeros. The rest: see `minimize`.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        start = np.zeros(objective.shape) if start is None else start
        if optimizer in ("gradient_descent", "nesterov"):
            rate = objective.safe_learning_rate() if learning_rate is None else np.asarray(learning_rate, dtype=float)
            rule = OPTIMIZERS[optimizer](np.tile(rate, (len(start), 1)))
        elif optimizer == "newton":
            rule = OPTIMIZERS[optimizer]()
        else:
            rows = int(np.clip(SAMPLE_FLOATS // len(start), 5_000, 20_000))
            sample, factorised_at = objective, np.zeros_like(start)
            if len(objective.X) > 4 * rows and max_iter > 0:
                # A sample's optimum and curvature are near enough to those of all rows to save most passes.
                sample = objective.sample(rows)
                start = minimize(sample, start, QuasiNewton(sample, factorised_at), max_iter, max(tol, 1e-3)).weights
                factorised_at = start
            rule = QuasiNewton(sample, factorised_at)
        return minimize(objective, start, rule, max_iter, tol, callback)

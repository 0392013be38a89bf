"""Fit the columns of one weight matrix: what the estimator, one-vs-rest and every sweep run."""

import numpy as np

from pipeline.logistic.minimize import Minimum, minimize
from pipeline.logistic.objective import Objective
from pipeline.logistic.optimizers import OPTIMIZERS, QuasiNewton

SAMPLE = 50_000  # rows on which quasi_newton finds its start


def fit_columns(
    X,
    codes,
    positive,
    l2,
    learning_rate=None,
    optimizer="gradient_descent",
    max_iter=10_000,
    tol=1e-6,
    start=None,
    sample_weight=None,
    fit_intercept=True,
    run=map,
    callback=None,
) -> Minimum:
    """Fit every column on all rows of X (n_samples, n_features).

    codes (n_samples,) are the classes of the rows as whole numbers. Column k separates class positive[k] from the others, with
    penalty l2[k] and fixed step learning_rate[k] (all three (n_columns,); None for learning rates that are safe; newton and
    quasi_newton need none). start (n_features + 1, n_columns) defaults to zeros. `run`: see `threads.workers`.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        objective = Objective(X, codes, positive, l2, sample_weight, fit_intercept, run)
        rule = OPTIMIZERS[optimizer]
        if learning_rate is None and not rule.guarded:
            learning_rate = objective.safe_learning_rate()
        start = np.zeros(objective.shape) if start is None else start
        if rule is QuasiNewton and len(X) > 2 * SAMPLE:
            sample = objective.sample(SAMPLE, codes, positive)
            start = minimize(sample, start, QuasiNewton(None, None), max_iter, max(tol, 1e-4)).weights
        return minimize(objective, start, rule(objective, learning_rate), max_iter, tol, callback)

"""Run an optimiser on every column of an objective until each has converged, diverged or run out of iterations."""

from dataclasses import dataclass

import numpy as np

CHUNK_BYTES = 1024 * 1024

CONVERGED, STALLED, RAN_OUT, DIVERGED = "converged", "stalled", "ran out", "diverged"


@dataclass
class Minimum:
    """Where each of n_columns columns ended, and how it went there."""

    weights: np.ndarray  # (n_features + 1, n_columns), the intercept last
    n_iter: np.ndarray  # (n_columns,), steps taken
    gradient_norm: np.ndarray  # (n_columns,), at the weights
    status: np.ndarray  # (n_columns,) of str: converged, stalled (the cost no longer falls), ran out or diverged
    costs: np.ndarray  # (iterations + 1, n_columns), the start first, NaN after a column stopped


def minimize(objective, W, rule, max_iter, tol, callback=None):
    """Follow `rule` (of `optimizers`) from W (n_features + 1, n_columns).

    A column converges when its gradient's norm is at most `tol`, and diverges when its cost is not finite or a hundred times that
    of the start (of log 2, that of zero weights, if it is larger). Iterations run in chunks whose weights and gradients are kept, so
    that costs and stops are found for a whole chunk at once. callback(iteration, cost summed over running columns).
    """
    n_weights, n_columns = W.shape
    columns = np.arange(n_columns)
    result = Minimum(
        W.copy(), np.zeros(n_columns, int), np.empty(n_columns), np.full(n_columns, RAN_OUT, dtype="<U9"), None
    )
    history = []
    iteration = 0
    trajectory = None
    while True:
        if trajectory is None:
            trajectory = _Trajectory(objective, 1 if rule.guarded else None)
            trajectory.weights[0] = W
        length = min(len(trajectory.weights), max_iter + 1 - iteration)
        weights, gradients = trajectory.run(objective, rule, length)
        costs = objective.cost(weights, trajectory.products[:length])
        stalled = rule.judge(weights[0], costs[0], gradients[0]) if rule.guarded else np.zeros(len(columns), bool)
        norms = np.sqrt(np.einsum("tjk,tjk->tk", gradients, gradients))
        if iteration == 0:
            ceiling = 100 * np.maximum(costs[0], np.log(2))
        diverged = ~(costs <= ceiling)
        stops = diverged | (norms <= tol) | stalled
        last = np.where(stops.any(axis=0), stops.argmax(axis=0), length - 1)
        finished = stops.any(axis=0) | (iteration + length > max_iter)
        here = np.arange(len(columns))
        costs[np.arange(length)[:, None] > last] = np.nan
        history.append((columns, costs))
        if callback is not None:
            callback(iteration + length - 1, float(np.nansum(costs[-1])))
        if finished.any():
            done, at = columns[finished], (last[finished], slice(None), here[finished])
            result.weights[:, done] = weights[at].T
            result.n_iter[done] = iteration + last[finished]
            result.gradient_norm[done] = norms[last, here][finished]
            status = np.where(stalled, STALLED, RAN_OUT).astype("<U9")
            status[norms[last, here] <= tol] = CONVERGED
            status[diverged[last, here]] = DIVERGED
            result.status[done] = status[finished]
            if finished.all():
                break
            running = ~finished
            columns, ceiling = columns[running], ceiling[running]
            objective = objective.select(running)
            rule.keep(running)
            W, gradient = weights[-1][:, running], gradients[-1][:, running]
            trajectory = None
        else:
            W, gradient = weights[-1].copy(), gradients[-1]
        iteration += length
        following = np.empty_like(W)
        rule.step(objective, W, gradient, following)
        W = following
        if trajectory is not None:
            trajectory.weights[0] = W
    result.costs = np.full((result.n_iter.max() + 1, n_columns), np.nan)
    row = 0
    for columns, costs in history:
        kept = costs[: len(result.costs) - row]
        result.costs[row : row + len(kept), columns] = kept
        row += len(costs)
    return result


class _Trajectory:
    """Weights and gradients of consecutive iterations, in memory that fits a cache."""

    def __init__(self, objective, length):
        bytes_each = 8 * (2 * np.prod(objective.shape) + np.prod(objective.products_shape))
        length = length or int(np.clip(CHUNK_BYTES // bytes_each, 1, 64))
        self.weights = np.empty((length, *objective.shape))
        self.gradients = np.empty((length, *objective.shape))
        self.products = np.empty((length, *objective.products_shape))

    def run(self, objective, rule, length):
        weights, gradients = self.weights[:length], self.gradients[:length]
        views = zip(weights, gradients, self.products, strict=False)
        W, gradient, products = next(views)
        objective.evaluate(W, gradient, products)
        for following, next_gradient, products in views:
            rule.step(objective, W, gradient, following)
            W, gradient = following, next_gradient
            objective.evaluate(W, gradient, products)
        return weights, gradients

"""Run an optimiser on every column of an objective until each has converged, diverged or run out of iterations."""

from dataclasses import dataclass

import numpy as np

CHUNK_BYTES = 512 * 1024
CONVERGED, STALLED, RAN_OUT, DIVERGED = "converged", "stalled", "ran out", "diverged"


@dataclass
class Minimum:
    """Where each of n_columns columns ended, and how it went there."""

    weights: np.ndarray  # (n_features + 1, n_columns), the intercept last
    n_iter: np.ndarray  # (n_columns,), steps taken
    gradient_norm: np.ndarray  # (n_columns,), at the weights
    status: np.ndarray  # (n_columns,) of str: converged, stalled (the cost no longer falls), ran out or diverged
    costs: np.ndarray  # (iterations + 1, n_columns), the start first, NaN after a column stopped

    @property
    def cost(self):
        """At the weights, (n_columns,)."""
        return self.costs[self.n_iter, np.arange(len(self.n_iter))]


def minimize(objective, W, rule, max_iter, tol, callback=None):
    """Follow `rule` (of `optimizers`) from W (n_features + 1, n_columns).

    A column converges when its gradient's norm is at most `tol`. It diverges when its cost is not finite, or twice that
    of the start (of zero weights, log 2, if that is larger): a safe step never climbs at all. Iterations run in
    chunks whose weights and gradients are kept, so that costs and stops are found for a whole chunk at once; stopped
    columns are dropped. After each chunk callback(iteration, cost) gets the sum of the running columns' costs.
    """
    n_columns = W.shape[1]
    columns = np.arange(n_columns)
    result = Minimum(W.copy(), np.zeros(n_columns, int), np.empty(n_columns), np.empty(n_columns, "<U9"), None)
    history = []
    first = 0  # iteration that the chunk starts with
    chunk = _Chunk(objective, rule, W)
    while True:
        weights, gradients, costs = chunk.run(objective, rule, max_iter + 1 - first)
        stalled = rule.judge(weights[0], costs[0], gradients[0]) if rule.guarded else np.zeros(len(columns), bool)
        norms = np.sqrt(np.einsum("tjk,tjk->tk", gradients, gradients))
        if first == 0:
            ceiling = 2 * np.maximum(costs[0], np.log(2))
        diverged = ~(costs <= ceiling)
        stops = diverged | (norms <= tol) | stalled
        finished = stops.any(axis=0)
        last = np.where(finished, stops.argmax(axis=0), len(costs) - 1)
        finished |= first + len(costs) > max_iter
        costs[np.arange(len(costs))[:, None] > last] = np.nan
        history.append((first, columns, costs))
        if callback is not None:
            callback(first + len(costs) - 1, float(np.nansum(costs[-1])))
        for here in np.flatnonzero(finished):
            k, t = columns[here], last[here]
            result.weights[:, k] = weights[t, :, here]
            result.n_iter[k] = first + t
            result.gradient_norm[k] = norms[t, here]
            checks = (DIVERGED, diverged[t, here]), (CONVERGED, norms[t, here] <= tol), (STALLED, stalled[here])
            result.status[k] = next((status for status, true in checks if true), RAN_OUT)
        if finished.all():
            break
        first += len(costs)
        W, gradient = weights[-1], gradients[-1]
        if finished.any():
            running = ~finished
            columns, ceiling, W, gradient = columns[running], ceiling[running], W[:, running], gradient[:, running]
            objective = objective.select(running)
            rule.keep(running)
            chunk = _Chunk(objective, rule, W)
        rule.step(objective, W.copy(), gradient, chunk.weights[0])
    result.costs = np.full((result.n_iter.max() + 1, n_columns), np.nan)
    for first, columns, costs in history:
        kept = costs[: max(len(result.costs) - first, 0)]
        result.costs[first : first + len(kept), columns] = kept
    return result


class _Chunk:
    """Weights and gradients of consecutive iterations, in little memory; a single one where each cost is awaited."""

    def __init__(self, objective, rule, W):
        bytes_each = 8 * (2 * W.size + objective.factors(1).size)
        length = 1 if rule.guarded else min(max(CHUNK_BYTES // bytes_each, 1), 64)
        self.weights, self.gradients = np.empty((length, *W.shape)), np.empty((length, *W.shape))
        self.factors = objective.factors(length)
        self.weights[0] = W
        self.points = list(zip(self.weights, self.gradients, self.factors, strict=True))

    def run(self, objective, rule, at_most):
        length = min(len(self.points), at_most)
        W, gradient, factors = self.points[0]
        objective.evaluate(W, gradient, factors)
        for following, next_gradient, factors in self.points[1:length]:
            rule.step(objective, W, gradient, following)
            W, gradient = following, next_gradient
            objective.evaluate(W, gradient, factors)
        weights = self.weights[:length]
        return weights, self.gradients[:length], objective.cost(weights, self.factors[:length])

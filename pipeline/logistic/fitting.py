"""Fit the columns of one weight matrix: what the estimator, one-vs-rest and every sweep run."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from pipeline.logistic.coordinates import Change, centred, in_row_space
from pipeline.logistic.fast_objective import LARGEST_FACTOR, FastObjective
from pipeline.logistic.newton import CoordinateNewton, Newton, SignedNewton
from pipeline.logistic.optimizers import COORDINATES, NEWTON, QUASI_NEWTON, SIGNED, Solver, offers, solver_for
from pipeline.logistic.quasi_newton import QuasiNewton
from pipeline.logistic.search import Direction, Halving, Search
from pipeline.logistic.separation import separating_features
from pipeline.logistic.status import Status

CHUNK_BYTES = 512 * 1024
SAMPLE_FLOATS = 6_000_000  # 48 MB
NEAR = 1e-8  # of the cost: a fit that stalls with less than this to fall is at the optimum
Callback = Callable[[int, float], object]


@dataclass
class Minimum:
    """Where each of n_columns columns ended, and how."""

    weights: ndarray  # (n_features + 1, n_columns), the intercept last
    n_iter: ndarray  # (n_columns,), steps taken
    gradient_norm: ndarray  # (n_columns,), at the weights
    status: ndarray  # (n_columns,) of str, the values of `Status`
    costs: ndarray  # (iterations + 1, n_columns), the start first, NaN after a column stopped
    optimizer: str = ""  # that of `OPTIMIZERS` which took the steps

    @property
    def cost(self) -> ndarray:
        """At the weights, (n_columns,)."""
        return self.costs[self.n_iter, np.arange(len(self.n_iter))]


def random_start(
    n_features: int, n_columns: int, random_state: int | np.random.RandomState | None, fit_intercept: bool = True
) -> ndarray:
    """Standard normal weights to start from, (n_features + 1, n_columns)."""
    if not isinstance(random_state, np.random.RandomState):
        random_state = np.random.RandomState(random_state)
    start = random_state.standard_normal((n_features + 1, n_columns))
    start[-1] *= fit_intercept
    return start


def fit_columns(
    objective: FastObjective, optimizer: str, learning_rate: ndarray | None = None, start: ndarray | None = None,
    max_iter: int = 10_000, tol: float = 1e-6, callback: Callback | None = None, models: ndarray | None = None,
) -> Minimum:  # fmt: skip
    """Minimise every column of the objective.

    optimizer      a key of `optimizers.OPTIMIZERS`, the table of what stands in for it where its needs are not met
    learning_rate  (n_columns,), the step of gradient_descent and nesterov; NaN, or None for all: a safe one
    start          (n_features + 1, n_columns), None for zeros
    models         (n_columns,), numbers that say which columns (classes) are one model; None: all are
    max_iter, tol, callback: see `minimize`

    Raises ValueError where the objective lacks what the optimizer needs.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        start = np.zeros(objective.shape) if start is None else start
        models = np.zeros(objective.shape[1], dtype=int) if models is None else models
        rate = np.broadcast_to(np.nan if learning_rate is None else learning_rate, objective.shape)
        has_rate = max_iter == 0 or not np.isnan(rate).any()
        solver = solver_for(optimizer, objective, has_rate)
        changed, W, back = _change_of_variables(solver, objective, start) if max_iter > 0 else (objective, start, None)
        solver = solver_for(optimizer, changed, has_rate)  # fewer variables may admit another one
        if solver is QUASI_NEWTON:
            search, W = _quasi_newton(changed, W, models, max_iter, tol)
        elif solver.has_learning_rate:
            rate = np.broadcast_to(rate[:1], changed.shape)
            rate = rate if has_rate else np.where(np.isnan(rate), changed.safe_learning_rate(), rate)
            search = solver.search(solver.direction(), rate.copy())
        else:
            search = solver.search(solver.direction())
        result = minimize(changed, W, search, max_iter, tol, callback)
        result.optimizer = solver.name
        _mark_stuck(result, changed)
        if back is not None:
            result.weights = back(result.weights)
            _mark_separated(result, objective, tol)
    return result


def _change_of_variables(solver: Solver, objective: FastObjective, W: ndarray) -> Change:
    """The objective and W in the variables of `coordinates` that suit, and the way back.

    Centring changes the gradient of the intercept, so fixed steps, whose learning rate is the user's, go without it.
    Only a penalty that does not notice a rotation is the same in the row space.
    """
    changed, W, uncentred = (objective, W, lambda W: W) if solver.has_learning_rate else centred(objective, W)
    if not objective.penalty.is_rotation_invariant:
        return changed, W, uncentred
    changed, W, unrotated = in_row_space(changed, W)
    return changed, W, lambda W: uncentred(unrotated(W))


def _quasi_newton(
    objective: FastObjective, start: ndarray, models: ndarray, max_iter: int, tol: float
) -> tuple[Search, ndarray]:  # fmt: skip
    """The search, and where it starts: of large data at the optimum of a sample of the rows.

    It and the curvature there are so close to those of all rows that they save most passes.
    """
    direction = QuasiNewton(models)
    n_rows = int(np.clip(SAMPLE_FLOATS // len(start), 5_000, 20_000))
    if len(objective.matrix) > 4 * n_rows and len(start) <= LARGEST_FACTOR and max_iter > 0:
        sample = objective.sample(n_rows)
        start = minimize(sample, start, Halving(direction), max_iter, max(tol, 1e-3)).weights
        direction = QuasiNewton(models, sample, start)
    return Halving(direction), start


def _mark_stuck(result: Minimum, objective: FastObjective) -> None:
    """Columns that stalled where their cost is still to fall."""
    stalled = np.flatnonzero(result.status == Status.STALLED)
    if len(stalled):
        left = _left_to_fall(objective.select(stalled), result.weights[:, stalled])
        result.status[stalled[left > NEAR * result.cost[stalled]]] = Status.STUCK


def _left_to_fall(objective: FastObjective, W: ndarray) -> ndarray:
    """How far the cost is above its minimum, (n_columns,), by Newton's quadratic: independent of units of features."""
    gradient, offered = objective.gradient(W), offers(objective)
    direction: Direction
    if offered >= COORDINATES.needs:
        direction = CoordinateNewton()
    elif offered >= SIGNED.needs:
        direction = SignedNewton()
    elif offered >= NEWTON.needs | {"separate"}:
        direction = Newton()
    else:
        direction = QuasiNewton(np.arange(W.shape[1]) // objective.n_coupled, objective, W)
    return objective.inner(gradient, direction.find(objective, W, gradient)) / 2


def _mark_separated(result: Minimum, objective: FastObjective, tol: float) -> None:
    """Columns without a penalty that holds them, where a plane separates the classes: their cost has no minimum."""
    free = objective.penalty.is_free(result.weights, tol) & (result.status != Status.DIVERGED)
    for label in np.unique(objective.positive[free]):
        k = np.flatnonzero(free & (objective.positive == label))  # their data and labels are the same
        W = result.weights[:, k[np.linalg.norm(result.weights[:, k], axis=0).argmax()]]
        y, weight = objective.codes == label, objective.sample_weight
        if len(separating_features(objective.X, y, W, weight, objective.fit_intercept)):
            # A direction that separates one class from the rest lowers the cost of a softmax forever, too.
            result.status[free if objective.n_coupled > 1 else k] = Status.SEPARATED


def minimize(
    objective: FastObjective, W: ndarray, search: Search, max_iter: int, tol: float, callback: Callback | None = None
) -> Minimum:
    """Follow `search` from W (n_features + 1, n_columns).

    A column converges when its gradient's norm is at most `tol`. It diverges when its cost is not finite, or twice that
    of the start (or than log 2, that of zero weights, if this is larger): a safe step never climbs. Iterations run in
    chunks whose weights and gradients are kept, so that costs and stops are those of a whole chunk at once; columns
    that stopped are dropped. After each chunk, callback(iteration, cost) gets the mean cost of all columns, where one
    that stopped keeps its last.
    """
    columns, first = np.arange(W.shape[1]), 0  # those that go on; the iteration that the chunk starts with
    n_iter, norm, status = np.zeros(len(columns), int), np.empty(len(columns)), np.empty(len(columns), "<U10")
    result = Minimum(W.copy(), n_iter, norm, status, costs=np.empty(0))
    latest, ceiling = np.empty(len(columns)), np.empty(0)  # the cost of each column, and what it must not pass
    history = []  # (first, columns, costs) of each chunk
    chunk = _Chunk(objective, search, W)
    while True:
        weights, gradients, costs = chunk.run(objective, search, max_iter + 1 - first)
        stalled = search.accept(objective, weights[0], costs[0], gradients[0])
        slopes = objective.penalty.slope(weights, gradients)
        norms = np.sqrt(objective.inner(slopes, slopes))
        ceiling = 2 * np.maximum(costs[0], np.log(2)) if first == 0 else ceiling
        diverged = ~(costs <= ceiling)
        stops = diverged | (norms <= tol) | stalled
        last = np.where(stops.any(axis=0), stops.argmax(axis=0), len(costs) - 1)
        finished = stops.any(axis=0) | (first + len(costs) > max_iter)
        costs[np.arange(len(costs))[:, None] > last] = np.nan
        history.append((first, columns, costs))
        latest[columns] = costs[last, np.arange(len(columns))]
        if callback is not None:
            callback(first + len(costs) - 1, float(latest.mean()))
        W, gradient = weights[-1], gradients[-1]
        if finished.any():
            here = np.flatnonzero(finished)
            k, t = columns[here], last[here]
            result.weights[:, k] = weights[t, :, here].T
            n_iter[k], norm[k] = first + t, norms[t, here]
            ends = [diverged[t, here], norms[t, here] <= tol, stalled[here]]
            status[k] = np.select(ends, [Status.DIVERGED, Status.CONVERGED, Status.STALLED], Status.RAN_OUT)
            if finished.all():
                break
            running = ~finished
            columns, ceiling, W, gradient = columns[running], ceiling[running], W[:, running], gradient[:, running]
            objective = objective.select(running)
            search.keep(running)
            chunk = _Chunk(objective, search, W)
        first += len(costs)
        search.step(objective, W.copy(), gradient, chunk.weights[0])
    result.costs = _joined(history, n_iter)
    return result


def _joined(history: list[tuple[int, ndarray, ndarray]], n_iter: ndarray) -> ndarray:
    """The costs of all chunks, (iterations + 1, n_columns)."""
    costs = np.full((n_iter.max() + 1, len(n_iter)), np.nan)
    for first, columns, of_chunk in history:
        kept = of_chunk[: max(len(costs) - first, 0)]
        costs[first : first + len(kept), columns] = kept
    return costs


class _Chunk:
    """Weights and gradients of consecutive iterations, in little memory; one iteration if the search needs its cost."""

    def __init__(self, objective: FastObjective, search: Search, W: ndarray):
        bytes_each = 8 * (2 * W.size + objective.buffer(1).size)
        length = 1 if search.needs_cost else min(max(CHUNK_BYTES // bytes_each, 1), 64)
        self.weights, self.gradients = np.empty((length, *W.shape)), np.empty((length, *W.shape))
        self.buffer = objective.buffer(length)
        self.weights[0] = W
        self.points = list(zip(self.weights, self.gradients, self.buffer, strict=True))

    def run(self, objective: FastObjective, search: Search, at_most: int) -> tuple[ndarray, ndarray, ndarray]:
        length = min(len(self.points), at_most)
        W, gradient, buffer = self.points[0]
        objective.evaluate(W, gradient, buffer)
        for following, next_gradient, buffer in self.points[1:length]:
            search.step(objective, W, gradient, following)
            W, gradient = following, next_gradient
            objective.evaluate(W, gradient, buffer)
        weights = self.weights[:length]
        return weights, self.gradients[:length], objective.costs(weights, self.buffer[:length])

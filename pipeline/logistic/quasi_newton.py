"""Limited-memory BFGS around a curvature that is computed seldom. Nocedal and Wright, Numerical Optimization, 7.2."""

import numpy as np
from numpy import ndarray

from pipeline.logistic.fast_objective import LARGEST_FACTOR, FastObjective
from pipeline.logistic.search import Direction

CORE, REFRESH = 200, 32


class QuasiNewton(Direction):
    """Limited-memory BFGS, in coordinates where the curvature is close to a multiple of one.

    The coordinates are the eigenvectors V of a curvature without penalty; with its eigenvalues e, column k starts from
    the inverse curvature V diag(1 / (e + l2_k)) V'. At first that is the bound X'X/4, the same for all columns (it is
    safe at random weights, where the curvature may vanish); or, where a sample showed that the optimum is near `at`,
    the mean curvature there of the columns of one model. The last ten steps correct it, column by column. Where that
    is not enough (a sample may lack the rows of a rare category), the curvature is computed again on all rows, each
    time that this costs no more than the iterations since. Of more than `LARGEST_FACTOR` features, those with the
    largest curvature are scaled in this way, and each other one by its own.

    models (n_columns,) are numbers that say which columns (classes) are one model. The direction of a model does not
    depend on the other models.
    """

    memory = 10

    def __init__(self, models: ndarray, sample: FastObjective | None = None, at: ndarray | None = None):
        self.models, self.sample, self.at = models, sample, at
        self.eigen: list[Factor] = []
        self.pairs: list[tuple[ndarray, ndarray, ndarray]] = []  # steps, gradient changes, 1 / (their product)
        self.iterations = 0  # since the curvature was computed

    def update(self, objective: FastObjective, W: ndarray, step: ndarray, change: ndarray, accepted: ndarray) -> None:
        product = objective.inner(step, change)
        usable = accepted & (product > 0)
        self.pairs.append((step, change, np.where(usable, 1 / np.where(usable, product, 1), 0)))
        del self.pairs[: -self.memory]
        self.iterations += 1
        as_costly = max(20, len(W) // 4) if len(W) <= LARGEST_FACTOR else REFRESH  # as the curvature
        if self.iterations >= as_costly:
            self._factorise(objective, W)

    def find(self, objective: FastObjective, W: ndarray, gradient: ndarray) -> ndarray:
        if not self.eigen:
            self._factorise(self.sample or objective, self.at)
            self.sample = self.at = None
        direction = gradient.copy()
        weights = []
        for step, change, inverse in reversed(self.pairs):
            weights.append(inverse * objective.inner(step, direction))
            direction -= weights[-1] * change
        penalty = objective.largest_penalty_curvature
        for factor in self.eigen:
            k = slice(None) if factor.model is None else self.models == factor.model
            direction[:, k] = factor.divide(direction[:, k], penalty[k])
        for step, change, inverse in self.pairs:
            direction += (weights.pop() - inverse * objective.inner(change, direction)) * step
        return direction

    def keep(self, columns: ndarray) -> None:
        self.models = self.models[columns]
        self.eigen = [part for part in self.eigen if part.model is None or part.model in self.models]
        self.pairs = [(step[:, columns], change[:, columns], inverse[columns]) for step, change, inverse in self.pairs]
        if self.sample is not None and self.at is not None:
            self.sample, self.at = self.sample.select(columns), self.at[:, columns]

    def _factorise(self, objective: FastObjective, W: ndarray | None) -> None:
        self.eigen, self.pairs, self.iterations = [], [], 0
        models = np.unique(self.models)
        for model in [None] if W is None or len(models) == 1 else models.tolist():
            k = np.full(len(self.models), True) if model is None else self.models == model
            at = np.zeros((objective.shape[0], objective.n_coupled)) if W is None else W[:, k]
            self.eigen.append(Factor(model, objective if W is None else objective.select(k), at))


class Factor:
    """The curvature without penalty at W, averaged over columns, to be divided by with any penalty added.

    Of more than `LARGEST_FACTOR` features, the `core` are those with the largest curvature: at most `CORE`, down to a
    hundredth of the largest. The curvatures between all others, and between them and the core, are left out.
    """

    def __init__(self, model: int | None, objective: FastObjective, W: ndarray):
        self.model = model  # that these columns belong to; None: all
        self.core, self.squares = np.arange(len(W)), np.empty(0)
        if len(W) > LARGEST_FACTOR:
            squares = objective.mean_squares(W)
            self.squares = np.maximum(squares, squares.max() * 1e-10)
            order = np.argsort(-squares[:-1], kind="stable")
            large = order[: min(CORE, int((squares[:-1] >= squares[:-1].max() / 100).sum()))]
            self.core = np.append(np.sort(large), len(W) - 1)  # with the intercept
        self.values, self.vectors = np.linalg.eigh(objective.mean_curvature(W, self.core[:-1]))
        self.values = np.maximum(self.values, self.values[-1] * 1e-10)

    def divide(self, gradient: ndarray, penalty: ndarray) -> ndarray:
        """(curvature + penalty)^-1 gradient, for gradient (n_features + 1, n_columns) and penalty (n_columns,)."""
        core = self.vectors @ ((self.vectors.T @ gradient[self.core]) / (self.values[:, None] + penalty))
        if not len(self.squares):
            return core
        out = gradient / (self.squares[:, None] + penalty)
        out[self.core] = core
        return out

"""What every optimiser is made of: a direction (which way to go), and a search around it (how far).

By hand, with any search around any direction:

    search = Halving(Newton())
    W = np.zeros(objective.shape)
    for _ in range(10):
        gradient = objective.gradient(W)
        search.accept(objective, W, objective.cost(W), gradient)  # puts back columns whose cost rose
        W = search.step(objective, W, gradient)

Nocedal and Wright, Numerical Optimization, chapter 3.
"""

import numpy as np
from numpy import ndarray

from pipeline.logistic.fast_objective import FastObjective


class Direction:
    """Which way to go from W: a step is minus a positive multiple of `find`, (n_features + 1, n_columns)."""

    def find(self, objective: FastObjective, W: ndarray, gradient: ndarray) -> ndarray:
        raise NotImplementedError

    def update(self, objective: FastObjective, W: ndarray, step: ndarray, change: ndarray, accepted: ndarray) -> None:
        """Hook of `Halving`, after a step to W that changed the gradient by `change`; accepted (n_columns,) of bool."""

    def keep(self, columns: ndarray) -> None:
        """Hook when only these columns (n_columns,) of bool go on."""


class FixedStep:
    """W - learning_rate * direction, learning_rate (n_columns,), or of the shape of W (which is faster)."""

    needs_cost = False

    def __init__(self, direction: Direction, learning_rate: ndarray):
        self.direction, self.learning_rate = direction, learning_rate

    def accept(self, objective: FastObjective, W: ndarray, cost: ndarray, gradient: ndarray) -> ndarray:
        """Every step is accepted, and no column is stalled."""
        return np.zeros(W.shape[1], dtype=bool)

    def step(self, objective: FastObjective, W: ndarray, gradient: ndarray, out: ndarray | None = None) -> ndarray:
        out = np.multiply(self.direction.find(objective, W, gradient), self.learning_rate, out)
        return np.subtract(W, out, out)

    def keep(self, columns: ndarray) -> None:
        self.learning_rate = self.learning_rate[..., columns]
        self.direction.keep(columns)


class Halving:
    """W - size * direction, where size is 1, halved for as long as the cost of a column is higher than before."""

    needs_cost = True

    def __init__(self, direction: Direction):
        self.direction = direction
        self.last: tuple[ndarray, ndarray] | None = None  # the accepted weights, and the gradient there

    def accept(self, objective: FastObjective, W: ndarray, cost: ndarray, gradient: ndarray) -> ndarray:
        """Put columns whose cost rose back to where they came from, in place. True for columns that are stalled."""
        norm = np.sqrt(objective.inner(gradient, gradient))
        if self.last is None:
            self.course = np.zeros_like(W)
            self.size, self.stale, self.rose = np.ones_like(cost), np.zeros_like(cost), np.zeros(len(cost), dtype=bool)
        else:
            weights, slope = self.last
            self.rose = rose = ~(cost <= self.cost + 1e-14 * np.abs(self.cost))
            falls = (cost < self.cost - 1e-15 * np.abs(self.cost)) | (norm < self.norm / 2)
            self.stale = np.where(rose, self.stale, np.where(falls, 0, self.stale + 1))
            self.size = np.where(rose, self.size / 2, 1.0)
            W[:, rose], gradient[:, rose] = weights[:, rose], slope[:, rose]
            cost[rose], norm[rose] = self.cost[rose], self.norm[rose]
            self.direction.update(objective, W, W - weights, gradient - slope, ~rose)
        self.last = W.copy(), gradient.copy()
        self.cost: ndarray = cost.copy()
        self.norm: ndarray = norm
        return (self.stale >= 5) | (self.size < 1e-12)

    def step(self, objective: FastObjective, W: ndarray, gradient: ndarray, out: ndarray | None = None) -> ndarray:
        if not self.rose.all():
            self.course = np.where(self.rose, self.course, self.direction.find(objective, W, gradient))
        out = np.multiply(self.course, self.size, out)
        return np.subtract(W, out, out)

    def keep(self, columns: ndarray) -> None:
        for name in ("size", "stale", "rose", "cost", "norm"):
            setattr(self, name, getattr(self, name)[columns])
        if self.last is not None:
            self.last = self.last[0][:, columns], self.last[1][:, columns]
        self.course = self.course[:, columns]
        self.direction.keep(columns)


Search = FixedStep | Halving

"""Optimisers that need the gradient only: gradient descent, Nesterov's acceleration, and both as proximal steps.

Nesterov (1983); Beck and Teboulle (2009), A fast iterative shrinkage-thresholding algorithm (FISTA); O'Donoghue and
Candes (2015), Adaptive restart for accelerated gradient schemes.
"""

import numpy as np
from numpy import ndarray

from pipeline.logistic.fast_objective import FastObjective
from pipeline.logistic.search import Direction, FixedStep


class Gradient(Direction):
    """Steepest descent."""

    def find(self, objective: FastObjective, W: ndarray, gradient: ndarray) -> ndarray:
        return gradient


class Accelerated(Direction):
    """Nesterov's acceleration, for `FixedStep`: W is the point ahead, where the momentum leads.

    v <- gradient + beta v,  direction = gradient + beta' v,  with t' = (1 + sqrt(1 + 4 t^2)) / 2, beta' = (t - 1) / t'.
    Where v points uphill, t = 1 forgets the momentum.
    """

    def __init__(self) -> None:
        self.t, self.momentum = np.ones(1), np.zeros((1, 1))  # beta v; at first of any number of columns

    def find(self, objective: FastObjective, W: ndarray, gradient: ndarray) -> ndarray:
        velocity = gradient + self.momentum
        t = np.where(objective.inner(gradient, velocity) < 0, 1.0, self.t)
        self.t = (1 + np.sqrt(1 + 4 * t**2)) / 2
        self.momentum = np.multiply(velocity, (t - 1) / self.t, velocity)
        return gradient + self.momentum

    def keep(self, columns: ndarray) -> None:
        if len(self.t) == len(columns):
            self.t, self.momentum = self.t[columns], self.momentum[:, columns]


class ProximalStep(FixedStep):
    """A fixed step for penalties with a kink: a step on the smooth part, then `prox`."""

    def step(self, objective: FastObjective, W: ndarray, gradient: ndarray, out: ndarray | None = None) -> ndarray:
        return objective.penalty.prox(super().step(objective, W, gradient, out), self.learning_rate)


class AcceleratedProximalStep(ProximalStep):
    """FISTA: a proximal step from the point ahead. The momentum is forgotten where it points against the last step."""

    def __init__(self, direction: Direction, learning_rate: ndarray):
        super().__init__(direction, learning_rate)
        self.t, self.last = np.ones(learning_rate.shape[1]), np.empty((0, 0))

    def step(self, objective: FastObjective, W: ndarray, gradient: ndarray, out: ndarray | None = None) -> ndarray:
        out = super().step(objective, W, gradient, out)
        reached, last = out.copy(), self.last if self.last.size else W
        against = objective.inner(W - reached, reached - last) > 0
        t = np.where(against, 1.0, self.t)
        self.t = (1 + np.sqrt(1 + 4 * t**2)) / 2
        out += np.where(against, 0.0, (t - 1) / self.t) * (reached - last)
        self.last = reached
        return out

    def keep(self, columns: ndarray) -> None:
        super().keep(columns)
        self.t, self.last = self.t[columns], self.last[:, columns] if self.last.size else self.last

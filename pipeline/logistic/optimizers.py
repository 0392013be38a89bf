"""The optimisers: a search (how far to go) around a direction (which way).

| optimizer        | search    | direction   | one step                                                      |
|------------------|-----------|-------------|---------------------------------------------------------------|
| gradient_descent | FixedStep | Gradient    | W - learning_rate * gradient                                  |
| nesterov         | FixedStep | Accelerated | W - learning_rate * (gradient + momentum * sum of gradients)  |
| newton           | Halving   | Newton      | W - size * curvature^-1 gradient                              |
| quasi_newton     | Halving   | QuasiNewton | W - size * (an estimate of curvature^-1) gradient             |

`fitting.minimize` runs them. By hand, with any search around any direction:

    search = Halving(Newton())
    W = np.zeros(objective.shape)
    for _ in range(10):
        gradient = objective.gradient(W)
        search.accept(objective, W, objective.cost(W), gradient)  # puts back columns whose cost rose
        W = search.step(objective, W, gradient)

Nocedal and Wright, Numerical Optimization, chapters 3, 6 and 7.
"""

import numpy as np
from numpy import ndarray

from pipeline.logistic.fast_objective import LARGEST_FACTOR, FastObjective
from pipeline.logistic.penalty import ElasticNet, shrunk

CORE, REFRESH = 200, 32


class Direction:
    """Which way to go from W: a step is minus a positive multiple of `find`, (n_features + 1, n_columns)."""

    def find(self, objective: FastObjective, W: ndarray, gradient: ndarray) -> ndarray:
        raise NotImplementedError

    def update(self, objective: FastObjective, W: ndarray, step: ndarray, change: ndarray, accepted: ndarray) -> None:
        """Hook of `Halving`, after a step to W that changed the gradient by `change`; accepted (n_columns,) of bool."""

    def keep(self, columns: ndarray) -> None:
        """Hook when only these columns (n_columns,) of bool go on."""


class Gradient(Direction):
    """Steepest descent."""

    def find(self, objective: FastObjective, W: ndarray, gradient: ndarray) -> ndarray:
        return gradient


class Accelerated(Direction):
    """Nesterov's acceleration, for `FixedStep`: W is the point ahead, where the momentum leads.

    v <- gradient + beta v,  direction = gradient + beta' v,  with t' = (1 + sqrt(1 + 4 t^2)) / 2, beta' = (t - 1) / t'.
    Where v points uphill, t = 1 forgets the momentum. Nesterov (1983); O'Donoghue and Candes (2015), Adaptive restart.
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


class Newton(Direction):
    """Newton's method, also known as iteratively re-weighted least squares.

    With a penalty that has a kink, the step goes to the minimum of the penalty and the quadratic that touches the
    smooth part, which is found coordinate by coordinate, as in glmnet. Friedman, Hastie and Tibshirani (2010).
    """

    sweeps, exact = 1_000, 1e-13  # of the coordinates, and of a weight, times the square root of its curvature

    def find(self, objective: FastObjective, W: ndarray, gradient: ndarray) -> ndarray:
        if isinstance(objective.penalty, ElasticNet):
            columns = zip(objective.curvature(W), W.T, gradient.T, objective.penalty.l1, strict=True)
            return np.column_stack([self._coordinate_descent(*column) for column in columns])
        return objective.newton(W, gradient)

    def _coordinate_descent(self, H: ndarray, w: ndarray, gradient: ndarray, l1: float) -> ndarray:
        """w - v, for the v with the least gradient'(v - w) + (v - w)' H (v - w) / 2 + l1 |v|; the last is free."""
        v, slope, scale = w.copy(), gradient.copy(), np.sqrt(np.diag(H))
        movable = np.flatnonzero(scale)  # a feature that is 0 in each row stays where it is
        penalty = np.append(np.full(len(w) - 1, l1), 0.0)
        chosen = movable
        for _ in range(self.sweeps):
            largest = 0.0
            for j in chosen:
                moved = float(shrunk(H[j, j] * v[j] - slope[j], penalty[j]) / H[j, j])
                if moved != v[j]:
                    largest = max(largest, abs(moved - v[j]) * scale[j])
                    slope += H[j] * (moved - v[j])
                    v[j] = moved
            everything = len(chosen) == len(movable)
            if largest <= self.exact:
                if everything:
                    break
                chosen = movable
            elif everything:  # weights that are zero need few visits
                chosen = np.intersect1d(np.flatnonzero(v), movable)
        return w - v


class QuasiNewton(Direction):
    """Limited-memory BFGS, in coordinates where the curvature is close to a multiple of one.

    The coordinates are the eigenvectors V of a curvature without penalty; with its eigenvalues e, column k starts from
    the inverse curvature V diag(1 / (e + l2_k)) V'. At first that is the bound X'X/4, the same for all columns (it is
    safe at random weights, where the curvature may vanish); or, where a sample showed that the optimum is near `at`,
    the mean curvature there of the columns of one model. The last ten steps correct it, column by column. Where that
    is not enough (a sample may lack the rows of a rare category), the curvature is computed again on all rows, each
    time that this costs no more than the iterations since. Of more than `LARGEST_FACTOR` features, those with the
    largest curvature are scaled in this way, and each other one by its own. Numerical Optimization, section 7.2.

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


class ProximalStep(FixedStep):
    """A fixed step for penalties with a kink: a gradient step on the smooth part, then `prox`; accelerated or not.

    Beck and Teboulle (2009), A fast iterative shrinkage-thresholding algorithm (FISTA), with the restart of O'Donoghue
    and Candes (2015): the momentum is forgotten where it points against the last step.
    """

    def __init__(self, learning_rate: ndarray, accelerated: bool):
        super().__init__(Gradient(), learning_rate)
        self.accelerated, self.t = accelerated, np.ones(learning_rate.shape[1])
        self.last: ndarray | None = None

    def step(self, objective: FastObjective, W: ndarray, gradient: ndarray, out: ndarray | None = None) -> ndarray:
        out = super().step(objective, W, gradient, out)
        out = objective.penalty.prox(out, self.learning_rate)
        if self.accelerated:
            reached, last = out.copy(), W if self.last is None else self.last
            against = objective.inner(W - reached, reached - last) > 0
            t = np.where(against, 1.0, self.t)
            self.t = (1 + np.sqrt(1 + 4 * t**2)) / 2
            out += np.where(against, 0.0, (t - 1) / self.t) * (reached - last)
            self.last = reached
        return out

    def keep(self, columns: ndarray) -> None:
        super().keep(columns)
        self.t, self.last = self.t[columns], None if self.last is None else self.last[:, columns]


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
            self.found = np.zeros_like(W)
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
            self.found = np.where(self.rose, self.found, self.direction.find(objective, W, gradient))
        out = np.multiply(self.found, self.size, out)
        return np.subtract(W, out, out)

    def keep(self, columns: ndarray) -> None:
        for name in ("size", "stale", "rose", "cost", "norm"):
            setattr(self, name, getattr(self, name)[columns])
        if self.last is not None:
            self.last = self.last[0][:, columns], self.last[1][:, columns]
        self.found = self.found[:, columns]
        self.direction.keep(columns)


Search = FixedStep | Halving
OPTIMIZERS: dict[str, tuple[type, type]] = {
    "gradient_descent": (FixedStep, Gradient),
    "nesterov": (FixedStep, Accelerated),
    "newton": (Halving, Newton),
    "quasi_newton": (Halving, QuasiNewton),
}

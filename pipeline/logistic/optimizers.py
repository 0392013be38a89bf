"""The optimisers: rules that turn weights and gradient, (n_features + 1, n_columns), into the next weights.

`step` writes where to evaluate next, `keep` narrows the state to the columns still running. Rules that are `guarded`
first see the cost of each evaluation in `judge`, and go back where it rose.
"""

import numpy as np


class GradientDescent:
    """w <- w - learning_rate * gradient."""

    guarded = False

    def __init__(self, learning_rate):
        self.learning_rate = learning_rate

    def step(self, objective, W, gradient, out):
        np.multiply(gradient, self.learning_rate, out)
        np.subtract(W, out, out)

    def keep(self, columns):
        self.learning_rate = self.learning_rate[:, columns]


class Nesterov:
    """Accelerated gradient descent: a gradient step from a point ahead, momentum forgotten where it points uphill.

    Nesterov (1983); O'Donoghue and Candes (2015), Adaptive restart for accelerated gradient schemes.
    """

    guarded = False

    def __init__(self, learning_rate):
        self.learning_rate = learning_rate
        self.last = None
        self.momentum = np.ones(learning_rate.shape[1])

    def step(self, objective, W, gradient, out):
        reached = W - self.learning_rate * gradient
        moved = reached - (W if self.last is None else self.last)
        momentum = np.where(np.einsum("jk,jk->k", gradient, moved) > 0, 1.0, self.momentum)
        self.momentum = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        np.multiply(moved, (momentum - 1) / self.momentum, out=out)
        np.add(reached, out, out=out)
        self.last = reached

    def keep(self, columns):
        self.learning_rate = self.learning_rate[:, columns]
        self.momentum = self.momentum[columns]
        self.last = None if self.last is None else self.last[:, columns]


class _Guarded:
    """A rule with a direction of its own and a unit step, halved for as long as the cost rises."""

    guarded = True

    def __init__(self):
        self.weights = self.direction = None

    def judge(self, W, cost, gradient):
        """Put columns whose cost rose back to where they came from, in place. True where nothing falls any more."""
        norm = np.sqrt(np.einsum("jk,jk->k", gradient, gradient))
        if self.weights is None:
            self.size, self.stale = np.ones_like(cost), np.zeros_like(cost)
            self.rose = np.zeros(len(cost), dtype=bool)
        else:
            self.rose = rose = ~(cost <= self.cost + 1e-14 * np.abs(self.cost))
            falls = (cost < self.cost - 1e-15 * np.abs(self.cost)) | (norm < self.norm / 2)
            self.stale = np.where(rose, self.stale, np.where(falls, 0, self.stale + 1))
            self.size = np.where(rose, self.size / 2, 1.0)
            W[:, rose], gradient[:, rose] = self.weights[:, rose], self.gradient[:, rose]
            cost[rose], norm[rose] = self.cost[rose], self.norm[rose]
            self.learn(W, gradient)
        self.weights, self.gradient, self.cost, self.norm = W.copy(), gradient.copy(), cost.copy(), norm
        return (self.stale >= 5) | (self.size < 1e-12)

    def learn(self, W, gradient):
        """What a rule takes from the step to W."""

    def step(self, objective, W, gradient, out):
        if self.direction is None or not self.rose.all():
            self.direction = self.find_direction(objective, W, gradient)
        np.multiply(self.direction, self.size, out=out)
        np.subtract(W, out, out=out)

    def keep(self, columns):
        for name in ("size", "stale", "rose", "cost", "norm"):
            setattr(self, name, getattr(self, name)[columns])
        self.weights, self.gradient = self.weights[:, columns], self.gradient[:, columns]
        self.direction = None


class Newton(_Guarded):
    """Newton's method, also known as iteratively re-weighted least squares: w <- w - curvature^-1 gradient."""

    def find_direction(self, objective, W, gradient):
        H = objective.curvature(W)
        diagonal = np.arange(len(W))
        # Features that repeat each other make H singular: a trace on the diagonal keeps them still.
        H[:, diagonal, diagonal] = H[:, diagonal, diagonal] * (1 + 1e-12) + np.finfo(float).tiny
        return np.linalg.solve(H, gradient.T[:, :, None])[:, :, 0].T


class QuasiNewton(_Guarded):
    """Limited-memory BFGS in coordinates where the curvature of all columns together is near to a multiple of one.

    The coordinates are the eigenvectors of the curvature averaged over columns; with eigenvalues e, column k starts
    from the inverse curvature V diag(1 / (e + l2_k)) V'. They are taken at W = 0, where this is Bohning and Lindsay's
    bound X'X/4 + l2, or near the optimum once it is known from a sample; elsewhere the curvature may vanish, as it does
    at random weights. The last ten steps correct it, column by column. Where that is not enough (a sample may lack the
    rows of a rare level) it is taken again, on all rows, each time that it costs no more than the iterations since.
    Nocedal and Wright, Numerical Optimization, section 7.2.
    """

    memory = 10

    def __init__(self, sample, factorised_at):
        super().__init__()
        self._factorise(sample, factorised_at)

    def _factorise(self, objective, W):
        self.curved, self.at, self.values = objective, W, None
        self.pairs = []  # of steps and gradient differences, and 1 / (their product), the newest last
        self.patience = max(20, len(W) // 4)  # the iterations that cost about as much as the curvature does

    def learn(self, W, gradient):
        step, change = W - self.weights, gradient - self.gradient
        product = np.einsum("jk,jk->k", step, change)
        usable = ~self.rose & (product > 0)
        self.pairs.append((step, change, np.where(usable, 1 / np.where(usable, product, 1), 0)))
        del self.pairs[: -self.memory]
        self.patience -= 1

    def find_direction(self, objective, W, gradient):
        if self.patience <= 0:
            self._factorise(objective, W.copy())
        if self.values is None:
            self.values, self.vectors = np.linalg.eigh(self.curved.average_curvature(self.at))
            self.values = np.maximum(self.values, self.values[-1] * 1e-10)
        direction = gradient.copy()
        weights = []
        for step, change, inverse in reversed(self.pairs):
            weights.append(inverse * np.einsum("jk,jk->k", step, direction))
            direction -= weights[-1] * change
        direction = self.vectors @ ((self.vectors.T @ direction) / (self.values[:, None] + objective.l2))
        for step, change, inverse in self.pairs:
            direction += (weights.pop() - inverse * np.einsum("jk,jk->k", change, direction)) * step
        return direction

    def keep(self, columns):
        super().keep(columns)
        self.pairs = [(step[:, columns], change[:, columns], inverse[columns]) for step, change, inverse in self.pairs]


OPTIMIZERS = {
    "gradient_descent": GradientDescent,
    "nesterov": Nesterov,
    "newton": Newton,
    "quasi_newton": QuasiNewton,
}

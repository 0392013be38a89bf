"""The regularised log-loss of many models on the same rows: cost, gradient and curvature in one pass over the data.

    J_k(w, b) = sum_i s_i [log(1 + exp(z_ik)) - y_ik z_ik] + l2_k/2 ||w_k||^2,    z_ik = x_i w_k + b_k

Row weights s are divided by their sum (1/n each when none are given), so J is a mean and a learning rate means the
same at any number of rows. The intercept b is not penalised.

    X         (n_samples, n_features)       the data, shared by all columns
    W         (n_features + 1, n_columns)   a column a model, the intercept in the last row
    gradient  (n_features + 1, n_columns)   X'(s (p - y)) + l2 w = c - X'(s q) + l2 w

with p = 1/(1 + exp(-z)), q = 1 - p = 1/(1 + exp(z)) and the constant c = X'(s (1 - y)), so one exp serves cost and
gradient, and the labels are read once, for c and X'(s y).

Large data is cut into a fixed number of strips, which threads may share; their sums are added in order, so the number
of threads does not change a bit. See Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 4.4.1.
"""

import copy

import numpy as np

from pipeline.logistic.strip import GROUP, ONE, SMALL_BYTES, Strip, sum_of_logs

STRIPS = 16


def sigmoid(z):
    """1 / (1 + exp(-z)), to the last digit at any z."""
    return np.exp(-np.logaddexp(0, -np.asarray(z, dtype=np.float64)))


def log_loss(z, y):
    """log(1 + exp(z)) - y z for margins z and labels y in {0, 1}, elementwise and to the last digit at any z."""
    return np.logaddexp(0, np.where(y, -1, 1) * np.asarray(z, dtype=np.float64))


def probabilities(margins):
    """Class probabilities (n_samples, n_classes) for margins (n_samples,) of two classes or (n_samples, n_classes)."""
    P = sigmoid(margins)
    if P.ndim == 1:
        return np.column_stack([sigmoid(-margins), P])
    total = P.sum(axis=1, keepdims=True)
    # Margins so low that every exp is 0: the differences that are left decide.
    return np.where(total > 0, P / np.where(total > 0, total, 1), margins == margins.max(axis=1, keepdims=True))


class Objective:
    """J, its gradient and its curvature for every column of a weight matrix.

    codes (n_samples,) are the rows' classes as whole numbers; in column k class positive[k] has y = 1, the rest y = 0,
    and the penalty is l2[k]. float32 data stays float32 in memory, a block at a time becomes float64. `run` maps a
    function over strips: `map`, or that of `threads.workers`.
    """

    def __init__(self, X, codes, positive, l2, sample_weight=None, fit_intercept=True, run=map):
        self.X, self.codes, self.positive, self.run = X, codes, positive, run
        self.l2 = np.asarray(l2, dtype=np.float64)
        self.sample_weight, self.fit_intercept = sample_weight, fit_intercept
        if sample_weight is None:
            weight = np.array(1 / len(X))
        else:
            weight = (sample_weight / np.sum(sample_weight)).reshape(-1, 1)
        self.small = X.nbytes <= SMALL_BYTES
        if self.small:
            with_ones = np.full((len(X), X.shape[1] + 1), float(fit_intercept), order="F")
            with_ones[:, :-1] = X
            self.strips = [Strip(with_ones, weight, float(fit_intercept), True, len(positive))]
            self.rows = [slice(None)]
        else:
            size = -(-len(X) // STRIPS)
            self.rows = [slice(start, start + size) for start in range(0, len(X), size)]
            self.strips = [
                Strip(X[r], weight if weight.ndim == 0 else weight[r], float(fit_intercept), False, len(positive))
                for r in self.rows
            ]
        classes, column = np.unique(positive, return_inverse=True)
        sums = self._total(lambda strip, r: strip.label_sums(codes[r], classes))
        self.label_sum = sums[:, column]
        self.constant = sums[:, -1:] - self.label_sum
        self._allocate()

    @property
    def shape(self):
        """Of the weights: (n_features + 1, n_columns)."""
        return self.label_sum.shape

    def select(self, columns):
        """The same rows, only these columns."""
        narrow = copy.copy(self)
        narrow.positive, narrow.l2 = self.positive[columns], self.l2[columns]
        narrow.label_sum, narrow.constant = self.label_sum[:, columns], self.constant[:, columns]
        narrow._allocate()
        return narrow

    def sample(self, n_samples):
        """The same models on so many rows, drawn with a fixed seed."""
        rows = np.sort(np.random.default_rng(0).choice(len(self.X), n_samples, replace=False))
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        return Objective(self.X[rows], self.codes[rows], self.positive, self.l2, weight, self.fit_intercept, self.run)

    def factors(self, length):
        """Memory for what `evaluate` leaves to `cost` at so many points, (length, n, n_columns)."""
        n = 1 if not self.small else len(self._z) if self._grouped is None else self._grouped.shape[1]
        return np.empty((length, n, self.shape[1]))

    def evaluate(self, W, gradient, factors):
        """Write the gradient at W into `gradient`, and what `cost` needs besides W into `factors` (n, n_columns)."""
        if self.small:
            z, X = self._z, self.strips[0].X
            X.dot(W, z)
            np.exp(z, z)
            if self._grouped is None:
                np.add(z, ONE, factors)
                np.divide(self.strips[0].weight, factors, z)
            else:
                np.add(z, ONE, z)
                np.multiply.reduce(self._grouped, 0, None, factors)
                np.divide(self.strips[0].weight, z, z)
            X.T.dot(z, gradient)
        else:
            parts = list(self.run(lambda strip: strip.loss_and_gradient(W), self.strips))
            factors[0] = sum(loss for loss, _ in parts)
            gradient[:] = sum(part for _, part in parts)
        np.subtract(self.constant, gradient, gradient)
        np.multiply(W, self.penalty, self._scratch)
        np.add(gradient, self._scratch, gradient)

    def cost(self, W, factors):
        """J of each column, (length, n_columns), at evaluated W (length, n_features + 1, n_columns)."""
        if not self.small:
            loss = factors[:, 0]
        elif self._grouped is None:
            loss = sum_of_logs(factors, self.strips[0].weight)
        else:
            loss = np.log(factors).sum(axis=1) / len(self._z)
        for t in np.flatnonzero(~np.isfinite(loss).all(axis=1)):  # exp, or a product of them, passed 10^308
            loss[t] = self._total(lambda strip, r, t=t: strip.exact_loss(W[t]))
        loss = loss - np.einsum("tjk,jk->tk", W, self.label_sum)
        return loss + 0.5 * np.einsum("tjk,tjk,jk->tk", W, W, self.penalty)

    def curvature(self, W):
        """The Hessians X' diag(s p (1 - p)) X + l2, (n_columns, n_features + 1, n_features + 1)."""
        total = self._total(lambda strip, r: strip.curvature(W))
        diagonal = np.arange(len(W))
        total[:, diagonal, diagonal] += self.penalty.T
        return total

    def average_curvature(self, W):
        """The mean over columns of X' diag(s p (1 - p)) X, without l2, (n_features + 1, n_features + 1).

        At W = 0 it is X' diag(s) X / 4, which bounds the curvature everywhere (Bohning and Lindsay, 1988).
        """
        return self._total(lambda strip, r: strip.curvature(W, average=True))[0]

    def safe_learning_rate(self):
        """One over the largest eigenvalue of X'X/(4n) + l2, (n_columns,): gradient descent with it never climbs."""
        return 1 / (np.linalg.eigvalsh(self.average_curvature(np.zeros((self.shape[0], 1))))[-1] + self.l2)

    def separates(self, W):
        """Whether a column of W has all its rows of y = 1 on one side and all others on the other, (n_columns,)."""
        margins = self.run(
            lambda part: part[0].smallest_margin(W, self.codes[part[1]], self.positive),
            zip(self.strips, self.rows, strict=True),
        )
        return np.min(list(margins), axis=0) > 0

    def _total(self, strip_sum):
        return sum(self.run(lambda part: strip_sum(*part), zip(self.strips, self.rows, strict=True)))

    def _allocate(self):
        self.penalty = np.vstack([np.tile(self.l2, (self.shape[0] - 1, 1)), np.zeros((1, len(self.l2)))])
        self._scratch = np.empty(self.shape)
        if self.small:
            n = len(self.X)
            padded = np.ones((-(-n // GROUP) * GROUP, self.shape[1]))
            self._z = padded[:n]
            # A single column leaves its factors to `cost`, which takes the logarithms of a whole chunk in one call;
            # more columns would fill the cache, and are multiplied in groups at once.
            grouped = self.sample_weight is None and self.shape[1] > 1
            self._grouped = padded.reshape(GROUP, -1, self.shape[1]) if grouped else None

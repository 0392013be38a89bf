"""The regularised log-loss of many models on the same rows: cost, gradient and curvature in one pass over the data.

    J_k(w, b) = sum_i s_i [log(1 + exp(z_ik)) - y_ik z_ik] + l2_k/2 ||w_k||^2,    z_ik = x_i w_k + b_k

Row weights s are divided by their sum (1/n each when none are given), so J is a mean and a learning rate means the
same at any number of rows. The intercept b is not penalised.

    X         (n_samples, n_features)       the data, shared by all columns
    W         (n_features + 1, n_columns)   a column a model, the intercept in the last row
    gradient  (n_features + 1, n_columns)   X'(s (p - y)) + l2 w = c - X'(s q) + l2 w

with p = 1/(1 + exp(-z)), q = 1 - p = 1/(1 + exp(z)) and the constant c = X'(s (1 - y)), so one exp serves the cost and
the gradient, and the labels are read once, for c and X'(s y). Differences of probabilities are exact to rounding.

Large data is worked through in blocks of rows that stay in the processor's second-level cache, so memory is read once
a pass. Blocks belong to a fixed number of strips, whose sums are added in order: threads do not change a single bit.
See Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, section 4.4.1.
"""

import copy

import numpy as np

BLOCK_BYTES = 768 * 1024  # of data and margins: they fit the second-level cache (1 MB a core and up) together
STRIPS = 16
GROUP = 8  # log(a) + log(b) = log(a b): factors 1 + exp(z) that share a logarithm
_ONE = np.array(1.0)


def sigmoid(z):
    """1 / (1 + exp(-z)), to the last digit at any z."""
    return np.exp(-np.logaddexp(0, -np.asarray(z, dtype=np.float64)))


def log_loss(z, y):
    """log(1 + exp(z)) - y z for margins z and labels y in {0, 1}, elementwise and to the last digit at any z."""
    return np.logaddexp(0, np.where(y, -np.asarray(z, dtype=np.float64), z))


class Objective:
    """J, its gradient and its curvature for every column of a weight matrix.

    codes (n_samples,) are the rows' classes as whole numbers; column k takes class positive[k] for y = 1 and the rest
    for y = 0, and has the penalty l2[k]. float32 data stays float32 in memory, a block at a time becomes float64.
    `run` maps a function over strips: `map`, or that of `threads.workers`.
    """

    def __init__(self, X, codes, positive, l2, sample_weight=None, fit_intercept=True, run=map):
        n_samples, n_features = X.shape
        self.l2 = np.array(l2, dtype=np.float64)
        self.ones = float(fit_intercept)
        self.run = run
        if sample_weight is None:
            self.weight = np.array(1 / n_samples)
        else:
            self.weight = (sample_weight / np.sum(sample_weight)).reshape(-1, 1)
        self.blocked = X.nbytes > BLOCK_BYTES
        if self.blocked:
            self.X = X
        else:  # small: a copy with the intercept's column of ones
            self.X = np.full((n_samples, n_features + 1), self.ones, order="F")
            self.X[:, :-1] = X
        n_rows = max(GROUP, BLOCK_BYTES // (8 * (n_features + len(self.l2))) // GROUP * GROUP)
        starts = range(0, n_samples, n_rows if self.blocked else n_samples)
        blocks = [slice(start, min(start + starts.step, n_samples)) for start in starts]
        size = -(-len(blocks) // STRIPS)
        self.strips = [blocks[first : first + size] for first in range(0, len(blocks), size)]
        self._sum_labels(codes, positive)
        self._allocate()

    @property
    def shape(self):
        """Of the weights: (n_features + 1, n_columns)."""
        return self.label_sum.shape

    def select(self, columns):
        """The same rows, only these columns."""
        narrow = copy.copy(self)
        narrow.l2, narrow.label_sum, narrow.constant = (
            self.l2[columns],
            self.label_sum[:, columns],
            self.constant[:, columns],
        )
        narrow._allocate()
        return narrow

    def evaluate(self, W, gradient, products):
        """Write the gradient at W, and what `cost` needs besides W into `products` (of shape `products_shape`)."""
        if self.blocked:
            parts = list(self.run(lambda strip: self._strip(W, *strip), zip(self.strips, self._buffers, strict=True)))
            products[:] = _sum_in_order(part[0] for part in parts)
            np.subtract(self.constant, _sum_in_order(part[1] for part in parts), out=gradient)
        else:
            z = self._z
            np.matmul(self.X, W, out=z)
            np.exp(z, out=z)
            np.add(z, _ONE, out=z)
            np.multiply.reduce(self._grouped, axis=0, out=products)
            np.divide(self.weight, z, out=z)
            np.matmul(self.X.T, z, out=gradient)
            np.subtract(self.constant, gradient, out=gradient)
        np.multiply(W, self.penalty, out=self._scratch)
        np.add(gradient, self._scratch, out=gradient)

    def cost(self, W, products):
        """J of each column, (..., n_columns), for W (..., n_features + 1, n_columns) as `evaluate` saw it."""
        loss = products[..., 0, :] if self.blocked else self._log_sum(products, slice(None))
        if not np.isfinite(loss).all():  # exp or a product of factors passed 10^308
            loss = np.array([self._exact_loss(w) for w in W.reshape(-1, *self.shape)]).reshape(loss.shape)
        fit = loss - np.einsum("...jk,jk->...k", W, self.label_sum)
        return fit + 0.5 * np.einsum("...jk,...jk,jk->...k", W, W, self.penalty)

    def curvature(self, W):
        """The Hessians X' diag(s p (1 - p)) X + l2, (n_columns, n_features + 1, n_features + 1)."""
        n_weights, n_columns = self.shape

        def strip_curvature(strip):
            total = np.zeros((n_columns, n_weights, n_weights))
            for rows in strip:
                X = self._block(rows)
                q = 1 / (1 + np.exp(self._margins(X, W)))
                roots = np.sqrt(self._weight(rows) * q * (1 - q))
                for k in range(n_columns):
                    self._add_gram(total[k], X, roots[:, k : k + 1])
            return total

        total = _sum_in_order(self.run(strip_curvature, self.strips))
        diagonal = np.arange(n_weights)
        total[:, diagonal, diagonal] += self.penalty.T
        return total

    def average_curvature(self, W):
        """The mean over columns of X' diag(s p (1 - p)) X, without l2, (n_features + 1, n_features + 1).

        At W = 0 it is X' diag(s) X / 4, which bounds the curvature everywhere (Bohning and Lindsay, 1988).
        """

        def strip_curvature(strip):
            total = np.zeros((self.shape[0], self.shape[0]))
            for rows in strip:
                X = self._block(rows)
                q = 1 / (1 + np.exp(self._margins(X, W)))
                self._add_gram(total, X, np.sqrt(self._weight(rows) * (q * (1 - q)).mean(axis=1, keepdims=True)))
            return total

        return _sum_in_order(self.run(strip_curvature, self.strips))

    def safe_learning_rate(self):
        """One over the largest eigenvalue of X'X/(4n) + l2, (n_columns,): gradient descent with it never climbs."""
        return 1 / (np.linalg.eigvalsh(self.average_curvature(np.zeros((self.shape[0], 1))))[-1] + self.l2)

    def sample(self, n_samples, codes, positive):
        """The same models on so many rows, drawn with a fixed seed."""
        rows = np.sort(np.random.default_rng(0).choice(len(self.X), n_samples, replace=False))
        weight = None if self.weight.ndim == 0 else self.weight[rows]
        return Objective(self.X[rows], codes[rows], positive, self.l2, weight, self.ones > 0, self.run)

    def separates(self, W, codes, positive):
        """Whether each column of W has all rows of its class on the one side and all others on the other, (n_columns,)."""

        def smallest_margin(strip):
            signs = (np.where(codes[rows, None] == positive, 1.0, -1.0) for rows in strip)
            margins = (self._margins(self._block(rows), W) for rows in strip)
            return np.min([(s * z).min(axis=0) for s, z in zip(signs, margins, strict=True)], axis=0)

        return np.min(list(self.run(smallest_margin, self.strips)), axis=0) > 0

    def _sum_labels(self, codes, positive):
        classes, column = np.unique(positive, return_inverse=True)

        def strip_sums(strip):
            total = np.zeros((self.X.shape[1] + self.blocked, len(classes) + 1))
            for rows in strip:
                X = self._block(rows)
                select = np.ones((len(X), len(classes) + 1))
                select[:, :-1] = codes[rows, None] == classes
                select *= self._weight(rows)
                total[: X.shape[1]] += X.T @ select
                if self.blocked:
                    total[-1] += self.ones * select.sum(axis=0)
            return total

        total = _sum_in_order(self.run(strip_sums, self.strips))
        self.label_sum = total[:, column]
        self.constant = total[:, -1:] - self.label_sum

    def _allocate(self):
        self.penalty = np.vstack([np.tile(self.l2, (self.shape[0] - 1, 1)), np.zeros((1, len(self.l2)))])
        self._scratch = np.empty(self.shape)
        largest = self.strips[0][0].stop
        self._buffers = [np.ones((-(-largest // GROUP) * GROUP, self.shape[1])) for _ in self.strips]
        group = GROUP if self.weight.ndim == 0 else 1
        if self.blocked:
            self.products_shape = (1, self.shape[1])
        else:
            padded = self._buffers[0]
            self._z = padded[:largest]
            self._grouped = padded.reshape(GROUP, -1, self.shape[1]) if group > 1 else self._z[None]
            self.products_shape = self._grouped.shape[1:]

    def _strip(self, W, strip, buffer):
        loss = np.zeros(self.shape[1])
        gradient = np.zeros(self.shape)
        part = np.empty((self.shape[0] - 1, self.shape[1]))
        for rows in strip:
            X = self._block(rows)
            z = buffer[: len(X)]
            np.matmul(X, W[:-1], out=z)
            z += W[-1]
            np.exp(z, out=z)
            np.add(z, _ONE, out=z)
            if self.weight.ndim == 0 and len(X) % GROUP == 0:
                products = np.multiply.reduce(z.reshape(GROUP, -1, self.shape[1]), axis=0)
            else:
                products = z
            loss += self._log_sum(products, rows)
            np.divide(self._weight(rows), z, out=z)
            np.matmul(X.T, z, out=part)
            gradient[:-1] += part
            gradient[-1] += self.ones * z.sum(axis=0)
        return loss, gradient

    def _log_sum(self, products, rows):
        logarithms = np.log(products)
        if self.weight.ndim == 0:
            return self.weight * logarithms.sum(axis=-2)
        return np.einsum("...ik,i->...k", logarithms, self.weight[rows, 0])

    def _exact_loss(self, W):
        def strip_loss(strip):
            return sum((self._weight(r) * np.logaddexp(0, self._margins(self._block(r), W))).sum(axis=0) for r in strip)

        return _sum_in_order(self.run(strip_loss, self.strips))

    def _block(self, rows):
        return np.asarray(self.X[rows], dtype=np.float64)

    def _weight(self, rows):
        return self.weight if self.weight.ndim == 0 else self.weight[rows]

    def _margins(self, X, W):
        return X @ W[:-1] + W[-1] if self.blocked else X @ W

    def _add_gram(self, total, X, roots):
        X = X * roots
        total[: X.shape[1], : X.shape[1]] += X.T @ X
        if self.blocked:
            border = self.ones * (X.T @ roots)[:, 0]
            total[-1, :-1] += border
            total[:-1, -1] += border
            total[-1, -1] += self.ones * np.sum(roots**2)


def _sum_in_order(parts):
    parts = iter(parts)
    total = next(parts)
    for part in parts:
        total += part
    return total

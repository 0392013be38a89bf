"""Train every column of a weight matrix on the same rows (first, plain version)."""

from dataclasses import dataclass

import numpy as np

from pipeline.logistic.divergence import DivergenceError


@dataclass
class Fit:
    weights: np.ndarray  # (n_features + 1, K), the intercept last
    n_iter: np.ndarray
    gradient_norm: np.ndarray
    costs: np.ndarray  # (iterations + 1, K)
    converged: np.ndarray


def fit_columns(X, Y, row_weight, W, l2, learning_rate, optimizer, max_iter, tol, fit_intercept, callback):
    n, d = X.shape
    A = np.column_stack([X, np.ones(n) if fit_intercept else np.zeros(n)])
    r = row_weight / row_weight.sum()
    penalty = np.append(np.full(d, float(l2)), 0.0)[:, None]
    bound = (A * r[:, None]).T @ A / 4 + np.diag(penalty[:, 0])
    safe = 1 / np.linalg.eigvalsh(bound)[-1]
    rate = safe if learning_rate == "auto" else learning_rate

    def cost_gradient(W):
        Z = A @ W
        cost = r @ (np.logaddexp(0, Z) - Y * Z) + 0.5 * np.sum(penalty * W**2, axis=0)
        P = 1 / (1 + np.exp(-np.clip(Z, -700, 700)))
        return cost, A.T @ (r[:, None] * (P - Y)) + penalty * W, P

    W = W.copy()
    velocity = W.copy()
    momentum = np.ones(W.shape[1])
    cost, gradient, P = cost_gradient(W)
    costs = [cost]
    norm = np.linalg.norm(gradient, axis=0)
    n_iter = np.zeros(W.shape[1], dtype=int)
    active = norm > tol
    start = np.maximum(cost, np.log(2))
    for iteration in range(1, max_iter + 1):
        if not active.any():
            break
        if optimizer == "newton":
            step = np.zeros_like(W)
            for k in np.flatnonzero(active):
                D = r * P[:, k] * (1 - P[:, k])
                H = (A * D[:, None]).T @ A + np.diag(penalty[:, 0])
                step[:, k] = np.linalg.lstsq(H, gradient[:, k], rcond=None)[0]
            size = 1.0
            for _ in range(40):
                new = W - size * step
                if np.all(cost_gradient(new)[0][active] <= cost[active] + 1e-15):
                    break
                size /= 2
        elif optimizer == "nesterov":
            look = W + velocity
            g = cost_gradient(look)[1]
            new = look - rate * g
            restart = np.sum(g * (new - W), axis=0) > 0
            momentum = np.where(restart, 1.0, momentum)
            after = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            velocity = (momentum - 1) / after * (new - W)
            momentum = after
        else:
            new = W - rate * gradient
        W = np.where(active, new, W)
        cost, gradient, P = cost_gradient(W)
        if not np.all(np.isfinite(cost)) or np.any(cost > 100 * start):
            raise DivergenceError(rate, iteration, float(cost.max()), safe)
        norm = np.linalg.norm(gradient, axis=0)
        costs.append(np.where(active, cost, np.nan))
        n_iter[active] = iteration
        if callback is not None:
            callback(iteration, float(np.nansum(cost)))
        active &= norm > tol
    return Fit(W, n_iter, norm, np.array(costs), norm <= tol)

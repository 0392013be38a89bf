"""One cost and gradient, and ten thousand of them."""

import numpy as np
from sklearn._loss.loss import HalfBinomialLoss
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model._linear_loss import LinearModelLoss

from benchmarks.measure import table, timed
from pipeline.logistic import LogisticRegression
from pipeline.logistic.fast_objective import FastObjective
from pipeline.logistic.penalty import Ridge
from pipeline.logistic.threads import thread_count, workers


def rows():
    yield "cost and gradient, 1,000,000 x 30", one_pass()
    yield "10,000 iterations of gradient descent, breast cancer", descent()


def one_pass():
    X, y = table(1_000_000, 30)
    w = np.random.default_rng(1).normal(size=31) * 0.1
    with workers() as run:
        objective = FastObjective(X, y, np.array([1]), Ridge(1e-6), run=run)
        gradient, buffer = np.empty(objective.shape), objective.buffer(1)

        def ours():
            objective.evaluate(w[:, None], gradient, buffer[0])
            return objective.costs(w[None, :, None], buffer)

        yield "this project", timed(ours, 25)[0], ""
        halves = np.array_split(X.reshape(-1), thread_count())
        yield "only reading X", timed(lambda: list(run(np.max, halves)), 25)[0], ""
    loss = LinearModelLoss(base_loss=HalfBinomialLoss(), fit_intercept=True)
    target = y.astype(np.float64)
    theirs = timed(lambda: loss.loss_gradient(w, X, target, l2_reg_strength=1e-6, n_threads=thread_count()), 15)[0]
    yield "scikit-learn's compiled loss", theirs, ""
    yield "NumPy as in tutorials", timed(lambda: tutorial(X, y, w[:-1], w[-1]), 15)[0], ""


def tutorial(X, y, w, b):
    p = 1 / (1 + np.exp(-(X @ w + b)))
    cost = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    return cost, X.T @ (p - y) / len(y), np.mean(p - y)


def tutorial_descent(X, y, l2, learning_rate, n_iterations):
    w, b, costs = np.zeros(X.shape[1]), 0.0, []
    for _ in range(n_iterations):
        cost, dw, db = tutorial(X, y, w, b)
        costs.append(cost + l2 / 2 * w @ w)
        w, b = w - learning_rate * (dw + l2 * w), b - learning_rate * db
    return w, b, costs


def descent():
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    model = LogisticRegression(1e-3, learning_rate=0.1, tol=0)
    yield "this project", timed(lambda: model.fit(X, y), 5)[0], ""
    yield "NumPy as in tutorials", timed(lambda: tutorial_descent(X, y, 1e-3, 0.1, 10_000), 3)[0], ""

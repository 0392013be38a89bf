"""Data, timing and gaps that the benchmarks share."""

import time
from statistics import median

import numpy as np


def timed(work, repeats):
    """The median of the seconds that work() takes, and what it returned last; one call more warms up if repeats > 1."""
    if repeats > 1:
        work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return median(seconds), result


def table(n_samples, n_features, n_classes=2, correlation=0.0, intercept=0.3):
    """X from a normal distribution, AR(1)-correlated between neighbouring columns, and labels from a logistic model."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features))
    for j in range(1, n_features if correlation else 0):
        X[:, j] = correlation * X[:, j - 1] + np.sqrt(1 - correlation**2) * X[:, j]
    if n_classes == 2:
        w = rng.normal(size=n_features) * 1.5 / np.sqrt(n_features)
        return X, (X @ w + intercept + rng.logistic(size=n_samples) > 0).astype(int)
    W = rng.normal(size=(n_features, n_classes)) * 2 / np.sqrt(n_features)
    return X, (X @ W + rng.gumbel(size=(n_samples, n_classes))).argmax(axis=1)


def cost(X, y, coef, intercept, l2):
    """J summed over the columns of coef (n_columns, n_features): the classes from 1 on for one, else all."""
    coef = np.atleast_2d(coef)
    positive = [1] if len(coef) == 1 else range(len(coef))
    total = 0.5 * l2 * np.sum(coef**2)
    for k, label in enumerate(positive):
        z = X @ coef[k] + np.ravel(intercept)[k]
        total += np.mean(np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))) - (y == label) * z)
    return float(total)


def with_gaps(X, y, l2, timings, best):
    """(name, seconds, (coef, intercept)) to (name, seconds, gap)."""
    for name, seconds, (coef, intercept) in timings:
        yield name, seconds, f"{cost(X, y, coef, intercept, l2) - best:.1e}"

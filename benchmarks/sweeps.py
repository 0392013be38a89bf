"""Grids of models: learning rates and penalties by gradient descent, and paths of penalties to the optimum."""

import time
from contextlib import suppress
from functools import lru_cache

import numpy as np
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.multiclass import OneVsRestClassifier

from benchmarks.measure import table, timed
from benchmarks.passes import tutorial_descent
from pipeline import config
from pipeline.columns import splitting
from pipeline.columns.dataset import bundled
from pipeline.config import composition
from pipeline.logistic import DivergenceError, LogisticRegression
from pipeline.logistic.grid import fit_grid
from pipeline.logistic.loss import log_loss, sigmoid
from pipeline.training.sweep import score_grid

C = np.logspace(-4, 4, 10)


def rows():
    yield "10 x 10 x 5 sweep, breast cancer, 10,000 iterations", sweep()
    X, y = load_breast_cancer(return_X_y=True)
    yield "10 x 5 path and refit, breast cancer", path(scaled(X), y, "newton", 1e-7, 10)
    X, y = load_digits(return_X_y=True)
    yield "10 x 5 path and refit, digits, 10 classes", path(X / 16, y, "newton", 1e-7, 1)
    yield "10 x 5 path and refit, 1,000,000 x 30", path(*table(1_000_000, 30), "quasi_newton", 1e-4, 1)


def scaled(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def training_rows(X, y, folds, prepare):
    """What `fit_grid` asks for: the rows outside a fold, `prepare`d; the last fold asked for is kept."""

    @lru_cache(maxsize=1)
    def rows(fold):
        kept = np.flatnonzero(folds != fold)
        return prepare(np.take(X, kept, axis=0)), y[kept], None

    return rows


def sweep():
    """The sweep of `dvc repro` on a larger grid: preprocessing, training and scores."""
    table, params = bundled("breast_cancer"), config.validate(config.parse(composition.compose(), "conf/"), "conf/")
    l2, rates = np.repeat(np.logspace(-4, 0, 10), 10), np.tile(np.logspace(-3, 0, 10), 10)
    grid = [config.Combination(*pair) for pair in zip(l2.tolist(), rates.tolist(), strict=True)]
    folds = splitting.folds(table["target"].to_numpy(), 5, 0)
    settings = table, params.train, params.sweep, grid, folds
    yield "this project, together", timed(lambda: score_grid(*settings), 1)[0], ""
    X, y = load_breast_cancer(return_X_y=True)
    folds = np.arange(len(y)) % 5
    start = time.perf_counter()
    for k, fold in np.ndindex(100, 5):
        with suppress(DivergenceError):
            LogisticRegression(l2[k], rates[k], init="random", random_state=0).fit(
                scaled(X[folds != fold]), y[folds != fold]
            )
    yield "this project, one after another", time.perf_counter() - start, ""
    train = scaled(X[folds != 0]), y[folds != 0]
    every_tenth = timed(lambda: [tutorial_descent(*train, l2[k], rates[k], 10_000) for k in range(0, 100, 10)], 1)[0]
    yield "NumPy as in tutorials (10 of 500, times 50)", 50 * every_tenth, ""


def path(X, y, optimizer, tol, repeats):
    """Ten penalties by five folds and a refit of the best; the gap column holds the lowest mean held-out log-loss.

    Tolerances are such that its six digits no longer change when they are tightened.
    """
    folds = np.arange(len(y)) % 5
    l2 = 1 / np.outer(C, len(y) - np.bincount(folds))

    def ours():
        training = training_rows(X, y, folds, np.ascontiguousarray)
        n_classes = int(y.max()) + 1
        grid = fit_grid(training, 5, l2, n_classes=n_classes, optimizer=optimizer, tol=tol)
        scores = np.empty((5, 10))
        for fold in range(5):
            held_out = folds == fold
            scores[fold] = held_out_loss(grid.margins(X[held_out], fold), y[held_out])
        best = scores.mean(axis=0).argmin()
        LogisticRegression(1 / (C[best] * len(y)), optimizer=optimizer, tol=tol).fit(X, y)
        return scores.mean(axis=0).min()

    yield "this project", *show(timed(ours, repeats))
    options = {"cv": PredefinedSplit(folds), "scoring": "neg_log_loss"}
    binary = len(np.unique(y)) == 2
    for jobs in (1, 2) if len(y) <= 100_000 else (2,):
        if binary:
            search = linear_model.LogisticRegressionCV(
                Cs=C,
                solver="newton-cholesky",
                tol=tol,
                n_jobs=jobs,
                use_legacy_attributes=False,
                l1_ratios=(0.0,),
                **options,
            )
            seconds, fitted = timed(lambda search=search: search.fit(X, y), repeats)
            yield (
                f"LogisticRegressionCV, newton-cholesky, {jobs} jobs",
                seconds,
                f"{-fitted.scores_.mean(axis=0).max():.6f}",
            )
        if len(y) > 100_000:
            continue
        inner = linear_model.LogisticRegression(solver="newton-cholesky", tol=tol)
        name, key = ("GridSearchCV", "C") if binary else ("GridSearchCV of OneVsRestClassifier", "estimator__C")
        search = GridSearchCV(inner if binary else OneVsRestClassifier(inner), {key: C}, n_jobs=jobs, **options)
        seconds, fitted = timed(lambda search=search: search.fit(X, y), repeats)
        yield f"{name}, newton-cholesky, {jobs} jobs", seconds, f"{-fitted.best_score_:.6f}"


def held_out_loss(margins, y):
    """Mean log-loss (n_combinations,) of margins (n_rows, n_combinations, n_columns)."""
    if margins.shape[2] == 1:
        return log_loss(margins[:, :, 0], y[:, None]).mean(axis=0)
    P = sigmoid(margins)
    return -np.log(P[np.arange(len(y)), :, y] / P.sum(axis=2)).mean(axis=0)


def show(timing):
    return timing[0], f"{timing[1]:.6f}"

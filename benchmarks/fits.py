"""Fits to an optimum, with tolerances that reach the gap of the row; lbfgs may go past it on easy data."""

from functools import partial
from importlib import import_module

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer
from sklearn.multiclass import OneVsRestClassifier

from benchmarks.measure import cost, table, timed, with_gaps
from pipeline.logistic import LogisticRegression


def rows():
    yield "fit to 1e-9, 1,000,000 x 30", large(*table(1_000_000, 30))
    yield "fit to 1e-9, the same, correlated, 11 % positive", large(*table(1_000_000, 30, 2, 0.95, -3.2))
    yield "fit to 1e-6, one-vs-rest, 100,000 x 784, 10 classes", wide(*table(100_000, 784, 10))
    yield "fit to 1e-9, breast cancer", small()
    sizes = (16, 9, 7, 15, 6, 5, 2, 42)  # those of census income
    yield "fit to 1e-9, 1,000,000 x (6 numbers, 8 strings of 102 categories)", categories(sizes, 1e-5, 1e-9)
    yield "fit to 1e-6, 1,000,000 x (6 numbers, a string of 100,000 categories)", categories((100_000,), 1e-6, 1e-6)
    yield "fit to 1e-6, 83 x 2,308", few(83, 2_308)
    yield "fit to 1e-6, 40 x 20,000", few(40, 20_000)


def large(X, y):
    l2 = 1e-6
    contenders = [
        ("this project, quasi_newton", LogisticRegression(l2, optimizer="quasi_newton", tol=2e-5)),
        ("this project, newton", LogisticRegression(l2, optimizer="newton", tol=1e-5)),
        *scikit_learn(l2, len(X), **{"newton-cholesky": 1e-5, "lbfgs": 1e-6}),
        *glum(l2),
    ]
    return compete(X, y, l2, contenders, 3)


def wide(X, y):
    l2 = 1e-5
    lbfgs = OneVsRestClassifier(linear_model.LogisticRegression(C=1 / (l2 * len(X)), tol=1e-4, max_iter=500))
    contenders = [
        ("this project, quasi_newton", LogisticRegression(l2, optimizer="quasi_newton", tol=1.5e-4)),
        ("OneVsRestClassifier, lbfgs", lbfgs),
    ]
    return compete(X, y, l2, contenders, 1)


def small():
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    l2 = 1 / len(X)
    ours = ("this project, newton", LogisticRegression(l2, optimizer="newton", tol=1e-5))
    return compete(
        X, y, l2, [ours, *scikit_learn(l2, len(X), **{"newton-cholesky": 1e-5, "lbfgs": 1e-6}), *glum(l2)], 100
    )


def categories(sizes, l2, gap, n_samples=1_000_000):
    """A data frame with category columns, as a user has it; scikit-learn gets its one-hot matrix, made before."""
    rng = np.random.default_rng(0)
    numbers, codes = rng.normal(size=(n_samples, 6)), [(k * rng.random(n_samples) ** 2).astype(int) for k in sizes]
    z = (
        numbers @ rng.normal(size=6)
        - 1
        + sum(rng.normal(size=k)[code] / 2 for k, code in zip(sizes, codes, strict=True))
    )
    y = (rng.logistic(size=n_samples) < z).astype(int)
    strings = {f"string_{j}": pd.Categorical.from_codes(code, range(sizes[j])) for j, code in enumerate(codes)}
    frame = pd.DataFrame(numbers).add_prefix("number_").assign(**strings)
    one_hot = [sparse.csr_matrix((np.ones(n_samples), code, np.arange(n_samples + 1)), (n_samples, k))
               for k, code in zip(sizes, codes, strict=True)]  # fmt: skip
    X = sparse.hstack([sparse.csr_matrix(numbers), *one_hot], format="csr")
    best = LogisticRegression(l2, optimizer="quasi_newton", tol=1e-9).fit(frame, y)
    lowest = cost(X, y, best.coef_, best.intercept_, l2)
    ours = LogisticRegression(l2, optimizer="quasi_newton", tol=1e-5 if gap < 1e-6 else 1e-4)
    contenders = [("this project, quasi_newton", ours, frame, 3)]
    contenders += [
        (name, model, X, 1) for name, model in scikit_learn(l2, n_samples, lbfgs=1e-5, **{"newton-cg": 1e-5})
    ]
    few_enough = sum(sizes) < 5_000  # glum has a dense curvature of all features
    contenders += [(f"{name}, tabmat", model, frame, 1) for name, model in glum(l2) if few_enough]
    return with_gaps(X, y, l2, (fit(name, model, rows, y, n) for name, model, rows, n in contenders), lowest)


def few(n_samples, n_features):
    """More columns than rows."""
    X, y = table(n_samples, n_features)
    l2 = 1 / n_samples
    contenders = [
        ("this project, quasi_newton", LogisticRegression(l2, optimizer="quasi_newton", tol=1e-4)),
        ("this project, newton", LogisticRegression(l2, optimizer="newton", tol=1e-4)),
        *scikit_learn(l2, n_samples, lbfgs=1e-5),
    ]
    return compete(X, y, l2, contenders, 5)


def scikit_learn(l2, n, **tolerances):
    make = partial(linear_model.LogisticRegression, C=1 / (l2 * n), max_iter=1000)
    return [(f"scikit-learn, {solver}", make(solver=solver, tol=tol)) for solver, tol in tolerances.items()]


def glum(l2):
    try:
        make = import_module("glum").GeneralizedLinearRegressor
    except ImportError:
        return []
    return [("glum", make(family="binomial", alpha=l2, l1_ratio=0, gradient_tol=1e-6))]


def compete(X, y, l2, contenders, repeats):
    best = LogisticRegression(l2, optimizer="quasi_newton", tol=1e-9).fit(X, y)
    lowest = cost(X, y, best.coef_, best.intercept_, l2)
    return with_gaps(X, y, l2, (fit(name, model, X, y, repeats) for name, model in contenders), lowest)


def fit(name, model, X, y, repeats):
    seconds, fitted = timed(lambda: model.fit(X, y), repeats)
    if isinstance(fitted, OneVsRestClassifier):
        coef = [part.coef_[0] for part in fitted.estimators_]
        return name, seconds, (coef, [part.intercept_[0] for part in fitted.estimators_])
    return name, seconds, (fitted.coef_, fitted.intercept_)

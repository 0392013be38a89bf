"""Logistic regression with scikit-learn's interface.

Minimises, for each column of the weight matrix (two classes: one column; more: one against the rest, a column a class),

    J(w, b) = sum_i s_i [log(1 + exp(z_i)) - y_i z_i] / sum_i s_i + l2/2 ||w||^2,    z = X w + b,

with row weights s (one each unless given) and the intercept free of penalty. It is scikit-learn's objective
divided by the total weight: l2 = 1 / (C sum_i s_i).
"""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    check_random_state,
    validate_data,
)

from pipeline.logistic.columns import fit_columns
from pipeline.logistic.divergence import DivergenceError
from pipeline.logistic.minimize import CONVERGED, DIVERGED
from pipeline.logistic.objective import Objective
from pipeline.logistic.optimizers import OPTIMIZERS
from pipeline.logistic.threads import workers


class LogisticRegression(ClassifierMixin, BaseEstimator):
    """Logistic regression, from scratch in NumPy."""

    def __init__(
        self,
        l2=0.01,
        learning_rate="auto",
        optimizer="gradient_descent",
        max_iter=10_000,
        tol=1e-6,
        fit_intercept=True,
        class_weight=None,
        init="zeros",
        random_state=None,
    ):
        self.l2 = l2
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.max_iter = max_iter
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.init = init
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None, callback=None):
        """Train on X (n_samples, n_features) and labels y (n_samples,)."""
        self._check_parameters()
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds one class, {self.classes_[0]!r}; a classifier needs at least two classes.")
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        weight = weight * self._weight_of_class(codes, weight)[codes]
        positive = np.array([1]) if len(self.classes_) == 2 else np.arange(len(self.classes_))
        W = np.zeros((X.shape[1] + 1, len(positive)))
        if self.init == "random":
            W[:] = check_random_state(self.random_state).standard_normal(W.shape)
        if not self.fit_intercept:
            W[-1] = 0
        if np.all(weight == weight[0]):
            weight = None
        rate = None if self.learning_rate == "auto" else np.full(len(positive), float(self.learning_rate))
        l2 = np.full(len(positive), float(self.l2))
        with workers(1 if X.size < 100_000 else 2) as run:
            objective = Objective(X, codes, positive, l2, weight, self.fit_intercept, run)
            fit = fit_columns(objective, self.optimizer, rate, W, self.max_iter, self.tol, callback)
            for k in np.flatnonzero(fit.status == DIVERGED)[:1]:
                safe = objective.safe_learning_rate()[k]
                raise DivergenceError(rate[k], int(fit.n_iter[k]), float(fit.cost[k]), float(safe))
        self.coef_ = fit.weights[:-1].T.copy()
        self.intercept_ = fit.weights[-1].copy()
        self.n_iter_ = fit.n_iter
        self.gradient_norm_ = fit.gradient_norm
        self.cost_history_ = fit.costs[:, 0] if len(self.classes_) == 2 else fit.costs
        self.stop_reason_ = [
            f"gradient norm {norm:.2g} under the tolerance {self.tol:g}" if ok else
            f"iterations ran out at {iterations}: gradient norm {norm:.2g}, tolerance {self.tol:g}"
            for ok, norm, iterations in zip(fit.status == CONVERGED, fit.gradient_norm, fit.n_iter, strict=True)
        ]  # fmt: skip
        if self.max_iter > 0 and not (fit.status == CONVERGED).all():
            warnings.warn("; ".join(sorted(set(self.stop_reason_))), ConvergenceWarning, stacklevel=2)
        return self

    def decision_function(self, X):
        """The margins z: (n_samples,) for two classes, (n_samples, n_classes) for more."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        Z = X @ self.coef_.T + self.intercept_
        return Z[:, 0] if len(self.classes_) == 2 else Z

    def predict_proba(self, X):
        """Probabilities (n_samples, n_classes); with three or more, one-vs-rest ones divided by their sum."""
        Z = self.decision_function(X)
        P = np.exp(-np.logaddexp(0, -Z))
        if P.ndim == 1:
            return np.column_stack([1 - P, P])
        total = P.sum(axis=1, keepdims=True)
        return np.where(total > 0, P / np.where(total > 0, total, 1), 1 / P.shape[1])

    def predict(self, X):
        """The most probable class of each row."""
        Z = self.decision_function(X)
        return self.classes_[(Z > 0).astype(int) if Z.ndim == 1 else Z.argmax(axis=1)]

    def _weight_of_class(self, codes, weight):
        if self.class_weight is None:
            return np.ones(len(self.classes_))
        if isinstance(self.class_weight, str):
            totals = np.bincount(codes, weights=weight)
            return weight.sum() / (len(self.classes_) * totals)
        return np.array([self.class_weight.get(label, 1.0) for label in self.classes_.tolist()], dtype=np.float64)

    def _check_parameters(self):
        rules = {
            "l2": ("a number from 0 up", isinstance(self.l2, Real) and 0 <= self.l2 < np.inf),
            "learning_rate": (
                "'auto' or a number above 0",
                self.learning_rate == "auto"
                or (isinstance(self.learning_rate, Real) and 0 < self.learning_rate < np.inf),
            ),
            "optimizer": (f"one of {', '.join(OPTIMIZERS)}", self.optimizer in OPTIMIZERS),
            "max_iter": ("a whole number from 0 up", isinstance(self.max_iter, Integral) and self.max_iter >= 0),
            "tol": ("a number from 0 up", isinstance(self.tol, Real) and 0 <= self.tol < np.inf),
            "init": ("'zeros' or 'random'", self.init in ("zeros", "random")),
            "class_weight": (
                "None, 'balanced' or a dict of weights by class",
                self.class_weight is None or self.class_weight == "balanced" or isinstance(self.class_weight, dict),
            ),
        }
        for name, (allowed, right) in rules.items():
            if not right:
                raise ValueError(f"{name} = {getattr(self, name)!r} is not allowed: it must be {allowed}.")

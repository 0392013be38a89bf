"""Logistic regression with scikit-learn's interface.

Minimises, for each column of weights (two classes: one column; more: one against the rest, a column a class),

    J(w, b) = sum_i s_i [log(1 + exp(z_i)) - y_i z_i] / sum_i s_i + l2/2 ||w||^2,    z = X w + b,

with row weights s (sample_weight times the weight of the row's class; one each unless given) and the intercept free of
penalty. It is scikit-learn's objective divided by the total weight: l2 = 1 / (C sum_i s_i), 1 / (C n) without weights.
"""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, check_random_state, validate_data

from pipeline.logistic.columns import fit_columns
from pipeline.logistic.divergence import DivergenceError
from pipeline.logistic.minimize import CONVERGED, DIVERGED, RAN_OUT
from pipeline.logistic.objective import STRIPS, Objective, probabilities
from pipeline.logistic.optimizers import OPTIMIZERS
from pipeline.logistic.threads import workers


class LogisticRegression(ClassifierMixin, BaseEstimator):
    """Logistic regression, from scratch in NumPy.

    l2             the penalty, lambda in the formula
    learning_rate  of gradient_descent and nesterov: a number, or "auto" for one over the largest possible curvature
    optimizer      "gradient_descent", "nesterov", "newton" (exact in a handful of iterations, for up to
                   some hundred features) or "quasi_newton" (for large data)
    max_iter       0 leaves the starting weights
    tol            the gradient's norm to stop at
    class_weight   None, "balanced" (n / (n_classes * rows of the class)) or a dict of weights by class
    init           "zeros", or "random": standard normal weights and intercept, drawn with `random_state`

    After `fit`: `coef_` (n_columns, n_features), `intercept_` (n_columns,), `classes_`, `n_iter_` (n_columns,),
    `cost_history_` ((iterations + 1,) for two classes, else (iterations + 1, n_classes) with NaN after a column ends;
    the start first, which quasi_newton finds on a sample of large data), `gradient_norm_` (n_columns,) and
    `stop_reason_`, a list of n_columns sentences.
    """

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
        """Train on X (n_samples, n_features), labels y (n_samples,) and weights from 0 up (n_samples,).

        callback(iteration, cost) is called now and then, for a progress bar. Raises DivergenceError when the learning
        rate is too large, ValueError for what cannot be fitted; warns when the iterations ran out before the optimum,
        and when there is none (classes that a plane separates, without l2).
        """
        self._check_parameters()
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds one class, {self.classes_[0]!r}; a classifier needs at least two classes.")
        small = np.min_scalar_type(len(self.classes_))
        parts = np.array_split(y, STRIPS)  # little memory at any number of rows
        codes = np.concatenate([np.searchsorted(self.classes_, part).astype(small) for part in parts])
        positive = np.array([1]) if len(self.classes_) == 2 else np.arange(len(self.classes_))
        rate = None if self.learning_rate == "auto" else np.full(len(positive), float(self.learning_rate))
        start = np.zeros((X.shape[1] + 1, len(positive)))
        if self.init == "random":
            start[:] = check_random_state(self.random_state).standard_normal(start.shape)
            start[-1] *= bool(self.fit_intercept)
        weight = self._row_weights(codes, sample_weight, X)
        with workers(1 if X.size < 100_000 else STRIPS) as run:
            l2 = np.full(len(positive), float(self.l2))
            objective = Objective(X, codes, positive, l2, weight, bool(self.fit_intercept), run)
            fit = fit_columns(objective, self.optimizer, rate, start, self.max_iter, self.tol, callback)
            for k in np.flatnonzero(fit.status == DIVERGED)[:1]:
                raise DivergenceError(
                    None if rate is None else float(rate[k]),
                    int(fit.n_iter[k]),
                    float(fit.cost[k]),
                    float(objective.safe_learning_rate()[k]),
                )
            no_optimum = objective.separates(fit.weights) if self.l2 == 0 else np.zeros(len(positive), dtype=bool)
        self.coef_, self.intercept_ = fit.weights[:-1].T.copy(), fit.weights[-1].copy()
        self.n_iter_, self.gradient_norm_ = fit.n_iter, fit.gradient_norm
        self.cost_history_ = fit.costs[:, 0].copy() if len(positive) == 1 else fit.costs
        self.stop_reason_ = [self._stop_reason(fit, k, no_optimum[k]) for k in range(len(positive))]
        if self.max_iter > 0 and (no_optimum.any() or (fit.status == RAN_OUT).any()):
            at = no_optimum | (fit.status == RAN_OUT)
            reasons = dict.fromkeys(reason for reason, bad in zip(self.stop_reason_, at, strict=True) if bad)
            warnings.warn("; ".join(reasons), ConvergenceWarning, stacklevel=2)
        return self

    def decision_function(self, X):
        """The margins z: (n_samples,) for two classes, (n_samples, n_classes) for more."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        Z = X @ self.coef_.T + self.intercept_
        return Z[:, 0] if len(self.classes_) == 2 else Z

    def predict_proba(self, X):
        """Probabilities (n_samples, n_classes); of three classes or more, each one's own divided by their sum."""
        return probabilities(self.decision_function(X))

    def predict(self, X):
        """The most probable class of each row."""
        Z = self.decision_function(X)
        return self.classes_[(Z > 0).astype(int) if Z.ndim == 1 else Z.argmax(axis=1)]

    def _row_weights(self, codes, sample_weight, X):
        if sample_weight is None and self.class_weight is None:
            return None
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if isinstance(self.class_weight, dict):
            return weight * np.array([self.class_weight.get(label, 1.0) for label in self.classes_.tolist()])[codes]
        if self.class_weight == "balanced":
            present = np.bincount(codes, weights=weight)
            return weight * (weight.sum() / (len(present) * np.where(present > 0, present, 1)))[codes]
        return weight

    def _stop_reason(self, fit, k, no_optimum):
        norm = f"gradient norm {fit.gradient_norm[k]:.2g}"
        if no_optimum:
            return (
                f"a plane separates the classes, so without l2 the cost has no minimum: ended after {fit.n_iter[k]} "
                f"iterations at {norm}; set l2 above 0"
            )
        if fit.status[k] == CONVERGED:
            return f"{norm} under the tolerance {self.tol:g}"
        if fit.status[k] == RAN_OUT:
            return (
                f"iterations ran out after {fit.n_iter[k]}: {norm} above the tolerance {self.tol:g}; "
                "scale the features, raise max_iter or learning_rate, or choose optimizer='newton'"
            )
        return f"the cost no longer falls: {norm} is as low as rounding lets it be (tolerance {self.tol:g})"

    def _check_parameters(self):
        def number(value):
            return isinstance(value, Real) and not isinstance(value, bool) and value < np.inf

        weight, rate = self.class_weight, self.learning_rate
        rules = {
            "l2": ("a number from 0 up", number(self.l2) and self.l2 >= 0),
            "learning_rate": (
                "'auto' or a number above 0",
                rate == "auto" if isinstance(rate, str) else number(rate) and rate > 0,
            ),
            "optimizer": (f"one of {', '.join(OPTIMIZERS)}", self.optimizer in OPTIMIZERS),
            "max_iter": ("a whole number from 0 up", isinstance(self.max_iter, Integral) and self.max_iter >= 0),
            "tol": ("a number from 0 up", number(self.tol) and self.tol >= 0),
            "init": ("'zeros' or 'random'", self.init in ("zeros", "random")),
            "class_weight": (
                "None, 'balanced' or a dict of weights by class",
                weight is None or weight == "balanced" or isinstance(weight, dict),
            ),
        }
        for name, (allowed, right) in rules.items():
            if not right:
                raise ValueError(f"{name} = {getattr(self, name)!r} is not allowed: it must be {allowed}.")

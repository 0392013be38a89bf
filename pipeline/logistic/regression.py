"""Logistic regression, a fit with its settings. The stages train it; `estimator.py` makes it one of scikit-learn's.

Minimises, for each column of weights (two classes: one column; more: one column per class, against the rest),

    J(w, b) = sum_i s_i [log(1 + exp(z_i)) - y_i z_i] / sum_i s_i + l2/2 ||w||^2,    z = X w + b,

with row weights s (sample_weight times the weight of the row's class; one each unless given); the intercept b is not
penalised. It is scikit-learn's objective divided by the total weight: l2 = 1 / (C sum_i s_i), or 1 / (C n).
"""

import warnings
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy import ndarray

from pipeline.logistic.fast_objective import FastObjective
from pipeline.logistic.fitting import Callback, fit_columns, random_start
from pipeline.logistic.loss import log_probabilities, predicted, probabilities
from pipeline.logistic.matrix import margins
from pipeline.logistic.optimizers import OPTIMIZERS
from pipeline.logistic.penalty import penalty_of
from pipeline.logistic.softmax import loss_of
from pipeline.logistic.status import DivergenceError, Status
from pipeline.logistic.threads import STRIPS, strips, workers

WARNED = (Status.RAN_OUT, Status.STUCK, Status.SEPARATED)


class EndedEarlyWarning(UserWarning):
    """Training ended before the optimum, or there is none."""


class Regression:
    """Logistic regression, from scratch in NumPy.

    l2             the penalty, lambda in the formula
    l1_ratio       the share of |w| in it: l2 (l1_ratio |w| + (1 - l1_ratio)/2 ||w||^2). 0 is ridge, 1 the lasso; above
                   0 some weights are exactly zero
    multiclass     of three classes or more: "one_vs_rest", a model of each class against the rest, or "softmax", one
                   model of them all
    learning_rate  of gradient_descent and nesterov: a number, or "auto" for one over the largest possible curvature
    optimizer      "gradient_descent", "nesterov", "newton" (exact in a few iterations, for up to some hundred
                   features; above 2,000 it is quasi_newton) or "quasi_newton" (for large data)
    max_iter       0 keeps the starting weights
    tol            the norm of the gradient to stop at (newton, quasi_newton: in centred features, where some are far
                   from zero)
    class_weight   None, "balanced" (n / (n_classes * rows of the class)) or a dict of weights by class
    init           "zeros", or "random": standard normal weights and intercept, drawn with `random_state`
    signs          (n_features,) of -1 or 1, for weights that have no other sign, and 0; with l1_ratio = 0

    After `fit`: `coef_` (n_columns, n_features), `intercept_` (n_columns,), `classes_`, sorted, `n_iter_` (n_columns,),
    `cost_history_` ((iterations + 1,) for two classes, else (iterations + 1, n_classes) with NaN after a column ends;
    the start first, which quasi_newton finds on a sample of large data), `gradient_norm_` (n_columns,), `status_`
    (n_columns,), the short names of `Status`, and `stop_reason_`, a list of n_columns sentences.
    """

    ended_early: type[Warning] = EndedEarlyWarning

    def __init__(
        self,
        l2: float = 0.01,
        learning_rate: float | str = "auto",
        optimizer: str = "gradient_descent",
        max_iter: int = 10_000,
        tol: float = 1e-6,
        fit_intercept: bool = True,
        class_weight: dict | str | None = None,
        init: str = "zeros",
        random_state: int | np.random.RandomState | None = None,
        l1_ratio: float = 0.0,
        multiclass: str = "one_vs_rest",
        signs: ndarray | None = None,
    ):
        self.l2 = l2
        self.l1_ratio = l1_ratio
        self.multiclass = multiclass
        self.signs = signs
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.max_iter = max_iter
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.init = init
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, callback: Callback | None = None) -> Self:
        """Train on X (n_samples, n_features), a `Matrix` or an array, labels y (n_samples,) and weights from 0 up
        (n_samples,).

        callback(iteration, cost) is called now and then, for a progress bar, with the mean cost of all classes. Raises
        DivergenceError when the learning rate is too large, ValueError for data or parameters that are not allowed;
        warns when the fit ended before the optimum, and when there is none (classes that a plane separates, without
        l2).
        """
        self._check_parameters()
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds one class, {self.classes_[0]!r}; a classifier needs at least two classes.")
        # Strip by strip and in the smallest type, this takes little memory at any number of rows.
        small = np.min_scalar_type(len(self.classes_))
        codes = np.concatenate([np.searchsorted(self.classes_, y[rows]).astype(small) for rows in strips(len(y))])
        positive = np.array([1]) if len(self.classes_) == 2 else np.arange(len(self.classes_))
        rate = None if self.learning_rate == "auto" else np.full(len(positive), float(self.learning_rate))
        weight, start = self._row_weights(codes, sample_weight), None
        if self.init == "random":
            random_state = self._random_state()
            start = random_start(X.shape[1], len(positive), random_state, bool(self.fit_intercept))
        with workers(1 if X.shape[0] * X.shape[1] < 100_000 else STRIPS) as run:
            penalty = penalty_of(np.full(len(positive), float(self.l2)), float(self.l1_ratio), self.signs)
            loss = loss_of(self.multiclass, len(positive))
            objective = FastObjective(X, codes, positive, penalty, weight, bool(self.fit_intercept), run, loss)
            fit = fit_columns(objective, self.optimizer, rate, start, self.max_iter, self.tol, callback)
            for k in np.flatnonzero(fit.status == Status.DIVERGED)[:1]:
                safe = float(objective.safe_learning_rate()[:, k].min())
                used = None if rate is None else float(rate[k])
                raise DivergenceError(used, int(fit.n_iter[k]), float(fit.cost[k]), safe)
        self.coef_, self.intercept_ = fit.weights[:-1].T.copy(), fit.weights[-1].copy()
        self.n_iter_, self.gradient_norm_, self.status_ = fit.n_iter, fit.gradient_norm, fit.status
        self.cost_history_ = fit.costs[:, 0].copy() if len(positive) == 1 else fit.costs
        self.stop_reason_ = [
            f"{Status(status).sentence} ({n_iter} iterations, gradient norm {norm:.2g}, tolerance {self.tol:g})"
            for status, n_iter, norm in zip(fit.status, fit.n_iter, fit.gradient_norm, strict=True)
        ]
        statuses = zip(self.stop_reason_, fit.status, strict=True)
        bad = dict.fromkeys(reason for reason, status in statuses if status in WARNED)
        if self.max_iter > 0 and bad:
            warnings.warn("; ".join(bad), self.ended_early, stacklevel=2)
        if self.max_iter > 0:
            self._warn_of_replaced(fit.optimizer)
        return self

    def decision_function(self, X: Any) -> ndarray:
        """The margins z: (n_samples,) for two classes, (n_samples, n_classes) for more."""
        Z = margins(X, np.vstack([self.coef_.T, self.intercept_]))
        return Z[:, 0] if len(self.classes_) == 2 else Z

    def predict_proba(self, X: Any) -> ndarray:
        """Probabilities (n_samples, n_classes); of three classes or more by softmax, or those against the rest over
        their sum."""
        return probabilities(self.decision_function(X), self.multiclass)

    def predict_log_proba(self, X: Any) -> ndarray:
        """Logarithms of `predict_proba`, exact where a probability is too small for a float64."""
        return log_probabilities(self.decision_function(X), self.multiclass)

    def predict(self, X: Any) -> ndarray:
        """The class of the highest margin for each row, (n_samples,)."""
        chosen = predicted(self.decision_function(X))
        return self.classes_[chosen]

    def _row_weights(self, codes: ndarray, sample_weight: Any) -> ndarray | None:
        if sample_weight is None and self.class_weight is None:
            return None
        weight = np.ones(len(codes)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        classes = self.classes_.tolist()
        if isinstance(self.class_weight, dict):
            unknown = [label for label in self.class_weight if label not in classes]
            if unknown:
                raise ValueError(f"class_weight has a weight for {unknown[0]!r}, but the classes of y are {classes}.")
            return weight * np.array([self.class_weight.get(label, 1.0) for label in classes])[codes]
        return row_weights(self.class_weight, codes, weight)

    def _random_state(self) -> np.random.RandomState:
        state = self.random_state
        return state if isinstance(state, np.random.RandomState) else np.random.RandomState(state)

    def _warn_of_replaced(self, used: str) -> None:
        """Where `used` took the steps instead of `optimizer`, or none of the length that was asked for."""
        if used != self.optimizer and self.signs is None:
            takes = f"l1_ratio = {self.l1_ratio:g}" if self.l1_ratio else "so many features"
            if self.l1_ratio and used == "nesterov":
                takes += " with so many features or with softmax"
            warnings.warn(
                f"optimizer = {self.optimizer} can't take {takes}, so {used} took the steps, at most {self.max_iter:,} "
                f"of them. To give it its own number of steps, set optimizer to {used}.",
                stacklevel=3,
            )
        if self.learning_rate != "auto" and used in ("newton", "quasi_newton"):
            warnings.warn(
                f"learning_rate = {self.learning_rate:g} is not used, since {used} finds the length of its steps "
                f"itself. To use it, set optimizer to gradient_descent; to leave it out, learning_rate to auto.",
                stacklevel=3,
            )

    def _check_parameters(self) -> None:
        def number(value: Any) -> bool:
            return isinstance(value, Real) and not isinstance(value, bool) and value < np.inf

        weight, rate = self.class_weight, self.learning_rate
        rules = {
            "multiclass": ("'one_vs_rest' or 'softmax'", self.multiclass in ("one_vs_rest", "softmax")),
            "l1_ratio": ("a number from 0 to 1", number(self.l1_ratio) and 0 <= self.l1_ratio <= 1),
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
                "None, 'balanced' or a dict of weights by class, numbers from 0 up",
                all(number(value) and value >= 0 for value in weight.values())
                if isinstance(weight, dict)
                else weight is None or weight == "balanced",
            ),
        }
        for name, (allowed, right) in rules.items():
            if not right:
                raise ValueError(f"{name} = {getattr(self, name)!r} is not allowed: it must be {allowed}.")


def row_weights(class_weight: str | None, codes: ndarray, weight: ndarray | None) -> ndarray | None:
    """The weight of each row (n_samples,), that of its class ("balanced") included; None where all weigh the same."""
    if class_weight is None:
        return weight
    weight = np.ones(len(codes)) if weight is None else weight
    totals = np.bincount(codes, weight)
    return weight * (weight.sum() / (len(totals) * np.where(totals > 0, totals, 1)))[codes]

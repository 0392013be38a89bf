"""Standard errors, intervals and tests of the weights, as tables."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from pipeline.columns.terms import Features
from pipeline.errors import UserError
from pipeline.logistic.fast_objective import LARGEST_FACTOR, FastObjective
from pipeline.logistic.inference import Inference, firth_inference, inference, refit
from pipeline.logistic.loss import log_probabilities
from pipeline.logistic.penalty import Ridge
from pipeline.logistic.regression import row_weights
from pipeline.logistic.softmax import Softmax
from pipeline.logistic.threads import workers
from pipeline.training.fit import Training, shortened

REACH = NormalDist().inv_cdf(0.975)  # standard deviations, of intervals of 95 %
LARGE = "the data is large, so it is not fitted again without penalty; train.lambda = 0 does that"
JOINT = (
    "the classes are one model (softmax), whose weights are compared with the mean of the classes; for tests of each "
    "class against the rest: train.multiclass = one_vs_rest"
)
MONOTONE = "a monotone model is not fitted again without penalty"
BENT = "a model with curves, pairs or words is not fitted again without penalty"
CREDIBLE = "its credible intervals, which take the penalty as the prior, are in inference.csv"


def credible_covariances(training: Training) -> dict[str, np.ndarray]:
    """For each class the covariance of its weights and its intercept, (n_features + 1, n_features + 1).

    Empty for an elastic net, whose kink has no curvature, for monotone terms, for more than `LARGEST_FACTOR` features
    (of a softmax those of all classes together), and without penalty, unless there are curves.

    It is that of a Bayesian with the penalty as prior (Wahba 1983; Wood, Generalized Additive Models, section 6.10),
    the inverse of the curvature of the cost, penalty included, divided by the number of rows, which count with their
    weight and that of their class. The classes of a softmax have one curvature together. It does not notice a number
    that is added to all intercepts, whose mean has no variance then (the pseudo-inverse).
    """
    fitted, y, X = training.fitted, training.y, training.oriented
    is_joint = fitted.multiclass == "softmax" and len(fitted.classes_) > 2
    is_free = fitted.l2 == 0 and not training.features.drawn
    width, n_joint = X.shape[1] + 1, len(fitted.classes_) if is_joint else 1
    if is_free or fitted.l1_ratio > 0 or training.params.monotone or width * n_joint > LARGEST_FACTOR + 1:
        return {}
    weight = row_weights(training.params.class_weight, np.searchsorted(fitted.classes_, y), training.weight)
    penalty, n = Ridge(np.array([fitted.l2])), len(y) if weight is None else weight.sum()
    covariances = {}
    if is_joint:
        codes, every = np.searchsorted(fitted.classes_, y), np.arange(len(fitted.classes_))
        W = np.vstack([fitted.coef_.T, fitted.intercept_])
        with workers() as run:
            loss, each = Softmax(len(every)), Ridge(np.full(len(every), fitted.l2))
            H = FastObjective(X, codes, every, each, weight, run=run, loss=loss).joint_curvature(W)
        together = np.tile(np.eye(width)[-1], len(every)) / np.sqrt(len(every))  # the direction of all intercepts
        joint = np.linalg.inv(H + np.outer(together, together)) - np.outer(together, together)
        places = [slice(k * width, (k + 1) * width) for k in every]
        return {str(label): joint[place, place] / n for label, place in zip(fitted.classes_, places, strict=True)}
    for label, coef, intercept in training.columns_of_weights:
        with workers() as run:
            objective = FastObjective(X, (y == label).astype(int), np.array([1]), penalty, weight, run=run)
            covariances[label] = np.linalg.inv(objective.curvature(np.append(coef, intercept)[:, None])[0]) / n
    return covariances


def inferences(
    training: Training, covariances: dict[str, np.ndarray], clusters: np.ndarray | None = None
) -> dict[str, tuple[Inference, Inference | None]]:
    """For each column of weights its inference per unit; of ridge also that of a refit without penalty.

    Without ridge the first category of a column is the reference that the others are compared with. A refit of large
    data is None.
    """
    fitted, params, y = training.model, training.params, training.y
    features, classify = training.features, training.fitted
    names, groups = features.names, features.partitions
    X = training.oriented.with_features(features.per_unit())
    weight = row_weights(params.class_weight, np.searchsorted(fitted.classes_, y), training.weight)
    errors: Any = {"groups": groups, "covariance": params.standard_errors, "clusters": clusters}
    fits: dict[str, tuple[Inference, Inference | None]] = {}
    if classify.multiclass == "softmax" and len(classify.classes_) > 2:
        of_classes = of_softmax(training, weight)
        for label, covariance in covariances.items():
            _add_credible(of_classes[label], covariance, features)
            of_classes[label].note += f"; {CREDIBLE}"
        return {label: (fit, None) for label, fit in of_classes.items()}
    for label, coef, intercept in training.columns_of_weights:
        slope, is_class = coef / features.scale, y == label
        intercept -= slope @ features.centre
        free = None
        if params.penalty == "firth":
            fit = firth_inference(X.toarray(), is_class, slope, intercept, groups)
        elif classify.l2 == 0:
            fit = inference(X, is_class, slope, intercept, 0.0, weight, **errors)
        else:
            fit = inference(X, is_class, slope, intercept, classify.l2, weight)
            if label in covariances:
                _add_credible(fit, covariances[label], features)
            is_curved = bool(features.drawn or fitted.design.counted)
            free = None if is_curved or params.monotone else refit(X, is_class, weight, **errors)
            why = BENT if is_curved else MONOTONE if params.monotone else LARGE
            fit.note += ": " + (why if free is None else f"without penalty, {free.note}")
        separating = (free or fit).separating
        if separating is not None:
            fit.note += f" (because of {shortened(names[separating])})"
        if free is not None and free.following is not None and len(free.following):
            fit.note += f"; left out, because they follow from others: {shortened(names[free.following])}"
        if fit.credible_lower is not None:
            fit.note += f"; {CREDIBLE}"
        fits[label] = fit, free
    return fits


def _add_credible(fit: Inference, covariance: np.ndarray, features: Features) -> None:
    """The credible intervals per unit, for the covariance of the weights of standardised features."""
    of_intercept = np.append(-features.centre / features.scale, 1.0)
    deviation = np.append(np.sqrt(np.diag(covariance))[:-1] / features.scale, 0.0)
    deviation[-1] = np.sqrt(of_intercept @ covariance @ of_intercept)
    fit.credible_lower = fit.coefficient - REACH * deviation
    fit.credible_upper = fit.coefficient + REACH * deviation


def of_softmax(training: Training, weight: np.ndarray | None) -> dict[str, Inference]:
    """The coefficients per unit and the deviance of one model of all classes, which has no test of one class alone."""
    y, features = training.y, training.features
    codes = np.searchsorted(training.model.classes_, y)
    L = log_probabilities(training.fitted.decision_function(training.rows), "softmax")
    counted = np.ones(len(y)) if weight is None else weight
    shares = np.bincount(codes, counted) / counted.sum()
    deviance = -2 * float(np.sum(counted * L[np.arange(len(y)), codes]))
    null_deviance = -2 * float(np.sum(counted * np.log(shares)[codes]))
    fits = {}
    for label, coef, intercept in training.columns_of_weights:
        slope = coef / features.scale
        coefficient = np.append(slope, intercept - slope @ features.centre)
        r2 = 1 - deviance / null_deviance
        fits[label] = Inference(coefficient, np.arange(len(slope)), deviance, null_deviance, r2, JOINT)
    return fits


def inference_table(names: np.ndarray, fits: dict[str, tuple[Inference, Inference | None]]) -> pd.DataFrame:
    """The coefficients of each class, and what is known about them.

    Of a fit with ridge, `credible_lower` and `credible_upper` are about its coefficients. The column `unpenalised` has
    those of the refit, which the standard errors, tests and confidence intervals are about; it is empty for the
    categories that the others are compared with.
    """
    tables = []
    for label, (fit, free) in fits.items():
        table = pd.DataFrame({"feature": [*names[fit.kept], "(intercept)"], **fit.table()})
        if free is not None and free.standard_error is not None:
            columns = {
                "unpenalised" if name == "coefficient" else name: column for name, column in free.table().items()
            }
            beside = pd.DataFrame({"feature": [*names[free.kept], "(intercept)"], **columns})
            table = table.merge(beside, on="feature", how="left")
        tables.append(table.assign(**{"class": label})[["class", *table.columns]])
    return pd.concat(tables)


def with_intervals(weights: pd.DataFrame, inferred: pd.DataFrame, categories: Sequence[str]) -> pd.DataFrame:
    """`weights` with intervals of the odds ratios per unit: those of these weights, which of ridge are credible.

    Without ridge, the weights of `categories` depend on which one is the reference, so they have intervals in
    inference.csv alone.
    """
    kind = "credible_" if "credible_lower" in inferred else ""
    ends = [f"{kind}lower", f"{kind}upper"]
    if ends[0] not in inferred or ("unpenalised" in inferred and not kind):
        return weights
    intervals = inferred if kind else inferred[~inferred["feature"].isin(categories)]
    table = weights.merge(intervals[["class", "feature", *ends]], on=["class", "feature"], how="left")
    for name in ends:
        with np.errstate(over="ignore"):
            table[f"odds_ratio_per_unit_{name}"] = np.exp(table.pop(name))
    return table


def cluster_codes(key: pd.Series | None, standard_errors: str) -> np.ndarray | None:
    """The group of each training row as a number, where standard errors need it. Errors: `UserError` without groups."""
    if standard_errors != "cluster":
        return None
    if key is None or key.name != "group":
        raise UserError(
            "train.standard_errors = cluster needs rows that are split by the column of their groups: "
            "-S split=group -S split.column=patient. Without groups: -S train.standard_errors=HC1."
        )
    return pd.factorize(key)[0]

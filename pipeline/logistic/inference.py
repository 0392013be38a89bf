"""What a statistician reads from a fit: standard errors, tests, intervals, deviance.

The maximum of the likelihood is asymptotically normal. With the column of ones in X, its covariance is

    information   I^-1,                  I = X' diag(s p (1 - p)) X, the observed information

or a sandwich of it, which holds where the model is not quite right (`sandwich`).

A penalised fit is not that maximum: its standard errors, tests, confidence intervals and AIC are not defined and left
out; it has credible intervals (`training.credible_covariances`). The others are shown of the same model without penalty
(`refit`). Where there is no maximum (`separation`), they are not defined either.
McCullagh and Nelder, Generalized Linear Models, chapter 4.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy import ndarray

from pipeline.logistic.fast_objective import LARGEST_FACTOR, FastObjective
from pipeline.logistic.firth import LARGEST_PROFILE, profile
from pipeline.logistic.fitting import fit_columns
from pipeline.logistic.loss import log_loss, sigmoid
from pipeline.logistic.matrix import Block, Matrix, as_matrix, margins
from pipeline.logistic.penalty import Ridge
from pipeline.logistic.sandwich import sandwich_errors
from pipeline.logistic.separation import separating_features, single_features
from pipeline.logistic.status import Status
from pipeline.logistic.threads import workers

COVARIANCES = ("information", "HC0", "HC1", "cluster")
FOLLOWS = 1e-8  # share of a feature's variance that others do not explain
ROWS_PER_COEFFICIENT = 10  # Peduzzi and others (1996), Journal of Clinical Epidemiology 49
LARGEST_REFIT = 2_000_000_000  # rows times squared features: about a second
PENALISED = "standard errors, tests, confidence intervals and AIC are not defined for a penalised fit"
SEPARATED = (
    "no maximum of the likelihood exists: a plane separates the classes, or a part of one class from all other rows, "
    "so weights grow forever and standard errors, tests, intervals and AIC are not defined"
)
LEFT_OUT = f"standard errors are left out: the coefficients are more than {LARGEST_FACTOR:,}"
UNDEFINED = "standard errors are undefined: a feature is constant or follows from others"


@dataclass
class Inference:
    """Coefficients of the features `kept`, the intercept last where there is one, and how well the model fits.

    The arrays from standard_error on have the shape of coefficient. They, and aic, are None where `note` says why.
    """

    coefficient: ndarray  # (n_kept + 1,), without intercept (n_kept,)
    kept: ndarray  # (n_kept,), which features of X these are: all but the references
    deviance: float  # -2 log-likelihood
    null_deviance: float  # of the intercept alone
    mcfadden_r2: float  # 1 - deviance / null deviance
    note: str
    aic: float | None = None
    standard_error: ndarray | None = None
    z_value: ndarray | None = None
    p_value: ndarray | None = None  # two-sided
    lower: ndarray | None = None  # of the confidence interval
    upper: ndarray | None = None
    credible_lower: ndarray | None = None  # of a penalised fit
    credible_upper: ndarray | None = None
    separating: ndarray | None = None  # features of X whose weights grow forever, where there is no maximum
    following: ndarray | None = None  # features of X that a refit leaves out, since they follow from others

    def table(self) -> dict[str, ndarray]:
        """The columns that are defined, by name."""
        names = (
            "coefficient",
            "standard_error",
            "z_value",
            "p_value",
            "lower",
            "upper",
            "credible_lower",
            "credible_upper",
        )
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def inference(
    X: Any, y: ndarray, coef: ndarray, intercept: float, l2: float = 0.0, sample_weight: ndarray | None = None,
    fit_intercept: bool = True, confidence: float = 0.95, groups: Sequence[Sequence[int] | ndarray] = (),
    covariance: str = "information", clusters: ndarray | None = None,
) -> Inference:  # fmt: skip
    """Judge the fit coef (n_features,), intercept of y (n_samples,) in {0, 1} on X (n_samples, n_features).

    X is an array or a `Matrix`, which is not written out.
    sample_weight (n_samples,) counts repetitions of a row. With more than two classes, call it once per class, with
    y = 1 for the rows of the class.

    groups are the features that are one-hot encoded together, an array of indices for each column of categories: of
    these features exactly one is 1 in each row. Together they equal the intercept, so without penalty only differences
    between them are defined. The first of each group becomes the reference: its coefficient is added to the intercept,
    subtracted from the others, and left out. A penalised fit keeps all its coefficients.

    covariance is one of `COVARIANCES`; for "cluster", clusters (n_samples,) has the code of each row's group from 0.
    Where X is a `Matrix` with an offset, the null deviance is that of an intercept beside it.
    Raises ValueError for groups without an intercept, and for fewer than two clusters.
    """
    X = X if isinstance(X, Matrix) else np.asarray(X, dtype=np.float64)
    y, coef, kept = np.asarray(y), np.array(coef, dtype=np.float64), np.arange(X.shape[1])
    sample_weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    with workers() as run:
        separating = np.empty(0, int)
        if l2 == 0:
            separating = separating_features(X, y == 1, np.append(coef, intercept), sample_weight, fit_intercept)
            if len(groups):
                if not fit_intercept:
                    raise ValueError("groups need an intercept: their references are part of it.")
                coef, intercept, kept = _compared_with_references(coef, intercept, groups)
                X = _columns(X, kept)
        W = np.append(coef, intercept)[:, None]
        fit = _deviances(X, y, W, sample_weight, fit_intercept, kept)
        if l2 > 0:
            return fit
        if len(separating):
            fit.separating, fit.note = separating, SEPARATED
            return fit
        n_parameters, n_rows = len(fit.coefficient), len(X) if sample_weight is None else np.sum(sample_weight)
        fit.aic = fit.deviance + 2 * n_parameters
        if n_parameters > min(LARGEST_FACTOR, len(X)):
            fit.note = UNDEFINED if n_parameters > len(X) else LEFT_OUT  # of more than rows, some follow from others
            return fit
        objective = FastObjective(X, y.astype(int), np.array([1]), Ridge(0.0), sample_weight, fit_intercept, run)
        inverse, scale = _inverse_root(n_rows * objective.curvature(W)[0, :n_parameters, :n_parameters])
        if inverse is None:
            fit.note = UNDEFINED
            return fit
        fit.standard_error, source = np.sqrt(np.sum(inverse**2, axis=0)) / scale, "the observed information"
        if covariance != "information":
            residual = (1 if sample_weight is None else sample_weight) * (y - sigmoid(margins(X, W)[:, 0]))
            fit.standard_error, source = sandwich_errors(as_matrix(X), residual, inverse, scale, covariance, clusters)
    _add_tests(fit, confidence)
    fit.note = f"intervals hold with {confidence:.0%} confidence, from {source}"
    rarer = min(np.count_nonzero(y), np.count_nonzero(y == 0)) / n_parameters
    if rarer < ROWS_PER_COEFFICIENT:
        fit.note += f"; too short: the rarer class has {rarer:.1f} rows per coefficient, fewer than 10"
    return fit


def _deviances(
    X: Any, y: ndarray, W: ndarray, sample_weight: ndarray | None, fit_intercept: bool, kept: ndarray
) -> Inference:  # fmt: skip
    """The fit with what is defined for a penalised one, too."""
    weight = np.ones(len(X)) if sample_weight is None else sample_weight
    # Sums of products, not dot products: the order of their additions is the same on any number of threads.
    deviance, offset = 2 * float(np.sum(weight * log_loss(margins(X, W)[:, 0], y))), as_matrix(X).offset
    null = _null_margins(y, weight, offset) if fit_intercept else 0.0 if offset is None else offset[:, 0]
    null_deviance = 2 * float(np.sum(weight * log_loss(null, y)))
    coefficient, r2 = W[: len(W) - 1 + fit_intercept, 0], 1 - deviance / null_deviance
    return Inference(coefficient, kept, deviance, null_deviance, r2, PENALISED)


def _inverse_root(information: ndarray) -> tuple[ndarray | None, ndarray]:
    """R with R' R the inverse of the information of features over `scale`; None where it is singular. And the scale."""
    scale = np.sqrt(np.diag(information))
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.linalg.inv(np.linalg.cholesky(information / np.outer(scale, scale))), scale
    except np.linalg.LinAlgError:
        return None, scale


def _add_tests(fit: Inference, confidence: float) -> None:
    """Wald's tests and intervals, from the standard errors."""
    assert fit.standard_error is not None
    fit.z_value = fit.coefficient / fit.standard_error
    fit.p_value = np.array([math.erfc(abs(z) / math.sqrt(2)) for z in fit.z_value])
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * fit.standard_error
    fit.lower, fit.upper = fit.coefficient - reach, fit.coefficient + reach


def _null_margins(y: ndarray, weight: ndarray, offset: ndarray | None) -> float | ndarray:
    """The margins of an intercept alone, or beside the offset, that fits y best: there by Newton's method."""
    share = float(np.sum(weight * y) / weight.sum())
    b = math.log(share / (1 - share))
    if offset is None:
        return b
    for _ in range(50):
        p = sigmoid(b + offset[:, 0])
        step = np.sum(weight * (y - p)) / np.sum(weight * p * (1 - p))
        b += float(np.clip(step, -1, 1))
        if abs(step) < 1e-12:
            break
    return b + offset[:, 0]


def _columns(X: Any, kept: ndarray) -> Any:
    return X.with_features(X.T[:, np.append(kept, X.shape[1])]) if isinstance(X, Matrix) else X[:, kept]


def _with_offset(X: ndarray, offset: ndarray | None) -> Any:
    return X if offset is None else Matrix([Block(X, offset=offset)])


def refit(
    X: Any, y: ndarray, sample_weight: ndarray | None = None, groups: Sequence[Sequence[int] | ndarray] = (),
    confidence: float = 0.95, covariance: str = "information", clusters: ndarray | None = None,
) -> Inference | None:  # fmt: skip
    """`inference` of the fit of y (n_samples,) in {0, 1} without penalty, by Newton's method; None for large data.

    Where the rows of one value of a binary feature (a category) are all of one class, its weight grows forever, and in
    the limit these rows do not matter for the other weights. So they are left out, and so is the feature: `separating`
    has its index, `kept` has not. Features that follow from those before them are not kept either: `following`.
    """
    if X.shape[0] * X.shape[1] ** 2 > LARGEST_REFIT:
        return None
    offset, X = as_matrix(X).offset, X.toarray() if isinstance(X, Matrix) else X
    y = np.asarray(y).astype(int)
    is_row, apart = _pure_rows(X, y)
    if len(np.unique(y[is_row])) < 2:
        is_row, apart = np.full(len(X), True), np.empty(0, int)
    columns = np.setdiff1d(np.arange(X.shape[1]), apart)
    if len(apart):
        X, y = X[is_row], y[is_row]
        columns = columns[X[:, columns].min(axis=0) < X[:, columns].max(axis=0)]
        sample_weight, offset = (None if part is None else part[is_row] for part in (sample_weight, offset))
        clusters = None if clusters is None else np.unique(clusters[is_row], return_inverse=True)[1]
    for group in groups:
        columns = np.setdiff1d(columns, np.intersect1d(group, columns)[:1])  # the reference
    X = X[:, columns]
    centre, scale = X.mean(axis=0), X.std(axis=0)
    scale[scale == 0] = 1
    with workers() as run:
        Z = (X - centre) / scale
        independent = _independent(Z.T @ Z / len(Z))
        X, Z, centre, scale = X[:, independent], Z[:, independent], centre[independent], scale[independent]
        objective = FastObjective(_with_offset(Z, offset), y, np.array([1]), Ridge(0.0), sample_weight, True, run)
        minimum = fit_columns(objective, "newton", max_iter=10, tol=1e-9)
        if minimum.status[0] == Status.RAN_OUT:  # not separated, where more iterations would do nothing but cost time
            minimum = fit_columns(objective, "newton", start=minimum.weights, max_iter=40, tol=1e-9)
    coef = minimum.weights[:-1, 0] / scale
    intercept = float(minimum.weights[-1, 0] - coef @ centre)
    fit = inference(
        _with_offset(X, offset), y, coef, intercept, 0.0, sample_weight, confidence=confidence, covariance=covariance,
        clusters=clusters,
    )  # fmt: skip
    fit.kept, fit.following = columns[independent], columns[~independent]
    if fit.separating is not None:
        fit.separating = fit.kept[fit.separating]
    elif len(apart):
        fit.separating = apart
        fit.note += f", in the rows without those ({(~is_row).sum():,}) that one feature alone puts into one class"
    return fit


def _independent(correlation: ndarray) -> ndarray:
    """Which features do not follow from those before them, (n_features,) of bool: by Cholesky's elimination."""
    left, independent = correlation.copy(), np.full(len(correlation), False)
    for j in range(len(left)):
        if left[j, j] > FOLLOWS:
            independent[j] = True
            left -= np.outer(left[j], left[j]) / left[j, j]
    return independent


def _pure_rows(X: ndarray, y: ndarray) -> tuple[ndarray, ndarray]:
    """Rows that no binary feature puts into one class, (n_samples,) of bool, and the features that do (n_apart,)."""
    rest, apart = np.full(len(X), True), np.empty(0, int)
    while rest.any():
        pure = [j for j in single_features(X[rest], y[rest], True) if len(np.unique(X[rest, j])) == 2]
        if not pure:
            break
        apart = np.append(apart, pure)
        for j in pure:
            for value in np.unique(X[rest, j]):
                rows = rest & (X[:, j] == value)
                if len(np.unique(y[rows])) == 1:
                    rest = rest & ~rows
    return rest, apart


def firth_inference(
    X: ndarray, y: ndarray, coef: ndarray, intercept: float, groups: Sequence[Sequence[int] | ndarray] = (),
    confidence: float = 0.95,
) -> Inference:  # fmt: skip
    """`inference` for a fit with Firth's penalty: intervals and tests from its profile, of small data.

    For larger data, from the inverse of the information, as without penalty.
    """
    coef, intercept, kept = _compared_with_references(coef, intercept, groups)
    fit = inference(X[:, kept], y, coef, intercept, l2=1.0)
    fit.kept = kept
    p = sigmoid(margins(X[:, kept], fit.coefficient[:, None])[:, 0])
    scale = np.append(X[:, kept].std(axis=0), 1.0)
    half = np.sqrt(p * (1 - p))[:, None] * np.column_stack([X[:, kept], np.ones(len(X))]) / scale
    fit.standard_error = np.sqrt(np.diag(np.linalg.inv(half.T @ half))) / scale
    if len(X) * len(coef) ** 3 <= LARGEST_PROFILE:
        fit.lower, fit.upper, fit.p_value = profile(X[:, kept], y.astype(float), confidence)
        fit.note = f"intervals hold with {confidence:.0%} confidence, from the profile of Firth's penalised likelihood"
        return fit
    _add_tests(fit, confidence)
    fit.note = (
        f"intervals hold with {confidence:.0%} confidence for weights near 0, from the observed information: the data "
        f"is too large for the profile of Firth's penalised likelihood"
    )
    return fit


def _compared_with_references(
    coef: ndarray, intercept: float, groups: Sequence[Sequence[int] | ndarray]
) -> tuple[ndarray, float, ndarray]:
    """Coefficients without the first of each group, the intercept, and the features that these are of."""
    coef = coef.copy()
    for group in groups:
        reference = coef[group[0]]
        coef[group] -= reference
        intercept += reference
    kept = np.delete(np.arange(len(coef)), [group[0] for group in groups])
    return coef[kept], intercept, kept

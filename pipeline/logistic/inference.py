"""What a statistician reads from a fit: standard errors, tests, intervals, deviance.

The maximum of the likelihood is asymptotically normal; its covariance is the inverse of the observed information,
(X' diag(s p (1 - p)) X)^-1, the column of ones included. A penalised fit is not that maximum: its standard
errors, tests, intervals and AIC are not defined and left out. So are they where there is no maximum (`separation`).
See McCullagh and Nelder, Generalized Linear Models, chapter 4.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy import ndarray

from pipeline.compute import workers
from pipeline.logistic.fast_objective import FastObjective, margins
from pipeline.logistic.loss import log_loss
from pipeline.logistic.penalty import Ridge
from pipeline.logistic.separation import separating_features


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
    separating: ndarray | None = None  # features of X whose weights grow forever, where there is no maximum

    def table(self) -> dict[str, ndarray]:
        """The columns that are defined, by name."""
        names = "coefficient", "standard_error", "z_value", "p_value", "lower", "upper"
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def inference(
    X: ndarray, y: ndarray, coef: ndarray, intercept: float, l2: float = 0.0, sample_weight: ndarray | None = None,
    fit_intercept: bool = True, confidence: float = 0.95, groups: Sequence[Sequence[int] | ndarray] = (),
) -> Inference:  # fmt: skip
    """Judge the fit coef (n_features,), intercept of y (n_samples,) in {0, 1} on X (n_samples, n_features).

    sample_weight (n_samples,) counts repetitions of a row. With more than two classes, call it once per class, with
    y = 1 for the rows of the class.

    groups are the features that are one-hot encoded together, an array of indices for each column of categories: of
    these features exactly one is 1 in each row. Together they equal the intercept, so without penalty only differences
    between them are defined. The first of each group becomes the reference: its coefficient is added to the intercept,
    subtracted from the others, and left out. A penalised fit keeps all its coefficients. Raises ValueError for
    groups without an intercept.
    """
    X, y, coef, kept = (
        np.asarray(X, dtype=np.float64),
        np.asarray(y),
        np.array(coef, dtype=np.float64),
        np.arange(X.shape[1]),
    )
    weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    with workers() as run:
        W = np.append(coef, intercept)
        free = l2 == 0
        separating = separating_features(X, y == 1, W, sample_weight, fit_intercept) if free else np.empty(0, int)
        if free and len(groups):
            if not fit_intercept:
                raise ValueError("groups need an intercept: their references are part of it.")
            for group in groups:
                reference = coef[group[0]]
                coef[group] -= reference
                intercept += reference
            kept = np.delete(kept, [group[0] for group in groups])
            X, coef = X[:, kept], coef[kept]
        W = np.append(coef, intercept)[:, None]
        # Sums of products, not dot products: the order of their additions is the same on any number of threads.
        deviance = 2 * float(np.sum(weight * log_loss(margins(X, W)[:, 0], y)))
        share = float(np.sum(weight * y) / weight.sum()) if fit_intercept else 0.5
        null_deviance = 2 * float(np.sum(weight * log_loss(math.log(share / (1 - share)), y)))
        coefficient, r2 = W[: len(coef) + fit_intercept, 0], 1 - deviance / null_deviance
        note = "standard errors, tests, intervals and AIC are not defined for a penalised fit"
        fit = Inference(coefficient, kept, deviance, null_deviance, r2, note)
        if not free:
            return fit
        if len(separating):
            fit.separating = separating
            fit.note = (
                "no maximum of the likelihood exists: a plane separates the classes, or a part of one class from all "
                "other rows, so weights grow forever and standard errors, tests, intervals and AIC are not defined"
            )
            return fit
        n_parameters = len(coefficient)
        fit.aic = deviance + 2 * n_parameters
        undefined = "standard errors are undefined: a feature is constant or follows from others"
        if n_parameters > len(X):  # then some follow from others
            fit.note = undefined
            return fit
        repeats = None if sample_weight is None else weight
        objective = FastObjective(X, y.astype(int), np.array([1]), Ridge(0.0), repeats, fit_intercept, run)
        information = weight.sum() * objective.curvature(W)[0, :n_parameters, :n_parameters]
        scale = np.sqrt(np.diag(information))
        try:
            with np.errstate(divide="ignore", invalid="ignore"):
                lower_factor = np.linalg.cholesky(information / np.outer(scale, scale))
        except np.linalg.LinAlgError:
            fit.note = undefined
            return fit
        inverse = np.linalg.inv(lower_factor)
    fit.standard_error = np.sqrt(np.sum(inverse**2, axis=0)) / scale
    fit.z_value = coefficient / fit.standard_error
    fit.p_value = np.array([math.erfc(abs(z) / math.sqrt(2)) for z in fit.z_value])
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * fit.standard_error
    fit.lower, fit.upper = coefficient - reach, coefficient + reach
    fit.note = f"intervals hold with {confidence:.0%} confidence, from the observed information"
    return fit

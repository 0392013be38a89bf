"""What a statistician reads off a fit: standard errors, tests, intervals, deviance.

The maximum of the likelihood is asymptotically normal with the inverse of the observed information as its covariance,
(X' diag(s p (1 - p)) X)^-1, the column of ones included. A penalised fit is not that maximum: its standard
errors, tests, intervals and AIC are not defined and left out.
See McCullagh and Nelder, Generalized Linear Models, chapter 4.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from pipeline.logistic.objective import Objective, log_loss


@dataclass
class Inference:
    """Coefficients (n_features,), the intercept last where there is one, and how well the model fits.

    The arrays from standard_error on, and aic, are None where `note` says why.
    """

    coefficient: np.ndarray
    standard_error: np.ndarray | None
    z_value: np.ndarray | None
    p_value: np.ndarray | None  # two-sided
    lower: np.ndarray | None  # of the confidence interval
    upper: np.ndarray | None
    deviance: float  # -2 log-likelihood
    null_deviance: float  # of the intercept alone
    aic: float | None
    mcfadden_r2: float  # 1 - deviance / null deviance
    note: str

    def table(self) -> dict[str, np.ndarray]:
        """The columns that are defined, by name."""
        names = "coefficient", "standard_error", "z_value", "p_value", "lower", "upper"
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def inference(X, y, coef, intercept, l2=0.0, sample_weight=None, fit_intercept=True, confidence=0.95) -> Inference:
    """Judge the fit coef (n_features,), intercept of y (n_samples,) in {0, 1} on X (n_samples, n_features).

    sample_weight (n_samples,) counts repetitions of a row. One-vs-rest: one call a class, with y its indicator.
    """
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y)
    weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    deviance = 2 * float(weight @ log_loss(X @ coef + intercept, y))
    share = float(weight @ y / weight.sum()) if fit_intercept else 0.5
    null_deviance = 2 * float(weight @ log_loss(math.log(share / (1 - share)), y))
    coefficient = np.append(coef, intercept) if fit_intercept else np.array(coef, dtype=np.float64)
    fit = {"deviance": deviance, "null_deviance": null_deviance, "mcfadden_r2": 1 - deviance / null_deviance}
    undefined = dict.fromkeys(("standard_error", "z_value", "p_value", "lower", "upper", "aic"))
    if l2 > 0:
        note = "standard errors, tests, intervals and AIC are not defined for a penalised fit"
        return Inference(coefficient, **undefined, **fit, note=note)
    objective = Objective(X, y.astype(int), np.array([1]), [0.0], sample_weight, fit_intercept)
    information = weight.sum() * objective.curvature(np.append(coef, intercept)[:, None])[0]
    information = information[: len(coefficient), : len(coefficient)]
    scale = np.sqrt(np.diag(information))
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            lower_factor = np.linalg.cholesky(information / np.outer(scale, scale))
    except np.linalg.LinAlgError:
        note = "standard errors are not defined: a feature is constant or follows from others, or a plane separates y"
        return Inference(coefficient, **undefined | {"aic": deviance + 2 * len(coefficient)}, **fit, note=note)
    inverse = np.linalg.inv(lower_factor)
    standard_error = np.sqrt(np.sum(inverse**2, axis=0)) / scale
    z_value = coefficient / standard_error
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * standard_error
    return Inference(
        coefficient=coefficient,
        standard_error=standard_error,
        z_value=z_value,
        p_value=np.array([math.erfc(abs(z) / math.sqrt(2)) for z in z_value]),
        lower=coefficient - reach,
        upper=coefficient + reach,
        aic=deviance + 2 * len(coefficient),
        note=f"intervals hold with {confidence:.0%} confidence, from the observed information",
        **fit,
    )

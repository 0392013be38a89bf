"""Probabilities corrected by what they were worth on rows that the model was not trained on.

    temperature  p_k ~ p_k^(1/T): all probabilities nearer to each other (T > 1) or further apart; any number of classes
    isotonic     a non-decreasing step-like function of the probability of the second class, of two

Guo et al., On calibration of modern neural networks, 2017; Zadrozny and Elkan, Transforming classifier scores into
accurate multiclass probability estimates, 2002.

    P      (n_samples, n_classes), probabilities
    codes  (n_samples,), the class of each row
    weight (n_samples,), of each row: one of weight 2 counts as two
"""

from typing import Any

import numpy as np

from pipeline.logistic.loss import log_losses

LARGEST = 3.0  # of |log T|


def temperature(P: np.ndarray, codes: np.ndarray, weight: np.ndarray) -> dict[str, Any]:
    """The T of the smallest log-loss."""
    from scipy.optimize import minimize_scalar

    def loss(log_t: float) -> float:
        losses = log_losses(calibrated(P, {"temperature": np.exp(log_t)}), codes)
        return float(np.average(losses, weights=weight))

    return {"temperature": float(np.exp(minimize_scalar(loss, bounds=(-LARGEST, LARGEST), method="bounded").x))}


def isotonic(P: np.ndarray, codes: np.ndarray, weight: np.ndarray) -> dict[str, Any]:
    """The function of the smallest log-loss, between the points (x, y), of two classes. It is never quite 0 or 1."""
    from sklearn.isotonic import IsotonicRegression

    smallest = 1 / (max(np.count_nonzero(weight), weight.sum()) + 2)
    fitted = IsotonicRegression(y_min=smallest, y_max=1 - smallest).fit(P[:, 1], codes, weight)
    return {"x": fitted.X_thresholds_, "y": fitted.y_thresholds_}


def calibrated(P: np.ndarray, calibration: dict[str, Any] | None) -> np.ndarray:
    """P corrected by what `temperature` or `isotonic` returned; None corrects nothing."""
    if calibration is None:
        return P
    if "temperature" in calibration:
        L = np.log(np.maximum(P, np.finfo(float).tiny)) / calibration["temperature"]
        return np.exp(L - np.logaddexp.reduce(L, axis=1, keepdims=True))
    positive = np.interp(P[:, 1], calibration["x"], calibration["y"])
    return np.column_stack([1 - positive, positive])

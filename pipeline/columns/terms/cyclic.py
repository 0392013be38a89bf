"""Cyclic curves: hour, weekday and month, of which the last is beside the first.

    f(x) = sum over k of a_k sqrt(2) cos(2 pi k x / P) + b_k sqrt(2) sin(2 pi k x / P)
    penalty = lambda/2 sum over k of (1 + smoothness (k^4 - 1)) (a_k^2 + b_k^2)

k^4 is the roughness (the mean of the squared second derivative) of a wave in units of that of the longest, so this is
the periodic smoothing spline on P equidistant points (Wahba 1990, Spline Models for Observational Data, chapter 2), as
the curves of other numbers (`curve`) are penalised splines. It needs no straight line, which would set the last value
apart from the first. All waves together are as many as P - 1 indicators.
"""

import numpy as np

PERIODS = {"month": 12, "day_of_week": 7, "hour": 24}  # by part of a date


def bends(values: np.ndarray, counts: np.ndarray, smoothness: float, period: int) -> np.ndarray:
    """Phi (n_bins, n_bends) as `curve.bends` has it, of the whole numbers `values` (n_bins,); its mean is 0.

    Where fewer than two of them have rows, it is 0: nothing can be learnt.
    """
    k = np.arange(1, period // 2 + 1)
    angles = 2 * np.pi * np.outer(np.rint(values), k) / period
    strength = np.sqrt(2 / (1 + smoothness * (k**4 - 1.0)))
    waves = np.stack([np.cos(angles) * strength, np.sin(angles) * strength], axis=2).reshape(len(values), -1)
    waves = waves if period % 2 else waves[:, :-1]  # the sine of the shortest wave is 0
    return waves - np.average(waves, axis=0, weights=counts) if (counts > 0).sum() > 1 else np.zeros_like(waves)

"""Which combination of a sweep: the best, and the strongest lambda that is hardly worse.

One standard error: of the combinations whose score is no worse than the best by more than the best one's standard error
over folds, the one with the strongest lambda. Hastie, Tibshirani and Friedman, The Elements of Statistical Learning,
section 7.10.

The combinations are a table with one row each: lambda, learning_rate, scores with their standard errors, iterations,
status. One that diverged has no scores.
"""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.logistic import Status
from pipeline.overrides import override
from pipeline.scores.scores import LOSSES

OUTLIER = 0.01  # probability that a fold is taken for an outlier where none is


class Choice(NamedTuple):
    best: pd.Series
    one_standard_error: pd.Series


def ranked(scored: pd.DataFrame, score: str) -> pd.DataFrame:
    """The combinations, best first; of those equal to six decimals, the one with the fewest iterations.

    Combinations that diverged are left out.
    """
    usable = scored[scored[score].notna()]
    loss = (usable[score] if score in LOSSES else -usable[score]).round(6)
    keys = usable.assign(loss=loss).sort_values(["loss", "iterations", "lambda"], kind="stable")
    return keys.drop(columns="loss")


def choose(scored: pd.DataFrame, score: str) -> Choice:
    """Errors: `UserError` where every combination diverged."""
    usable = ranked(scored, score)
    if usable.empty:
        raise UserError(
            f"every combination diverged ({len(scored)}), with learning rates {_listed(scored['learning_rate'])} and "
            f"lambdas {_listed(scored['lambda'])}. Set smaller ones, or sweep.learning_rate=[auto]."
        )
    best = usable.iloc[0]
    worse = usable[score] - best[score] if score in LOSSES else best[score] - usable[score]
    within = usable[worse <= best[f"{score}_standard_error"]]
    return Choice(best, within[within["lambda"] == within["lambda"].max()].iloc[0])


def warn(chosen: pd.Series, scored: pd.DataFrame, score: str, folds: Sequence[float], max_iterations: int) -> None:
    """Reasons to look again at the `chosen` combination; `folds` are its scores of each fold.

    It is at the edge of the grid, it ran out of iterations, or a fold is an outlier.
    """
    lambdas, penalty = sorted(scored["lambda"].unique()), chosen["lambda"]
    if len(lambdas) > 1 and penalty > 0 and penalty in (lambdas[0], lambdas[-1]):
        side, first, last = "smallest", penalty / 1000, lambdas[-1]
        if penalty == lambdas[-1]:
            side, first, last = "largest", lambdas[0] or lambdas[1], 1000 * penalty
        n = round(float(np.log10(last / first))) + 1
        ends = {"minimum": float(f"{first:.2g}"), "maximum": float(f"{last:.2g}"), "points": max(n, 2)}
        warnings.warn(
            f"The chosen lambda {penalty:g} is the {side} of the grid, so a better one may be beyond it. Widen the "
            f"grid: {override('sweep.lambda', [ends])}.",
            stacklevel=2,
        )
    if chosen["status"] == Status.RAN_OUT:
        warnings.warn(
            f"The chosen combination ran out of iterations ({chosen['iterations']:,}), so its score is that of weights "
            f"that are not yet the best. Set "
            f"{override('train.max_iterations', 10 * max_iterations)}, or -S optimizer=newton.",
            stacklevel=2,
        )
    k = outlier(folds)
    if k is not None:
        others = [value for fold, value in enumerate(folds) if fold != k]
        warnings.warn(
            f"Fold {k + 1} of the chosen combination is an outlier: its {score} is {folds[k]:.4f}, that of the others "
            f"{min(others):.4f} to {max(others):.4f}. Its rows may differ (another site, time, or wrong cells): look "
            f"at them, and cut folds by the column of what they share, such as -S split=group "
            f"-S split.column=patient. -S sweep.seed=1 cuts other folds.",
            stacklevel=2,
        )


def outlier(values: Sequence[float]) -> int | None:
    """The place of the one value that is too far from the others, by Grubbs' test (Technometrics 11, 1969)."""
    from scipy.stats import t

    x, n = np.asarray(values), len(values)
    if n < 4 or x.std() < 1e-9 * np.abs(x).max():
        return None
    k = int(np.abs(x - x.mean()).argmax())
    quantile = t.isf(OUTLIER / (2 * n), n - 2) ** 2
    limit = (n - 1) / np.sqrt(n) * np.sqrt(quantile / (n - 2 + quantile))
    return k if abs(x[k] - x.mean()) / x.std(ddof=1) > limit else None


def best_by_lambda(scored: pd.DataFrame, score: str) -> pd.DataFrame:
    """The row with the best learning rate of each lambda; lambdas whose every learning rate diverged are left out."""
    return ranked(scored, score).drop_duplicates("lambda").sort_values("lambda")


def as_json(choice: Choice) -> dict[str, dict[str, Any]]:
    """The two combinations by name, in Python's own types."""
    return {
        name: {key: value.item() if isinstance(value, np.generic) else value for key, value in row.items()}
        for name, row in choice._asdict().items()
    }


def describe(chosen: dict[str, Any], score: str) -> str:
    error = chosen[f"{score}_standard_error"]
    return (
        f"lambda {chosen['lambda']:g}, learning rate {chosen['learning_rate']}, "
        f"{score.replace('_', ' ')} {chosen[score]:.5f} +- {error:.5f}"
    )


def _listed(values: pd.Series) -> str:
    return ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values.unique())

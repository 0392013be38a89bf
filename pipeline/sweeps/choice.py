"""Which combination of a sweep: the best, and the strongest lambda that is hardly worse.

One standard error: of the combinations whose score is no worse than the best by more than the best one's standard error
over folds, the one with the strongest lambda. Hastie, Tibshirani and Friedman, The Elements of Statistical Learning,
section 7.10.

The combinations are a table with one row each: lambda, learning_rate, scores with their standard errors, iterations,
status. One that diverged has no scores.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.errors import UserError

LOSSES = ("log_loss", "brier_score")  # of the scores, those that are better when lower


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

"""What `auto` stands for in `train.lambda` and `train.features`: chosen by cross-validation within the training rows.

The candidates are every lambda of `STRENGTHS`, divided by the number of training rows (the penalty of scikit-learn's
C = 1/strength), with straight lines and with curves. Lines are kept unless curves are clearly better: the mean of their
differences over folds is more than its standard error. Of many rows a sample decides: what is best for a share of the
rows, in these units, is best for all of them but for its chance error.
"""

import numpy as np
import pandas as pd

from pipeline import config
from pipeline.columns import splitting
from pipeline.columns.base import Base
from pipeline.columns.features import Features
from pipeline.columns.target import features_and_target
from pipeline.logistic.grid import Grid, fit_grid
from pipeline.logistic.loss import log_probabilities
from pipeline.logistic.matrix import Matrix
from pipeline.outputs import significant

STRENGTHS = (0.3, 1, 3, 10, 30, 100)
FOLDS, SEED = 5, 0
LARGEST_SAMPLE = 20_000
TOLERANCE = 1e-4  # of the gradient norm: the log-loss is then exact to far more digits than its standard error


def resolved(
    table: pd.DataFrame, params: config.Train, key: pd.Series | None = None
) -> tuple[config.Train, pd.DataFrame | None]:
    """`params` with numbers and names in place of `auto`, and the candidates with their log-loss (None without `auto`).

    The candidates are one row each: features, lambda, log_loss, log_loss_standard_error, chosen. `key` is the group or
    the time of each row, as for `splitting.folds`. Errors: `UserError` where no folds can be cut.
    """
    if params.l2 != "auto" and params.features != "auto":
        return params, None
    X, y = features_and_target(table)
    if len(X) > LARGEST_SAMPLE:
        rows = np.sort(np.random.default_rng(SEED).choice(len(X), LARGEST_SAMPLE, replace=False))
        X, y, key = X.iloc[rows], y[rows], None if key is None else key.iloc[rows].reset_index(drop=True)
    folds = splitting.folds(y, FOLDS, SEED, key)
    strengths = np.array(STRENGTHS if params.l2 == "auto" else [params.l2 * len(table)])
    kinds = ["linear", "curves"] if params.features == "auto" else [params.features]
    losses = {kind: _losses(X, y, kind, strengths, folds, params) for kind in kinds}
    best = {kind: loss.mean(axis=0).argmin() for kind, loss in losses.items()}
    kind = kinds[0]
    if len(kinds) == 2:
        gain = losses["linear"][:, best["linear"]] - losses["curves"][:, best["curves"]]
        if gain.mean() > gain.std(ddof=1) / np.sqrt(len(folds)):
            kind = "curves"
    lambdas = [float(value) for value in significant(strengths / len(table), 3)]
    l2 = lambdas[best[kind]] if params.l2 == "auto" else params.l2
    candidates = pd.concat(
        pd.DataFrame(
            {
                "features": each,
                "lambda": lambdas,
                "log_loss": loss.mean(axis=0),
                "log_loss_standard_error": loss.std(axis=0, ddof=1) / np.sqrt(len(folds)),
                "chosen": [each == kind and place == best[kind] for place in range(len(lambdas))],
            }
        )
        for each, loss in losses.items()
    )
    return params.model_copy(update={"l2": l2, "features": kind}), candidates


def with_features(table: pd.DataFrame, params: config.Train, key: pd.Series | None = None) -> config.Train:
    """`params` with the features of the best lambda in place of `auto`: for a grid, which has lambdas of its own."""
    if params.features != "auto":
        return params
    return resolved(table, params.model_copy(update={"l2": "auto"}), key)[0]


def _losses(
    X: pd.DataFrame, y: np.ndarray, kind: str, strengths: np.ndarray, folds: list[splitting.Fold], params: config.Train
) -> np.ndarray:
    """The held-out log-loss of each strength on each fold, (n_folds, n_strengths)."""
    classes, codes = np.unique(y, return_inverse=True)
    smoothness = params.model_copy(update={"features": kind}).bending
    base = Base(X, curves=smoothness is not None)
    block = base.block(X)
    maps = [
        Features(base, Matrix([block[rows]]), min_rows=params.min_rows, smoothness=smoothness).T for rows, _ in folds
    ]
    found = np.empty((len(folds), len(strengths)))

    def training_rows(fold: int) -> tuple[Matrix, np.ndarray, None]:
        rows = folds[fold][0]
        return Matrix([block[rows]], maps[fold]), codes[rows], None

    def judge(fit: Grid, fold: int, group: np.ndarray) -> None:
        rows = folds[fold][1]
        margins = fit.margins(Matrix([block[rows]], maps[fold]), fold, group)
        for place, k in enumerate(group):
            L = log_probabilities(margins[:, place, 0] if len(classes) == 2 else margins[:, place])
            found[fold, k] = -L[np.arange(len(rows)), codes[rows]].mean()

    l2 = strengths[:, None] / np.array([len(rows) for rows, _ in folds])
    fitted = fit_grid(
        training_rows,
        len(folds),
        l2,
        n_classes=len(classes),
        optimizer="quasi_newton",
        tol=TOLERANCE,
        callback=judge,
    )
    if fitted.interrupted:
        raise KeyboardInterrupt
    return found

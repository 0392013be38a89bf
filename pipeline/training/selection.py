"""What `auto` stands for in the section `train`: chosen by cross-validation within the training rows.

    lambda        one of `STRENGTHS` divided by the number of training rows (scikit-learn's C = 1/strength): the best
    features      straight lines, or curves, each with its best lambda
    interactions  none, or the 1, 2, 5, 10 or 20 most promising pairs (`columns.pairs`), found anew inside each fold

The simpler is kept unless the other is clearly better: the mean of the differences of their log-loss over folds is more
than its standard error. Of the numbers of pairs, the smallest is chosen than which the best is not clearly better. Of
many rows a sample decides, in which rare classes are complete: what is best for a share of the rows, in these units of
lambda, is best for all of them but for chance.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from pipeline import config
from pipeline.columns import splitting
from pipeline.columns.target import check_offset, features_and_target
from pipeline.columns.terms import Design, Features, Settings, prepare
from pipeline.columns.terms.pair import promising_pairs
from pipeline.errors import UserError
from pipeline.files.formats import significant
from pipeline.files.stored import Table, in_memory
from pipeline.logistic import LogisticRegression
from pipeline.logistic.grid import Grid, fit_grid
from pipeline.logistic.grid import Rows as GridRows
from pipeline.logistic.loss import log_probabilities
from pipeline.logistic.matrix import Matrix
from pipeline.overrides import assignment

STRENGTHS = (0.3, 1, 3, 10, 30, 100)
PAIRS = (1, 2, 5, 10, 20)
FOLDS, SEED = 5, 0
LARGEST_SAMPLE = 20_000
TOLERANCE = 1e-4  # of the gradient norm: the log-loss is then exact to far more digits than its standard error
KEYS = ("features", "interactions")  # besides lambda


class Rows(NamedTuple):
    """Features (n_samples, n_columns), classes and weights (n_samples,), or None where all rows weigh the same."""

    X: Table
    y: np.ndarray
    weight: np.ndarray | None

    def take(self, rows: np.ndarray) -> "Rows":
        """Some of the rows, in memory."""
        return Rows(in_memory(self.X.take(rows)), self.y[rows], None if self.weight is None else self.weight[rows])


def resolved(
    table: Table, params: config.Train, key: pd.Series | None = None, weight: np.ndarray | None = None
) -> tuple[config.Train, pd.DataFrame | None]:
    """`params` with what was chosen in place of `auto`, and the candidates with their log-loss (None without `auto`).

    The candidates are one row each: features, pairs (their number), lambda, log_loss, log_loss_standard_error, chosen.
    `key` is the group or the time of each row, as for `splitting.folds`, `weight` its weight (n_samples,). Errors:
    `UserError` where no folds can be cut.
    """
    if "auto" not in (params.l2, params.features, params.interactions):
        return params, None
    X, y = features_and_target(table)
    check_offset(params.offset, np.unique(y))
    drawn = splitting.sample(y, LARGEST_SAMPLE, SEED)
    rows = Rows(in_memory(X.take(drawn.rows)), y[drawn.rows], drawn.weight(weight))
    key = None if key is None else key.iloc[drawn.rows].reset_index(drop=True)
    counted = drawn.weight(None)
    share = 1.0 if counted is None else len(counted) / counted.sum()  # of a strength, as the cost is a mean
    folds = splitting.folds(rows.y, FOLDS, SEED, key)
    strengths = np.array(STRENGTHS if params.l2 == "auto" else [params.l2 * len(table)])
    lambdas = [float(value) for value in significant(strengths / len(table), 3)]
    candidates, losses = [], []

    def add(kind: str, n_pairs: int, l2: float, loss: np.ndarray) -> None:
        error = loss.std(ddof=1) / np.sqrt(len(loss))
        candidates.append([kind, n_pairs, l2, loss.mean(), error])
        losses.append(loss)

    best = -1
    for kind in ["linear", "curves"] if params.features == "auto" else [params.features]:
        first = len(losses)
        for l2, loss in zip(lambdas, _losses(rows, kind, share * strengths, folds, params).T, strict=True):
            add(kind, 0, l2, loss)
        found = first + int(np.argmin([loss.mean() for loss in losses[first:]]))
        best = found if best < 0 else _better(best, found, losses)
    kind, _, l2, *_ = candidates[best]
    l2 = l2 if params.l2 == "auto" else params.l2
    settled = params.model_copy(update={"l2": l2, "features": kind})
    if params.interactions == "auto":
        strength, first = share * l2 * len(table), len(losses)
        for n, loss in zip(PAIRS, _losses_of_pairs(rows, strength, folds, settled).T, strict=True):
            add(kind, n, l2, loss)
        lowest = first + int(np.argmin([loss.mean() for loss in losses[first:]]))
        simplest = [best, *range(first, lowest + 1)]
        best = next(k for k in simplest if _better(k, lowest, losses) == k)
        pairs = _found(rows, strength, settled, candidates[best][1])
        settled = settled.model_copy(update={"interactions": [list(pair) for pair in pairs]})
    names = ["features", "pairs", "lambda", "log_loss", "log_loss_standard_error"]
    return settled, pd.DataFrame(candidates, columns=names).assign(chosen=np.arange(len(candidates)) == best)


def without_lambda(
    table: Table, params: config.Train, key: pd.Series | None = None, weight: np.ndarray | None = None
) -> tuple[config.Train, list[str]]:
    """`params` with what was chosen, at the best lambda, for a grid of lambdas of its own; and that as overrides."""
    chosen = [name for name in KEYS if getattr(params, name) == "auto"]
    if not chosen:
        return params, []
    settled = resolved(table, params.model_copy(update={"l2": "auto"}), key, weight)[0]
    return settled, [assignment(f"train.{name}", getattr(settled, name)) for name in chosen]


def of_fold(
    table: Table, params: config.Train, rows: np.ndarray, key: pd.Series | None, weight: np.ndarray | None
) -> config.Train:
    """`params` with what `resolved` chooses from these training rows of a fold alone; of too few rows no pairs."""
    if params.interactions != "auto":
        return params
    key = None if key is None else key.iloc[rows].reset_index(drop=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of fewer folds
            return resolved(table.take(rows), params, key, None if weight is None else weight[rows])[0]
    except UserError:
        return params.model_copy(update={"interactions": []})


def _better(simple: int, other: int, losses: Sequence[np.ndarray]) -> int:
    gain = losses[simple] - losses[other]
    return other if gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)) else simple


def _losses(
    rows: Rows, kind: str, strengths: np.ndarray, folds: list[splitting.Fold], params: config.Train
) -> np.ndarray:
    """The held-out log-loss of each strength on each fold, (n_folds, n_strengths)."""
    classes, codes = np.unique(rows.y, return_inverse=True)
    settings = Settings.of(params.model_copy(update={"features": kind}))
    design = Design.fit(rows.X, settings)
    block = design.block(rows.X)
    maps = [Features(design, Matrix([block[learnt]]), settings).T for learnt, _ in folds]
    found = np.empty((len(folds), len(strengths)))

    def weights(part: np.ndarray) -> np.ndarray | None:
        return None if rows.weight is None else rows.weight[part]

    def training_rows(fold: int) -> GridRows:
        learnt = folds[fold][0]
        return Matrix([block[learnt]], maps[fold]), codes[learnt], weights(learnt)

    def judge(fit: Grid, fold: int, group: np.ndarray) -> None:
        held_out = folds[fold][1]
        margins = fit.margins(Matrix([block[held_out]], maps[fold]), fold, group)
        margins = margins[:, :, 0] if len(classes) == 2 else margins
        for place, k in enumerate(group):
            found[fold, k] = _log_loss(margins[:, place], codes[held_out], weights(held_out), params)

    fitted = fit_grid(
        training_rows,
        len(folds),
        strengths[:, None] / np.array([len(learnt) for learnt, _ in folds]),
        n_classes=len(classes),
        multiclass=params.multiclass,
        l1_ratio=params.l1_ratio,
        optimizer="quasi_newton",
        tol=TOLERANCE,
        callback=judge,
    )
    if fitted.interrupted:
        raise KeyboardInterrupt
    return found


def _losses_of_pairs(rows: Rows, strength: float, folds: list[splitting.Fold], params: config.Train) -> np.ndarray:
    """The held-out log-loss with each number of pairs on each fold, (n_folds, n_numbers)."""
    codes = np.unique(rows.y, return_inverse=True)[1]
    found = np.empty((len(folds), len(PAIRS)))
    for fold, (learnt, held_out) in enumerate(folds):
        training, others = rows.take(learnt), rows.take(held_out)
        pairs = _found(training, strength, params, max(PAIRS))
        for place, n in enumerate(PAIRS):
            design, features, _, model = _fit(training, strength, Settings.of(params, pairs=pairs[:n]), params)
            margins = model.decision_function(Matrix([design.block(others.X)], features.T))
            found[fold, place] = _log_loss(margins, codes[held_out], others.weight, params)
    return found


def _found(rows: Rows, strength: float, params: config.Train, n: int) -> list[tuple[str, str]]:
    """At most `n` pairs, by the score tests of a model without pairs."""
    if n == 0:
        return []
    design, _, Z, model = _fit(rows, strength, Settings.of(params, bins=True), params)
    P = model.predict_proba(Z)
    P = P[:, 1:] if P.shape[1] == 2 else P
    Y = rows.y[:, None] == model.classes_[-P.shape[1] :]
    weight = np.array(1.0) if rows.weight is None else rows.weight[:, None]
    return promising_pairs(design.terms, Z, weight * (Y - P), weight * P * (1 - P), n)


def _fit(
    rows: Rows, strength: float, settings: Settings, params: config.Train
) -> tuple[Design, Features, Matrix, LogisticRegression]:
    design, features, Z = prepare(rows.X, settings)
    model = LogisticRegression(
        strength / len(rows.y),
        multiclass=params.multiclass,
        l1_ratio=params.l1_ratio,
        optimizer="quasi_newton",
        tol=TOLERANCE,
        max_iter=1000,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return design, features, Z, model.fit(Z, rows.y, rows.weight)


def _log_loss(margins: np.ndarray, codes: np.ndarray, weight: np.ndarray | None, params: config.Train) -> float:
    L = log_probabilities(margins, params.multiclass)
    return float(-np.average(L[np.arange(len(codes)), codes], weights=weight))

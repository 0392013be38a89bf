"""What `auto` stands for in the section `train`: chosen by cross-validation within the training rows.

    lambda        one of `STRENGTHS` divided by the number of training rows (scikit-learn's C = 1/strength): the best
    features      straight lines, or curves, each with its best lambda
    interactions  none, or the 1, 2, 5, 10 or 20 most promising pairs (`terms.pair`), found anew inside each fold,
    pair_strength  penalised as single columns are or ten times as much (`pair_search`)

The simpler is kept unless the other is clearly better: the mean of the differences of their log-loss over folds is more
than its standard error. Of the numbers of pairs, the smallest is chosen that the best one does not clearly beat. Of
many rows a sample decides, in which rare classes are complete: what is best for a share of the rows, in these units of
lambda, is best for all of them but for chance.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline import config
from pipeline.columns import splitting
from pipeline.columns.target import check_offset, features_and_target
from pipeline.columns.terms import Settings, prepare
from pipeline.errors import UserError
from pipeline.files.formats import significant
from pipeline.files.stored import Table, in_memory, progress
from pipeline.logistic.grid import Grid
from pipeline.logistic.loss import log_losses, probabilities
from pipeline.logistic.matrix import margins
from pipeline.logistic.regression import EndedEarlyWarning
from pipeline.overrides import assignment
from pipeline.training.cross_validation import Fold, Judge, cross_validate, prepared
from pipeline.training.cross_validation import Rows as FoldRows
from pipeline.training.fit import classifier
from pipeline.training.pair_search import STRENGTHS as STRENGTHS_OF_PAIRS
from pipeline.training.pair_search import TOLERANCE, found_pairs, losses_of_pairs

STRENGTHS = (0.3, 1, 3, 10, 30, 100)
FOLDS, SEED = 5, 0
LARGEST_SAMPLE = 20_000
FAST = {"optimizer": "quasi_newton", "learning_rate": "auto", "class_weight": None, "max_iterations": 10_000}
KEYS = ("features", "interactions", "pair_strength")  # besides lambda


class Rows(NamedTuple):
    """Features (n_samples, n_columns), classes and weights (n_samples,), or None where all rows weigh the same."""

    X: Table
    y: np.ndarray
    weight: np.ndarray | None

    def take(self, rows: np.ndarray) -> "Rows":
        """Some of the rows, in memory."""
        return Rows(in_memory(self.X.take(rows)), self.y[rows], None if self.weight is None else self.weight[rows])


def has_auto(params: config.Train) -> bool:
    return "auto" in (params.l2, params.features, params.interactions) or (
        params.pair_strength == "auto" and bool(params.pairs)
    )


def resolved(
    table: Table, params: config.Train, key: pd.Series | None = None, weight: np.ndarray | None = None
) -> tuple[config.Train, pd.DataFrame | None]:
    """`params` with what was chosen in place of `auto`, and the candidates with their log-loss (None without `auto`).

    The candidates are one row each: features, pairs (their number), lambda, log_loss, log_loss_standard_error, chosen.
    `key` is the group or the time of each row, as for `splitting.folds`, `weight` its weight (n_samples,). Errors:
    `UserError` where no folds can be cut.
    """
    if not has_auto(params):
        return params.model_copy(update={"pair_strength": params.times_lambda}), None
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

    def add(kind: str, n_pairs: int, multiple: float, l2: float, loss: np.ndarray) -> None:
        error = loss.std(ddof=1) / np.sqrt(len(loss))
        candidates.append([kind, n_pairs, multiple, l2, loss.mean(), error])
        losses.append(loss)

    best, tried = -1, None
    for kind in ["linear", "curves"] if params.features == "auto" else [params.features]:
        first = len(losses)
        of_kind = _tried(
            rows, Settings.of(params.model_copy(update={"features": kind})), strengths * share, folds, params
        )
        for l2, loss in zip(lambdas, of_kind.losses.T, strict=True):
            add(kind, 0, 1.0, l2, loss)
        lowest = first + int(np.argmin([loss.mean() for loss in losses[first:]]))
        best, before = lowest if best < 0 else _better(best, lowest, losses), best
        tried = tried if best == before else of_kind
    assert tried is not None
    kind, *_, l2, _, _ = candidates[best]
    l2 = l2 if params.l2 == "auto" else params.l2
    settled = params.model_copy(update={"l2": l2, "features": kind, "pair_strength": params.times_lambda})
    strength, at_l2, first = share * l2 * len(table), lambdas.index(candidates[best][3]), len(losses)
    multiples = STRENGTHS_OF_PAIRS if params.pair_strength == "auto" else (settled.times_lambda,)
    settings = Settings.of(settled)
    of_pairs: dict[tuple[int, float], np.ndarray] = {}
    if params.interactions == "auto":
        of_pairs = losses_of_pairs(
            tried.folds if settings.has_bins else _folds(rows, replace(settings, bins=True), folds),
            tried.weights(at_l2),
            settled,
            strength,
            multiples,
            _log_loss(params),
            losses[best],
        )
    elif params.pairs and params.pair_strength == "auto":
        for multiple in multiples[1:]:
            again = _tried(rows, replace(settings, pair_strength=multiple), np.array([strength]), folds, params)
            of_pairs[len(params.pairs), multiple] = again.losses[:, 0]
    for (n, multiple), loss in of_pairs.items():
        add(kind, n, multiple, l2, loss)
    if of_pairs:
        lowest = first + int(np.argmin([loss.mean() for loss in losses[first:]]))
        simplest = [best, *range(first, lowest + 1)]
        best = next(k for k in simplest if _better(k, lowest, losses) == k)
    if params.interactions == "auto":
        pairs = _top_pairs(rows, strength, settled, candidates[best][1])
        settled = settled.model_copy(update={"interactions": [list(pair) for pair in pairs]})
    settled = settled.model_copy(update={"pair_strength": candidates[best][2]})
    names = ["features", "pairs", "pair_strength", "lambda", "log_loss", "log_loss_standard_error"]
    return settled, pd.DataFrame(candidates, columns=names).assign(chosen=np.arange(len(candidates)) == best)


def without_lambda(
    table: Table,
    params: config.Train,
    folds: Sequence[splitting.Fold],
    key: pd.Series | None = None,
    weight: np.ndarray | None = None,
) -> tuple[config.Train, list[config.Train], list[str]]:
    """For a grid of lambdas of its own, `params` with what was chosen at the best lambda.

    Returned are those of all rows, those of each fold (`in_folds`), and what was chosen as overrides.
    """
    chosen = [name for name in KEYS if getattr(params, name) == "auto"]
    if not chosen:
        return params, [params] * len(folds), []
    asked = params.model_copy(update={"l2": "auto"})
    settled = resolved(table, asked, key, weight)[0]
    overrides = [assignment(f"train.{name}", getattr(settled, name)) for name in chosen]
    return settled, in_folds(table, asked, settled, folds, key, weight), overrides


def in_folds(
    table: Table,
    asked: config.Train,
    settled: config.Train,
    folds: Sequence[splitting.Fold],
    key: pd.Series | None,
    weight: np.ndarray | None,
) -> list[config.Train]:
    """`asked` with what `resolved` chooses from the training rows of each fold alone.

    Where these are too few to choose from: `settled`, what was chosen from all rows, but no pairs.
    """
    if not has_auto(asked):
        return [asked] * len(folds)
    choices, bar = [], progress(len(folds), "choose anew in each fold", " folds", delay=0)
    for rows, _ in folds:
        of_rows = None if key is None else key.iloc[rows].reset_index(drop=True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of fewer folds
                choices.append(resolved(table.take(rows), asked, of_rows, None if weight is None else weight[rows])[0])
        except UserError:
            without_pairs: dict[str, Any] = {"interactions": []} if asked.interactions == "auto" else {}
            choices.append(settled.model_copy(update=without_pairs))
        bar.update()
    bar.close()
    return choices


def _better(simple: int, other: int, losses: Sequence[np.ndarray]) -> int:
    gain = losses[simple] - losses[other]
    return other if gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)) else simple


class _Tried(NamedTuple):
    """One kind of features with every lambda, on each fold."""

    losses: np.ndarray  # (n_folds, n_strengths), the held-out log-loss
    folds: list[Fold]
    fit: Grid

    def weights(self, k: int) -> list[np.ndarray]:
        """Of each fold with one of the lambdas, (n_features + 1, n_columns)."""
        return [of_fold[k].T for of_fold in self.fit.weights]


def _tried(
    rows: Rows, settings: Settings, strengths: np.ndarray, cut: list[splitting.Fold], params: config.Train
) -> _Tried:
    folds = _folds(rows, settings, cut)
    fit, losses = cross_validate(
        folds,
        params.model_copy(update={**FAST, "tolerance": TOLERANCE}),
        strengths[:, None] / np.array([len(learnt) for learnt, _ in cut]),
        None,
        _log_loss(params),
        len(np.unique(rows.y)),
        from_zero=True,
        title="choose lambda of lines" if settings.smoothness is None else "choose lambda of curves",
    )
    if fit.interrupted:
        raise KeyboardInterrupt
    by_fold = [[losses[k, fold] for k in range(len(strengths))] for fold in range(len(folds))]
    return _Tried(np.array(by_fold), folds, fit)


def _folds(rows: Rows, settings: Settings, cut: list[splitting.Fold]) -> list[Fold]:
    return prepared(rows.X, np.unique(rows.y, return_inverse=True)[1], cut, [settings] * len(cut), rows.weight)


def _log_loss(params: config.Train) -> Judge:
    def log_loss(margins: np.ndarray, held_out: FoldRows) -> float:
        P = probabilities(margins, params.multiclass)
        return float(np.average(log_losses(P, held_out.codes), weights=held_out.weight))

    return log_loss


def _top_pairs(rows: Rows, strength: float, params: config.Train, n: int) -> list[tuple[str, str]]:
    """At most `n` pairs, by the score tests of a model without pairs."""
    if n == 0:
        return []
    design, _, Z = prepare(rows.X, Settings.of(params, bins=True))
    fast = params.model_copy(update={**FAST, "tolerance": TOLERANCE, "l2": strength / len(rows.y)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EndedEarlyWarning)
        model = classifier(fast, init="zeros").fit(Z, rows.y, rows.weight)
    codes = np.unique(rows.y, return_inverse=True)[1]
    z = margins(Z, np.vstack([model.coef_.T, model.intercept_]))
    return found_pairs(design.terms, FoldRows(Z, codes, rows.weight, np.arange(len(codes))), z, params.multiclass, n)

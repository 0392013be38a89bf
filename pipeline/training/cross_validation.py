"""Score a grid of combinations on rows that they were not trained on, all of them trained together.

The rows are cut into k folds (`columns.splitting.folds`); every combination is trained on all folds but one and scored
on that one, k times. The base matrix is made once (for each choice of pairs), in blocks of rows that are in the same
folds: the training rows of a fold are some of its blocks. Features are fitted inside each fold, on its training rows.
The score of a combination depends on nothing but its own settings and the data: the encoding is the same for every
lambda, and each starts from the weights that `train` starts from. Hastie, Tibshirani and Friedman, The Elements of
Statistical Learning, 7.10.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from pipeline import config
from pipeline.columns import splitting
from pipeline.columns.target import features_and_target
from pipeline.columns.terms import Design, Features, Settings, prepare
from pipeline.config import Combination
from pipeline.files.formats import rounded_weights
from pipeline.files.stored import Table
from pipeline.logistic import Status
from pipeline.logistic.estimator import row_weights
from pipeline.logistic.fitting import random_start
from pipeline.logistic.grid import Grid, fit_grid
from pipeline.logistic.grid import Rows as GridRows
from pipeline.logistic.loss import log_losses, predicted, probabilities
from pipeline.logistic.matrix import Block, Matrix
from pipeline.scores.scores import scores
from pipeline.training import selection
from pipeline.training.choice import best_by_lambda
from pipeline.training.fit import smallest

WORST_LAST = list(Status)
TRAINING, HELD_OUT = 2, 1
SWING = 1.01  # times the lowest cost


class Validation(NamedTuple):
    """How each combination did: NaN for the scores of one that diverged, no row for one that was not finished."""

    # lambda, learning_rate, each score and its standard error over folds, iterations, status
    combinations: pd.DataFrame
    curves: pd.DataFrame  # lambda, learning_rate, iteration, cost: the mean over folds and classes
    interrupted: bool
    folds: Mapping[Combination, list[float]] = MappingProxyType({})  # the chosen score of each fold


class Rows(NamedTuple):
    """One fold: its features, fitted on its training rows, of these and of those held out; and their classes."""

    features: Features
    training: Matrix  # (n_training, n_features)
    training_codes: np.ndarray  # (n_training,)
    training_weight: np.ndarray | None  # (n_training,)
    held_out: Matrix  # (n_held_out, n_features)
    held_out_codes: np.ndarray  # (n_held_out,)
    held_out_weight: np.ndarray | None  # (n_held_out,)


def combinations(sweep: config.Sweep, train: config.Train) -> list[Combination]:
    """The grid. Optimisers that find their own step have no learning rate, so their grid is the lambdas alone."""
    if train.optimizer in ("newton", "quasi_newton"):
        return list(dict.fromkeys(pair._replace(learning_rate="auto") for pair in sweep.combinations))
    return sweep.combinations


def cross_validate(
    table: Table,
    train: config.Train,
    sweep: config.Sweep,
    grid: list[Combination],
    folds: list[splitting.Fold],
    weight: np.ndarray | None = None,
    key: pd.Series | None = None,
) -> Validation:
    """Score every combination of `grid` on the rows of `table`; all other settings are those of `train`.

    weight (n_samples,) is that of each row, in training and in the scores. Where `train.interactions` is `auto`, pairs
    are chosen inside each fold; key is the group or the time of each row, as for `splitting.folds`.

    Ctrl-C ends the training, and what was finished is returned.
    """
    X, y = features_and_target(table)
    classes, codes = np.unique(y, return_inverse=True)
    pairs = [selection.of_fold(table, train, training, key, weight).pairs for training, _ in folds]
    made = fold_rows(X, codes, folds, pairs, train, weight)
    scored: dict[tuple[int, int], dict[str, float]] = {}  # by combination and fold

    def judge(fit: Grid, fold: int, trained: np.ndarray) -> None:
        rows = made[fold]
        keep_smallest(fit.weights[fold], grid, trained, rows.features)
        margins = fit.margins(rows.held_out, fold, trained)
        for place, k in enumerate(trained.tolist()):
            scored[k, fold] = _scores(margins[:, place], rows, classes, train, sweep.score)

    def training_rows(fold: int) -> GridRows:
        return made[fold].training, made[fold].training_codes, made[fold].training_weight

    fit = _fit(training_rows, len(folds), train, sweep, grid, classes, judge)
    finished = np.flatnonzero(fit.finished).tolist()
    rows, curves, by_combination = [], [], {}
    for k in finished:
        unstable = _diverged_at(fit.status[k], fit.n_iter[k], fit.iterations, fit.curves[:, k])
        by_fold = [scored[k, fold] for fold in range(len(folds))]
        by_combination[grid[k]] = [fold_scores[sweep.score] for fold_scores in by_fold]
        rows.append(_row(grid[k], fit.status[k], fit.n_iter[k], by_fold, unstable))
        curves.append(_curve(grid[k], fit.iterations, fit.curves[:, k], unstable))
    return Validation(
        pd.DataFrame(rows),
        pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(),
        fit.interrupted,
        by_combination,
    )


def fold_rows(
    X: Table,
    codes: np.ndarray,
    folds: list[splitting.Fold],
    pairs: list[list[tuple[str, str]]],
    train: config.Train,
    weight: np.ndarray | None = None,
) -> list[Rows]:
    """The rows of each fold, with its pairs. Folds with the same pairs share their base matrix: rows that are in the
    same folds are one block of it.
    """
    part = np.zeros((len(folds), len(X)), dtype=np.int8)  # of each row in each fold: TRAINING, HELD_OUT, or 0 for none
    kind = np.zeros(len(X), dtype=np.int64)
    for fold, (training, held_out) in enumerate(folds):
        part[fold, training], part[fold, held_out] = TRAINING, HELD_OUT
        kind = pd.factorize(3 * kind + part[fold], sort=True)[0]
    rows_of_kind = [np.flatnonzero(kind == k) for k in range(kind.max() + 1)]
    bases: dict[tuple, tuple[Design, list[Block]]] = {}
    made = []
    for parts, of_fold in zip(part[:, [rows[0] for rows in rows_of_kind]], pairs, strict=True):
        if tuple(of_fold) not in bases:
            design = Design.fit(X, Settings.of(train, pairs=of_fold))
            bases[tuple(of_fold)] = design, design.blocks(X, rows_of_kind)
        design, blocks = bases[tuple(of_fold)]
        sides = np.flatnonzero(parts == TRAINING), np.flatnonzero(parts == HELD_OUT)
        learnt, others = (Matrix([blocks[k] for k in side]) for side in sides)
        features = Features(design, learnt, Settings.of(train, pairs=of_fold))
        places = [np.concatenate([rows_of_kind[k] for k in side]) for side in sides]
        of_sides = [
            (rows.with_features(features.T), codes[place], None if weight is None else weight[place])
            for rows, place in zip((learnt, others), places, strict=True)
        ]
        made.append(Rows(features, *of_sides[0], *of_sides[1]))
    return made


def path(
    table: Table,
    train: config.Train,
    sweep: config.Sweep,
    scored: pd.DataFrame,
    weight: np.ndarray | None = None,
) -> pd.DataFrame:
    """Weights on all rows of `table`, with the best learning rate of each lambda: lambda, class, feature, weight."""
    X, y = features_and_target(table)
    classes, codes = np.unique(y, return_inverse=True)
    best = best_by_lambda(scored, sweep.score)
    grid = [Combination(*pair) for pair in zip(best["lambda"], best["learning_rate"], strict=True)]
    _, features, Z = prepare(X, Settings.of(train))
    (weights,) = _fit(lambda _: (Z, codes, weight), 1, train, sweep, grid, classes).weights
    keep_smallest(weights, grid, np.arange(len(grid)), features)
    weights = weights[:, :, :-1]
    labels = list(classes)
    if len(classes) == 2:
        labels = [train.positive or classes[1]]
        weights = weights if labels[0] == classes[1] else -weights
    names = pd.MultiIndex.from_product([[pair.l2 for pair in grid], labels], names=["lambda", "class"])
    flat = rounded_weights(weights.reshape(len(names), -1))
    found = pd.DataFrame(flat, columns=features.names, index=names)
    return pd.Series(found.rename_axis(columns="feature").stack(), name="weight").reset_index()  # noqa: PD013


def keep_smallest(weights: np.ndarray, grid: list[Combination], trained: np.ndarray, features: Features) -> None:
    """As `train` does: of weights (n_combinations, n_columns, n_features + 1) without penalty, the smallest ones."""
    for k in trained:
        if grid[k].l2 == 0:
            weights[k, :, :-1], weights[k, :, -1] = smallest(weights[k, :, :-1], weights[k, :, -1], features.partitions)


def _fit(
    rows: Callable[[int], GridRows],
    n_folds: int,
    train: config.Train,
    sweep: config.Sweep,
    grid: list[Combination],
    classes: np.ndarray,
    judge: Callable[[Grid, int, np.ndarray], None] | None = None,
) -> Grid:
    n_columns = 1 if len(classes) == 2 else len(classes)

    def weighted(fold: int) -> GridRows:
        Z, codes, weight = rows(fold)
        return Z, codes, row_weights(train.class_weight, codes, weight)

    with tqdm(total=n_folds * len(grid), desc="sweep", unit=" models", disable=None) as bar:

        def trained(fit: Grid, fold: int, group: np.ndarray) -> None:
            if judge is not None:
                judge(fit, fold, group)
            bar.update(len(group))

        return fit_grid(
            weighted,
            n_folds,
            np.array([pair.l2 for pair in grid]),
            np.array([np.nan if pair.learning_rate == "auto" else pair.learning_rate for pair in grid]),
            n_classes=len(classes),
            multiclass=train.multiclass,
            l1_ratio=train.l1_ratio,
            optimizer=train.optimizer,
            max_iter=train.max_iterations,
            tol=train.tolerance,
            start=lambda n_features: random_start(n_features, n_columns, train.seed),
            memory=sweep.memory * 2**20,
            callback=trained,
        )


def _scores(margins: np.ndarray, rows: Rows, classes: np.ndarray, train: config.Train, score: str) -> dict[str, float]:
    """Log-loss and the chosen score of margins (n_held_out, n_columns)."""
    if not np.isfinite(margins).all():
        return dict.fromkeys(["log_loss", score], np.nan)
    margins = margins[:, 0] if len(classes) == 2 else margins
    P, codes, weight = probabilities(margins, train.multiclass), rows.held_out_codes, rows.held_out_weight
    log_loss = float(np.average(log_losses(P, codes), weights=weight))
    if score == "log_loss":
        return {"log_loss": log_loss}
    judged = scores(classes[codes], classes[predicted(margins)], P, classes, train.positive, weight)
    return {"log_loss": log_loss, score: judged[score]}


def _diverged_at(status: np.ndarray, n_iter: np.ndarray, iterations: np.ndarray, costs: np.ndarray) -> int | None:
    """The iteration at which a combination diverged, None if it did not.

    status and n_iter are (n_folds, n_columns), costs (n_points, n_folds, n_columns). A column that used all iterations
    and ended above its lowest cost swings to and fro, since the learning rate is too large. Where it is after thousands
    of steps depends on the last digit of the first ones, so it counts as diverged from its first rise.
    """
    ends = n_iter[status == Status.DIVERGED].tolist()
    swings = status == Status.RAN_OUT
    swings[swings] = costs[-1, swings] > SWING * costs[:, swings].min(axis=0)
    if swings.any():
        rises = (np.diff(costs[:, swings], axis=0) > 0).any(axis=1)
        ends.append(int(iterations[1 + rises.argmax()]))
    return min(ends, default=None)


def _row(
    pair: Combination, status: np.ndarray, n_iter: np.ndarray, scored: list[dict[str, float]], diverged_at: int | None
) -> dict:
    """status and n_iter are (n_folds, n_columns); `scored` has the scores of each fold."""
    row: dict = {"lambda": pair.l2, "learning_rate": pair.learning_rate}
    for name in scored[0]:
        values = np.array([fold[name] if diverged_at is None else np.nan for fold in scored])
        row[name] = values.mean()
        row[f"{name}_standard_error"] = values.std(ddof=1) / np.sqrt(len(values))
    if diverged_at is not None:
        return row | {"iterations": diverged_at, "status": Status.DIVERGED}
    return row | {"iterations": int(n_iter.max()), "status": max(status.ravel(), key=WORST_LAST.index)}


def _curve(pair: Combination, iterations: np.ndarray, costs: np.ndarray, diverged_at: int | None) -> pd.DataFrame:
    """The mean of costs (n_points, n_folds, n_columns); a column that stopped keeps its last cost."""
    table = pd.DataFrame(costs.reshape(len(costs), -1))
    mean = table.loc[: table.last_valid_index()].ffill().mean(axis="columns")
    if diverged_at is not None:
        mean = mean[iterations[: len(mean)] <= diverged_at]
    shown = iterations[: len(mean)]
    return pd.DataFrame({"lambda": pair.l2, "learning_rate": pair.learning_rate, "iteration": shown, "cost": mean})

"""Fit models on folds of the training rows, and judge each on the rows that it was not trained on.

The rows are cut into k folds (`columns.splitting.folds`); every combination of lambda and learning rate is trained on
k - 1 folds and judged on the remaining one, k times. Whatever is chosen is chosen by this: what `auto` stands for
(`selection`), the threshold and the calibration (`decision`), the winner of a sweep (`sweep`).

The base matrix is made once for each choice of features and pairs, in blocks of rows that are in the same folds: the
training rows of a fold are some of its blocks. Features are fitted inside each fold, on its training rows. What a
combination is judged by depends on nothing but its own settings and the data: the encoding is the same for every
lambda, and each starts from the same weights. Hastie, Tibshirani and Friedman, The Elements of Statistical Learning,
7.10.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from pipeline import config
from pipeline.columns import splitting
from pipeline.columns.terms import Design, Features, Settings
from pipeline.columns.terms.line import Line, ends_of
from pipeline.files.formats import rounded_weights
from pipeline.files.stored import Table, in_memory, progress
from pipeline.logistic.fitting import random_start
from pipeline.logistic.grid import Grid, fit_grid
from pipeline.logistic.matrix import Block, Matrix
from pipeline.logistic.regression import row_weights
from pipeline.training.fit import smallest

TRAINING, HELD_OUT = 2, 1


class Rows(NamedTuple):
    """Some rows of a fold."""

    Z: Matrix  # (n_samples, n_features)
    codes: np.ndarray  # (n_samples,), their classes
    weight: np.ndarray | None  # (n_samples,)
    positions: np.ndarray  # (n_samples,), in the table


class Fold(NamedTuple):
    """Rows to train on and rows held out, with the features that were fitted on the former."""

    features: Features
    training: Rows
    held_out: Rows


# of margins (n_held_out,) of two classes or (n_held_out, n_classes), their rows, and how classes are joined
Judge = Callable[[np.ndarray, Rows, str], Any]


def prepared(
    X: Table,
    codes: np.ndarray,
    folds: Sequence[splitting.Fold],
    settings: Sequence[Settings],
    weight: np.ndarray | None = None,
    is_shared: bool = True,
) -> list[Fold]:
    """The rows of each fold, with its own settings of features.

    Folds with the same settings share their base matrix, in which rows that are in the same folds are one block. With
    `is_shared` False, each fold has one of its own that only its training rows made, as the model of `train` has.
    """
    part = np.zeros((len(folds), len(X)), dtype=np.int8)  # of each row in each fold: TRAINING, HELD_OUT, or 0 for none
    kind = np.zeros(len(X), dtype=np.int64)
    for fold, (training, held_out) in enumerate(folds):
        part[fold, training], part[fold, held_out] = TRAINING, HELD_OUT
        kind = np.unique(3 * kind + part[fold], return_inverse=True)[1]
    rows_of_kind = [np.flatnonzero(kind == k) for k in range(kind.max() + 1)]
    bases: dict[Any, tuple[Design, list[Block]]] = {}
    made = []
    for fold, (membership, asked) in enumerate(zip(part[:, [rows[0] for rows in rows_of_kind]], settings, strict=True)):
        key = str(asked) if is_shared else fold
        if key not in bases:
            design = Design.fit(X if is_shared else in_memory(X.take(folds[fold][0])), asked)
            bases[key] = design, design.blocks(X, rows_of_kind)
        design, blocks = bases[key]
        sides = np.flatnonzero(membership == TRAINING), np.flatnonzero(membership == HELD_OUT)
        bare = [Matrix([blocks[k] for k in side]) for side in sides]
        features = Features(design, bare[0], asked)
        bare[1] = within(bare[1], bare[0], design)
        learnt, others = (
            Rows(rows.with_features(features.T), codes[place], None if weight is None else weight[place], place)
            for rows, place in zip(
                bare, (np.concatenate([rows_of_kind[k] for k in side]) for side in sides), strict=True
            )
        )
        made.append(Fold(features, learnt, others))
    return made


def within(rows: Matrix, training: Matrix, design: Design) -> Matrix:
    """Rows of a base matrix with numbers no further beyond those of the training rows than `Line` has them.

    A missing cell is 0 in the base matrix, and stays so.
    """
    lines = [term for term in design.terms if isinstance(term, Line)]
    places, may_miss = [line.dense for line in lines], np.array([line.missing is not None for line in lines])
    if not lines:
        return rows

    def numbers(block: Block) -> np.ndarray:
        x = block.dense[:, places]
        return np.where((x == 0) & may_miss, np.nan, x)

    least, most = (
        each.reduce([each.reduce(numbers(block), axis=0) for block in training.blocks if len(block)])
        for each in (np.fmin, np.fmax)
    )
    low, high = ends_of(least, most)
    blocks = []
    for block in rows.blocks:
        x = numbers(block)
        if ((x < low) | (x > high)).any():
            dense = np.array(block.dense)
            dense[:, places] = np.nan_to_num(np.fmax(np.fmin(x, high), low) * np.where(np.isnan(x), np.nan, 1.0))
            block = replace(block, dense=dense)
        blocks.append(block)
    return Matrix(blocks)


def cross_validate(
    folds: Sequence[Fold],
    params: config.Train,
    l2: np.ndarray,
    learning_rate: np.ndarray | None,
    judge: Judge,
    n_classes: int,
    *,
    multiclass: Sequence[str] = (),
    from_zero: bool = False,
    memory: int = 256 * 2**20,
    title: str = "cross-validate",
) -> tuple[Grid, dict[tuple[int, int], Any]]:
    """Fit each combination on each fold with the other settings of `params`; what `judge` returned, by (k, fold).

    l2             (n_combinations,), or (n_combinations, n_folds)
    learning_rate  (n_combinations,), NaN for one that is safe on the fold; None: all NaN
    multiclass     how classes are joined in each fold, where that was chosen there
    from_zero      start from zero weights, not from the random ones that `train` starts from
    memory         bytes that models may take which are trained together
    title          of the progress bar

    Ctrl-C ends the training, and what was finished is returned.
    """
    l2 = np.asarray(l2, dtype=np.float64).reshape(len(l2), -1) * np.ones(len(folds))
    multiclass = multiclass or [params.multiclass] * len(folds)
    judged: dict[tuple[int, int], Any] = {}
    with progress(l2.size, title, " models") as bar:

        def finish(fit: Grid, fold: int, group: np.ndarray) -> None:
            weights = fit.weights[fold]
            keep_smallest(weights, l2[:, fold], group, folds[fold].features)
            with np.errstate(invalid="ignore"):  # those that diverged
                weights[group] = rounded_weights(weights[group])
            margins = fit.margins(folds[fold].held_out.Z, fold, group)
            margins = margins[:, :, 0] if n_classes == 2 else margins
            for place, k in enumerate(group.tolist()):
                judged[k, fold] = judge(margins[:, place], folds[fold].held_out, multiclass[fold])
            bar.update(len(group))

        fit = grid_of(
            [fold.training for fold in folds],
            params,
            l2,
            learning_rate,
            n_classes,
            multiclass,
            from_zero,
            memory,
            finish,
            [fold.features.signs for fold in folds],
        )
    return fit, judged


def grid_of(
    rows: Sequence[Rows],
    params: config.Train,
    l2: np.ndarray,
    learning_rate: np.ndarray | None,
    n_classes: int,
    multiclass: Sequence[str] = (),
    from_zero: bool = False,
    memory: int = 256 * 2**20,
    finish: Callable[[Grid, int, np.ndarray], None] | None = None,
    signs: Sequence[np.ndarray | None] | None = None,
) -> Grid:
    """Train all combinations on each of `rows`; parameters as for `cross_validate` and `fit_grid`."""
    n_columns = 1 if n_classes == 2 else n_classes

    def weighted(fold: int) -> tuple[Matrix, np.ndarray, np.ndarray | None]:
        Z, codes, weight, _ = rows[fold]
        return Z, codes, row_weights(params.class_weight, codes, weight)

    return fit_grid(
        weighted,
        len(rows),
        l2,
        learning_rate,
        n_classes=n_classes,
        multiclass=multiclass or params.multiclass,
        l1_ratio=params.l1_ratio,
        optimizer=params.optimizer,
        max_iter=params.max_iterations,
        tol=params.tolerance,
        start=None if from_zero else lambda n_features: random_start(n_features, n_columns, params.seed),
        memory=memory,
        callback=finish,
        signs=signs,
    )


def keep_smallest(weights: np.ndarray, l2: np.ndarray, trained: np.ndarray, features: Features) -> None:
    """As `train` does: of weights (n_combinations, n_columns, n_features + 1) without penalty, the smallest ones."""
    for k in trained[l2[trained] == 0]:
        weights[k, :, :-1], weights[k, :, -1] = smallest(weights[k, :, :-1], weights[k, :, -1], features.partitions)

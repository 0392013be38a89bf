"""Train a whole grid of models together: combinations of l2 and learning rate, on each fold, for each class.

The models of one fold share its rows, so they are columns of one weight matrix and one matrix product serves them all.
Each combination gets what training it alone gives, to the last digits. The columns are trained in groups that fit into
the processor's cache and the memory allowed. Small data: each thread trains a group on a fold. Large data: all
threads share the rows of one group on one fold.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike

from pipeline.logistic.binomial import GROUP
from pipeline.logistic.fast_objective import SMALL_BYTES, FastObjective
from pipeline.logistic.fitting import Minimum, fit_columns
from pipeline.logistic.matrix import margins
from pipeline.logistic.penalty import penalty_of
from pipeline.logistic.softmax import loss_of
from pipeline.logistic.status import Status
from pipeline.logistic.threads import Run, workers

CURVE_POINTS = 1000
Rows = tuple[Any, ndarray, ndarray | None]


@dataclass
class Grid:
    """How n_combinations ended on n_folds folds, with one column per class (two classes: one column).

    What was not finished, because of an interrupt, has the status "unfinished" and NaN for numbers.
    """

    weights: list[ndarray]  # of each fold, (n_combinations, n_columns, n_features + 1), the intercept last
    status: ndarray  # (n_combinations, n_folds, n_columns) of str, the values of `Status`
    n_iter: ndarray  # (n_combinations, n_folds, n_columns), the iteration that a column stopped at
    gradient_norm: ndarray  # (n_combinations, n_folds, n_columns), at the end
    cost: ndarray  # (n_combinations, n_folds, n_columns), at the end
    iterations: ndarray  # (n_points,), those that `curves` shows: all up to 1000, else as many, log-spaced
    curves: ndarray  # (n_points, n_combinations, n_folds, n_columns), cost by iteration, NaN after a column stopped
    interrupted: bool = False

    @property
    def finished(self) -> ndarray:
        """Whether a combination was trained on all folds, (n_combinations,)."""
        return (self.status != Status.UNFINISHED).all(axis=(1, 2))

    def record(self, result: Minimum, combination: ndarray, fold: int, column: ndarray) -> None:
        """What columns of weights ended with, but their status."""
        if not self.weights[fold].size:
            self.weights[fold] = np.full((len(self.status), self.status.shape[2], len(result.weights)), np.nan)
        self.weights[fold][combination, column] = result.weights.T
        points = self.iterations[self.iterations < len(result.costs)]
        self.curves[: len(points), combination, fold, column] = result.costs[points]
        for name in ("n_iter", "gradient_norm", "cost"):
            getattr(self, name)[combination, fold, column] = getattr(result, name)

    def margins(self, X: Any, fold: int, combinations: ndarray | slice = slice(None)) -> ndarray:
        """z of a fold's models, (n_rows, n_combinations, n_columns), for rows prepared like its training rows."""
        weights = self.weights[fold][combinations]
        return margins(X, weights.reshape(-1, weights.shape[2]).T).reshape(len(X), *weights.shape[:2])


def fit_grid(
    rows: Callable[[int], Rows], n_folds: int, l2: ArrayLike, learning_rate: ArrayLike | None = None, *,
    n_classes: int, multiclass: str | Sequence[str] = "one_vs_rest", l1_ratio: float = 0.0,
    optimizer: str = "gradient_descent", max_iter: int = 10_000, tol: float = 1e-6,
    start: Callable[[int], ndarray] | None = None,
    memory: int = 256 * 2**20, callback: Callable[[Grid, int, ndarray], object] | None = None,
    signs: Sequence[ndarray | None] | None = None,
) -> Grid:  # fmt: skip
    """Train every combination on the training rows of every fold.

    rows           rows(fold) returns the training rows of a fold: X (n_samples, n_features), a `Matrix` or an array of
                   float64, C-contiguous and prepared as the models need it; codes (n_samples,), classes as whole
                   numbers from 0 up (of two classes, 1 is the positive one); sample_weight (n_samples,) or None. It is
                   called for each group of columns again, by one thread at a time. Folds may differ in n_features, and
                   are about equal in size: the first one decides how the work is shared
    l2             (n_combinations,), or (n_combinations, n_folds)
    learning_rate  (n_combinations,), NaN for one that is safe on the fold; None (newton, quasi_newton too): all NaN
    multiclass     how classes are joined (`loss.MULTICLASS`), the same for all folds or one for each
    start          start(n_features) returns the weights to start from, (n_features + 1, n_columns), the same for all
                   combinations; None: zeros
    memory         bytes that a group of columns may take, besides the rows; each thread works on one group
    signs          for each fold those of weights that have one (`penalty.SignedRidge`), or None
    callback       callback(grid, fold, combinations) after each group on a fold, by the thread that trained it:
                   what `grid` has of these combinations (n_group,) on this fold is final

    A combination that diverged is recorded as such and harms no other. Ctrl-C ends training: the combinations that are
    finished on all folds come first, and are returned.
    """
    l2 = np.asarray(l2, dtype=np.float64).reshape(np.shape(l2)[0], -1) * np.ones(n_folds)
    positive = np.array([1]) if n_classes == 2 else np.arange(n_classes)
    joined = [multiclass] * n_folds if isinstance(multiclass, str) else multiclass
    grid = _empty(len(l2), n_folds, len(positive), max_iter)
    halt, one_at_a_time = threading.Event(), threading.Lock()

    def stop_if_halted(*_: object) -> None:
        if halt.is_set():
            raise KeyboardInterrupt

    def train(task: tuple[ndarray, int], run: Run) -> None:
        group, fold = task
        with one_at_a_time:
            stop_if_halted()
            X, codes, weight = rows(fold)
        combination, column = np.repeat(group, len(positive)), np.tile(np.arange(len(positive)), len(group))
        of_fold = None if signs is None else signs[fold]
        penalty = penalty_of(l2[combination, fold], l1_ratio, of_fold)
        loss = loss_of(joined[fold], len(positive))
        objective = FastObjective(X, codes, positive[column], penalty, weight, run=run, loss=loss)
        rate = None if learning_rate is None else np.asarray(learning_rate, dtype=np.float64)[combination]
        first = None if start is None else start(X.shape[1])[:, column]
        result = fit_columns(objective, optimizer, rate, first, max_iter, tol, stop_if_halted, combination)
        with one_at_a_time:
            grid.record(result, combination, fold, column)
        if callback is not None:
            callback(grid, fold, group)
        grid.status[combination, fold, column] = result.status  # now they are finished

    with workers() as run:
        try:
            groups, is_small = _groups(rows(0)[0], len(l2), len(positive), max_iter, memory)
            tasks = [(group, fold) for group in groups for fold in range(n_folds)]
            of_tasks, of_rows = (run, map) if is_small else (map, run)  # what threads share
            list(of_tasks(lambda task: train(task, of_rows), tasks))
        except KeyboardInterrupt:
            halt.set()
            grid.interrupted = True
    return grid


def _groups(X: Any, n_combinations: int, n_columns: int, max_iter: int, memory: int) -> tuple[list[ndarray], bool]:
    """Combinations that are trained together on rows like X; and whether the rows are few, so a thread takes a group.

    The columns of a group are a multiple of GROUP where memory allows (matrix products like that).
    """
    is_small, n_features = X.nbytes <= SMALL_BYTES, X.shape[1]
    n_rows = len(X) if is_small else 0
    per_column = 8 * (max_iter + 1 + n_rows + 12 * (n_features + 1))
    in_cache = max(SMALL_BYTES // (24 * n_rows), 32) if n_rows else 256
    largest = max(1, min(in_cache, memory // per_column) // n_columns)
    even = -(-n_combinations // -(-n_combinations // largest))
    multiple = GROUP // np.gcd(GROUP, n_columns)
    size = min(-(-even // multiple) * multiple, largest)
    return [np.arange(first, min(first + size, n_combinations)) for first in range(0, n_combinations, size)], is_small


def _empty(n_combinations: int, n_folds: int, n_columns: int, max_iter: int) -> Grid:
    shape = (n_combinations, n_folds, n_columns)
    iterations = np.arange(max_iter + 1)
    if max_iter >= CURVE_POINTS:
        iterations = np.unique(np.append(0, np.geomspace(1, max_iter, CURVE_POINTS).round().astype(int)))
    return Grid(
        weights=[np.empty((n_combinations, n_columns, 0)) for _ in range(n_folds)],
        status=np.full(shape, Status.UNFINISHED, dtype="<U10"),
        n_iter=np.zeros(shape, dtype=int),
        gradient_norm=np.full(shape, np.nan),
        cost=np.full(shape, np.nan),
        iterations=iterations,
        curves=np.full((len(iterations), *shape), np.nan),
    )

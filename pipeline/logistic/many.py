"""Train a whole grid of models together: members (l2, learning rate) x folds x classes, as columns of weight matrices.

Models that share their rows and their scaling, those of one fold, are columns of one matrix and pass over the data in
one product. A fold is a copy of its rows, scaled by their own mean and standard deviation: no mask, no weight, and
every member is what training it alone on those rows gives (to rounding). Columns run in groups that stay in the processor's
cache and within the memory allowed; where the rows are few, threads take a group each, else they share the rows of one group.
"""

import threading
from dataclasses import dataclass

import numpy as np

from pipeline.logistic.columns import fit_columns
from pipeline.logistic.objective import Objective
from pipeline.logistic.strip import BLOCK_BYTES
from pipeline.logistic.threads import thread_count, workers

CURVE_POINTS = 1000


@dataclass
class Members:
    """What became of n_members members on n_folds folds, with n_columns columns each (two classes: one; more: one a class).

    A column that no thread finished, because of an interrupt, has the status "unfinished" and NaN for numbers.
    """

    weights: np.ndarray  # (n_members, n_folds, n_columns, n_features + 1), of scaled features, the intercept last
    center: np.ndarray  # (n_folds, n_features)
    scale: np.ndarray  # (n_folds, n_features)
    status: np.ndarray  # (n_members, n_folds, n_columns) of str: see `minimize.Minimum`
    n_iter: np.ndarray  # (n_members, n_folds, n_columns), the iteration that a column stopped at
    gradient_norm: np.ndarray  # (n_members, n_folds, n_columns), in the end
    cost: np.ndarray  # (n_members, n_folds, n_columns), in the end
    iterations: np.ndarray  # (n_points,): those that `curves` shows, all up to 1000, else as many, log-spaced
    curves: np.ndarray  # (n_points, n_members, n_folds, n_columns), cost by iteration, NaN after a column stopped
    interrupted: bool = False

    def margins(self, X, fold):
        """z of every member that was trained on a fold, for rows in the user's units: (n_rows, n_members, n_columns)."""
        n_members, _, n_columns, _ = self.weights.shape
        W = self.weights[:, fold].reshape(n_members * n_columns, -1)
        slopes = W[:, :-1] / self.scale[fold]
        return (X @ slopes.T + (W[:, -1] - slopes @ self.center[fold])).reshape(len(X), n_members, n_columns)


def fit_members(
    X, codes, l2, learning_rate=None, folds=None, standardize=True, optimizer="gradient_descent",
    max_iter=10_000, tol=1e-6, sample_weight=None, memory=256 * 2**20, callback=None,
) -> Members:  # fmt: skip
    """Train every member on the rows outside each fold.

    X             (n_samples, n_features)
    codes         (n_samples,), classes as whole numbers from 0 up; 1 is the positive one of two
    l2            (n_members,)
    learning_rate (n_members,), None for safe ones (and for newton and quasi_newton)
    folds         (n_samples,), the fold that a row is held out of, from 0 up; None: one fold, trained on all rows
    memory        bytes that the columns in work may take at once, besides the folds' copies of the data
    callback      callback(finished columns, all columns) after each group of columns

    Diverged members are recorded as such and harm no other. Ctrl-C ends training, and what was finished is returned.
    """
    n_classes = int(codes.max()) + 1
    positive = np.array([1]) if n_classes == 2 else np.arange(n_classes)
    n_folds = 1 if folds is None else int(folds.max()) + 1
    columns = np.array([(member, column) for member in range(len(l2)) for column in range(len(positive))])
    n_train = len(X) if folds is None else len(X) - np.bincount(folds).min()
    small = n_train * X.shape[1] * X.itemsize <= BLOCK_BYTES
    n_threads, per_column = thread_count(), 8 * (max_iter + 1 + 12 * (X.shape[1] + 1) + (n_train if small else 0))
    fits_cache = BLOCK_BYTES // (24 * n_train) if small else 256
    size = max(1, min(max(fits_cache, 32), memory // (n_threads * per_column)))
    n_groups = -(-len(columns) // size)
    tasks = [(fold, group) for fold in range(n_folds) for group in np.array_split(columns, n_groups)]

    members = _empty(len(l2), n_folds, len(positive), X.shape[1], max_iter)
    halt = threading.Event()
    finished = 0

    def train(task, run):
        nonlocal finished
        fold, group = task
        rows = slice(None) if folds is None else np.flatnonzero(folds != fold)
        X_fold = X[rows]
        if standardize:
            center, scale = X_fold.mean(axis=0, dtype=np.float64), X_fold.std(axis=0, dtype=np.float64)
            members.center[fold], members.scale[fold] = center, np.where(scale > 0, scale, 1)
            X_fold = (X_fold - members.center[fold]) / members.scale[fold]
        weight = None if sample_weight is None else sample_weight[rows]
        member, column = group.T
        objective = Objective(X_fold, codes[rows], positive[column], np.asarray(l2)[member], weight, run=run)
        rate = None if learning_rate is None else np.asarray(learning_rate)[member]
        result = fit_columns(objective, optimizer, rate, None, max_iter, tol, lambda *_: _stop_if(halt))
        members.weights[member, fold, column] = result.weights.T
        for name in ("status", "n_iter", "gradient_norm", "cost"):
            getattr(members, name)[member, fold, column] = getattr(result, name)
        shown = members.iterations[members.iterations < len(result.costs)]
        members.curves[: len(shown), member, fold, column] = result.costs[shown]
        finished += len(group)
        if callback is not None:
            callback(finished, n_folds * len(columns))

    with workers() as run:
        try:
            for _ in run(lambda task: train(task, map), tasks) if small else (train(task, run) for task in tasks):
                pass
        except KeyboardInterrupt:
            halt.set()
            members.interrupted = True
    return members


def _empty(n_members, n_folds, n_columns, n_features, max_iter):
    shape = (n_members, n_folds, n_columns)
    iterations = np.arange(max_iter + 1)
    if max_iter >= CURVE_POINTS:
        iterations = np.unique(np.append(0, np.geomspace(1, max_iter, CURVE_POINTS).round().astype(int)))
    return Members(
        weights=np.full((*shape, n_features + 1), np.nan),
        center=np.zeros((n_folds, n_features)),
        scale=np.ones((n_folds, n_features)),
        status=np.full(shape, "unfinished", dtype="<U10"),
        n_iter=np.zeros(shape, dtype=int),
        gradient_norm=np.full(shape, np.nan),
        cost=np.full(shape, np.nan),
        iterations=iterations,
        curves=np.full((len(iterations), *shape), np.nan),
    )


class _Halted(Exception):
    """Ends a thread's group after an interrupt."""


def _stop_if(halt):
    if halt.is_set():
        raise _Halted

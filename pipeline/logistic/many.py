"""Train a whole grid of models together: members (l2, learning rate) x folds x classes, as columns of weight matrices.

Models that share their rows and their scaling, those of one fold, are columns of one matrix and pass over the data in
one product. A fold is a copy of its rows, scaled by their own mean and standard deviation: no mask, no weight, and
every member is what training it alone on those rows gives, to rounding. Columns run in groups that stay in the
processor's cache and within the memory allowed. Where the rows are few, each thread takes a group, else all threads
share the rows of one.
"""

import threading
from dataclasses import dataclass

import numpy as np

from pipeline.logistic.columns import fit_columns
from pipeline.logistic.objective import STRIPS, Objective
from pipeline.logistic.strip import GROUP, SMALL_BYTES
from pipeline.logistic.threads import workers

CURVE_POINTS = 1000


@dataclass
class Members:
    """What became of n_members members on n_folds folds, with a column a class (two classes: one column).

    A column that was not finished, because of an interrupt, has the status "unfinished" and NaN for numbers.
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
        """z of the members trained on a fold, for rows in the user's units: (n_rows, n_members, n_columns)."""
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
    l2            (n_members,), or (n_members, n_folds)
    learning_rate (n_members,), None for safe ones (and for newton and quasi_newton)
    folds         (n_samples,), the fold that a row is held out of, from 0 up; None: one fold, trained on all rows
    memory        bytes that a group of columns may take, besides a copy of its fold's rows; each thread has one in work
    callback      callback(finished columns, all columns) after each group of columns

    Diverged members are recorded as such and harm no other. Ctrl-C ends training, and what was finished is returned.
    """
    n_classes = int(codes.max()) + 1
    positive = np.array([1]) if n_classes == 2 else np.arange(n_classes)
    n_folds = 1 if folds is None else int(folds.max()) + 1
    l2 = np.broadcast_to(np.reshape(l2, (len(l2), -1)), (len(l2), n_folds))
    columns = np.array([(member, column) for member in range(len(l2)) for column in range(len(positive))])
    n_train = len(X) if folds is None else len(X) - np.bincount(folds).min()
    small = n_train * X.shape[1] * X.itemsize <= SMALL_BYTES
    size = _group_size(len(columns), n_train if small else 0, X.shape[1], max_iter, memory)
    groups = [columns[first : first + size] for first in range(0, len(columns), size)]
    tasks = [(fold, group) for fold in range(n_folds) for group in groups]
    members = _empty(len(l2), n_folds, len(positive), X.shape[1], max_iter)
    halt, one_at_a_time = threading.Event(), threading.Lock()
    finished = 0

    def train(task, run):
        nonlocal finished
        fold, group = task
        rows = None if folds is None else np.flatnonzero(folds != fold)
        X_fold, members.center[fold], members.scale[fold] = _fold_rows(X, rows, standardize, run)
        kept = slice(None) if rows is None else rows
        member, column = group.T
        weight = None if sample_weight is None else sample_weight[kept]
        objective = Objective(X_fold, codes[kept], positive[column], l2[member, fold], weight, run=run)
        rate = None if learning_rate is None else np.asarray(learning_rate)[member]
        result = fit_columns(objective, optimizer, rate, None, max_iter, tol, lambda *_: _stop_if(halt))
        members.weights[member, fold, column] = result.weights.T
        for name in ("status", "n_iter", "gradient_norm", "cost"):
            getattr(members, name)[member, fold, column] = getattr(result, name)
        shown = members.iterations[members.iterations < len(result.costs)]
        members.curves[: len(shown), member, fold, column] = result.costs[shown]
        with one_at_a_time:
            finished += len(group)
            if callback is not None:
                callback(finished, n_folds * len(columns))

    with workers() as run:
        try:
            list(run(lambda task: train(task, map), tasks) if small else (train(task, run) for task in tasks))
        except KeyboardInterrupt:
            halt.set()
            members.interrupted = True
    return members


def _group_size(n_columns, n_rows, n_features, max_iter, memory):
    """Columns of a group, a multiple of GROUP where memory allows (matrix products like that)."""
    per_column = 8 * (max_iter + 1 + n_rows + 12 * (n_features + 1))
    in_cache = max(SMALL_BYTES // (24 * n_rows), 32) if n_rows else 256
    largest = max(1, min(in_cache, memory // per_column))
    even = -(-n_columns // -(-n_columns // largest))
    return min(-(-even // GROUP) * GROUP, largest)


def _fold_rows(X, rows, standardize, run):
    """The rows (None: all), scaled if wished, the center and the scale: a copy, made strip by strip."""
    n_features = X.shape[1]
    center, scale = np.zeros(n_features), np.ones(n_features)
    if rows is None and not standardize:
        return X, center, scale
    n_rows = len(X) if rows is None else len(rows)
    copied = np.empty((n_rows, n_features), dtype=X.dtype)
    strips = [slice(start, start + -(-n_rows // STRIPS)) for start in range(0, n_rows, -(-n_rows // STRIPS))]

    def copy(strip):
        copied[strip] = X[strip] if rows is None else np.take(X, rows[strip], axis=0)
        return copied[strip].sum(axis=0, dtype=np.float64)

    def standardise(strip):
        copied[strip] -= center
        copied[strip] /= scale

    sums = list(run(copy, strips))
    if standardize:
        center = sum(sums) / n_rows
        squares = run(lambda strip: ((copied[strip] - center) ** 2).sum(axis=0), strips)
        deviation = np.sqrt(sum(squares) / n_rows)
        scale = np.where(deviation > 0, deviation, 1)
        list(run(standardise, strips))
    return copied, center, scale


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


def _stop_if(halt):
    if halt.is_set():
        raise KeyboardInterrupt

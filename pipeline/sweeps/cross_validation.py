"""Score a grid of models on rows that they were not trained on, all of them trained together.

The rows are cut into k folds (`tables.splitting.folds`); every member is trained on all folds but one and scored on
that one, k times over. Preprocessing is fitted inside each fold, on the rows trained on.
Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, section 7.10.

Members are trained a chunk at a time, all folds of it, so that an interrupt loses one chunk.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_sample_weight
from tqdm import tqdm

from pipeline import config, model, tables
from pipeline.sweeps.choice import best_by_lambda
from pipeline.config import Member
from pipeline.logistic.estimator import probabilities
from pipeline.logistic.many import Members, fit_members
from pipeline.logistic.minimize import CONVERGED, DIVERGED, RAN_OUT, STALLED
from pipeline.logistic.objective import Objective
from pipeline.stages.evaluate import scores
from pipeline.columns import splitting

CHUNK = 64  # columns of weights: enough to fill the processor, few enough to lose in an interrupt
WORST_LAST = [CONVERGED, STALLED, RAN_OUT, DIVERGED]


class Validation(NamedTuple):
    """What became of each member: NaN for the scores of one that diverged, no row for one that was not finished."""

    members: pd.DataFrame  # lambda, learning_rate, each score and its standard error over folds, iterations, status
    curves: pd.DataFrame  # lambda, learning_rate, iteration, cost: the mean over folds and classes
    interrupted: bool


def members(sweep: config.Sweep, train: config.Train) -> list[Member]:
    """The grid. Methods that find their step themselves have no learning rate, so its members are the lambdas alone."""
    if train.optimizer in ("newton", "quasi_newton"):
        return list(dict.fromkeys(member._replace(learning_rate="auto") for member in sweep.members))
    return sweep.members


def cross_validate(
    table: pd.DataFrame, train: config.Train, sweep: config.Sweep, grid: list[Member], folds: list[splitting.Fold]
) -> Validation:
    """Score every member of `grid`, trained as `train` says but for its lambda and learning rate, on `table`'s rows.

    Ctrl-C ends the training, and what was finished is returned.
    """
    X, y = tables.features_and_target(table)
    classes, codes = _encode(y, train)
    size = max(CHUNK // (1 if len(classes) == 2 else len(classes)), 1)
    chunks = [grid[start : start + size] for start in range(0, len(grid), size)]
    rows, curves = [], []
    with tqdm(total=len(chunks) * len(folds), desc="sweep", unit=" folds", disable=None) as bar:
        try:
            for chunk in chunks:
                fits, scored = [], []
                for training, held_out in folds:
                    preprocessing = model.build(train, X)[:-1]
                    Z = _matrix(preprocessing.fit_transform(X.iloc[training]))
                    fits.append(_fit(Z, codes[training], train, sweep, chunk))
                    margins = fits[-1].margins(_matrix(preprocessing.transform(X.iloc[held_out])), 0)
                    scored.append([_score(z, codes[held_out], classes, sweep.score) for z in margins.swapaxes(0, 1)])
                    bar.update()
                rows += _rows(chunk, fits, scored)
                curves += _curves(chunk, fits)
        except KeyboardInterrupt:
            return Validation(*_tables(rows, curves), interrupted=True)
    return Validation(*_tables(rows, curves), interrupted=False)


def path(table: pd.DataFrame, train: config.Train, sweep: config.Sweep, scored: pd.DataFrame) -> pd.DataFrame:
    """Weights on all rows of `table`, with the best learning rate of each lambda: lambda, class, feature, weight."""
    X, y = tables.features_and_target(table)
    classes, codes = _encode(y, train)
    best = best_by_lambda(scored, sweep.score)
    grid = [Member(*pair) for pair in zip(best["lambda"], best["learning_rate"], strict=True)]
    preprocessing: Pipeline = model.build(train, X)[:-1]
    fit = _fit(_matrix(preprocessing.fit_transform(X)), codes, train, sweep, grid)
    features, labels = preprocessing.get_feature_names_out(), classes[-fit.weights.shape[2] :]
    weights = pd.DataFrame(
        fit.weights[:, 0, :, :-1].reshape(-1, len(features)),
        columns=features,
        index=pd.MultiIndex.from_product([[member.l2 for member in grid], labels], names=["lambda", "class"]),
    )
    return weights.rename_axis(columns="feature").stack().rename("weight").reset_index()  # noqa: PD013


def _encode(y: np.ndarray, train: config.Train) -> tuple[np.ndarray, np.ndarray]:
    """The classes, of two the positive one last, and their numbers for the rows."""
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) == 2 and train.positive == classes[0]:
        return classes[::-1], 1 - codes
    return classes, codes


def _matrix(transformed: object) -> np.ndarray:
    return np.ascontiguousarray(transformed, dtype=np.float64)


def _fit(Z: np.ndarray, codes: np.ndarray, train: config.Train, sweep: config.Sweep, chunk: list[Member]) -> Members:
    l2 = np.array([member.l2 for member in chunk])
    weight = None if train.class_weight is None else compute_sample_weight(train.class_weight, codes)
    rates = np.array([np.nan if member.learning_rate == "auto" else member.learning_rate for member in chunk])
    if np.isnan(rates).any():
        safe = Objective(Z, codes, np.ones(len(chunk), int), l2, weight).safe_learning_rate()
        rates = np.where(np.isnan(rates), safe, rates)
    fit = fit_members(
        Z,
        codes,
        l2,
        rates,
        standardize=False,
        optimizer=train.optimizer,
        max_iter=train.max_iterations,
        tol=train.tolerance,
        sample_weight=weight,
        memory=sweep.memory * 2**20,
    )
    if fit.interrupted:
        raise KeyboardInterrupt
    return fit


def _score(margins: np.ndarray, codes: np.ndarray, classes: np.ndarray, score: str) -> dict[str, float]:
    """Log-loss and the chosen score of margins (n_rows, n_columns)."""
    if not np.isfinite(margins).all():
        return dict.fromkeys(["log_loss", score], np.nan)
    P = probabilities(margins[:, 0] if len(classes) == 2 else margins)
    # As scikit-learn's log_loss, whose checks would take longer than the training did.
    log_loss = -np.log(np.maximum(P[np.arange(len(P)), codes], np.finfo(float).eps)).mean()
    if score == "log_loss":
        return {"log_loss": log_loss}
    return {"log_loss": log_loss, **scores(classes[codes], classes[P.argmax(axis=1)], P, classes, only=score)}


def _rows(chunk: list[Member], fits: list[Members], scored: list[list[dict[str, float]]]) -> Iterator[dict]:
    for k, member in enumerate(chunk):
        ended = np.concatenate([fit.status[k].ravel() for fit in fits])
        status = max(ended, key=WORST_LAST.index)
        n_iter = np.concatenate([fit.n_iter[k].ravel() for fit in fits])
        row = {"lambda": member.l2, "learning_rate": member.learning_rate}
        for name in scored[0][k]:
            values = np.array([fold[k][name] for fold in scored]) if status != DIVERGED else np.full(len(fits), np.nan)
            row[name] = values.mean()
            row[f"{name}_standard_error"] = values.std(ddof=1) / np.sqrt(len(values))
        # A diverged member ended where its first column did.
        iterations = n_iter[ended == DIVERGED].min() if status == DIVERGED else n_iter.max()
        yield row | {"iterations": int(iterations), "status": status}


def _curves(chunk: list[Member], fits: list[Members]) -> Iterator[pd.DataFrame]:
    """A column that stopped keeps its last cost while others go on."""
    for k, member in enumerate(chunk):
        costs = pd.DataFrame(np.hstack([fit.curves[:, k].reshape(len(fit.curves), -1) for fit in fits]))
        costs = costs.loc[: costs.last_valid_index()].ffill().mean(axis="columns")
        iterations = fits[0].iterations[: len(costs)]
        yield pd.DataFrame(
            {"lambda": member.l2, "learning_rate": member.learning_rate, "iteration": iterations, "cost": costs}
        )


def _tables(rows: list[dict], curves: list[pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.DataFrame(rows), pd.concat(curves, ignore_index=True) if curves else pd.DataFrame()

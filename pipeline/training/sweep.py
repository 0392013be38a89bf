"""Score a grid of combinations of lambda and learning rate by cross-validation; its files, pictures and command."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline import config
from pipeline.columns import splitting
from pipeline.columns.target import features_and_target
from pipeline.columns.terms import prepare
from pipeline.config import Combination
from pipeline.figures import sweeps as figures
from pipeline.figures.drawing import save
from pipeline.files import formats, paths, stored
from pipeline.files.stored import Table
from pipeline.logistic import Status
from pipeline.logistic.loss import log_losses, predicted, probabilities
from pipeline.overrides import assignment, options
from pipeline.scores.scores import scores
from pipeline.training import choice
from pipeline.training.cross_validation import Rows, cross_validate, grid_of, keep_smallest, prepared
from pipeline.training.fit import terms_of

CHOSEN = ("train.lambda", "train.learning_rate")
WORST_LAST = list(Status)
SWING = 1.01  # times the lowest cost


class Validation(NamedTuple):
    """How each combination did: NaN for the scores of one that diverged, no row for one that was not finished."""

    # lambda, learning_rate, each score and its standard error over folds, iterations, status
    combinations: pd.DataFrame
    curves: pd.DataFrame  # lambda, learning_rate, iteration, cost: the mean over folds and classes
    interrupted: bool
    folds: Mapping[Combination, list[float]] = MappingProxyType({})  # the chosen score of each fold


def combinations(sweep: config.Sweep, train: config.Train) -> list[Combination]:
    """The grid. Optimisers that find their own step have no learning rate, so their grid is the lambdas alone."""
    if train.optimizer in ("newton", "quasi_newton"):
        return list(dict.fromkeys(pair._replace(learning_rate="auto") for pair in sweep.combinations))
    return sweep.combinations


def score_grid(
    table: Table,
    train: config.Train,
    sweep: config.Sweep,
    grid: list[Combination],
    folds: list[splitting.Fold],
    weight: np.ndarray | None = None,
    in_folds: Sequence[config.Train] = (),
) -> Validation:
    """Score every combination of `grid` on the rows of `table`; all other settings are those of `train`.

    weight (n_samples,) is that of each row, in training and in the scores; in_folds has the settings that were chosen
    inside each fold, where some were (`selection.in_folds`).

    Ctrl-C ends the training, and what was finished is returned.
    """
    X, y = features_and_target(table)
    classes, codes = np.unique(y, return_inverse=True)
    settings = [terms_of(params, X, classes) for params in in_folds or [train] * len(folds)]
    fit, scored = cross_validate(
        prepared(X, codes, folds, settings, weight),
        train,
        *_arrays(grid),
        lambda margins, rows, joined: _scores(margins, rows, joined, classes, train, sweep.score),
        len(classes),
        multiclass=[params.multiclass for params in in_folds],
        memory=sweep.memory * 2**20,
        title="sweep",
    )
    rows, curves, by_combination = [], [], {}
    for k in np.flatnonzero(fit.finished).tolist():
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


def _arrays(grid: list[Combination]) -> tuple[np.ndarray, np.ndarray]:
    rates = [np.nan if pair.learning_rate == "auto" else pair.learning_rate for pair in grid]
    return np.array([pair.l2 for pair in grid]), np.array(rates)


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
    best = choice.best_by_lambda(scored, sweep.score)
    grid = [Combination(*pair) for pair in zip(best["lambda"], best["learning_rate"], strict=True)]
    _, features, Z = prepare(X, terms_of(train, X, classes))
    rows, (l2, rates) = Rows(Z, codes, weight, np.arange(len(codes))), _arrays(grid)
    memory = sweep.memory * 2**20
    (weights,) = grid_of([rows], train, l2, rates, len(classes), memory=memory, signs=[features.signs]).weights
    keep_smallest(weights, l2, np.arange(len(grid)), features)
    weights = weights[:, :, :-1]
    labels = list(classes)
    if len(classes) == 2:
        labels = [train.positive or classes[1]]
        weights = weights if labels[0] == classes[1] else -weights
    names = pd.MultiIndex.from_product([[pair.l2 for pair in grid], labels], names=["lambda", "class"])
    flat = formats.rounded_weights(weights.reshape(len(names), -1))
    coefficients = pd.DataFrame(flat, columns=features.names, index=names)
    return pd.Series(coefficients.rename_axis(columns="feature").stack(), name="weight").reset_index()  # noqa: PD013


def write(validation: Validation, folder: Path) -> None:
    """Every combination, and its cost curve."""
    exact = {key: validation.combinations[key].map(_number) for key in ("lambda", "learning_rate")}
    scored = validation.combinations.assign(**exact)
    curves = validation.curves.assign(learning_rate=validation.curves["learning_rate"].map(_number))
    curves["cost"] = formats.significant(curves["cost"].to_numpy(), formats.SCORE_DIGITS)
    formats.save_csv(scored, folder / paths.COMBINATIONS)
    stored.save_table(curves, folder / paths.CURVES)


def adopt(chosen: dict[str, Any], settled: Sequence[str] = (), overrides: list[str] | None = None) -> str:
    """The command that trains the chosen combination, with the overrides `settled` for what `auto` stood for.

    It keeps the data and the settings that params.yaml has; where `overrides` are given, those of conf/ with them.
    """
    values = [*settled, *(assignment(key, chosen[key.removeprefix("train.")]) for key in CHOSEN)]
    conf_overrides = [text for text in overrides or () if not text.startswith("sweep.")]
    keep = " --no-hydra" if overrides is None else ""
    return f"dvc exp run{keep} {options([*conf_overrides, *values])}"


def draw(
    validation: Validation,
    weights_by_lambda: pd.DataFrame,
    winners: choice.Choice,
    params: config.Sweep,
    folder: Path,
    title: str,
) -> None:
    """The pictures; those of learning rates only where there are several. title is the name of the data."""
    scored, score, chosen = validation.combinations, params.score, getattr(winners, params.refit)
    curves = validation.curves[validation.curves["lambda"] == chosen["lambda"]]
    if len(set(scored["learning_rate"])) > 1:
        heat_map, rates = folder / "heat_map.png", folder / "learning_rates.png"
        save(figures.heat_map, heat_map, title, combinations=scored, score=score, winner=chosen)
        save(figures.learning_rates, rates, title, curves=curves, penalty=chosen["lambda"])
    save(
        figures.validation_curve,
        folder / "validation_curve.png",
        title,
        combinations=choice.best_by_lambda(scored, score),
        score=score,
        best=winners.best,
        strongest=winners.one_standard_error,
    )
    chosen_lambda = chosen["lambda"]
    save(
        figures.coefficient_paths,
        folder / "coefficient_paths.png",
        title,
        weights=weights_by_lambda,
        chosen=chosen_lambda,
    )


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else repr(float(value)).removesuffix(".0")  # all its digits, no more


def _scores(
    margins: np.ndarray, rows: Rows, multiclass: str, classes: np.ndarray, train: config.Train, score: str
) -> dict[str, float]:
    """Log-loss and the chosen score of margins (n_held_out,), or (n_held_out, n_classes)."""
    if not np.isfinite(margins).all():
        return dict.fromkeys(["log_loss", score], np.nan)
    P = probabilities(margins, multiclass)
    fold_scores = {"log_loss": float(np.average(log_losses(P, rows.codes), weights=rows.weight))}
    if score not in fold_scores:
        labels = classes[rows.codes], classes[predicted(margins)]
        fold_scores[score] = scores(*labels, P, classes, train.positive, rows.weight)[score]
    return fold_scores


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
    steps = iterations[: len(mean)]
    return pd.DataFrame({"lambda": pair.l2, "learning_rate": pair.learning_rate, "iteration": steps, "cost": mean})

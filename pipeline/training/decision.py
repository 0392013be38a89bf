"""From which probability on a row is decided to be of the positive class, as the section `decision` says.

The threshold, and a correction of the probabilities, are chosen on out-of-fold predictions of the training rows: each
row is predicted by a model of the same settings that was trained without its fold, with pairs that were found without
it. They are kept in the model, and
judged once, on the test rows.

    cost    the smallest total of the costs of false alarms and misses
    floor   the fewest rows with a recall of at least ...
    budget  the rows of the highest probability, as many as ...

    flagged     decided to be of the positive class
    codes       (n_samples,), 1 where a row is of the positive class
    probability (n_samples,), of the positive class
"""

import warnings

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix_at_thresholds

from pipeline import config
from pipeline.columns import splitting
from pipeline.columns.target import features_and_target
from pipeline.errors import UserError
from pipeline.files.formats import SCORE_DIGITS, significant
from pipeline.files.stored import Table, in_memory
from pipeline.logistic.calibration import calibrated, isotonic, temperature
from pipeline.model import Model
from pipeline.reading import CellFormat
from pipeline.scores import curves, scores
from pipeline.training import fit, selection

FOLDS, SEED = 5, 0
NEXT_TO_NONE = 1e-300


def decide(
    fitted: Model,
    table: Table,
    train: config.Train,
    settings: config.Decision,
    cell_format: CellFormat,
    key: pd.Series | None = None,
    weight: np.ndarray | None = None,
) -> pd.DataFrame | None:
    """Set the threshold and the calibration of `fitted`, a model of the rows of `table` with the settings `train`.

    Where `train.interactions` is `auto`, each fold has pairs of its own.

    Returned is what each threshold would have given (`curve`), None where nothing was to be chosen. `key` is the group
    or the time of each row, as for `splitting.folds`, `weight` its weight (n_samples,). Errors: `UserError` for
    settings that do not fit the rows.
    """
    y = features_and_target(table)[1]
    if settings.method != "none" and len(fitted.classes_) != 2:
        raise UserError(
            f"decision.method = {settings.method} is for two classes, but there are {len(fitted.classes_)}: "
            f"{', '.join(fitted.classes_[:10])}. Leave it out: -S decision=none."
        )
    if settings.method == "none" and settings.calibration == "none":
        return None
    table = in_memory(table)
    false_alarm, miss = costs(settings, features_and_target(table)[0])
    weight = np.ones(len(y)) if weight is None else weight
    codes = np.searchsorted(fitted.classes_, y)
    fold, P = out_of_fold(table, train, cell_format, key, weight)
    held_out = np.flatnonzero(fold >= 0)
    fold, P, codes = fold[held_out], P[held_out], codes[held_out]
    if settings.calibration == "auto":
        fitted.calibration = best_calibration(P, codes, fold, weight[held_out])
        P = calibrated(P, fitted.calibration)
        fitted.threshold = 0.5 if fitted.calibration and "x" in fitted.calibration else None
    if settings.method == "none":
        return None
    place = fitted.classes_.tolist().index(fitted.positive_class)
    is_positive = codes == place
    cost = np.where(is_positive, miss[held_out], false_alarm[held_out])
    found = curve(is_positive, P[:, place], cost, weight[held_out])
    k = chosen(found, settings, len(held_out))
    fitted.threshold = float(found["threshold"].iloc[k])
    shown = pd.concat([curves.thinned(found), found.iloc[[k]]]).sort_index()
    shown = shown[~shown.index.duplicated()]
    return shown.assign(chosen=shown.index == k)


def costs(settings: config.Decision, rows: Table) -> tuple[np.ndarray, np.ndarray]:
    """What a false alarm and a miss cost for each row, (n_samples,); 1 where that decides nothing."""
    found = []
    for name in ("false_alarm", "miss"):
        cost = getattr(settings, name, 1.0)
        if isinstance(cost, str):
            numbers = rows.select_dtypes("number").columns.tolist()
            if cost not in numbers:
                raise UserError(
                    f"decision.{name} = {cost!r} is no feature of numbers. Use a number or one of "
                    f"{', '.join(map(repr, numbers)) or 'none: there are no numbers'}."
                )
            column = rows[cost].to_numpy(float)
            if not (column >= 0).all():
                wrong = int(np.flatnonzero(~(column >= 0))[0])
                raise UserError(
                    f"decision.{name} = {cost!r} is missing or negative in some rows (the first: row {wrong + 1:,}, "
                    f"{column[wrong]:g}), but a cost is a number from 0 up."
                )
            found.append(column)
        else:
            found.append(np.full(len(rows), float(cost)))
    return found[0], found[1]


def out_of_fold(
    table: pd.DataFrame, train: config.Train, cell_format: CellFormat, key: pd.Series | None, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The fold that each row is held out in, -1 for none, and its probabilities (n_samples, n_classes) then."""
    X, y = features_and_target(table)
    fold, P = np.full(len(y), -1), np.zeros((len(y), len(np.unique(y))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the same as of the model of all rows
        for k, (rows, others) in enumerate(splitting.folds(y, FOLDS, SEED, key)):
            part = table.iloc[rows].reset_index(drop=True)
            settled = selection.of_fold(table, train, rows, key, weight)
            fitted = fit.train(part, settled, cell_format, weight[rows]).model
            fold[others], P[others] = k, fitted.probabilities(X.iloc[others])
    return fold, P


def best_calibration(P: np.ndarray, codes: np.ndarray, fold: np.ndarray, weight: np.ndarray) -> dict | None:
    """The correction with the smallest log-loss on folds that it did not see, if it is better than none.

    Better: the mean of the differences of folds is more than its standard error.
    """
    counted = weight > 0
    P, codes, fold, weight = P[counted], codes[counted], fold[counted], weight[counted]
    before = scores.log_losses(P, codes)
    best, least = None, np.average(before, weights=weight)
    for find in (temperature, isotonic) if P.shape[1] == 2 else (temperature,):
        after = np.empty(len(codes))
        for k in np.unique(fold):
            held_out = fold == k
            after[held_out] = scores.log_losses(
                calibrated(P[held_out], find(P[~held_out], codes[~held_out], weight[~held_out])), codes[held_out]
            )
        gains = np.array([np.average((before - after)[fold == k], weights=weight[fold == k]) for k in np.unique(fold)])
        loss = np.average(after, weights=weight)
        if gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains)) and loss < least:
            best, least = find, loss
    if best is None:
        return None
    found = best(P, codes, weight)
    rounded = {name: significant(np.asarray(value), SCORE_DIGITS) for name, value in found.items()}
    return {name: value if value.ndim else float(value) for name, value in rounded.items()}


def curve(codes: np.ndarray, probability: np.ndarray, cost: np.ndarray, weight: np.ndarray) -> pd.DataFrame:
    """What each threshold gives: threshold, flagged, recall, precision, cost (per row); the first flags nothing.

    Thresholds are in the middle between the probabilities of two rows, so that the last digit of one changes nothing.
    """
    n = weight.sum()
    # scikit-learn leaves out rows of weight 0, and with them thresholds: here they have next to none.
    counted, paid = np.maximum(weight, NEXT_TO_NONE), np.maximum(cost * weight, NEXT_TO_NONE)
    _, fps, fns, tps, edges = confusion_matrix_at_thresholds(codes, probability, sample_weight=counted)
    _, false_alarms, misses, *_ = confusion_matrix_at_thresholds(codes, probability, sample_weight=paid)
    middle = np.append((edges[:-1] + edges[1:]) / 2, edges[-1] / 2)
    flagged = fps + tps
    table = pd.DataFrame(
        {
            "threshold": significant(middle, SCORE_DIGITS),
            "flagged": flagged / n,
            "recall": tps / (tps + fns),
            "precision": tps / flagged,
            "cost": (false_alarms + misses) / n,
        }
    )
    nothing = {"threshold": (1 + edges[0]) / 2, "flagged": 0, "recall": 0, "precision": np.nan}
    return pd.concat(
        [pd.DataFrame([nothing | {"cost": (cost * weight)[codes == 1].sum() / n}]), table], ignore_index=True
    )


def chosen(found: pd.DataFrame, settings: config.Decision, n: int) -> int:
    """The row of `curve` that the settings choose, of `n` rows."""
    if isinstance(settings, config.FloorDecision):
        return int((found["recall"] >= settings.recall - 1e-12).to_numpy().argmax())
    if isinstance(settings, config.BudgetDecision):
        share = settings.highest if settings.highest < 1 else settings.highest / n
        return int(np.flatnonzero(found["flagged"] <= share + 1e-12)[-1])
    return int(found["cost"].round(9).argmin())

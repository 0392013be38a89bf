"""The threshold and the calibration of a model, chosen on out-of-fold predictions of the training rows.

Each row is predicted by a model of the same settings that was trained without its fold. What is chosen is kept in the
model, and judged once, on the test rows. The rules are in `evaluation.thresholds`.
"""

import warnings

import numpy as np
import pandas as pd

from pipeline import config
from pipeline.columns import splitting
from pipeline.columns.target import features_and_target
from pipeline.errors import UserError
from pipeline.evaluation.thresholds import FOLDS, SEED, choose, cost_table, costs
from pipeline.files.formats import SCORE_DIGITS, significant
from pipeline.files.stored import Table, in_memory
from pipeline.logistic.calibration import calibrated, isotonic, temperature
from pipeline.logistic.loss import log_losses, probabilities
from pipeline.model import Model
from pipeline.scores import curves
from pipeline.training import fit, selection
from pipeline.training.cross_validation import Fold, cross_validate, prepared


def decide(
    fitted: Model,
    table: Table,
    asked: config.Train,
    settings: config.Decision,
    key: pd.Series | None = None,
    weight: np.ndarray | None = None,
    settled: config.Train | None = None,
) -> pd.DataFrame | None:
    """Set the threshold or costs, and the calibration, of `fitted`, a model of `table` with the settings `asked`.

    What is `auto` in these is chosen anew inside each fold; `settled` has what was chosen from all rows.

    Returned is what each threshold would have given (`curve`), None where nothing was to be chosen. `key` is the group
    or the time of each row, as for `splitting.folds`, `weight` its weight (n_samples,). Errors: `UserError` for
    settings that do not fit the rows.
    """
    y = features_and_target(table)[1]
    fitted.costs = cost_table(settings, fitted.classes_)
    has_threshold = settings.method != "none" and fitted.costs is None
    if not has_threshold and settings.calibration == "none":
        return None
    table = in_memory(table)
    weight = np.ones(len(y)) if weight is None else weight
    codes = np.searchsorted(fitted.classes_, y)
    fold, P = out_of_fold(table, asked, key, weight, settled)
    held_out = np.flatnonzero(fold >= 0)
    fold, P, codes = fold[held_out], P[held_out], codes[held_out]
    if settings.calibration == "auto":
        fitted.calibration = best_calibration(P, codes, fold, weight[held_out])
        P = calibrated(P, fitted.calibration)
        fitted.threshold = 0.5 if fitted.calibration and "x" in fitted.calibration else None
    if not has_threshold:
        return None
    false_alarm, miss = (each[held_out] for each in costs(settings, features_and_target(table)[0]))
    place = fitted.classes_.tolist().index(fitted.positive_class)
    choice = choose(settings, codes == place, P[:, place], false_alarm, miss, weight[held_out])
    decision_rates, k, fitted.threshold = choice.curve, choice.place, choice.threshold
    if choice.reason:
        fitted.made_of["choices"] = [*fitted.made_of.get("choices", []), choice.reason]
    thinned_rates = pd.concat([curves.thinned(decision_rates), decision_rates.iloc[[k]]]).sort_index()
    thinned_rates = thinned_rates[~thinned_rates.index.duplicated()]
    return thinned_rates.assign(chosen=thinned_rates.index == k)


def out_of_fold(
    table: pd.DataFrame,
    asked: config.Train,
    key: pd.Series | None,
    weight: np.ndarray,
    settled: config.Train | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The fold that each row is held out in, -1 for none, and its probabilities (n_samples, n_classes) then."""
    X, y = features_and_target(table)
    classes, codes = np.unique(y, return_inverse=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the same as of the model of all rows
        cut = splitting.folds(y, FOLDS, SEED, key)
        params = selection.in_folds(table, asked, settled or asked, cut, key, weight)
        folds = prepared(X, codes, cut, [fit.terms_of(each, X, classes) for each in params], weight, is_shared=False)
    if asked.penalty == "firth":
        margins = {k: _margins_of_firth(fold, params[k]) for k, fold in enumerate(folds)}
    else:
        l2 = np.array([[each.l2 for each in params]])
        rate = None if asked.learning_rate == "auto" else np.array([asked.learning_rate])
        joined, title = [each.multiclass for each in params], "predict out of fold"
        grid, judged = cross_validate(
            folds, asked, l2, rate, lambda margins, *_: margins, len(classes), multiclass=joined, title=title
        )
        if grid.interrupted:
            raise KeyboardInterrupt
        margins = {k: of_fold for (_, k), of_fold in judged.items()}
    fold, P = np.full(len(y), -1), np.zeros((len(y), len(classes)))
    for k, of_fold in margins.items():
        if not np.isfinite(of_fold).all():
            raise UserError(
                f"train.learning_rate = {asked.learning_rate} is too large for the rows of one fold, by which the "
                f"threshold and the calibration are chosen. Set a smaller one, or auto: -S train.learning_rate=auto."
            )
        held_out = folds[k].held_out.positions
        fold[held_out], P[held_out] = k, probabilities(of_fold, params[k].multiclass)
    return fold, P


def _margins_of_firth(fold: Fold, params: config.Train) -> np.ndarray:
    Z, codes, *_ = fold.training
    start = fit.classifier(params, max_iter=0).fit(Z, codes)
    return fit.fit_firth(start, Z, codes, fold.features.partitions, params).decision_function(fold.held_out.Z)


def best_calibration(P: np.ndarray, codes: np.ndarray, fold: np.ndarray, weight: np.ndarray) -> dict | None:
    """The correction with the smallest log-loss on folds that it did not see, if it is better than none.

    Better: the mean of the differences of folds is more than its standard error.
    """
    counted = weight > 0
    P, codes, fold, weight = P[counted], codes[counted], fold[counted], weight[counted]
    before = log_losses(P, codes)
    best, least = None, np.average(before, weights=weight)
    for find in (temperature, isotonic) if P.shape[1] == 2 else (temperature,):
        after = np.empty(len(codes))
        for k in np.unique(fold):
            held_out = fold == k
            after[held_out] = log_losses(
                calibrated(P[held_out], find(P[~held_out], codes[~held_out], weight[~held_out])), codes[held_out]
            )
        gains = np.array([np.average((before - after)[fold == k], weights=weight[fold == k]) for k in np.unique(fold)])
        loss = np.average(after, weights=weight)
        if gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains)) and loss < least:
            best, least = find, loss
    if best is None:
        return None
    calibration = best(P, codes, weight)
    rounded = {name: significant(np.asarray(value), SCORE_DIGITS) for name, value in calibration.items()}
    return {name: value if value.ndim else float(value) for name, value in rounded.items()}

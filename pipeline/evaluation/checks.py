"""Warnings that a reader of the scores needs, each with what to do.

They are decided from scores on test rows and their bootstrap draws (`scores.resampled`), so that chance alone does not
make them: a model is reported to be no better than the prior where the interval of the difference has 0 in it.
"""

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.columns import splitting
from pipeline.columns.target import features_and_target
from pipeline.evaluation.verdict import ORDERS, THAN_SHARES
from pipeline.files.stored import Table, in_memory, progress
from pipeline.logistic.loss import log_losses
from pipeline.model import Model
from pipeline.overrides import override
from pipeline.scores.bootstrap import interval

LOST = 0.2  # of what a model gains over the prior in training, the share that is much not to find in test
IMPORTANCE_ROWS, REPEATS, SEED = 500, 5, 0
NO_EFFECT = 0.001  # of what a model gains over the prior in test, the share that a feature without effect has at most
SHOWN = 10
OFF = 0.02  # between the mean probability of a class and its share, with class weights


def overfitting(
    test: Mapping[str, float],
    train: Mapping[str, float],
    prior: Mapping[str, float],
    draws: pd.Series,
    l2: float,
) -> None:
    """Much better in training than in test. `draws` are those of the test's log-loss."""
    gap, gained = test["log_loss"] - train["log_loss"], prior["log_loss"] - train["log_loss"]
    if gap > LOST * gained > 0 and train["log_loss"] < interval(draws)[0]:
        warnings.warn(
            f"The model is much better in training (log-loss {train['log_loss']:.4f}) than in test "
            f"({test['log_loss']:.4f}): {min(gap / gained, 1):.0%} of what it gained over the prior is not there in "
            f"new rows. Set a larger penalty ({override('train.lambda', float(f'{10 * l2 or 0.01:g}'))}, or the choice "
            f"that the stage sweep prints), or leave out columns without effect (outputs/evaluate/importance.csv).",
            stacklevel=2,
        )


def no_better_than_prior(
    test: Mapping[str, float],
    prior: Mapping[str, float],
    draws: pd.DataFrame,
    prior_draws: pd.DataFrame,
    weighted: bool,
) -> None:
    """Not better than the class shares: by log-loss, or with class weights, which spoil it, by the area under ROC.

    A small log-loss gain may be chance where the order of the rows is not: then only the probabilities are doubtful.
    """
    score = "roc_auc" if weighted else "log_loss"
    sign = 1 if weighted else -1
    gain = sign * (test[score] - prior[score])
    if interval(sign * (draws[score] - prior_draws[score]))[0] > 0:
        return
    better = "not better" if gain <= 0 else "better by so little that it may be chance"
    area, (lower, upper) = test["roc_auc"], interval(draws["roc_auc"])
    if lower > prior["roc_auc"]:
        subject = (
            f"the model {ORDERS} (roc_auc {area:.4f}, between {lower:.4f} and {upper:.4f}), but its probabilities are"
        )
        advice = "Rely on the order, not on the probabilities: check"
    else:
        subject = "the model is"
        advice = "Don't rely on it: check what the columns explain of the target (outputs/load/columns.csv) and"
    warnings.warn(
        f"On the test rows {subject} {better}, {THAN_SHARES} ({score} {test[score]:.4f}, theirs "
        f"{prior[score]:.4f}). {advice} the penalty (train.lambda), or add rows.",
        stacklevel=2,
    )


def spoilt_probabilities(fitted: Model, predictions: pd.DataFrame, y: np.ndarray) -> None:
    """Class weights change the probabilities: y (n_training,) are the training rows' classes."""
    if fitted.made_of["class_weight"] is None:
        return
    labels = [fitted.positive_class] if len(fitted.classes_) == 2 else [str(label) for label in fitted.classes_]
    mean = {label: predictions[f"probability_{label}"].mean() for label in labels}
    observed = {label: (predictions["actual"].astype(str) == label).mean() for label in labels}
    worst = max(labels, key=lambda label: abs(mean[label] - observed[label]))
    if abs(mean[worst] - observed[worst]) < OFF:
        return
    advice = "-S train.class_weight=null"
    if len(labels) == 1:
        share = (y == worst).mean()
        advice += (
            f", and call a row {worst!r} from a probability of {share:.2g} on, its share of the training rows: that "
            f"finds nearly the same rows"
        )
    warnings.warn(
        f"train.class_weight = balanced spoils the probabilities: that of {worst!r} is {mean[worst]:.1%} on average, "
        f"but {observed[worst]:.1%} of the test rows are. So log_loss, brier_score and the calibration say little. For "
        f"probabilities that hold, train with {advice}.",
        stacklevel=2,
    )


def importance(fitted: Model, table: Table) -> pd.DataFrame:
    """How much the log-loss of (a sample of) rows grows where a column is shuffled: column, importance, deviation.

    As scikit-learn's `permutation_importance`, but all repeats are predicted at once. L. Breiman, Random Forests, 2001.
    """
    rng, drawn = np.random.default_rng(SEED), splitting.sample(features_and_target(table)[1], IMPORTANCE_ROWS, SEED)
    X, y = features_and_target(in_memory(table if drawn.stands_for is None else table.take(drawn.rows)))
    codes, weight = np.searchsorted(fitted.classes_, y), drawn.weight(None)
    share = None if weight is None else weight / weight.sum()
    before = np.average(log_losses(fitted.probabilities(X), codes), weights=weight)
    repeated = pd.concat([X] * REPEATS, ignore_index=True)
    rows, names = [], X.columns.drop(fitted.offset)
    bar = progress(len(names), "shuffle each column", " columns")
    for name in names:
        if share is None:
            order = np.concatenate([rng.permutation(len(X)) for _ in range(REPEATS)])
        else:  # cells as frequent as in all rows
            order = rng.choice(len(X), REPEATS * len(X), p=share)
        shuffled = repeated.assign(**{str(name): X[name].iloc[order].reset_index(drop=True)})
        each = log_losses(fitted.probabilities(shuffled), np.tile(codes, REPEATS)).reshape(REPEATS, -1)
        losses = np.average(each, axis=1, weights=weight)
        rows.append((name, losses.mean() - before, losses.std(ddof=1)))
        bar.update()
    bar.close()
    importances = pd.DataFrame(rows, columns=["column", "importance", "deviation"]).round(9)
    return importances.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def without_effect(importances: pd.DataFrame, gained: float) -> None:
    """Columns that change nothing for the test rows, beside what the model gained over the prior."""
    effect = importances["importance"].abs() + importances["deviation"]
    names = importances.loc[effect <= NO_EFFECT * gained, "column"].tolist()
    if names and gained > 0 and len(names) < len(importances):
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        count = "1 column has" if len(names) == 1 else f"{len(names):,} columns have"
        warnings.warn(
            f"{count} no effect: shuffled among the test rows, each changes the log-loss by less than {NO_EFFECT:.1%} "
            f"of what the model gained over the class shares ({', '.join(map(repr, names[:SHOWN]))}{more}). To leave "
            f"one out: {override('data.drop', names[:1])}.",
            stacklevel=2,
        )

"""Scores of predictions, one number each, and the confusion matrix.

Scores of more than two classes are means over the classes ("macro"); ROC and average precision take each class against
the rest. Source: https://scikit-learn.org/stable/modules/model_evaluation.html
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn import metrics

LOSSES = ("log_loss", "brier_score")  # scores that are better when lower
OF_DECISION = ("threshold", "cost")  # beside the scores where `decision` is set


class Evaluation(NamedTuple):
    metrics: dict[str, float]
    report: str  # scikit-learn's classification report
    predictions: pd.DataFrame  # one row per test row: actual, predicted, a probability for each class


def evaluate(
    y: np.ndarray,
    predicted: np.ndarray,
    probabilities: np.ndarray,
    classes: np.ndarray,
    positive: str | None = None,
    weight: np.ndarray | None = None,
) -> Evaluation:
    """Judge predictions of labels y (n_samples,).

    predicted      (n_samples,), the classes that the model predicts
    probabilities  (n_samples, n_classes), in the order of `classes`
    classes        (n_classes,), sorted
    positive       of two classes, the one that ROC and average precision are about; None is the last
    weight         (n_samples,) of each row, or None

    ROC AUC and average precision are those of the classes that have rows (of a weight above 0), and NaN where no class
    can be told from others.
    """
    names, codes = [str(label) for label in classes], np.arange(len(classes))
    columns = {f"probability_{label}": column for label, column in zip(classes, probabilities.T, strict=True)}
    sides = (np.searchsorted(classes, labels) for labels in (y, predicted))
    return Evaluation(
        scores(y, predicted, probabilities, classes, positive, weight),
        metrics.classification_report(*sides, labels=codes, target_names=names, zero_division=0, sample_weight=weight),
        pd.DataFrame({"actual": y, "predicted": predicted, **columns}),
    )


def scores(
    y: np.ndarray,
    predicted: np.ndarray,
    probabilities: np.ndarray,
    classes: np.ndarray,
    positive: str | None = None,
    weight: np.ndarray | None = None,
    only: str | None = None,
) -> dict[str, float]:
    """Every score by its name, or the one that `only` names. Other parameters as for `evaluate`."""
    weighted: dict = {"sample_weight": weight}
    average = {"average": "macro", "zero_division": 0, **weighted}
    codes, every_code = [np.searchsorted(classes, labels) for labels in (y, predicted)], np.arange(len(classes))
    indicators = (codes[0][:, None] == every_code).astype(int)
    judged = every_code if len(classes) > 2 else np.flatnonzero(classes == (positive or classes[1]))
    counted = np.ones(len(y)) if weight is None else weight
    share = np.average(indicators[:, judged], axis=0, weights=counted) if counted.any() else np.zeros(len(judged))
    judged = judged[(share > 0) & (share < 1)]
    ranked, judgement = (indicators[:, judged], probabilities[:, judged]), (codes[0], probabilities)

    def area(score: Callable[..., float]) -> float:
        return score(*ranked, **weighted) if len(judged) else math.nan

    every = {
        "accuracy": lambda: metrics.accuracy_score(*codes, **weighted),
        "f1_macro": lambda: metrics.f1_score(*codes, **average),
        "precision_macro": lambda: metrics.precision_score(*codes, **average),
        "recall_macro": lambda: metrics.recall_score(*codes, **average),
        "roc_auc": lambda: area(metrics.roc_auc_score),
        "average_precision": lambda: area(metrics.average_precision_score),
        "log_loss": lambda: metrics.log_loss(*judgement, labels=every_code, **weighted),
        "brier_score": lambda: metrics.brier_score_loss(*judgement, labels=every_code, **weighted),
    }
    return {name: float(score()) for name, score in every.items() if only in (None, name)}


def log_losses(P: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The log-loss of each row, for probabilities P (n_samples, n_classes) and classes as codes (n_samples,)."""
    return -np.log(np.maximum(P[np.arange(len(codes)), codes], np.finfo(P.dtype).eps))


def confusion(predictions: pd.DataFrame) -> pd.DataFrame:
    """The number of rows of each actual class (index) that were predicted to be each class (columns)."""
    labels = classes_of(predictions)
    codes = (pd.Categorical(predictions[side].astype(str), labels).codes for side in ("actual", "predicted"))
    found = metrics.confusion_matrix(*codes, labels=np.arange(len(labels)))
    return pd.DataFrame(found, index=labels, columns=labels)


def classes_of(predictions: pd.DataFrame) -> list[str]:
    return [column.removeprefix("probability_") for column in predictions.columns[2:]]

"""What test rows show about a model: scores, the classification report, curves and the confusion matrix.

Scores of more than two classes are means over the classes ("macro"); ROC and average precision take each class against
the rest. Source: https://scikit-learn.org/stable/modules/model_evaluation.html
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn import metrics
from sklearn.calibration import calibration_curve


class Evaluation(NamedTuple):
    metrics: dict[str, float]
    report: str  # scikit-learn's classification report
    predictions: pd.DataFrame  # one row per test row: actual, predicted, a probability for each class


def evaluate(
    y: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray, classes: np.ndarray, positive: str | None = None
) -> Evaluation:
    """Judge predictions of labels y (n_samples,).

    predicted      (n_samples,), the classes that the model predicts
    probabilities  (n_samples, n_classes), in the order of `classes`
    classes        (n_classes,), sorted
    positive       of two classes, the one that ROC and average precision are about; None is the last
    """
    columns = {f"probability_{label}": column for label, column in zip(classes, probabilities.T, strict=True)}
    return Evaluation(
        scores(y, predicted, probabilities, classes, positive),
        metrics.classification_report(
            y, predicted, labels=classes, target_names=[str(label) for label in classes], zero_division=0
        ),
        pd.DataFrame({"actual": y, "predicted": predicted, **columns}),
    )


def scores(
    y: np.ndarray,
    predicted: np.ndarray,
    probabilities: np.ndarray,
    classes: np.ndarray,
    positive: str | None = None,
    only: str | None = None,
) -> dict[str, float]:
    """Every score by its name, or the one that `only` names. Other parameters as for `evaluate`."""
    average = {"average": "macro", "zero_division": 0}
    indicators = (y[:, None] == classes).astype(int)
    judged = np.arange(len(classes)) if len(classes) > 2 else np.flatnonzero(classes == (positive or classes[1]))
    ranked = indicators[:, judged], probabilities[:, judged]
    every = {
        "accuracy": lambda: metrics.accuracy_score(y, predicted),
        "f1_macro": lambda: metrics.f1_score(y, predicted, **average),
        "precision_macro": lambda: metrics.precision_score(y, predicted, **average),
        "recall_macro": lambda: metrics.recall_score(y, predicted, **average),
        "roc_auc": lambda: metrics.roc_auc_score(*ranked),
        "average_precision": lambda: metrics.average_precision_score(*ranked),
        "log_loss": lambda: metrics.log_loss(y, probabilities, labels=classes),
        "brier_score": lambda: metrics.brier_score_loss(y, probabilities, labels=classes),
    }
    return {name: float(score()) for name, score in every.items() if only in (None, name)}


def curves(predictions: pd.DataFrame, positive: str) -> dict[str, pd.DataFrame]:
    """ROC, precision-recall and calibration as tables class, x, y: of `positive` of two classes, or of every class."""
    names = _classes(predictions)
    parts: dict[str, list[pd.DataFrame]] = {"roc": [], "precision_recall": [], "calibration": []}
    for name in [positive] if len(names) == 2 else names:
        is_class = (predictions["actual"].astype(str) == name).to_numpy()
        probability = predictions[f"probability_{name}"].to_numpy()
        false_positive, true_positive, _ = metrics.roc_curve(is_class, probability)
        precision, recall, _ = metrics.precision_recall_curve(is_class, probability)
        share, predicted = calibration_curve(is_class, probability, n_bins=10, strategy="quantile")
        xy = {"false_positive_rate": false_positive, "true_positive_rate": true_positive}
        parts["roc"].append(pd.DataFrame({"class": name, **xy}))
        parts["precision_recall"].append(pd.DataFrame({"class": name, "recall": recall, "precision": precision}))
        parts["calibration"].append(pd.DataFrame({"class": name, "predicted": predicted, "share": share}))
    return {name: pd.concat(tables, ignore_index=True) for name, tables in parts.items()}


def confusion(predictions: pd.DataFrame) -> pd.DataFrame:
    """The number of rows of each actual class (index) that were predicted to be each class (columns)."""
    labels = _classes(predictions)
    actual, predicted = predictions["actual"].astype(str), predictions["predicted"].astype(str)
    return pd.DataFrame(metrics.confusion_matrix(actual, predicted, labels=labels), index=labels, columns=labels)


def _classes(predictions: pd.DataFrame) -> list[str]:
    return [column.removeprefix("probability_") for column in predictions.columns[2:]]

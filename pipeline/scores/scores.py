"""Scores of predictions, one number each, and the confusion matrix.

Scores of more than two classes are means over the classes ("macro"); ROC and average precision take each class against
the rest. Source: https://scikit-learn.org/stable/modules/model_evaluation.html
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from pipeline.logistic.loss import log_losses

LOSSES = ("log_loss", "brier_score")  # scores that are better when lower
OF_DECISION = ("threshold", "cost", "flagged", "recall")  # beside the scores where `decision` is set


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
    from sklearn.metrics import classification_report

    names, codes = [str(label) for label in classes], np.arange(len(classes))
    columns = {f"probability_{label}": column for label, column in zip(classes, probabilities.T, strict=True)}
    sides = (np.searchsorted(classes, labels) for labels in (y, predicted))
    return Evaluation(
        scores(y, predicted, probabilities, classes, positive, weight),
        classification_report(*sides, labels=codes, target_names=names, zero_division=0, sample_weight=weight),
        pd.DataFrame({"actual": y, "predicted": predicted, **columns}),
    )


def scores(
    y: np.ndarray,
    predicted: np.ndarray,
    probabilities: np.ndarray,
    classes: np.ndarray,
    positive: str | None = None,
    weight: np.ndarray | None = None,
) -> dict[str, float]:
    """Every score by its name. Parameters as for `evaluate`."""
    counts = np.ones(len(y)) if weight is None else weight
    scorer = Scorer(np.searchsorted(classes, y), predicted, probabilities, classes, positive)
    return {name: float(values[0]) for name, values in scorer.scores(counts[:, None]).items()}


class Scorer:
    """What the scores of a model need of each row, so that they are sums weighted by how often each row counts.

    codes   (n_samples,), the class of each row by its position in `classes`
    levels  of a probability, at most, that areas under curves are computed from; None for as many as there are
    """

    def __init__(
        self,
        codes: np.ndarray,
        predicted: np.ndarray,
        P: np.ndarray,
        classes: np.ndarray,
        positive: str | None = None,
        levels: int | None = None,
    ) -> None:
        judged = np.arange(len(classes)) if len(classes) > 2 else np.flatnonzero(classes == (positive or classes[1]))
        guessed = np.searchsorted(classes, predicted)
        errors = (P - np.eye(len(classes))[codes]) ** 2
        squares = errors.sum(axis=1) / (2 if len(classes) == 2 else 1)
        self.n_classes = len(classes)
        places = [2 * _levels(P[:, k], codes == k, levels) + (codes == k) for k in judged]
        sizes = [len(classes) ** 2, *(2 * (int(place.max()) // 2 + 1) for place in places), 1, 1]
        self.starts, none = np.cumsum([0, *sizes]), np.zeros_like(codes)
        cells = np.column_stack([codes * len(classes) + guessed, *places, none, none]) + self.starts[:-1]
        values = np.ones(cells.shape)
        values[:, -2:] = np.column_stack([log_losses(P, codes), squares])
        ends = cells.shape[1] * np.arange(len(cells) + 1)
        self.sums = sparse.csc_matrix((values.ravel(), cells.ravel(), ends), (self.starts[-1], len(cells)))

    def scores(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """Each score (n_draws,) of draws that have each row so many times, or with so much weight.

        counts  (n_samples, n_draws)
        """
        pairs, *of_levels, log_loss, squares = np.split(self.sums @ counts, self.starts[1:-1])
        confusion = pairs.T.reshape(-1, self.n_classes, self.n_classes)
        hits, n = np.einsum("bkk->bk", confusion), confusion.sum(axis=(1, 2))
        actual, guessed = confusion.sum(axis=2), confusion.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision, recall, f1 = (
                np.where(of > 0, hits / of, 0.0) for of in (guessed, actual, (actual + guessed) / 2)
            )
            is_there = (actual + guessed) > 0  # a class that is neither there nor predicted does not count
            f1, precision, recall = ((s * is_there).sum(axis=1) / is_there.sum(axis=1) for s in (f1, precision, recall))
            accuracy, log_loss, brier_score = hits.sum(axis=1) / n, log_loss[0] / n, squares[0] / n
            areas = np.array([_areas(sums) for sums in of_levels])  # NaN where a draw lacks the class
            roc_auc, average_precision = np.nansum(areas, axis=0) / (~np.isnan(areas)).sum(axis=0)
        return {
            "accuracy": accuracy,
            "f1_macro": f1,
            "precision_macro": precision,
            "recall_macro": recall,
            "roc_auc": roc_auc,
            "average_precision": average_precision,
            "log_loss": log_loss,
            "brier_score": brier_score,
        }


def _levels(probability: np.ndarray, is_class: np.ndarray, most: int | None) -> np.ndarray:
    """The level of each row (n_samples,), a whole number from 0 up that grows with the probability.

    Rows of the same probability have the same level. So have those of other classes with none of the class between
    them: both areas are the same without their order. Above `most`, some of these levels are one.
    """
    values, place = np.unique(probability, return_inverse=True)
    has_class = np.bincount(place, is_class, len(values)) > 0
    starts = has_class | np.append(True, has_class[:-1])
    level = starts.cumsum() - 1
    n = level[-1] + 1
    return (level * min(most or n, n) // n)[place]


def _areas(sums: np.ndarray) -> np.ndarray:
    """Areas under the ROC and precision-recall curves (2, n_draws); NaN where a draw has one class only.

    sums (2 n_levels, n_draws) are those of the other rows and of the rows of the class, for each level in turn.
    """
    misses, hits = sums[::2], sums[1::2]
    misses_below, hits_below = misses.cumsum(axis=0), hits.cumsum(axis=0)
    n_misses, n_hits = misses_below[-1], hits_below[-1]
    roc = np.sum(hits * (misses_below - misses / 2), axis=0) / (n_hits * n_misses)
    hits_above = n_hits - hits_below + hits  # of rows whose probability is at least this
    above = hits_above + n_misses - misses_below + misses
    precision = np.divide(hits_above, above, out=np.zeros_like(above), where=above > 0)
    return np.where((n_hits > 0) & (n_misses > 0), [roc, np.sum(hits * precision, axis=0) / n_hits], np.nan)


def confusion(predictions: pd.DataFrame) -> pd.DataFrame:
    """The number of rows of each actual class (index) that were predicted to be each class (columns)."""
    from sklearn.metrics import confusion_matrix

    labels = classes_of(predictions)
    codes = (pd.Categorical(predictions[side].astype(str), labels).codes for side in ("actual", "predicted"))
    counts = confusion_matrix(*codes, labels=np.arange(len(labels)))
    return pd.DataFrame(counts, index=labels, columns=labels)


def classes_of(predictions: pd.DataFrame) -> list[str]:
    return [column.removeprefix("probability_") for column in predictions.columns[2:]]

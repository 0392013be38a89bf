"""The random start and the trained model, on the test rows."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.pipeline import Pipeline

from pipeline import figures, model, outputs, tables
from pipeline.stages import run


class Evaluation(NamedTuple):
    metrics: dict[str, float]
    report: str  # scikit-learn's classification report
    predictions: pd.DataFrame  # a row a test row: actual, predicted, a probability for each class


def evaluate(fitted: Pipeline, table: pd.DataFrame) -> Evaluation:
    X, y = tables.features_and_target(table)
    classes = fitted.classes_
    probabilities = fitted.predict_proba(X)
    predicted = classes[probabilities.argmax(axis=1)]
    columns = {f"probability_{label}": column for label, column in zip(classes, probabilities.T, strict=True)}
    return Evaluation(
        scores(y, predicted, probabilities, classes),
        metrics.classification_report(
            y, predicted, labels=classes, target_names=[str(c) for c in classes], zero_division=0
        ),
        pd.DataFrame({"actual": y, "predicted": predicted, **columns}),
    )


def scores(
    y: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray, classes: np.ndarray, only: str | None = None
) -> dict[str, float]:
    """By name: means over the classes where a score is defined for one class ("macro"); one-vs-rest where for two."""
    average = {"average": "macro", "zero_division": 0}
    indicators = (y[:, None] == classes).astype(int)
    of_class = slice(1, 2) if len(classes) == 2 else slice(None)
    ranked = indicators[:, of_class], probabilities[:, of_class]
    in_order = np.argsort(classes)  # scikit-learn's losses take columns by the alphabet; `train.positive` may differ
    ordered = {"labels": classes[in_order]}
    every = {
        "accuracy": lambda: metrics.accuracy_score(y, predicted),
        "f1_macro": lambda: metrics.f1_score(y, predicted, **average),
        "precision_macro": lambda: metrics.precision_score(y, predicted, **average),
        "recall_macro": lambda: metrics.recall_score(y, predicted, **average),
        "roc_auc": lambda: metrics.roc_auc_score(*ranked),
        "average_precision": lambda: metrics.average_precision_score(*ranked),
        "log_loss": lambda: metrics.log_loss(y, probabilities[:, in_order], **ordered),
        "brier_score": lambda: metrics.brier_score_loss(y, probabilities[:, in_order], **ordered),
    }
    return {name: score() for name, score in every.items() if only in (None, name)}


def curves(predictions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """ROC, precision-recall and calibration as tables class, x, y: of the second of two classes, or of every class."""
    columns = list(predictions.columns[2:])
    parts: dict[str, list[pd.DataFrame]] = {"roc": [], "precision_recall": [], "calibration": []}
    for column in columns[1:] if len(columns) == 2 else columns:
        name = column.removeprefix("probability_")
        is_class, probability = (predictions["actual"].astype(str) == name).to_numpy(), predictions[column].to_numpy()
        false_positive, true_positive, _ = metrics.roc_curve(is_class, probability)
        precision, recall, _ = metrics.precision_recall_curve(is_class, probability)
        share, predicted = calibration_curve(is_class, probability, n_bins=10, strategy="quantile")
        xy = {"false_positive_rate": false_positive, "true_positive_rate": true_positive}
        parts["roc"].append(pd.DataFrame({"class": name, **xy}))
        parts["precision_recall"].append(pd.DataFrame({"class": name, "recall": recall, "precision": precision}))
        parts["calibration"].append(pd.DataFrame({"class": name, "predicted": predicted, "share": share}))
    return {name: pd.concat(tables, ignore_index=True) for name, tables in parts.items()}


def confusion(predictions: pd.DataFrame) -> pd.DataFrame:
    """Rows of each actual class (index) predicted to be each class (columns)."""
    labels = [column.removeprefix("probability_") for column in predictions.columns[2:]]
    actual, predicted = predictions["actual"].astype(str), predictions["predicted"].astype(str)
    return pd.DataFrame(metrics.confusion_matrix(actual, predicted, labels=labels), index=labels, columns=labels)


def write(start: Evaluation, trained: Evaluation, root: Path) -> None:
    """The evaluation's files below `root`; its pictures show the costs and weights that training left there too."""
    folder, pictures = root / outputs.EVALUATION, root / outputs.EVALUATION / "pictures"
    for part in ("reports", "curves"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    scored = {"test": trained.metrics, "baseline": start.metrics}
    (root / outputs.METRICS).write_text(json.dumps(scored, indent=2) + "\n")
    (folder / "reports" / "model.txt").write_text(trained.report)
    (folder / "reports" / "baseline.txt").write_text(start.report)
    trained.predictions.to_csv(folder / "predictions.csv", index=False)
    for name, curve in curves(trained.predictions).items():
        curve.to_csv(folder / "curves" / f"{name}.csv", index=False)
        figures.save(getattr(figures, name), pictures / f"{name}.png", curve=curve)
    figures.save(figures.confusion, pictures / "confusion.png", matrix=confusion(trained.predictions))
    figures.save(figures.costs, pictures / "costs.png", costs=pd.read_csv(root / outputs.COSTS))
    figures.save(figures.weights, pictures / "weights.png", weights=pd.read_csv(root / outputs.WEIGHTS))


def main() -> None:
    table = tables.load(outputs.ROOT / outputs.TEST_ROWS)
    start, trained = (evaluate(model.load(outputs.ROOT / saved), table) for saved in (outputs.START, outputs.MODEL))
    write(start, trained, outputs.ROOT)
    print(trained.report)


if __name__ == "__main__":
    run(main)

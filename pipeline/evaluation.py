"""Two models, the random start and the trained one, judged on the test rows: files and pictures."""

from pathlib import Path

import pandas as pd

from pipeline import figures, outputs
from pipeline.columns.target import features_and_target
from pipeline.model import Model
from pipeline.outputs import Result
from pipeline.scores import Evaluation, confusion, curves, evaluate


def judge(fitted: Model, table: pd.DataFrame) -> Evaluation:
    """The model's predictions for the rows of `table`, whose last column is the target."""
    X, y = features_and_target(table)
    return evaluate(y, fitted.classify(X), fitted.probabilities(X), fitted.classes_, fitted.positive)


def write(start: Model, trained: Model, table: pd.DataFrame, training: Path, result: Result) -> str:
    """Metrics, reports, predictions, curves and pictures in `result`; the classification report is returned.

    The pictures show the costs and weights that training left below the folder `training`, too.
    """
    before, after = (judge(fitted, table) for fitted in (start, trained))
    outputs.save_json({"test": after.metrics, "baseline": before.metrics}, result.metrics)
    folder = result.folder / outputs.EVALUATION
    outputs.save_csv(after.predictions, result.folder / outputs.PREDICTIONS)
    for name, judged in (("model", after), ("baseline", before)):
        outputs.save_text(judged.report, folder / "reports" / f"{name}.txt")
    pictures = folder / "pictures"
    for name, curve in curves(after.predictions, trained.positive_class).items():
        outputs.save_csv(curve, folder / "curves" / f"{name}.csv")
        figures.save(getattr(figures, name), pictures / f"{name}.png", curve=curve)
    figures.save(figures.confusion, pictures / "confusion.png", matrix=confusion(after.predictions))
    figures.save(figures.costs, pictures / "costs.png", costs=outputs.load_csv(training / outputs.COSTS))
    if (training / outputs.CURVES_OF_FEATURES).exists():
        drawn = outputs.load_csv(training / outputs.CURVES_OF_FEATURES)
        figures.save(figures.curves, pictures / "curves.png", curves=drawn)
    figures.save(figures.weights, pictures / "weights.png", weights=outputs.load_csv(training / outputs.WEIGHTS))
    return after.report

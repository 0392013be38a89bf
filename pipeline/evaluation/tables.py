"""The result as tables, text and pictures, for a reader and for `dvc plots`."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline import config
from pipeline.evaluation import references, thresholds
from pipeline.evaluation.verdict import score_cells
from pipeline.figures import drawing, learnt, performance
from pipeline.files import formats, paths
from pipeline.model import Model
from pipeline.scores.bootstrap import decided, interval, mean_draws, of_rare_classes
from pipeline.scores.curves import curves, thinned
from pipeline.scores.scores import Evaluation

POINTS = 1000  # of a line that `dvc plots` draws, about
NAMES = {
    "test": "trained",
    "train": "trained",
    "prior": "prior",
    "black_box": "black box",
    "baseline": "random start",
}


class Comparison(NamedTuple):
    """The models by their names in `NAMES`, on the test rows; `train` is the trained model on training rows."""

    models: dict[str, Evaluation]
    draws: dict[str, pd.DataFrame]  # scores of resampled test rows
    n_scored: int  # training rows that `train` is judged on
    n_boosted: int  # training rows that the black box learnt from

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        return {name: judged.metrics for name, judged in self.models.items()}


def write_curves(
    compared: Comparison, positive: str, weight: np.ndarray | None, folder: Path, title: str
) -> pd.DataFrame:
    """The curves of the trained model, with their pictures and that of the scores; its ROC curve is returned."""
    drawn, of_start = (
        curves(compared.models[name].predictions, positive, weight) if name in compared.models else {}
        for name in ("test", "baseline")
    )
    for name, curve in drawn.items():
        formats.save_csv(curve, folder / "curves" / f"{name}.csv")
        faint = {"start": of_start[name]} if name in ("roc", "precision_recall") and of_start else {}
        drawing.save(getattr(performance, name), folder / "pictures" / f"{name}.png", title, curve=curve, **faint)
    drawing.save(
        performance.scores, folder / "pictures/scores.png", title, table=formats.load_csv(folder / "scores.csv")
    )
    return drawn["roc"]


def draw_training(training: Path, costs: pd.DataFrame, pictures: Path, title: str) -> None:
    """The costs of the iterations, and what the model learnt, from the files of training."""
    drawing.save(performance.costs, pictures / "costs.png", title, costs=costs)
    if (training / paths.CURVES_OF_FEATURES).exists():
        bent = formats.load_csv(training / paths.CURVES_OF_FEATURES)
        drawing.save(learnt.curves, pictures / "curves.png", title, curves=bent)
    if (training / paths.WORDS).exists():
        drawing.save(learnt.words, pictures / "words.png", title, words=formats.load_csv(training / paths.WORDS))
    if (training / paths.SURFACES).exists():
        drawing.save(learnt.pairs, pictures / "pairs.png", title, cells=formats.load_csv(training / paths.SURFACES))
    drawing.save(learnt.weights, pictures / "weights.png", title, weights=formats.load_csv(training / paths.WEIGHTS))


def confusion_counts(matrix: pd.DataFrame) -> pd.DataFrame:
    """A confusion matrix as a table actual, predicted, rows."""
    return matrix.rename_axis("actual").reset_index().melt("actual", var_name="predicted", value_name="rows")


def save_for_dvc(tables: dict[str, pd.DataFrame], title: str, folder: Path) -> None:
    """The files of `dvc plots`, with the name of the data in each row and not too many points for a page.

    DVC writes their cells into its page as they are, where a class `</script>` would end the script: `<` becomes a
    similar character.
    """
    for name, table in tables.items():
        if name != "confusion":
            steps = table.groupby("class", sort=False)["class"].transform("size") // POINTS + 1
            place, after = table.groupby("class", sort=False).cumcount(), table["class"].shift(-1)
            table = table[(place % steps == 0) | (table["class"] != after)]  # the last point of a line stays
        formats.save_csv(table.assign(data=title).replace("<", "\u2039", regex=True), folder / f"{name}.csv")


def decision_result(
    fitted: Model,
    settings: config.Decision,
    predictions: pd.DataFrame,
    costs: tuple[np.ndarray, np.ndarray],
    weight: np.ndarray | None,
    training: Path,
    folder: Path,
    title: str,
) -> tuple[dict[str, float], str]:
    """What the model's threshold is worth on the test rows: its measures, and a paragraph for the report.

    costs are those of a false alarm and of a miss, of each row (n_samples,).
    """
    false_alarm, miss = costs
    positive, threshold = fitted.positive_class, fitted.threshold or 0.5
    is_positive, flagged = ((predictions[side] == positive).to_numpy() for side in ("actual", "predicted"))
    weight = np.ones(len(predictions)) if weight is None else weight
    cost = np.where(is_positive, miss, false_alarm)
    table = decided(is_positive, flagged, cost, weight)
    worth = table if settings.method == "cost" else table[table["measure"] != "cost"]
    formats.save_csv(worth, folder / "decision.csv")
    probability = predictions[f"probability_{positive}"].to_numpy()
    on_test = thresholds.curve(is_positive, probability, cost, weight)
    drawing.save(
        performance.decision,
        folder / "pictures" / "decision.png",
        title,
        curve=formats.load_csv(training / paths.THRESHOLDS),
        test=thinned(on_test),
        threshold=threshold,
        measure={"cost": "cost", "floor": "recall"}.get(settings.method, "flagged"),
    )
    lines = [f"Decision ({settings.method}): {positive!r} from a probability of {threshold:.4g} on."]
    lines += [f"  {name:<10}{value:.4f} [{low:.4f}, {high:.4f}]" for name, value, low, high in worth.to_numpy()]
    if settings.method == "cost":
        wrong = {"from 0.5 on": (probability >= 0.5) != is_positive, "for all rows": ~is_positive}
        wrong["for no row"] = is_positive
        others = {name: (cost * weight)[rows].sum() / weight.sum() for name, rows in wrong.items()}
        lines.append(
            "The cost per row if the decision were " + ", ".join(f"{k}: {v:.4f}" for k, v in others.items()) + "."
        )
    return {"threshold": threshold, **dict(zip(worth["measure"], worth["value"], strict=True))}, "\n".join([*lines, ""])


def paid(predictions: pd.DataFrame, costs: np.ndarray, decided: np.ndarray | None = None) -> np.ndarray:
    """What the decision about each row costs by a table, (n_samples,), where `decided` (codes) is not what was."""
    names = [name.removeprefix("probability_") for name in predictions.columns[2:]]
    actual, predicted = (pd.Categorical(predictions[side].astype(str), names).codes for side in ("actual", "predicted"))
    return costs[actual, predicted if decided is None else decided]


def costs_result(
    predictions: pd.DataFrame, costs: np.ndarray, weight: np.ndarray | None, folder: Path
) -> tuple[dict[str, float], str]:
    """As `decision_result`, for a table of costs (n_classes, n_classes)."""
    weight = np.ones(len(predictions)) if weight is None else weight
    of_rows = paid(predictions, costs)
    value, (low, high) = float(np.average(of_rows, weights=weight)), interval(mean_draws(of_rows, weight))
    worth = pd.DataFrame([("cost", value, low, high)], columns=["measure", "value", "lower", "upper"])
    formats.save_csv(worth, folder / "decision.csv")
    others = {"the most probable class": predictions.iloc[:, 2:].to_numpy().argmax(axis=1)}
    others |= {
        repr(name.removeprefix("probability_")): np.full(len(predictions), k)
        for k, name in enumerate(predictions.columns[2:])
    }
    other = {name: np.average(paid(predictions, costs, codes), weights=weight) for name, codes in others.items()}
    constant = min(list(other)[1:], key=lambda name: other[name])
    text = (
        f"Decision (cost): the class of the least expected cost.\n  cost      {value:.4f} [{low:.4f}, {high:.4f}]\n"
        f"The cost per row if the decision were the most probable class: {other['the most probable class']:.4f}, "
        f"always {constant}: {other[constant]:.4f}.\n"
    )
    return {"cost": value}, text


def score_table(compared: Comparison, weight: np.ndarray | None = None) -> pd.DataFrame:
    """One row per model, and each score with the ends of its interval; training rows have no interval.

    weight (n_samples,) is that of the test rows.
    """
    rows, metrics, draws = [], compared.metrics, compared.draws
    for name, values in metrics.items():
        row: dict = {"model": NAMES[name], "rows": "training" if name == "train" else "test"}
        rare = of_rare_classes(compared.models[name].predictions, weight) if name in draws else {}
        for score, value in values.items():
            ends = interval(draws[name][score]) if name in draws else (float("nan"),) * 2
            if score in rare:
                ends = min(ends[0], rare[score][0]), max(ends[1], rare[score][1])
            if name == "black_box":
                ends = references.rounded(ends[0]), references.rounded(ends[1])
            row |= {score: value, f"{score}_lower": ends[0], f"{score}_upper": ends[1]}
        rows.append(row)
    return pd.DataFrame(rows)


def readable(table: pd.DataFrame) -> str:
    """The table of scores with the models as columns."""
    lines = [["", *drawing.model_labels(table)], *([name, *cells] for name, cells in score_cells(table))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )

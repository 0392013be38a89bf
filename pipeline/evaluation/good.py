"""The section of the page on how good the model is: numbers, at most four pictures, the threshold, the mistakes."""

from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from pipeline.evaluation import columns, thresholds, verdict
from pipeline.evaluation.page import Block, Figure, Folded, Read, Section, Table
from pipeline.figures import svg
from pipeline.figures.svg import Bar, Line
from pipeline.files import paths, stored

SCORES = {
    "cost": "cost per row",
    "log_loss": "log-loss",
    "brier_score": "Brier score",
    "roc_auc": "ROC AUC",
    "f1_macro": "F1",
}
TILES = ("cost", "recall", "flagged", "log_loss", "roc_auc", "accuracy")  # the first four that there are
CLASSES = 10  # with a line each


def section(read: Read) -> Section:
    """How good the model is: the numbers, at most four pictures, the mistakes; the rest folded."""
    scored = read.scores[["model", "rows"]].astype(str).to_numpy().tolist()
    names = [f"{model}, training rows" if rows == "training" else model for model, rows in scored]
    cells = [(_spelt(name), row) for name, row in verdict.score_cells(read.scores)]
    table = Table(
        "Scores on the test rows, with intervals of 95 % from the bootstrap. The prior knows the class shares only; "
        f"the black box is gradient boosting of the same rows. {read.decision.sentence}".strip(),
        ["score", *names],
        [[name, *row] for name, row in cells],
    )
    mistakes = columns.surest_mistakes(read.fitted, read.test, read.predictions)
    header = ["test row", read.target, "predicted", "probability of the true one", "what spoke for the prediction"]
    wrong = Table("The wrong predictions that were most sure, with the columns that weighed most", header, mistakes)
    report = (read.root / paths.EVALUATION / "report.txt").read_text(encoding="utf-8")
    more = [Block("figures", figures)] if (figures := _more_figures(read)) else []
    folded = Folded(
        "More curves, and the classes one by one",
        [*more, Block("code", report.split("Of the trained model:")[-1].strip("\n"))],
    )
    blocks = [Block("tiles", _tiles(read.scores)), Block("figures", _figures(read))]
    if len(read.fitted.classes_) == 2:
        blocks.append(Block("thresholds", _thresholds(read)))
    return Section(
        "good", "How good it is", [*blocks, *([wrong] if mistakes else []), Folded("All scores", [table]), folded]
    )


def _spelt(score: str) -> str:
    return SCORES.get(score, score.replace("_", " ").removesuffix(" macro"))


def _tiles(scores: pd.DataFrame) -> list[dict[str, str]]:
    """The scores that matter, each with its interval and that of gradient boosting."""
    judged = scores[scores["rows"] == "test"].set_index("model")
    tiles = []
    for name in [name for name in TILES if name in judged][:4]:
        value, _, ends = verdict.interval_of(judged.loc["trained"], name).partition(" ")
        title = _spelt(name)
        beside = f"gradient boosting {judged[name]['black box']:.3f}" if "black box" in judged.index else ""
        tiles.append({"title": title, "value": value, "ends": ends, "beside": beside})
    return tiles


def _figures(read: Read) -> list[Figure]:
    figures = [
        Figure(
            "Beside other models",
            "Lines are intervals of 95 % from the bootstrap of the test rows. "
            "The class shares alone know nothing of the columns; gradient boosting learnt from the same rows.",
            _beside(read.scores),
            "scores",
        ),
        Figure(
            "Are the probabilities right?",
            "The share of the class over its predicted probability, in tenths of the test rows. Both agree on the line."
            + (" The band is of 95 %." if len(read.fitted.classes_) == 2 else ""),
            _curve(read, "calibration", ("predicted probability", "share of the class"), diagonal=True),
            "calibration",
        ),
        Figure(
            "Are the rows in the right order?",
            "ROC: how many of the class are found over how many of the others are flagged with them.",
            _curve(read, "roc", ("false positive rate", "true positive rate"), diagonal=True),
            "roc",
        ),
    ]
    if (n := len(read.fitted.classes_)) > CLASSES:
        figures[1:] = [
            part._replace(caption=f"{part.caption} The first {CLASSES} of {n} classes.") for part in figures[1:]
        ]
    if n == 2:
        figures.append(
            Figure(
                "Are those that it finds right?",
                "Precision over recall: how many of the flagged rows are of the class, as more of the class are found.",
                _curve(read, "precision_recall", ("recall", "precision")),
                "precision_recall",
            )
        )
    else:
        counts = pd.crosstab(read.predictions["actual"].astype(str), read.predictions["predicted"].astype(str))
        labels = [str(label) for label in read.fitted.classes_]
        matrix = counts.reindex(index=labels, columns=labels, fill_value=0).to_numpy(float)
        figures.append(
            Figure(
                "Which classes are confused?",
                "Test rows by their class and by the predicted class, shaded by the share of their class.",
                svg.squares(matrix, (labels, labels), (read.target, "predicted")),
                "confusion",
            )
        )
    return figures


def _curve(read: Read, name: str, axes: tuple[str, str], *, diagonal: bool = False) -> Markup:
    """A curve of evaluation, a line for each class (of many, the first ones)."""
    table = read.csv(paths.EVALUATION / "curves" / f"{name}.csv")
    assert table is not None
    drawn = [Line("", [0, 1], [0, 1], "grey", faint=True)] if diagonal else []
    for k, (label, rows) in enumerate(list(table.groupby("class", sort=False))[:CLASSES]):
        rows = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, 120).round().astype(int))].dropna()
        band = (rows["lower"], rows["upper"]) if "lower" in rows and len(read.fitted.classes_) == 2 else None
        x, y = rows.columns[1:3]
        drawn.append(Line(str(label), rows[x], rows[y], f"c{k}", band))
    return svg.lines(drawn, *axes, x_range=(0, 1), y_range=(0, 1) if "lift" not in axes else None)


def _beside(scores: pd.DataFrame) -> Markup:
    """The cost or the accuracy, and the log-loss, of the models, a picture each."""
    names = {"trained": "this model", **verdict.OTHERS}
    judged = scores[scores["rows"] == "test"].set_index("model").reindex(list(names)).dropna(how="all")
    first = ("cost", "cost per row (less is better)") if "cost" in judged else ("accuracy", "accuracy (more is better)")
    pictures = Markup()
    for measure, title in (first, ("log_loss", "log-loss (less is better)")):
        bars = [
            Bar(
                names[str(model)],
                row[measure],
                (row[f"{measure}_lower"], row[f"{measure}_upper"]),
                "c0" if model == "trained" else "grey",
                f"{row[measure]:.3f}",
            )
            for model, row in judged.iterrows()
        ]
        pictures += svg.bars(bars, title, dots=True)
    return pictures


def _more_figures(read: Read) -> list[Figure]:
    figures = []
    if len(read.fitted.classes_) > 2:
        caption = "Of those flagged, how many are of the class, over how many of the class are flagged."
        picture = _curve(read, "precision_recall", ("recall", "precision"))
        figures.append(Figure("Precision and recall", caption, picture, "precision_recall"))
    if (gain := read.csv(paths.EVALUATION / "curves" / "gain.csv")) is not None:
        lines = [Line("", [0, 1], [0, 1], "grey", faint=True), Line("", gain["flagged"], gain["recall"])]
        picture = svg.lines(lines, "share of rows flagged", "recall", x_range=(0, 1), y_range=(0, 1))
        caption = "The share of the class that is found over the share of the rows that are flagged."
        figures.append(Figure("Gain", caption, picture, "gain"))
    if (benefit := read.csv(paths.EVALUATION / "curves" / "decision_curve.csv")) is not None:
        top = max(float(benefit[["model", "all"]].to_numpy().max()), 1e-9)
        styles = (
            ("model", "this model", "c0"),
            ("all", "all rows flagged", "grey"),
            ("none", "no row flagged", "text"),
        )
        lines = [Line(name, benefit["threshold"], benefit[column], colour) for column, name, colour in styles]
        picture = svg.lines(lines, "threshold", "net benefit", x_range=(0, 1), y_range=(-0.15 * top, 1.1 * top))
        caption = "Net benefit by threshold, beside flagging all rows and none (Vickers and Elkin, 2006)."
        figures.append(Figure("Decision curve", caption, picture, "decision_curve"))
    return figures


def _thresholds(read: Read) -> dict[str, Any]:
    """What can be moved: counts by threshold, the costs, and a picture with a mark at the present threshold."""
    positive, threshold = read.fitted.positive_class, read.fitted.threshold or 0.5
    is_positive = (read.predictions["actual"].astype(str) == positive).to_numpy()
    loaded = stored.load_weights(read.root / paths.TEST_WEIGHTS)
    weight = np.ones(len(is_positive)) if loaded is None else loaded
    costs, per_row = [], []  # a cost that is a column is that, times a factor of 1
    for key, name in (("false_alarm", "A false alarm"), ("miss", "A miss")):
        cost = getattr(read.decision, key, 1.0)
        column = cost if isinstance(cost, str) else ""
        costs.append({"name": name, "factor": 1.0 if column else cost, "column": column})
        per_row.append(read.test[column].to_numpy(float) if column else np.ones(len(weight)))
    probability = read.predictions[f"probability_{positive}"].to_numpy(float)
    table = thresholds.counts(is_positive, probability, (per_row[0], per_row[1]), weight, threshold)
    hits, alarms, n_positive = np.array(table["hits"]), np.array(table["false_alarms"]), weight[is_positive].sum()
    if read.decision.method == "cost":
        factors = np.array([cost["factor"] for cost in costs], float)
        paid = factors @ np.array([table["false_alarm_costs"], table["miss_costs"]]) / weight.sum()
        lines, y, highest = [Line("", table["threshold"], paid)], "cost per row", float(paid.max()) * 1.05 or 1.0
    else:
        precision = np.divide(hits, hits + alarms, out=np.full(len(hits), np.nan), where=hits + alarms > 0)
        lines = [Line("recall", table["threshold"], hits / (n_positive or 1))]
        lines.append(Line("precision", table["threshold"], precision, "c1"))
        y, highest = "share", 1.0
    return {
        "positive": positive,
        "target": read.target,
        "numbers": table | {"n_positive": float(n_positive), "n_negative": float(weight[~is_positive].sum())},
        "start": table["threshold"].index(min(table["threshold"], key=lambda edge: abs(edge - threshold))),
        "threshold": threshold,
        "costs": costs,
        "picture_of": y,
        "picture": svg.lines(lines, "threshold", y, x_range=(0, 1), y_range=(0.0, highest), mark=threshold),
    }

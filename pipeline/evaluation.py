"""The trained model on the test rows, beside what it should be compared with: files, pictures and warnings.

| model         | in evaluate.json | what it is                                                            |
|---------------|------------------|-----------------------------------------------------------------------|
| trained       | test, train      | on the test rows, and on the rows that it was trained on              |
| random start  | baseline         | the weights that training started from                                |
| prior         | prior            | the class shares of the training rows                                 |
| black box     | black_box        | gradient boosting of the same training rows                           |
"""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline import checks, config, decision, figures, outputs, references
from pipeline.columns import splitting
from pipeline.columns.target import features_and_target
from pipeline.errors import UserError, reported_warnings
from pipeline.figures import learnt
from pipeline.model import Model
from pipeline.outputs import Result, Table, frames, in_memory, progress
from pipeline.overrides import override
from pipeline.scores import (
    CONFIDENCE,
    GROUPS,
    Evaluation,
    by_group,
    confusion,
    curves,
    decided,
    evaluate,
    interval,
    mean_draws,
    resampled,
    thinned,
)

POINTS = 1000  # of a line that `dvc plots` draws, about
ROWS = 50_000  # of the training rows that are scored at most
NAMES = {
    "test": "trained",
    "train": "trained",
    "prior": "prior",
    "black_box": "black box",
    "baseline": "random start",
}


def judge(fitted: Model, table: Table, weight: np.ndarray | None = None) -> Evaluation:
    """The model's predictions for the rows of `table`, whose last column is the target, with weights (n_samples,)."""
    X, y = features_and_target(table)
    return evaluate(y, *_decided(fitted, X), fitted.classes_, fitted.positive, weight)


def _decided(fitted: Model, X: Table) -> tuple[np.ndarray, np.ndarray]:
    """As `Model.decide`, of some rows after the other."""
    found = []
    with progress(len(X), "evaluate", " rows") as bar:
        for part in frames(X):
            found.append(fitted.decide(part))
            bar.update(len(part))
    labels, P = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return labels, P


class Comparison(NamedTuple):
    """The models by their names in `NAMES`, on the test rows; `train` is the trained model on training rows."""

    models: dict[str, Evaluation]
    draws: dict[str, pd.DataFrame]  # scores of resampled test rows
    n_scored: int  # training rows that `train` is judged on
    n_boosted: int  # training rows that the black box learnt from

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        return {name: judged.metrics for name, judged in self.models.items()}


def write(
    start: Model,
    trained: Model,
    training_rows: Table,
    test_rows: Table,
    training: Path,
    result: Result,
    title: str,
    groups: pd.DataFrame | None = None,
    weights: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    settings: config.Decision | None = None,
) -> str:
    """Metrics, report, predictions, curves, pictures and warnings in `result`; the report is returned.

    title is the name of the data. groups has a row for each test row, and a column for each way to group them; weights
    are those of the training rows and of the test rows; settings are those of the decision. The pictures show the costs
    and weights that training left below the folder `training`, too.
    """
    rule = None if settings is None or settings.method == "none" else settings
    compared = compare(start, trained, training_rows, test_rows, weights, rule, outputs.load_key(training))
    after, metrics, folder = compared.models["test"], compared.metrics, result.folder / outputs.EVALUATION
    importance = checks.importance(trained, test_rows)
    y, (test_X, _) = features_and_target(training_rows)[1], features_and_target(test_rows)
    warned = _warnings(trained, compared, importance, y)
    table = score_table(metrics, compared.draws)
    notes = _notes(compared, len(y), len(test_X), rule, weights[1] is not None)
    report = "\n".join([*notes, "", readable(table), "", "Of the trained model:", after.report])
    if rule:
        metrics["decision"], text = decision_result(
            trained, rule, after.predictions, decision.costs(rule, test_X), weights[1], training, folder, title
        )
        report = f"{report}\n{text}"
    outputs.save_metrics(metrics, result)
    outputs.save_csv(table, folder / "scores.csv")
    outputs.save_csv(importance, folder / "importance.csv", references.BLACK_BOX_DIGITS)
    outputs.save_text(report, folder / "report.txt")
    outputs.save_json({"warnings": warned}, result.folder / outputs.EVALUATION_WARNINGS)
    outputs.save_csv(after.predictions, result.folder / outputs.PREDICTIONS)
    if groups is not None and len(groups.columns):
        outputs.save_csv(by_group(groups, after, trained.positive_class, weights[1]), folder / "groups.csv")
    roc = write_curves(compared, trained.positive_class, weights[1], folder, title)
    matrix, costs = confusion(after.predictions), outputs.load_csv(training / outputs.COSTS)
    figures.save(figures.confusion, folder / "pictures" / "confusion.png", title, matrix=matrix)
    draw_training(training, costs, folder / "pictures", title)
    label = "all" if len(trained.classes_) > 2 else trained.positive_class
    costs = costs[["iteration", "cost"]].assign(**{"class": label})
    save_for_dvc({"costs": costs, "roc": roc, "confusion": confusion_counts(matrix)}, title, result.folder / outputs.PLOTS)
    return report


def compare(
    start: Model,
    trained: Model,
    training_rows: Table,
    test_rows: Table,
    weights: tuple[np.ndarray | None, np.ndarray | None],
    rule: config.Decision | None,
    key: pd.Series | None,
) -> Comparison:
    """Judge the trained model, the random start, the prior and the black box, each with its own threshold by `rule`.

    key is the group or the time of each training row; the others are those of `write`.
    """
    (X, y), (test_X, test_y) = features_and_target(training_rows), features_and_target(test_rows)
    classes, (weight, test_weight) = trained.classes_, weights
    thresholds = _thresholds(rule, start, trained, X, y, weight, key) if rule else {}
    start.threshold = thresholds.get("baseline")
    boosted, n_boosted = references.black_box(X, y, test_X, classes, weight)
    predicted = {
        "test": _decided(trained, test_X),
        "prior": references.prior(y, len(test_y), classes, weight),
        "black_box": boosted,
        "baseline": _decided(start, test_X),
    }
    for name in {"prior", "black_box"} & thresholds.keys():
        P, place = predicted[name][1], classes.tolist().index(trained.positive_class)
        predicted[name] = classes[np.where(P[:, place] >= thresholds[name], place, 1 - place)], P
    sampled = splitting.sample(y, ROWS)
    some, some_weight = in_memory(training_rows.take(sampled.rows)), sampled.weight(weight)
    models = {
        name: judge(trained, some, some_weight)
        if name == "train"
        else evaluate(test_y, *predicted[name], classes, trained.positive, test_weight)
        for name in NAMES
    }
    draws = resampled(test_y, predicted, classes, trained.positive, test_weight)
    if rule:
        for name, judged in models.items():
            rows, of_rows = (some, some_weight) if name == "train" else (test_rows, test_weight)
            cost = _paid(judged.predictions, trained.positive_class, decision.costs(rule, rows))
            judged.metrics["threshold"] = thresholds[name]
            if rule.method == "cost":
                judged.metrics["cost"] = float(np.average(cost, weights=of_rows))
            if name in draws:
                draws[name]["cost"] = mean_draws(cost, np.ones(len(cost)) if of_rows is None else of_rows)
                draws[name]["threshold"] = np.nan
    of_black_box = models["black_box"].metrics
    of_black_box |= {name: references.rounded(value) for name, value in of_black_box.items()}
    return Comparison(models, draws, len(some), n_boosted)


def _warnings(trained: Model, compared: Comparison, importance: pd.DataFrame, y: np.ndarray) -> list[str]:
    """What a reader of the scores should know; y are the labels of the training rows."""
    metrics, draws, weighted = compared.metrics, compared.draws, trained.made_of["class_weight"] is not None
    test, prior = metrics["test"], metrics["prior"]
    with reported_warnings() as warned:
        checks.no_better_than_prior(test, prior, draws["test"], draws["prior"], weighted)
        if not weighted:
            checks.overfitting(test, metrics["train"], prior, draws["test"]["log_loss"], trained.made_of["lambda"])
            checks.without_effect(importance, prior["log_loss"] - test["log_loss"])
        checks.spoilt_probabilities(trained, compared.models["test"].predictions, y)
    return warned


def _notes(
    compared: Comparison, n_train: int, n_test: int, rule: config.Decision | None, is_weighted: bool
) -> list[str]:
    """Which rows the scores are of, and how rows are decided: sentences above the table."""
    notes = [f"{n_train:,} training rows, {n_test:,} test rows; intervals of {CONFIDENCE:.0%} from the bootstrap."]
    if (n := compared.n_scored) < n_train:
        notes.append(f"The scores of training rows are those of {n:,} of them, drawn at random by class.")
    if (n := compared.n_boosted) < n_train:
        notes.append(f"The black box was trained on {n:,} of the training rows, drawn at random by class.")
    if rule:
        notes.append(rule.sentence)
    if is_weighted:
        notes.append("Rows count by their weight (data.weight), but in the confusion matrix and the effect of columns.")
    return notes


def write_curves(
    compared: Comparison, positive: str, weight: np.ndarray | None, folder: Path, title: str
) -> pd.DataFrame:
    """The curves of the trained model, with their pictures and that of the scores; its ROC curve is returned."""
    drawn, of_start = (curves(compared.models[name].predictions, positive, weight) for name in ("test", "baseline"))
    for name, curve in drawn.items():
        outputs.save_csv(curve, folder / "curves" / f"{name}.csv")
        faint = {"start": of_start[name]} if name in ("roc", "precision_recall") else {}
        figures.save(getattr(figures, name), folder / "pictures" / f"{name}.png", title, curve=curve, **faint)
    figures.save(figures.scores, folder / "pictures/scores.png", title, table=outputs.load_csv(folder / "scores.csv"))
    return drawn["roc"]


def draw_training(training: Path, costs: pd.DataFrame, pictures: Path, title: str) -> None:
    """The costs of the iterations, and what the model learnt, from the files of training."""
    figures.save(figures.costs, pictures / "costs.png", title, costs=costs)
    if (training / outputs.CURVES_OF_FEATURES).exists():
        bent = outputs.load_csv(training / outputs.CURVES_OF_FEATURES)
        figures.save(learnt.curves, pictures / "curves.png", title, curves=bent)
    if (training / outputs.SURFACES).exists():
        figures.save(learnt.pairs, pictures / "pairs.png", title, cells=outputs.load_csv(training / outputs.SURFACES))
    figures.save(learnt.weights, pictures / "weights.png", title, weights=outputs.load_csv(training / outputs.WEIGHTS))


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
        outputs.save_csv(table.assign(data=title).replace("<", "\u2039", regex=True), folder / f"{name}.csv")


def _thresholds(
    settings: config.Decision,
    start: Model,
    trained: Model,
    X: Table,
    y: np.ndarray,
    weight: np.ndarray | None,
    key: pd.Series | None,
) -> dict[str, float]:
    """The threshold of each model by the rule of the settings, chosen within the training rows X, y as the model's is.

    The black box is judged on rows that it did not learn from; the prior and the random start learn nothing from one.
    """
    classes, everything = trained.classes_, np.arange(len(y))
    place = classes.tolist().index(trained.positive_class)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # `train` had the same folds
        folds = splitting.folds(y, decision.FOLDS, decision.SEED, key)
    probabilities = {
        "prior": (everything, references.prior(y, len(y), classes, weight)[1]),
        "black_box": references.out_of_fold(X, y, classes, weight, folds),
        "baseline": (everything, _decided(start, X)[1]),
    }
    threshold = trained.threshold or 0.5
    found = {"test": threshold, "train": threshold}
    false_alarm, miss = decision.costs(settings, X)
    weight = np.ones(len(y)) if weight is None else weight
    for name, (rows, P) in probabilities.items():
        is_positive = y[rows] == trained.positive_class
        cost = np.where(is_positive, miss[rows], false_alarm[rows])
        curve = decision.curve(is_positive, P[:, place], cost, weight[rows])
        found[name] = float(curve["threshold"].iloc[decision.chosen(curve, settings, len(rows))])
    return found


def _paid(predictions: pd.DataFrame, positive: str, costs: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """What the decision about each row costs, (n_samples,), for the costs of a false alarm and of a miss."""
    actual, predicted = predictions["actual"], predictions["predicted"]
    return np.where(actual == predicted, 0.0, np.where(actual == positive, costs[1], costs[0]))


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
    shown = table if settings.method == "cost" else table[table["measure"] != "cost"]
    outputs.save_csv(shown, folder / "decision.csv")
    probability = predictions[f"probability_{positive}"].to_numpy()
    on_test = decision.curve(is_positive, probability, cost, weight)
    figures.save(
        figures.decision,
        folder / "pictures" / "decision.png",
        title,
        curve=outputs.load_csv(training / outputs.THRESHOLDS),
        test=thinned(on_test),
        threshold=threshold,
        measure={"cost": "cost", "floor": "recall"}.get(settings.method, "flagged"),
    )
    lines = [f"Decision ({settings.method}): {positive!r} from a probability of {threshold:.4g} on."]
    lines += [f"  {name:<10}{value:.4f} [{low:.4f}, {high:.4f}]" for name, value, low, high in shown.to_numpy()]
    if settings.method == "cost":
        wrong = {"from 0.5 on": (probability >= 0.5) != is_positive, "for all rows": ~is_positive}
        wrong["for no row"] = is_positive
        others = {name: (cost * weight)[rows].sum() / weight.sum() for name, rows in wrong.items()}
        lines.append(
            "The cost per row if the decision were " + ", ".join(f"{k}: {v:.4f}" for k, v in others.items()) + "."
        )
    return {"threshold": threshold, **dict(zip(shown["measure"], shown["value"], strict=True))}, "\n".join([*lines, ""])


def groups_of(names: list[str], test_rows: Table, left_out: Table) -> pd.DataFrame:
    """The columns of `evaluate.groups`, of the test rows or of what they have beside features.

    Errors: `UserError` for a column that is not there, and for one that has too many different cells for groups.
    """
    known = [*map(str, test_rows.columns[:-1]), *map(str, left_out.columns)]
    found = pd.DataFrame(index=range(len(test_rows)))
    for name in names:
        if name not in known:
            columns = ", ".join(map(repr, known))
            raise UserError(
                f"evaluate.groups has {name!r}, which is no column of the test rows. They have {columns}. To keep a "
                f"column without using it as a feature, give it the role drop, such as "
                f"{override('data.roles', {known[0]: 'drop'})} (not with split=test_file, where it must be a feature)."
            )
        found[name] = (left_out if name in left_out else test_rows)[name].reset_index(drop=True)
        if (distinct := found[name].nunique()) > GROUPS:
            raise UserError(
                f"evaluate.groups has {name!r}, which has {distinct:,} different values in the test rows, more than "
                f"{GROUPS}. Use a column of categories."
            )
    return found


def score_table(metrics: dict[str, dict[str, float]], draws: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per model, and each score with the ends of its interval; training rows have no interval."""
    rows = []
    for name, values in metrics.items():
        row: dict = {"model": NAMES[name], "rows": "training" if name == "train" else "test"}
        for score, value in values.items():
            ends = interval(draws[name][score]) if name in draws else (float("nan"),) * 2
            if name == "black_box":
                ends = references.rounded(ends[0]), references.rounded(ends[1])
            row |= {score: value, f"{score}_lower": ends[0], f"{score}_upper": ends[1]}
        rows.append(row)
    return pd.DataFrame(rows)


def readable(table: pd.DataFrame) -> str:
    """The table of scores with the models as columns."""
    scores = [name for name in table.columns[2:] if not name.endswith(("_lower", "_upper"))]
    cells = [
        [
            row[name] if pd.isna(row[f"{name}_lower"]) else (row[name], row[f"{name}_lower"], row[f"{name}_upper"])
            for row in table.to_dict("records")
        ]
        for name in scores
    ]
    shown = [
        [f"{cell[0]:.3f} [{cell[1]:.3f}, {cell[2]:.3f}]" if isinstance(cell, tuple) else f"{cell:.3f}" for cell in row]
        for row in cells
    ]
    lines = [["", *figures.model_labels(table)], *([name, *row] for name, row in zip(scores, shown, strict=True))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )

"""The trained model on the test rows, beside what it should be compared with: files, pictures and warnings.

| model         | in evaluate.json | what it is                                                            |
|---------------|------------------|-----------------------------------------------------------------------|
| trained       | test, train      | on the test rows, and on the rows that it was trained on              |
| random start  | baseline         | the weights that training started from (`evaluate.random_start`)      |
| prior         | prior            | the class shares of the training rows                                 |
| black box     | black_box        | gradient boosting of the same training rows                           |"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import config
from pipeline.columns import splitting
from pipeline.columns.target import features_and_target
from pipeline.errors import UserError, reported_warnings
from pipeline.evaluation import checks, references, thresholds
from pipeline.evaluation.tables import (
    NAMES,
    Comparison,
    confusion_counts,
    costs_result,
    decision_result,
    draw_training,
    paid,
    readable,
    save_for_dvc,
    score_table,
    write_curves,
)
from pipeline.figures import drawing, performance
from pipeline.files import formats, paths, stored
from pipeline.files.paths import Result
from pipeline.files.stored import Table, frames, in_memory, progress
from pipeline.model import Model
from pipeline.overrides import override
from pipeline.scores.bootstrap import CONFIDENCE, FEW, mean_draws, of_rare_classes, resampled
from pipeline.scores.groups import GROUPS, by_group
from pipeline.scores.scores import Evaluation, confusion, evaluate

ROWS = 50_000  # of the training rows that are scored at most


def judge(fitted: Model, table: Table, weight: np.ndarray | None = None) -> Evaluation:
    """The model's predictions for the rows of `table`, whose last column is the target, with weights (n_samples,)."""
    X, y = features_and_target(table)
    return evaluate(y, *_decided(fitted, X), fitted.classes_, fitted.positive, weight)


def _decided(fitted: Model, X: Table) -> tuple[np.ndarray, np.ndarray]:
    """As `Model.decide`, of some rows after the other."""
    decisions = []
    with progress(len(X), "evaluate", " rows") as bar:
        for part in frames(X):
            decisions.append(fitted.decide(part))
            bar.update(len(part))
    labels, P = (np.concatenate(chunks) for chunks in zip(*decisions, strict=True))
    return labels, P


def write(
    start: Model | None,
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
    compared = compare(start, trained, training_rows, test_rows, weights, rule, stored.load_key(training / paths.KEY))
    after, metrics, folder = compared.models["test"], compared.metrics, result.folder / paths.EVALUATION
    importance = checks.importance(trained, test_rows)
    y, (test_X, _) = features_and_target(training_rows)[1], features_and_target(test_rows)
    warned = _warnings(trained, compared, importance, y)
    table = score_table(compared, weights[1])
    notes = _notes(compared, len(y), len(test_X), rule, weights[1], trained.made_of.get("choices", ()))
    report = "\n".join([*notes, "", readable(table), "", "Of the trained model:", after.report])
    if trained.costs is not None:
        metrics["decision"], text = costs_result(after.predictions, trained.costs, weights[1], folder)
        report = f"{report}\n{text}"
    elif rule:
        metrics["decision"], text = decision_result(
            trained, rule, after.predictions, thresholds.costs(rule, test_X), weights[1], training, folder, title
        )
        report = f"{report}\n{text}"
    if (training / paths.CANDIDATES).exists():
        candidates = formats.load_csv(training / paths.CANDIDATES)
        chosen = candidates[candidates["chosen"]].iloc[0]
        metrics["chosen"] = {"lambda": float(chosen["lambda"]), "features": str(chosen["features"])}
    result.save_metrics(metrics)
    formats.save_csv(table, folder / "scores.csv")
    formats.save_csv(importance, folder / "importance.csv", references.BLACK_BOX_DIGITS)
    formats.save_text(report, folder / "report.txt")
    formats.save_json({"warnings": warned}, result.folder / paths.EVALUATION_WARNINGS)
    formats.save_csv(after.predictions, result.folder / paths.PREDICTIONS)
    if groups is not None and len(groups.columns):
        formats.save_csv(by_group(groups, after, trained.positive_class, weights[1]), folder / "groups.csv")
    roc = write_curves(compared, trained.positive_class, weights[1], folder, title)
    matrix, costs = confusion(after.predictions), formats.load_csv(training / paths.COSTS)
    drawing.save(performance.confusion, folder / "pictures" / "confusion.png", title, matrix=matrix)
    draw_training(training, costs, folder / "pictures", title)
    label = "all" if len(trained.classes_) > 2 else trained.positive_class
    costs = costs[["iteration", "cost"]].assign(**{"class": label})
    save_for_dvc(
        {"costs": costs, "roc": roc, "confusion": confusion_counts(matrix)}, title, result.folder / paths.PLOTS
    )
    return report


def compare(
    start: Model | None,
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
    table = trained.costs
    edges = _thresholds(rule, start, trained, X, y, weight, key) if rule and table is None else {}
    boosted, n_boosted = references.black_box(X, y, test_X, classes, weight, trained.design.tokens)
    predicted = {
        "test": _decided(trained, test_X),
        "prior": references.prior(y, len(test_y), classes, weight),
        "black_box": boosted,
    }
    if start:
        start.threshold, start.costs = edges.get("baseline"), table
        predicted["baseline"] = _decided(start, test_X)
    for name in {"prior", "black_box"} & edges.keys():
        P, place = predicted[name][1], classes.tolist().index(trained.positive_class)
        predicted[name] = classes[np.where(P[:, place] >= edges[name], place, 1 - place)], P
    for name in ("prior", "black_box") if table is not None else ():
        P = predicted[name][1]
        predicted[name] = classes[(P @ table).argmin(axis=1)], P
    sampled = splitting.sample(y, ROWS)
    some, some_weight = in_memory(training_rows.take(sampled.rows)), sampled.weight(weight)
    models = {
        name: judge(trained, some, some_weight)
        if name == "train"
        else evaluate(test_y, *predicted[name], classes, trained.positive, test_weight)
        for name in NAMES
        if name == "train" or name in predicted
    }
    draws = resampled(test_y, predicted, classes, trained.positive, test_weight)
    if rule:
        for name, judged in models.items():
            rows, of_rows = (some, some_weight) if name == "train" else (test_rows, test_weight)
            if edges:
                judged.metrics["threshold"] = edges[name]
                if name in draws:
                    draws[name]["threshold"] = np.nan
            of_rows = np.ones(len(rows)) if of_rows is None else of_rows
            for measure, values, weights_of in (
                _measures(rule, judged.predictions, trained.positive_class, rows, of_rows)
                if table is None
                else [("cost", paid(judged.predictions, table), of_rows)]
            ):
                judged.metrics[measure] = float(np.average(values, weights=weights_of))
                if name in draws:
                    draws[name][measure] = mean_draws(values, weights_of)
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
    compared: Comparison,
    n_train: int,
    n_test: int,
    rule: config.Decision | None,
    weight: np.ndarray | None,
    choices: Sequence[str] = (),
) -> list[str]:
    """Which rows the scores are of, and how rows are decided: sentences above the table."""
    notes = [f"{n_train:,} training rows, {n_test:,} test rows; intervals of {CONFIDENCE:.0%} from the bootstrap."]
    if (n := compared.n_scored) < n_train:
        notes.append(f"The scores of training rows are those of {n:,} of them, drawn at random by class.")
    if (n := compared.n_boosted) < n_train:
        notes.append(f"The black box was trained on {n:,} of the training rows, drawn at random by class.")
    if rule:
        notes.append(rule.sentence)
    notes += choices
    if of_rare_classes(compared.models["test"].predictions, weight):
        notes.append(
            f"Fewer than {FEW} hits or predicted rows stand behind a class, so the intervals of macro precision, "
            f"recall and F1 are at least those that Wilson's intervals of the classes make."
        )
    if weight is not None:
        notes.append("Rows count by their weight (data.weight), but in the confusion matrix and the effect of columns.")
    return notes


def _thresholds(
    settings: config.Decision,
    start: Model | None,
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
        folds = splitting.folds(y, thresholds.FOLDS, thresholds.SEED, key)
    probabilities = {
        "prior": (everything, references.prior(y, len(y), classes, weight)[1]),
        "black_box": references.out_of_fold(X, y, classes, weight, folds, trained.design.tokens),
    }
    if start:
        probabilities["baseline"] = everything, _decided(start, X)[1]
    threshold = trained.threshold or 0.5
    cutoffs = {"test": threshold, "train": threshold}
    false_alarm, miss = thresholds.costs(settings, X)
    weight = np.ones(len(y)) if weight is None else weight
    for name, (rows, P) in probabilities.items():
        is_positive = y[rows] == trained.positive_class
        of_rows = false_alarm[rows], miss[rows], weight[rows]
        cutoffs[name] = thresholds.choose(settings, is_positive, P[:, place], *of_rows).threshold
    return cutoffs


def _measures(
    rule: config.Decision, predictions: pd.DataFrame, positive: str, rows: Table, weight: np.ndarray
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """What the rule makes comparable: a name, values of the rows (n_samples,), and weights, whose mean is meant.

    cost is what the decision about a row costs; flagged the share of rows, recall that of the positive ones.
    """
    is_positive, flagged = ((predictions[side] == positive).to_numpy() for side in ("actual", "predicted"))
    if rule.method == "cost":
        false_alarm, miss = thresholds.costs(rule, rows)
        return [("cost", np.where(is_positive == flagged, 0.0, np.where(is_positive, miss, false_alarm)), weight)]
    return [("flagged", flagged.astype(float), weight), ("recall", flagged.astype(float), weight * is_positive)]


def groups_of(names: list[str], test_rows: Table, left_out: Table) -> pd.DataFrame:
    """The columns of `evaluate.groups`, of the test rows or of what they have beside features.

    Errors: `UserError` for a column that is not there, and for one that has too many different cells for groups.
    """
    header = [*map(str, test_rows.columns[:-1]), *map(str, left_out.columns)]
    groups = pd.DataFrame(index=range(len(test_rows)))
    for name in names:
        if name not in header:
            columns = ", ".join(map(repr, header))
            raise UserError(
                f"evaluate.groups has {name!r}, which is no column of the test rows. They have {columns}. To keep a "
                f"column without using it as a feature, give it the role drop, such as "
                f"{override('data.roles', {header[0]: 'drop'})} (not with split=test_file, where it must be a feature)."
            )
        groups[name] = (left_out if name in left_out else test_rows)[name].reset_index(drop=True)
        if (distinct := groups[name].nunique()) > GROUPS:
            raise UserError(
                f"evaluate.groups has {name!r}, which has {distinct:,} different values in the test rows, more than "
                f"{GROUPS}. Use a column of categories."
            )
    return groups

"""Cross-validate a grid of lambda and learning rate on the training rows, and train the winner on all of them.

The weights of the winner are those that `train` finds with its lambda and learning rate. No test row is read: the
command that adopts the winner evaluates it.
A sweep without a winner, because no folds can be cut or because every combination diverged, is a result too.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline import config
from pipeline.columns import roles, splitting
from pipeline.columns.target import features_and_target
from pipeline.errors import UserError, reported_warnings
from pipeline.files import formats, paths, stored
from pipeline.reading import CellFormat
from pipeline.training import choice, fit, intervals, learnt, selection
from pipeline.training import sweep as results

COMPUTE = "fits"


def main(root: Path) -> None:
    tokens = roles.tokens(formats.load_columns(paths.ROOT / paths.COLUMNS))
    asked, sweep = config.read("train").of_tokens(tokens), config.read("sweep")
    table = stored.StoredTable(paths.ROOT / paths.TRAINING_ROWS)
    classes = features_and_target(table)[1]
    fit.check_positive(asked.positive, np.unique(classes))
    folder, key = root / paths.SWEEP, stored.load_key(paths.ROOT / paths.KEY)
    weight = stored.load_weights(paths.ROOT / paths.TRAINING_WEIGHTS)
    fit.check_weights(weight, classes)
    clusters = intervals.cluster_codes(key, asked.standard_errors)
    record: dict[str, Any] = {"score": sweep.score, "refit": sweep.refit, "warnings": []}
    folder.mkdir()
    try:
        with reported_warnings() as warned:
            folds = splitting.folds(classes, sweep.folds, sweep.seed, key)
            train, in_folds, settled = selection.without_lambda(table, asked, folds, key, weight)
        record["warnings"] = warned
        validation = results.score_grid(
            table, train, sweep, results.combinations(sweep, train), folds, weight, in_folds
        )
        if validation.interrupted:
            raise KeyboardInterrupt
        results.write(validation, folder)
        winners = choice.choose(validation.combinations, sweep.score)
    except UserError as error:
        print(f"warning: there is no winner: {error}")
        record["warnings"].append(f"The sweep has no winner: {error}")
        formats.save_json(record, root / paths.WINNER)
        return
    weights_by_lambda = results.path(table, train, sweep, validation.combinations, weight)
    formats.save_csv(weights_by_lambda, folder / paths.PATHS, formats.WEIGHT_DIGITS)
    title = formats.load_json(paths.ROOT / paths.SPLIT_SUMMARY)["data"]
    results.draw(validation, weights_by_lambda, winners, sweep, folder / paths.PICTURES, title)
    named = choice.as_json(winners)
    chosen = named[sweep.refit]
    pair = config.Combination(chosen["lambda"], chosen["learning_rate"])
    with reported_warnings() as warned:
        row = getattr(winners, sweep.refit)
        choice.warn(row, validation.combinations, sweep.score, validation.folds[pair], train.max_iterations)
    record["warnings"] += warned
    settings = train.model_copy(
        update={"l2": chosen["lambda"], "learning_rate": chosen["learning_rate"], "penalty": "ridge"}
    )
    cell_format = CellFormat(**formats.load_json(paths.ROOT / paths.CELL_FORMAT))
    with reported_warnings() as warned:
        trained = fit.train(table, settings, cell_format, weight)
    learnt.write(trained, folder, warned, clusters)
    formats.save_json(record | named, root / paths.WINNER)
    command = results.adopt(chosen, settled)
    formats.save_text(command + "\n", folder / paths.ADOPT)
    print(
        f"{len(validation.combinations)} combinations; "
        f"{sweep.refit.replace('_', ' ')}: {choice.describe(chosen, sweep.score)}\nTo adopt it: {command}"
    )

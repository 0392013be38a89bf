"""Cross-validate a grid of lambda and learning rate on the training rows, and train the winner on all of them.

The weights of the winner are those that `train` finds with its lambda and learning rate. No test row is read: the
command that adopts the winner evaluates it.
A sweep without a winner, because no folds can be cut or because every combination diverged, is a result too.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline import config, outputs, selection, training
from pipeline.columns import splitting
from pipeline.columns.target import features_and_target
from pipeline.errors import UserError, reported_warnings
from pipeline.reading import CellFormat
from pipeline.sweeps import choice, results
from pipeline.sweeps.cross_validation import combinations, cross_validate, path


def main(root: Path) -> None:
    asked, sweep = config.read("train"), config.read("sweep")
    table = outputs.StoredTable(outputs.ROOT / outputs.TRAINING_ROWS)
    classes = features_and_target(table)[1]
    training.check_positive(asked.positive, np.unique(classes))
    folder, key = root / outputs.SWEEP, outputs.load_key(outputs.ROOT)
    weight = outputs.load_weights(outputs.ROOT / outputs.TRAINING_WEIGHTS)
    training.check_weights(weight, classes)
    clusters = training.cluster_codes(key, asked.standard_errors)
    record: dict[str, Any] = {"score": sweep.score, "refit": sweep.refit, "warnings": []}
    folder.mkdir()
    try:
        with reported_warnings() as warned:
            folds = splitting.folds(classes, sweep.folds, sweep.seed, key)
            train, settled = selection.without_lambda(table, asked, key, weight)
        record["warnings"] = warned
        in_folds = train.model_copy(update={"interactions": asked.interactions})
        validation = cross_validate(table, in_folds, sweep, combinations(sweep, train), folds, weight, key)
        if validation.interrupted:
            raise KeyboardInterrupt
        results.write(validation, folder)
        found = choice.choose(validation.combinations, sweep.score)
    except UserError as error:
        print(f"warning: there is no winner: {error}")
        record["warnings"].append(f"The sweep has no winner: {error}")
        outputs.save_json(record, root / outputs.WINNER)
        return
    weights_by_lambda = path(table, train, sweep, validation.combinations, weight)
    outputs.save_csv(weights_by_lambda, folder / outputs.PATHS, outputs.WEIGHT_DIGITS)
    title = outputs.load_json(outputs.ROOT / outputs.SPLIT_SUMMARY)["data"]
    results.draw(validation, weights_by_lambda, found, sweep, folder / outputs.PICTURES, title)
    named = choice.as_json(found)
    chosen = named[sweep.refit]
    pair = config.Combination(chosen["lambda"], chosen["learning_rate"])
    with reported_warnings() as warned:
        row = getattr(found, sweep.refit)
        choice.warn(row, validation.combinations, sweep.score, validation.folds[pair], train.max_iterations)
    record["warnings"] += warned
    settings = train.model_copy(
        update={"l2": chosen["lambda"], "learning_rate": chosen["learning_rate"], "penalty": "ridge"}
    )
    cell_format = CellFormat(**outputs.load_json(outputs.ROOT / outputs.CELL_FORMAT))
    with reported_warnings() as warned:
        trained = training.train(table, settings, cell_format, weight)
    training.write(trained, folder, warned, clusters)
    outputs.save_json(record | named, root / outputs.WINNER)
    command = results.adopt(chosen, settled)
    outputs.save_text(command + "\n", folder / outputs.ADOPT)
    print(
        f"{len(validation.combinations)} combinations; "
        f"{sweep.refit.replace('_', ' ')}: {choice.describe(chosen, sweep.score)}\nTo adopt it: {command}"
    )

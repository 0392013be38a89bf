"""Evaluate the trained model on the test rows, beside the prior, a black box and the random start."""

from pathlib import Path

import pandas as pd

from pipeline import config, model
from pipeline.evaluation import drift, result
from pipeline.files import formats, paths, stored

COMPUTE = "fits"


def main(root: Path) -> None:
    settings, trained = config.read("evaluate"), model.load(paths.ROOT / paths.MODEL)
    start = model.load(paths.ROOT / paths.START) if settings.random_start else None
    training, test = (stored.StoredTable(paths.ROOT / file) for file in (paths.TRAINING_ROWS, paths.TEST_ROWS))
    file = paths.ROOT / paths.TEST_LEFT_OUT
    left_out = stored.StoredTable(file) if file.exists() else pd.DataFrame()
    groups = result.groups_of(settings.groups, test, left_out)
    files = (paths.TRAINING_WEIGHTS, paths.TEST_WEIGHTS)
    weights = stored.load_weights(paths.ROOT / files[0]), stored.load_weights(paths.ROOT / files[1])
    title, place = formats.load_json(paths.ROOT / paths.SPLIT_SUMMARY)["data"], paths.main_result(root)
    decision = config.read("decision")
    print(result.write(start, trained, training, test, paths.ROOT, place, title, groups, weights, decision))
    judged = formats.load_csv(root / paths.EVALUATION / "scores.csv")
    predictions = formats.load_csv(root / paths.PREDICTIONS)
    formats.save_json(drift.reference(trained, training, predictions, judged, title), root / paths.REFERENCE)

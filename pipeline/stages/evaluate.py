"""Evaluate the trained model on the test rows, beside the prior, a black box and the random start."""

from pathlib import Path

import pandas as pd

from pipeline import config, drift, evaluation, model, outputs


def main(root: Path) -> None:
    start, trained = (model.load(outputs.ROOT / saved) for saved in (outputs.START, outputs.MODEL))
    training, test = (outputs.StoredTable(outputs.ROOT / file) for file in (outputs.TRAINING_ROWS, outputs.TEST_ROWS))
    file = outputs.ROOT / outputs.TEST_LEFT_OUT
    left_out = outputs.StoredTable(file) if file.exists() else pd.DataFrame()
    groups = evaluation.groups_of(config.read("evaluate").groups, test, left_out)
    files = (outputs.TRAINING_WEIGHTS, outputs.TEST_WEIGHTS)
    weights = outputs.load_weights(outputs.ROOT / files[0]), outputs.load_weights(outputs.ROOT / files[1])
    title, place = outputs.load_json(outputs.ROOT / outputs.SPLIT_SUMMARY)["data"], outputs.main_result(root)
    decision = config.read("decision")
    print(evaluation.write(start, trained, training, test, outputs.ROOT, place, title, groups, weights, decision))
    judged = outputs.load_csv(root / outputs.EVALUATION / "scores.csv")
    predictions = outputs.load_csv(root / outputs.PREDICTIONS)
    outputs.save_json(drift.reference(trained, training, predictions, judged, title), root / outputs.REFERENCE)

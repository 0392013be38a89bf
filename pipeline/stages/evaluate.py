"""Evaluate the trained model on the test rows, beside the prior, a black box and the random start."""

from pathlib import Path

import pandas as pd

from pipeline import config, evaluation, model, outputs


def main(root: Path) -> None:
    start, trained = (model.load(outputs.ROOT / saved) for saved in (outputs.START, outputs.MODEL))
    training, test = (outputs.load_table(outputs.ROOT / rows) for rows in (outputs.TRAINING_ROWS, outputs.TEST_ROWS))
    file = outputs.ROOT / outputs.TEST_LEFT_OUT
    left_out = outputs.load_table(file) if file.exists() else pd.DataFrame(index=test.index)
    groups = evaluation.groups_of(config.read("evaluate").groups, test, left_out)
    result, decision = outputs.main_result(root), config.read("decision")
    print(evaluation.write(start, trained, training, test, outputs.ROOT, result, groups, decision))

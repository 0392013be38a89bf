"""Evaluate the random start and the trained model on the test rows."""

from pathlib import Path

from pipeline import evaluation, model, outputs


def main(root: Path) -> None:
    start, trained = (model.load(outputs.ROOT / saved) for saved in (outputs.START, outputs.MODEL))
    table = outputs.load_table(outputs.ROOT / outputs.TEST_ROWS)
    print(evaluation.write(start, trained, table, outputs.ROOT, outputs.main_result(root)))

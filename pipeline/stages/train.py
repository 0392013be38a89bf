"""Train logistic regression, by default by gradient descent from seeded random weights."""

from pathlib import Path

from pipeline import config, outputs, training
from pipeline.errors import reported_warnings
from pipeline.reading import CellFormat


def main(root: Path) -> None:
    table = outputs.load_table(outputs.ROOT / outputs.TRAINING_ROWS)
    cell_format = CellFormat(**outputs.load_json(outputs.ROOT / outputs.CELL_FORMAT))
    with reported_warnings() as warned:
        trained = training.train(table, config.read("train"), cell_format)
    training.write(trained, table, root, warned)
    for label, column in training.summary(trained.model).items():
        print(f"{label}: {column['iterations']} iterations, cost {column['last_cost']:.6f}; {column['stopped']}")

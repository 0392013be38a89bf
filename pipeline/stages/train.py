"""Train logistic regression, by default by gradient descent from seeded random weights."""

from pathlib import Path

from pipeline import config, outputs, training
from pipeline.errors import reported_warnings
from pipeline.reading import CellFormat


def main(root: Path) -> None:
    table = outputs.load_table(outputs.ROOT / outputs.TRAINING_ROWS)
    cell_format = CellFormat(**outputs.load_json(outputs.ROOT / outputs.CELL_FORMAT))
    params, key_file = config.read("train"), outputs.ROOT / outputs.KEY
    key = outputs.load_table(key_file).iloc[:, 0] if key_file.exists() else None
    clusters = training.cluster_codes(key, params.standard_errors)
    with reported_warnings() as warned:
        trained = training.train(table, params, cell_format)
    training.write(trained, table, root, warned, clusters)
    for label, column in training.summary(trained.model).items():
        print(f"{label}: {column['iterations']} iterations, cost {column['last_cost']:.6f}; {column['stopped']}")

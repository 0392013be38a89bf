"""Split the rows into training and test rows, as `split` says, with the columns that are used from here on."""

from pathlib import Path

from pipeline import config, dataset, outputs
from pipeline.errors import reported_warnings


def main(root: Path) -> None:
    loaded, data = dataset.read_back(outputs.ROOT), config.read("data")
    with reported_warnings() as warned:
        parts = dataset.split(loaded, config.read("split"), data)
    dataset.write(parts, data, warned, root)

"""Split the rows into training and test rows, as `split` says, with the columns that are used from here on."""

from pathlib import Path

from pipeline import config
from pipeline.columns import dataset
from pipeline.errors import reported_warnings
from pipeline.files import paths

COMPUTE = "rows"


def main(root: Path) -> None:
    loaded, data = dataset.read_back(paths.ROOT), config.read("data")
    with reported_warnings() as warned:
        split_rows = dataset.split(loaded, config.read("split"), data)
    dataset.write(split_rows, data, warned, root)

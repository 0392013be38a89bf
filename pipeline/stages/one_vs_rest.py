"""Many classes, on a data set of their own: one binary problem per class, all fitted at once as columns of one matrix.

The functions behind `load`, `split`, `train` and `evaluate` take any number of classes; this stage calls them with its
own section of the configuration.
"""

from pathlib import Path

from pipeline import config
from pipeline.columns import dataset
from pipeline.errors import reported_warnings
from pipeline.evaluation import result
from pipeline.files import paths
from pipeline.training import fit, intervals, learnt

COMPUTE = "rows"


def main(root: Path) -> None:
    params, place = config.read("one_vs_rest"), paths.one_vs_rest(root)
    intervals.cluster_codes(None, params.train.standard_errors)
    with reported_warnings() as warned:
        loaded = dataset.load(params.data)
        split_rows = dataset.split(loaded, params.split, params.data)
        trained = fit.train(split_rows.train, params.train, loaded.cell_format)
    dataset.write(split_rows, params.data, warned, place.folder)
    learnt.write(trained, place.folder, warned)
    print(
        result.write(
            trained.start,
            trained.model,
            split_rows.train,
            split_rows.test,
            place.folder,
            place,
            params.data.title,
        )
    )

"""Many classes, on a data set of their own: one binary problem per class, all fitted at once as columns of one matrix.

The functions behind `load`, `split`, `train` and `evaluate` take any number of classes; this stage calls them with its
own section of the configuration. It belongs to the demonstration: where `one_vs_rest` has no data, as beside a table of
the user, nothing runs and the outputs are empty.
"""

from pathlib import Path

from pipeline import config
from pipeline.columns import dataset
from pipeline.errors import reported_warnings
from pipeline.evaluation import result
from pipeline.files import formats, paths
from pipeline.overrides import override
from pipeline.training import fit, intervals, learnt

COMPUTE = "rows"
ASKED = "data@one_vs_rest.data", "digits"


def main(root: Path) -> None:
    params, place = config.read("one_vs_rest"), paths.one_vs_rest(root)
    if params.data is None:
        note = f"one_vs_rest has no data, and did not run. To run it: dvc exp run {override(*ASKED)}"
        formats.save_text(f"{note}\n", place.folder / "note.txt")
        formats.save_json({}, place.metrics)
        print(note)
        return
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

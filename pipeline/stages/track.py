"""Log everything above to MLflow: the model, the one-vs-rest extension and the sweep, from the files of the stages.

The one output is a receipt with the digests of the results that the store now has. It is not cached and not in git,
so this stage runs wherever the receipt is missing (a fresh clone, an experiment's copy) and not otherwise.
"""

from pathlib import Path

from pipeline import config
from pipeline.files import formats, paths, stored
from pipeline.tracking import log, promotion, records


def main(root: Path) -> None:
    params = config.load()
    training_rows = stored.StoredTable(paths.ROOT / paths.TRAINING_ROWS)
    sweep = records.sweep_record(params, training_rows, paths.ROOT, "sweep")
    made = (records.main_record(params), records.one_vs_rest_record(params), sweep)
    results = [record for record in made if record is not None]
    settings = config.read("tracking")
    log.log(results, settings)
    if settings.promote is not None:
        try:
            promotion.promote(None, settings.promote)
        except promotion.RefusedError as reason:
            print(reason)
    formats.save_json([record.digest for record in results], root / paths.RECEIPT)

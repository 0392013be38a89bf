"""Log each record that the store does not have yet."""

from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import config
from pipeline.tracking import records, runs, sweeps
from pipeline.tracking.runs import Record
from pipeline.tracking.stores import experiment, logged, opened
from pipeline.tracking.sweeps import Sweep


def log(found: list[Record | Sweep], settings: config.Tracking) -> None:
    """Errors: `UserError` where the store can't be reached."""
    with opened(settings) as uri:
        for record in found:
            place = experiment(record.experiment, uri)
            if name := logged(place, record.digest):
                print(f"{record.experiment}: this result is run {name} already")
            elif isinstance(record, Sweep):
                print(f"{record.experiment}: logged as run {sweeps.log(record, place)}")
            else:
                print(f"{record.experiment}: logged as run {runs.log(record, place, settings)}")


def log_study(params: dict[str, Any], training_rows: pd.DataFrame, root: Path, interrupted: bool) -> None:
    """Log what `pipeline.sweeps.multirun` has in `root`."""
    record = records.sweep_record(params, training_rows, root, "multirun", interrupted)
    log([record] if record else [], config.section_of(params, "tracking", "conf/"))

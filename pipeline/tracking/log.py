"""Log each record that the store does not have yet."""

from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import config
from pipeline.tracking import records, runs, sweeps
from pipeline.tracking.runs import Record
from pipeline.tracking.stores import experiment, opened
from pipeline.tracking.sweeps import Sweep

DESCRIPTION = """Logistic regression on **{name}** ({source}). One run per distinct result; a sweep has a child run for
each combination of lambda and learning rate. The view *Scores* in the menu *Views* has their scores as columns."""


def log(results: list[Record | Sweep], settings: config.Tracking) -> None:
    """Errors: `UserError` where the store can't be reached."""
    with opened(settings) as uri:
        for record in results:
            description = DESCRIPTION.format(name=record.experiment, source=record.source)
            place = experiment(record.experiment, uri, description)
            if isinstance(record, Sweep):
                print(f"{record.experiment}: {sweeps.log(record, place)}")
            else:
                print(f"{record.experiment}: {runs.log(record, place, settings)}")


def log_study(params: dict[str, Any], training_rows: pd.DataFrame, root: Path, interrupted: bool) -> None:
    """Log what `pipeline.commands.multirun` has in `root`."""
    record = records.sweep_record(params, training_rows, root, "multirun", interrupted)
    log([record] if record else [], config.section_of(params, "tracking", "conf/"))

"""Finished results into MLflow: the one package that knows it.

    stores    where runs land, and what is there already
    runs      a model's run
    sweeps    a sweep's run, with a child run a member

A run is found by a tag that holds the digest of what it records, so the same result is never logged twice, whoever made
it: `dvc repro`, an experiment in a copy of the repository, or another machine on the same server. The digest is the
last thing that a run gets; a run that was interrupted has none, and is logged again.
"""

from pipeline.config import Tracking
from pipeline.tracking import runs, sweeps
from pipeline.tracking.runs import Record
from pipeline.tracking.stores import experiment, logged, opened, store
from pipeline.tracking.sweeps import Member, Sweep

__all__ = ["Member", "Record", "Sweep", "log", "store"]


def log(records: list[Record | Sweep], settings: Tracking) -> None:
    """Log each record that the store does not hold yet. Raises `UserError` where the store can't be reached."""
    with opened(settings) as uri:
        for record in records:
            place = experiment(record.experiment, uri)
            if found := logged(place, record.digest):
                print(f"{record.experiment}: this result is run {found} already")
            elif isinstance(record, Sweep):
                print(f"{record.experiment}: logged as run {sweeps.log(record, place)}")
            else:
                print(f"{record.experiment}: logged as run {runs.log(record, place, settings)}")

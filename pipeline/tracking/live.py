"""The cost while a model is trained, in a run that is there only so long: `track` logs the result.

The stage that trains knows nothing of it. The run has no digest, so it never counts as a result: it is deleted when
training ends, ends as FAILED or KILLED with it, and after `kill -9` the next `track` ends it.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import mlflow
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from pipeline.config import Data, Tracking
from pipeline.errors import UserError
from pipeline.tracking import models, stores
from pipeline.tracking.log import DESCRIPTION
from pipeline.tracking.runs import ended
from pipeline.training.fit import Hear

SECONDS = 1.0  # between two points
NAME = "training now"
STORE = (MlflowException, SQLAlchemyError, OSError)


@contextmanager
def shown(data: Data, settings: Tracking) -> Iterator[Hear]:
    """A function that shows the cost of the model that is trained with it; without a store it only warns."""
    try:
        with stores.opened(settings, "Training goes on, and is not shown.") as uri:
            place = stores.experiment(data.title, uri, DESCRIPTION.format(name=data.title, source=data.source))
            run_id = stores.create(place, NAME, {"dvc.stage": "live", **models.made_by("pipeline/stages/train.py")})
    except UserError as error:
        print(f"warning: {error}", file=sys.stderr)
        yield lambda iteration, cost: None
        return
    print(f"MLflow shows the cost in run {run_id}", flush=True)
    with ended(run_id):
        yield _Points(run_id)
    with suppress(*STORE):
        mlflow.MlflowClient().delete_run(run_id)


class _Points:
    """Logs the cost, from time to time."""

    def __init__(self, run_id: str) -> None:
        self.run_id, self.next = run_id, 0.0

    def __call__(self, iteration: int, cost: float) -> None:
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + SECONDS
        try:
            mlflow.MlflowClient().log_metric(self.run_id, "cost/training", cost, step=iteration)
        except STORE:
            self.next = float("inf")
            print("warning: the MLflow store is gone: training goes on, and is not shown.", file=sys.stderr)

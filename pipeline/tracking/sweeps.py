"""A sweep: a parent run with the table, the pictures and the winner, and one child run per combination.

The parent is found by what its combinations have in common (data, folds, settings), each child by that, its lambda and
its learning rate. So a grid that grew adds its new combinations to the same parent, and one that was interrupted goes
on. A child is one request: a hundred take a few seconds.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Experiment, Metric, Param, RunStatus, ViewType

from pipeline.tracking.stores import DIGEST, provenance

STUDY, COMBINATION, REASON = "sweep.digest", "combination.digest", "failure"
POINTS = 100  # of a cost curve at most
ENDED = {"FINISHED", "FAILED"}


@dataclass(frozen=True)
class Child:
    """One child run."""

    name: str
    digest: str
    params: dict[str, str]
    metrics: dict[str, float]
    costs: pd.DataFrame  # iteration, cost
    status: str  # how it stopped
    failure: str | None  # why there is no model


@dataclass(frozen=True)
class Sweep:
    """The parent run, and all combinations that were finished."""

    experiment: str
    name: str
    stage: str
    description: str
    study: str  # digest of what all combinations have in common
    digest: str  # of the result
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    children: list[Child]
    artifacts: dict[Path, str]  # a file to the folder that it is shown in, "" for the top
    interrupted: bool


def log(sweep: Sweep, experiment: Experiment) -> str:
    """Log the combinations that the store does not hold yet and renew the parent; its name is returned.

    On Ctrl-C the runs that were being written end as KILLED, as does the parent of a sweep that was interrupted itself.
    """
    client = mlflow.MlflowClient()
    parent = _parent(client, sweep, experiment)
    status = "FAILED"
    try:
        there = _children(client, experiment, parent)
        for child in sweep.children:
            if child.digest not in there:
                _log_child(client, experiment, parent, child, sweep)
        _renew(client, parent, sweep)
        status = "KILLED" if sweep.interrupted else "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        client.set_terminated(parent, status)
    return sweep.name


def _parent(client: mlflow.MlflowClient, sweep: Sweep, experiment: Experiment) -> str:
    found = client.search_runs(
        [experiment.experiment_id], f"tags.`{STUDY}` = '{sweep.study}'", ViewType.ACTIVE_ONLY, max_results=1
    )
    if found:
        client.update_run(found[0].info.run_id, status="RUNNING", name=sweep.name)
        return found[0].info.run_id
    tags = {**provenance(), "dvc.stage": sweep.stage, STUDY: sweep.study}
    run_id = client.create_run(experiment.experiment_id, tags=tags, run_name=sweep.name).info.run_id
    client.log_batch(run_id, params=[Param(key, value) for key, value in sweep.params.items()])
    return run_id


def _children(client: mlflow.MlflowClient, experiment: Experiment, parent: str) -> set[str]:
    """The digests of the parent's children that came to an end; those that a crash left behind are closed."""
    found, token = set(), None
    while True:
        page = client.search_runs(
            [experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'", max_results=1000, page_token=token
        )
        for run in page:
            if run.info.status in ENDED:
                found.add(run.data.tags[COMBINATION])
            elif run.info.status == RunStatus.to_string(RunStatus.RUNNING):
                client.set_terminated(run.info.run_id, "KILLED")
        token = page.token
        if not token:
            return found


def _log_child(client: mlflow.MlflowClient, experiment: Experiment, parent: str, child: Child, sweep: Sweep) -> None:
    tags = {"mlflow.parentRunId": parent, COMBINATION: child.digest, "dvc.stage": sweep.stage, "stopped": child.status}
    if child.failure:
        tags |= {REASON: child.failure, "mlflow.note.content": child.failure}
    run_id = client.create_run(experiment.experiment_id, tags=tags, run_name=child.name).info.run_id
    status = "KILLED"
    try:
        now = int(time.time() * 1000)
        metrics = [Metric(key, value, now, 0) for key, value in child.metrics.items() if np.isfinite(value)]
        shown = child.costs.iloc[np.unique(np.linspace(0, len(child.costs) - 1, POINTS).round().astype(int))]
        metrics += [
            Metric("cost", float(cost), now, int(iteration))
            for iteration, cost in zip(shown["iteration"], shown["cost"], strict=True)
            if np.isfinite(cost)
        ]
        client.log_batch(run_id, metrics, [Param(key, value) for key, value in child.params.items()])
        status = "FAILED" if child.failure else "FINISHED"
    finally:
        client.set_terminated(run_id, status)


def _renew(client: mlflow.MlflowClient, parent: str, sweep: Sweep) -> None:
    now = int(time.time() * 1000)
    client.log_batch(parent, [Metric(key, value, now, 0) for key, value in sweep.metrics.items()])
    for file, folder in sweep.artifacts.items():
        client.log_artifact(parent, str(file), artifact_path=folder or None)
    tags = {**sweep.tags, "mlflow.note.content": sweep.description}
    if not sweep.interrupted:
        tags[DIGEST] = sweep.digest
    for key, value in tags.items():
        client.set_tag(parent, key, value)

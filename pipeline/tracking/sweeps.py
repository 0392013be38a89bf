"""A sweep: a parent run with the table, the pictures and the winner, and one child run per combination.

The parent is found by what its combinations have in common (data, folds, settings), each child by that, its lambda and
its learning rate. So a grid that grew adds its new combinations to the same parent, and one that was interrupted goes
on. A child is one request: a hundred take a few seconds.

Two clones that log the same sweep to one server at the same time have a parent each; the later one is deleted.
"""

import posixpath
import time
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Experiment, Metric, Param, Run

from pipeline.files.stored import Table
from pipeline.tracking import models, stores
from pipeline.tracking.runs import ended, log_settings

STUDY, COMBINATION, REASON = "sweep.digest", "combination.digest", "failure"
POINTS = 100  # of a cost curve at most
ENDED = {"FINISHED", "FAILED"}
MODULES = {"sweep": "pipeline/stages/sweep.py", "multirun": "pipeline/commands/multirun.py"}


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
    training: Table
    source: str
    model: Path | None  # of the winner
    artifacts: dict[Path, str]  # a file to the folder that it is shown in, "" for the top
    interrupted: bool


def log(sweep: Sweep, experiment: Experiment) -> str:
    """Log what the store does not have of the sweep; what came of it is returned.

    On Ctrl-C the runs that were being written end as KILLED, as does the parent of a sweep that was interrupted itself.
    """
    client = mlflow.MlflowClient()
    parent = stores.logged(experiment, sweep.digest) or _parent(sweep, experiment)
    there = {run.data.tags[COMBINATION] for run in _children(parent) if run.info.status in ENDED} if parent else set()
    missing = [child for child in sweep.children if child.digest not in there]
    if parent and _is_whole(parent, sweep) and not missing:
        return f"this result is run {sweep.name} already"
    run_id = parent.info.run_id if parent else _create(sweep, experiment)
    client.update_run(run_id, status="RUNNING", name=sweep.name)
    with ended(run_id, "KILLED" if sweep.interrupted else "FINISHED"):
        for child in missing:
            _log_child(experiment, run_id, child, sweep)
        _renew(client.get_run(run_id), sweep, experiment)
    stores.logged(experiment, sweep.digest)
    return f"logged as run {sweep.name}"


def _parent(sweep: Sweep, experiment: Experiment) -> Run | None:
    """The sweep's parent run, unless another clone is writing to it at this moment."""
    parents = stores.search([experiment.experiment_id], f"tags.`{STUDY}` = '{sweep.study}'")
    return next((run for run in parents if run.info.status != "RUNNING"), None)


def _is_whole(parent: Run, sweep: Sweep) -> bool:
    if parent.info.status != "FINISHED" or parent.data.tags.get(stores.DIGEST) != sweep.digest or sweep.interrupted:
        return False
    paths = [posixpath.join(folder, file.name) for file, folder in sweep.artifacts.items()]
    missing = stores.lost(parent, paths, with_model=sweep.model is not None)
    if missing:
        print(f"{sweep.experiment}: run {sweep.name} lacks {', '.join(missing)}")
    return not missing


def _create(sweep: Sweep, experiment: Experiment) -> str:
    tags = {
        "dvc.stage": sweep.stage,
        STUDY: sweep.study,
        **models.made_by(MODULES[sweep.stage]),
    }
    run_id = stores.create(experiment, sweep.name, tags)
    mlflow.MlflowClient().log_batch(run_id, params=[Param(key, value) for key, value in sweep.params.items()])
    return run_id


def _children(parent: Run) -> list[Run]:
    return stores.search([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")


def _log_child(experiment: Experiment, parent: str, child: Child, sweep: Sweep) -> None:
    client = mlflow.MlflowClient()
    tags = {
        "mlflow.parentRunId": parent,
        COMBINATION: child.digest,
        "dvc.stage": sweep.stage,
        "stopped": child.status,
        **models.made_by(MODULES[sweep.stage]),
    }
    if child.failure:
        tags |= {REASON: child.failure, "mlflow.note.content": child.failure}
    run_id = client.create_run(experiment.experiment_id, tags=tags, run_name=child.name).info.run_id
    now = int(time.time() * 1000)
    metrics = [Metric(key, value, now, 0) for key, value in child.metrics.items() if np.isfinite(value)]
    curve = child.costs.iloc[np.unique(np.linspace(0, len(child.costs) - 1, POINTS).round().astype(int))]
    metrics += [
        Metric("cost/training", float(cost), now, int(iteration))
        for iteration, cost in zip(curve["iteration"], curve["cost"], strict=True)
        if np.isfinite(cost)
    ]
    with ended(run_id, "FAILED" if child.failure else "FINISHED", broken="KILLED"):
        client.log_batch(run_id, metrics, [Param(key, value) for key, value in child.params.items()])


def _renew(parent: Run, sweep: Sweep, experiment: Experiment) -> None:
    client, run_id, now = mlflow.MlflowClient(), parent.info.run_id, int(time.time() * 1000)
    for run in _children(parent):
        if run.info.status == "RUNNING":  # from a request that was carried out but answered with an error
            client.delete_run(run.info.run_id)
    datasets = models.log_datasets(run_id, sweep.experiment, sweep.source, {"training": sweep.training})
    if sweep.model:
        module = MODULES[sweep.stage]
        models.log_model(run_id, experiment, sweep.model, sweep.training, sweep.params, module)
    metrics = [models.metric(key, value, now, datasets["training"]) for key, value in sweep.metrics.items()]
    client.log_batch(run_id, metrics)
    for file, folder in sweep.artifacts.items():
        client.log_artifact(run_id, str(file), artifact_path=folder or None)
    log_settings(run_id)
    tags = {**sweep.tags, "mlflow.note.content": sweep.description, stores.DIGEST: sweep.digest}
    for key, value in tags.items():
        client.set_tag(run_id, key, value)

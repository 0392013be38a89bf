"""One model's run: parameters, data sets, the model, costs, scores and files."""

import posixpath
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Dataset, Experiment, Metric, Param
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from pipeline.config import Tracking, composition
from pipeline.evaluation import report
from pipeline.files import paths
from pipeline.files.stored import Table
from pipeline.tracking import models, stores

SIGNS = {"<=": "at most ", ">=": "at least ", "<": "under ", ">": "over ", "+": " plus", "%": " percent", "&": " and "}
REFERENCE = "reference/"  # of the metrics, those of other models


@dataclass(frozen=True)
class Record:
    """One run: what stages made, read back from their files."""

    experiment: str
    name: str
    stage: str
    description: str
    digest: str
    params: dict[str, Any]
    metrics: dict[str, float]
    costs: pd.DataFrame  # iteration, cost, and where there are several classes one column for each
    training: Table
    test: Table
    source: str
    model: Path
    artifacts: dict[Path, str]  # a file to the folder that it is shown in


@contextmanager
def ended(run_id: str, status: str = "FINISHED", broken: str = "FAILED") -> Iterator[None]:
    """End the run with `status` or, where the block raises, as `broken`, and on Ctrl-C as KILLED.

    A store that is gone by then is not reported again: the next `track` ends the run.
    """
    client = mlflow.MlflowClient()
    try:
        yield
        client.set_terminated(run_id, status)
    except BaseException as error:
        with suppress(MlflowException, SQLAlchemyError, OSError):
            client.set_terminated(run_id, "KILLED" if isinstance(error, KeyboardInterrupt) else broken)
        raise


def log(record: Record, experiment: Experiment, settings: Tracking) -> str:
    """Log `record`, unless the store has it whole; what came of it is returned."""
    run = stores.logged(experiment, record.digest)
    if run is not None:
        missing = stores.lost(run, _paths(record.artifacts), with_model=True)
        if not missing:
            return f"this result is run {run.info.run_name} already"
        print(f"{record.experiment}: run {run.info.run_name} lacks {', '.join(missing)}")
        stores.delete(run)
    tags = {
        stores.DIGEST: record.digest,
        "dvc.stage": record.stage,
        "mlflow.note.content": record.description,
        **models.made_by(_module(record)),
    }
    run_id = stores.create(experiment, record.name, tags)
    with ended(run_id):
        _fill(run_id, record, experiment, settings)
    stores.logged(experiment, record.digest)
    return f"logged as run {record.name}"


def _fill(run_id: str, record: Record, experiment: Experiment, settings: Tracking) -> None:
    client, now = mlflow.MlflowClient(), int(time.time() * 1000)
    params = {key: str(value) for key, value in record.params.items()}
    rows = [Param(key, value) for key, value in params.items()]
    for start in range(0, len(rows), 100):  # the most that one request may carry
        client.log_batch(run_id, params=rows[start : start + 100])
    tables = {"training": record.training, "test": record.test}
    datasets = models.log_datasets(run_id, record.experiment, record.source, tables)
    model_id = models.log_model(run_id, experiment, record.model, record.training, params, _module(record))
    metrics = [
        models.metric(
            key,
            record.metrics[name],
            now,
            datasets["training" if name.startswith("train/") else "test"],
            None if name.startswith(REFERENCE) else model_id,
        )
        for name, key in keys(record.metrics).items()
    ]
    metrics += _cost_metrics(record.costs, settings.points, now, datasets["training"])
    for start in range(0, len(metrics), 1000):
        client.log_batch(run_id, metrics=metrics[start : start + 1000])
    for file, folder in record.artifacts.items():
        if file.name in (paths.REPORT.name, paths.CARD.name):
            commit, command = stores.provenance().get("git.commit", "none"), f"python -m pipeline reproduce {run_id}"
            text = report.with_origin(file, commit, command, composition.unlike_conf(report.SECTIONS))
            client.log_text(run_id, text, posixpath.join(folder, file.name))
        else:
            client.log_artifact(run_id, str(file), artifact_path=folder)
    log_settings(run_id)


def log_settings(run_id: str) -> None:
    """What `reproduce` starts from."""
    for name in ("params.yaml", "dvc.lock"):
        if Path(name).exists():
            mlflow.MlflowClient().log_artifact(run_id, name)


def _module(record: Record) -> str:
    return f"pipeline/stages/{record.stage}.py"


def _paths(artifacts: dict[Path, str]) -> list[str]:
    return [posixpath.join(folder, file.name) for file, folder in artifacts.items()]


def _cost_metrics(costs: pd.DataFrame, points: int, now: int, dataset: Dataset) -> list[Metric]:
    """The curves, thinned to `points` steps whose distances grow as the cost's changes shrink.

    The UI orders the charts by the part of their name before the slash, and puts names without one last.
    """
    last = len(costs) - 1
    steps = np.arange(last + 1)
    if last > points:
        steps = np.unique(np.geomspace(1, last + 1, points).round().astype(int) - 1)
    thinned = costs.iloc[steps]
    metric_names = {
        name: "cost/training" if name == "cost" else f"cost by class/{name.removeprefix('cost/')}"
        for name in thinned.columns[1:]
    }
    mlflow_keys = keys(metric_names.values())
    return [
        Metric(mlflow_keys[key], float(value), now, int(step), dataset_name=dataset.name, dataset_digest=dataset.digest)
        for name, key in metric_names.items()
        for step, value in zip(thinned["iteration"], thinned[name], strict=True)
        if not np.isnan(value)
    ]


def keys(names: Iterable[str]) -> dict[str, str]:
    """A key for each name in the characters that MLflow allows, no two alike: a class may be called `<=50K`."""
    mlflow_keys: dict[str, str] = {}
    for name in names:
        key = name
        for sign, word in SIGNS.items():
            key = key.replace(sign, word)
        key = re.sub(r"[^\w\-. :/]", "_", key)[:200]  # 250 are allowed
        key = key if posixpath.normpath(key) == key else key.replace("/", "_")
        while key in mlflow_keys.values():
            key += "_"
        mlflow_keys[name] = key
    return mlflow_keys

"""Finished results into MLflow: the one module that knows it.

A run is found by a tag that holds the digest of what it records, so the same result is never logged twice, whoever made
it: `dvc repro`, an experiment in a copy of the repository, or another machine on the same server. The digest is the
last thing that a run gets; a run that was interrupted has none, and is logged again.
"""

import logging
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock

# A server that is down should be reported in seconds, not after MLflow's four minutes of retries.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.entities import DatasetInput, Experiment, InputTag, Metric, Param, ViewType
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ParamSchema, ParamSpec
from sqlalchemy.exc import SQLAlchemyError

from pipeline import tables
from pipeline.config import Tracking
from pipeline.errors import UserError

DIGEST = "result.digest"
TRAINING = {"mlflow.experimentKind": "custom_model_development"}  # the UI opens on its pages for trained models
logging.getLogger("mlflow").setLevel(logging.WARNING)
REQUIREMENTS = ["mlflow", "numpy", "pandas", "scikit-learn", "skops"]


@dataclass(frozen=True)
class Record:
    """One run: what a stage made, read back from its files."""

    experiment: str
    name: str
    stage: str
    description: str
    digest: str
    params: dict[str, Any]
    metrics: dict[str, float]
    costs: pd.DataFrame  # iteration, cost, and a column a class where there are several
    training: pd.DataFrame
    test: pd.DataFrame
    source: str
    model: Path
    artifacts: dict[Path, str]  # a file to the folder that it is shown in


def repository() -> Path:
    """The root of the real repository, also from the throw-away copy that an experiment runs in.

    DVC sets DVC_ROOT for its stages (dvc/repo/experiments/queue/base.py).
    """
    return Path(os.environ.get("DVC_ROOT", Path.cwd()))


def store(settings: Tracking) -> str:
    """MLFLOW_TRACKING_URI, else `tracking.uri`, else mlflow.db in the repository; relative files are relative to it."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or settings.uri or "sqlite:///mlflow.db"
    scheme, separator, path = uri.partition(":///")
    return f"{scheme}:///{repository() / path}" if separator and scheme == "sqlite" else uri


def log(records: list[Record], settings: Tracking) -> None:
    """Log each record that the store does not hold yet. Raises `UserError` where the store can't be reached."""
    uri = store(settings)
    mlflow.set_tracking_uri(uri)
    try:
        with FileLock(repository() / ".dvc" / "tmp" / "track.lock"):  # two at once would both find nothing and log
            for record in records:
                experiment = _experiment(record.experiment, uri)
                if found := _logged(experiment, record.digest):
                    print(f"{record.experiment}: this result is run {found} already")
                else:
                    print(f"{record.experiment}: logged as run {_log(record, experiment, settings)}")
    except (MlflowException, SQLAlchemyError, ImportError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"the MLflow store {uri} can't be used: {reason}\n"
            "Everything up to here is safe in outputs/. Mend the store or set MLFLOW_TRACKING_URI; "
            "`dvc repro` then goes on from here."
        ) from None


def _experiment(name: str, uri: str) -> Experiment:
    client = mlflow.MlflowClient()
    found = client.get_experiment_by_name(name)
    if found is None:
        # Without a server MLflow would take ./mlruns of the current folder, which may be a copy soon to be removed.
        local = None if uri.startswith("http") else (repository() / "mlartifacts" / name).as_uri()
        return client.get_experiment(client.create_experiment(name, local, TRAINING))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return found


def _logged(experiment: Experiment, digest: str) -> str | None:
    runs = mlflow.MlflowClient().search_runs(
        [experiment.experiment_id], f"tags.`{DIGEST}` = '{digest}'", run_view_type=ViewType.ACTIVE_ONLY, max_results=1
    )
    return runs[0].info.run_name if runs else None


@contextmanager
def _run(record: Record, experiment: Experiment) -> Iterator[mlflow.ActiveRun]:
    """An MLflow run that ends as FINISHED, FAILED or, on Ctrl-C, KILLED."""
    mlflow.start_run(
        experiment_id=experiment.experiment_id,
        run_name=record.name,
        description=record.description,
        tags=_provenance() | {"dvc.stage": record.stage},
    )
    status = "FAILED"
    try:
        yield mlflow.active_run()
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        mlflow.end_run(status)


def _log(record: Record, experiment: Experiment, settings: Tracking) -> str:
    client = mlflow.MlflowClient()
    with _run(record, experiment) as run:
        run_id, now = run.info.run_id, int(time.time() * 1000)
        params = [Param(key, str(value)) for key, value in record.params.items()]
        metrics = [Metric(key, value, now, 0) for key, value in record.metrics.items()]
        metrics += _cost_metrics(record.costs, settings.points, now)
        for start in range(0, len(params), 100):  # the most that one request may carry
            client.log_batch(run_id, params=params[start : start + 100])
        for start in range(0, len(metrics), 1000):
            client.log_batch(run_id, metrics=metrics[start : start + 1000])
        _log_datasets(client, run_id, record)
        for file, folder in record.artifacts.items():
            client.log_artifact(run_id, str(file), artifact_path=folder)
        for file in ("params.yaml", "dvc.lock"):
            if Path(file).exists():
                client.log_artifact(run_id, file)
        _log_model(record)
        client.set_tag(run_id, DIGEST, record.digest)
    return record.name


def _cost_metrics(costs: pd.DataFrame, points: int, now: int) -> list[Metric]:
    """The curves, thinned to `points` steps whose distances grow as the cost's changes shrink."""
    last = len(costs) - 1
    steps = np.unique(np.geomspace(1, last + 1, points).round().astype(int) - 1) if last > points else range(last + 1)
    thinned = costs.iloc[steps]
    return [
        Metric(name if name == "cost" else f"cost/{name}", float(value), now, int(step))
        for name in thinned.columns[1:]
        for step, value in zip(thinned["iteration"], thinned[name], strict=True)
        if not np.isnan(value)
    ]


def _log_datasets(client: mlflow.MlflowClient, run_id: str, record: Record) -> None:
    inputs = []
    for context, table in (("training", record.training), ("test", record.test)):
        source = CodeDatasetSource({"source": record.source})
        dataset = mlflow.data.from_pandas(table, source=source, targets=table.columns[-1], name=record.experiment)
        tag = InputTag("mlflow.data.context", context)
        inputs.append(DatasetInput(dataset=dataset._to_mlflow_entity(), tags=[tag]))
    client.log_inputs(run_id, inputs)
    client.set_tag(run_id, "data.digest", inputs[0].dataset.digest)


def _log_model(record: Record) -> None:
    """The saved file and the code that reads it: `mlflow.pyfunc.load_model` unpickles nothing."""
    X, y = tables.features_and_target(record.training.head(5))
    signature = mlflow.models.infer_signature(X, y)
    probabilities = ParamSchema([ParamSpec("probabilities", "boolean", default=False)])
    mlflow.pyfunc.log_model(
        name="model",
        loader_module="pipeline.model",
        data_path=str(record.model),
        code_paths=["pipeline"],
        signature=ModelSignature(signature.inputs, signature.outputs, probabilities),
        input_example=X,
        pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
    )


def _provenance() -> dict[str, str]:
    """Where a run's code and configuration come from: git's commit and DVC's experiment."""
    tags = {
        "git.commit": os.environ.get("DVC_EXP_BASELINE_REV") or _git("rev-parse", "HEAD"),
        # What DVC writes itself does not count: the run's parameters and results are logged with it.
        "git.dirty": str(
            bool(_git("status", "--porcelain", "--", ".", ":!dvc.lock", ":!params.yaml", ":!outputs"))
        ).lower(),
        "dvc.experiment": os.environ.get("DVC_EXP_NAME", ""),
        "dvc.baseline": os.environ.get("DVC_EXP_BASELINE_REV", ""),
    }
    return {key: value for key, value in tags.items() if value}


def _git(*arguments: str) -> str:
    answer = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return answer.stdout.strip()

"""One model's run: parameters, costs, scores, data sets, files and the model itself."""

import hashlib
import json
import posixpath
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Dataset, DatasetInput, Experiment, InputTag, Metric, Param
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from pipeline.columns.target import features_and_target
from pipeline.config import Tracking
from pipeline.tracking import shipping
from pipeline.tracking.stores import DIGEST, provenance

TYPES = {"f": DataType.double, "M": DataType.datetime, "O": DataType.string}  # by the kind of a column
ATTEMPT = "result.attempt"  # the digest from the start on
SIGNS = {"<=": "at most ", ">=": "at least ", "<": "under ", ">": "over ", "+": " plus", "%": " percent", "&": " and "}


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
    training: pd.DataFrame
    test: pd.DataFrame
    source: str
    model: Path
    artifacts: dict[Path, str]  # a file to the folder that it is shown in


@contextmanager
def _run(record: Record, experiment: Experiment) -> Iterator[mlflow.ActiveRun]:
    """An MLflow run that ends as FINISHED, FAILED or, on Ctrl-C, KILLED."""
    run = mlflow.start_run(
        experiment_id=experiment.experiment_id,
        run_name=record.name,
        description=record.description,
        tags=provenance() | {"dvc.stage": record.stage, ATTEMPT: record.digest},
    )
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        mlflow.end_run(status)


def log(record: Record, experiment: Experiment, settings: Tracking) -> str:
    """Log `record` and return the run's name; what a crash left behind of an earlier attempt is closed."""
    client = mlflow.MlflowClient()
    left = f"tags.`{ATTEMPT}` = '{record.digest}' and attributes.status = 'RUNNING'"
    for earlier in client.search_runs([experiment.experiment_id], left):
        client.set_terminated(earlier.info.run_id, "KILLED")
    with _run(record, experiment) as run:
        run_id, now = run.info.run_id, int(time.time() * 1000)
        params = [Param(key, str(value)) for key, value in record.params.items()]
        metrics = [Metric(key, record.metrics[name], now, 0) for name, key in _keys(record.metrics).items()]
        metrics += _cost_metrics(record.costs, settings.points, now)
        for start in range(0, len(params), 100):  # the most that one request may carry
            client.log_batch(run_id, params=params[start : start + 100])
        for start in range(0, len(metrics), 1000):
            client.log_batch(run_id, metrics=metrics[start : start + 1000])
        _log_datasets(client, run_id, record)
        for file, folder in record.artifacts.items():
            client.log_artifact(run_id, str(file), artifact_path=folder)
        for name in ("params.yaml", "dvc.lock"):
            if Path(name).exists():
                client.log_artifact(run_id, name)
        _log_model(record)
        client.set_tag(run_id, DIGEST, record.digest)
    return record.name


def _cost_metrics(costs: pd.DataFrame, points: int, now: int) -> list[Metric]:
    """The curves, thinned to `points` steps whose distances grow as the cost's changes shrink."""
    last = len(costs) - 1
    steps = np.arange(last + 1)
    if last > points:
        steps = np.unique(np.geomspace(1, last + 1, points).round().astype(int) - 1)
    thinned = costs.iloc[steps]
    return [
        Metric(key, float(value), now, int(step))
        for name, key in _keys(thinned.columns[1:]).items()
        for step, value in zip(thinned["iteration"], thinned[name], strict=True)
        if not np.isnan(value)
    ]


def _keys(names: Iterable[str]) -> dict[str, str]:
    """A key for each name in the characters that MLflow allows, no two alike: a class may be called `<=50K`."""
    keys: dict[str, str] = {}
    for name in names:
        key = name
        for sign, word in SIGNS.items():
            key = key.replace(sign, word)
        key = re.sub(r"[^\w\-. :/]", "_", key)[:200]  # 250 are allowed
        key = key if posixpath.normpath(key) == key else key.replace("/", "_")
        while key in keys.values():
            key += "_"
        keys[name] = key
    return keys


def _log_datasets(client: mlflow.MlflowClient, run_id: str, record: Record) -> None:
    inputs = []
    for context, table in (("training", record.training), ("test", record.test)):
        source = CodeDatasetSource({"source": record.source})
        # MLflow looks at each cell in Python: a minute for a million rows. The first ones show the types.
        few = from_pandas(table.head(1000), source=source, targets=table.columns[-1], name=record.experiment)
        digest = hashlib.sha256(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes()).hexdigest()[:8]
        shape = json.dumps({"num_rows": len(table), "num_elements": table.size})
        dataset = Dataset(**dict(few._to_mlflow_entity()) | {"digest": digest, "profile": shape})
        inputs.append(DatasetInput(dataset=dataset, tags=[InputTag("mlflow.data.context", context)]))
    client.log_inputs(run_id, inputs)
    client.set_tag(run_id, "data.digest", inputs[0].dataset.digest)


class _Flavour:
    """`mlflow.pyfunc` for `Model.log`, without loading what it saved to try the example, which takes longest."""

    @staticmethod
    def save_model(path: str, validate_serving_input: bool, **settings: Any) -> None:
        mlflow.pyfunc.save_model(path, **settings)


def _log_model(record: Record) -> None:
    """The saved file and the code that reads it: `mlflow.pyfunc.load_model` unpickles nothing."""
    X, _ = features_and_target(record.training.head(5))
    with shipping.copied() as code:
        mlflow.models.Model.log(
            artifact_path=None,
            name="model",
            flavor=_Flavour,
            flavor_name="mlflow.pyfunc",
            validate_serving_input=False,
            loader_module=shipping.ENTRY,
            data_path=str(record.model),
            code_paths=[str(code)],
            signature=signature(record.training),
            input_example=X,
            pip_requirements=shipping.REQUIREMENTS,
        )


def signature(training: pd.DataFrame) -> ModelSignature:
    """The raw columns with their types, all of them optional: every cell may be missing.

    `serving` has what the model accepts besides these types, and why.
    """
    X, y = features_and_target(training.head(5))
    raw = Schema([ColSpec(TYPES[kind.kind], str(name), required=False) for name, kind in X.dtypes.items()])
    probabilities = ParamSchema([ParamSpec("probabilities", "boolean", default=False)])
    return ModelSignature(raw, mlflow.models.infer_signature(model_output=y).outputs, probabilities)

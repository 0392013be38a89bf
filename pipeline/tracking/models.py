"""A model and its data as MLflow stores them, and the metrics of both."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Dataset, DatasetInput, Experiment, InputTag, Metric
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from pipeline.columns.target import features_and_target
from pipeline.files.stored import Table, row_hashes
from pipeline.tracking import shipping
from pipeline.tracking.stores import model_name

TYPES = {"f": DataType.double, "M": DataType.datetime, "O": DataType.string}  # by the kind of a column


def log_datasets(run_id: str, name: str, source: str, tables: Mapping[str, Table]) -> dict[str, Dataset]:
    """Log the rows of each context, `training` or `test`, as an input of the run."""
    datasets = {}
    for context, table in tables.items():
        # MLflow looks at each cell in Python: a minute for a million rows. The first ones show the types.
        few = from_pandas(
            table.head(1000), source=CodeDatasetSource({"source": source}), targets=table.columns[-1], name=name
        )
        digest = hashlib.sha256(row_hashes(table).tobytes()).hexdigest()[:8]
        shape = json.dumps({"num_rows": len(table), "num_elements": len(table) * len(table.columns)})
        datasets[context] = Dataset(**dict(few._to_mlflow_entity()) | {"digest": digest, "profile": shape})
    client = mlflow.MlflowClient()
    inputs = [
        DatasetInput(dataset=dataset, tags=[InputTag("mlflow.data.context", context)])
        for context, dataset in datasets.items()
    ]
    client.log_inputs(run_id, inputs)
    client.set_tag(run_id, "data.digest", datasets["training"].digest)
    return datasets


def metric(key: str, value: float, now: int, dataset: Dataset, model_id: str | None = None) -> Metric:
    """A metric on a data set, of a model where its id is given."""
    return Metric(key, value, now, 0, model_id, dataset.name, dataset.digest)


class _Flavour:
    """`mlflow.pyfunc` for `Model.log`, without loading what it saved to try the example, which takes longest."""

    @staticmethod
    def save_model(path: str, validate_serving_input: bool, **settings: Any) -> None:
        mlflow.pyfunc.save_model(path, **settings)


def made_by(module: str) -> dict[str, str]:
    """The tags of a run or a model that the UI shows as its source."""
    return {"mlflow.source.name": module, "mlflow.source.type": "LOCAL"}


def log_model(
    run_id: str, experiment: Experiment, file: Path, training: Table, params: dict[str, str], module: str
) -> str:
    """Log the saved model with the code that reads it, named after the data; its id is returned.

    `mlflow.pyfunc.load_model` unpickles nothing.
    """
    client, X = mlflow.MlflowClient(), features_and_target(training.head(5))[0]
    name, place, tags = model_name(experiment.name).replace(".", "_"), experiment.experiment_id, made_by(module)
    model_id = client.create_logged_model(place, name, run_id, tags, params).model_id
    with shipping.copied() as code:
        mlflow.models.Model.log(
            artifact_path=None,
            run_id=run_id,
            model_id=model_id,
            flavor=_Flavour,
            validate_serving_input=False,
            loader_module=shipping.ENTRY,
            data_path=str(file),
            code_paths=[str(code)],
            signature=signature(training),
            input_example=X,
            pip_requirements=shipping.REQUIREMENTS,
        )
    # Earlier ones, and those of a request that MLflow sent again because it was answered with an error.
    for twin in client.search_logged_models([place], f"source_run_id = '{run_id}'"):
        if twin.model_id != model_id:
            client.delete_logged_model(twin.model_id)
    return model_id


def signature(training: Table) -> ModelSignature:
    """The raw columns with their types, all of them optional: every cell may be missing.

    `serving` has what the model accepts besides these types, and why.
    """
    X, y = features_and_target(training.head(5))
    raw = Schema([ColSpec(TYPES[kind.kind], str(name), required=False) for name, kind in X.dtypes.items()])
    probabilities = ParamSchema([ParamSpec("probabilities", "boolean", default=False)])
    return ModelSignature(raw, mlflow.models.infer_signature(model_output=y).outputs, probabilities)

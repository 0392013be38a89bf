"""Models of the store by name: of a run, logged, or registered."""

from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, ErrorCode

from pipeline import model
from pipeline.config import Tracking
from pipeline.errors import UserError
from pipeline.tracking import stores
from pipeline.tracking.stores import opened

UNKNOWN = {ErrorCode.Name(code) for code in (RESOURCE_DOES_NOT_EXIST, INVALID_PARAMETER_VALUE)}
STEP = "Mend the store, or set MLFLOW_TRACKING_URI."


def load(name: str, settings: Tracking) -> model.Model:
    """The model that `name` stands for: models:/<name>@<alias>, models:/<name>/<version>, models:/<id>, or a run's id.

    Errors: `UserError` where there is no such model or run, and for a model that is not one of this pipeline.
    """
    with opened(settings, STEP), TemporaryDirectory() as folder:
        uri = name if name.startswith("models:/") else f"models:/{_of_run(name)}"
        try:
            place = mlflow.artifacts.download_artifacts(uri, dst_path=folder)
        except MlflowException as error:
            if error.error_code not in UNKNOWN:
                raise
            raise UserError(f"there is no model {name}: {error.message}\n{_known()}") from None
        files = sorted(Path(place).rglob("*.skops"))
        if len(files) != 1:
            raise UserError(f"the model {name} is not one of this pipeline: it has no file model.skops.\n{_known()}")
        try:
            return model.load(files[0])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"the model {name} was saved by another version of this pipeline, which this one can't read ({error}). "
                f"MLflow can, with the code that it has stored: mlflow models predict --env-manager local -m {uri}."
            ) from None


def _of_run(run_id: str) -> str:
    """The id of the model that a run logged."""
    try:
        run = mlflow.MlflowClient().get_run(run_id)
    except MlflowException as error:
        if error.error_code not in UNKNOWN:
            raise
        raise UserError(f"--model {run_id} is the id of no run. {_known()}") from None
    logged = stores.models(run)
    if not logged:
        raise UserError(f"the run {run_id} has no model. {_known()}")
    return logged[-1].model_id


def _known() -> str:
    """What --model can be."""
    found = sorted(entry.name for entry in mlflow.MlflowClient().search_registered_models())
    names = f" Registered are {', '.join(found)}." if found else ""
    return f"Give models:/<name>@champion, models:/<id>, or the id of a run, which `make ui` shows.{names}"

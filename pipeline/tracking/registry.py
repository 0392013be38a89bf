"""Models of the store by name: of a run, logged, or registered."""

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, ErrorCode

from pipeline import model
from pipeline.config import Tracking
from pipeline.errors import UserError
from pipeline.tracking import stores
from pipeline.tracking.stores import opened

CHAMPION = "champion"  # the alias
DIGEST = "model.digest"  # of the file, a tag of a version
UNKNOWN = {ErrorCode.Name(code) for code in (RESOURCE_DOES_NOT_EXIST, INVALID_PARAMETER_VALUE)}
STEP = "Mend the store, or set MLFLOW_TRACKING_URI."


class Stored(NamedTuple):
    """A logged model."""

    name: str  # under which it is registered or would be: that of the data
    version: str | None
    source: str  # its address
    run_id: str
    model: model.Model
    digest: str  # of its file


def candidate(run_id: str | None, digest: str | None, settings: Tracking) -> Stored:
    """The model of a run, or of the result with this digest. Errors: `UserError` where there is none."""
    with opened(settings, STEP):
        client = mlflow.MlflowClient()
        if run_id is None:
            places = [place.experiment_id for place in client.search_experiments()]
            found = stores.search(places, f"tags.`{stores.DIGEST}` = '{digest}' and attributes.status = 'FINISHED'")
            if not found:
                raise UserError("the result in outputs/ is not in MLflow yet. `python -m pipeline track` logs it.")
            run_id = found[0].info.run_id
        source = f"models:/{_of_run(run_id)}"
        name = stores.model_name(client.get_experiment(client.get_run(run_id).info.experiment_id).name)
    return Stored(name, None, source, run_id, *_read(source, settings))


def champion(name: str, settings: Tracking) -> Stored | None:
    """The champion of a registered model, None where none was promoted."""
    with opened(settings, STEP):
        version = _champion(name)
    if version is None:
        return None
    fitted, digest = _read(f"models:/{name}@{CHAMPION}", settings)
    return Stored(name, str(version.version), str(version.source), str(version.run_id), fitted, digest)


def _champion(name: str) -> ModelVersion | None:
    try:
        return mlflow.MlflowClient().get_model_version_by_alias(name, CHAMPION)
    except MlflowException as error:
        if error.error_code not in UNKNOWN:
            raise
        return None


def promote(found: Stored, tags: dict[str, str], settings: Tracking) -> str:
    """Register the model, unless it is, and give it the alias; the version is returned."""
    with opened(settings, STEP):
        client = mlflow.MlflowClient()
        if found.name not in {entry.name for entry in client.search_registered_models()}:
            client.create_registered_model(found.name)
        versions = client.search_model_versions(f"name = '{found.name}' and tags.`{DIGEST}` = '{found.digest}'")
        if versions:
            version = versions[0].version
        else:
            version = client.create_model_version(found.name, found.source, found.run_id).version
            client.set_model_version_tag(found.name, version, DIGEST, found.digest)
        for key, value in tags.items():
            client.set_model_version_tag(found.name, version, key, value)
        client.set_registered_model_alias(found.name, CHAMPION, version)
    return str(version)


def serve(settings: Tracking, title: str, port: int) -> None:
    """Become MLflow's own server of the champion. Errors: `UserError` where there is none."""
    name = stores.model_name(title)
    with opened(settings, STEP) as uri:
        if _champion(name) is None:
            raise UserError(f"{name} has no champion yet. `python -m pipeline promote` makes one.")
    print(f"{name}: http://127.0.0.1:{port}/invocations takes rows as CSV or JSON. Ctrl-C ends it.", flush=True)
    where = ["--model-uri", f"models:/{name}@{CHAMPION}", "--env-manager", "local", "--port", str(port)]
    command = ["mlflow", "models", "serve", *where]
    os.execvpe(command[0], command, {**os.environ, "MLFLOW_TRACKING_URI": uri})


def load(name: str, settings: Tracking) -> model.Model:
    """The model that `name` stands for: models:/<name>@<alias>, models:/<name>/<version>, models:/<id>, or a run's id.

    Errors: `UserError` where there is no such model or run, and for a model that is not one of this pipeline.
    """
    return _read(name, settings)[0]


def _read(name: str, settings: Tracking) -> tuple[model.Model, str]:
    """The model, and the digest of its file."""
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
            return model.load(files[0]), hashlib.sha256(files[0].read_bytes()).hexdigest()
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
        raise UserError(f"there is no run {run_id}. {_known()}") from None
    logged = stores.models(run)
    if not logged:
        raise UserError(f"the run {run_id} has no model. {_known()}")
    return logged[-1].model_id


def _known() -> str:
    """What a model can be named by."""
    found = sorted(entry.name for entry in mlflow.MlflowClient().search_registered_models())
    names = f" Registered are {', '.join(found)}." if found else ""
    return f"Name models:/<name>@champion, models:/<id>, or the id of a run, which `make ui` shows.{names}"

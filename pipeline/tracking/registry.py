"""Models of the store by name: of a run, logged, or registered."""

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import mlflow
import pandas as pd
from mlflow.entities import Metric, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, ErrorCode

from pipeline import model
from pipeline.config import Tracking
from pipeline.errors import UserError
from pipeline.files import formats, paths
from pipeline.tracking import models, runs, shipping, stores
from pipeline.tracking.stores import opened

CHAMPION = "champion"  # the alias
DIGEST = "model.digest"  # of the file, a tag of a version
SCORED = ("test/", "decision/")  # metrics of a run that are tags of a version
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
        run = _of_result(digest) if run_id is None else _run(run_id)
        if run is None:
            raise UserError("the result in outputs/ is not in MLflow yet. `python -m pipeline track` logs it.")
        source = f"models:/{_model_of(run)}"
        name = stores.model_name(mlflow.MlflowClient().get_experiment(run.info.experiment_id).name)
    return Stored(name, None, source, run.info.run_id, *_read(source, settings))


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


def promote(candidate: Stored, tags: dict[str, str], settings: Tracking) -> str:
    """Register the model, unless it is, and give it the alias; the version is returned."""
    with opened(settings, STEP):
        client = mlflow.MlflowClient()
        if candidate.name not in {entry.name for entry in client.search_registered_models()}:
            client.create_registered_model(candidate.name)
        versions = client.search_model_versions(f"name = '{candidate.name}' and tags.`{DIGEST}` = '{candidate.digest}'")
        if versions:
            version = versions[0].version
        else:
            run = client.get_run(candidate.run_id)
            note = run.data.tags.get("mlflow.note.content")
            made = client.create_model_version(candidate.name, candidate.source, candidate.run_id, description=note)
            version = made.version
            client.set_model_version_tag(candidate.name, version, DIGEST, candidate.digest)
            for key, score in sorted(run.data.metrics.items()):
                if key.startswith(SCORED):
                    client.set_model_version_tag(candidate.name, version, key.replace("/", " "), f"{score:.4f}")
        for key, value in tags.items():
            client.set_model_version_tag(candidate.name, version, key, value)
        client.set_registered_model_alias(candidate.name, CHAMPION, version)
    return str(version)


def serve(settings: Tracking, title: str, host: str, port: int) -> None:
    """Become the server of the champion. Errors: `UserError` where there is none."""
    name = stores.model_name(title)
    with opened(settings, STEP) as uri:
        version = _champion(name)
    if version is None:
        raise UserError(f"{name} has no champion yet. `python -m pipeline promote` makes one.")
    address = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
    print(f"{name}: {address}/invocations takes rows as CSV or JSON, {address} says which. Ctrl-C ends it.", flush=True)
    program, model_uri = Path(__file__).with_name("server.py"), f"models:/{name}@{CHAMPION}"
    command = [sys.executable, "-P", str(program), model_uri, f"{name}, version {version.version}", host, str(port)]
    os.execvpe(command[0], command, {**os.environ, "MLFLOW_TRACKING_URI": uri})


def load(name: str, settings: Tracking) -> model.Model:
    """The model that `name` stands for: models:/<name>@<alias>, models:/<name>/<version>, models:/<id>, or a run's id.

    Errors: `UserError` where there is no such model or run, and for a model that is not one of this pipeline.
    """
    return _read(name, settings)[0]


def _read(name: str, settings: Tracking) -> tuple[model.Model, str]:
    """The model, and the digest of its file."""
    with opened(settings, STEP), TemporaryDirectory() as folder:
        uri = name if name.startswith("models:/") else f"models:/{_model_of(_run(name))}"
        with _named("model", name):
            place = mlflow.artifacts.download_artifacts(uri, dst_path=folder)
        if any(Path(place).rglob("*.skops")):
            raise UserError(
                f"the model {name} was saved as model.skops by an earlier version of this pipeline, which this one "
                f"can't read. MLflow can, with the code that it has stored: mlflow models predict --env-manager local "
                f"-m {uri}."
            )
        files = sorted(Path(place).rglob("model.json"))
        if len(files) != 1:
            raise UserError(f"the model {name} is not one of this pipeline: it has no file model.json.\n{_advice()}")
        return model.load(files[0]), hashlib.sha256(files[0].read_bytes()).hexdigest()


def reference(name: str, settings: Tracking) -> dict[str, Any]:
    """What the rows of the model `name` stands for looked like (`drift.reference`), from the run that logged it."""
    with opened(settings, STEP), TemporaryDirectory() as folder:
        run_id = _run_of(name)
        try:
            place = mlflow.artifacts.download_artifacts(
                run_id=run_id, artifact_path=str(paths.REFERENCE), dst_path=folder
            )
        except (MlflowException, OSError):
            raise UserError(
                f"the run {run_id} of the model {name} has no {paths.REFERENCE}: an earlier version logged it. "
                f"`dvc repro` logs a new one."
            ) from None
        return formats.load_json(Path(place))


class Recorded(NamedTuple):
    """How a run was made."""

    name: str
    stage: str
    commit: str
    dirty: bool  # the code had changes that were not committed
    packages: list[tuple[str, str]]  # those that are installed in another version now: then, now


def recorded(run_id: str, folder: Path, settings: Tracking) -> Recorded:
    """How a run was made; its files are written to `folder`. Errors: `UserError` where there is no such run."""
    with opened(settings, STEP):
        client, run = mlflow.MlflowClient(), _run(run_id)
        tags = run.data.tags
        if "mlflow.parentRunId" in tags:
            raise UserError(f"the run {run_id} is part of run {tags['mlflow.parentRunId']}. Give that one.")
        folder.mkdir()
        client.download_artifacts(run_id, "", str(folder))
        if not (folder / "params.yaml").exists() or not (folder / "dvc.lock").exists():
            raise UserError(f"the run {run_id} did not log params.yaml and dvc.lock: it can't be made again.")
        packages: list[str] = []
        for stored in stores.models(run)[-1:]:
            with TemporaryDirectory() as place:
                mlflow.artifacts.download_artifacts(f"models:/{stored.model_id}", dst_path=place)
                packages = (Path(place) / "requirements.txt").read_text(encoding="utf-8").split()
    now = {line.split("==")[0]: line for line in shipping.REQUIREMENTS}
    changed = [(line, now[name]) for line in packages if (name := line.split("==")[0]) in now and now[name] != line]
    name, stage, commit = str(run.info.run_name), tags.get("dvc.stage", ""), tags.get("git.commit", "")
    return Recorded(name, stage, commit, tags.get("git.dirty") == "true", changed)


def log_watch(
    name: str | None,
    digest: str | None,
    file: str,
    page: Path,
    changes: pd.DataFrame,
    judged: pd.DataFrame | None,
    n_rows: int,
    settings: Tracking,
) -> str:
    """Log what `watch` found in a run below that of the model; what came of it is returned."""
    with opened(settings, STEP):
        client = mlflow.MlflowClient()
        if name is None:
            parent = _of_result(digest)
            if parent is None:
                return "not in MLflow, since the model is not: `python -m pipeline track` logs it"
        else:
            parent = _run(_run_of(name))
        experiment = client.get_experiment(parent.info.experiment_id)
        tags = {
            "mlflow.parentRunId": parent.info.run_id,
            "dvc.stage": "watch",
            **models.made_by("pipeline/commands/watch.py"),
        }
        run_id, model_id = stores.create(experiment, f"watch {file}", tags), stores.models(parent)[-1].model_id
        with runs.ended(run_id):
            now = int(time.time() * 1000)
            values = {f"psi/{column}": value for column, value in zip(changes["column"], changes["psi"], strict=True)}
            values |= {"watch/rows": n_rows, "watch/largest psi": changes["psi"].max()}
            if judged is not None:
                scores = judged.dropna(subset="now")
                values |= {f"watch/{score}": value for score, value in zip(scores["score"], scores["now"], strict=True)}
            metrics = [Metric(key, float(values[label]), now, 0, model_id) for label, key in runs.keys(values).items()]
            for start in range(0, len(metrics), 1000):
                client.log_batch(run_id, metrics=metrics[start : start + 1000])
            client.log_artifact(run_id, str(page))
            client.log_text(run_id, changes.to_csv(index=False, lineterminator="\n"), "changes.csv")
    return f"logged as run watch {file}, below run {parent.info.run_name}"


def _run_of(name: str) -> str:
    """The id of the run that logged the model that `name` stands for."""
    if not name.startswith("models:/"):
        return name
    with _named("model", name):
        return str(mlflow.models.get_model_info(name).run_id)


def _of_result(digest: str | None) -> Run | None:
    """The run of the result with this digest."""
    places = [place.experiment_id for place in mlflow.MlflowClient().search_experiments()]
    finished_runs = stores.search(places, f"tags.`{stores.DIGEST}` = '{digest}' and attributes.status = 'FINISHED'")
    return finished_runs[0] if finished_runs else None


def _model_of(run: Run) -> str:
    """The id of the model that a run logged."""
    logged = stores.models(run)
    if not logged:
        raise UserError(f"the run {run.info.run_id} has no model. {_advice()}")
    return str(logged[-1].model_id)


def _run(run_id: str) -> Run:
    with _named("run", run_id):
        return mlflow.MlflowClient().get_run(run_id)


@contextmanager
def _named(kind: str, name: str) -> Iterator[None]:
    """Errors: `UserError` where MLflow answers that it has nothing of this name."""
    try:
        yield
    except MlflowException as error:
        if error.error_code not in UNKNOWN:
            raise
        raise UserError(f"there is no {kind} {name}. {_advice()}") from None


def _advice() -> str:
    """What a model can be named by."""
    registered_names = sorted(entry.name for entry in mlflow.MlflowClient().search_registered_models())
    names = f" Registered are {', '.join(registered_names)}." if registered_names else ""
    return f"Name models:/<name>@champion, models:/<id>, or the id of a run, which `make ui` shows.{names}"

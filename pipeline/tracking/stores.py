"""Where runs land: the store, its experiments, and what is there already.

A run is whole when it is FINISHED, which is the last thing that is written to it, and the tag `result.digest` has the
digest of what it holds.
"""

import hashlib
import json
import logging
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qsl, quote, unquote
from uuid import uuid4

from filelock import FileLock

# A server that is down should be reported in seconds, not after MLflow's four minutes of retries.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # it would print the store's password

import mlflow
from mlflow.entities import Experiment, LoggedModel, Run, ViewType
from mlflow.exceptions import MlflowException
from requests import RequestException
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError

from pipeline.config import Tracking
from pipeline.errors import UserError
from pipeline.tracking import moved

DIGEST = "result.digest"
ATTEMPT = "result.attempt"  # its own for each run
WRITER = "result.writer"  # the repository that logged it
DEAD = 3600  # seconds after which a run of another repository that is RUNNING still counts as dead
ARTIFACTS = "mlartifacts"

# A view of the runs, which the page of an experiment offers in its menu "Views" and which an address can name.
VIEW = "scores"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
COLUMNS = (
    *(f"metrics.`test/{key}`" for key in ("accuracy", "f1_macro", "roc_auc", "log_loss")),
    "metrics.`validation/log_loss`",
    *(f"params.`train.{key}`" for key in ("lambda", "learning_rate", "optimizer")),
)
logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("mlflow.store").setLevel(logging.CRITICAL)  # each error is reported once, by `opened`


def repository() -> Path:
    """The root of the real repository, also from the throw-away copy that an experiment runs in.

    DVC sets DVC_ROOT for its stages (dvc/repo/experiments/queue/base.py).
    """
    return Path(os.environ.get("DVC_ROOT", Path.cwd()))


def store(settings: Tracking) -> str:
    """MLFLOW_TRACKING_URI, else `tracking.uri`, else mlflow.db in the repository; relative files are relative to it."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or settings.uri or "sqlite:///mlflow.db"
    scheme, separator, path = uri.partition(":///")
    return _database(path) if separator and scheme == "sqlite" else uri


def _database(path: str) -> str:
    """The address of an SQLite file, where `path`, with its options, is relative to the repository.

    In an address the name of a folder has no bare %, ? or #, each of which has a meaning there. Such an address names
    the driver, too: for one that begins with sqlite:/// MLflow would make the folder as it is written.
    """
    folder = re.sub("[%?#]", lambda match: quote(match[0]), str(repository()))
    scheme = "sqlite" if folder == str(repository()) else "sqlite+pysqlite"
    return f"{scheme}:///{PurePosixPath(folder) / path}"


GO_ON = (
    "Everything up to here is safe in outputs/. Mend the store or set MLFLOW_TRACKING_URI; "
    "`dvc repro` then goes on from here."
)

# Other errors of the system, such as a full disk, are not the store's.
UNREACHED = (MlflowException, SQLAlchemyError, ImportError, RequestException, ConnectionError, TimeoutError)
DRIVERS = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}  # module to package


@contextmanager
def opened(settings: Tracking, step: str = GO_ON) -> Iterator[str]:
    """The store's address, for this process alone. Raises `UserError`, which ends with `step`, if it isn't reached."""
    uri = store(settings)
    try:
        with FileLock(repository() / ".dvc" / "tmp" / "track.lock"):  # two at once would both find nothing and log
            try:
                mlflow.set_tracking_uri(uri)
                _make_tables()
                _close_dead()
                artifacts = repository() / ARTIFACTS
                if uri == _database("mlflow.db") and artifacts.is_dir():
                    moved.follow(repository() / "mlflow.db", artifacts)
            except Exception as error:  # each database's driver has errors of its own for a bad address
                raise _unusable(uri, error, step) from None
            yield uri
    except UNREACHED as error:
        raise _unusable(uri, error, step) from None


def _make_tables() -> None:
    """Let MLflow make the tables of a new database. Where several clones do so at once, one succeeds first."""
    for seconds in (1, 2, 4, 8, 16):
        try:
            mlflow.MlflowClient().search_experiments(max_results=1)
            return
        except (IntegrityError, ProgrammingError):
            time.sleep(seconds)


def _unusable(uri: str, error: Exception, step: str) -> UserError:
    if isinstance(error, ModuleNotFoundError) and error.name:  # SQLAlchemy's driver for this kind of address
        step = f"Install what reads it: pip install '{DRIVERS.get(error.name, error.name)}'\n{step}"
    lines = [line for line in str(error).strip().splitlines() if not line.startswith("(raised as a result")]
    reason = lines[0] if lines else type(error).__name__
    return UserError(without_secrets(f"the MLflow store {uri} can't be used: {reason}\n", uri) + step)


def without_secrets(message: str, uri: str) -> str:
    """`message` with *** for the user, the password and the secret options of the address `uri`."""
    scheme, _, rest = uri.partition("://")
    user = rest.rpartition("@")[0]
    name, colon, password = user.partition(":")
    secrets = {password if colon or not scheme.startswith("http") else name}  # http://token@host
    options = parse_qsl(uri.partition("?")[2])
    secrets |= {value for key, value in options if re.search("pass|secret|token|key", key, re.IGNORECASE)}
    message = message.replace(f"{user}@", "***@") if user else message
    for secret in sorted(filter(None, secrets | {unquote(secret) for secret in secrets}), key=len, reverse=True):
        message = message.replace(secret, "***")
    return message


def _writer() -> str:
    """Which repository this is. Containers may have the host name, the path and even a copied id in common."""
    file = repository() / ".dvc" / "tmp" / "writer"
    if not file.exists():
        file.write_text(uuid4().hex, encoding="utf-8")
    identity = platform.node(), repository().resolve(), file.read_text(encoding="utf-8"), file.stat().st_ino
    return hashlib.sha256(repr(identity).encode()).hexdigest()[:16]


def _close_dead() -> None:
    """End the runs that a crash left RUNNING: all of this repository, which has the lock, and old ones of others."""
    client, now = mlflow.MlflowClient(), time.time() * 1000
    places = [place.experiment_id for place in client.search_experiments()]
    for run in search(places, f"attributes.status = 'RUNNING' and tags.`{WRITER}` LIKE '%'"):
        if run.data.tags[WRITER] == _writer() or run.info.start_time < now - DEAD * 1000:
            client.set_terminated(run.info.run_id, "KILLED")
            for model in models(run):
                client.delete_logged_model(model.model_id)


def experiment(name: str, uri: str, description: str) -> Experiment:
    """The experiment of this name. One that was deleted stays so, with its runs, under another name."""
    view = {"name": "Scores", "createdAt": 0, "state": json.dumps({"selectedColumns": COLUMNS})}
    tags = {
        "mlflow.experimentKind": "custom_model_development",
        "mlflow.note.content": description,
        VIEW_TAG: json.dumps(view),
    }
    client = mlflow.MlflowClient()
    namesake = client.get_experiment_by_name(name)
    if namesake is not None and namesake.lifecycle_stage == "deleted":
        client.restore_experiment(namesake.experiment_id)  # a deleted one can't be renamed
        client.rename_experiment(namesake.experiment_id, f"{name} (deleted, {namesake.experiment_id})")
        client.delete_experiment(namesake.experiment_id)
    if namesake is None or namesake.lifecycle_stage == "deleted":
        # Without a server MLflow would take ./mlruns of the current folder, which may be a copy soon to be removed.
        local = None if uri.startswith("http") else (repository() / ARTIFACTS / name).as_uri()
        try:
            namesake = client.get_experiment(client.create_experiment(name, local, tags))
        except MlflowException as error:
            namesake = client.get_experiment_by_name(name)  # where another clone was faster
            if namesake is None:
                raise error from None
    for key in tags.keys() - namesake.tags.keys():
        client.set_experiment_tag(namesake.experiment_id, key, tags[key])
    return namesake


def model_name(experiment_name: str) -> str:
    """What a registered model is called: after the data, without the characters that MLflow does not allow.

    A logged one, which belongs to its experiment, may have no dot either.
    """
    return re.sub(r"""[/:?%"']""", "_", experiment_name)


def search(experiment_ids: list[str], condition: str) -> list[Run]:
    """The runs that are not deleted, the earliest first."""
    runs: list[Run] = []
    token = None
    while True:
        page = mlflow.MlflowClient().search_runs(
            experiment_ids, condition, ViewType.ACTIVE_ONLY, max_results=1000, page_token=token
        )
        runs += page
        token = page.token
        if not token:
            return sorted(runs, key=lambda run: (run.info.start_time, run.info.run_id))


def create(experiment: Experiment, name: str, tags: dict[str, str]) -> str:
    """A new run; its id is returned.

    A request that was carried out but answered with an error is sent again by MLflow; what that left is deleted.
    """
    client, attempt = mlflow.MlflowClient(), uuid4().hex
    tags = {**tags, **provenance(), ATTEMPT: attempt, WRITER: _writer()}
    run_id = client.create_run(experiment.experiment_id, tags=tags, run_name=name).info.run_id
    for twin in search([experiment.experiment_id], f"tags.`{ATTEMPT}` = '{attempt}'"):
        if twin.info.run_id != run_id:
            client.delete_run(twin.info.run_id)
    return run_id


def logged(experiment: Experiment, digest: str) -> Run | None:
    """The whole run of this result: the first one. Others, of clones that logged it at the same time, are deleted."""
    runs = search([experiment.experiment_id], f"tags.`{DIGEST}` = '{digest}' and attributes.status = 'FINISHED'")
    for twin in runs[1:]:
        delete(twin)
    return runs[0] if runs else None


def delete(run: Run) -> None:
    """Delete a run with its models and its child runs. MLflow keeps them until `mlflow gc`."""
    client, place = mlflow.MlflowClient(), run.info.experiment_id
    for child in search([place], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"):
        client.delete_run(child.info.run_id)
    for model in models(run):
        client.delete_logged_model(model.model_id)
    client.delete_run(run.info.run_id)


def models(run: Run) -> list[LoggedModel]:
    condition = f"source_run_id = '{run.info.run_id}'"
    return list(mlflow.MlflowClient().search_logged_models([run.info.experiment_id], condition))


def lost(run: Run, artifacts: Iterable[str], with_model: bool) -> list[str]:
    """What a run should have but has no more: `artifacts`, by their paths in the run, and its model."""
    client, expected = mlflow.MlflowClient(), set(artifacts)
    stored_paths = {
        file.path
        for folder in {path.rpartition("/")[0] for path in expected}
        for file in client.list_artifacts(run.info.run_id, folder or None)
    }
    complete = any(
        file.path == "MLmodel" for model in models(run) for file in client.list_logged_model_artifacts(model.model_id)
    )
    return sorted(expected - stored_paths) + (["its model"] if with_model and not complete else [])


def provenance() -> dict[str, str]:
    """Where a run's code and configuration come from: git's commit and DVC's experiment."""
    commit = os.environ.get("DVC_EXP_BASELINE_REV") or _git("rev-parse", "HEAD")
    tags = {
        "git.commit": commit,
        "mlflow.source.git.commit": commit,
        # What DVC writes itself does not count: the run's parameters and results are logged with it.
        "git.dirty": str(
            bool(_git("status", "--porcelain", "--", ".", ":!dvc.lock", ":!params.yaml", ":!outputs"))
        ).lower(),
        "dvc.experiment": os.environ.get("DVC_EXP_NAME", ""),
        "dvc.baseline": os.environ.get("DVC_EXP_BASELINE_REV", ""),
    }
    return {key: value for key, value in tags.items() if value}


def _git(*arguments: str) -> str:
    try:
        answer = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError(
            "git is not installed, or not in PATH, and a run records its commit. Install git; `dvc repro` then goes on."
        ) from None
    return answer.stdout.strip()

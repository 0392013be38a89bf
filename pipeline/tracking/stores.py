"""Where runs land: the store, its experiments, and what is there already."""

import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

# A server that is down should be reported in seconds, not after MLflow's four minutes of retries.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
from mlflow.entities import Experiment, ViewType
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from pipeline.config import Tracking
from pipeline.errors import UserError

DIGEST = "result.digest"
TRAINING = {"mlflow.experimentKind": "custom_model_development"}  # the UI opens on its pages for trained models
logging.getLogger("mlflow").setLevel(logging.WARNING)


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


@contextmanager
def opened(settings: Tracking) -> Iterator[str]:
    """The store's address, for this process alone. Raises `UserError` where the store can't be reached."""
    uri = store(settings)
    mlflow.set_tracking_uri(uri)
    try:
        with FileLock(repository() / ".dvc" / "tmp" / "track.lock"):  # two at once would both find nothing and log
            yield uri
    except (MlflowException, SQLAlchemyError, ImportError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"the MLflow store {uri} can't be used: {reason}\n"
            "Everything up to here is safe in outputs/. Mend the store or set MLFLOW_TRACKING_URI; "
            "`dvc repro` then goes on from here."
        ) from None


def experiment(name: str, uri: str) -> Experiment:
    client = mlflow.MlflowClient()
    found = client.get_experiment_by_name(name)
    if found is None:
        # Without a server MLflow would take ./mlruns of the current folder, which may be a copy soon to be removed.
        local = None if uri.startswith("http") else (repository() / "mlartifacts" / name).as_uri()
        return client.get_experiment(client.create_experiment(name, local, TRAINING))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return found


def logged(experiment: Experiment, digest: str) -> str | None:
    runs = mlflow.MlflowClient().search_runs(
        [experiment.experiment_id], f"tags.`{DIGEST}` = '{digest}'", run_view_type=ViewType.ACTIVE_ONLY, max_results=1
    )
    return runs[0].info.run_name if runs else None


def provenance() -> dict[str, str]:
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

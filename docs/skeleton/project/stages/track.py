"""Log the results to MLflow, once: a run is found again by the digest of what it records."""

import hashlib
import json
import os
from pathlib import Path

import mlflow

from project import settings

FOLDER, SCORES = Path("outputs/train"), Path("outputs/train.json")


def main() -> None:
    # In an experiment of DVC the folder may be a temporary copy; the store is that of the real repository.
    root = os.environ.get("DVC_ROOT", ".")
    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path(root).absolute()}/mlflow.db")
    experiment = mlflow.set_experiment(settings("track")["experiment"]).experiment_id
    params = {f"{section}.{key}": value for section in ("data", "train") for key, value in settings(section).items()}
    files = sorted(file for file in [SCORES, *FOLDER.iterdir()])
    record = json.dumps([params, *(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)], sort_keys=True)
    digest = hashlib.sha256(record.encode()).hexdigest()
    if mlflow.search_runs([experiment], f"tags.digest = '{digest}'", output_format="list"):
        print("this result is in MLflow already")
        return
    with mlflow.start_run(tags={"digest": digest}):
        mlflow.log_params(params)
        mlflow.log_metrics(json.loads(SCORES.read_text(encoding="utf-8")))
        mlflow.log_artifacts(str(FOLDER))

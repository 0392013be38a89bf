"""MLflow's pages, and their addresses."""

import os
import socket
from urllib.parse import urlsplit

import mlflow

from pipeline.config import Tracking
from pipeline.errors import UserError
from pipeline.tracking.stores import VIEW, VIEW_TAG, opened

FIRST_PORT = 5000


def show(settings: Tracking) -> None:
    """Print the address of the runs of each experiment, and serve the pages if the store is a database."""
    with opened(settings) as uri:
        experiments = mlflow.MlflowClient().search_experiments()
    experiment_ids = sorted((place.name, place.experiment_id) for place in experiments if VIEW_TAG in place.tags)
    if not experiment_ids:
        raise UserError("the MLflow store has no runs of this pipeline yet. `dvc repro` logs them.")
    port = next(port for port in range(FIRST_PORT, 2**16) if _is_free(port))
    served = uri.startswith("http")
    server = urlsplit(uri)
    address = f"{server.scheme}://{server.netloc.rpartition('@')[2]}{server.path.rstrip('/')}" if served else ""
    address = address or f"http://127.0.0.1:{port}"
    for name, number in experiment_ids:
        query = f"workflowType=machine_learning&viewStateShareKey={VIEW}"  # its start page is for other uses
        print(f"{name}: {address}/#/experiments/{number}/runs?{query}", flush=True)
    if not served:
        print("Ctrl-C ends it.", flush=True)
        command = ["mlflow", "ui", "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]
        environment = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        os.execvpe(command[0], command, {**os.environ, **environment})


def _is_free(port: int) -> bool:
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

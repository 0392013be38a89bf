"""The logged model in the environment it records, and behind MLflow's own server."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from pipeline import model
from pipeline.tracking import log

from .conftest import SETTINGS, record_of, runs, train_on, write_table

pytestmark = pytest.mark.slow

Post = Callable[..., tuple[int, Any]]
Logged = tuple[str, model.Model, pd.DataFrame, Path]
ROWS = [
    {"age": 30, "income": 4.5, "colour": "red", "code": "001", "retired": True, "sold": "02.03.2023"},
    {"age": 55.5, "income": 11, "colour": "blue", "code": "003", "retired": False, "sold": "11.09.2023"},
]


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    """The address of a logged model of the table, the model itself, the table, and its file."""
    folder = tmp_path_factory.mktemp("served")
    (folder / ".dvc" / "tmp").mkdir(parents=True)
    trained, table = train_on(write_table(folder / "table.csv"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DVC_ROOT", str(folder))
        log.log([record_of(trained, table, folder, "table")], SETTINGS)
        uri = mlflow.artifacts.download_artifacts(f"runs:/{runs('table')[0].info.run_id}/table", dst_path=str(folder))
        yield uri, trained.model, table, folder / "table.csv"
        mlflow.set_tracking_uri(None)


@pytest.fixture(scope="module")
def post(
    logged: tuple[str, model.Model, pd.DataFrame, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Post]:
    """`post(body, content_type)` sends to `mlflow models serve`, and returns the status and the answer."""
    folder = tmp_path_factory.mktemp("server")  # from where this repository can't be imported
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", logged[0], "--env-manager", "local"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "PYTHONPATH"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    with (folder / "log").open("w") as output:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def send(path: str, body: bytes | None = None, content_type: str = "") -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", body, {"Content-Type": content_type})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def post(body: Any, content_type: str = "application/json") -> tuple[int, Any]:
        written = body if isinstance(body, str) else json.dumps(body)
        status, answer = send("invocations", written.encode(), content_type)
        decoded = json.loads(answer)
        return status, decoded["predictions"] if status == 200 else decoded["message"]

    def ready() -> bool:
        assert server.poll() is None, (folder / "log").read_text()
        try:
            return send("ping")[0] == 200
        except OSError:
            return False

    try:
        while not ready():
            time.sleep(0.2)
        yield post
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def test_the_model_loads_and_predicts_in_exactly_the_environment_that_it_records(
    logged: Logged, tmp_path: Path
) -> None:
    uri, fitted, table, file = logged
    script = Path(__file__).with_name("recorded_environment.py")
    done = subprocess.run(
        [sys.executable, "-I", script, uri, file], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["predicted"] == fitted.classify(table.iloc[:, :-1]).tolist()
    assert {"omegaconf", "hydra", "dvc", "pytest"} <= set(answer["blocked"])
    shipped = sorted(str(path) for path in (Path(uri) / "code").rglob("*.py"))
    assert answer["modules"] == shipped  # all that is shipped is needed, and all that is needed is shipped


def test_the_signature_has_the_types_of_the_columns_all_optional(logged: Logged) -> None:
    inputs = mlflow.models.Model.load(logged[0]).signature.inputs
    types = {column.name: (column.type.name, column.required) for column in inputs}
    assert types == {
        "age": ("double", False),
        "income": ("double", False),
        "colour": ("string", False),
        "code": ("string", False),
        "retired": ("string", False),
        "sold": ("datetime", False),
    }


def test_frames_of_types_of_strings_and_as_pandas_reads_them_are_predicted_alike(logged: Logged) -> None:
    uri, fitted, table, file = logged
    loaded = mlflow.pyfunc.load_model(uri)
    expected = fitted.classify(table.iloc[:, :-1])
    for frame in (table.iloc[:, :-1], pd.read_csv(file, dtype=str, keep_default_na=False), pd.read_csv(file)):
        np.testing.assert_array_equal(loaded.predict(frame), expected)


def test_the_server_answers_text_csv_as_the_training_file_has_it(logged: Logged, post: Post) -> None:
    _, fitted, table, file = logged
    expected = fitted.classify(table.iloc[:, :-1]).tolist()
    assert len(set(expected)) == 2
    assert post(file.read_text(), "text/csv") == (200, expected)


@pytest.mark.parametrize("form", ["dataframe_records", "dataframe_split", "instances", "inputs"])
def test_the_server_answers_json_in_each_of_mlflows_forms(logged: Logged, post: Post, form: str) -> None:
    frame = pd.DataFrame(ROWS)
    bodies = {
        "dataframe_records": ROWS,
        "dataframe_split": {"columns": list(frame), "data": frame.astype(object).to_numpy().tolist()},
        "instances": ROWS,
        "inputs": {name: frame[name].tolist() for name in frame},
    }
    expected = logged[1].predict(frame).tolist()
    assert post({form: bodies[form]}) == (200, expected)


def test_the_server_gives_probabilities_on_request(logged: Logged, post: Post) -> None:
    _, fitted, *_ = logged
    status, answer = post({"dataframe_records": ROWS, "params": {"probabilities": True}})
    assert status == 200
    expected = fitted.probabilities(fitted.read(pd.DataFrame(ROWS)))
    np.testing.assert_allclose(pd.DataFrame(answer)[["no", "yes"]], expected, rtol=1e-12)


def test_missing_cells_missing_columns_and_unseen_categories_are_served(logged: Logged, post: Post) -> None:
    missing = dict.fromkeys(ROWS[0])
    _, answer = post({"dataframe_records": [missing], "params": {"probabilities": True}})
    assert post({"dataframe_records": [{"age": None}], "params": {"probabilities": True}}) == (200, answer)
    _, answers = post({"dataframe_records": [missing | {"age": 30}, missing | {"age": 30, "colour": "?"}]})
    assert answers[0] == answers[1]
    assert post({"dataframe_records": [ROWS[0] | {"colour": "purple", "code": 9, "more": [1, {}]}]})[0] == 200
    header = ",".join(ROWS[0])
    assert post(f"{header}\n,,,,,\n30,?,purple,9,,\n", "text/csv")[0] == 200


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"age": "forty"}, "row 2, column 'age': 'forty' is not a number"),
        ({"age": "1e999"}, "column 'age': inf is infinite"),
        ({"age": [1, 2]}, "column 'age': '[1, 2]' is not a number"),
        ({"sold": "30.02.2023"}, "column 'sold': '30.02.2023' is not a date of the format %d.%m.%Y"),
        ({"sold": "soon"}, "column 'sold': 'soon' is not a date of the format %d.%m.%Y"),
    ],
)
def test_a_bad_cell_is_answered_with_400_and_the_projects_own_message(post: Post, changed: dict, message: str) -> None:
    status, answer = post({"dataframe_records": [ROWS[0], ROWS[1] | changed]})
    assert (status, "unexpected error" in answer) == (400, False)
    assert message in answer


@pytest.mark.parametrize(
    ("cell", "message"),
    [("forty", "column 'age': 'forty' is not a number"), ("30.02.2023", "column 'sold': '30.02.2023' is not a date")],
)
def test_a_bad_cell_of_text_csv_is_answered_with_400_and_the_projects_own_message(
    post: Post, cell: str, message: str
) -> None:
    row = "forty,1,red,001,true,01.02.2023\n" if cell == "forty" else f"30,1,red,001,true,{cell}\n"
    status, answer = post(f"{','.join(ROWS[0])}\n30,1,red,001,true,01.02.2023\n{row}", "text/csv")
    assert status == 400
    assert message in answer


def test_rows_that_are_no_table_of_this_model_are_answered_with_400(post: Post) -> None:
    for body, message in (
        ({"dataframe_records": [{"Age": 3}]}, "none of the model's columns is there. It needs 'age', 'income'"),
        ({"dataframe_split": {"columns": ["age", "age"], "data": [[1, 2]]}}, "column 'age' is there twice"),
        ({"inputs": {"age": [1, 2], "income": [1]}}, "the rows are not a table"),
        ({"inputs": 3}, "the rows are not a table"),
    ):
        status, answer = post(body)
        assert status == 400
        assert message in answer

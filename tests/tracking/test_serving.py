"""The logged model in the environment it records, and behind MLflow's own server, as `serve` starts it."""

import json
import os
import shlex
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
from conftest import ROOT

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
def send(
    logged: tuple[str, model.Model, pd.DataFrame, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., tuple[int, str]]]:
    """`send(path, body, content_type)` sends to the server, and returns the status and the answer."""
    folder = tmp_path_factory.mktemp("server")  # from where this repository can't be imported
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = ROOT / "pipeline" / "tracking" / "server.py"
    command = [sys.executable, "-P", program, logged[0], "table, version 1", "127.0.0.1", str(port)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "PYTHONPATH"))}
    with (folder / "log").open("w") as output:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )

    def send(path: str, body: bytes | None = None, content_type: str = "", accept: str = "*/*") -> tuple[int, str]:
        headers = {"Content-Type": content_type, "Accept": accept}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ready() -> bool:
        assert server.poll() is None, (folder / "log").read_text()
        try:
            return send("ping")[0] == 200
        except OSError:
            return False

    try:
        while not ready():
            time.sleep(0.2)
        yield send
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


@pytest.fixture(scope="module")
def post(send: Callable[..., tuple[int, str]]) -> Post:
    """`post(body, content_type)` sends rows, and returns the status and the predictions or the message."""

    def post(body: Any, content_type: str = "application/json") -> tuple[int, Any]:
        written = body if isinstance(body, str) else json.dumps(body)
        status, answer = send("invocations", written.encode(), content_type)
        decoded = json.loads(answer)
        return status, decoded["predictions"] if status == 200 else decoded["message"]

    return post


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


def test_the_address_itself_says_what_it_is_and_its_request_works(
    logged: Logged, send: Callable[..., tuple[int, str]]
) -> None:
    status, text = send("")
    known = json.loads(text)
    assert (status, known["model"], known["classes"]) == (200, "table, version 1", ["no", "yes"])
    assert known["columns"] == {
        "age": "number", "income": "number", "colour": "blue, green, red", "code": "001, 002, 003",
        "retired": "false, true", "sold": "date, as %d.%m.%Y",
    }  # fmt: skip
    command = shlex.split(known["curl"])
    status, answer = send(command[1].split("/", 3)[3], command[-1].encode(), command[3].partition(": ")[2])
    assert status == 200
    expected = logged[1].probabilities(logged[1].read(pd.DataFrame(known["request"]["dataframe_records"])))
    np.testing.assert_allclose(pd.DataFrame(json.loads(answer)["predictions"]), expected, rtol=1e-12)
    status, page = send("", accept="text/html,*/*")
    assert status == 200
    assert page.startswith("<!doctype html>")
    assert all(f"<td>{name}<td>" in page for name in known["columns"])


@pytest.mark.parametrize(
    ("body", "content_type", "status", "message"),
    [
        ('{"dataframe_records": [', "application/json", 400, "valid JSON"),
        ('[{"age": 3}]', "application/json", 400, "Received a list"),
        ('{"rows": []}', "application/json", 400, "exactly one of the input fields"),
        ('{"dataframe_records": "abc"}', "application/json", 400, ""),
        ('{"dataframe_split": {"columns": ["age"], "data": [[1, 2]]}}', "application/json", 400, ""),
        ('{"instances": 3}', "application/json", 400, ""),
        ("", "text/csv", 400, "No columns to parse"),
        ("age,income\n1,2\n1,2,3,4\n", "text/csv", 400, "Expected 2 fields in line 3, saw 4"),
        ("age,income\nforty,2\n", "text/csv", 400, "(the only such cell). Correct it, or send the cell empty."),
        ("age=3", "text/plain", 415, "text/csv"),
    ],
)
def test_what_is_no_table_is_answered_in_words_without_a_traceback_and_without_the_rows(
    send: Callable[..., tuple[int, str]], body: str, content_type: str, status: int, message: str
) -> None:
    found, answer = send("invocations", body.encode(), content_type)
    assert (found, set(json.loads(answer))) == (status, {"error_code", "message"})
    assert message in json.loads(answer)["message"]
    assert "Traceback" not in answer
    assert "Failed to predict data" not in answer

"""What the user finds in MLflow, read back through its client."""

import contextlib
import json
import shutil
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import train_params
from mlflow.exceptions import MlflowException
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache
from sqlalchemy.exc import IntegrityError

from pipeline.columns import dataset
from pipeline.config import Tracking
from pipeline.errors import UserError
from pipeline.reading import CellFormat
from pipeline.tracking import log, stores
from pipeline.tracking import runs as tracked_runs
from pipeline.tracking.runs import Record
from pipeline.tracking.stores import store
from pipeline.training import fit

from .conftest import SETTINGS, record_of, runs

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_store")]
Trained = tuple[pd.DataFrame, fit.Training]


@pytest.fixture(scope="module")
def trained() -> Trained:
    table = dataset.bundled("iris")
    params = train_params(**{"lambda": 0.1}, learning_rate=0.2, max_iterations=3000)
    return table, fit.train(table, params, CellFormat())


@pytest.fixture
def record(trained: Trained, tmp_path: Path) -> Record:
    table, fitted = trained
    return record_of(fitted, table, tmp_path, "iris")


def test_a_run_holds_the_whole_record(record: Record, tmp_path: Path) -> None:
    log.log([record], SETTINGS)
    (run,) = runs("iris")
    client = mlflow.MlflowClient()
    assert run.info.status == "FINISHED"
    assert run.data.params == {f"section.key{i}": str(i) for i in range(120)}
    assert run.data.metrics["test/accuracy"] == 0.5
    assert run.data.tags["mlflow.note.content"] == "a description"
    assert run.data.tags["dvc.stage"] == "evaluate"
    assert {(i.dataset.name, i.tags[0].value) for i in run.inputs.dataset_inputs} == {
        ("iris", "training"),
        ("iris", "test"),
    }
    assert (tmp_path / "mlflow.db").exists()
    assert [file.path for file in client.list_artifacts(run.info.run_id, "reports")] == ["reports/report.txt"]
    assert run.info.artifact_uri.startswith(f"file://{tmp_path}/mlartifacts/iris")


def test_cost_curves_are_thinned_but_keep_both_ends_and_every_class(record: Record) -> None:
    log.log([record], SETTINGS)
    (run,) = runs("iris")
    for name, key in (("cost", "cost/training"), ("cost/setosa", "cost by class/setosa")):
        history = mlflow.MlflowClient().get_metric_history(run.info.run_id, key)
        values = record.costs[name].dropna()
        assert len(history) <= 50
        assert (history[0].step, history[0].value) == (0, values.iloc[0])
        assert all(point.value == values[point.step] for point in history)
    last = mlflow.MlflowClient().get_metric_history(run.info.run_id, "cost/training")[-1]
    assert last.step == record.costs["iteration"].iloc[-1]


def test_classes_of_any_name_have_curves_and_metrics_of_their_own(record: Record) -> None:
    labels = ["кот", "пёс", "a/b", "a_b", "a:b", "a?b", "a*b", "<=50K", "x//y", "..", "cost", "iteration", "l" * 400]
    columns = {"iteration": [0, 1], "cost": [1.0, 0.5]} | {
        f"cost/{label}": [float(i), i / 2] for i, label in enumerate(labels)
    }
    scored = {f"train/iterations/{label}": float(i) for i, label in enumerate(labels)}
    log.log([replace(record, costs=pd.DataFrame(columns), metrics=scored)], SETTINGS)
    metrics = runs("iris")[0].data.metrics
    assert sorted(metrics.values()) == sorted([0.5, *(i / 2 for i in range(13)), *map(float, range(13))])
    assert metrics["cost by class/пёс"] == 0.5
    assert metrics["train/iterations/at most 50K"] == 7


def test_the_model_loads_without_pickle_and_predicts_raw_rows(
    record: Record, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    log.log([record], SETTINGS)
    (run,) = runs("iris")
    loaded = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/iris")
    rows = trained[0].iloc[:, :-1]
    np.testing.assert_array_equal(loaded.predict(rows), trained[1].model.classify(rows))
    assert loaded.metadata.signature.inputs.input_names() == list(rows.columns)
    pd.testing.assert_frame_equal(loaded.input_example, rows.iloc[::2].head(5).reset_index(drop=True))


def test_the_same_result_is_logged_once(record: Record) -> None:
    log.log([record], SETTINGS)
    log.log([record], SETTINGS)
    assert len(runs("iris")) == 1


def test_an_interrupted_run_is_killed_and_logged_again(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_args: object, **_keywords: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(mlflow.models.Model, "log", interrupt)
        with pytest.raises(KeyboardInterrupt):
            log.log([record], SETTINGS)
    assert [run.info.status for run in runs("iris")] == ["KILLED"]
    log.log([record], SETTINGS)
    assert sorted(run.info.status for run in runs("iris")) == ["FINISHED", "KILLED"]


def test_what_a_crash_left_running_is_closed_by_the_next_track_of_this_repository_whatever_it_logs(
    record: Record,
) -> None:
    log.log([record], SETTINGS)
    client, (run,) = mlflow.MlflowClient(), runs("iris")
    client.update_run(run.info.run_id, status="RUNNING")  # as kill -9 left it
    elsewhere = client.create_run(run.info.experiment_id, tags={"result.writer": "alive"}).info.run_id
    lost = client.create_run(run.info.experiment_id, start_time=1, tags={"result.writer": "gone"}).info.run_id
    log.log([], SETTINGS)
    assert [client.get_run(id_).info.status for id_ in (run.info.run_id, elsewhere, lost)] == [
        "KILLED",
        "RUNNING",
        "KILLED",
    ]
    log.log([record], SETTINGS)
    assert sorted(run.info.status for run in runs("iris")) == ["FINISHED", "KILLED", "KILLED", "RUNNING"]


def test_a_store_that_fails_at_the_last_update_leaves_a_run_that_the_next_track_closes(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_keywords: object) -> None:
        raise MlflowException("500")

    with monkeypatch.context() as patched:
        patched.setattr(mlflow.MlflowClient, "set_terminated", fail)
        with pytest.raises(UserError, match="500"):
            log.log([record], SETTINGS)
    assert [run.info.status for run in runs("iris")] == ["RUNNING"]
    log.log([record], SETTINGS)
    assert sorted(run.info.status for run in runs("iris")) == ["FINISHED", "KILLED"]


def test_two_clones_that_log_the_same_result_at_once_end_with_its_first_run(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill, first = tracked_runs._fill, []

    def fill_while_another_clone_logs(run_id: str, *arguments: Any) -> None:
        if not first:
            first.append(run_id)
            monkeypatch.setattr(stores, "_writer", lambda: "another clone")
            other = stores.experiment("iris", store(SETTINGS), "")
            assert tracked_runs.log(record, other, SETTINGS).startswith("logged")
        fill(run_id, *arguments)

    monkeypatch.setattr(tracked_runs, "_fill", fill_while_another_clone_logs)
    log.log([record], SETTINGS)
    assert [run.info.run_id for run in runs("iris")] == first
    assert [run.info.status for run in runs("iris")] == ["FINISHED"]
    found = mlflow.search_logged_models([runs("iris")[0].info.experiment_id], output_format="list")
    assert [model.source_run_id for model in found] == first


def test_requests_that_were_carried_out_but_answered_with_an_error_leave_nothing(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("create_run", "create_logged_model"):
        once = getattr(mlflow.MlflowClient, name)

        def sent_twice(self: Any, *arguments: Any, once: Any = once, **keywords: Any) -> Any:
            once(self, *arguments, **keywords)
            return once(self, *arguments, **keywords)

        monkeypatch.setattr(mlflow.MlflowClient, name, sent_twice)
    log.log([record], SETTINGS)
    (run,) = runs("iris")
    (model,) = mlflow.search_logged_models([run.info.experiment_id], output_format="list")
    assert (run.info.status, model.source_run_id) == ("FINISHED", run.info.run_id)


@pytest.mark.parametrize("part", ["reports", "model"])
def test_artifacts_that_were_deleted_are_noticed_and_logged_again(
    record: Record, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log.log([record], SETTINGS)
    (run,) = runs("iris")
    if part == "model":
        mlflow.MlflowClient().delete_logged_model(run.outputs.model_outputs[0].model_id)
    else:
        shutil.rmtree(Path(run.info.artifact_uri.removeprefix("file://")) / part)
    log.log([record], SETTINGS)
    assert f"lacks {'its model' if part == 'model' else 'reports/report.txt'}" in capsys.readouterr().out
    (again,) = runs("iris")
    assert again.info.run_id != run.info.run_id
    log.log([record], SETTINGS)
    assert "already" in capsys.readouterr().out.splitlines()[-1]


def test_in_a_repository_that_was_moved_earlier_runs_have_their_artifacts_and_new_ones_land_there(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    (before / ".dvc" / "tmp").mkdir(parents=True)
    monkeypatch.setenv("DVC_ROOT", str(before))
    log.log([record], SETTINGS)
    (run,) = runs("iris")
    before.rename(after)
    mlflow.set_tracking_uri(None)
    _artifact_repos_cache.clear()  # as in a new process
    monkeypatch.setenv("DVC_ROOT", str(after))
    log.log([replace(record, digest="d2"), record], SETTINGS)
    client = mlflow.MlflowClient()
    assert [file.path for file in client.list_artifacts(run.info.run_id, "reports")] == ["reports/report.txt"]
    assert mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/iris")
    assert len(runs("iris")) == 2
    assert not before.exists()


@pytest.mark.parametrize("name", ["a?b", "a%20b", "a#b", "a b", "100%", "größe [cm]", "a?b=c&d#e%3Ff+g;h"])
def test_in_a_folder_of_any_name_the_store_and_the_artifacts_are_in_the_repository(
    record: Record, tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    repository = tmp_path / "around" / name
    (repository / ".dvc" / "tmp").mkdir(parents=True)
    shutil.copy(empty_store, repository / "mlflow.db")
    monkeypatch.setenv("DVC_ROOT", str(repository))
    log.log([record], SETTINGS)
    (run,) = runs("iris")
    assert [path.name for path in repository.parent.iterdir()] == [name]
    assert {path.name for path in repository.iterdir()} == {".dvc", "mlflow.db", "mlartifacts"}
    assert mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/iris")
    with contextlib.closing(sqlite3.connect(repository / "mlflow.db")) as file:
        assert file.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_a_deleted_experiment_does_not_come_back_with_its_runs(record: Record) -> None:
    log.log([record], SETTINGS)
    client = mlflow.MlflowClient()
    deleted = client.get_experiment_by_name("iris").experiment_id
    client.delete_experiment(deleted)
    log.log([record], SETTINGS)
    assert client.get_experiment_by_name("iris").lifecycle_stage == "active"
    assert [run.info.status for run in runs("iris")] == ["FINISHED"]
    assert client.get_experiment(deleted).lifecycle_stage == "deleted"
    assert client.search_runs([deleted]) == []


def test_the_model_is_named_after_the_data_and_has_its_metrics_by_data_set(record: Record) -> None:
    log.log([replace(record, metrics={"test/accuracy": 0.5, "reference/random weights/accuracy": 0.1})], SETTINGS)
    (run,) = runs("iris")
    (model,) = mlflow.search_logged_models([run.info.experiment_id], output_format="list")
    data = {i.tags[0].value: i.dataset for i in run.inputs.dataset_inputs}
    assert model.name == "iris"
    assert [(m.key, m.value, m.dataset_name, m.dataset_digest) for m in model.metrics] == [
        ("test/accuracy", 0.5, "iris", data["test"].digest)
    ]


def test_an_experiment_has_a_description_and_a_view_with_the_scores_as_columns(record: Record) -> None:
    log.log([record], SETTINGS)
    tags = mlflow.MlflowClient().get_experiment_by_name("iris").tags
    assert "**iris** (here)" in tags["mlflow.note.content"]
    view = json.loads(tags["mlflow.sharedViewState.scores"])
    assert view["name"] == "Scores"
    assert "metrics.`test/accuracy`" in json.loads(view["state"])["selectedColumns"]


@pytest.mark.parametrize(
    "uri",
    [
        "http://user:s3cr3t@127.0.0.1:9",
        "http://s3cr3t@127.0.0.1:9",
        "http://user:s3cr3t@[127.0.0.1",
        "postgresql://user:s3cr3t@127.0.0.1:9/db",
        "postgresql://user:s3c/r3t@127.0.0.1:9/db",
        "postgresql://user@127.0.0.1:9/db?password=s3cr3t",
        "mysql+pymysql://user:s3cr3t@127.0.0.1:9/db",
        "mysql://user:s3cr3t@127.0.0.1:port/db",
        "sqlite:////dev/null/mlflow.db?key=s3cr3t",
    ],
)
def test_no_password_of_the_store_is_printed(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError) as caught:
        log.log([], SETTINGS)
    assert "can't be used" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert "r3t" not in str(caught.value)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:////dev/null/mlflow.db", "gopher://store"])
def test_a_store_that_cannot_be_reached_is_named_with_the_way_on(
    record: Record, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError) as caught:
        log.log([record], SETTINGS)
    assert uri in str(caught.value)
    assert "`dvc repro` then goes on from here" in str(caught.value)


def test_git_that_is_missing_is_named_and_not_the_store(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="git is not installed"):
        log.log([record], SETTINGS)


def test_a_store_that_another_process_has_locked_is_one_message_and_used_when_it_is_free(
    record: Record, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}?timeout=0.1")
    log.log([], SETTINGS)
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(
            UserError, match=r"can't be used: .*database is locked\n.*`dvc repro` then goes on from here"
        ):
            log.log([record], SETTINGS)
    log.log([record], SETTINGS)
    assert len(runs(record.experiment)) == 1


def test_the_environment_wins_over_the_setting_and_files_are_the_repositorys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert store(SETTINGS) == f"sqlite:///{tmp_path}/mlflow.db"
    setting = Tracking(uri="sqlite:///other.db", points=2, promote=None, live=False)
    assert store(setting) == f"sqlite:///{tmp_path}/other.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    assert store(setting) == "http://server:5000"


def test_a_database_whose_driver_is_missing_is_answered_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://user@127.0.0.1:9/db")
    with pytest.raises(UserError, match=r"can't be used: .*psycopg.*\n.*pip install 'psycopg\[binary\]'"):
        log.log([], SETTINGS)


def test_clones_that_make_the_tables_of_a_new_database_at_once_wait_for_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(stores.time, "sleep", waits.append)
    search = mlflow.MlflowClient.search_experiments

    def search_while_another_clone_makes_them(*arguments: Any, **settings: Any) -> Any:
        if len(waits) < 2:
            raise IntegrityError("CREATE TABLE experiments", None, Exception("pg_type_typname_nsp_index"))
        return search(*arguments, **settings)

    monkeypatch.setattr(mlflow.MlflowClient, "search_experiments", search_while_another_clone_makes_them)
    log.log([], SETTINGS)
    assert len(waits) == 2


def test_a_new_experiment_has_its_tags_from_the_start_so_that_two_clones_cannot_add_them_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise IntegrityError("INSERT INTO experiment_tags", None, Exception("experiment_tag_pk"))

    monkeypatch.setattr(mlflow.MlflowClient, "set_experiment_tag", fail)
    with stores.opened(SETTINGS) as uri:
        found = stores.experiment("iris", uri, "about it")
        assert stores.experiment("iris", uri, "about it").experiment_id == found.experiment_id
    assert found.tags["mlflow.note.content"] == "about it"


def test_a_run_of_another_repository_that_has_the_same_host_name_and_path_is_left_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "work"
    monkeypatch.setenv("DVC_ROOT", str(root))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/shared.db")
    with stores.opened(SETTINGS) as uri:
        run = stores.create(stores.experiment("iris", uri, ""), "live", {})
    root.rename(tmp_path / "first container")
    shutil.copytree(tmp_path / "first container", root)
    with stores.opened(SETTINGS):
        assert mlflow.get_run(run).info.status == "RUNNING"
    shutil.rmtree(root)
    (tmp_path / "first container").rename(root)
    with stores.opened(SETTINGS):
        assert mlflow.get_run(run).info.status == "KILLED"

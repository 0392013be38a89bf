"""What the user finds of a sweep in MLflow, read back through its client."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow.entities import Run

from pipeline.columns import dataset
from pipeline.tracking import log, stores, sweeps
from pipeline.tracking.sweeps import Child, Sweep

from .conftest import SETTINGS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_store")]


def child(number: int, failure: str | None = None) -> Child:
    return Child(
        name=f"combination {number}",
        digest=f"c{number}",
        params={"train.lambda": str(number)},
        metrics={"validation/log_loss": float("nan") if failure else 0.1 * number},
        costs=pd.DataFrame({"iteration": range(500), "cost": 1.0 / (1 + number)}),
        status="diverged" if failure else "converged",
        failure=failure,
    )


@pytest.fixture
def recorded(tmp_path: Path) -> Sweep:
    (tmp_path / "combinations.csv").write_text("lambda\n1\n")
    return Sweep(
        experiment="iris",
        name="sweep",
        stage="sweep",
        description="a table",
        study="s1",
        digest="d1",
        params={"train.optimizer": "newton"},
        tags={"best": "lambda 1"},
        metrics={"sweep/combinations": 3},
        children=[child(1), child(2), child(3, failure="with learning rate 9 it diverged")],
        training=dataset.bundled("iris"),
        source="here",
        model=None,
        artifacts={tmp_path / "combinations.csv": "sweep"},
        interrupted=False,
    )


def parents_and_children() -> tuple[list[Run], list[Run]]:
    client = mlflow.MlflowClient()
    found = client.search_runs([client.get_experiment_by_name("iris").experiment_id])
    parents = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    return parents, [run for run in found if run not in parents]


def test_a_sweep_is_a_parent_with_a_child_for_each_child(recorded: Sweep) -> None:
    log.log([recorded], SETTINGS)
    (parent,), children = parents_and_children()
    assert parent.info.status == "FINISHED"
    assert parent.data.params == {"train.optimizer": "newton"}
    assert (parent.data.tags["best"], parent.data.tags["mlflow.note.content"]) == ("lambda 1", "a table")
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    client = mlflow.MlflowClient()
    assert [file.path for file in client.list_artifacts(parent.info.run_id, "sweep")] == ["sweep/combinations.csv"]
    states = {child.info.run_name: child.info.status for child in children}
    assert states == {"combination 1": "FINISHED", "combination 2": "FINISHED", "combination 3": "FAILED"}
    (failed,) = [child for child in children if child.info.status == "FAILED"]
    assert failed.data.tags["failure"] == "with learning rate 9 it diverged"
    best = min(
        (child for child in children if child is not failed), key=lambda c: c.data.metrics["validation/log_loss"]
    )
    assert best.data.params == {"train.lambda": "1"}
    history = client.get_metric_history(best.info.run_id, "cost/training")
    assert (history[0].step, history[-1].step, len(history)) == (0, 499, 100)


def test_the_same_sweep_adds_nothing(recorded: Sweep) -> None:
    log.log([recorded], SETTINGS)
    before = parents_and_children()
    log.log([recorded], SETTINGS)
    assert [[run.info.run_id for run in part] for part in parents_and_children()] == [
        [run.info.run_id for run in part] for part in before
    ]


def test_a_grid_that_grew_adds_its_new_combinations_to_the_same_parent(recorded: Sweep) -> None:
    log.log([recorded], SETTINGS)
    grown = dataclasses.replace(
        recorded, digest="d2", children=[*recorded.children, child(4)], tags={"best": "lambda 4"}
    )
    log.log([grown], SETTINGS)
    (parent,), children = parents_and_children()
    assert sorted(child.info.run_name for child in children) == [f"combination {k}" for k in range(1, 5)]
    assert parent.data.tags["best"] == "lambda 4"


def test_an_interrupt_while_logging_leaves_nothing_running_and_is_made_good(
    recorded: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_batch = mlflow.MlflowClient.log_batch

    def interrupt_the_second_child(self: Any, run_id: str, metrics: Any = (), params: Any = (), **keywords: Any) -> Any:
        if any(param.key == "train.lambda" and param.value == "2" for param in params):
            raise KeyboardInterrupt
        return log_batch(self, run_id, metrics, params, **keywords)

    with monkeypatch.context() as patched:
        patched.setattr(mlflow.MlflowClient, "log_batch", interrupt_the_second_child)
        with pytest.raises(KeyboardInterrupt):
            log.log([recorded], SETTINGS)
    (parent,), children = parents_and_children()
    assert parent.info.status == "KILLED"
    assert sorted(child.info.status for child in children) == ["FINISHED", "KILLED"]
    log.log([recorded], SETTINGS)
    (parent,), children = parents_and_children()
    assert parent.info.status == "FINISHED"
    assert sorted(child.info.status for child in children) == ["FAILED", "FINISHED", "FINISHED", "KILLED"]


def test_an_interrupted_sweep_is_killed_and_goes_on_when_it_is_run_again(recorded: Sweep) -> None:
    log.log([dataclasses.replace(recorded, children=recorded.children[:1], interrupted=True)], SETTINGS)
    (parent,), children = parents_and_children()
    assert (parent.info.status, len(children)) == ("KILLED", 1)
    log.log([recorded], SETTINGS)
    (parent,), children = parents_and_children()
    assert (parent.info.status, len(children)) == ("FINISHED", 3)


def test_what_a_crash_left_running_of_a_sweep_is_closed_and_made_good(recorded: Sweep) -> None:
    log.log([recorded], SETTINGS)
    (parent,), children = parents_and_children()
    client = mlflow.MlflowClient()
    for run in (parent, children[0]):
        client.update_run(run.info.run_id, status="RUNNING")  # as kill -9 left them
    log.log([], SETTINGS)
    assert client.get_run(parent.info.run_id).info.status == "KILLED"
    log.log([recorded], SETTINGS)
    (again,), children = parents_and_children()
    assert (again.info.run_id, again.info.status) == (parent.info.run_id, "FINISHED")
    assert sorted(child.info.status for child in children if child.info.status != "KILLED") == [
        "FAILED",
        "FINISHED",
        "FINISHED",
    ]


def test_two_clones_that_log_the_same_sweep_at_once_end_with_one(
    recorded: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    renew, first = sweeps._renew, []

    def renew_while_another_clone_logs(parent: Run, *arguments: Any) -> None:
        if not first:
            first.append(parent.info.run_id)
            log_in_another_clone()
        renew(parent, *arguments)

    def log_in_another_clone() -> None:
        assert sweeps.log(recorded, mlflow.get_experiment_by_name("iris")).startswith("logged")

    monkeypatch.setattr(sweeps, "_renew", renew_while_another_clone_logs)
    log.log([recorded], SETTINGS)
    (parent,), children = parents_and_children()
    assert [parent.info.run_id] == first
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    assert len(children) == 3


def test_combinations_and_files_that_were_deleted_are_logged_again(
    recorded: Sweep, capsys: pytest.CaptureFixture[str]
) -> None:
    log.log([recorded], SETTINGS)
    (parent,), children = parents_and_children()
    mlflow.MlflowClient().delete_run(children[0].info.run_id)
    log.log([recorded], SETTINGS)
    assert len(parents_and_children()[1]) == 3
    shutil.rmtree(Path(parent.info.artifact_uri.removeprefix("file://")) / "sweep")
    log.log([recorded], SETTINGS)
    assert "lacks sweep/combinations.csv" in capsys.readouterr().out
    assert stores.lost(parent, ["sweep/combinations.csv"], with_model=False) == []
    assert len(parents_and_children()[0]) == 1

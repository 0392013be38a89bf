"""The cost in MLflow while a model is trained, and what is left of it afterwards."""

from pathlib import Path

import mlflow
import pytest
from conftest import contents
from mlflow.entities import Run

from pipeline import config
from pipeline.errors import UserError
from pipeline.files import formats, paths
from pipeline.tracking import live, stores

from .conftest import SETTINGS, run_stage, runs

pytestmark = pytest.mark.slow


@pytest.fixture
def data(project: Path) -> config.Data:
    return config.read("data")


def shown_during_training(monkeypatch: pytest.MonkeyPatch, data: config.Data) -> list[Run]:
    """The one run of the experiment, as it was each time that the training reported its cost."""
    found: list[Run] = []
    monkeypatch.setattr(live, "SECONDS", 0)
    with live.shown(data, SETTINGS) as hear:

        def both(iteration: int, cost: float) -> None:
            hear(iteration, cost)
            found.extend(runs("iris"))

        run_stage("train", hear=both)
    return found


def test_the_cost_is_there_while_training_runs_and_the_run_is_gone_afterwards(
    data: config.Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(paths.ROOT / "train")
    seen = shown_during_training(monkeypatch, data)
    assert {run.info.status for run in seen} == {"RUNNING"}
    costs = formats.load_csv(paths.ROOT / paths.COSTS)
    assert seen[0].data.metrics["cost/training"] > 0
    assert len(costs) > 100
    assert stores.DIGEST not in seen[0].data.tags
    assert runs("iris") == []
    assert contents(paths.ROOT / "train") == before


def test_a_training_that_fails_leaves_a_failed_run_that_is_no_result(data: config.Data) -> None:
    with pytest.raises(UserError, match="no memory"), live.shown(data, SETTINGS):
        raise UserError("no memory")
    with pytest.raises(KeyboardInterrupt), live.shown(data, SETTINGS):
        raise KeyboardInterrupt
    assert [run.info.status for run in runs("iris")] == ["KILLED", "FAILED"]
    assert not any(stores.DIGEST in run.data.tags for run in runs("iris"))
    run_stage("track")
    evaluated = [run for run in runs("iris") if run.data.tags["dvc.stage"] == "evaluate"]
    assert [run.info.status for run in evaluated] == ["FINISHED"]


def test_without_a_store_training_goes_on(
    data: config.Data, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with live.shown(data, SETTINGS) as hear:
        run_stage("train", hear=hear)
    assert "warning: the MLflow store http://127.0.0.1:9 can't be used" in capsys.readouterr().err
    mlflow.set_tracking_uri(None)


def test_a_store_that_goes_away_ends_neither_training_nor_the_points_of_others(
    data: config.Data, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live, "SECONDS", 0)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with live.shown(data, SETTINGS) as hear:
        mlflow.set_tracking_uri("http://127.0.0.1:9")
        run_stage("train", hear=hear)
        mlflow.set_tracking_uri(stores.store(SETTINGS))
    assert capsys.readouterr().err.count("the MLflow store is gone: training goes on") == 1

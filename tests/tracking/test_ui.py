"""The addresses that `python -m pipeline ui` prints, and what it starts."""

import os
from pathlib import Path

import mlflow
import pytest

from pipeline.commands import ui
from pipeline.errors import UserError
from pipeline.tracking import stores

from .conftest import SETTINGS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_store")]


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("tracking: {uri: null, points: 50, promote: null, live: false}", encoding="utf-8")


def test_each_experiment_has_an_address_that_opens_its_runs_with_the_scores(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started = []
    monkeypatch.setattr(os, "execvpe", lambda *arguments: started.append(arguments))
    with stores.opened(SETTINGS) as uri:
        number = stores.experiment("iris", uri, "").experiment_id
    ui.main()
    ((_, command, environment),) = started
    address = f"http://127.0.0.1:{command[command.index('--port') + 1]}/#/experiments/{number}/runs"
    assert f"iris: {address}?workflowType=machine_learning&viewStateShareKey=scores" in capsys.readouterr().out
    assert environment["MLFLOW_BACKEND_STORE_URI"] == mlflow.get_tracking_uri()


def test_a_store_without_runs_names_the_command_that_logs_them() -> None:
    with pytest.raises(UserError, match="`dvc repro` logs them"):
        ui.main()

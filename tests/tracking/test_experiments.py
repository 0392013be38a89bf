"""The table of the experiments."""

import json
import subprocess
from typing import Any

import pandas as pd
import pytest

from pipeline.tracking import experiments

pytestmark = pytest.mark.slow


def revision(data: dict[str, Any], train: dict[str, Any], scores: dict[str, float]) -> dict[str, Any]:
    params = {"data": data, "train": train, "explore": {"seed": 0}}
    metrics = {"outputs/evaluate.json": {"data": {"test": scores}}, "outputs/sweep.json": {"data": {"best": {}}}}
    return {"rev": "abcdef1234", "data": {"params": {"params.yaml": {"data": params}}, "metrics": metrics}}


def experiment(name: str, state: str | None, *of_revision: Any) -> dict[str, Any]:
    return {"name": name, "executor": state and {"state": state}, "revs": [revision(*of_revision)]}


CANCER, TABLE = {"name": "breast_cancer"}, {"name": "table", "path": "data/my.csv", "drop": ["id"]}
LISTED = [
    {
        **revision(CANCER, {"lambda": 0.5, "seed": 0, "tolerance": 1}, {"log_loss": 0.3, "accuracy": 0.7}),
        "name": "main",
        "experiments": [
            experiment("worse", None, CANCER, {"lambda": 2, "seed": 0, "tolerance": 1.0}, {"log_loss": 0.4}),
            experiment("better", "success", CANCER, {"lambda": 0.1, "seed": 0, "tolerance": 1}, {"log_loss": 0.123456}),
            experiment("waiting", "queued", CANCER, {"lambda": 9.0, "seed": 0, "tolerance": 1}, {"log_loss": 0.3}),
            experiment("own", None, TABLE, {"lambda": "auto", "seed": 0, "tolerance": 1}, {"log_loss": 0.01}),
        ],
    }
]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """What `dvc exp show` has, as `listed` gives it."""
    done = subprocess.CompletedProcess([], 0, stdout=json.dumps(LISTED))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    return experiments.listed()


def test_only_what_differs_is_shown_and_the_best_of_each_data_set_first(found: pd.DataFrame) -> None:
    header, *lines = experiments.table(found, "log_loss").splitlines()
    assert header.split() == ["experiment", "state", "data", "lambda", "log_loss", "accuracy"]
    assert [line.split()[0] for line in lines] == ["better", "main", "worse", "waiting", "own"]
    assert lines[0].split() == ["better", "breast_cancer", "0.1", "0.1235"]
    assert lines[-1].split() == ["own", "my.csv", "auto", "0.0100"]


def test_what_was_chosen_stands_in_place_of_auto_with_cost_and_threshold_of_a_decision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = revision(TABLE, {"lambda": "auto", "features": "auto"}, {"log_loss": 0.2, "cost": 0.25, "threshold": 0.125})
    row["data"]["metrics"]["outputs/evaluate.json"]["data"]["chosen"] = {"lambda": 0.03125, "features": "curves"}
    other = revision(TABLE, {"lambda": 0.5, "features": "linear"}, {"log_loss": 0.3})
    listed = [{**row, "name": "main", "experiments": []}, {**other, "name": "old", "experiments": []}]
    done = subprocess.CompletedProcess([], 0, stdout=json.dumps(listed))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    header, first, _ = experiments.table(experiments.listed(), "log_loss").splitlines()
    assert header.split() == ["experiment", "lambda", "features", "log_loss", "cost", "threshold"]
    assert first.split() == ["main", "0.03125", "curves", "0.2000", "0.2500", "0.1250"]


def test_an_experiment_that_has_not_run_shows_no_score(found: pd.DataFrame) -> None:
    line = next(line for line in experiments.table(found, "log_loss").splitlines() if "waiting" in line)
    assert line.split() == ["waiting", "queued", "breast_cancer", "9"]


def test_a_score_that_is_better_when_higher_sorts_the_other_way(found: pd.DataFrame) -> None:
    found = found.assign(**{"score roc_auc": [0.5, 0.9, 0.7, float("nan"), 0.8]})
    lines = experiments.table(found, "roc_auc").splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["worse", "better", "main", "waiting", "own"]


def test_what_has_no_room_on_a_line_is_named_below(found: pd.DataFrame) -> None:
    many = {f"param sweep.setting_{i}": ["a", "b", "a", "a", "a"] for i in range(9)}
    lines = experiments.table(found.assign(**many), "log_loss").splitlines()
    assert max(map(len, lines)) <= 100
    assert "sweep.setting_8" in " ".join(lines[6:])
    for i in range(9):
        assert (f"sweep.setting_{i}" in lines[0]) != (f"sweep.setting_{i}" in " ".join(lines[6:]))

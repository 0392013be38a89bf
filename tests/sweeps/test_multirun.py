"""Hydra's door, through its command."""

import shlex
import shutil

import mlflow
import pandas as pd
import pytest
from conftest import ROOT, shell_in


@pytest.fixture
def sweep(tmp_path):
    """`sweep(*overrides)` runs the command in a folder of its own, with few iterations."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)

    def run(*overrides, fails=False):
        quoted = shlex.join(["--multirun", "train.max_iterations=50", *overrides])
        return shell_in(tmp_path)(f"python -m pipeline.sweep {quoted}", fails=fails, PYTHONPATH=str(ROOT))

    yield run
    mlflow.set_tracking_uri(None)


def runs(folder, name):
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    found = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    return [run for run in found if "mlflow.parentRunId" not in run.data.tags], [
        run for run in found if "mlflow.parentRunId" in run.data.tags
    ]


def test_combinations_of_any_keys_are_scored_and_shown_each_once(sweep, tmp_path):
    done = sweep("data=iris,wine", "train.lambda=0.01,0.1", "train.learning_rate=0.1,100")
    assert "dvc exp run -S data=iris" in done.stdout
    for name in ("iris", "wine"):
        (parent,), children = runs(tmp_path, name)
        assert parent.info.status == "FINISHED"
        assert sorted(child.info.status for child in children) == ["FAILED"] * 2 + ["FINISHED"] * 2
        (table,) = tmp_path.glob(f"multirun/*/*/*-{name}/members.csv")
        assert len(pd.read_csv(table)) == 4
    sweep("data=iris", "train.lambda=0.01,0.1,1", "train.learning_rate=0.1,100")
    (parent,), children = runs(tmp_path, "iris")
    assert len(children) == 6


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["train.lambda=-1,0.1"], "train.lambda = -1: should be greater than or equal to 0"),
        (["train.lambda=1,2", "data=table", "data.path=no.csv", "data.target=y"], "no.csv doesn't exist"),
        (["train.lambda=range(25)", "sweep.max_members=24"], "25 members are more than sweep.max_members = 24"),
    ],
)
def test_bad_input_is_one_message_before_any_training(sweep, tmp_path, overrides, message):
    assert message in sweep(*overrides, fails=True).stderr
    assert not (tmp_path / "mlflow.db").exists()


def test_trials_of_optuna_train_a_batch_at_a_time(sweep, tmp_path):
    pytest.importorskip("optuna")
    search = [
        "hydra/sweeper=optuna",
        "hydra.sweeper.n_trials=6",
        "hydra.sweeper.n_jobs=3",
        "hydra.sweeper.sampler.seed=1",
    ]
    done = sweep(*search, "train.lambda=tag(log, interval(1e-3, 1))", "data=iris", "train.learning_rate=auto")
    assert done.stdout.count(" members\n") == 2
    _, children = runs(tmp_path, "iris")
    assert len(children) == 6

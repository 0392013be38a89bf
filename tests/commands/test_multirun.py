"""Sweeps in Hydra's grammar, through their command."""

import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from conftest import ROOT, compose, copy_conf, shell_in
from mlflow.entities import Run

from pipeline import config
from pipeline.commands import multirun

pytestmark = pytest.mark.slow

Sweep = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweep]:
    """`sweep(*overrides)` runs the command in a folder of its own, with few iterations."""
    copy_conf(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def run(*overrides: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
        typed = shlex.join(["train.max_iterations=50", *overrides])
        return shell_in(tmp_path)(f"python -m pipeline multirun {typed}", fails=fails, PYTHONPATH=str(ROOT))

    yield run
    mlflow.set_tracking_uri(None)


def runs(folder: Path, name: str) -> tuple[list[Run], list[Run]]:
    """The parents and the children in an experiment."""
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    found = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    return [run for run in found if "mlflow.parentRunId" not in run.data.tags], [
        run for run in found if "mlflow.parentRunId" in run.data.tags
    ]


def tables(folder: Path, name: str) -> list[pd.DataFrame]:
    """The combinations of each study of this data set, as written."""
    return [pd.read_csv(file) for file in sorted(folder.glob(f"multirun/*/*/*-{name}/sweep/combinations.csv"))]


def test_combinations_of_any_keys_are_scored_and_shown_each_once(sweep: Sweep, tmp_path: Path) -> None:
    done = sweep("data=iris,wine", "train.lambda=0.01,0.1", "train.learning_rate=0.1,100")
    assert "dvc exp run -S train.max_iterations=50 -S data=iris -S train.lambda=" in done.stdout
    for name in ("iris", "wine"):
        (parent,), children = runs(tmp_path, name)
        assert parent.info.status == "FINISHED"
        assert sorted(child.info.status for child in children) == ["FAILED"] * 2 + ["FINISHED"] * 2
        (table,) = tables(tmp_path, name)
        assert len(table) == 4
    sweep("data=iris", "train.lambda=0.01,0.1,1", "train.learning_rate=0.1,100")
    (parent,), children = runs(tmp_path, "iris")
    assert len(children) == 6


def test_the_order_in_which_values_are_typed_changes_no_score(sweep: Sweep, tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "data" / "penguins.csv", tmp_path / "data")
    table = ("data=table", "data.path=data/penguins.csv", "data.target=species", "optimizer=gradient_descent")
    for order in ("0,0.1", "0.1,0"):
        sweep(*table, f"train.lambda={order}")
    one, other = (found.sort_values("lambda", ignore_index=True) for found in tables(tmp_path, "penguins"))
    pd.testing.assert_frame_equal(one, other, rtol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        [
            'data.path="data/it\'s \\\\ $HOME` ä:b.csv"',
            r"""data.missing_values=['\N', 'x "y', "it's", '']""",
            "+data.replace={sex: {m: 'a:b', f: inf}}",
        ],
        ["data.path=data/a\\ b.csv", "data.decimal=','", "data.date_format='%d/%m/%Y'", "sweep.folds=2"],
    ],
)
def test_the_printed_command_composes_to_what_was_swept(sweep: Sweep, tmp_path: Path, settings: list[str]) -> None:
    typed = ["train.max_iterations=50", "data=table", "data.target=y", *settings]
    chosen = {"features": "linear", "multiclass": "one_vs_rest", "interactions": "[]", "pair_strength": "1.0"}
    chosen |= {"lambda": "0.1", "learning_rate": "0.3"}
    compose(*typed, *(f"train.{name}={value}" for name, value in chosen.items()))
    expected = config.load()
    rows = "".join(f"{i % 7},{'mf'[i % 2]},{'yes' if i % 3 else 'no'}\n" for i in range(60))
    (tmp_path / expected["data"]["path"]).write_text(f"size,sex,y\n{rows}")
    done = sweep("data=table", "data.target=y", *settings, "train.lambda=0.1,0.1", "train.learning_rate=0.3")
    command = shlex.split(done.stdout.split("To adopt it: ")[1].splitlines()[0])
    assert command[:3] == ["dvc", "exp", "run"]
    assert command[3::2] == ["-S"] * len(command[4::2])
    compose(*command[4::2])
    adopted = config.load()
    assert {key: adopted[key] for key in ("data", "split", "train")} == {
        key: expected[key] for key in ("data", "split", "train")
    }


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["train.lambda=-1,0.1"], "train.lambda = -1: should be greater than or equal to 0"),
        (["train.lambda=1,2", "data=table", "data.path=no.csv", "data.target=y"], "no.csv doesn't exist"),
        (
            ["train.lambda=range(25)", "sweep.max_combinations=24"],
            "25 combinations are more than sweep.max_combinations = 24",
        ),
        (["train.lambda=1,2", "hydra/launcher=basic"], "leave out hydra/launcher"),
    ],
)
def test_bad_input_is_one_message_before_any_training(
    sweep: Sweep, tmp_path: Path, overrides: list[str], message: str
) -> None:
    assert message in sweep(*overrides, fails=True).stderr
    assert not (tmp_path / "mlflow.db").exists()


def test_a_study_that_fails_does_not_lose_the_others(sweep: Sweep, tmp_path: Path) -> None:
    failed = sweep("data=iris", "split.test_size=0.99,0.2", "train.lambda=0.1", fails=True)
    assert "error: 1 of 2 studies failed" in failed.stderr
    assert "split.test_size=0.99 train.lambda=0.1: With split.test_size = 0.99" in failed.stderr
    (parent,), _ = runs(tmp_path, "iris")
    assert parent.info.status == "FINISHED"


def test_a_study_of_which_every_combination_diverges_is_a_result(sweep: Sweep, tmp_path: Path) -> None:
    done = sweep("data=iris", "train.learning_rate=1000,2000")
    assert "2 combinations; 2 diverged" in done.stdout
    assert "To adopt it" not in done.stdout
    _, children = runs(tmp_path, "iris")
    assert [child.info.status for child in children] == ["FAILED"] * 2


def test_trials_of_optuna_train_a_batch_at_a_time(sweep: Sweep, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    search = [
        "hydra/sweeper=optuna",
        "hydra.sweeper.n_trials=6",
        "hydra.sweeper.n_jobs=3",
        "hydra.sweeper.sampler.seed=1",
    ]
    done = sweep(*search, "train.lambda=tag(log, interval(1e-3, 1))", "data=iris", "train.learning_rate=auto")
    assert done.stdout.count(" combinations\n") == 2
    _, children = runs(tmp_path, "iris")
    assert len(children) == 6


@pytest.mark.parametrize(("score", "sign"), [("roc_auc", -1), ("log_loss", 1)])
def test_what_optuna_minimises_is_a_loss_whatever_the_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, score: str, sign: int
) -> None:
    copy_conf(tmp_path)
    monkeypatch.chdir(tmp_path)
    compose("data=iris", f"sweep.score={score}", "train.max_iterations=50")
    values = config.load()
    study = multirun.Study(values, config.validate(values, "conf/"), [], tmp_path / "0-iris", lambda *_: None)
    usual, diverged = config.Combination(0.01, "auto"), config.Combination(0.01, 1000.0)
    study.train([usual, diverged])
    table = pd.read_csv(tmp_path / "0-iris/sweep/combinations.csv").set_index("status")[score]
    assert study.loss(usual) == pytest.approx(sign * table.drop("diverged").item())
    assert study.loss(diverged) == float("inf")

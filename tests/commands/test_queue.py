"""Every combination as a DVC experiment, with the real DVC and a stage that stands for the whole pipeline.

The stage fails at learning rates above 50, and waits for ever at lambda 7.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Shell, copy_project, shell_in

pytestmark = pytest.mark.slow

STAGES = """
stages:
  fit:
    cmd: python fit.py
    params: [train]
    metrics:
      - outputs/evaluate.json: {cache: false}
      - outputs/one_vs_rest.json: {cache: false}
"""
FIT = """
import json, sys, time
from pathlib import Path
from omegaconf import OmegaConf
train = OmegaConf.load("params.yaml").train
if train.learning_rate > 50:
    sys.exit("error: learning rate too large")
while train["lambda"] == 7:
    time.sleep(0.1)
Path("outputs").mkdir(exist_ok=True)
scores = {"accuracy": 0.5, "log_loss": train["lambda"]}
for name in ("evaluate", "one_vs_rest"):
    Path(f"outputs/{name}.json").write_text(json.dumps({"test": scores}))
"""


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_project(tmp_path_factory.mktemp("queue") / "project")
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / "fit.py").write_text(FIT)
    shell_in(folder)("dvc repro && git add --all && git commit --quiet --message run")
    return folder


@pytest.fixture
def project(reproduced: Path, tmp_path: Path) -> Path:
    return shutil.copytree(reproduced, tmp_path / "project")


@pytest.fixture
def shell(project: Path) -> Iterator[Shell]:
    run = shell_in(project)
    yield run
    run("dvc queue stop --kill")


def statuses(shell: Shell) -> dict[str, str]:
    return dict(re.findall(r"^\w{7} +(\S+) .* (\w+) *$", shell("dvc queue status").stdout, re.MULTILINE))


def test_the_command_waits_shows_a_table_and_reports_failures(shell: Shell) -> None:
    done = shell("python -m pipeline queue train.lambda=0.125 train.learning_rate=0.2,90", fails=True)
    assert done.returncode == 1
    assert "1 of 2 experiments failed" in done.stderr
    assert "error: learning rate too large" in done.stderr
    table = done.stdout.split("train.learning_rate")[-1].splitlines()[2:4]
    failed, succeeded = sorted(line.split()[1:] for line in table)
    assert failed == ["failed", "0.125", "90", "NaN", "NaN"]
    assert succeeded == ["success", "0.125", "0.2", "0.5", "0.125"]
    assert set(statuses(shell).values()) == {"Success", "Failed"}


def test_where_one_experiment_cannot_be_queued_none_is(shell: Shell) -> None:
    stopped = shell("python -m pipeline queue data=iris,no_such_set", fails=True)
    assert "error: data = iris,no_such_set is no file of conf/data/" in stopped.stderr
    assert statuses(shell) == {}


def test_ctrl_c_removes_the_unfinished_experiments_of_the_command_and_no_others(project: Path, shell: Shell) -> None:
    shell("dvc exp run --queue --name mine -S train.lambda=3")
    process = subprocess.Popen(
        ["python", "-m", "pipeline", "queue", "train.lambda=7", "explore.seed=1,2,3"],
        cwd=project,
        env={**os.environ, "PATH": shell("echo $PATH").stdout.strip()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    names: list[str] = []
    for line in process.stdout:
        if "experiments queued" in line:
            names = line.strip().split(": ")[1].split(", ")
        if names and "Running" in statuses(shell).values():
            break
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert len(names) == 3
    assert set(statuses(shell)) == {"mine"}

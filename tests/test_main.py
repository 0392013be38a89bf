"""The one entry, `python -m pipeline`, as a user types it."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, compose, contents, run_stages

from pipeline.files import paths

pytestmark = pytest.mark.slow

STAGES = tuple(yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"])
COMMANDS = ("summary", "predict", "promote", "serve", "watch", "reproduce", "table", "multirun", "queue", "experiments")


@pytest.fixture
def project(own_conf: Path) -> Path:
    """A folder with conf/ and params.yaml."""
    compose()
    return own_conf


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of `python -m pipeline`."""
    process = started(*arguments)
    out, err = process.communicate()
    return process.returncode, out, err


def test_help_lists_every_stage_and_command(project: Path) -> None:
    status, out, _ = ended("--help")
    assert status == 0
    listed = {line.split()[0] for line in out.splitlines() if line.startswith("    ") and line[4:5].strip()}
    assert listed >= {*STAGES, *COMMANDS}


def test_what_is_no_number_of_threads_is_one_message(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    status, _, err = ended("explore")
    assert status == 1
    assert err.strip() == "error: OMP_NUM_THREADS = 'many' is no number of threads. Set it to one: OMP_NUM_THREADS=2"


def test_a_stage_whose_output_nobody_reads_ends_without_a_traceback_or_half_its_files(project: Path) -> None:
    run_stages("load", "split")
    process = started("train")
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert "Traceback" not in err
    assert not (project / paths.ROOT / ".train").exists()


@pytest.mark.parametrize("name", [*STAGES, *COMMANDS])
def test_help_of_a_stage_or_command_explains_it_and_runs_nothing(project: Path, name: str) -> None:
    before = contents(project)
    status, out, err = ended(name, "--help")
    assert (status, err) == (0, "")
    assert f"usage: python -m pipeline {name}" in out
    assert len(out.splitlines()) > 4
    assert contents(project) == before
    assert not paths.ROOT.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "invalid choice: 'trian'"),
        (["train", "--hlep"], "unrecognized arguments: --hlep"),
        (["train", "train.lambda=0.1"], "unrecognized arguments: train.lambda=0.1"),
        (["multirun"], "the following arguments are required: KEY=VALUE"),
        (["table"], "the following arguments are required: file"),
        ([], "the following arguments are required: <stage or command>"),
    ],
)
def test_an_argument_that_is_not_known_is_refused_and_runs_nothing(
    project: Path, arguments: list[str], message: str
) -> None:
    status, _, err = ended(*arguments)
    assert status == 2
    assert message in err
    assert not paths.ROOT.exists()


def test_importing_the_package_changes_neither_the_garbage_collector_nor_signal_handlers() -> None:
    code = """
import gc, signal
def state(): return gc.isenabled(), gc.get_freeze_count(), [signal.getsignal(s) for s in signal.valid_signals()]
before = state()
import pipeline, pipeline.__main__
assert state() == before
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_mistake_of_the_user_is_one_message_without_a_traceback(project: Path) -> None:
    params = {"data": {"name": "iriss"}, "compute": {"method": "threads", "memory": 2, "folder": "rows"}}
    Path("params.yaml").write_text(json.dumps(params), encoding="utf-8")
    status, _, err = ended("load")
    assert status == 1
    assert "error: params.yaml has values that can't be used" in err
    assert "Traceback" not in err
    assert not any(paths.ROOT.iterdir())


def test_a_file_that_the_disk_has_no_room_for_is_one_message_and_the_earlier_outputs_stay(project: Path) -> None:
    run_stages("load")
    before = contents(paths.ROOT)
    process = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -f 8; exec {shlex.quote(sys.executable)} -m pipeline load"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert "File too large" in process.stderr
    assert "`dvc repro` then goes on from here" in process.stderr
    assert "Traceback" not in process.stderr
    assert contents(paths.ROOT) == before


def test_a_stage_whose_input_is_missing_names_it(project: Path) -> None:
    status, _, err = ended("split")
    assert (status, "Traceback" in err) == (1, False)
    assert "error: outputs/load/cell_format.json is missing. `dvc repro`" in err


def test_an_interrupted_experiment_ends_with_the_way_back(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compose("train.tolerance=1e-14", "train.max_iterations=50000", "train.learning_rate=1e-3")
    run_stages("load", "split")
    monkeypatch.setenv("DVC_EXP_NAME", "mine")
    process = started("sweep")
    while not (paths.ROOT / ".sweep" / "sweep").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert "Back to those of conf/: rm params.yaml && dvc repro" in process.communicate()[1]


LAMBDAS = "sweep.lambda=[{minimum: 1e-5, maximum: 1e-3, points: 200}]"
LONG = (LAMBDAS, "train.tolerance=1e-14", "train.max_iterations=50000")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("sign", ["", "sweep"], ids=["while it imports", "while it trains"])
def test_a_signal_ends_a_stage_with_status_130_and_its_earlier_outputs_as_they_were(
    project: Path, number: signal.Signals, sign: str
) -> None:
    compose("sweep.lambda=[0.1]", "sweep.learning_rate=[0.1]", "train.max_iterations=10")
    run_stages("load", "split", "sweep")
    before = contents(paths.ROOT)
    compose(*LONG)
    process = started("sweep")
    while not (paths.ROOT / ".sweep" / sign).exists():  # the new outputs are written there
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert contents(paths.ROOT) == before
    assert not (paths.ROOT / ".sweep").exists()

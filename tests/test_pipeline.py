"""The whole pipeline with the real tools, in a copy of the project that its user could have made."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

import mlflow
import pandas as pd
import pytest
from conftest import ROOT, contents, copy_project, shell_in

from pipeline import config

pytestmark = pytest.mark.slow

STAGES = ("configure", "load", "explore", "split", "train", "evaluate", "sweep", "one_vs_rest", "track")


# Another data set, a few rows of it in the picture: computed once, and then restored wherever a test asks for it.
PENGUINS = (
    "-S data=table -S data.path=data/penguins.csv -S data.target=species -S optimizer=gradient_descent "
    "-S explore.rows=60 -S explore.perplexity=5"
)


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, with a smaller sweep and picture, after one `dvc repro`, its results committed."""
    folder = copy_project(tmp_path_factory.mktemp("pipeline") / "my project")
    shutil.copy(ROOT / "tests" / "data" / "penguins.csv", folder / "data")
    edit(folder / "conf/sweep/grid.yaml", "points: 6", "points: 3")
    edit(folder / "conf/sweep/grid.yaml", "[0.3, 1, 3, 10]", "[1, 10]")
    edit(folder / "conf/explore/default.yaml", "rows: 1000", "rows: 200")
    (folder / "params.yaml").unlink()
    commit = "git add --all && git commit --quiet --message"
    shell_in(folder)(f"git add --force data/penguins.csv && {commit} smaller && dvc repro && {commit} results")
    return folder


def edit(file: Path, old: str, new: str) -> None:
    assert old in file.read_text(encoding="utf-8")
    file.write_text(file.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


@pytest.fixture(scope="module")
def cloned(reproduced: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another clone of the project, with its results in place, and those of the penguins in DVC's cache."""
    folder = tmp_path_factory.mktemp("cloned")
    shell_in(folder)(
        f"git clone --quiet '{reproduced}' clone && cp -r '{reproduced}/.dvc/cache' clone/.dvc/ "
        f"&& cp -r '{reproduced}/outputs/configure' clone/outputs"
    )
    shell_in(folder / "clone")(f"dvc checkout && dvc exp run {PENGUINS} && dvc exp run")
    return folder / "clone"


@pytest.fixture
def clone(cloned: Path, tmp_path: Path) -> Path:
    """A copy of that clone, which the test may change."""
    return shutil.copytree(cloned, tmp_path / "clone")


def stages_run(printed: str) -> set[str]:
    return {stage for stage in STAGES if f"Running stage '{stage}'" in printed}


@pytest.fixture
def client(reproduced):
    yield mlflow.MlflowClient(f"sqlite:///{reproduced}/mlflow.db")
    mlflow.set_tracking_uri(None)


def runs(client, name, sweeps=False):
    found = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    return [run for run in found if (run.data.tags["dvc.stage"] == "sweep") == sweeps]


def test_nothing_but_a_look_at_the_table_runs_again_when_nothing_changed(reproduced):
    assert stages_run(shell_in(reproduced)("dvc repro").stdout) == {"configure"}


def test_a_file_that_the_configuration_does_not_name_changes_nothing(clone: Path) -> None:
    shell = shell_in(clone)
    shell("dvc repro")
    (clone / "data" / "another.csv").write_text("a,b\n1,2\n")
    (clone / "dvc_plots").mkdir()
    (clone / "dvc_plots" / "index.html").write_text("page")
    assert shell("git status --porcelain").stdout == ""
    assert shell("dvc status").stdout.split() == ["configure:", "always", "changed"]
    assert stages_run(shell("dvc repro").stdout) == {"configure"}


def test_no_test_row_reaches_training(reproduced):
    for root in ("outputs", "outputs/one_vs_rest"):
        train, test = (pd.read_parquet(reproduced / root / "split" / f"{side}.parquet") for side in ("train", "test"))
        assert len(pd.concat([train, test]).drop_duplicates()) == len(train.drop_duplicates()) + len(
            test.drop_duplicates()
        )


def test_training_beats_random_weights_by_far(reproduced):
    evaluated, many = (
        json.loads((reproduced / "outputs" / f"{n}.json").read_text()) for n in ("evaluate", "one_vs_rest")
    )
    for scores in (evaluated, many["one_vs_rest"]):
        assert scores["test"]["f1_macro"] > 0.95
        assert scores["test"]["log_loss"] < scores["baseline"]["log_loss"] / 5


def test_no_metric_has_the_same_name_in_two_files(reproduced):
    files = [reproduced / "outputs" / f"{name}.json" for name in ("evaluate", "one_vs_rest", "sweep")]
    names = [name for file in files for name in config.flatten(json.loads(file.read_text()))]
    assert len(names) == len(set(names)) > 80


def test_mlflow_holds_a_complete_run_for_each_data_set(reproduced, client):
    for name, stage, classes in (("breast_cancer", "evaluate", 1), ("digits", "one_vs_rest", 10)):
        (run,) = runs(client, name)
        tags = run.data.tags
        assert run.info.status == "FINISHED"
        assert tags["dvc.stage"] == stage
        assert (tags["git.dirty"], len(tags["git.commit"])) == ("false", 40)
        assert {"train.lambda", "train.learning_rate", "train.max_iterations", "split.seed"} <= set(run.data.params)
        assert {"test/accuracy", "reference/random weights/accuracy", "test/brier_score", "cost/training"} <= set(
            run.data.metrics
        )
        assert sum(metric.startswith("cost by class/") for metric in run.data.metrics) == (
            classes if classes > 1 else 0
        )
        found = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert {"params.yaml", "dvc.lock"} <= found
        assert run.outputs.model_outputs


def test_mlflow_has_the_sweep_and_one_child_run_per_combination(reproduced, client):
    found = runs(client, "breast_cancer", sweeps=True)
    (parent,) = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    combinations = pd.read_csv(reproduced / "outputs/sweep/combinations.csv")
    assert len(found) == 1 + len(combinations)
    assert sum(run.info.status == "FAILED" for run in found) == (combinations["status"] == "diverged").sum() > 0
    assert "dvc exp run --no-hydra -S train.lambda=" in parent.data.tags["mlflow.note.content"]
    pictures = [file.path for file in client.list_artifacts(parent.info.run_id, "sweep/pictures")]
    assert "sweep/pictures/heat_map.png" in pictures


def test_the_logged_model_predicts_what_the_pipeline_predicted(reproduced, client):
    mlflow.set_tracking_uri(f"sqlite:///{reproduced}/mlflow.db")
    (run,) = runs(client, "breast_cancer")
    test = pd.read_parquet(reproduced / "outputs/split/test.parquet")
    predicted = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/breast_cancer").predict(test.drop(columns="target"))
    written = pd.read_csv(reproduced / "outputs/evaluate/predictions.csv")
    assert list(predicted) == list(written["predicted"])


def test_every_picture_is_a_png_of_some_size(reproduced):
    pictures = list((reproduced / "outputs").rglob("*.png"))
    assert {"tsne", "class_balance", "logistic_curve", "costs", "confusion", "roc", "calibration", "weights"} <= {
        picture.stem for picture in pictures
    }
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size > 4000


def test_another_clone_gives_the_same_bytes_and_so_the_same_lock(reproduced, tmp_path):
    shell_in(tmp_path)(f"git clone --quiet '{reproduced}' clone")
    shell = shell_in(tmp_path / "clone")
    shell("rm dvc.lock && dvc repro", OMP_NUM_THREADS="1", OPENBLAS_CORETYPE="Nehalem")
    assert (tmp_path / "clone/dvc.lock").read_text() == (reproduced / "dvc.lock").read_text()
    assert shell("git status --porcelain").stdout == ""


def test_reproduce_makes_a_run_again_from_its_commit_and_names_the_one_number_that_differs(
    clone: Path, reproduced: Path, client: mlflow.MlflowClient
) -> None:
    (run,) = runs(client, "digits")
    shell, store = shell_in(clone), f"sqlite:///{reproduced}/mlflow.db"
    logged = Path(unquote(urlsplit(run.info.artifact_uri).path)) / "one_vs_rest/evaluate/scores.csv"
    scores = logged.read_text(encoding="utf-8")
    logged.write_text(scores.replace(f"{run.data.metrics['test/accuracy']:.7g}", "0.5", 1), encoding="utf-8")
    try:
        done = shell(f"python -m pipeline reproduce {run.info.run_id}", fails=True, MLFLOW_TRACKING_URI=store)
    finally:
        logged.write_text(scores, encoding="utf-8")
    assert "outputs/one_vs_rest/evaluate/scores.csv: line 2 has" in done.stderr
    assert "the run had 0.5\nFiles that differ: 1." in done.stderr
    assert shell("git worktree list").stdout.count("\n") == 1
    assert shell("git status --porcelain").stdout == ""


def test_an_experiment_in_a_copy_lands_in_the_one_store_and_dvc_compares_it(reproduced, client):
    shell = shell_in(reproduced)
    shell(f"dvc exp run --temp --name birds {PENGUINS}")
    (run,) = runs(client, "penguins")
    assert run.data.tags["dvc.experiment"] == "birds"
    assert run.data.params["data.name"] == "table"
    assert run.info.artifact_uri.startswith(f"{reproduced.as_uri()}/mlartifacts/penguins")
    assert client.list_artifacts(run.info.run_id, "evaluate/pictures")
    assert len(runs(client, "digits")) == 1
    assert "penguins" in shell("dvc params diff main birds").stdout
    assert "test.accuracy" in shell("dvc metrics diff main birds").stdout
    shell("dvc plots diff main birds --out overlay")
    page = (reproduced / "overlay/index.html").read_text()
    assert all(name in page for name in ("costs", "roc", "confusion", "birds"))
    assert all(f'"data": "{name}"' in page for name in ("breast_cancer", "penguins", "digits"))
    assert "loess" not in page


def test_a_table_edited_in_place_runs_again_what_depends_on_it_and_nothing_else(clone: Path) -> None:
    shell, table = shell_in(clone), clone / "data" / "penguins.csv"
    shell(f"dvc exp run {PENGUINS}")
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:-20]))
    again = shell("dvc repro").stdout
    assert json.loads((clone / "outputs/load/profile.json").read_text())["rows"] == len(lines) - 21
    assert stages_run(again) == {"configure", "load", "explore", "split", "train", "evaluate", "sweep", "track"}


def test_a_table_that_is_gone_is_one_message_and_stops_no_other_command(clone: Path) -> None:
    shell, table = shell_in(clone), clone / "data" / "mine.csv"
    mine = "-S data=table -S data.path=data/mine.csv -S data.target=species"
    shutil.copy(clone / "data" / "penguins.csv", table)
    shell(f"dvc exp run {mine} load")
    for loss in ("rm data/mine.csv", "mkdir data/mine.csv", "rmdir data/mine.csv && ln -s /no/disk data/mine.csv"):
        shell(loss)
        shell("dvc status")
        stopped = shell("dvc repro load", fails=True).stderr
        assert "error: data/mine.csv" in stopped
        assert "Errno" not in stopped
    shell("dvc exp run -S data=wine load")
    assert json.loads((clone / "outputs/load/profile.json").read_text())["data"] == "wine"
    table.unlink()
    shutil.copy(clone / "data" / "penguins.csv", table)
    assert "load" not in stages_run(shell(f"dvc exp run {mine} load").stdout)  # the same bytes: from the cache


def test_training_survives_a_store_that_is_down_and_goes_on_at_track(clone: Path, tmp_path: Path) -> None:
    shell = shell_in(clone)
    shell("rm -r outputs/track mlflow.db")
    stopped = shell(
        "dvc repro", fails=True, MLFLOW_TRACKING_URI="http://127.0.0.1:9", MLFLOW_HTTP_REQUEST_MAX_RETRIES="0"
    )
    assert "the MLflow store http://127.0.0.1:9 can't be used" in stopped.stderr
    with Server(tmp_path) as address:
        went_on = shell("dvc repro", MLFLOW_TRACKING_URI=address).stdout
        assert stages_run(went_on) == {"configure", "track"}
        client = mlflow.MlflowClient(address)
        (run,) = runs(client, "breast_cancer")
        assert client.list_artifacts(run.info.run_id, "evaluate/pictures")
    assert not (clone / "mlflow.db").exists()


def test_the_adopting_command_runs_only_training_and_evaluates_the_model_of_the_sweep(clone: Path) -> None:
    shell, outputs = shell_in(clone), clone / "outputs"
    done = shell((outputs / "sweep" / "adopt.txt").read_text())
    assert {"train", "evaluate", "track"} <= stages_run(done.stdout) <= {"configure", "train", "evaluate", "track"}
    assert contents(outputs / "train") == contents(outputs / "sweep" / "train")
    assert json.loads((outputs / "evaluate.json").read_text())["test"]["accuracy"] > 0.9


def test_results_computed_before_are_restored_without_running_a_stage(clone: Path) -> None:
    shell = shell_in(clone)
    start = contents(clone / "outputs")
    shell(f"dvc exp run {PENGUINS}")
    there = contents(clone / "outputs")
    assert there["evaluate.json"] != start["evaluate.json"]
    for command, expected in (("dvc exp run", start), (f"dvc exp run {PENGUINS}", there)):
        assert stages_run(shell(command).stdout) <= {"configure", "track"}
        found = contents(clone / "outputs")
        assert {**found, "track/receipt.json": b""} == {**expected, "track/receipt.json": b""}


def test_a_stage_that_fails_leaves_its_earlier_outputs(clone: Path) -> None:
    before = contents(clone / "outputs")
    stopped = shell_in(clone)("dvc exp run -S train.learning_rate=90", fails=True)
    assert "learning rate 90" in stopped.stderr
    assert contents(clone / "outputs") == before


@pytest.mark.parametrize(("number", "shell"), [(signal.SIGINT, "/bin/bash"), (signal.SIGTERM, "/bin/sh")])
def test_a_stage_that_is_interrupted_leaves_its_earlier_outputs_and_metrics(
    clone: Path, number: signal.Signals, shell: str
) -> None:
    before = contents(clone / "outputs")
    fresh = clone / "outputs" / ".sweep"
    edit(clone / "params.yaml", "memory: 256", "memory: 255")
    environment = {**os.environ, "PATH": shell_in(clone)("echo $PATH").stdout.strip()}
    environment["SHELL"] = shell  # DVC runs a stage in it. dash stays beside the stage, and Ctrl-C ends it at once
    process = subprocess.Popen(
        ["dvc", "repro", "--single-item", "sweep"],
        cwd=clone,
        env=environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not fresh.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    assert not (clone / "outputs/sweep").exists()  # DVC deleted it
    if number == signal.SIGINT:  # as a terminal sends it, to all; kill sends it to one
        os.killpg(process.pid, number)
    else:
        (stage,) = subprocess.run(
            ["pgrep", "-g", str(process.pid), "-f", "^[^ ]*python[^ ]* -m pipeline sweep"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        os.kill(int(stage), number)
    printed, _ = process.communicate()  # ends when the last process that prints does, the stage
    assert "exited with 130" in printed or (number == signal.SIGINT and "exited with -2" in printed)
    assert "Traceback" not in printed
    assert contents(clone / "outputs") == before


def test_without_a_cache_or_a_lock_there_is_nothing_to_restore(clone: Path) -> None:
    shell = shell_in(clone)
    shell("rm -rf .dvc/cache dvc.lock")
    edit(clone / "params.yaml", "learning_rate: 0.3", "learning_rate: 90")
    stopped = shell("dvc repro --single-item train", fails=True)
    assert "learning rate 90" in stopped.stderr
    assert not (clone / "outputs/train").exists()


def test_a_stray_file_among_the_outputs_does_not_survive_the_next_run(clone: Path) -> None:
    shell, before = shell_in(clone), contents(clone / "outputs")
    for command in ("dvc repro train", "python -m pipeline train"):
        (clone / "outputs/train/stray.txt").write_text("mine")
        shell(command)
        assert contents(clone / "outputs") == before
    assert shell("git status --porcelain").stdout == ""


class Server:
    """A real `mlflow server` on a free port, with its store in `folder`."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        store = f"--backend-store-uri sqlite:///{folder}/server.db --artifacts-destination {folder}/artifacts"
        command = [sys.executable, *f"-m mlflow server {store} --workers 1 --port {self.port}".split()]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        address = f"http://127.0.0.1:{self.port}"
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/health").close()
                return address
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("mlflow server did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

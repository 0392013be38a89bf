"""A copy of the project as its user has it, the commands that they type in it, and stages run without DVC."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import hydra
import pytest
from omegaconf import OmegaConf

from pipeline import config
from pipeline.config import Train
from pipeline.files import paths

ROOT = Path(__file__).parent.parent
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Tester"), ("EMAIL", "tester@example.invalid"))
}

LEFT_OUT = ("outputs/", "tests/", "docs/", "dvc.lock", "params.yaml")  # of a copy of the project

Shell = Callable[..., subprocess.CompletedProcess[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow files first: a long one at the end would leave the other workers idle."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def _no_inherited_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller's shell or a calling DVC has set must not reach the tests."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "DVC_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")


def train_params(**changes: object) -> Train:
    """The section `train` as conf/ has it, but for `changes`."""
    files = ("train/default", "optimizer/gradient_descent")
    values = OmegaConf.merge(*(OmegaConf.load(ROOT / "conf" / f"{file}.yaml") for file in files))
    values = OmegaConf.to_container(OmegaConf.create({"train": values}), resolve=True)["train"]
    return Train(**{**values, **changes})


def compose(*overrides: str, folder: Path = Path()) -> None:
    """Write params.yaml of `folder`: its conf/ with `overrides`, validated."""
    with hydra.initialize_config_dir(str((folder / "conf").absolute()), version_base=None):
        composed = hydra.compose("config", list(overrides))
    OmegaConf.resolve(composed)
    file = folder / config.PARAMS
    file.write_text(OmegaConf.to_yaml(composed), encoding="utf-8")
    config.validate(config.load(file), "conf/")


def copy_conf(folder: Path) -> None:
    """The settings as they come: without the tables that a user of this repository has made data sets with `use`."""
    shutil.copytree(ROOT / "conf", folder / "conf", dirs_exist_ok=True)
    for file in (folder / "conf" / "data").glob("*.yaml"):
        if file.stem != "census_income" and "\n  - table" in file.read_text(encoding="utf-8"):
            file.unlink()
    file = folder / "conf" / "config.yaml"
    text = re.sub(r"(?m)^  - data: .*", "  - data: breast_cancer", file.read_text(encoding="utf-8"))
    file.write_text(text, encoding="utf-8")


def run_stages(*names: str) -> None:
    """Run stages in the current folder, in this process."""
    for name in names:
        with paths.replaced(name) as root:
            import_module(f"pipeline.stages.{name}").main(root)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, by its name there."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def own_conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with conf/ and an empty data/, in which the test runs."""
    copy_conf(tmp_path)
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a model of the first 400 rows of the census, for tests that only read it."""
    folder = tmp_path_factory.mktemp("trained")
    copy_conf(folder)
    (folder / "data").mkdir()
    shutil.copy(ROOT / "tests/data/adult-400.csv", folder / "data/adult.data")
    (folder / ".dvc" / "tmp").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        compose("data=census_income", "optimizer=newton", "train.lambda=0.1", "train.features=linear")
        run_stages("load", "split", "train")
    return folder


@pytest.fixture
def project(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(trained)
    return trained


@pytest.fixture
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty repository with a store of its own; MLflow keeps its address and run in globals, so both are reset."""
    import mlflow

    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    yield
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.set_tracking_uri(None)


def copy_project(folder: Path) -> Path:
    """The files that git has or would add, without results, as a fresh repository with one commit.

    Its params.yaml is composed anew: the user's may be that of an experiment.
    """
    command = "git ls-files --cached --others --exclude-standard -z"
    listed = subprocess.run(command.split(), cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().strip("\0").split("\0"):
        source = ROOT / name
        if source.is_file() and not name.startswith(LEFT_OUT):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    copy_conf(folder)
    compose(folder=folder)
    run = shell_in(folder)
    run("git init --quiet --initial-branch=main && git add --all && git commit --quiet --message start")
    return folder


def shell_in(folder: Path) -> Shell:
    """`shell("dvc repro")` runs a command in `folder`; `fails=True` expects it to fail; keywords are environment."""

    def shell(command: str, fails: bool = False, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "DVC_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        settings = {**inherited, **IDENTITY, "DVC_NO_ANALYTICS": "1", "PATH": path, **environment}
        done = subprocess.run(
            command, shell=True, cwd=folder, env=settings, capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0) == fails, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return shell

"""What users do in the repository must not be in the way of its tests, of git or of DVC."""

import re
import shlex
import shutil
import tomllib
from itertools import chain
from pathlib import Path

import conftest
import pytest
from conftest import ROOT, copy_project, shell_in
from omegaconf import OmegaConf
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.slow


def test_a_copy_for_tests_has_the_settings_of_conf_whatever_an_experiment_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_project(tmp_path / "mine")
    monkeypatch.setattr(conftest, "ROOT", tmp_path / "mine")
    (tmp_path / "mine" / "params.yaml").write_text("train: {lambda: 7}\n")
    shutil.copy(ROOT / "tests" / "data" / "penguins.csv", tmp_path / "mine" / "data")
    copy = copy_project(tmp_path / "copy")
    assert OmegaConf.load(copy / "params.yaml").train["lambda"] == 0.01
    assert sorted(file.name for file in (copy / "data").iterdir()) == [".gitignore", "README.md"]


@pytest.mark.parametrize(
    "name", ["data/my.csv", "data/sub/my.csv", "dvc_plots/index.html", "outputs/track/receipt.json"]
)
def test_git_ignores_tables_of_the_user_and_what_the_tools_write(name: str) -> None:
    shell_in(ROOT)(f"git check-ignore --quiet {name}")


@pytest.mark.parametrize("name", ["data/README.md", "data/my.csv.dvc", "data/sub/my.csv.dvc"])
def test_git_keeps_the_files_by_which_dvc_knows_a_table(name: str) -> None:
    shell_in(ROOT)(f"git check-ignore --quiet {name}", fails=True)


@pytest.mark.parametrize(
    "command", ["; touch ran", "$(touch ran)", "`touch ran`", "$(shell touch ran)", "&& touch ran"]
)
def test_make_sweep_runs_nothing_that_is_written_in_the_grid(tmp_path: Path, command: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "requirements.lock").touch()
    (tmp_path / ".venv" / "run").touch()
    done = shell_in(tmp_path)(f"make sweep GRID={shlex.quote(f'train.lambda=0,1 {command}')}")
    assert "<-m><pipeline><queue><train.lambda=0,1>" in done.stdout
    assert not (tmp_path / "ran").exists()


def test_the_lock_has_a_fitting_version_of_what_each_extra_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    versions = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE))
    for requirement in map(Requirement, chain(project["dependencies"], *project["optional-dependencies"].values())):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement

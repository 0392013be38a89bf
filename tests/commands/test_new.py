"""A new project of the same three tools."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import shell_in

from pipeline.commands import new
from pipeline.errors import UserError

pytestmark = pytest.mark.slow


def test_a_new_project_is_small_runs_tracks_and_passes_its_tests(tmp_path: Path) -> None:
    new.main(str(tmp_path / "mine"))
    files = [file for file in (tmp_path / "mine").rglob("*") if file.is_file()]
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) < 400
    run = shell_in(tmp_path / "mine")
    run("git init --quiet && git add --all && git commit --quiet --message start")
    run("dvc repro")
    assert (tmp_path / "mine" / "outputs" / "train" / "confusion.png").stat().st_size > 5_000
    assert (tmp_path / "mine" / "mlflow.db").exists()
    assert "this result is in MLflow already" in run("python -m project track").stdout
    run("python -m pytest -q -p no:cacheprovider && ruff check .")


def test_a_folder_with_files_is_kept(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"is not empty\. Name another folder"):
        new.main(str(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_the_command_prints_what_comes_next(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "new", str(tmp_path / "a project")]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "80"})
    assert "make run" in answer.stdout

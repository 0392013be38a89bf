"""`make run` and `make test` install into .venv, and an installation that was interrupted begins anew."""

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, shell_in

# A stand-in for Python: it makes a .venv with itself and uv in it, and writes down what it is asked for.
PYTHON = """#!/bin/sh
echo "python $*" >> calls
case "$*" in
-m\\ venv*) rm -rf .venv && mkdir -p .venv/bin && cp {python} .venv/bin/python && cp {uv} .venv/bin/uv ;;
esac
"""
UV = """#!/bin/sh
echo "uv $*" >> calls
test ! -e uv-fails
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a Makefile, and a stand-in for Python that installs nothing."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements.lock").touch()
    files = {"python": tmp_path / "stand-in", "uv": tmp_path / "uv"}
    files["python"].write_text(PYTHON.format(**files))
    files["uv"].write_text(UV)
    for file in files.values():
        file.chmod(0o755)
    return tmp_path


def make(folder: Path, target: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
    apart = "env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL"  # not as a part of the `make test` that runs this
    return shell_in(folder)(f"{apart} make {target} PYTHON={folder / 'stand-in'}", fails)


def calls(folder: Path) -> list[str]:
    """What was called since the last time, but for the check of Python's version."""
    lines = (folder / "calls").read_text().splitlines() if (folder / "calls").exists() else []
    (folder / "calls").unlink(missing_ok=True)
    return [line for line in lines if line.startswith(("python -m", "uv"))]


def test_what_is_there_is_not_installed_again(folder: Path) -> None:
    assert "about a minute" in make(folder, ".venv/run").stdout.splitlines()[0]
    of_run = calls(folder)
    assert [call for call in of_run if "venv" in call] == ["python -m venv --clear .venv"]
    assert "--constraint requirements.lock" in of_run[-1]
    make(folder, ".venv/run")
    assert calls(folder) == []
    make(folder, ".venv/test")
    of_test = calls(folder)
    assert "python -m venv --clear .venv" not in of_test
    assert of_test[-1] == "uv pip install --quiet --requirement requirements.lock"
    make(folder, ".venv/run")
    assert calls(folder) == []


def test_an_installation_that_was_interrupted_begins_anew(folder: Path) -> None:
    make(folder, ".venv/run")
    (folder / ".venv" / "finished").unlink()  # it is gone while something is installed
    calls(folder)
    make(folder, ".venv/test")
    assert "python -m venv --clear .venv" in calls(folder)


def test_pip_installs_where_uv_can_not_and_says_so(folder: Path) -> None:
    (folder / "uv-fails").touch()
    done = make(folder, ".venv/run")
    assert "pip does" in done.stdout
    assert "--no-compile --constraint requirements.lock .[tables]" in calls(folder)[-1]

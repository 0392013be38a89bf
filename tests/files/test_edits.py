import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.files import edits, paths
from pipeline.files.code import Sources

STAGES = """
stages:
  train:
    deps: [code, rows.csv]
    params: [train, data.name]
  configure:
    deps: [code]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "code" / "__pycache__").mkdir(parents=True)
    for name, text in {
        "dvc.yaml": STAGES,
        "code/model.py": "x = 1",
        "rows.csv": "1,2",
        "params.yaml": "{train: {lambda: 1}, data: {name: mine}, sweep: {folds: 5}}",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "train")
    return tmp_path


def refused(stage: str) -> AbstractContextManager[None]:
    return edits.refused(stage, lambda dependencies: [])


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("code/model.py", "x = 2", "code/model.py changed while the stage train ran"),
        ("code/new.py", "", "code/new.py changed"),
        ("rows.csv", "3,4", "rows.csv changed"),
        ("params.yaml", "{train: {lambda: 2}, data: {name: mine}}", "params.yaml, train changed"),
        ("params.yaml", "{train: {lambda: 1}, data: {name: other}}", "params.yaml, data.name changed"),
        ("params.yaml", "{train: {lambda: 1}, data: null}", "params.yaml, data.name changed"),
    ],
)
def test_an_edit_during_a_stage_is_refused_and_named(project, name, text, shown):
    with pytest.raises(UserError, match=shown), refused("train"):
        time.sleep(0.01)  # longer than the clock of a file system takes to tick
        (project / name).write_text(text, encoding="utf-8")


def test_edits_that_the_stage_does_not_depend_on_are_allowed(project):
    with refused("train"):
        (project / "notes.md").write_text("later", encoding="utf-8")
        (project / "code" / "__pycache__" / "model.pyc").write_text("compiled", encoding="utf-8")
        (project / "params.yaml").write_text(
            "{train: {lambda: 1}, data: {name: mine, target: y}, sweep: {folds: 10}}", encoding="utf-8"
        )


def test_a_stage_without_parameters_may_write_params_yaml(project, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "configure")
    with refused("configure"):
        (project / "params.yaml").write_text("{train: {lambda: 2}}", encoding="utf-8")


def test_a_stage_that_is_run_by_hand_may_be_edited(project, monkeypatch):
    monkeypatch.delenv("DVC_STAGE")
    with refused("train"):
        (project / "code/model.py").write_text("x = 2", encoding="utf-8")


@pytest.mark.parametrize("is_edited", [False, True])
def test_code_that_is_not_that_of_the_start_is_refused(project, is_edited):
    recorded = paths.ROOT / paths.CODE / "train"
    recorded.parent.mkdir(parents=True)
    recorded.write_text(Sources().of_stage("train") + "0  pipeline/new.py\n" * is_edited, encoding="utf-8")
    if is_edited:
        with pytest.raises(UserError, match="its code changed while the stage train ran"), refused("train"):
            pass
    else:
        with refused("train"):
            pass


def test_files_behind_digests_are_named_by_those_who_know_them(project):
    names = ["the file in data.path"]
    with pytest.raises(UserError, match=r"the file in data\.path changed"), edits.refused("train", lambda _: names):
        pass

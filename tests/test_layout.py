"""The walls of the house: which module may import which, and which code DVC knows for each stage."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from pipeline.files.code import Sources

# From the top: a room may import only rooms below it.
ROOMS = (
    *("__main__", "commands", "stages", "tracking", "training", "evaluation", "model", "columns", "config", "reading"),
    *("figures", "scores", "compute", "files", "logistic", "overrides", "errors"),
)
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def modules() -> dict[str, Path]:
    """Every module of the package, by its dotted name."""
    files = sorted((ROOT / "pipeline").rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imported(file: Path) -> set[str]:
    """The modules of the package that a file imports or names in a string, with the packages that they are in."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    packages = {name.rsplit(".", n)[0] for name in found for n in range(1, name.count(".") + 1)}
    return (found | packages) & set(modules()) - {"pipeline"}


def needed(module: str) -> set[str]:
    """The modules that a module needs, itself included."""
    found, waiting = set(), {module}
    while waiting:
        found |= waiting
        waiting = {name for module in waiting for name in imported(modules()[module])} - found
    return found


def room(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", sorted(set(modules()) - {"pipeline"}))
def test_a_module_imports_only_its_own_room_and_rooms_below(module: str) -> None:
    allowed = {room(module), *ROOMS[ROOMS.index(room(module)) + 1 :]}
    assert {room(name) for name in imported(modules()[module])} <= allowed


@pytest.mark.parametrize("module", sorted(name for name in modules() if name.startswith("pipeline.logistic")))
def test_the_mathematics_imports_nothing_of_the_house(module: str) -> None:
    assert {room(name) for name in imported(modules()[module])} <= {"logistic"}


def test_a_model_predicts_without_scikit_learn_and_without_an_optimiser() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, pipeline.model; print(*sys.modules)"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert not [name for name in loaded if name.startswith(("sklearn", "scipy.optimize", "skops"))]
    parts = {name.split(".")[2] for name in loaded if name.startswith("pipeline.logistic.")}
    assert parts == {"calibration", "loss", "matrix", "status", "threads"}


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_no_stage_imports_a_stage(stage: str) -> None:
    assert needed(f"pipeline.stages.{stage}") & {f"pipeline.stages.{other}" for other in STAGES} == {
        f"pipeline.stages.{stage}"
    }


@pytest.mark.parametrize("stage", sorted(set(STAGES) - {"configure"}))
def test_the_code_that_a_stage_depends_on_is_each_module_that_it_imports_and_no_other(stage: str) -> None:
    lines = Sources().digests(f"pipeline.stages.{stage}").splitlines()
    files = {ROOT / line.split("  ")[1] for line in lines}
    modules_of_stage = {modules()[name] for name in needed(f"pipeline.stages.{stage}")} | {modules()["pipeline"]}
    assert {file for file in files if file.suffix == ".py"} == modules_of_stage | {modules()["pipeline.stages"]}
    assert [name for name in STAGES[stage]["deps"] if "code" in name] == [f"outputs/configure/code/{stage}"]


def test_no_command_imports_a_command() -> None:
    for module in modules():
        if module.startswith("pipeline.commands."):
            assert not {name for name in imported(modules()[module]) if name.startswith("pipeline.commands.")}, module


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_has_one_command_one_module_and_one_name(stage: str) -> None:
    assert STAGES[stage]["cmd"] == f"python -m pipeline {stage}"
    assert (ROOT / "pipeline" / "stages" / f"{stage}.py").exists()


def test_only_the_tracking_room_imports_mlflow() -> None:
    users = {
        room(module)
        for module, file in modules().items()
        if any(
            isinstance(node, ast.Import | ast.ImportFrom)
            and (getattr(node, "module", None) or node.names[0].name).split(".")[0] == "mlflow"
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        )
    }
    assert users == {"tracking"}

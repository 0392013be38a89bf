"""The walls of the house: which module may import which, and which code DVC knows for each stage."""

import ast
import os
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from pipeline.files.code import Sources

# From the top: a room may import only rooms below it.
ROOMS = (
    *(
        "__main__",
        "commands",
        "stages",
        "tracking",
        "export",
        "training",
        "evaluation",
        "model",
        "columns",
        "config",
        "reading",
    ),
    *("figures", "scores", "compute", "files", "logistic", "overrides", "errors"),
)
# The rooms whose docstring is a map of their files.
MAPPED = (
    "columns",
    "columns/terms",
    "evaluation",
    "export",
    "figures",
    "files",
    "logistic",
    "reading",
    "scores",
    "tracking",
    "training",
)
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


@cache
def modules() -> dict[str, Path]:
    """Every module of the package, by its dotted name."""
    files = sorted((ROOT / "pipeline").rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imported(file: Path) -> set[str]:
    """The modules of the package that a file imports or names in a string, with the packages that they are in."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    packages = {name.rsplit(".", n)[0] for name in names for n in range(1, name.count(".") + 1)}
    return (names | packages) & set(modules()) - {"pipeline"}


def imported_at_import(node: ast.AST) -> set[str]:
    """The modules of the package that are imported when the module is: not in a function, not for types alone."""
    names: set[str] = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ImportFrom):
            for alias in child.names:
                name = f"{child.module}.{alias.name}"
                names.add(name if name in modules() else str(child.module))
        elif isinstance(child, ast.Import):
            names |= {alias.name for alias in child.names}
        elif not isinstance(child, ast.FunctionDef) and ast.unparse(getattr(child, "test", child)) != "TYPE_CHECKING":
            names |= imported_at_import(child)
    return names & set(modules()) - {"pipeline"}


def needed(module: str) -> set[str]:
    """The modules that a module needs, itself included."""
    modules_so_far, waiting = set(), {module}
    while waiting:
        modules_so_far |= waiting
        waiting = {name for module in waiting for name in imported(modules()[module])} - modules_so_far
    return modules_so_far


def room(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", sorted(set(modules()) - {"pipeline"}))
def test_a_module_imports_only_its_own_room_and_rooms_below(module: str) -> None:
    allowed = {room(module), *ROOMS[ROOMS.index(room(module)) + 1 :]}
    assert {room(name) for name in imported(modules()[module])} <= allowed


def test_no_import_runs_in_a_circle() -> None:
    graph = {name: imported_at_import(ast.parse(file.read_text(encoding="utf-8"))) for name, file in modules().items()}
    assert graph["pipeline.logistic.binomial"] == {"pipeline.logistic.loss"}
    TopologicalSorter(graph).prepare()  # raises an error that names the circle


@pytest.mark.parametrize("module", sorted(name for name in modules() if name.startswith("pipeline.logistic")))
def test_the_mathematics_imports_nothing_of_the_house(module: str) -> None:
    assert {room(name) for name in imported(modules()[module])} <= {"logistic"}


def test_a_model_predicts_without_scikit_learn_and_without_an_optimiser() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, pipeline.model; print(*sys.modules)"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert not [name for name in loaded if name.startswith(("sklearn", "scipy.optimize", "skops"))]
    mathematics = {name.split(".")[2] for name in loaded if name.startswith("pipeline.logistic.")}
    assert mathematics == {"calibration", "loss", "matrix", "status", "threads"}


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


def test_the_entry_knows_no_stage_and_no_command_by_name() -> None:
    tree = ast.parse((ROOT / "pipeline" / "__main__.py").read_text(encoding="utf-8"))
    constants = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    commands = {module.split(".")[2] for module in modules() if module.startswith("pipeline.commands.")}
    assert {"summary", "queue"} < commands
    assert not constants & (commands | set(STAGES))


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


def files_of(folder: Path) -> set[str]:
    """The modules and packages in a folder, by name."""
    files = {file.stem for file in folder.glob("*.py")} | {file.parent.name for file in folder.glob("*/__init__.py")}
    return files - {"__init__"}


# The files of commands and stages are explained by `python -m pipeline --help`, with their own docstrings.
@pytest.mark.parametrize("name", sorted(MAPPED))
def test_the_map_of_a_room_names_each_of_its_files_and_no_other(name: str) -> None:
    folder = ROOT / "pipeline" / name
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert set(re.findall(r"(?m)^ *(\w+)(?:\.py)?  +\S", text)) == files_of(folder)


def test_the_page_of_the_mathematics_names_each_file_of_the_room() -> None:
    text = (ROOT / "docs" / "mathematics.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(\.\./pipeline/logistic/(\w+)\.py\)", text)) == files_of(ROOT / "pipeline" / "logistic")


def test_the_picture_of_the_house_has_the_rooms_in_their_order() -> None:
    text = (ROOT / "docs" / "how-the-tools-fit.md").read_text(encoding="utf-8")
    house = text.partition("\npipeline/ ")[2].partition("\nhydra_plugins/ ")[0]
    assert re.findall(r"(?m)^  (\w+)(?:/|\.py) ", house) == list(ROOMS)
    assert files_of(ROOT / "pipeline") == set(ROOMS)


def test_the_pages_name_only_files_that_exist() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*.py")]:
        for name in re.findall(r"\b(?:pipeline|tests|benchmarks|docs)/[\w/]+\.\w+", page.read_text(encoding="utf-8")):
            assert (ROOT / name).exists(), f"{page.name}: {name}"

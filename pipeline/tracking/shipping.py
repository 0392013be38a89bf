"""The code and the requirements that are stored with a model: what it needs to load and predict, and no more."""

import ast
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import pipeline

PACKAGE = Path(pipeline.__file__).parent
ENTRY = "pipeline.tracking.serving"  # the module that MLflow loads a model with
REQUIREMENTS = [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pandas", "pyarrow")]


def sources() -> list[Path]:
    """The source files that are shipped: the entry and each module that it imports, directly or not."""
    found: set[Path] = set()
    waiting = _files(ENTRY)
    while waiting:
        found |= waiting
        waiting = {file for known in waiting for name in _imports(known) for file in _files(name)} - found
    return sorted(found)


def _imports(file: Path) -> Iterator[str]:
    """The names that `file` imports when it is imported: what a function imports is for more than prediction.

    One that is not a module but in a module is of no consequence to `_files`.
    """
    waiting: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def _files(name: str) -> set[Path]:
    """The files of this package that Python runs to import `name`: its module, and the packages that it is in."""
    top, *parts = name.split(".")
    paths = [PACKAGE.joinpath(*parts[:n]) for n in range(len(parts) + 1)] if top == PACKAGE.name else []
    candidates = {file for path in paths for file in (path / "__init__.py", path.with_suffix(".py"))}
    return {file for file in candidates if file.is_file()}


def fingerprint() -> list[str]:
    """What changes when the shipped code or the requirements change."""
    digests = [f"{file.relative_to(PACKAGE)} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in sources()]
    return [*REQUIREMENTS, *digests]


@contextmanager
def copied() -> Iterator[Path]:
    """A temporary folder `pipeline` with a copy of the shipped code."""
    with TemporaryDirectory() as folder:
        for file in sources():
            target = Path(folder) / PACKAGE.name / file.relative_to(PACKAGE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
        yield Path(folder) / PACKAGE.name

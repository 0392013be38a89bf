"""The code that a module runs: the files of this package that it imports, directly or not.

DVC runs a stage again when its code changed. A list of files in dvc.yaml would have to be kept by hand, and a word in a
comment would count as a change. So `configure` writes one file for each stage, with the digest of each file that it
needs, without comments and docstrings, and the stage depends on that file.
"""

import ast
import hashlib
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.files.kept import Kept

PACKAGE = Path(__file__).parents[1]
TEMPLATE = re.compile(r"[\w-]+\.(html|md)")
INCLUDED = re.compile(r'{% (?:extends|include) "([^"]+)"')  # by a template


class Sources:
    """The source files of this package, each looked at once."""

    def __init__(self) -> None:
        self.kept, self.digest_by_file = Kept("code.json"), dict[Path, dict[str, Any]]()

    def needed(self, module: str, at_import: bool = False) -> list[Path]:
        """The files that `module` needs, its own included, and those that they name in strings.

        at_import  only what is imported when the module is, not what a function imports when it is called
        """
        needed_files: set[Path] = set()
        waiting = files_of(module)
        while waiting:
            needed_files |= waiting
            names = {name for file in waiting for name in self.of(file)["at import" if at_import else "names"]}
            waiting = {file for name in names for file in files_of(name)} - needed_files
        return sorted(needed_files)

    def digests(self, module: str, at_import: bool = False) -> str:
        """A line for each file that `module` needs: the digest of its code, and its name."""
        files = self.needed(module, at_import)
        return "".join(f"{self.of(file)['digest']}  {file.relative_to(PACKAGE.parent).as_posix()}\n" for file in files)

    def of_stage(self, stage: str) -> str:
        """The digests of the code that a stage runs."""
        return self.digests(f"{PACKAGE.name}.stages.{stage}")

    def of(self, file: Path) -> dict[str, Any]:
        """The digest of its code, and the names that it imports."""
        if file not in self.digest_by_file:
            self.digest_by_file[file] = self.kept.of(file, _looked_at)
        return self.digest_by_file[file]


def _looked_at(file: Path) -> dict[str, Any]:
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        parts = [_beside(file, name) for name in INCLUDED.findall(text)]
        return {"digest": hashlib.sha256(text.encode()).hexdigest(), "names": parts, "at import": parts}
    tree = ast.parse(text)
    names, at_import = (sorted(set(_names(tree, file, early))) for early in (False, True))
    return {"digest": hashlib.sha256(stripped(text, tree).encode()).hexdigest(), "names": names, "at import": at_import}


def stripped(source: str, tree: ast.AST) -> str:
    """Python code without comments, docstrings and blank lines. (Its syntax tree would depend on Python's version.)"""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            text = node.body[0]
            for row in range(text.lineno, (text.end_lineno or text.lineno) + 1):
                lines[row - 1] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip()) + "\n"


def files_of(name: str) -> set[Path]:
    """The files of this package that Python runs to import `name`: its module, and the packages that it is in.

    A name that is not a module but in a module is of no consequence; one of a file with slashes is that file.
    """
    if "/" in name:
        return {PACKAGE.parent / name} if (PACKAGE.parent / name).is_file() else set()
    top, *steps = name.split(".")
    paths = [PACKAGE.joinpath(*steps[:n]) for n in range(len(steps) + 1)] if top == PACKAGE.name else []
    candidates = {file for path in paths for file in (path / "__init__.py", path.with_suffix(".py"))}
    return {file for file in candidates if file.is_file()}


def _names(node: ast.AST, file: Path, at_import: bool) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.Constant) and isinstance(child.value, str):
            if child.value.startswith(f"{PACKAGE.name}."):
                yield child.value
            elif TEMPLATE.fullmatch(child.value):
                yield _beside(file, child.value)
        elif not (at_import and _runs_later(child)):
            yield from _names(child, file, at_import)


def _beside(file: Path, name: str) -> str:
    return (file.parent / name).relative_to(PACKAGE.parent).as_posix()


def _runs_later(node: ast.AST) -> bool:
    """Whether it is no part of importing the module: a function, or what only a type checker sees."""
    is_for_types = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return is_for_types or isinstance(node, ast.FunctionDef | ast.Lambda)

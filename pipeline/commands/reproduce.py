"""Make the result of a run again, from its commit, settings and data, and compare: same bytes, or the first difference.

    python -m pipeline reproduce RUN_ID

The run's commit is checked out in a temporary worktree, with the settings that the run recorded. Data that git or DVC
tracks comes from there, other data from this repository's files, whose hashes are compared with those of the run. Then
DVC runs the stages, and each file that they write is compared with the one that the run logged. Nothing here changes.
"""

import argparse
import re
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from pipeline import config
from pipeline.config import inputs
from pipeline.errors import UserError
from pipeline.evaluation import report
from pipeline.files import paths

TARGETS = {"evaluate": ["explore", "report"], "sweep": ["sweep"], "one_vs_rest": ["one_vs_rest"]}  # by what made a run
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


class DifferentError(UserError):
    """The result is another one."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_id", metavar="RUN_ID", help="the id of a run in MLflow, which `make ui` shows")


def main(run_id: str) -> None:
    """Errors: `DifferentError` for another result, other `UserError` where the run can't be made again."""
    from pipeline.tracking import registry  # MLflow takes seconds to import

    with TemporaryDirectory() as folder:
        recorded, tree = Path(folder) / "recorded", Path(folder) / "worktree"
        run = registry.recorded(run_id, recorded, config.read("tracking"))
        if run.stage not in TARGETS:
            raise UserError(
                f"the run {run_id} was made by {run.stage or 'another program'}, which is no stage that can run again. "
                f"Give a run of {', '.join(TARGETS)}."
            )
        if not run.commit:
            raise UserError(f"the run {run_id} has no commit: it was made outside git.")
        print(f"run {run.name}: commit {run.commit[:10]}, in a temporary worktree", flush=True)
        _git("worktree", "add", "--detach", "--quiet", str(tree), run.commit)
        try:
            differences = _again(run.stage, recorded, tree)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], capture_output=True, check=False)
    if not differences:
        print(f"\nthe same bytes: every file that the run {run.name} logged")
        return
    notes = [f"installed is {now}, the run had {then}" for then, now in run.packages]
    if run.dirty:
        notes.append("the run's code had changes that were not committed")
    because = f"\nWhat may explain it: {'; '.join(notes)}." if notes else ""
    raise DifferentError(f"another result. {differences[0]}\nFiles that differ: {len(differences)}.{because}")


def _again(stage: str, recorded: Path, tree: Path) -> list[str]:
    """Run the stages in the worktree; how each file that differs does so, in the order of the stages."""
    for name in ("params.yaml", "dvc.lock"):
        (tree / name).write_bytes((recorded / name).read_bytes())
    lock = yaml.safe_load((recorded / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    names = _paths(config.load(recorded / "params.yaml"))
    for path in names.values():
        _bring(Path(path), tree)
    (tree / ".dvc" / "config.local").write_text(
        f"[cache]\n    dir = {Path('.dvc/cache').resolve()}\n", encoding="utf-8"
    )
    if stage != "one_vs_rest":
        _repro(tree, "configure")
        _check_data(names, lock, tree)
    _repro(tree, *TARGETS[stage])
    differences = []
    folders = ("load", "explore", "split", "train", "evaluate", "report") if stage == "evaluate" else (stage,)
    for folder in folders:
        for file in sorted((recorded / folder).rglob("*")):
            if file.is_file():
                relative = file.relative_to(recorded)
                difference = compared(file, tree / paths.ROOT / relative)
                if difference:
                    differences.append(f"{paths.ROOT / relative}: {difference}")
    return differences


def _paths(params: dict[str, Any]) -> dict[str, str]:
    """The files or folders that the settings name, by the digest of each (`configure`)."""
    named = {str(paths.ROOT / file): params.get(section, {}).get("path") for section, file in inputs.FILES.items()}
    return {file: path for file, path in named.items() if path}


def _bring(path: Path, tree: Path) -> None:
    """Let the worktree have a file or folder of data: from git, from DVC, else the one that is here."""
    target = tree / path  # which is `path` where that is absolute
    if target.exists():
        return
    if target.with_name(f"{path.name}.dvc").exists():
        done = subprocess.run(["dvc", "pull", f"{path}.dvc"], cwd=tree, capture_output=True, text=True, check=False)
        if target.exists():
            return
        raise UserError(f"DVC can't bring back {path} of that commit: {done.stderr.strip()}")
    if not path.exists():
        raise UserError(f"the run read {path}, which is not here, and which neither git nor DVC has in its commit.")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(path.resolve())


def _check_data(names: dict[str, str], lock: dict[str, Any], tree: Path) -> None:
    now = yaml.safe_load((tree / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    for file, path in names.items():
        if _md5(lock, file) != _md5(now, file):
            raise UserError(
                f"the data has changed: {path} is not as it was when the run read it. Bring the earlier file back; "
                f"`dvc add {path}` lets DVC keep each version."
            )


def _md5(stages: dict[str, Any], path: str) -> str | None:
    return next((out.get("md5") for out in stages["configure"]["outs"] if out["path"] == path), None)


def _repro(tree: Path, *targets: str) -> None:
    """Run stages, taking nothing from DVC's cache."""
    command = [sys.executable, "-m", "dvc", "repro", "--force", "--no-commit", *targets]
    done = subprocess.run(command, cwd=tree, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise UserError(f"the stages of that commit can't run here: {done.stderr.strip()}")


def compared(then: Path, now: Path) -> str:
    """Where two files differ: the line and the first number in it; "" where they do not."""
    if not now.exists():
        return "is not written any more"
    first, second = then.read_bytes(), now.read_bytes()
    if then.suffix in (".html", ".md"):
        first, second = (report.without_origin(file.decode()).encode() for file in (first, second))
    if first == second:
        return ""
    if then.suffix not in (".csv", ".json", ".txt", ".html", ".md"):
        return f"other bytes ({len(first):,} then, {len(second):,} now)"
    lines = enumerate(zip_longest(first.decode().splitlines(), second.decode().splitlines(), fillvalue=""), start=1)
    line, (old, new) = next((place, pair) for place, pair in lines if pair[0] != pair[1])
    for a, b in zip(NUMBER.findall(old), NUMBER.findall(new), strict=False):
        if a != b:
            return f"line {line} has {b}, the run had {a}"
    return f"line {line} is {new[:100]!r}, that of the run was {old[:100]!r}"


def _git(*arguments: str) -> None:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(
            f"the run's commit can't be checked out: {done.stderr.strip()}\nIf it is in another clone, fetch it first."
        )

"""Files that are edited while a stage runs.

DVC hashes the inputs of a stage after its command. An edit in between would be recorded as what the outputs were made
from, and `dvc repro` would skip the stage forever: https://github.com/treeverse/dvc/issues/11058.
"""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import UserError
from pipeline.files import paths
from pipeline.files.code import Sources

PIPELINE, PARAMS = Path("dvc.yaml"), Path("params.yaml")


@contextmanager
def refused(stage: str, others: Callable[[Collection[str]], list[str]]) -> Iterator[None]:
    """Where DVC runs `stage`: an error at the end of the block if its inputs are not those of the start.

    others  names those that changed behind digests among the dependencies
    """
    if os.environ.get("DVC_STAGE") != stage:
        yield
        return
    entry = _read(PIPELINE)["stages"][stage]
    before = _inputs(entry)
    yield
    after = _inputs(entry)
    changed = sorted(name for name in before | after if before.get(name) != after.get(name))
    recorded = paths.ROOT / paths.CODE / stage
    if recorded.exists() and recorded.read_text(encoding="utf-8") != Sources().of_stage(stage):
        changed.append("its code")
    if changed := changed + others(entry["deps"]):
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise UserError(
            f"{changed[0]}{more} changed while the stage {stage} ran. DVC would record the new version for results of "
            f"the old one, so they are not kept. To run it with the new version: dvc repro"
        )


def _inputs(entry: dict[str, Any]) -> dict[str, Any]:
    """The state of each file that the stage depends on, and the values of its parameters."""
    states: dict[str, Any] = {}
    for dependency in map(Path, entry["deps"]):
        folders = os.walk(dependency, followlinks=True)
        below = [Path(folder, name) for folder, _, names in folders for name in names]
        for file in below if dependency.is_dir() else [dependency]:
            if file.suffix != ".pyc" and file.is_file():
                state = file.stat()
                states[file.as_posix()] = state.st_mtime_ns, state.st_size
    params = _read(PARAMS) if "params" in entry else {}
    return states | {f"{PARAMS}, {key}": _value(params, key.split(".")) for key in entry.get("params", [])}


def _value(params: Any, path: list[str]) -> Any:
    """What `params` has under the keys of `path`, one below the other; None where one of them is missing."""
    for key in path:
        params = params.get(key) if isinstance(params, dict) else None
    return params


def _read(file: Path) -> dict[str, Any]:
    return yaml.load(file.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))

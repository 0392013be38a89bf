"""The files that the configuration names, as digests of fixed places: what DVC watches, not all of `data/`.

The templates of dvc.yaml are resolved before conf/ is composed, so a stage can't depend on "the file in data.path". It
depends on the digest of that file: when the file is edited, or another one is named, the stages that read it run again,
and other files under `data/` do not matter. A link would show the same, but once it leads to nothing DVC stops at every
command. So `configure`, which writes the digests, runs in every `dvc repro`, and what it writes outlives the file.

A large table takes seconds to read, so its digest is kept in DVC's temporary folder beside what the file system says of
the file, and it is read again only if that changed.
"""

import hashlib
import json
import os
import shlex
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipeline import config, outputs
from pipeline.errors import UserError

FILES = {"data": outputs.DATA_FILE, "split": outputs.TEST_FILE}  # by the section that names the file
SEEN = Path("digests.json")  # in DVC's temporary folder: path -> what the file system says, digest
RECENT = 2_000_000_000  # nanoseconds since a file was written, within which another edit may leave the same time
NONE = "The configuration names no file here.\n"  # an empty one makes DVC warn


def record(root: Path) -> None:
    """Below `root`, write the digest of what each section names. Errors: as `digest`."""
    for section, file in FILES.items():
        outputs.save_text(digest(section), root / file)


def changed(dependencies: Collection[str]) -> list[str]:
    """The settings of the files whose recorded digest, among `dependencies`, is not theirs. Errors: as `digest`."""
    recorded = {section: outputs.ROOT / file for section, file in FILES.items()}
    return [
        f"the file in {section}.path"
        for section, file in recorded.items()
        if file.as_posix() in dependencies and file.read_text(encoding="utf-8") != digest(section)
    ]


def digest(section: str) -> str:
    """The MD5 and the name of the file, or of each in the folder, that a section names, as `md5sum` writes them.

    Errors: `UserError` for a path that is no file that can be read, and no folder of such files.
    """
    path = getattr(config.read(section), "path", None)
    if path is None:
        return NONE
    from pipeline import reading

    of_user = Path(os.environ.get("DVC_ROOT", "."), path)
    if not Path(path).exists() and of_user.exists():
        raise UserError(
            f"{path} doesn't exist in this copy of the repository, which has only what git or DVC tracks, but in "
            f"{of_user.parent}. Let DVC keep it, there: dvc add {shlex.quote(path)} && git add "
            f"{shlex.quote(f'{path}.dvc')}"
        )
    try:
        return "".join(f"{_md5(file)}  {file.name}\n" for file in reading.files(Path(path), f"{section}.path"))
    except OSError as error:
        raise UserError(
            f"{error.filename or path} can't be read: {error.strerror or error}. Make it readable, or set "
            f"{section}.path."
        ) from None


def _md5(file: Path) -> str:
    """The digest of the contents, read if the file is not what it was when they were read last."""
    path, seen = str(file.resolve()), _seen()
    state = _state(file)
    known = seen.get(path)
    if isinstance(known, dict) and known.get("state") == state:
        return str(known["md5"])
    with file.open("rb") as stream:
        md5 = hashlib.file_digest(stream, "md5").hexdigest()
    if _temporary().is_dir() and _state(file) == state and time.time_ns() - state[1] > RECENT:
        there = {name: kept for name, kept in seen.items() if Path(name).exists()}  # not those of past experiments
        _keep({**there, path: {"state": state, "md5": md5}})
    return md5


def _state(file: Path) -> list[int]:
    """What changes if the file is written or replaced, even by a program that sets its time back."""
    state = file.stat()
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino, state.st_dev]


def _temporary() -> Path:
    return Path(os.environ.get("DVC_ROOT", "."), ".dvc", "tmp")


def _seen() -> dict[str, Any]:
    """What was kept; nothing where that is absent or damaged."""
    try:
        found = json.loads((_temporary() / SEEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _keep(digests: dict[str, Any]) -> None:
    """Replaced in one step, so that a stage of another experiment at the same time reads no half of it."""
    fresh = _temporary() / f"{SEEN}.{os.getpid()}"
    try:
        outputs.save_text(json.dumps(digests), fresh)
        fresh.replace(_temporary() / SEEN)
    except OSError:  # a full or read-only disk: the file is read again the next time
        fresh.unlink(missing_ok=True)

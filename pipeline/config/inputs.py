"""The files that the configuration names, as digests of fixed places: what DVC watches, not all of `data/`.

The templates of dvc.yaml are resolved before conf/ is composed, so a stage can't depend on "the file in data.path". It
depends on the digest of that file: when the file is edited, or another one is named, the stages that read it run again,
and other files under `data/` do not matter. A link would show the same, but once it leads to nothing DVC stops at every
command. So `configure`, which writes the digests, runs in every `dvc repro`, and what it writes outlives the file.

A large table takes seconds to read, so its digest is kept (`files.kept`).
"""

import hashlib
import os
import shlex
from collections.abc import Collection
from pathlib import Path

from pipeline import config
from pipeline.errors import UserError
from pipeline.files import formats, paths
from pipeline.files.kept import Kept

FILES = {"data": paths.DATA_FILE, "split": paths.TEST_FILE}  # by the section that names the file
SEEN = "digests.json"
NONE = "The configuration names no file here.\n"  # an empty one makes DVC warn


def record(root: Path) -> None:
    """Below `root`, write the digest of what each section names. Errors: as `digest`."""
    for section, file in FILES.items():
        formats.save_text(digest(section), root / file)


def changed(dependencies: Collection[str]) -> list[str]:
    """The settings of the files whose recorded digest, among `dependencies`, is not theirs. Errors: as `digest`."""
    recorded = {section: paths.ROOT / file for section, file in FILES.items()}
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
        kept = Kept(SEEN)
        files = reading.files(Path(path), f"{section}.path")
        names = [file.name if file == Path(path) else file.relative_to(path).as_posix() for file in files]
        lines = [f"{kept.of(file, _md5)}  {name}\n" for file, name in zip(files, names, strict=True)]
        kept.save()
        return "".join(lines)
    except OSError as error:
        raise UserError(
            f"{error.filename or path} can't be read: {error.strerror or error}. Make it readable, or set "
            f"{section}.path."
        ) from None


def _md5(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()

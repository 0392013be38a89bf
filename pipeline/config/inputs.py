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
from pipeline.config import data_sets
from pipeline.errors import UserError
from pipeline.files import formats, paths
from pipeline.files.kept import Kept

FILES = {"data": paths.DATA_FILE, "split": paths.TEST_FILE}  # by the section that names the file
SEEN = "digests.json"
NONE = "The configuration names no file here.\n"  # an empty one makes DVC warn


def record(root: Path) -> None:
    """Below `root`, write the digest of what each section names. Errors: as `digest`."""
    for section, file in FILES.items():
        _bring(getattr(config.read(section), "path", None))
        formats.save_text(digest(section), root / file)


def _bring(path: str | None) -> None:
    """In DVC's copy of the repository (`--queue`, `--temp`): a link to a table that neither git nor DVC keeps."""
    of_user = Path(os.environ.get("DVC_ROOT", "."), path or ".").absolute()
    if path is None or Path(path).exists() or not of_user.exists():
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).symlink_to(of_user)
    kept = f"dvc add {shlex.quote(path)} && git add {shlex.quote(f'{path}.dvc')}"
    print(f"{path} is read from {of_user.parent}, since neither git nor DVC keeps it. For other clones: {kept}")


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


def check_results() -> None:
    """Errors: `UserError` where outputs/ has the results of another data set than params.yaml names."""
    profile = paths.ROOT / paths.PROFILE
    title = config.read("data").title
    if profile.exists() and (other := formats.load_json(profile)["data"]) != title:
        before = data_sets.of_last_run()
        back = f" Back to the other: {data_sets.command_for(before)} && dvc repro" if before else ""
        raise UserError(
            f"outputs/ has the results of {other}, and the data set in use is {title}. `dvc repro` makes its results."
            f"{back}"
        )


def _md5(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()

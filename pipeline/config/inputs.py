"""The files that the configuration names, as links of fixed names: what DVC watches instead of all of `data/`.

The templates of dvc.yaml are resolved before conf/ is composed, so a stage can't depend on "the file in data.path". It
depends on a link to it, which DVC follows: when the file is edited in place, or another one is named, the stages that
read it run again, and other files under `data/` do not matter.
"""

import os
from pathlib import Path

from pipeline import config, outputs

NONE = "The configuration names no file here.\n"  # an empty one makes DVC warn


def link(root: Path) -> None:
    """Below `root`, link to the files of the sections data and split; a section without one gets a file that says so.

    Errors: `UserError` for a path that is no file, and no folder of files.
    """
    for section, name in (("data", outputs.DATA_FILE), ("split", outputs.TEST_FILE)):
        path = getattr(config.read(section), "path", None)
        link, place = root / name, outputs.ROOT / name
        link.parent.mkdir(exist_ok=True)
        if path is None:
            link.write_text(NONE, encoding="utf-8")
            continue
        from pipeline import reading

        reading.files(Path(path), f"{section}.path")
        link.symlink_to(path if Path(path).is_absolute() else os.path.relpath(path, place.parent))

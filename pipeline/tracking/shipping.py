"""The code and the requirements that are stored with a model: what it needs to load and predict, and no more."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.files import code

ENTRY = "pipeline.tracking.serving"  # the module that MLflow loads a model with
REQUIREMENTS = [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pandas", "pyarrow")]


def sources() -> list[Path]:
    """The source files that are shipped: the entry and each module that it imports, directly or not."""
    return code.Sources().needed(ENTRY, at_import=True)


def fingerprint() -> list[str]:
    """What changes when the shipped code or the requirements change."""
    looked_at = code.Sources()
    return [*REQUIREMENTS, looked_at.digests(ENTRY, at_import=True)]


@contextmanager
def copied() -> Iterator[Path]:
    """A temporary folder `pipeline` with a copy of the shipped code."""
    with TemporaryDirectory() as folder:
        for file in sources():
            target = Path(folder) / code.PACKAGE.name / file.relative_to(code.PACKAGE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
        yield Path(folder) / code.PACKAGE.name

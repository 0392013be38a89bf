"""The code and the requirements that are stored with a model: what it needs to load and predict, and no more."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import pipeline

PACKAGE = Path(pipeline.__file__).parent
CODE = (
    *("__init__.py", "compute.py", "errors.py", "model.py", "columns", "logistic", "reading"),
    *("tracking/__init__.py", "tracking/serving.py"),
)
REQUIREMENTS = [
    f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pandas", "pyarrow", "scikit-learn", "skops")
]


def sources() -> list[Path]:
    """The source files that are shipped."""
    return sorted(
        file for name in CODE for file in ([PACKAGE / name] if "." in name else (PACKAGE / name).glob("*.py"))
    )


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

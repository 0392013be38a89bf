"""The code of the pipeline: `settings` are those of params.yaml, `stages/` has a file per stage of dvc.yaml."""

from pathlib import Path
from typing import Any

import yaml


def settings(section: str) -> dict[str, Any]:
    """A section of params.yaml, by its name: that of the stage."""
    values: dict[str, Any] = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    return dict(values[section])

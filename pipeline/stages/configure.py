"""Compose conf/ into params.yaml, which every later stage reads, and link to the files that it names.

The links are in outputs/configure/. Through them DVC notices when the table is edited, and ignores other files.
"""

from pathlib import Path

from pipeline.config import composition, inputs


def main(root: Path) -> None:
    composition.configure()
    inputs.link(root)

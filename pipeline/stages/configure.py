"""Compose conf/ into params.yaml, which every later stage reads, and record the digests of the files that it names.

The digests are in outputs/configure/. By them DVC notices when the table is edited, and ignores other files.
"""

from pathlib import Path

from pipeline.config import composition, inputs


def main(root: Path) -> None:
    composition.configure()
    inputs.record(root)

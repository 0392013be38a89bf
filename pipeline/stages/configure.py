"""Compose conf/ into params.yaml, which every later stage reads."""

from pathlib import Path

from pipeline.config import composition


def main(_: Path) -> None:
    composition.configure()

"""What the page is made of, as data: sections of tables, figures and others, and the files that they are read from."""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup

from pipeline import config, model
from pipeline.files import formats, stored
from pipeline.files.paths import Result


class Table(NamedTuple):
    caption: str
    header: list[str]
    rows: list[list[str]]
    kind: str = "table"


class Figure(NamedTuple):
    """A picture as SVG, and the name of the file that MLflow and the card have of it."""

    title: str
    caption: str
    picture: Markup
    file: str = ""
    kind: str = "figure"


class Block(NamedTuple):
    """A `kind` that the templates know, and its content: text, code, items, figures, tiles, thresholds, columns."""

    kind: str
    content: Any


class Folded(NamedTuple):
    title: str
    blocks: list[Any]
    kind: str = "folded"


class Section(NamedTuple):
    name: str
    title: str
    blocks: list[Any]


class Read(NamedTuple):
    """What the page is made of."""

    root: Path
    result: Result
    params: dict[str, Any]
    fitted: model.Model
    test: stored.Table
    predictions: pd.DataFrame
    scores: pd.DataFrame
    target: str

    def csv(self, name: str | Path) -> pd.DataFrame | None:
        """A table below the folder of the result, where there is one."""
        file = self.result.folder / name
        return formats.load_csv(file) if file.exists() else None

    @property
    def decision(self) -> config.Decision:
        return config.section_of(self.params, "decision", "params.yaml")

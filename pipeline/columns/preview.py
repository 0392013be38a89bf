"""A table before it is used: the role of each column with the reason, the classes, the warnings; or likely targets."""

import os
import re
import shlex
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from pandas.api import types

from pipeline import config, reading
from pipeline.columns import dataset, spellings
from pipeline.columns.roles import FEATURES, SPECIAL
from pipeline.config import composition
from pipeline.config.section import UNSET
from pipeline.errors import reported_warnings
from pipeline.files.stored import in_memory
from pipeline.overrides import assignment, beside, override

OVERRIDE = re.compile(rf"(\+\+?|~)?({'|'.join(config.Params.model_fields)}|optimizer)([.@][\w.@$-]*)?=")
BY_COLUMN = re.compile(r"^\+?(?=data\.(roles|expectations|replace|date_format)\b)")  # settings whose keys are columns
TARGETS = re.compile(r"(?i)(^|[\W_])(target|class|label|outcome|y)$")  # usual names of the column to predict
CLASSES = 20  # of a column that is proposed as the target, at most
PROPOSED, EXAMPLES = 5, 3
LENGTH, CELL = 60, 30  # characters shown of a name, and of a cell


class Table(NamedTuple):
    """A table as a user names it on the command line: `command data/my.csv outcome +data.roles.zip=categorical`."""

    command: str
    path: str  # from the root of the repository, if it is below it; so the command works in another clone too
    target: str | None
    settings: list[str]

    def words(self, target: str | None, command: str = "") -> str:
        """The command on this table with a target, quoted for the shell."""
        odd = target is not None and (OVERRIDE.match(target) or target.startswith("-"))
        named = [] if target is None else [assignment("data.target", target) if odd else target]
        return shlex.join(["python", "-m", "pipeline", command or self.command, self.path, *named, *self.settings])


def named(command: str, file: str, target: str | None, settings: Sequence[str]) -> Table:
    """The table that the words of a command line mean. The target may be left out, or be a setting."""
    in_data = Path("data", file)
    path = Path(os.path.normpath(Path.cwd() / (in_data if in_data.exists() and not Path(file).exists() else file)))
    path = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    if target is not None and OVERRIDE.match(target):
        settings, target = [target, *settings], None
    return Table(command, str(path), target, [BY_COLUMN.sub("++", text) for text in settings])


def show(table: Table, pattern: str = "table") -> list[str] | None:
    """Print what the pipeline would do with a table; its overrides of conf/ are returned.

    Without a target: its columns, and those that could be the target. pattern is the data set that it is a case of.
    Errors: `UserError`, as of the stages load and split.
    """
    overrides = [f"data={pattern}", assignment("data.path", table.path)]
    if table.target is not None:
        overrides.append(assignment("data.target", table.target))
    overrides += table.settings
    source = " ".join(["conf/ with", *overrides])
    composed = composition.compose(overrides)
    data = config.parse(composed, source)["data"]
    if data["target"] == UNSET:
        _list_columns(config.section_of({"data": data | {"target": "any"}}, "data", source), table)
        return None
    _show(config.validate(composition.check(composed, source), source))
    return overrides


def _show(params: config.Params) -> None:
    """Roles, classes and warnings, from the functions that the stages load and split call."""
    with beside("data", params.data.model_dump()), reported_warnings():
        loaded = dataset.load(params.data)
        split_rows = dataset.split(loaded, params.split, params.data)
        target, report = loaded.table.columns[-1], loaded.report
        print(f"{params.data.source}: {len(loaded.table):,} rows, {len(report):,} columns\n")
        used = report["role"].isin([*FEATURES, *SPECIAL])
        rows = report[["column", "role", "reason"]]
        print(_aligned([("column", "role", "reason"), *rows[used].to_numpy().tolist()]))
        if not used.all():
            print(f"\nleft out:\n{_aligned(rows[~used].to_numpy().tolist())}")
        counts = loaded.table[target].value_counts().sort_index()
        print(f"\nclasses of {_shortened(target)}:")
        print(_aligned([str(name), f"{count:,} rows"] for name, count in counts.items()))
        print(f"\n{len(split_rows.train):,} training rows, {len(split_rows.test):,} test rows")
        if joined := spellings.found(in_memory(loaded.table), target):
            print(f"\nTo join spellings:\n{override('data.replace', joined)}")


def _list_columns(data: config.TableData, table: Table) -> None:
    """The columns of a table, and which of them could be the target."""
    options = dataset.options_of(data)
    with beside("data", data.model_dump()), reported_warnings():
        frame = reading.read(Path(data.path), options, roles=data.roles).frame
        print(f"{table.path}: {len(frame):,} rows, {len(frame.columns):,} columns\n")
        rows = [["column", "cells", "distinct", "missing", "examples"]]
        for name in frame:
            cells = frame[name].dropna()
            examples = ", ".join(_cell(value) for value in cells.unique()[:EXAMPLES])
            counted = (f"{count:,}" for count in (cells.nunique(), len(frame) - len(cells)))
            rows.append([str(name), _kind(cells), *counted, examples])
        print(_aligned(rows))
    proposed = _likely_targets(frame)
    if not proposed:
        print(f"\nNo column has 2 to {CLASSES} classes with at least two rows each. Name the column to predict:")
        print(f"{table.words(None)} COLUMN")
        return
    print("\nColumns that could be the target, the most likely first:")
    for name in proposed:
        counts = frame[name].value_counts()
        frequent = [f"{_cell(value)}: {count:,} rows" for value, count in counts.head(EXAMPLES).items()]
        print(f"  {_shortened(name)} ({', '.join(frequent)}{', ...' if len(counts) > EXAMPLES else ''})")
    print("\nThe command for each:")
    for name in proposed:
        print(table.words(name))


def _likely_targets(frame: pd.DataFrame) -> list[str]:
    """Columns of few classes: with a usual name first; then strings or two numbers; then the last, the first column."""
    targets = []
    for place, name in enumerate(map(str, frame.columns)):
        column = frame[name].dropna()
        is_number = types.is_numeric_dtype(column)
        if types.is_datetime64_dtype(column) or (is_number and not (column % 1 == 0).all()):
            continue
        counts = column.value_counts()
        if 2 <= len(counts) <= CLASSES and counts.min() >= 2:
            is_last, is_count = place == len(frame.columns) - 1, is_number and len(counts) > 2
            targets.append((TARGETS.search(name) is None, is_count, not is_last, place > 0, len(counts), place, name))
    return [name for *_, name in sorted(targets)[:PROPOSED]]


def _kind(column: pd.Series) -> str:
    if column.empty:
        return "none"
    if types.is_datetime64_dtype(column):
        return "dates"
    return "numbers" if types.is_numeric_dtype(column) else "strings"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M}".removesuffix(" 00:00")
    return _shortened(str(value), CELL)


def _shortened(text: str, length: int = LENGTH) -> str:
    """`text` on one line of the terminal."""
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _aligned(rows: Iterable[Sequence[str]]) -> str:
    """Rows of as many cells each, in columns; the last column is not cut."""
    lines = [[*map(_shortened, row[:-1]), row[-1]] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  " + "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _width(text: str) -> int:
    """Places on the terminal: East Asian characters take two, combining marks none."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)

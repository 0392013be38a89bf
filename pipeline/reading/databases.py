"""Files with several tables, of which one is read: SQLite, DuckDB, and data of R."""

import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from pipeline.errors import UserError
from pipeline.overrides import override

SHOWN = 10


class Tables(NamedTuple):
    names: list[str]
    columns: Callable[[str], list[str]]
    rows: Callable[[str], Any]  # a frame, or an Arrow table


def table(path: Path, kind: str, sheet: str | int | None, target: str | None) -> Any:
    """The table called `sheet`, the only one, or the only one with a column `target`. Errors: `UserError`."""
    with OPENERS[kind](path) as (names, columns, rows):
        if not names:
            raise UserError(f"{path} holds no table. Give a file of {kind} with one.")
        if isinstance(sheet, int):
            sheet = names[sheet] if sheet < len(names) else str(sheet)
        if sheet is not None and sheet not in names:
            raise UserError(f"{path} has no table {sheet!r}. Its tables are {_listed(names)}: set data.sheet.")
        if sheet is not None or len(names) == 1:
            return rows(sheet or names[0])
        having = [name for name in names if target in columns(name)]
        if len(having) != 1:
            which = f"{len(having)} of them with a column {target!r}" if target else "and no column to predict is named"
            raise UserError(
                f"{path} has {len(names)} tables ({_listed(names)}), {which}. Name the one to read: "
                f"{override('data.sheet', (having or names)[0])}."
            )
        others = [name for name in names if name != having[0]]
        warnings.warn(
            f"{path} has {len(names)} tables: {having[0]!r}, which has the column {target!r}, is read, not "
            f"{_listed(others)}. For another one: {override('data.sheet', others[0])}.",
            stacklevel=2,
        )
        return rows(having[0])


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:SHOWN])) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


@contextmanager
def _sqlite(path: Path) -> Iterator[Tables]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        database.text_factory = lambda cell: cell.decode("utf-8", "replace")
        found = database.execute(
            "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite\\_%' escape '\\'"
        )

        def columns(name: str) -> list[str]:
            return [column[0] for column in database.execute(f"select * from {_quoted(name)} limit 0").description]

        def rows(name: str) -> pd.DataFrame:
            cells = database.execute(f"select * from {_quoted(name)}").fetchall()
            return pd.DataFrame(cells, columns=columns(name), dtype=object).infer_objects()

        yield Tables([name for (name,) in found], columns, rows)


@contextmanager
def _duckdb(path: Path) -> Iterator[Tables]:
    import duckdb

    with duckdb.connect(str(path), read_only=True) as database:
        names = [name for (name,) in database.execute("select table_name from information_schema.tables").fetchall()]

        def rows(name: str) -> pa.Table:
            return database.sql(f"select * from {_quoted(name)}").to_arrow_table()

        yield Tables(names, lambda name: database.table(_quoted(name)).columns, rows)


@contextmanager
def _r(path: Path) -> Iterator[Tables]:
    import pyreadr

    frames = {name or path.stem: frame for name, frame in pyreadr.read_r(str(path)).items()}
    yield Tables([*frames], lambda name: [*map(str, frames[name].columns)], frames.__getitem__)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


OPENERS = {"SQLite": _sqlite, "DuckDB": _duckdb, "R": _r}

"""Tables on disk, of which one column or one group of rows at a time is in memory."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet

GROUP_ROWS = 2**18  # of a Parquet file, which are read and written together


class StoredTable:
    """A table that `save_table` wrote, or some of its columns and rows, of which one column at a time is in memory.

    It has what code that needs no more than that uses of a data frame; `in_memory` makes it one.
    """

    def __init__(self, path: Path, columns: Sequence[str] | None = None, rows: np.ndarray | None = None) -> None:
        self.path, self.rows, metadata = path, rows, parquet.read_metadata(path)
        empty = metadata.schema.to_arrow_schema().empty_table().to_pandas()
        self._empty = empty if columns is None else empty[list(columns)]
        self._n_rows = metadata.num_rows if rows is None else len(rows)

    @property
    def columns(self) -> pd.Index:
        return self._empty.columns

    @property
    def dtypes(self) -> pd.Series:
        return self._empty.dtypes

    def __len__(self) -> int:
        return self._n_rows

    def __contains__(self, name: str) -> bool:
        return name in self._empty

    def __getitem__(self, names: Any) -> Any:
        """A column as a series; a table for a list of names."""
        if isinstance(names, list):
            return StoredTable(self.path, names, self.rows)
        column = parquet.read_table(self.path, columns=[names])
        column = column if self.rows is None else column.take(self.rows)
        return column.to_pandas(self_destruct=True)[names]

    def select_dtypes(self, kind: str) -> pd.DataFrame:
        """Without rows: for the names of the columns."""
        return self._empty.select_dtypes(kind)

    def drop(self, *, columns: str | list[str]) -> "StoredTable":
        return self[self.columns.drop(columns).tolist()]

    def take(self, rows: np.ndarray) -> "StoredTable":
        """Some of the rows, by position."""
        return StoredTable(self.path, self.columns.tolist(), rows if self.rows is None else self.rows[rows])

    def head(self, n: int) -> pd.DataFrame:
        """The first rows, in memory."""
        return in_memory(self.take(np.arange(min(n, len(self)))))

    def groups(self) -> Iterator[pa.Table]:
        """The rows that each group of rows in the file has. `rows` are in ascending order."""
        file, end = parquet.ParquetFile(self.path), 0
        for group in range(file.num_row_groups):
            part = file.read_row_group(group, columns=self.columns.tolist()).select(self.columns.tolist())
            start, end = end, end + len(part)
            if self.rows is not None:
                part = part.take(self.rows[slice(*np.searchsorted(self.rows, [start, end]))] - start)
            yield part


Table = pd.DataFrame | StoredTable


def in_memory(table: Table) -> pd.DataFrame:
    if isinstance(table, pd.DataFrame):
        return table
    with progress(len(table.columns), "read", " columns") as bar:
        columns = {}
        for name in table.columns:
            columns[name] = table[name]
            bar.update()
    return pd.DataFrame(columns, index=range(len(table)))


def frames(table: Table) -> Iterator[pd.DataFrame]:
    """The rows in groups; at least one, which may be empty."""
    if isinstance(table, StoredTable):
        yield from (part.to_pandas() for part in table.groups())
    else:
        yield from (table.iloc[start : start + GROUP_ROWS] for start in range(0, max(len(table), 1), GROUP_ROWS))


def progress(total: int, verb: str, unit: str, delay: float = 1) -> Any:
    """A bar on a terminal, for what takes longer than a second; what moves only at its end has no delay."""
    from tqdm import tqdm  # which a model that is served has no need of

    settings = {"unit_scale": total > 999, "delay": delay, "leave": False, "disable": None}
    return tqdm(total=total, desc=verb, unit=unit, **settings)


def row_hashes(table: Table) -> np.ndarray:
    """A number for each row, (n_rows,), that equal rows share; it depends on the order of the columns."""
    hashes = np.zeros(len(table), dtype=np.uint64)
    for name in table.columns:
        hashes *= np.uint64(1_000_003)
        hashes ^= pd.util.hash_pandas_object(table[name], index=False).to_numpy(dtype=np.uint64)
    return hashes


def save_table(table: Table, path: Path) -> None:
    """Write `table`, without its index, as Parquet: the same bytes for the same table.

    Only strings are dictionary-encoded: for numbers it takes long to find out that they do not repeat.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    groups = table.groups() if isinstance(table, StoredTable) else _groups(table)
    first = next(groups)
    strings = [
        field.name for field in first.schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]
    with (
        parquet.ParquetWriter(path, first.schema, use_dictionary=strings, compression="snappy") as file,
        progress(len(table), "write", " rows") as bar,
    ):
        for part in chain([first], groups):
            file.write_table(part)
            bar.update(len(part))


def _groups(frame: pd.DataFrame) -> Iterator[pa.Table]:
    for rows in frames(frame):
        yield pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)


def load_table(path: Path) -> pd.DataFrame:
    """A table that `save_table` wrote."""
    return parquet.read_table(path).to_pandas(self_destruct=True)


def load_key(path: Path) -> pd.Series | None:
    """The group or the time of each training row, named "group" or "time"; None for a random split."""
    return load_table(path).iloc[:, 0] if path.exists() else None


def load_weights(path: Path) -> np.ndarray | None:
    """The weight of each row, (n_samples,); None where rows have none."""
    return load_table(path).iloc[:, 0].to_numpy(dtype=np.float64) if path.exists() else None

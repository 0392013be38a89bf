"""Where columns are while a table is read: in memory, or mapped from files where memory may not take them (`compute`).

Arrow's columns are written as an Arrow stream, those of NumPy as they are, so a column that is mapped is used like any
other, without a copy.
"""

import pandas as pd
import pyarrow as pa

from pipeline import compute

TOGETHER = 1 << 27  # bytes of columns that are copied together


def joined(batches: pa.RecordBatchReader, n_bytes: float) -> pa.Table:
    """The batches of a file of `n_bytes` as a table, copied some at a time."""
    from tqdm import tqdm  # which a model that is served has no need of

    some: list[pa.RecordBatch] = []
    tables, size = [], 0

    def copied() -> pa.Table:
        table = pa.Table.from_batches(some, batches.schema).combine_chunks()
        return _mapped(table, n_bytes) if compute.is_mapped(n_bytes) else table

    with tqdm(desc="read", unit=" rows", unit_scale=True, disable=None) as bar:
        for batch in batches:
            some.append(batch)
            size += batch.nbytes
            if size >= TOGETHER:
                tables.append(copied())
                some, size = [], 0
                compute.release()
            bar.update(batch.num_rows)
    return pa.concat_tables([*tables, copied()])


def column(frame: pd.DataFrame, n_bytes: float) -> pd.DataFrame:
    """A column of a table of `n_bytes`, as a frame: itself if it may stay in memory."""
    if not compute.is_mapped(n_bytes):
        return frame
    (name,) = frame.columns
    if not isinstance(frame[name].dtype, pd.StringDtype):
        cells = frame[name].to_numpy()
        mapped = compute.empty(cells.shape, cells.dtype, n_bytes)
        mapped[:] = cells
        return pd.DataFrame({name: mapped}, frame.index, copy=False)
    return _mapped(pa.Table.from_pandas(frame, preserve_index=False), n_bytes).to_pandas().set_axis(frame.index)


def rows(frame: pd.DataFrame, which: pd.Series) -> pd.DataFrame:
    """A copy of some rows of a frame, numbered from 0."""
    n_bytes = int(frame.memory_usage().sum())
    if not compute.is_mapped(n_bytes):
        return frame[which].reset_index(drop=True)
    columns = (column(frame.loc[which, [name]].reset_index(drop=True), n_bytes) for name in frame)
    return pd.concat(columns, axis=1)


def _mapped(table: pa.Table, n_bytes: float) -> pa.Table:
    size = pa.MockOutputStream()
    _write(table, size)
    array = compute.empty((size.size(),), "uint8", n_bytes)
    _write(table, pa.FixedSizeBufferWriter(pa.py_buffer(array)))
    return pa.ipc.open_stream(pa.py_buffer(array)).read_all()


def _write(table: pa.Table, sink: pa.NativeFile) -> None:
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)

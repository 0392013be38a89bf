"""Tables between stages: Parquet with the same bytes for the same table, and nothing in it but the table."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet


def save(frame: pd.DataFrame, path: Path) -> None:
    """`frame` without its index. Only words go by a dictionary: it takes long to find that numbers don't repeat."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    words = [
        field.name for field in table.schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, use_dictionary=words, compression="snappy")


def load(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A table that `save` wrote, or some of its columns."""
    return parquet.read_table(path, columns=columns).to_pandas(self_destruct=True)

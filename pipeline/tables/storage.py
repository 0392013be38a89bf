"""Tables between stages: Parquet with the same bytes for the same table, and nothing in it but the table.

A table is a frame of features and, last, one column of classes, the target. A feature's type is its role: float64 is
numeric, `str` categorical, datetime64 a date.
"""

from pathlib import Path

import numpy as np
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


def load(path: Path) -> pd.DataFrame:
    """A table that `save` wrote."""
    return parquet.read_table(path).to_pandas(self_destruct=True)


def features_and_target(table: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """The features (n_samples, n_features) and the classes (n_samples,), text as NumPy's fixed-width strings."""
    return table.iloc[:, :-1], table.iloc[:, -1].to_numpy(dtype=str)

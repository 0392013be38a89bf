"""Tables in and out, and what a usable table is.

A table is a pandas DataFrame of numeric features and, last, one column of classes, the target. On its way in it is
checked once, so that no later stage has to; between stages it is a Parquet file, which keeps names and types.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import UserError


def read(path: Path) -> pd.DataFrame:
    """A CSV or Parquet file that a person brings. Raises `UserError` for whatever can't be read as a table."""
    if not path.is_file():
        raise UserError(f"{path} is not a file. Put the table under data/ and set data.path to it.")
    if path.suffix not in (".csv", ".parquet"):
        raise UserError(f"{path} ends in {path.suffix!r}; a table is a .csv or .parquet file.")
    try:
        table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except (ValueError, OSError) as error:  # pandas' and pyarrow's parser errors are ValueErrors
        raise UserError(f"{path} can't be read as a table: {error}") from None
    if table.empty:
        raise UserError(f"{path} has no rows ({len(table.columns)} columns).")
    return table


def check(table: pd.DataFrame, target: str, source: str) -> None:
    """Raise `UserError` unless `table` has numeric, finite features and a target of two classes or more."""
    if target not in table.columns:
        raise UserError(f"{source} has no column {target!r}; it has {', '.join(map(str, table.columns))}.")
    if len(table.columns) == 1:
        raise UserError(f"{source} has the target {target!r} and no feature beside it.")
    if table[target].isna().any():
        raise UserError(f"{source}, column {target!r}, row {_first(table[target].isna())}: the target is missing.")
    classes = table[target].unique()
    if len(classes) < 2:
        raise UserError(f"{source}, column {target!r}: all rows have the class {classes[0]!r}; two are needed.")
    for name in table.columns.drop(target):
        column = pd.to_numeric(table[name], errors="coerce").astype(float)
        if column.isna().any() or (column.abs() == float("inf")).any():
            row = _first(column.isna() | (column.abs() == float("inf")))
            raise UserError(
                f"{source}, column {name!r}, row {row}: {table[name].iloc[row - 1]!r} is not a finite number. "
                "Mend the row or leave the column out."
            )


def _first(mask: pd.Series) -> int:
    return int(mask.to_numpy().argmax()) + 1


def save(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path, index=False)


def load(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path)


def features_and_target(table: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """The features (n_samples, n_features) and the classes (n_samples,), text as NumPy's fixed-width strings."""
    y = table.iloc[:, -1]
    return table.iloc[:, :-1], y.to_numpy(dtype=str if isinstance(y.iloc[0], str) else None)

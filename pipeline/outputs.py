"""The files that stages leave for each other and for the user: their names, their formats, and how they are replaced.

A stage has one folder, `outputs/<stage>/`, and where it has metrics for git one file, `outputs/<stage>.json`. It writes
into a fresh folder of the same layout (`replaced`), which takes the place of the earlier files when it is complete. So
a stage that fails leaves no half-written folder, no stray file of an earlier run, and the earlier outputs as they were.

Numbers are rounded to the digits that mean something before they are written, far above the noise in the last digit
that different processors leave: the same commit, parameters and data give the same bytes everywhere.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet

ROOT = Path("outputs")
RECEIPT = Path("track/receipt.json")

DATA_FILE = Path("configure/data")  # digests of the files of data.path and split.path
TEST_FILE = Path("configure/split")

TABLE = Path("load/table.parquet")
COLUMNS = Path("load/columns.csv")
DISTRIBUTIONS = Path("load/distributions.json")
PROFILE = Path("load/profile.json")
CELL_FORMAT = Path("load/cell_format.json")

EXPLORE = Path("explore")

TRAINING_ROWS = Path("split/train.parquet")
TEST_ROWS = Path("split/test.parquet")
TEST_LEFT_OUT = Path("split/test_left_out.parquet")  # the columns of the test rows that are no features
KEY = Path("split/key.parquet")  # the group or the time of the training rows, where rows are split by it
TRAINING_WEIGHTS = Path("split/train_weights.parquet")  # the weight of each row, where data.weight is set
TEST_WEIGHTS = Path("split/test_weights.parquet")
SPLIT_SUMMARY = Path("split/summary.json")

START = Path("train/model/start.json")
MODEL = Path("train/model/model.json")
COSTS = Path("train/costs.csv")
WEIGHTS = Path("train/weights.csv")
EFFECTS = Path("train/effects.csv")  # of weights that belong together: curves, pairs, categories of the same rows
CURVES_OF_FEATURES = Path("train/curves.csv")  # where numbers enter as curves
SURFACES = Path("train/pairs.csv")  # where columns act together
CANDIDATES = Path("train/candidates.csv")  # where train.features or train.lambda are auto
THRESHOLDS = Path("train/thresholds.csv")  # where decision has a method
INFERENCE = Path("train/inference.csv")
TRAINING_SUMMARY = Path("train/summary.json")
TRAINING_WARNINGS = Path("train/warnings.json")

EVALUATION = Path("evaluate")
PLOTS = Path("evaluate/plots")  # for `dvc plots`
PREDICTIONS = Path("evaluate/predictions.csv")
REFERENCE = Path("evaluate/reference.json")  # what later rows are compared with
EVALUATION_WARNINGS = Path("evaluate/warnings.json")

REPORT = Path("report/report.html")

SWEEP = Path("sweep")  # with a training of the winner in it
COMBINATIONS = Path("combinations.csv")
CURVES = Path("curves.parquet")
PATHS = Path("paths.csv")
PICTURES = Path("pictures")
ADOPT = Path("adopt.txt")
WINNER = Path("sweep.json")

WEIGHT_DIGITS, SCORE_DIGITS = 9, 7
GROUP_ROWS = 2**18  # of a Parquet file, which are read and written together
NAMES = ("class", "feature", "curve", "pair", "first", "second")  # columns of strings, whatever is in them


class Result(NamedTuple):
    """Where one split, its training and its evaluation are."""

    folder: Path  # with split/, train/ and evaluate/ in it
    metrics: Path
    section: str | None = None  # of the metrics file, so that no two files have a metric of the same name


def main_result(root: Path = ROOT) -> Result:
    return Result(root, root / "evaluate.json")


def one_vs_rest(root: Path = ROOT) -> Result:
    return Result(root / "one_vs_rest", root / "one_vs_rest.json", "one_vs_rest")


@contextmanager
def replaced(stage: str, root: Path = ROOT) -> Iterator[Path]:
    """A fresh folder to write a stage's outputs in; when the block ends they take the place of the earlier ones.

    If the block raises, the fresh folder is removed and the earlier outputs stay. Where DVC runs the stage, it has
    deleted them before; in that case they are taken from its cache again. (After `kill -9`, `dvc checkout` does that.)
    """
    fresh = root / f".{stage}"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        yield fresh
    except BaseException:
        shutil.rmtree(fresh)
        restore(stage)
        raise
    for entry in fresh.iterdir():
        earlier = root / entry.name
        if earlier.is_dir():
            shutil.rmtree(earlier)
        entry.replace(earlier)
    fresh.rmdir()


def restore(stage: str) -> None:
    """Where DVC runs `stage`: take the outputs that dvc.lock records from DVC's cache, if they are missing.

    Those that the cache does not have stay missing.
    """
    if os.environ.get("DVC_STAGE") != stage:
        return
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            for out in repo.stage.load_one(name=stage).outs:
                if not (out.persist or out.exists) and out.hash_info:
                    out.use_cache = True  # metrics, which git keeps, are in the cache as well
                    out.checkout(allow_missing=True)
    except DvcException as error:
        print(f"warning: the earlier outputs of {stage} can't be restored: {error}")


def significant(values: np.ndarray, digits: int) -> np.ndarray:
    """Each of `values` rounded to so many significant decimal digits."""
    values = np.asarray(values, dtype=float)
    return np.array([float(f"{value:.{digits}g}") for value in values.ravel().tolist()]).reshape(values.shape)


def rounded_weights(weights: np.ndarray) -> np.ndarray:
    """Weights (..., n_features) rounded to so many digits of the largest of each vector, which all errors relate to."""
    largest = np.abs(weights).max(axis=-1, keepdims=True)
    unit = 10 ** (np.floor(np.log10(np.where(largest > 0, largest, 1))) - WEIGHT_DIGITS + 1)
    return significant(np.rint(weights / unit) * unit, WEIGHT_DIGITS + 1) + 0.0  # no -0


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

    def parts(self) -> Iterator[pa.Table]:
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
        yield from (part.to_pandas() for part in table.parts())
    else:
        yield from (table.iloc[start : start + GROUP_ROWS] for start in range(0, max(len(table), 1), GROUP_ROWS))


def progress(total: int, verb: str, unit: str) -> Any:
    """A bar on a terminal, for what takes longer than a second."""
    from tqdm import tqdm  # which a model that is served has no need of

    return tqdm(total=total, desc=verb, unit=unit, unit_scale=True, delay=1, leave=False, disable=None)


def row_hashes(table: Table) -> np.ndarray:
    """A number for each row, (n_rows,), that equal rows share; it depends on the order of the columns."""
    found = np.zeros(len(table), dtype=np.uint64)
    for name in table.columns:
        found *= np.uint64(1_000_003)
        found ^= pd.util.hash_pandas_object(table[name], index=False).to_numpy(dtype=np.uint64)
    return found


def save_table(table: Table, path: Path) -> None:
    """Write `table`, without its index, as Parquet: the same bytes for the same table.

    Only strings are dictionary-encoded: for numbers it takes long to find out that they do not repeat.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = table.parts() if isinstance(table, StoredTable) else _groups(table)
    first = next(parts)
    strings = [
        field.name for field in first.schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]
    with (
        parquet.ParquetWriter(path, first.schema, use_dictionary=strings, compression="snappy") as file,
        progress(len(table), "write", " rows") as bar,
    ):
        for part in chain([first], parts):
            file.write_table(part)
            bar.update(len(part))


def _groups(frame: pd.DataFrame) -> Iterator[pa.Table]:
    for rows in frames(frame):
        yield pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)


def load_table(path: Path) -> pd.DataFrame:
    """A table that `save_table` wrote."""
    return parquet.read_table(path).to_pandas(self_destruct=True)


def load_key(root: Path) -> pd.Series | None:
    """The group or the time of each training row, named "group" or "time", below `root`; None for a random split."""
    return load_table(root / KEY).iloc[:, 0] if (root / KEY).exists() else None


def load_weights(path: Path) -> np.ndarray | None:
    """The weight of each row, (n_samples,); None where rows have none."""
    return load_table(path).iloc[:, 0].to_numpy(dtype=np.float64) if path.exists() else None


def save_csv(frame: pd.DataFrame, path: Path, digits: int = SCORE_DIGITS) -> None:
    """Write `frame` without its index, its floats rounded to `digits` significant digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = dict(enumerate(frame[name] for name in frame))
    for place, column in written.items():
        if column.dtype == np.float64:  # twice as fast as the `float_format` of pandas
            strings = pd.Series(list(map(f"%.{digits}g".__mod__, column.tolist())), column.index, object)
            written[place] = strings.where(column.notna())
    header = frame.columns.tolist()
    pd.DataFrame(written, frame.index).to_csv(path, index=False, header=header, lineterminator="\n")


def load_csv(path: Path) -> pd.DataFrame:
    """A table that `save_csv` wrote, in which a class may be called `NA` or `1`: only empty cells are missing."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=dict.fromkeys(NAMES, "str"))


def save_json(values: Any, path: Path, digits: int = SCORE_DIGITS) -> None:
    """Write `values`, their floats rounded to `digits` significant digits."""
    save_text(json.dumps(_rounded(values, digits), indent=2) + "\n", path)


def save_text(text: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def save_metrics(metrics: dict[str, Any], result: Result) -> None:
    """The scores of a result, by model, which `load_metrics` reads back."""
    save_json({result.section: metrics} if result.section else metrics, result.metrics)


def load_metrics(result: Result) -> dict[str, Any]:
    found = load_json(result.metrics)
    return found[result.section] if result.section else found


def load_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def load_columns(path: Path) -> pd.DataFrame:
    """The report on the columns of the table; a column may be called `NA`, or `2024`."""
    return pd.read_csv(path, dtype={"column": str}, keep_default_na=False, na_values=[""])


def _rounded(values: Any, digits: int) -> Any:
    if isinstance(values, dict):
        return {key: _rounded(value, digits) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_rounded(value, digits) for value in values]
    return float(f"{values:.{digits}g}") if isinstance(values, float) else values

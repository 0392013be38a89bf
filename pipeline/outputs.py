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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet

ROOT = Path("outputs")
RECEIPT = Path("track/receipt.json")

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
SPLIT_SUMMARY = Path("split/summary.json")

START = Path("train/model/start.skops")
MODEL = Path("train/model/model.skops")
COSTS = Path("train/costs.csv")
WEIGHTS = Path("train/weights.csv")
CURVES_OF_FEATURES = Path("train/curves.csv")  # where numbers enter as curves
SURFACES = Path("train/pairs.csv")  # where columns act together
CANDIDATES = Path("train/candidates.csv")  # where train.features or train.lambda are auto
THRESHOLDS = Path("train/thresholds.csv")  # where decision has a method
INFERENCE = Path("train/inference.csv")
TRAINING_SUMMARY = Path("train/summary.json")
TRAINING_WARNINGS = Path("train/warnings.json")

EVALUATION = Path("evaluate")
PREDICTIONS = Path("evaluate/predictions.csv")
EVALUATION_WARNINGS = Path("evaluate/warnings.json")

SWEEP = Path("sweep")  # with a training of the winner in it
COMBINATIONS = Path("combinations.csv")
CURVES = Path("curves.parquet")
PATHS = Path("paths.csv")
PICTURES = Path("pictures")
ADOPT = Path("adopt.txt")
WINNER = Path("sweep.json")

WEIGHT_DIGITS, SCORE_DIGITS = 9, 7


class Result(NamedTuple):
    """Where one split, its training and its evaluation are."""

    folder: Path  # with split/, train/ and evaluate/ in it
    metrics: Path


def main_result(root: Path = ROOT) -> Result:
    return Result(root, root / "evaluate.json")


def one_vs_rest(root: Path = ROOT) -> Result:
    return Result(root / "one_vs_rest", root / "one_vs_rest.json")


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


def save_table(frame: pd.DataFrame, path: Path) -> None:
    """Write `frame`, without its index, as Parquet: the same bytes for the same table.

    Only strings are dictionary-encoded: for numbers it takes long to find out that they do not repeat.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    strings = [
        field.name for field in table.schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, use_dictionary=strings, compression="snappy")


def load_table(path: Path) -> pd.DataFrame:
    """A table that `save_table` wrote."""
    return parquet.read_table(path).to_pandas(self_destruct=True)


def load_key(root: Path) -> pd.Series | None:
    """The group or the time of each training row, named "group" or "time", below `root`; None for a random split."""
    return load_table(root / KEY).iloc[:, 0] if (root / KEY).exists() else None


def save_csv(frame: pd.DataFrame, path: Path, digits: int = SCORE_DIGITS) -> None:
    """Write `frame` without its index, its floats rounded to `digits` significant digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False, float_format=f"%.{digits}g", lineterminator="\n")


def load_csv(path: Path) -> pd.DataFrame:
    """A table that `save_csv` wrote, in which a class may be called `None` or `NA`: only empty cells are missing."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def save_json(values: Any, path: Path, digits: int = SCORE_DIGITS) -> None:
    """Write `values`, their floats rounded to `digits` significant digits."""
    save_text(json.dumps(_rounded(values, digits), indent=2) + "\n", path)


def save_text(text: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


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

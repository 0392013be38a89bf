"""How numbers, tables and text are written: rounded to the digits that mean something, so that the bytes are the same.

That is far above the noise in the last digit that different processors leave: the same commit, parameters and data give
the same bytes everywhere.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

WEIGHT_DIGITS, SCORE_DIGITS = 9, 7
NAMES = ("class", "feature", "curve", "pair", "first", "second")  # columns of strings, whatever is in them


def significant(values: np.ndarray, digits: int) -> np.ndarray:
    """Each of `values` rounded to so many significant decimal digits."""
    values = np.asarray(values, dtype=float)
    return np.array([float(f"{value:.{digits}g}") for value in values.ravel().tolist()]).reshape(values.shape)


def rounded_weights(weights: np.ndarray) -> np.ndarray:
    """Weights (..., n_features) rounded to so many digits of the largest of each vector, which all errors relate to."""
    largest = np.abs(weights).max(axis=-1, keepdims=True)
    unit = 10 ** (np.floor(np.log10(np.where(largest > 0, largest, 1))) - WEIGHT_DIGITS + 1)
    return significant(np.rint(weights / unit) * unit, WEIGHT_DIGITS + 1) + 0.0  # no -0


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

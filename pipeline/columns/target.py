"""The column to predict: which rows have it, which classes it has, and whether they can be learnt."""

import re
import warnings
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.columns.terms.lists import BRACKETS, delimiter, split
from pipeline.errors import UserError
from pipeline.files.stored import StoredTable, Table
from pipeline.overrides import override
from pipeline.reading import held

CLASSES = 100  # at most; more are numbers to estimate, or names
BANDS = 20  # classes that are numbers: more than so many may be numbers to estimate
RARE = 0.2  # a smallest class with less than this share of the average class is reported
AnyTable = TypeVar("AnyTable", pd.DataFrame, StoredTable, Table)
REGRESSION = "Is it a number to estimate (regression)? Then put the numbers into bands first. "


def with_target(frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """The rows whose target is known.

    Warns of dropped rows, of imbalance and of more columns than rows. Errors: `UserError` for a target that is missing
    everywhere, constant, different in each row, a number to estimate, or with a class of one row.
    """
    rows = known_rows(frame, target)
    counts = rows[target].value_counts()
    classes = _ordered(counts.index.tolist())
    sizes = ", ".join(f"{name!r}: {counts[name]:,}" for name in classes[:10])
    if len(rows) < 2:
        raise UserError(f"Rows with a known {target!r}: {len(rows)}. A model needs at least two rows of each class.")
    if len(classes) < 2:
        raise UserError(
            f"The target {target!r} is {classes[0]!r} in every row. Set data.target to a column with at least two "
            f"classes."
        )
    if len(rows) != len(classes) and (mark := delimiter(rows[target])) is not None:
        _several_labels(rows[target], mark, is_error=len(classes) > CLASSES or counts.min() < 2)
    are_numbers = pd.to_numeric(counts.index.to_series(), errors="coerce").notna().all()
    hint = REGRESSION if are_numbers and (len(classes) > BANDS or len(classes) == len(rows)) else ""
    if len(classes) == len(rows):
        raise UserError(
            f"The target {target!r} is different in every row ({sizes}, ...). {hint}"
            f"Set data.target to a column of classes."
        )
    if len(classes) > CLASSES:
        raise UserError(
            f"The target {target!r} has {len(classes):,} classes ({sizes}, ...), but at most {CLASSES} are allowed. "
            f"{hint}Join rare classes with data.replace, or set data.target to another column."
        )
    if counts.min() < 2:
        alone = [name for name in classes if counts[name] < 2]
        raise UserError(
            f"The target {target!r} has classes of one row: {', '.join(map(repr, alone[:5]))}. The training and the "
            f"test rows need one each. {hint}{without_class(target, alone, classes)}"
        )
    by_letters: dict[str, list[str]] = {}
    for name in classes:
        by_letters.setdefault(name.casefold(), []).append(name)
    if same := [names for names in by_letters.values() if len(names) > 1]:
        warnings.warn(
            f"The target {target!r} has classes that differ in capital letters only ({', '.join(same[0])}). To join "
            f"them: {override('data.replace', {target: dict.fromkeys(same[0][1:], same[0][0])})}.",
            stacklevel=2,
        )
    if counts.min() < RARE * len(rows) / len(classes):
        warnings.warn(
            f"The classes of {target!r} are uneven ({sizes}), so accuracy alone is misleading. To give each class the "
            f"same weight: -S train.class_weight=balanced.",
            stacklevel=2,
        )
    if frame.shape[1] > len(rows):
        warnings.warn(
            f"The table has {frame.shape[1]:,} columns but {len(rows):,} rows, so the model needs a strong penalty: "
            f"raise train.lambda.",
            stacklevel=2,
        )
    return rows


def _several_labels(column: pd.Series, mark: str, *, is_error: bool) -> None:
    """A target of lists: an error where they are no classes, else a warning."""
    name, several = str(column.name), column[column.map(lambda cell: len(cell_values(cell, mark)) > 1)]
    labels = pd.Series([label for cell in column.unique() for label in cell_values(cell, mark)]).value_counts()
    between = "in brackets" if mark == BRACKETS else f"with {mark!r} between them"
    message = (
        f"The target {name!r} has several labels in {len(several):,} of {len(column):,} cells ({between}, such as "
        f"{several.iloc[0]!r}), and a model predicts one class of a row. Predict one label at a time, from a column "
        f'that says whether a row has it: with pandas, table["has_{labels.index[0]}"] = '
        f"table[{name!r}].astype(str).str.contains({re.escape(labels.index[0])!r}).map({{True: 'yes', False: 'no'}})"
    )
    if is_error:
        raise UserError(f"{message}; then set data.target to that column and leave this one out.")
    warnings.warn(f"{message}. As it is, each of the {column.nunique()} combinations is a class.", stacklevel=3)


def cell_values(cell: str, mark: str) -> list[str]:
    """The labels in a cell."""
    return [value for value in split(pa.array([cell], pa.large_string()), mark).to_pylist()[0] if value]


def known_rows(frame: pd.DataFrame, target: str, source: str = "") -> pd.DataFrame:
    """The rows whose target is known; a warning, which begins with `source`, counts the others."""
    is_known = frame[target].notna()
    rows = frame.reset_index(drop=True) if is_known.all() else held.rows(frame, is_known)  # the first is no copy
    if dropped := len(frame) - len(rows):
        warnings.warn(
            f"{source}{dropped:,} of {len(frame):,} rows have no {target!r}; they are left out.", stacklevel=3
        )
    return rows


def without_class(target: str, rare: list[str], classes: list[str]) -> str:
    """The ways on for classes of too few rows, as a sentence."""
    others = [name for name in classes if name not in rare]
    leave_out = override("data.replace", {target: dict.fromkeys(rare, "NA")})
    join = override("data.replace", {target: dict.fromkeys(rare, others[0])}) if others else ""
    return f"Add rows, leave these out: {leave_out}{f', or join them to another class: {join}' * bool(others)}."


def features_and_target(table: AnyTable) -> tuple[AnyTable, np.ndarray]:
    """The features (n_samples, n_features) and the classes (n_samples,) of a table whose last column is the target."""
    target = table.columns[-1]
    return table.drop(columns=target), table[target].to_numpy(dtype=str)


def check_offset(offset: str | None, classes: np.ndarray) -> None:
    """Errors: `UserError` where known log-odds are given of more than two classes."""
    if offset is not None and len(classes) != 2:
        raise UserError(
            f"data.offset = {offset!r} has the log-odds of one of two classes, but there are {len(classes)}: "
            f"{list(classes)}. Remove it."
        )


def _ordered(classes: list[str]) -> list[str]:
    """By value if all are numbers (`2` before `10`), else by letter."""
    numbers = pd.to_numeric(pd.Series(classes), errors="coerce")
    return [classes[i] for i in numbers.argsort()] if numbers.notna().all() else sorted(classes)

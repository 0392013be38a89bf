"""The column to predict: which rows have it, which classes it has, and whether they can be learnt."""

import warnings

import numpy as np
import pandas as pd

from pipeline.errors import UserError

CLASSES = 100  # more is a number to estimate, or a name
BANDS = 20  # more numbers than that may be one to estimate
RARE = 0.1  # share of the smallest class under which a person should know


def with_target(frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """The rows whose target is known.

    Warns of dropped rows, of imbalance and of more columns than rows. Errors: `UserError` for a target that is missing
    everywhere, constant, different in each row, a number to estimate, or with a class of one row.
    """
    known = known_rows(frame, target)
    counts = known[target].value_counts()
    classes = _ordered(counts.index.tolist())
    shown = ", ".join(f"{name!r}: {counts[name]:,}" for name in classes[:10])
    if len(known) < 2:
        raise UserError(f"There are {len(known)} rows with a {target!r}. A model needs at least two of each class.")
    if len(classes) < 2:
        raise UserError(
            f"The target {target!r} is {classes[0]!r} in every row. Give data.target a column with two classes or more."
        )
    numbers = pd.to_numeric(counts.index.to_series(), errors="coerce").notna().all()
    if len(classes) == len(known):
        hint = "Is this a regression? Put the numbers into bands, or give" if numbers else "Give"
        raise UserError(
            f"The target {target!r} is different in every row ({shown}, ...). {hint} data.target a column of classes."
        )
    if len(classes) > CLASSES:
        hint = "Is this a regression? Put the numbers into bands" if numbers else "Join the rare ones"
        raise UserError(
            f"The target {target!r} has {len(classes):,} classes ({shown}, ...). {hint}: at most {CLASSES} are allowed."
        )
    if counts.min() < 2:
        alone = [name for name in classes if counts[name] < 2]
        hint = " Is this a regression? Then put the numbers into bands." if numbers and len(classes) > BANDS else ""
        raise UserError(
            f"The target {target!r} has classes of one row: {', '.join(map(repr, alone[:5]))}. Training and test need "
            f"one each: add rows, or remove these, or join them to another class with data.replace.{target}.{hint}"
        )
    spelt: dict[str, list[str]] = {}
    for name in classes:
        spelt.setdefault(name.casefold(), []).append(name)
    if several := [names for names in spelt.values() if len(names) > 1]:
        warnings.warn(
            f"The target {target!r} has classes that differ in their capitals alone ({', '.join(several[0])}). To join "
            f"them: -S '+data.replace.{target}={{{several[0][1]}: {several[0][0]}}}'.",
            stacklevel=2,
        )
    if counts.min() < RARE * len(known) / len(classes) * 2:
        warnings.warn(
            f"The classes of {target!r} are uneven ({shown}). Accuracy says little then; train.class_weight=balanced "
            f"gives each the same weight.",
            stacklevel=2,
        )
    if frame.shape[1] > len(known):
        warnings.warn(
            f"{frame.shape[1]:,} columns but {len(known):,} rows: a strong train.lambda is needed.", stacklevel=2
        )
    return known


def known_rows(frame: pd.DataFrame, target: str, source: str = "") -> pd.DataFrame:
    """The rows whose target is known; a warning counts the others, and names the `source`."""
    known = frame[frame[target].notna()].reset_index(drop=True)
    if dropped := len(frame) - len(known):
        warnings.warn(f"{source}{dropped:,} of {len(frame):,} rows have no {target!r}; dropped.", stacklevel=3)
    return known


def _ordered(classes: list[str]) -> list[str]:
    """As numbers if they are numbers (`2` before `10`), else by letter."""
    numbers = pd.to_numeric(pd.Series(classes), errors="coerce")
    return [classes[i] for i in numbers.argsort()] if numbers.notna().all() else sorted(classes)


def features_and_target(table: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """The features (n_samples, n_features) and the classes (n_samples,) of a table whose last column is the target."""
    return table.iloc[:, :-1], table.iloc[:, -1].to_numpy(dtype=str)

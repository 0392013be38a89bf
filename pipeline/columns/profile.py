"""What is in a table: for each column its type, range, missing and distinct values, and what it tells about the target.

`information` is the share of the target's entropy that the column alone explains, I(x; y) / H(y), from 0 to 1: numbers
in bins of equal counts, words by level, a missing cell as a level, with Miller's correction for the bias of small
samples (G. A. Miller, "Note on the bias of information estimates", 1955). It asks for no straight line, so it sees what
a correlation does not.
"""

import numpy as np
import pandas as pd
from pandas.api import types

BINS = 20
LEVELS = 10  # shown of a column of words


def describe(frame: pd.DataFrame, roles: pd.DataFrame, target: str) -> pd.DataFrame:
    """One row a column: its role and reason, type, missing and distinct, range, commonest words, information."""
    classes = pd.factorize(frame[target])[0]
    rows = []
    for name, role, reason in roles.itertuples(index=False):
        column = frame[name]
        known = column.dropna()
        row = {"column": name, "role": role, "reason": reason, "type": _type(column)}
        distinct = known.nunique()
        row |= {"missing": len(column) - len(known), "distinct": distinct}
        if len(known) and not types.is_string_dtype(known):
            row |= {"minimum": known.min(), "median": known.median(), "maximum": known.max()}
            if types.is_numeric_dtype(known):
                row |= {"mean": known.mean(), "deviation": known.std(ddof=0)}
        if types.is_string_dtype(known):
            row["commonest"] = "; ".join(f"{level}: {count:,}" for level, count in known.value_counts().head(3).items())
        row["information"] = information(_binned(column, distinct), classes) if name != target else np.nan
        rows.append(row)
    order = [
        "column",
        "role",
        "reason",
        "type",
        "missing",
        "distinct",
        "minimum",
        "median",
        "maximum",
        "mean",
        "deviation",
    ]
    return pd.DataFrame(rows).reindex(columns=[*order, "commonest", "information"])


def distributions(frame: pd.DataFrame, roles: pd.DataFrame, target: str) -> dict[str, dict]:
    """For each column that is used, what a picture needs: labels or edges of the bars, and their heights by class."""
    found = {}
    codes, classes = pd.factorize(frame[target], sort=True)
    for name, role in roles[["column", "role"]].itertuples(index=False):
        column = frame[name]
        if role not in ("numeric", "categorical", "boolean", "date", "target"):
            continue
        if types.is_string_dtype(column):
            words = column.fillna("missing")
            bars = words.value_counts().index[:LEVELS]
            place = bars.get_indexer(words)
            axis = {"categories": bars.tolist()}
        else:
            numbers = column.to_numpy("datetime64[s]").astype(float) if role == "date" else column.to_numpy()
            numbers = np.where(column.isna(), np.nan, numbers)
            edges = np.linspace(*_range(numbers[~np.isnan(numbers)]), BINS + 1)
            place = np.where(
                np.isnan(numbers), -1, np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, BINS - 1)
            )
            bars = range(BINS)
            axis = {"edges": edges.tolist()}
        is_shown = place >= 0
        flat = codes[is_shown] * len(bars) + place[is_shown]
        table = np.bincount(flat, minlength=len(classes) * len(bars)).reshape(len(classes), len(bars))
        found[name] = axis | {"counts": dict(zip(classes, table.tolist(), strict=True))}
    return found


def _range(numbers: np.ndarray) -> tuple[float, float]:
    low, high = (numbers.min(), numbers.max()) if len(numbers) else (0.0, 1.0)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def information(x: np.ndarray, y: np.ndarray) -> float:
    """I(x; y) / H(y) for codes x, y of shape (n,), -1 a level like the others; 0 if y is constant."""
    n, width = len(x), y.max() + 2
    joint = np.bincount((x + 1) * width + y + 1, minlength=(x.max() + 2) * width).reshape(-1, width)
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    entropy = _entropy(columns, n)
    if entropy == 0:
        return 0.0
    shared = _entropy(rows, n) + entropy - _entropy(joint.ravel(), n)
    bias = (np.count_nonzero(rows) - 1) * (np.count_nonzero(columns) - 1) / (2 * n)
    return float(np.clip((shared - bias) / entropy, 0, 1))


def _entropy(counts: np.ndarray, n: int) -> float:
    share = counts[counts > 0] / n
    return float(-np.sum(share * np.log(share)))


def _binned(column: pd.Series, distinct: int) -> np.ndarray:
    if types.is_string_dtype(column) or distinct <= BINS:
        return pd.factorize(column)[0]
    numbers = (
        column.to_numpy("datetime64[us]").astype(float) if types.is_datetime64_dtype(column) else column.to_numpy()
    )
    known = numbers[column.notna()]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[:-1]))  # a value that fills several bins gets one
    return np.where(column.isna(), -1, np.searchsorted(edges, numbers))


def _type(column: pd.Series) -> str:
    if types.is_datetime64_dtype(column):
        return "date"
    return "number" if types.is_numeric_dtype(column) else "words"

"""What is in each column: its type, range, missing and distinct values, and its information about the target.

`information` is the share of the target's entropy that the column alone explains, from 0 to 1:

    I(x; y) / H(y) = (H(x) + H(y) - H(x, y)) / H(y)

Numbers and dates are put into bins of equal counts; each category is a bin, and so are the missing cells. The bias of
small samples is subtracted as in G. A. Miller, "Note on the bias of information estimates", 1955. Unlike a correlation,
`information` also sees relations that are no straight line.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api import types

from pipeline.columns.roles import FEATURES, TOKENS
from pipeline.columns.terms import Design, Settings
from pipeline.files.stored import Table

BINS = 20
CATEGORIES = 10  # shown of a column of strings
TOKEN_ROWS = 100_000  # whose words or values are counted, at most
COLUMNS = [
    *("column", "role", "reason", "type", "missing", "distinct", "minimum", "median", "maximum", "mean", "deviation"),
    *("commonest", "information"),
]


def describe(frame: pd.DataFrame, roles: pd.DataFrame, target: str) -> pd.DataFrame:
    """One row per column of `frame`, with the columns `COLUMNS`; `roles` is what `roles.decide` returns."""
    classes = pd.factorize(frame[target])[0]
    rows = []
    for name, role, reason in roles.itertuples(index=False):
        column = frame[name]
        cells = column.dropna()
        row = {"column": name, "role": role, "reason": reason, "type": type_of(column)}
        row["missing"] = len(column) - len(cells)
        if types.is_string_dtype(cells):
            counts = cells.value_counts()
            row |= {"distinct": len(counts), "commonest": "; ".join(f"{k}: {n:,}" for k, n in counts.head(3).items())}
        elif types.is_numeric_dtype(cells) and len(cells):
            ordered = np.sort(cells.to_numpy(float))  # once: each of these takes long where cells are in no order
            unit = np.ldexp(1.0, np.frexp(max(-ordered[0], ordered[-1]))[1])  # where the square of 1e300 is finite
            row |= {
                "distinct": 1 + np.count_nonzero(ordered[1:] != ordered[:-1]),
                "minimum": ordered[0],
                "median": np.median(ordered),
                "maximum": ordered[-1],
                "mean": cells.mean(),
                "deviation": (cells / unit).std(ddof=0) * unit,
            }
        else:
            row |= {"distinct": cells.nunique(), "minimum": cells.min(), "median": cells.median()}
            row["maximum"] = cells.max()
        row["information"] = information(binned(column, row["distinct"]), classes) if name != target else np.nan
        rows.append(row)
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def distributions(frame: Table, roles: pd.DataFrame, target: str) -> dict[str, dict[str, Any]]:
    """The bars of a picture of each feature and of the target: their `categories` or `edges`, and `counts` by class.

    Edges of dates are seconds after 1970. Of many rows, the words of `every` k-th are counted.
    """
    bars = {}
    codes, classes = pd.factorize(frame[target], sort=True)
    for name, role in roles[["column", "role"]].itertuples(index=False):
        if role not in (*FEATURES, "target"):
            continue
        column = frame[name]
        axis: dict[str, list[Any]]
        if role in TOKENS:
            bars[name] = _of_tokens(column, role, codes, classes)
            continue
        if types.is_string_dtype(column):
            strings = column.fillna("missing")
            categories = strings.value_counts().index[:CATEGORIES]
            place, n_bars, axis = places(strings, categories), len(categories), {"categories": categories.tolist()}
        else:
            numbers = as_numbers(column)
            edges = np.linspace(*_range(numbers[~np.isnan(numbers)]), BINS + 1)
            bins = np.clip(_below(edges, numbers, np.greater_equal) - 1, 0, BINS - 1)
            place, n_bars, axis = np.where(np.isnan(numbers), -1, bins), BINS, {"edges": edges.tolist()}
        is_shown = place >= 0
        flat = codes[is_shown] * n_bars + place[is_shown].astype(np.int64)
        table = np.bincount(flat, minlength=len(classes) * n_bars).reshape(len(classes), n_bars)
        bars[name] = axis | {"counts": dict(zip(classes, table.tolist(), strict=True))}
    return bars


def _of_tokens(column: pd.Series, role: str, codes: np.ndarray, classes: pd.Index) -> dict[str, Any]:
    """The most frequent words or values, and how many rows of each class have them; of many rows, of `every` k-th."""
    every = -(-len(column) // TOKEN_ROWS)
    column, codes = column.iloc[::every], codes[::every]
    settings = Settings(tokens={str(column.name): role}, words=CATEGORIES)
    design = Design.fit(column.to_frame(), settings)
    term, counts = next(iter(design.counted)), design.block(column.to_frame()).counts
    order = np.argsort(-np.bincount(counts.indices, minlength=term.n_counts), kind="stable")
    rows = [np.bincount(counts[codes == k].indices, minlength=term.n_counts)[order] for k in range(len(classes))]
    of_class = dict(zip(classes, (row.tolist() for row in rows), strict=True))
    return {"categories": [term.labels[k] for k in order], "counts": of_class} | ({"every": every} if every > 1 else {})


def places(strings: pd.Series, categories: Sequence[str] | pd.Index) -> np.ndarray:
    """The position of each string in `categories`, (n,), -1 for others and missing ones.

    As `pd.Index.get_indexer`, which makes a Python object of each string first.
    """
    positions = pc.index_in(*(pa.array(side, pa.large_string(), from_pandas=True) for side in (strings, categories)))
    return pc.fill_null(positions, -1).to_numpy()


def information(x: np.ndarray, y: np.ndarray) -> float:
    """I(x; y) / H(y) for codes x, y of shape (n,), where -1 is a value like the others; 0 if y is constant."""
    n, width = len(x), y.max() + 2
    joint = np.bincount((x.astype(np.int64) + 1) * width + y + 1, minlength=(x.max() + 2) * width).reshape(-1, width)
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    entropy = _entropy(columns, n)
    if entropy == 0:
        return 0.0
    shared = _entropy(rows, n) + entropy - _entropy(joint.ravel(), n)
    bias = (np.count_nonzero(rows) - 1) * (np.count_nonzero(columns) - 1) / (2 * n)
    return float(np.clip((shared - bias) / entropy, 0, 1))


def type_of(column: pd.Series) -> str:
    """number, string or date."""
    if types.is_datetime64_dtype(column):
        return "date"
    return "number" if types.is_numeric_dtype(column) else "string"


def _entropy(counts: np.ndarray, n: int) -> float:
    share = counts[counts > 0] / n
    return float(-np.sum(share * np.log(share)))


def binned(column: pd.Series, distinct: int) -> np.ndarray:
    """Codes (n,) of the bins of a column with so many distinct values; -1 for missing cells."""
    if types.is_string_dtype(column) or distinct <= BINS:
        return pd.factorize(column)[0]
    numbers = as_numbers(column)
    ordered = np.sort(numbers[~np.isnan(numbers)])
    edges = np.unique(np.quantile(ordered, np.linspace(0, 1, BINS + 1)[:-1]))  # a value that fills several bins has one
    return np.where(np.isnan(numbers), -1, _below(edges, numbers, np.greater))


def _below(edges: np.ndarray, numbers: np.ndarray, are: np.ufunc) -> np.ndarray:
    """For each number, how many of a few edges it exceeds (or equals): eight times faster than `searchsorted`."""
    counts = np.zeros(len(numbers), dtype=np.int8)
    for edge in edges:
        counts += are(numbers, edge)
    return counts


def as_numbers(column: pd.Series) -> np.ndarray:
    """Numbers, and dates in seconds after 1970; NaN for missing cells."""
    if types.is_datetime64_dtype(column):
        seconds = column.to_numpy("datetime64[us]").astype(float) / 1e6
        return np.where(column.isna(), np.nan, seconds)
    return column.to_numpy(float)


def _range(numbers: np.ndarray) -> tuple[float, float]:
    low, high = (numbers.min(), numbers.max()) if len(numbers) else (0.0, 1.0)
    return (low, high) if low < high else (low - 0.5, high + 0.5)

"""Raw columns to the matrix that the model learns from: scikit-learn's own transformers, chosen by the columns' types.

    numbers    median for missing cells, and a feature that says so
    dates      year, month, day, weekday, hour, minute (those that vary), then as numbers
    words      a feature a level; a missing cell is a level, rare levels are pooled, an unseen one counts as rare
    all        standardised: mean 0, standard deviation 1

Fitted on training rows only, stored in the model, and free of code of our own but for the three names in `TRUSTED`, the
list that skops needs. Feature names keep the user's words: `education = Bachelors`, `age is missing`, `sold: month`.
"""

import math
from collections.abc import Collection

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from pipeline.errors import UserError
from pipeline.tables import cells
from pipeline.tables.options import Cells

TRUSTED = ["numpy.dtype", *(f"{__name__}.{name}" for name in ("DateParts", "level_name", "column_name"))]
CELLS = 250_000_000  # of the dense matrix: 2 GB
INDICATOR = "missingindicator_"  # scikit-learn's prefix
PARTS = ("year", "month", "day", "day_of_week", "hour", "minute")


class DateParts(TransformerMixin, BaseEstimator):
    """Dates of shape (n_samples, n_columns) to numbers.

    One column for each part that varies in training (the first where none does), and one that says where a date is
    missing, if some were.
    """

    def fit(self, X: pd.DataFrame, y: object = None) -> "DateParts":
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.parts_ = []
        for i, name in enumerate(self.feature_names_in_):
            dates = pd.to_datetime(X[name], errors="coerce")
            parts = [part for part in PARTS if len(getattr(dates.dt, part).dropna().unique()) > 1] or [PARTS[0]]
            self.parts_ += [f"{i} {part}" for part in [*parts, *["missing"] * bool(dates.isna().any())]]
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        return np.column_stack([self._part(X[name], part) for name, part in self._named()])

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        weekday = {"day_of_week": "weekday"}
        names = [
            level_name(name, None) if part == "missing" else f"{name}: {weekday.get(part, part)}"
            for name, part in self._named()
        ]
        return np.array(names, dtype=object)

    def _named(self) -> list[tuple[str, str]]:
        return [(self.feature_names_in_[int(i)], part) for i, part in map(str.split, self.parts_)]

    @staticmethod
    def _part(column: pd.Series, part: str) -> np.ndarray:
        dates = pd.to_datetime(column, errors="coerce")
        return (dates.isna() if part == "missing" else getattr(dates.dt, part)).to_numpy(float)


def level_name(column: str, level: object) -> str:
    if isinstance(level, str) and level == "infrequent_sklearn":
        return f"{column} is rare"
    if level is None or (isinstance(level, float) and math.isnan(level)):
        return f"{column} is missing"
    return f"{column} = {level:g}" if isinstance(level, float) else f"{column} = {level}"


def column_name(transformer: str, feature: str) -> str:
    if transformer != "words" and feature.startswith(INDICATOR):
        return f"{feature.removeprefix(INDICATOR)} is missing"
    return feature


def preprocessing(frame: pd.DataFrame, *, max_levels: int, min_rows: int, reference: bool = False) -> Pipeline:
    """The unfitted transformer for a frame of features; its last step is a `StandardScaler`.

    A level with fewer than `min_rows` training rows, or beyond the `max_levels` commonest of its column, is pooled as
    rare. With `reference` the first level of a column gets no feature and the others are told against it: without
    penalty the weights would not be determined otherwise. Errors: `UserError` when the matrix would hold more than
    `CELLS` numbers.
    """
    numeric, dates, levels = (frame.select_dtypes(kind).columns.tolist() for kind in ("number", "datetime", "str"))
    width = {name: min(frame[name].nunique(), max_levels) for name in levels}
    missing = frame[numeric].isna().any().sum()
    total = sum(width.values()) + len(numeric) + missing + len(PARTS) * len(dates)
    if total * len(frame) > CELLS:
        widest = ", ".join(f"{name} ({width[name]})" for name in sorted(width, key=width.get, reverse=True)[:3])
        raise UserError(
            f"{len(frame):,} rows of up to {total:,} features are more than {CELLS:,} numbers, the most that fits in "
            f"memory here. Lower train.max_levels = {max_levels}, or leave columns out with data.drop (those with the "
            f"most levels: {widest})."
        )
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=min_rows,
        max_categories=max_levels,
        drop="first" if reference else None,
        sparse_output=False,
        feature_name_combiner=level_name,
    )
    branches = [
        ("numbers", clone(imputer).set_params(add_indicator=True), numeric),
        ("dates", make_pipeline(DateParts(), imputer), dates),
        ("words", encoder, levels),
    ]
    columns = ColumnTransformer([branch for branch in branches if branch[2]], verbose_feature_names_out=column_name)
    return Pipeline([("columns", columns), ("scale", StandardScaler())])


def conform(table: pd.DataFrame, fitted: Pipeline, written: Cells) -> pd.DataFrame:
    """A person's raw rows as the fitted transformer expects them, whatever types they arrive in.

    They are read as the training table was, which `written` tells. Numbers may come as words, words as numbers or
    booleans, dates as words. Errors: `UserError` for a word that is no number or no date.
    """
    frame = {}
    for kind, fit, names in fitted["columns"].transformers_:
        for place, name in enumerate(names):
            levels = fit.categories_[place] if kind == "words" else ()
            values, _ = cells.parse(_arrow(table[name], levels), name, written, kind)
            frame[name] = values.to_pandas()
    return pd.DataFrame(frame).set_axis(table.index)[fitted.feature_names_in_]


def _arrow(column: pd.Series, levels: Collection[str]) -> pa.ChunkedArray:
    """A column of any types; true and false as they are spelt in training, whether `True`, `TRUE`, `true` or 1."""
    column = column.reset_index(drop=True).infer_objects()
    spelt = {level.lower(): level for level in levels if isinstance(level, str) and level.lower() in ("true", "false")}
    if len(spelt) == sum(isinstance(level, str) for level in levels):  # and nothing else is a level
        spelt |= {number: spelt[word] for number, word in (("1", "true"), ("0", "false")) if word in spelt}
    if spelt or pd.api.types.is_bool_dtype(column) or column.dtype == object:
        words = column.dropna().map(_word)
        column = words.map(lambda word: spelt.get(word.strip().lower(), word)).reindex(column.index)
    return pa.chunked_array([pa.array(column, from_pandas=True)])


def _word(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

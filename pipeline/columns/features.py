"""Raw columns to the matrix that the model learns from: scikit-learn's own transformers, chosen by the columns' types.

    numbers    median for missing cells, and a feature that says so
    dates      year, month, day, weekday, hour, minute (those that vary), then as numbers
    words      a feature a level; a missing cell is a level, rare levels are pooled, an unseen one counts as rare
    all        standardised: mean 0, standard deviation 1

Fitted on training rows only, stored in the model, and free of code of our own but for the three names in `TRUSTED`, the
list that skops needs. Feature names keep the user's words: `education = Bachelors`, `age is missing`, `sold: month`.
"""

import math

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from pipeline.errors import UserError

TRUSTED = ["numpy.dtype", *(f"{__name__}.{name}" for name in ("DateParts", "category_name", "column_name"))]
NUMBERS = 250_000_000  # of the dense matrix: 2 GB
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
            category_name(name, None) if part == "missing" else f"{name}: {weekday.get(part, part)}"
            for name, part in self._named()
        ]
        return np.array(names, dtype=object)

    def _named(self) -> list[tuple[str, str]]:
        return [(self.feature_names_in_[int(i)], part) for i, part in map(str.split, self.parts_)]

    @staticmethod
    def _part(column: pd.Series, part: str) -> np.ndarray:
        dates = pd.to_datetime(column, errors="coerce")
        return (dates.isna() if part == "missing" else getattr(dates.dt, part)).to_numpy(float)


def category_name(column: str, level: object) -> str:
    if isinstance(level, str) and level == "infrequent_sklearn":
        return f"{column} is rare"
    if level is None or (isinstance(level, float) and math.isnan(level)):
        return f"{column} is missing"
    return f"{column} = {level:g}" if isinstance(level, float) else f"{column} = {level}"


def column_name(transformer: str, feature: str) -> str:
    if transformer != "strings" and feature.startswith(INDICATOR):
        return f"{feature.removeprefix(INDICATOR)} is missing"
    return feature


def preprocessing(frame: pd.DataFrame, *, max_categories: int, min_rows: int) -> Pipeline:
    """The unfitted transformer for a frame of features; its last step is a `StandardScaler`.

    A category with fewer than `min_rows` training rows, or beyond the `max_categories` commonest of its column, is
    pooled as rare. Errors: `UserError` when the matrix would hold more than `NUMBERS` numbers.
    """
    numeric, dates, strings = (frame.select_dtypes(kind).columns.tolist() for kind in ("number", "datetime", "str"))
    width = {name: min(frame[name].nunique(), max_categories) for name in strings}
    missing = frame[numeric].isna().any().sum()
    total = sum(width.values()) + len(numeric) + missing + len(PARTS) * len(dates)
    if total * len(frame) > NUMBERS:
        widest = ", ".join(f"{name} ({width[name]})" for name in sorted(width, key=lambda name: -width[name])[:3])
        raise UserError(
            f"{len(frame):,} rows of up to {total:,} features are more than {NUMBERS:,} numbers, the most that fits in "
            f"memory here. Lower train.max_categories = {max_categories}, or leave columns out with data.drop (those "
            f"with the most categories: {widest})."
        )
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=min_rows,
        max_categories=max_categories,
        sparse_output=False,
        feature_name_combiner=category_name,
    )
    branches = [
        ("numbers", clone(imputer).set_params(add_indicator=True), numeric),
        ("dates", make_pipeline(DateParts(), imputer), dates),
        ("strings", encoder, strings),
    ]
    columns = ColumnTransformer([branch for branch in branches if branch[2]], verbose_feature_names_out=column_name)
    return Pipeline([("columns", columns), ("scale", StandardScaler())])


def one_hot_groups(fitted: Pipeline) -> list[np.ndarray]:
    """For each category column, the positions of its indicators in the matrix that `fitted` makes."""
    columns = fitted["columns"]
    place = columns.output_indices_.get("strings", slice(0, 0)).start
    groups = []
    for kind, encoder, _ in columns.transformers_:
        if kind == "strings":
            for categories, rare in zip(encoder.categories_, encoder.infrequent_categories_, strict=True):
                width = len(categories) if rare is None else len(categories) - len(rare) + 1
                groups.append(np.arange(place, place + width))
                place += width
    return groups

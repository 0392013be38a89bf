"""Raw columns to the matrix that the model learns from: scikit-learn's own transformers, chosen by the columns' types.

    numbers    a missing cell becomes the median, and a feature of its own shows where cells are missing
    dates      year, month, day, weekday, hour, minute (those that vary), then as numbers
    strings    one-hot encoded, one feature per category; missing is a category; rare categories are pooled, and one
               that training has not seen counts as rare, or as none where no category is rare
    all        standardised: mean 0, standard deviation 1

Fitted on training rows only, and stored in the model. Only four of its classes and functions are this project's: they
are in `TRUSTED`, the list of types that skops needs to load it. Names of features contain the names and categories of
the user's table: `education = Bachelors`, `age is missing`, `sold: month`.
"""

import gc
import math

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from pipeline.errors import UserError

TRUSTED = ["numpy.dtype", *(f"{__name__}.{name}" for name in ("DateParts", "Scaler", "category_name", "column_name"))]
LARGEST_MATRIX = 250_000_000  # numbers: 2 GB
LARGE = 2**27  # bytes
INDICATOR = "missingindicator_"  # scikit-learn's prefix
PARTS = ("year", "month", "day", "day_of_week", "hour", "minute")


class DateParts(TransformerMixin, BaseEstimator):
    """Dates of shape (n_samples, n_columns) to numbers.

    One column for each of `PARTS` that varies in training (the year if none does), and one that is 1 where the date is
    missing, if training has missing dates.
    """

    def fit(self, X: pd.DataFrame, y: object = None) -> "DateParts":
        """Find out which parts vary; `y` is ignored."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.parts_ = []
        for i, name in enumerate(self.feature_names_in_):
            dates = pd.to_datetime(X[name], errors="coerce")
            parts = [part for part in PARTS if len(getattr(dates.dt, part).dropna().unique()) > 1] or [PARTS[0]]
            self.parts_ += [f"{i} {part}" for part in [*parts, *["missing"] * bool(dates.isna().any())]]
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """The parts (n_samples, n_parts) as numbers, NaN where the date is missing."""
        return np.column_stack([self._part(X[name], part) for name, part in self._named()])

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """A name for each column of the result, such as `sold: month` and `sold is missing`."""
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


class Scaler(StandardScaler):
    """A `StandardScaler` for values of any size: the square of 1e-170 or 1e300 is no float64.

    The deviations are computed in a unit of its own for each column, a power of two, which changes no digit.
    """

    mean_: np.ndarray
    scale_: np.ndarray
    var_: np.ndarray

    def fit(self, X: np.ndarray, y: object = None, sample_weight: np.ndarray | None = None) -> "Scaler":
        """Mean and standard deviation of each column of X (n_samples, n_features); `y` is ignored."""
        unit = np.ldexp(1.0, np.frexp(np.maximum(X.max(axis=0), -X.min(axis=0)))[1])
        is_usual = (unit > 2.0**-300) & (unit < 2.0**300)
        if is_usual.all():
            return super().fit(X, y, sample_weight)
        super().fit(X / unit, y, sample_weight)
        is_one = is_usual & (self.scale_ != np.sqrt(self.var_))  # of a constant column
        self.mean_ = self.mean_ * unit
        self.scale_ = np.where(is_one, 1.0, self.scale_ * unit)
        with np.errstate(over="ignore", under="ignore"):
            self.var_ = self.var_ * unit**2
        return self


def category_name(column: str, category: object) -> str:
    """The name of the feature that is 1 where `column` has `category`."""
    if isinstance(category, str) and category == "infrequent_sklearn":
        return f"{column} is rare"
    if category is None or (isinstance(category, float) and math.isnan(category)):
        return f"{column} is missing"
    return f"{column} = {category:g}" if isinstance(category, float) else f"{column} = {category}"


def column_name(transformer: str, feature: str) -> str:
    """The name of a feature that one of the transformers made."""
    if transformer != "strings" and feature.startswith(INDICATOR):
        return f"{feature.removeprefix(INDICATOR)} is missing"
    return feature


def preprocessing(X: pd.DataFrame, *, max_categories: int, min_rows: int) -> Pipeline:
    """The unfitted transformer for features `X` of shape (n_samples, n_columns); its last step is a `Scaler`.

    A category with fewer than `min_rows` training rows, or beyond the `max_categories` most frequent of its column, is
    pooled as rare. Errors: `UserError` if the matrix would hold more than `LARGEST_MATRIX` numbers.
    """
    numbers, dates, strings = (X.select_dtypes(kind).columns.tolist() for kind in ("number", "datetime", "str"))
    width = {name: min(X[name].nunique(), max_categories) for name in strings}
    total = sum(width.values()) + len(numbers) + X[numbers].isna().any().sum() + len(PARTS) * len(dates)
    if total * len(X) > LARGEST_MATRIX:
        widest = ", ".join(f"{name} ({width[name]})" for name in sorted(width, key=lambda name: -width[name])[:3])
        raise UserError(
            f"{len(X):,} rows of up to {total:,} features are more than {LARGEST_MATRIX:,} numbers, the largest matrix "
            f"that is kept in memory. Lower train.max_categories = {max_categories}, or leave columns out with "
            f"data.drop (most categories: {widest})."
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
        ("numbers", clone(imputer).set_params(add_indicator=True), numbers),
        ("dates", make_pipeline(DateParts(), imputer), dates),
        ("strings", encoder, strings),
    ]
    columns = ColumnTransformer([branch for branch in branches if branch[2]], verbose_feature_names_out=column_name)
    return Pipeline([("columns", columns), ("scale", Scaler(copy=False))])


def fit_matrix(preprocessing: Pipeline, X: pd.DataFrame) -> np.ndarray:
    """Fit the transformer; the matrix (n_samples, n_features) of the same rows, C-contiguous and float64."""
    return _collected(preprocessing.fit_transform(X))


def matrix(fitted: Pipeline, X: pd.DataFrame) -> np.ndarray:
    """The matrix (n_samples, n_features) that a fitted transformer makes of X, C-contiguous and float64."""
    return _collected(fitted.transform(X))


def _collected(Z: np.ndarray) -> np.ndarray:
    if Z.nbytes > LARGE:
        gc.collect()  # scikit-learn leaves matrices in reference cycles, which would keep them in memory for long
    return np.ascontiguousarray(Z, dtype=np.float64)


def one_hot_groups(fitted: Pipeline) -> list[np.ndarray]:
    """For each column of strings, the positions of its indicators in the matrix that `fitted` makes."""
    columns = fitted["columns"]
    encoder = columns.named_transformers_.get("strings")
    if encoder is None:
        return []
    pairs = zip(encoder.categories_, encoder.infrequent_categories_, strict=True)
    widths = [len(categories) if rare is None else len(categories) - len(rare) + 1 for categories, rare in pairs]
    place = columns.output_indices_["strings"]
    return np.split(np.arange(place.start, place.stop), np.cumsum(widths)[:-1])


def pooled(fitted: Pipeline) -> list[str]:
    """The columns of strings without effect: each of their categories is rare, so all are pooled into one."""
    encoder = fitted["columns"].named_transformers_.get("strings")
    if encoder is None:
        return []
    pairs = zip(encoder.categories_, encoder.infrequent_categories_, strict=True)
    is_pooled = [rare is not None and len(rare) == len(categories) for categories, rare in pairs]
    return [str(name) for name, pooled in zip(encoder.feature_names_in_, is_pooled, strict=True) if pooled]

"""`Regression` with scikit-learn's interface: its checks of rows, labels and weights, its names, its tags.

It takes what scikit-learn's own classifiers take, and data frames with categories.
"""

from typing import Any, Self

import numpy as np
from numpy import ndarray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _check_sample_weight,
    check_array,
    check_is_fitted,
    check_random_state,
    column_or_1d,
    validate_data,
)

from pipeline.logistic.fitting import Callback
from pipeline.logistic.matrix import Block, Matrix
from pipeline.logistic.regression import Regression


class LogisticRegression(ClassifierMixin, Regression, BaseEstimator):
    """`Regression` for what scikit-learn has: pipelines, searches, cross-validation.

    Rows are an array, a `scipy.sparse` matrix, or a data frame. Its columns of type `category` become one feature for
    each category, after the other columns and never written out; a missing or new category has none of them.
    `feature_names_out_` has their names, such as `city = Paris`.
    """

    ended_early = ConvergenceWarning

    def fit(self, X: Any, y: Any, sample_weight: Any = None, callback: Callback | None = None) -> Self:
        self._check_parameters()
        X, y = self._rows(X, y, fitting=True)
        check_classification_targets(y)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
        return super().fit(X, y, sample_weight, callback)

    def decision_function(self, X: Any) -> ndarray:
        check_is_fitted(self)
        return super().decision_function(self._rows(X))

    def _random_state(self) -> np.random.RandomState:
        return check_random_state(self.random_state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _rows(self, X: Any, y: Any = None, fitting: bool = False) -> Any:
        """X validated, as what `FastObjective` takes, for a fit together with y."""
        if isinstance(X, Matrix):  # made for this estimator
            return (X, y) if fitting else X
        if not any(str(kind) == "category" for kind in getattr(X, "dtypes", [])):
            checks = {"dtype": [np.float64, np.float32], "accept_sparse": "csr", "reset": fitting}
            return validate_data(self, X, y, **checks) if fitting else validate_data(self, X, **checks)
        _check_feature_names(self, X, reset=fitting)
        _check_n_features(self, X, reset=fitting)
        strings = X.select_dtypes("category")
        numbers = X.drop(columns=strings.columns)
        dense = check_array(numbers, ensure_min_features=0) if numbers.shape[1] else np.empty((len(X), 0))
        if fitting:
            self.categories_ = {name: column.cat.categories for name, column in strings.items()}
            named = [f"{name} = {value}" for name, values in self.categories_.items() for value in values]
            self.feature_names_out_ = np.array([*map(str, numbers.columns), *named], dtype=object)
        starts = np.cumsum([0, *map(len, self.categories_.values())])
        codes = np.empty((len(X), len(self.categories_)), dtype=np.int32)
        for j, (name, values) in enumerate(self.categories_.items()):
            positions = values.get_indexer(X[name])
            codes[:, j] = np.where(positions < 0, starts[-1], positions + starts[j])  # the last column is no feature
        n_base = dense.shape[1] + starts[-1] + 1
        kept = np.append(np.arange(n_base - 1), n_base)  # all base columns but that one, and the intercept
        T = sparse.csr_matrix((np.ones(n_base), (kept, np.arange(n_base))), (n_base + 1, n_base))
        matrix = Matrix([Block(dense, codes, int(starts[-1]) + 1)], T)
        return (matrix, column_or_1d(y, warn=True)) if fitting else matrix

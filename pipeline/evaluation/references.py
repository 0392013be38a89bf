"""What a model is compared with: the prior alone, and what a black box gets from the same training rows.

prior           the shares of the classes in the training rows, whatever the features are
black box       scikit-learn's HistGradientBoostingClassifier with its own defaults, which takes numbers, categories and
                missing cells as they are, and the most frequent words of texts

The black box does not depend on the number of threads. Between processors the last digit of its gradients may differ
and, where two splits are equally good, a tree: so its scores are written with BLACK_BOX_DIGITS digits.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.columns import splitting
from pipeline.columns.profile import as_numbers
from pipeline.columns.terms import Design, Settings
from pipeline.files.stored import Table, frames, in_memory, progress

BLACK_BOX_DIGITS = 4
ROWS = 50_000  # that the black box is trained on at most ...
CELLS = 2_000_000  # ... and so many cells, times classes where there are more than two
WORDS = 200  # of a text, or values of a list: the most frequent
CACHED = 2**18  # cells that are predicted at once: each of the trees reads them
CATEGORIES = 250  # of a column; the rarest beyond are one

Predicted = tuple[np.ndarray, np.ndarray]  # classes (n_samples,), probabilities (n_samples, n_classes)


def prior(y: np.ndarray, n_rows: int, classes: np.ndarray, weight: np.ndarray | None = None) -> Predicted:
    """The predictions for `n_rows` rows of the shares of the classes in y (n_training,), which may be weighted."""
    from sklearn.dummy import DummyClassifier

    nothing = np.zeros((max(len(y), n_rows), 1))
    shares = DummyClassifier(strategy="prior").fit(nothing[: len(y)], y, weight)
    return _predicted(shares, nothing[:n_rows], classes)


def black_box(
    X: Table,
    y: np.ndarray,
    rows: Table,
    classes: np.ndarray,
    weight: np.ndarray | None = None,
    tokens: Mapping[str, str] | None = None,
) -> tuple[Predicted, int]:
    """The predictions for `rows` of gradient boosting, and the number of rows of X (n_training, n_columns) it had.

    `tokens` are the columns of texts and lists (`terms.Settings`).
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder
    from threadpoolctl import threadpool_limits

    tokens = tokens or {}
    width = (len(X.columns) + WORDS * len(tokens)) * (len(classes) if len(classes) > 2 else 1)
    n_rows = min(len(X), ROWS, max(CELLS // width, 1_000))
    drawn = splitting.sample(y, n_rows)
    X, y, weight = in_memory(X.take(drawn.rows)), y[drawn.rows], drawn.weight(weight)
    n_drawn, codes = len(y), np.unique(y, return_inverse=True)[1]
    alone = np.flatnonzero(np.bincount(codes)[codes] == 1)
    if len(alone):  # the trees hold out some rows of each class to stop early: a single row becomes two halves
        weight = np.ones(n_drawn) if weight is None else weight.copy()
        weight[alone] /= 2
        twice = np.append(np.arange(n_drawn), alone)
        X, y, weight = X.take(twice), y[twice], weight[twice]
    strings: list[str] = X.select_dtypes("str").columns.drop(list(tokens)).tolist()
    words = Design.fit(X[list(tokens)], Settings(tokens=tokens, words=WORDS))
    dates = X.select_dtypes("datetime").columns.tolist()
    unknown = {"handle_unknown": "use_encoded_value", "unknown_value": np.nan, "encoded_missing_value": np.nan}
    columns = ColumnTransformer(
        [
            ("strings", OrdinalEncoder(max_categories=CATEGORIES, **unknown), strings),
            ("dates", FunctionTransformer(lambda frame: frame.apply(as_numbers)), dates),
            ("words", FunctionTransformer(lambda frame: words.block(frame).written()), list(tokens)),
        ],
        remainder="passthrough",
    )
    trees = HistGradientBoostingClassifier(random_state=0, categorical_features=list(range(len(strings))) or None)
    title = f"train the black box on {n_drawn:,} rows"
    with (
        threadpool_limits(1),
        progress(1, title, " model", delay=0) as bar,
    ):  # its threads wait for each other so often that on a busy machine one is much faster
        trees.fit(columns.fit_transform(X), y, weight)
        bar.update()
    predictions = [_predicted(trees, columns.transform(part), classes) for part in frames(rows)]
    labels, P = (np.concatenate(chunks) for chunks in zip(*predictions, strict=True))
    return (labels, P), n_drawn


def out_of_fold(
    X: Table,
    y: np.ndarray,
    classes: np.ndarray,
    weight: np.ndarray | None,
    folds: list[splitting.Fold],
    tokens: Mapping[str, str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The rows that the folds hold out, and the black box's probabilities for them (n_held_out, n_classes)."""
    probabilities, bar = [], progress(len(folds), "black box out of fold", " folds", delay=0)
    for rows, held_out in folds:
        learnt = in_memory(X.take(rows)), y[rows]
        of_rows = None if weight is None else weight[rows]
        (_, P), _ = black_box(*learnt, in_memory(X.take(held_out)), classes, of_rows, tokens)
        probabilities.append(P)
        bar.update()
    bar.close()
    return np.concatenate([held_out for _, held_out in folds]), np.concatenate(probabilities)


def rounded(score: float) -> float:
    """A score of the black box as it is written."""
    return float(f"{score:.{BLACK_BOX_DIGITS}g}")


def _predicted(fitted: Any, Z: np.ndarray, classes: np.ndarray) -> Predicted:
    """Of a fitted classifier of scikit-learn."""
    step = max(CACHED // Z.shape[1], 1)
    of_fitted = np.concatenate([fitted.predict_proba(Z[k : k + step]) for k in range(0, len(Z), step)])
    P = np.zeros((len(Z), len(classes)))  # a class that a sample of the rows lacks has probability 0
    P[:, np.searchsorted(classes, fitted.classes_)] = of_fitted
    return fitted.classes_[of_fitted.argmax(axis=1)], P

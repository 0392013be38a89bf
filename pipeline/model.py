"""What is saved, loaded and served: raw cells in, class or probability out, in one object that needs no other file.

    raw cells --read--> typed columns --base--> codes --features--> matrix --classifier--> margins --> class

The class of a row is decided in one place (`Model.predicted`), from the margins or with a threshold: what is evaluated
is what is served.
The module knows no configuration, so a saved model loads wherever the packages that it records are installed.

A model is stored with skops: arrays and a description of the objects, no pickle. Loading runs no code from the file and
refuses any type that is not in `TRUSTED`. Source: https://skops.readthedocs.io/en/stable/persistence.html
"""

import io
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.columns import novelty
from pipeline.columns.base import Base
from pipeline.columns.features import Features
from pipeline.errors import UserError
from pipeline.logistic import LogisticRegression
from pipeline.logistic.calibration import calibrated
from pipeline.logistic.loss import predicted, probabilities
from pipeline.logistic.matrix import Matrix
from pipeline.outputs import Table
from pipeline.reading import CellFormat, cells

TRUSTED = [
    f"{__name__}.Model",
    "pipeline.columns.base.Base",
    "pipeline.columns.features.Features",
    "pipeline.logistic.estimator.LogisticRegression",
    "pipeline.reading.options.CellFormat",
]
LARGEST = 1 << 30  # bytes of a model that is loaded, unpacked
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip file can hold


class Model:
    """A fitted logistic regression with all that is done to a user's cells before it.

    base         typed columns to the base matrix
    features     the base matrix to the features
    classifier   the fitted logistic regression of the features
    cell_format  how the cells of the training table were written, and so how new ones are read
    positive     of two classes, the one that weights and curves refer to; None is the last in sorted order

    `threshold` is the probability of the positive class, of two, from which on a row is decided to be of it; None
    decides by the margins. `calibration` corrects the probabilities (`logistic.calibration`). `average` (n_terms,
    n_columns of weights) has what each term of `base` adds to the margins of the average training row.
    """

    def __init__(
        self,
        base: Base,
        features: Features,
        classifier: LogisticRegression,
        cell_format: CellFormat,
        positive: str | None,
    ) -> None:
        self.base, self.features, self.classifier = base, features, classifier
        self.cell_format, self.positive = cell_format, positive
        self.threshold: float | None = None
        self.calibration: dict[str, Any] | None = None
        self.average = np.zeros((len(base.terms), len(classifier.coef_)))

    @property
    def classes_(self) -> np.ndarray:
        """The classes (n_classes,), sorted."""
        return self.classifier.classes_

    @property
    def positive_class(self) -> str:
        """The class that the weights of a two-class model refer to."""
        return str(self.classes_[-1]) if self.positive is None else self.positive

    def matrix(self, frame: Table) -> Matrix:
        """Typed columns to the matrix (n_samples, n_features) that the classifier takes."""
        return Matrix([self.base.block(frame)], self.features.T)

    def classify(self, frame: pd.DataFrame) -> np.ndarray:
        """The class that is decided for each row of typed columns, (n_samples,)."""
        return self.decide(frame)[0]

    def probabilities(self, frame: pd.DataFrame) -> np.ndarray:
        """The probabilities (n_samples, n_classes) of rows of typed columns, in the order of `classes_`."""
        return self.decide(frame)[1]

    def decide(self, frame: Table) -> tuple[np.ndarray, np.ndarray]:
        """Both."""
        return self.predicted(frame)[1:]

    def predicted(self, frame: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The most probable class (n_samples,), the decided class and the probabilities; without threshold both agree.

        Margins show the most probable class also where several probabilities are rounded to 1.
        """
        if not len(frame):
            return self.classes_[:0], self.classes_[:0], np.empty((0, len(self.classes_)))
        z = self.classifier.decision_function(self.matrix(frame))
        P = calibrated(probabilities(z, self.classifier.multiclass), self.calibration)
        if self.threshold is None:
            decided = self.classes_[predicted(z)]
            return decided, decided, P
        place = self.classes_.tolist().index(self.positive_class)
        at_half, decided = (
            self.classes_[np.where(P[:, place] >= threshold, place, 1 - place)] for threshold in (0.5, self.threshold)
        )
        return at_half, decided, P

    def contributions(self, frame: pd.DataFrame) -> np.ndarray:
        """What each term of `base` adds to the margins of each row: (n_samples, n_terms, n_columns of weights).

        It is relative to the average training row: with the margins of that row, the contributions add up to the
        margins. Of two classes, the margins are those of `positive_class`.
        """
        block, V = self.base.block(frame), self._base_weights()
        n_dense = block.dense.shape[1]
        parts = np.concatenate([block.dense[:, :, None] * V[:n_dense], V[n_dense + block.codes]], axis=1)
        is_of_term = self.base.term_of == np.arange(len(self.base.terms))[:, None]
        return np.einsum("tp,npk->ntk", is_of_term.astype(float), parts) - self.average

    def set_average(self, rows: Matrix) -> None:
        """Let contributions be relative to the average of these rows of the base matrix."""
        sums = [block.transposed(np.ones((len(block), 1))) for block, _ in rows.strips()]
        means, V = np.sum(sums, axis=0) / len(rows), self._base_weights()
        widths = [*[1] * rows.blocks[0].dense.shape[1], *np.diff(self.base.starts)]
        average = np.zeros_like(self.average)
        np.add.at(average, np.repeat(self.base.term_of, widths), (means * V)[:-1])
        self.average = average.round(9) + 0.0  # no -0

    def _base_weights(self) -> np.ndarray:
        """V = T W (n_base + 1, n_columns), of two classes for the positive one."""
        classify = self.classifier
        V = self.features.T @ np.vstack([classify.coef_.T, classify.intercept_])
        return -V if V.shape[1] == 1 and self.positive_class != self.classes_[1] else V

    def read(self, raw: pd.DataFrame) -> pd.DataFrame:
        """A user's raw rows as typed columns, read as the training table was, whatever types they arrive in.

        Numbers and dates may be strings, as the training table wrote them; categories may be numbers or booleans. All
        cells of a column that is not there are missing, with a warning; columns that the model does not use are
        ignored. Errors: `UserError` for a cell that is not a number or a date, for a column that is there twice, and
        where none of the model's columns is there.
        """
        self._check_columns(raw)
        return pd.DataFrame({name: self._typed(name, self._given(raw, name)) for name in self.base.columns})

    def read_each(self, raw: pd.DataFrame) -> tuple[pd.DataFrame, dict[Any, str]]:
        """As `read`, but without the rows that can't be read: for these the reason, by their label in the index."""
        self._check_columns(raw)
        frame: dict[str, pd.Series] = {}
        reasons: dict[Any, str] = {}
        for name in self.base.columns:
            column = self._given(raw, name)
            try:
                frame[name] = self._typed(name, column)
            except UserError:
                codes, distinct = pd.factorize(column, use_na_sentinel=False)
                typed, wrong = self._sorted_out(name, pd.Series(distinct))
                frame[name] = typed.reindex(range(len(distinct))).iloc[codes].set_axis(raw.index)
                where = np.flatnonzero(np.isin(codes, list(wrong)))
                reasons = {raw.index[i]: wrong[codes[i]] for i in where.tolist()} | reasons
        return pd.DataFrame(frame).drop(index=list(reasons)), reasons

    def _sorted_out(self, name: str, column: pd.Series) -> tuple[pd.Series, dict[Any, str]]:
        """The cells that can be read, typed, and why the others can't be. Halves are tried until they can be."""
        try:
            return self._typed(name, column), {}
        except UserError as error:
            if len(column) == 1:
                return self._typed(name, column[:0]), {column.index[0]: getattr(error, "reason", str(error))}
        halves = [self._sorted_out(name, half) for half in (column[: len(column) // 2], column[len(column) // 2 :])]
        return pd.concat([typed for typed, _ in halves]), halves[0][1] | halves[1][1]

    def _given(self, raw: pd.DataFrame, name: str) -> pd.Series:
        return raw[name] if name in raw else pd.Series(None, raw.index, object)

    def _typed(self, name: str, column: pd.Series) -> pd.Series:
        """A column of raw cells as numbers, dates or strings."""
        categories = None
        if name in self.base.strings:
            categories = self.base.categories[self.base.strings.index(name)]
        kind = "strings" if categories is not None else "dates" if name in self.base.dates else "numbers"
        given = cells.served(column.rename(name), categories, self.cell_format.decimal or ".")
        return cells.parse(given, name, self.cell_format, kind)[0].to_pandas().set_axis(column.index)

    def _check_columns(self, raw: pd.DataFrame) -> None:
        names = self.base.columns
        given = raw.columns.tolist()
        if twice := [name for name in names if given.count(name) > 1]:
            raise UserError(f"column {twice[0]!r} is there twice. Leave one out.")
        absent = [name for name in names if name not in given]
        if len(absent) == len(names):
            raise UserError(
                f"none of the model's columns is there. It needs {', '.join(map(repr, names))}; the rows have "
                f"{', '.join(map(repr, given)) or 'no columns'}."
            )
        if absent:
            warnings.warn(f"columns that are not there count as missing: {', '.join(map(repr, absent))}", stacklevel=3)

    def predict(self, raw: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
        """What is served for raw rows: the classes, or with `params={"probabilities": True}` one column per class."""
        frame = self.read(raw)
        for message in novelty.messages(self.base, novelty.counts(self.base, frame)):
            warnings.warn(message, stacklevel=2)
        if (params or {}).get("probabilities"):
            return pd.DataFrame(self.probabilities(frame), columns=[str(label) for label in self.classes_])
        return self.classify(frame)


def save(model: Model, path: Path) -> None:
    """Write `model`, the same bytes for the same model.

    skops names objects by their address in memory and dates the files in its archive; here objects are numbered in
    order of appearance, and all files have the same date.
    """
    import skops.io  # half a second, which a stage that only names the file need not pay

    archive = zipfile.ZipFile(io.BytesIO(skops.io.dumps(model)))
    schema = archive.read("schema.json").decode()
    numbers = {old: str(n) for n, old in enumerate(dict.fromkeys(re.findall(r'"__id__": (\d+)', schema)))}
    schema = re.sub(r'"__id__": (\d+)', lambda found: f'"__id__": {numbers[found[1]]}', schema)
    files = [name for name in archive.namelist() if name != "schema.json"]
    renamed = {name: re.sub(r"^\d+", lambda found: numbers[found[0]], name) for name in files}
    for old, new in renamed.items():
        schema = schema.replace(f'"{old}"', f'"{new}"')
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for old, new in sorted(renamed.items(), key=lambda pair: pair[1]):
            out.writestr(zipfile.ZipInfo(new, EPOCH), archive.read(old))
        out.writestr(zipfile.ZipInfo("schema.json", EPOCH), schema)


def load(path: Path) -> Model:
    """A model that `save` wrote. Errors: `UserError` for a file that is damaged, foreign, or of another version."""
    import skops.io

    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > LARGEST:
            raise ValueError(f"it unpacks to {size / 2**30:.1f} GB, and a model has less than {LARGEST >> 30}")
        loaded = skops.io.load(path, trusted=TRUSTED)
        _check(loaded)
    except FileNotFoundError:
        raise
    except Exception as error:  # a file that somebody else wrote can raise anything in zipfile, skops and NumPy
        reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        raise UserError(
            f"{path} is damaged, or not a model of this version of the pipeline: {reason}. `dvc checkout` brings the "
            f"model of the last run back, `dvc repro` trains one; one of MLflow: --model models:/<name>@champion."
        ) from None
    return loaded


def _check(loaded: Any) -> None:
    """Errors: of any kind for what is no model whose parts fit each other, with finite numbers, and that predicts."""
    kinds = {"base": Base, "features": Features, "classifier": LogisticRegression, "cell_format": CellFormat}
    for name, kind in {"": Model, **kinds}.items():
        part = getattr(loaded, name) if name else loaded
        if type(part) is not kind:
            raise TypeError(f"{name or 'it'} is a {type(part).__name__}, not a {kind.__name__}")
    base, features, classifier = loaded.base, loaded.features, loaded.classifier
    n_floats, n_features = len(base.floats), len(features.names)
    n_columns = 1 if len(loaded.classes_) == 2 else len(loaded.classes_)
    correction = {name: np.asarray(values) for name, values in (loaded.calibration or {}).items()}
    shapes = {
        "classes": (loaded.classes_, (max(len(loaded.classes_), 2),)),
        "weights": (classifier.coef_, (n_columns, n_features)),
        "intercept": (classifier.intercept_, (n_columns,)),
        "average": (loaded.average, (len(base.terms), n_columns)),
        "threshold": (np.asarray(0.5 if loaded.threshold is None else loaded.threshold), ()),
        "features": (features.T, (base.width + 1, n_features + 1)),
        "ranges": (base.ranges, (n_floats, 4)),
        **{name: (getattr(base, name), (n_floats,)) for name in ("centre", "scale", "fill")},
        **{f"edges {j}": (edges, (len(points) - 1,)) for j, (edges, points) in enumerate(_bins(base))},
        **{f"points {j}": (points, points.shape) for j, (_, points) in enumerate(_bins(base))},
        **{f"calibration {name}": (values, values.shape) for name, values in correction.items()},
    }
    for name, (array, shape) in shapes.items():
        if array.shape != shape:
            raise ValueError(f"{name} has the shape {array.shape}, not {shape}")
        numbers = getattr(array, "data", array) if name == "features" else array
        if name != "classes" and not np.isfinite(numbers).all():
            raise ValueError(f"{name} has a number that is not finite")
    if loaded.positive is not None and loaded.positive not in loaded.classes_:
        raise ValueError(f"its positive class {loaded.positive!r} is none of its classes")
    row = pd.DataFrame({name: [0.0 if name == base.offset else None] for name in base.columns}, dtype=object)
    frame = loaded.read(row)
    if not (np.isfinite(loaded.probabilities(frame)).all() and np.isfinite(loaded.contributions(frame)).all()):
        raise ValueError("the prediction of an empty row is not finite")


def _bins(base: Base) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(base.edges, base.points, strict=True))

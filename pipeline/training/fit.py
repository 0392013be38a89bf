"""A model fitted as the section `train` of the configuration says."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
from tqdm import tqdm

from pipeline import config
from pipeline.columns.target import check_offset, features_and_target
from pipeline.columns.terms import Features, Settings, prepare
from pipeline.errors import UserError
from pipeline.files.formats import SCORE_DIGITS, rounded_weights, significant
from pipeline.files.stored import Table
from pipeline.logistic import DivergenceError, Status
from pipeline.logistic.firth import firth
from pipeline.logistic.inference import ROWS_PER_COEFFICIENT
from pipeline.logistic.matrix import Matrix
from pipeline.logistic.regression import EndedEarlyWarning, Regression
from pipeline.logistic.separation import separating_features
from pipeline.model import EFFECT_DIGITS, Model
from pipeline.overrides import override
from pipeline.reading import CellFormat

NORM_DIGITS = 3  # of a gradient norm, a small difference of large numbers
Hear = Callable[[int, float], object]  # what is called with the iteration and the cost while a model is trained


class Training(NamedTuple):
    start: Model  # before the first step: random weights
    model: Model
    fitted: Regression  # the model as weights of features, and how training went
    features: Features
    params: config.Train
    rows: Matrix  # the training rows, as the classifier takes them
    y: np.ndarray  # (n_samples,), their classes
    weight: np.ndarray | None  # (n_samples,), or None where all weigh the same

    @property
    def oriented(self) -> Matrix:
        """`rows` as the weights of `columns_of_weights` take them."""
        return self.rows if self.model.sign == 1 else self.rows.mirrored()

    @property
    def columns_of_weights(self) -> list[tuple[str, np.ndarray, float]]:
        """The class, the weights (n_features,) and the intercept of each column: the positive of two classes, or each.

        The weights of two classes mirror each other.
        """
        sign, fitted = self.model.sign, self.fitted
        labels = self.model.classes_ if len(fitted.coef_) > 1 else [self.model.positive_class]
        columns = zip(labels, fitted.coef_, fitted.intercept_, strict=True)
        return [(str(label), sign * coef, sign * float(intercept)) for label, coef, intercept in columns]


def classifier(
    params: config.Train, init: str = "random", max_iter: int | None = None, signs: np.ndarray | None = None
) -> Regression:
    """The unfitted logistic regression, which starts from seeded random weights unless `init` says otherwise."""
    return Regression(
        l2=cast(float, params.l2),  # `auto` is chosen by now
        l1_ratio=params.l1_ratio,
        multiclass=params.multiclass,
        learning_rate=params.learning_rate,
        optimizer=params.optimizer,
        max_iter=params.max_iterations if max_iter is None else max_iter,
        tol=params.tolerance,
        class_weight=params.class_weight,
        init=init,
        random_state=params.seed,
        signs=signs,
    )


def train(
    table: Table,
    params: config.Train,
    cell_format: CellFormat,
    weight: np.ndarray | None = None,
    hear: Hear | None = None,
) -> Training:
    """Fit on the rows of `table`, each with its weight (n_samples,).

    Errors: `UserError` where the learning rate is too large, or a setting does not fit this data.
    """
    X, y = features_and_target(table)
    classes = np.unique(y)
    check_positive(params.positive, classes)
    check_offset(params.offset, classes)
    check_weights(weight, y)
    design, features, Z = prepare(X, terms_of(params, X, classes))
    if pooled := features.pooled:
        warnings.warn(
            f"every category of {', '.join(map(repr, pooled))} has fewer than train.min_rows = "
            f"{params.min_rows} rows, so all of them are pooled as rare and have no effect. Lower it: "
            f"-S train.min_rows=1.",
            stacklevel=2,
        )
    rough = [term.name for term in design.terms if term.can_be_rough]
    if unknown := [name for name in params.multiples if rough and name not in rough]:
        raise UserError(
            f"train.smoothness has {unknown[0]!r}, which is no curve and no pair. These are: "
            f"{shortened(rough)}. One number for all of them: -S train.smoothness=10."
        )
    names = features.names
    if len(repeated := names[pd.Series(names).duplicated()]):
        raise UserError(
            f"Two features are called {repeated[0]!r}: a column of that name, and one made from "
            f"another column. Rename the column in the file, or leave it out: "
            f"{override('data.drop', [str(repeated[0])])}."
        )
    warn_of_few_rows(y, len(names) - len(features.partitions) + 1, params)
    start, fitted = _fitted(Z, y, weight, params, features, hear)
    if params.l2 == 0:
        fitted.coef_, fitted.intercept_ = smallest(fitted.coef_, fitted.intercept_, features.partitions)
    for fit in (start, fitted):
        rounded = rounded_weights(np.column_stack([fit.coef_, fit.intercept_]))
        fit.coef_, fit.intercept_ = rounded[:, :-1].copy(), rounded[:, -1].copy()
        fit.cost_history_ = significant(fit.cost_history_, SCORE_DIGITS)
        fit.gradient_norm_ = significant(fit.gradient_norm_, NORM_DIGITS)
    start_model, model = (
        Model(
            design,
            significant(features.T @ np.vstack([fit.coef_.T, fit.intercept_]), EFFECT_DIGITS),
            fitted.classes_,
            params.multiclass,
            params.positive,
            cell_format,
            {"lambda": params.l2, "class_weight": params.class_weight},
        )
        for fit in (start, fitted)
    )
    model.set_average(Z)
    training = Training(start_model, model, fitted, features, params, Z, y, weight)
    if Status.SEPARATED in fitted.status_:
        _warn_of_separation(training)
    return training


def terms_of(params: config.Train, X: Table, classes: np.ndarray, **changes: Any) -> Settings:
    """The settings of terms. Errors: `UserError` for a monotone column that is no number, or more than two classes."""
    if not params.monotone:
        return Settings.of(params, **changes)
    numbers = [str(name) for name in X.select_dtypes("number").columns if name != params.offset]
    for name in params.monotone:
        if name not in numbers:
            raise UserError(
                f"train.monotone has {name!r}, which is no {'number' if name in map(str, X.columns) else 'column'}, so "
                f"nothing can rise or fall along it. Columns of numbers: {', '.join(map(repr, numbers)) or 'none'}. "
                f"Name one of them: {override('train.monotone', {(numbers or ['age'])[0]: 'increasing'})}."
            )
    if len(classes) > 2:
        raise UserError(
            f"train.monotone is about the probability of one of two classes, but there are {len(classes)}. Leave it "
            f"out: {override('train.monotone', {})}."
        )
    turn = -1 if params.positive is not None and params.positive == classes[0] else 1
    signs = {name: turn * (1 if way == "increasing" else -1) for name, way in params.monotone.items()}
    return Settings.of(params, signs=signs, **changes)


def _warn_of_separation(training: Training) -> None:
    names, lambda_ = training.features.names, training.params.l2
    for label, coef, intercept in training.columns_of_weights:
        separating = separating_features(training.rows, training.y == label, np.append(coef, intercept))
        if len(separating):
            warnings.warn(
                f"train.lambda = {lambda_:g}{' is next to none' if lambda_ else ''}, but no best weights exist "
                f"for {label!r}: with {shortened(names[separating])}, rows of one class are separated from all others, "
                f"so weights grow until training stops and have no standard errors, intervals and p values. Set a "
                f"penalty (-S train.lambda=0.01; of two classes with intervals: -S train.penalty=firth), pool a "
                f"category of only one class with others (train.min_rows), or leave the column out (data.drop).",
                stacklevel=3,
            )


def _fitted(
    Z: Matrix,
    y: np.ndarray,
    weight: np.ndarray | None,
    params: config.Train,
    features: Features,
    hear: Hear | None,
) -> tuple[Regression, Regression]:
    """The random start, and where training ended."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EndedEarlyWarning)  # `summary` has how the training stopped
        start = classifier(params, max_iter=0, signs=features.signs).fit(Z, y, weight)
        with tqdm(total=params.max_iterations, desc="train", unit=" iterations", disable=None) as bar:

            def show(iteration: int, cost: float) -> None:
                rate = len(y) * iteration / max(bar.format_dict["elapsed"], 0.001)
                bar.set_postfix_str(f"cost {cost:.6f}, {rate:,.3g} rows/s", refresh=False)
                bar.update(iteration - bar.n)
                if hear is not None:
                    hear(iteration, cost)

            try:
                if params.penalty == "firth":
                    if weight is not None:
                        raise UserError("train.penalty = firth is not defined for row weights. Remove data.weight.")
                    return start, fit_firth(classifier(params, max_iter=0).fit(Z, y), Z, y, features.partitions, params)
                is_watched = hear is not None or not bar.disable
                return start, classifier(params, signs=features.signs).fit(
                    Z, y, weight, callback=show if is_watched else None
                )
            except DivergenceError as error:
                raise UserError(f"{error}\nSet train.learning_rate to that or less, or to auto.") from None


def fit_firth(
    fitted: Regression, Z: Matrix, y: np.ndarray, groups: Sequence[np.ndarray], params: config.Train
) -> Regression:
    """`fitted` with the weights of Firth's penalty; of the categories of a column the first has none.

    Errors: `UserError` for more than two classes, and where the penalty is not defined.
    """
    if len(fitted.classes_) > 2:
        raise UserError(
            f"train.penalty = firth is for two classes, but there are {len(fitted.classes_)}. Set a lambda instead: "
            f"-S train.penalty=ridge -S train.lambda=0.01."
        )
    kept = np.delete(np.arange(Z.shape[1]), [group[0] for group in groups])
    try:
        firth_fit = firth(Z.toarray()[:, kept], y == fitted.classes_[1], params.max_iterations, params.tolerance)
    except ValueError as error:
        raise UserError(f"train.penalty = firth: {error} Leave it out with data.drop, or set a lambda.") from None
    status = Status.CONVERGED if firth_fit.converged else Status.RAN_OUT
    fitted.coef_ = np.zeros((1, Z.shape[1]))
    fitted.coef_[0, kept], fitted.intercept_ = firth_fit.weights[:-1], firth_fit.weights[-1:]
    fitted.n_iter_ = np.array([len(firth_fit.objectives) - 1])
    fitted.cost_history_ = -np.array(firth_fit.objectives) / len(y)
    fitted.gradient_norm_, fitted.status_ = np.array([firth_fit.gradient_norm]), np.array([status])
    fitted.stop_reason_ = [status.sentence]
    return fitted


def warn_of_few_rows(y: np.ndarray, n_coefficients: int, params: config.Train) -> None:
    """Without penalty, weights and intervals need ten rows of the rarer class for each coefficient."""
    labels, counts = np.unique(y, return_counts=True)
    ratio = counts.min() / n_coefficients
    if params.l2 == 0 and params.penalty == "ridge" and ratio < ROWS_PER_COEFFICIENT:
        warnings.warn(
            f"train.lambda = 0, but there are only {counts.min():,} rows of {str(labels[counts.argmin()])!r} for "
            f"{n_coefficients:,} coefficients ({ratio:.1f} each, fewer than {ROWS_PER_COEFFICIENT}): weights are too "
            f"large and intervals too short. Set a penalty (-S train.lambda=0.01; of two classes with intervals: -S "
            f"train.penalty=firth), or leave out columns (data.drop).",
            stacklevel=3,
        )


def shortened(names: Sequence[str], longest: int = 5) -> str:
    """The first names, quoted, and how many more there are."""
    more = f" and {len(names) - longest} more features" if len(names) > longest else ""
    return ", ".join(repr(str(name)) for name in names[:longest]) + more


def check_weights(weight: np.ndarray | None, y: np.ndarray) -> None:
    """Errors: `UserError` where all training rows of a class have a weight of 0."""
    if weight is None:
        return
    labels, codes = np.unique(y, return_inverse=True)
    if len(absent := np.flatnonzero(np.bincount(codes, weight) == 0)):
        label, n_rows = str(labels[absent[0]]), int((codes == absent[0]).sum())
        raise UserError(
            f"All {n_rows:,} training rows of the class {label!r} have the weight 0 (data.weight), so a model can't "
            f"learn it. Give some of them a weight above 0, remove these rows from the file, or count all rows alike: "
            f"-S data.weight=null."
        )


def check_positive(positive: str | None, classes: np.ndarray) -> None:
    """Errors: `UserError` where `positive` is not one of two classes."""
    if positive is not None and (positive not in classes or len(classes) != 2):
        raise UserError(f"train.positive = {positive!r} should be one of two classes; the classes are {list(classes)}.")


def smallest(coef: np.ndarray, intercept: np.ndarray, groups: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The smallest of all weights (n_columns, n_features) with the same margins, and their intercepts (n_columns,).

    The indicators of one category column sum to 1, so a constant can be moved from their weights to the intercept;
    without penalty that constant is what the random start left. Zero is the limit of ever smaller penalties.
    """
    coef, intercept = coef.copy(), intercept.copy()
    for group in groups:
        mean = coef[:, group].mean(axis=1)
        coef[:, group] -= mean[:, None]
        intercept += mean
    return coef, intercept

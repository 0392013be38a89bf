"""A model fitted as the section `train` of the configuration says, and the record of how the training went."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from tqdm import tqdm

from pipeline import config, model, outputs
from pipeline.columns.target import check_offset, features_and_target
from pipeline.columns.terms import Features, Rows, Settings, prepare
from pipeline.errors import UserError
from pipeline.logistic import DivergenceError, LogisticRegression, Status
from pipeline.logistic.fast_objective import LARGEST_FACTOR, FastObjective
from pipeline.logistic.firth import firth
from pipeline.logistic.inference import ROWS_PER_COEFFICIENT, Inference, firth_inference, inference, refit
from pipeline.logistic.loss import log_probabilities
from pipeline.logistic.matrix import Matrix
from pipeline.logistic.penalty import Ridge
from pipeline.logistic.separation import separating_features
from pipeline.logistic.threads import workers
from pipeline.model import Model
from pipeline.outputs import SCORE_DIGITS, WEIGHT_DIGITS, Table, rounded_weights, significant
from pipeline.reading import CellFormat

REACH = NormalDist().inv_cdf(0.975)  # standard deviations, of intervals of 95 %
NORM_DIGITS = 3  # of a gradient norm, a small difference of large numbers
LARGE = "the data is large, so it is not fitted again without penalty; train.lambda = 0 gives intervals"
JOINT = "the classes are one model (softmax); train.multiclass = one_vs_rest gives intervals for each"
CURVED = "numbers enter as curves, whose bands are in curves.csv; train.features = linear gives intervals"

listeners: list[Callable[[int, float], None]] = []  # called with the iteration and the cost while a model is trained


class Training(NamedTuple):
    start: Model  # before the first step: random weights
    model: Model
    fitted: LogisticRegression  # the model as weights of features, and how training went
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


def classifier(params: config.Train) -> LogisticRegression:
    """The unfitted logistic regression, which starts from seeded random weights."""
    return LogisticRegression(
        l2=params.l2,
        l1_ratio=params.l1_ratio,
        multiclass=params.multiclass,
        learning_rate=params.learning_rate,
        optimizer=params.optimizer,
        max_iter=params.max_iterations,
        tol=params.tolerance,
        class_weight=params.class_weight,
        init="random",
        random_state=params.seed,
    )


def train(table: Table, params: config.Train, cell_format: CellFormat, weight: np.ndarray | None = None) -> Training:
    """Fit on the rows of `table`, each with its weight (n_samples,).

    Errors: `UserError` where the learning rate is too large, or a setting does not fit this data.
    """
    X, y = features_and_target(table)
    classes = np.unique(y)
    check_positive(params.positive, classes)
    check_offset(params.offset, classes)
    check_weights(weight, y)
    design, features, Z = prepare(X, Settings.of(params))
    if pooled := features.pooled:
        warnings.warn(
            f"every category of {', '.join(map(repr, pooled))} has fewer than train.min_rows = "
            f"{params.min_rows} rows, so all of them are pooled as rare and have no effect. Lower it: "
            f"-S train.min_rows=1.",
            stacklevel=2,
        )
    names = features.names
    if len(repeated := names[pd.Series(names).duplicated()]):
        raise UserError(
            f"Two features are called {repeated[0]!r}: a column of that name, and one made from "
            f"another column. Rename the column in the file, or leave it out with data.drop."
        )
    warn_of_few_rows(y, len(names) - len(features.partitions) + 1, params)
    unfitted = classifier(params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # `summary` has how the training stopped
        start = clone(unfitted).set_params(max_iter=0).fit(Z, y, weight)
        with tqdm(total=params.max_iterations, desc="train", unit=" iterations", disable=None) as bar:

            def show(iteration: int, cost: float) -> None:
                rate = len(y) * iteration / max(bar.format_dict["elapsed"], 0.001)
                bar.set_postfix_str(f"cost {cost:.6f}, {rate:,.3g} rows/s", refresh=False)
                bar.update(iteration - bar.n)
                for hear in listeners:
                    hear(iteration, cost)

            try:
                if params.penalty == "firth":
                    if weight is not None:
                        raise UserError("train.penalty = firth is not defined for row weights. Remove data.weight.")
                    fitted = fit_firth(clone(start).fit(Z, y), Z, y, features.partitions, params)
                else:
                    fitted = unfitted.fit(Z, y, weight, callback=None if bar.disable and not listeners else show)
            except DivergenceError as error:
                raise UserError(f"{error}\nSet train.learning_rate to that or less, or to auto.") from None
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
            features.T @ np.vstack([fit.coef_.T, fit.intercept_]),
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
        for label, coef, intercept in training.columns_of_weights:
            found = separating_features(Z, y == label, np.append(coef, intercept))
            if len(found):
                warnings.warn(
                    f"train.lambda = {params.l2:g}{' is next to none' if params.l2 else ''}, but no best weights exist "
                    f"for {label!r}: with {shortened(names[found])}, rows of one class are separated from all others, "
                    f"so weights grow until training stops and have no standard errors, intervals and p values. Set a "
                    f"penalty (-S train.lambda=0.01; of two classes with intervals: -S train.penalty=firth), pool a "
                    f"category of only one class with others (train.min_rows), or leave the column out (data.drop).",
                    stacklevel=2,
                )
    return training


def fit_firth(
    fitted: LogisticRegression, Z: Matrix, y: np.ndarray, groups: Sequence[np.ndarray], params: config.Train
) -> LogisticRegression:
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
        found = firth(Z.toarray()[:, kept], y == fitted.classes_[1], params.max_iterations, params.tolerance)
    except ValueError as error:
        raise UserError(f"train.penalty = firth: {error} Leave it out with data.drop, or set a lambda.") from None
    status = Status.CONVERGED if found.converged else Status.RAN_OUT
    fitted.coef_ = np.zeros((1, Z.shape[1]))
    fitted.coef_[0, kept], fitted.intercept_ = found.weights[:-1], found.weights[-1:]
    fitted.n_iter_ = np.array([len(found.objectives) - 1])
    fitted.cost_history_ = -np.array(found.objectives) / len(y)
    fitted.gradient_norm_, fitted.status_ = np.array([found.gradient_norm]), np.array([status])
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


def row_weights(class_weight: str | None, codes: np.ndarray, weight: np.ndarray | None) -> np.ndarray | None:
    """The weight of each row (n_samples,), that of its class ("balanced") included; None where all weigh the same."""
    if class_weight is None:
        return weight
    weight = np.ones(len(codes)) if weight is None else weight
    totals = np.bincount(codes, weight)
    return weight * (weight.sum() / (len(totals) * np.where(totals > 0, totals, 1)))[codes]


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


def costs(training: Training) -> pd.DataFrame:
    """The cost of every iteration, the random start first; for many classes their mean, then one column per class."""
    history = pd.DataFrame(training.fitted.cost_history_)
    if history.shape[1] == 1:
        history.columns = ["cost"]
    else:
        history.columns = [f"cost/{label}" for label in training.fitted.classes_]
        history.insert(0, "cost", history.ffill().mean(axis="columns"))  # a class that has converged keeps its cost
    return history.rename_axis("iteration").reset_index()


def weights(training: Training) -> pd.DataFrame:
    """One row per feature (and class): the weight per standard deviation and per unit, and their odds ratios.

    Of each class, the features of the largest effect (the weight per standard deviation, without its sign) come first.

    Weights of a curve or a pair have its name in the column `curve`, which a model without them has not.

    The unit of a category is 1: where the cell has it, against where not. An odds ratio is exp(weight): the factor by
    which the odds of the class grow when the feature grows by one standard deviation, or by one of its own units.
    """
    features = training.features
    table = pd.concat(
        [
            pd.DataFrame(
                {
                    "class": label,
                    "feature": features.names,
                    "weight_per_standard_deviation": coef * features.deviation,
                    "weight_per_unit": coef / features.scale,
                }
            ).iloc[np.argsort(-np.abs(coef * features.deviation), kind="stable")]
            for label, coef, _ in training.columns_of_weights
        ],
        ignore_index=True,
    )
    if drawn := features.drawn:  # none of these weights says how the odds change with the number
        names = {k: term.name for term, (_, pieces) in drawn for part, _ in pieces for k in features.positions([part])}
        table["curve"] = table["feature"].map({features.names[k]: name for k, name in names.items()})
    return _with_odds_ratios(table)


def effects_of_cells(training: Training, kind: str) -> pd.DataFrame:
    """What terms add to the log-odds at the cells that stand for all others: of curves (`value`) or pairs (`first`).

    class, feature, value, effect, lower, upper, rows: one row per value that training rows have. The effect is relative
    to the mean of the training rows. The band is credible (`credible_covariance`), 95 % at each point.

    class, pair, first, second, effect, rows: one row per combination of two groups that training rows have, beside the
    effect of each column alone.
    """
    features, parts = training.features, []
    drawn = [(term, shown) for term, shown in features.drawn if kind in shown.cells]
    for label, coef, intercept in training.columns_of_weights if drawn else []:
        covariance = credible_covariance(training, label, coef, intercept) if kind == "value" else None
        for term, (frame, pieces) in drawn:
            positions, X = features.positions(part for part, _ in pieces), features.of_pieces(pieces)
            cells = frame.assign(effect=X @ coef[positions])
            if covariance is not None:
                variance = np.einsum("bi,ij,bj->b", X, covariance[np.ix_(positions, positions)], X)
                reach = REACH * np.sqrt(variance)
                cells = cells.assign(lower=cells["effect"] - reach, upper=cells["effect"] + reach)
            cells.insert(0, "feature" if kind == "value" else "pair", term.name)
            cells.insert(0, "class", label)
            cells["rows"] = Rows(training.rows).near(*pieces[0])
            parts.append(cells[cells["rows"] > 0])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def credible_covariance(training: Training, label: str, coef: np.ndarray, intercept: float) -> np.ndarray:
    """The covariance of the weights of a class and its intercept, (n_features + 1, n_features + 1).

    NaN for a softmax, for an elastic net, whose kink has no curvature, and for more than `LARGEST_FACTOR` features.

    It is that of a Bayesian with the penalty as prior (Wahba 1983; Wood, Generalized Additive Models, section 6.10),
    the inverse of the curvature of the cost, penalty included, divided by the number of rows, which count with their
    weight and that of their class.
    """
    fitted, y, W = training.fitted, training.y, np.append(coef, intercept)[:, None]
    is_joint = fitted.multiclass == "softmax" and len(fitted.classes_) > 2
    if fitted.l1_ratio > 0 or is_joint or len(coef) > LARGEST_FACTOR:
        return np.broadcast_to(np.nan, (len(W), len(W)))
    weight = row_weights(training.params.class_weight, np.searchsorted(fitted.classes_, y), training.weight)
    penalty = Ridge(np.array([fitted.l2]))
    with workers() as run:
        objective = FastObjective(training.oriented, (y == label).astype(int), np.array([1]), penalty, weight, run=run)
        return np.linalg.inv(objective.curvature(W)[0]) / (len(y) if weight is None else weight.sum())


def effects(training: Training, weights: pd.DataFrame, *bent: pd.DataFrame) -> pd.DataFrame:
    """One row per number, category, curve and pair (and class), where `weights` has one per feature; the largest first.

    Categories of different columns that the same rows have are one row, with the sum of their weights. A curve has the
    deviation of its log-odds over the training rows in place of the weight per standard deviation, and its change from
    the first quartile of the number to the third (or from the least to the largest, where most numbers are the same) in
    place of that per unit; a pair has only the first of these. `bent` are `curves` and `surfaces`, where the model has
    some.
    """
    found = weights if "curve" not in weights else weights[weights["curve"].isna()]
    found = found[["class", "feature", "weight_per_standard_deviation", "weight_per_unit"]]
    for names, n_rows in same_rows(training):
        is_part = found["feature"].isin(names)
        title = f"{' and '.join(names)} (the same {n_rows:,} rows)"
        joint = found[is_part].drop(columns="feature").groupby("class", sort=False, as_index=False).sum()
        found = pd.concat([found[~is_part], joint.assign(feature=title)])
    rows = []
    for table in bent:
        kind = "feature" if "value" in table else "pair"
        for (label, name), part in table.groupby(["class", kind], sort=False):
            counts, effect = part["rows"].to_numpy(), part["effect"].to_numpy()
            deviation = np.sqrt(np.cov(effect, fweights=counts, ddof=0)) if len(part) > 1 else 0.0
            title, change = str(name), np.nan
            if "value" in part:
                low, high = np.searchsorted(np.cumsum(counts), np.array([0.25, 0.75]) * counts.sum())
                low, high = (low, high) if low < high else (0, len(part) - 1)
                title = f"{name}, from {part['value'].iloc[low]:.6g} to {part['value'].iloc[high]:.6g}"
                change = effect[high] - effect[low]
            rows.append((label, title, -deviation if change < 0 else deviation, change))
    found = pd.concat([found, pd.DataFrame(rows, columns=found.columns)]) if rows else found
    classes = pd.Categorical(found["class"], weights["class"].unique())
    order = np.lexsort((-found["weight_per_standard_deviation"].abs(), classes.codes))
    found = found.iloc[order].reset_index(drop=True)
    return _with_odds_ratios(found)


def same_rows(training: Training) -> list[tuple[list[str], int]]:
    """The names of indicators of different columns that are 1 in the same training rows, and how many rows these are.

    Whole numbers are drawn for the rows: equal sums of those of two indicators are no chance.
    """
    features = training.features
    drawn = features.positions(part for _, (_, pieces) in features.drawn for part, _ in pieces)
    is_alone = ~np.isin(np.arange(len(features.names)), drawn)
    positions = np.flatnonzero(is_alone & (features.centre == 0) & (features.scale == 1))
    rng, n = np.random.default_rng(0), len(training.rows)
    sums = np.zeros((training.rows.n_base + 1, 2))
    for block, _ in training.rows.strips():
        numbers = rng.integers(1, 2**52 // n, len(block)).astype(float)  # whose sums are exact
        sums += block.transposed(np.column_stack([numbers, np.ones(len(block))]))
    groups: dict[tuple[float, float], list[str]] = {}
    for name, key in zip(features.names[positions], (features.T.T @ sums)[positions].tolist(), strict=True):
        groups.setdefault((key[0], key[1]), []).append(str(name))
    return [(names, int(n_rows)) for (_, n_rows), names in groups.items() if len(names) > 1 and n_rows]


def _with_odds_ratios(table: pd.DataFrame) -> pd.DataFrame:
    with np.errstate(over="ignore"):
        for name in ("per_standard_deviation", "per_unit"):
            table[f"odds_ratio_{name}"] = np.exp(table[f"weight_{name}"])
    return table


def summary(training: Training) -> dict[str, dict[str, Any]]:
    """For each column of weights: iterations used, how it stopped, its cost at the start and at the end."""
    classify = training.fitted
    history = np.asarray(classify.cost_history_).reshape(len(classify.cost_history_), -1)
    return {
        label: {
            "iterations": int(iterations),
            "stopped": stopped,
            "first_cost": float(column[0]),
            "last_cost": float(column[iterations]),
            "intercept": float(intercept),
        }
        for (label, _, intercept), iterations, stopped, column in zip(
            training.columns_of_weights, classify.n_iter_, classify.stop_reason_, history.T, strict=True
        )
    }


def inferences(training: Training, clusters: np.ndarray | None = None) -> dict[str, tuple[Inference, Inference | None]]:
    """For each column of weights its inference per unit; of ridge also that of a refit without penalty.

    Without ridge the first category of a column is the reference that the others are compared with. A refit of large
    data is None.
    """
    fitted, params, y = training.model, training.params, training.y
    features, classify = training.features, training.fitted
    names, groups = features.names, features.partitions
    X = training.oriented.with_features(features.per_unit())
    weight = row_weights(params.class_weight, np.searchsorted(fitted.classes_, y), training.weight)
    errors: Any = {"groups": groups, "covariance": params.standard_errors, "clusters": clusters}
    found: dict[str, tuple[Inference, Inference | None]] = {}
    if classify.multiclass == "softmax" and len(classify.classes_) > 2:
        return {label: (fit, None) for label, fit in of_softmax(training, weight).items()}
    for label, coef, intercept in training.columns_of_weights:
        slope, is_class = coef / features.scale, y == label
        intercept -= slope @ features.centre
        free = None
        if params.penalty == "firth":
            fit = firth_inference(X.toarray(), is_class, slope, intercept, groups)
        elif classify.l2 == 0:
            fit = inference(X, is_class, slope, intercept, 0.0, weight, **errors)
        else:
            fit = inference(X, is_class, slope, intercept, classify.l2, weight)
            if len(slope) <= LARGEST_FACTOR and classify.l1_ratio == 0:
                covariance = credible_covariance(training, label, coef, intercept + slope @ features.centre)
                of_intercept = np.append(-features.centre / features.scale, 1.0)
                deviation = np.append(np.sqrt(np.diag(covariance))[:-1] / features.scale, 0.0)
                deviation[-1] = np.sqrt(of_intercept @ covariance @ of_intercept)
                fit.credible_lower = fit.coefficient - REACH * deviation
                fit.credible_upper = fit.coefficient + REACH * deviation
            is_curved = bool(features.drawn)
            free = None if is_curved else refit(X, is_class, weight, **errors)
            why = CURVED if is_curved else LARGE
            fit.note += ": " + (why if free is None else f"without penalty, {free.note}")
        separating = (free or fit).separating
        if separating is not None:
            fit.note += f" (because of {shortened(names[separating])})"
        if free is not None and free.following is not None and len(free.following):
            fit.note += f"; left out, because they follow from others: {shortened(names[free.following])}"
        found[label] = fit, free
    return found


def of_softmax(training: Training, weight: np.ndarray | None) -> dict[str, Inference]:
    """The coefficients per unit and the deviance of one model of all classes, which has no test of one class alone."""
    y, features = training.y, training.features
    codes = np.searchsorted(training.model.classes_, y)
    L = log_probabilities(training.fitted.decision_function(training.rows), "softmax")
    counted = np.ones(len(y)) if weight is None else weight
    shares = np.bincount(codes, counted) / counted.sum()
    deviance = -2 * float(np.sum(counted * L[np.arange(len(y)), codes]))
    null_deviance = -2 * float(np.sum(counted * np.log(shares)[codes]))
    found = {}
    for label, coef, intercept in training.columns_of_weights:
        slope = coef / features.scale
        coefficient = np.append(slope, intercept - slope @ features.centre)
        r2 = 1 - deviance / null_deviance
        found[label] = Inference(coefficient, np.arange(len(slope)), deviance, null_deviance, r2, JOINT)
    return found


def inference_table(names: np.ndarray, found: dict[str, tuple[Inference, Inference | None]]) -> pd.DataFrame:
    """The coefficients of each class, and what is known about them.

    Of a fit with ridge, `credible_lower` and `credible_upper` are about its coefficients. The column `unpenalised` has
    those of the refit, which the standard errors, tests and confidence intervals are about; it is empty for the
    categories that the others are compared with.
    """
    parts = []
    for label, (fit, free) in found.items():
        table = pd.DataFrame({"feature": [*names[fit.kept], "(intercept)"], **fit.table()})
        if free is not None and free.standard_error is not None:
            columns = {
                "unpenalised" if name == "coefficient" else name: column for name, column in free.table().items()
            }
            beside = pd.DataFrame({"feature": [*names[free.kept], "(intercept)"], **columns})
            table = table.merge(beside, on="feature", how="left")
        parts.append(table.assign(**{"class": label})[["class", *table.columns]])
    return pd.concat(parts)


def with_intervals(weights: pd.DataFrame, inferred: pd.DataFrame, categories: Sequence[str]) -> pd.DataFrame:
    """`weights` with intervals of the odds ratios per unit, where these weights have some: not those of ridge.

    The weights of `categories` depend on which one is the reference, so they have intervals in inference.csv alone.
    """
    if "lower" not in inferred or "unpenalised" in inferred:
        return weights
    bounds = inferred.loc[~inferred["feature"].isin(categories), ["class", "feature", "lower", "upper"]]
    table = weights.merge(bounds, on=["class", "feature"], how="left")
    for name in ("lower", "upper"):
        with np.errstate(over="ignore"):
            table[f"odds_ratio_per_unit_{name}"] = np.exp(table.pop(name))
    return table


def cluster_codes(key: pd.Series | None, standard_errors: str) -> np.ndarray | None:
    """The group of each training row as a number, where standard errors need it. Errors: `UserError` without groups."""
    if standard_errors != "cluster":
        return None
    if key is None or key.name != "group":
        raise UserError(
            "train.standard_errors = cluster needs rows that are split by the column of their groups: "
            "-S split=group -S split.column=patient. Without groups: -S train.standard_errors=HC1."
        )
    return pd.factorize(key)[0]


def write(
    training: Training,
    root: Path,
    warned: Sequence[str] = (),
    clusters: np.ndarray | None = None,
) -> None:
    """The models, costs, weights, inference, summary and warnings, below `root`."""
    found = inferences(training, clusters)
    names = training.features.names
    inferred = inference_table(names, found)
    categories = [names[j] for group in training.features.partitions for j in group]
    record = summary(training)
    for label, (fit, _) in found.items():
        record[label] |= {key: getattr(fit, key) for key in ("deviance", "null_deviance", "mcfadden_r2", "aic", "note")}
    model.save(training.start, root / outputs.START)
    model.save(training.model, root / outputs.MODEL)
    outputs.save_csv(costs(training), root / outputs.COSTS)
    table, drawn = weights(training), []
    outputs.save_csv(with_intervals(table, inferred, categories), root / outputs.WEIGHTS, WEIGHT_DIGITS)
    outputs.save_csv(inferred, root / outputs.INFERENCE)
    for kind, file in (("value", outputs.CURVES_OF_FEATURES), ("first", outputs.SURFACES)):
        cells = effects_of_cells(training, kind)
        if len(cells):
            drawn.append(cells)
            outputs.save_csv(cells, root / file)
    outputs.save_csv(effects(training, table, *drawn), root / outputs.EFFECTS, WEIGHT_DIGITS)
    outputs.save_json(record, root / outputs.TRAINING_SUMMARY, WEIGHT_DIGITS)
    outputs.save_json({"warnings": list(warned)}, root / outputs.TRAINING_WARNINGS)

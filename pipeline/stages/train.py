"""Gradient descent from seeded random weights, and a record of how it went."""

import json
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_sample_weight
from tqdm import tqdm

from pipeline import config, model, outputs, tables
from pipeline.errors import UserError
from pipeline.logistic import DivergenceError, LogisticRegression
from pipeline.logistic.inference import Inference, inference
from pipeline.stages import run


class Training(NamedTuple):
    start: Pipeline  # before the first step: random weights
    model: Pipeline


def train(table: pd.DataFrame, params: config.Train) -> Training:
    """Fit on `table`. Raises `UserError` where the learning rate is too large, or a setting is none for this data."""
    X, y = tables.features_and_target(table)
    unfitted = model.build(params, X)
    prepare, classify = unfitted[:-1], unfitted[-1]
    Z = prepare.fit_transform(X)
    names = pd.Series(prepare.get_feature_names_out())
    if names.duplicated().any():
        raise UserError(
            f"Two features are called {names[names.duplicated()].iloc[0]!r}: a column of that name, and one made of "
            f"another column. Rename the column in the file, or leave it out with data.drop."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # `summary` says how the training stopped
        start = clone(classify).set_params(max_iter=0).fit(Z, y)
        with tqdm(total=params.max_iterations, desc="train", unit=" iterations", disable=None) as bar:

            def show(iteration: int, cost: float) -> None:
                bar.set_postfix_str(f"cost {np.mean(cost):.6f}", refresh=False)
                bar.update(iteration - bar.n)

            try:
                classify.fit(Z, y, callback=None if bar.disable else show)
            except DivergenceError as error:
                raise UserError(f"{error}\nSet train.learning_rate to that or less, or to auto.") from None
    return Training(
        *(Pipeline([*prepare.steps, ("classify", _towards(fit, params.positive))]) for fit in (start, classify))
    )


def _towards(classify: LogisticRegression, positive: str | None) -> LogisticRegression:
    """The same model with `positive` as the second class: the two are each other's mirror image."""
    classes = classify.classes_.tolist()
    if positive is not None and (positive not in classes or len(classes) != 2):
        raise UserError(f"train.positive = {positive!r} should be one of two classes; the classes are {classes}.")
    if positive == classes[0]:
        classify.classes_ = classify.classes_[::-1].copy()
        classify.coef_, classify.intercept_ = -classify.coef_, -classify.intercept_
    return classify


def costs(fitted: Pipeline) -> pd.DataFrame:
    """The cost of every iteration, the random start first; with many classes their mean, then a column a class."""
    history = pd.DataFrame(fitted["classify"].cost_history_)
    if history.shape[1] == 1:
        history.columns = ["cost"]
    else:
        history.columns = [f"cost/{label}" for label in fitted.classes_]
        history.insert(0, "cost", history.ffill().mean(axis="columns"))  # a class that has converged keeps its cost
    return history.rename_axis("iteration").reset_index()


def modelled(fitted: Pipeline) -> np.ndarray:
    """The class of each column of weights: the second of two classes, or every class."""
    classify = fitted["classify"]
    return classify.classes_ if len(classify.coef_) > 1 else classify.classes_[1:]


def weights(fitted: Pipeline) -> pd.DataFrame:
    """A row a feature (and class): the weight on the standardised and on the raw feature, and their odds ratios.

    The raw feature of a column of words is a level, 1 where the cell has it and 0 elsewhere. An odds ratio is
    exp(weight): how many times the odds of the class grow when the feature grows by one standard deviation, or by
    one of its own units.
    """
    scale, classify = fitted["scale"], fitted["classify"]
    parts = [
        pd.DataFrame(
            {
                "class": label,
                "feature": fitted[:-1].get_feature_names_out(),
                "weight_per_standard_deviation": coefficients,
                "weight_per_unit": coefficients / scale.scale_,
            }
        )
        for label, coefficients in zip(modelled(fitted), classify.coef_, strict=True)
    ]
    table = pd.concat(parts, ignore_index=True)
    with np.errstate(over="ignore"):
        table["odds_ratio_per_standard_deviation"] = np.exp(table["weight_per_standard_deviation"])
        table["odds_ratio_per_unit"] = np.exp(table["weight_per_unit"])
    return table


def summary(fitted: Pipeline) -> dict[str, dict]:
    """For each column of weights: iterations used, how it stopped, its cost at the start and at the end."""
    classify = fitted["classify"]
    history = np.asarray(classify.cost_history_).reshape(len(classify.cost_history_), -1)
    return {
        str(label): {
            "iterations": int(iterations),
            "stopped": stopped,
            "first_cost": float(column[0]),
            "last_cost": float(column[iterations]),
            "intercept": float(intercept),
        }
        for label, iterations, stopped, column, intercept in zip(
            modelled(fitted), classify.n_iter_, classify.stop_reason_, history.T, classify.intercept_, strict=True
        )
    }


def inferences(fitted: Pipeline, table: pd.DataFrame) -> dict[str, Inference]:
    """For each column of weights, what a statistician reads off the fit: coefficients by unit, the intercept last."""
    scale, classify = fitted["scale"], fitted["classify"]
    X, y = tables.features_and_target(table)
    X = scale.inverse_transform(fitted[:-1].transform(X))
    weight = None if classify.class_weight is None else compute_sample_weight(classify.class_weight, y)
    slopes = classify.coef_ / scale.scale_
    intercepts = classify.intercept_ - slopes @ scale.mean_
    return {
        str(label): inference(X, y == label, slope, intercept, classify.l2, weight)
        for label, slope, intercept in zip(modelled(fitted), slopes, intercepts, strict=True)
    }


def write(training: Training, table: pd.DataFrame, root: Path) -> None:
    found = inferences(training.model, table)
    names = [*training.model[:-1].get_feature_names_out(), "(intercept)"]
    parts = [pd.DataFrame({"class": label, "feature": names, **fit.table()}) for label, fit in found.items()]
    said = summary(training.model)
    for label, fit in found.items():
        said[label] |= {key: getattr(fit, key) for key in ("deviance", "null_deviance", "mcfadden_r2", "aic", "note")}
    model.save(training.start, root / outputs.START)
    model.save(training.model, root / outputs.MODEL)
    costs(training.model).to_csv(root / outputs.COSTS, index=False)
    weights(training.model).to_csv(root / outputs.WEIGHTS, index=False)
    pd.concat(parts).to_csv(root / outputs.INFERENCE, index=False)
    (root / outputs.TRAINING_SUMMARY).write_text(json.dumps(said, indent=2) + "\n")


def main() -> None:
    table = tables.load(outputs.ROOT / outputs.TRAINING_ROWS)
    training = train(table, config.read("train"))
    write(training, table, outputs.ROOT)
    for label, column in summary(training.model).items():
        print(f"{label}: {column['iterations']} iterations, cost {column['last_cost']:.6f}; {column['stopped']}")


if __name__ == "__main__":
    run(main)

"""Which lambda and which learning rate: a grid of models cross-validated on the training rows, the winner refitted.

The test rows are used once, for the winner. Its weights are those that `train` finds with its lambda and learning rate.
"""

import json
import shlex
import sys
from typing import Any

import numpy as np
import pandas as pd

from pipeline import config, tables
from pipeline.cross_validation import Choice, Validation, best_by_lambda, choose, cross_validate, members, path
from pipeline.figures import save
from pipeline.figures import sweep as figures
from pipeline.stages import OUTPUTS, evaluate, run, train
from pipeline.stages.configure import overrides
from pipeline.stages.split import TEST, TRAIN

ROOT = OUTPUTS / "sweep"
MEMBERS = ROOT / "members.csv"
CURVES = ROOT / "curves.parquet"
WINNER = ROOT / "winner.json"
PATHS = ROOT / "paths.csv"
PICTURES = ROOT / "pictures"


def refit(choice: Choice, params: config.Sweep, fit: config.Train, table: pd.DataFrame) -> train.Training:
    """The chosen member on all of `table`, as `train` does it."""
    row = getattr(choice, params.refit)
    return train.train(table, fit.model_copy(update={"l2": row["lambda"], "learning_rate": row["learning_rate"]}))


def winner(choice: Choice, params: config.Sweep, test: dict[str, float]) -> dict[str, Any]:
    named = {
        name: {key: value.item() if isinstance(value, np.generic) else value for key, value in row.items()}
        for name, row in choice._asdict().items()
    }
    return {"score": params.score, "refit": params.refit, **named, "test": test}


def adopt(chosen: dict[str, Any], values: dict[str, Any]) -> str:
    """The command that trains the winner for good, with the data and settings that `values`, params.yaml's, hold."""
    settings = {section: values[section] for section in ("data", "split", "train")}
    settings["train"] = settings["train"] | {key: chosen[key] for key in ("lambda", "learning_rate")}
    return "dvc exp run " + " ".join(f"-S {shlex.quote(text)}" for text in overrides(settings))


def describe(chosen: dict[str, Any], score: str) -> str:
    error = chosen[f"{score}_standard_error"]
    return (
        f"lambda {chosen['lambda']:g}, learning rate {chosen['learning_rate']}, "
        f"{score.replace('_', ' ')} {chosen[score]:.5f} +- {error:.5f}"
    )


def write(validation: Validation) -> None:
    ROOT.mkdir(parents=True, exist_ok=True)
    validation.members.to_csv(MEMBERS, index=False)
    tables.save(validation.curves.astype({"learning_rate": str}), CURVES)


def draw(validation: Validation, paths: pd.DataFrame, choice: Choice, params: config.Sweep) -> None:
    scored, score, chosen = validation.members, params.score, getattr(choice, params.refit)
    curves = validation.curves[validation.curves["lambda"] == chosen["lambda"]]
    save(figures.heat_map, PICTURES / "heat_map.png", members=scored, score=score, winner=chosen)
    save(
        figures.validation_curve,
        PICTURES / "validation_curve.png",
        members=best_by_lambda(scored, score),
        score=score,
        best=choice.best,
        strongest=choice.one_standard_error,
    )
    save(figures.learning_rates, PICTURES / "learning_rates.png", curves=curves, penalty=chosen["lambda"])
    save(figures.coefficient_paths, PICTURES / "coefficient_paths.png", weights=paths, chosen=chosen["lambda"])


def main() -> None:
    fit, params = config.read("train"), config.read("sweep")
    table = tables.load(OUTPUTS / TRAIN)
    validation = cross_validate(table, fit, params, members(params, fit))
    write(validation)
    if validation.interrupted:
        sys.exit(130)
    choice = choose(validation.members, params.score)
    paths = path(table, fit, params, validation.members)
    paths.to_csv(PATHS, index=False)
    draw(validation, paths, choice, params)
    training = refit(choice, params, fit, table)
    train.write(training, ROOT)
    scored = winner(choice, params, evaluate.evaluate(training.model, tables.load(OUTPUTS / TEST)).metrics)
    WINNER.write_text(json.dumps(scored, indent=2) + "\n")
    chosen = scored[params.refit]
    print(f"{len(validation.members)} members; {params.refit.replace('_', ' ')}: {describe(chosen, params.score)}")
    print(f"To adopt it: {adopt(chosen, config.load())}")


if __name__ == "__main__":
    run(main)

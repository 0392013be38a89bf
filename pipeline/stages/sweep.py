"""Which lambda and which learning rate: a grid of models cross-validated on the training rows, the winner refitted.

The test rows are used once, for the winner. Its weights are those that `train` finds with its lambda and learning rate.
"""

import json
import shlex
import sys
from pathlib import Path
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
MEMBERS = Path("members.csv")
CURVES = Path("curves.parquet")
WINNER = Path("winner.json")
PATHS = Path("paths.csv")
PICTURES = Path("pictures")
CHOICES = ("best", "one_standard_error")


def refit(chosen: dict[str, Any], fit: config.Train, table: pd.DataFrame) -> train.Training:
    """The chosen member on all of `table`, as `train` does it."""
    return train.train(table, fit.model_copy(update={"l2": chosen["lambda"], "learning_rate": chosen["learning_rate"]}))


def winner(choice: Choice, params: config.Sweep) -> dict[str, Any]:
    named = {
        name: {key: value.item() if isinstance(value, np.generic) else value for key, value in row.items()}
        for name, row in choice._asdict().items()
    }
    return {"score": params.score, "refit": params.refit, **named}


def adopt(chosen: dict[str, Any], values: dict[str, Any]) -> str:
    """The command that trains the winner for good, with the data and settings that `values`, params.yaml's, hold."""
    settings = {section: values[section] for section in ("data", "split", "train")}
    told = {f"train.{key}": chosen[key] for key in ("lambda", "learning_rate")}
    others = [text for text in overrides(settings) if text.split("=")[0] not in told]
    arguments = [*others, *(f"{key}={value}" for key, value in told.items())]
    return "dvc exp run " + " ".join(f"-S {shlex.quote(argument)}" for argument in arguments)


def describe(chosen: dict[str, Any], score: str) -> str:
    error = chosen[f"{score}_standard_error"]
    return (
        f"lambda {chosen['lambda']:g}, learning rate {chosen['learning_rate']}, "
        f"{score.replace('_', ' ')} {chosen[score]:.5f} +- {error:.5f}"
    )


def write(validation: Validation, root: Path) -> None:
    """Every member, and its cost curve; the winner of an earlier sweep is gone."""
    root.mkdir(parents=True, exist_ok=True)
    (root / WINNER).unlink(missing_ok=True)
    validation.members.to_csv(root / MEMBERS, index=False)
    tables.save(validation.curves.astype({"learning_rate": str}), root / CURVES)


def draw(validation: Validation, paths: pd.DataFrame, choice: Choice, params: config.Sweep, folder: Path) -> None:
    scored, score, chosen = validation.members, params.score, getattr(choice, params.refit)
    curves = validation.curves[validation.curves["lambda"] == chosen["lambda"]]
    save(figures.heat_map, folder / "heat_map.png", members=scored, score=score, winner=chosen)
    save(
        figures.validation_curve,
        folder / "validation_curve.png",
        members=best_by_lambda(scored, score),
        score=score,
        best=choice.best,
        strongest=choice.one_standard_error,
    )
    save(figures.learning_rates, folder / "learning_rates.png", curves=curves, penalty=chosen["lambda"])
    save(figures.coefficient_paths, folder / "coefficient_paths.png", weights=paths, chosen=chosen["lambda"])


def keep_interrupted(validation: Validation, params: config.Sweep, training_rows: pd.DataFrame) -> None:
    """What was finished before Ctrl-C, into MLflow here and now: DVC will not come to the stage that does so."""
    from pipeline import tracking
    from pipeline.stages.track import sweep_record

    finished, all_members = len(validation.members), len(params.members)
    print(f"interrupted: {finished} of {all_members} members are finished", file=sys.stderr)
    if finished:
        record = sweep_record(config.load(), training_rows, ROOT, "sweep", interrupted=True)
        tracking.log([record], config.read("tracking"))
    sys.exit(130)


def main() -> None:
    fit, params = config.read("train"), config.read("sweep")
    table = tables.load(OUTPUTS / TRAIN)
    validation = cross_validate(table, fit, params, members(params, fit))
    write(validation, ROOT)
    if validation.interrupted:
        keep_interrupted(validation, params, table)
    choice = choose(validation.members, params.score)
    paths = path(table, fit, params, validation.members)
    paths.to_csv(ROOT / PATHS, index=False)
    draw(validation, paths, choice, params, ROOT / PICTURES)
    scored = winner(choice, params)
    chosen = scored[params.refit]
    training = refit(chosen, fit, table)
    train.write(training, table, ROOT)
    scored["test"] = evaluate.evaluate(training.model, tables.load(OUTPUTS / TEST)).metrics
    (ROOT / WINNER).write_text(json.dumps(scored, indent=2) + "\n")
    print(f"{len(validation.members)} members; {params.refit.replace('_', ' ')}: {describe(chosen, params.score)}")
    print(f"To adopt it: {adopt(chosen, config.load())}")


if __name__ == "__main__":
    run(main)

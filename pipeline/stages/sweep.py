"""Which lambda and which learning rate: a grid of models cross-validated on the training rows, the winner refitted.

The test rows are used once, for the winner. Its weights are those that `train` finds with its lambda and learning rate.
"""

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import choice, config, outputs, tables
from pipeline.sweeps.cross_validation import Validation, cross_validate, members, path
from pipeline.errors import UserError
from pipeline.figures import save
from pipeline.figures import sweep as figures
from pipeline.stages import evaluate, run, told, train
from pipeline.stages.configure import overrides
from pipeline.columns import splitting


def refit(chosen: dict[str, Any], fit: config.Train, table: pd.DataFrame) -> train.Training:
    """The chosen member on all of `table`, as `train` does it."""
    return train.train(table, fit.model_copy(update={"l2": chosen["lambda"], "learning_rate": chosen["learning_rate"]}))


def adopt(chosen: dict[str, Any], values: dict[str, Any]) -> str:
    """The command that trains the winner for good, with the data and settings that `values`, params.yaml's, hold."""
    settings = {section: values[section] for section in ("data", "split", "train")}
    told = {f"train.{key}": chosen[key] for key in ("lambda", "learning_rate")}
    others = [text for text in overrides(settings) if text.split("=")[0] not in told]
    arguments = [*others, *(f"{key}={value}" for key, value in told.items())]
    return "dvc exp run " + " ".join(f"-S {shlex.quote(argument)}" for argument in arguments)


def write(validation: Validation, root: Path) -> None:
    """Every member, and its cost curve; the winner of an earlier sweep is gone."""
    root.mkdir(parents=True, exist_ok=True)
    for file in (outputs.WINNER, outputs.ADOPT):
        (root / file).unlink(missing_ok=True)
    validation.members.to_csv(root / outputs.MEMBERS, index=False)
    tables.save(validation.curves.astype({"learning_rate": str}), root / outputs.CURVES)


def folds(table: pd.DataFrame, params: config.Sweep, key: pd.Series | None) -> list[splitting.Fold]:
    """Those of the training rows; `key` tells the group or the time of each, where that decides."""
    return splitting.folds(tables.features_and_target(table)[1], params.folds, params.seed, key)


def leave_out(reason: str, root: Path) -> None:
    """No sweep of these rows: its outputs are empty, but for the reason."""
    for folder in (outputs.PICTURES, outputs.MODEL.parts[0]):
        shutil.rmtree(root / folder, ignore_errors=True)
        (root / folder).mkdir(parents=True)
    for file in (outputs.ADOPT, outputs.CURVES, outputs.MEMBERS, outputs.PATHS):
        (root / file).write_text("")
    (root / outputs.WINNER).write_text(json.dumps({"warnings": [f"There is no sweep. {reason}"]}, indent=2) + "\n")


def write_winner(named: dict[str, Any], params: config.Sweep, values: dict[str, Any], root: Path, **more: Any) -> None:
    """The chosen members, and the command that adopts one, which is printed too; `values` are params.yaml's."""
    winner = {"score": params.score, "refit": params.refit, **named, **more}
    (root / outputs.WINNER).write_text(json.dumps(winner, indent=2) + "\n")
    command = adopt(named[params.refit], values)
    (root / outputs.ADOPT).write_text(command + "\n")
    print(f"To adopt it: {command}")


def draw(validation: Validation, paths: pd.DataFrame, found: choice.Choice, params: config.Sweep, folder: Path) -> None:
    scored, score, chosen = validation.members, params.score, getattr(found, params.refit)
    curves = validation.curves[validation.curves["lambda"] == chosen["lambda"]]
    save(figures.heat_map, folder / "heat_map.png", members=scored, score=score, winner=chosen)
    save(
        figures.validation_curve,
        folder / "validation_curve.png",
        members=choice.best_by_lambda(scored, score),
        score=score,
        best=found.best,
        strongest=found.one_standard_error,
    )
    save(figures.learning_rates, folder / "learning_rates.png", curves=curves, penalty=chosen["lambda"])
    save(figures.coefficient_paths, folder / "coefficient_paths.png", weights=paths, chosen=chosen["lambda"])


def log_now(training_rows: pd.DataFrame, interrupted: bool) -> None:
    """A sweep without a winner into MLflow, here: DVC will not come to the stage that does so."""
    from pipeline import tracking
    from pipeline.stages.track import sweep_record

    try:
        record = sweep_record(config.load(), training_rows, outputs.SWEEP, "sweep", interrupted)
        tracking.log([record], config.read("tracking"))
    except UserError as error:
        print(f"warning: {error}", file=sys.stderr)


def main() -> None:
    fit, params = config.read("train"), config.read("sweep")
    table = tables.load(outputs.ROOT / outputs.TRAINING_ROWS)
    key = outputs.ROOT / outputs.KEY
    key = tables.load(key).iloc[:, 0] if key.exists() else None
    try:
        with told() as said:
            cut = folds(table, params, key)
    except UserError as error:
        print(f"warning: there is no sweep. {error}")
        leave_out(str(error), outputs.SWEEP)
        return
    validation = cross_validate(table, fit, params, members(params, fit), cut)
    if not validation.members.empty:
        write(validation, outputs.SWEEP)
    if validation.interrupted:
        finished = len(validation.members)
        print(f"interrupted: {finished} of {len(params.members)} members are finished", file=sys.stderr)
        if finished:
            log_now(table, interrupted=True)
        sys.exit(130)
    try:
        found = choice.choose(validation.members, params.score)
    except UserError:
        log_now(table, interrupted=False)
        raise
    paths = path(table, fit, params, validation.members)
    paths.to_csv(outputs.SWEEP / outputs.PATHS, index=False)
    draw(validation, paths, found, params, outputs.SWEEP / outputs.PICTURES)
    named = choice.as_json(found)
    chosen = named[params.refit]
    training = refit(chosen, fit, table)
    train.write(training, table, outputs.SWEEP)
    test = evaluate.evaluate(training.model, tables.load(outputs.ROOT / outputs.TEST_ROWS)).metrics
    print(
        f"{len(validation.members)} members; {params.refit.replace('_', ' ')}: {choice.describe(chosen, params.score)}"
    )
    write_winner(named, params, config.load(), outputs.SWEEP, test=test, warnings=said)


if __name__ == "__main__":
    run(main)

"""The files and pictures of a sweep, and the command that adopts its winner."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import config
from pipeline.figures import sweeps as figures
from pipeline.figures.drawing import save
from pipeline.files import formats, paths, stored
from pipeline.overrides import assignment, options
from pipeline.training import choice
from pipeline.training.cross_validation import Validation

CHOSEN = ("train.lambda", "train.learning_rate")


def write(validation: Validation, folder: Path) -> None:
    """Every combination, and its cost curve."""
    exact = {key: validation.combinations[key].map(_number) for key in ("lambda", "learning_rate")}
    scored = validation.combinations.assign(**exact)
    curves = validation.curves.assign(learning_rate=validation.curves["learning_rate"].map(_number))
    curves["cost"] = formats.significant(curves["cost"].to_numpy(), formats.SCORE_DIGITS)
    formats.save_csv(scored, folder / paths.COMBINATIONS)
    stored.save_table(curves, folder / paths.CURVES)


def adopt(chosen: dict[str, Any], settled: Sequence[str] = (), overrides: list[str] | None = None) -> str:
    """The command that trains the chosen combination, with the overrides `settled` for what `auto` stood for.

    It keeps the data and the settings that params.yaml has; where `overrides` are given, those of conf/ with them.
    """
    values = [*settled, *(assignment(key, chosen[key.removeprefix("train.")]) for key in CHOSEN)]
    given = [text for text in overrides or () if not text.startswith("sweep.")]
    keep = " --no-hydra" if overrides is None else ""
    return f"dvc exp run{keep} {options([*given, *values])}"


def draw(
    validation: Validation,
    weights_by_lambda: pd.DataFrame,
    found: choice.Choice,
    params: config.Sweep,
    folder: Path,
    title: str,
) -> None:
    """The pictures; those of learning rates only where there are several. title is the name of the data."""
    scored, score, chosen = validation.combinations, params.score, getattr(found, params.refit)
    curves = validation.curves[validation.curves["lambda"] == chosen["lambda"]]
    if len(set(scored["learning_rate"])) > 1:
        heat_map, rates = folder / "heat_map.png", folder / "learning_rates.png"
        save(figures.heat_map, heat_map, title, combinations=scored, score=score, winner=chosen)
        save(figures.learning_rates, rates, title, curves=curves, penalty=chosen["lambda"])
    save(
        figures.validation_curve,
        folder / "validation_curve.png",
        title,
        combinations=choice.best_by_lambda(scored, score),
        score=score,
        best=found.best,
        strongest=found.one_standard_error,
    )
    chosen_lambda = chosen["lambda"]
    save(
        figures.coefficient_paths,
        folder / "coefficient_paths.png",
        title,
        weights=weights_by_lambda,
        chosen=chosen_lambda,
    )


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else repr(float(value)).removesuffix(".0")  # all its digits, no more

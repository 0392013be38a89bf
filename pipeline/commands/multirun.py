"""Sweep over anything, in Hydra's grammar: `python -m pipeline multirun data=iris,wine train.lambda=0.01,0.1`.

Every combination is scored on folds of its training rows. Combinations that differ in lambda and learning rate alone
make a study and are trained together; studies follow one another. Hydra hands over a whole batch at once, be it the
grid of its own sweeper or a batch of Optuna's trials (hydra/sweeper=optuna hydra.sweeper.n_jobs=10).

The test rows are not used: the command that adopts a winner trains and evaluates it. A study that fails, for instance
because its table does not exist, does not stop the others; the command then ends with status 1.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pandas as pd
from omegaconf import DictConfig, OmegaConf

from pipeline import config
from pipeline.columns import dataset, splitting
from pipeline.columns.target import features_and_target
from pipeline.compute import cluster
from pipeline.config import Combination, Params
from pipeline.config.composition import CONF, check_groups
from pipeline.errors import UserError, reported_warnings
from pipeline.files import formats, paths, stored
from pipeline.overrides import beside
from pipeline.scores.scores import LOSSES
from pipeline.training import choice, selection
from pipeline.training import sweep as results
from pipeline.training.sweep import Validation, score_grid

SHOWN = 20  # combinations on the terminal at most
Track = Callable[[dict[str, Any], pd.DataFrame, Path, bool], None]  # values, training rows, folder, interrupted


class Study:
    """Combinations that share their rows and settings, and how they did; their files are below `root`.

    values     the composed configuration of the first of them
    overrides  the overrides that they have in common, as typed
    track      logs what is in `root`
    """

    def __init__(self, values: dict[str, Any], params: Params, overrides: list[str], root: Path, track: Track) -> None:
        self.values, self.params, self.overrides, self.root, self.track = values, params, overrides, root, track
        with beside("data", params.data.model_dump()), reported_warnings():
            rows = dataset.split(dataset.load(params.data), params.split, params.data)
            self.training_rows = stored.in_memory(rows.train)
            classes, sweep = features_and_target(self.training_rows)[1], params.sweep
            self.weight = None if rows.train_weight is None else rows.train_weight.to_numpy(dtype=np.float64)
            self.folds = splitting.folds(classes, sweep.folds, sweep.seed, rows.key)
            self.settings, self.in_folds, self.settled = selection.without_lambda(
                rows.train, params.train, self.folds, rows.key, self.weight
            )
        self.scored, self.curves = pd.DataFrame(columns=["lambda", "learning_rate"]), pd.DataFrame()

    def train(self, combinations: list[Combination]) -> None:
        """Train those that are new, and show all. On Ctrl-C: keep what was finished, then exit."""
        scored = set(zip(self.scored["lambda"], self.scored["learning_rate"], strict=True))
        new = [pair for pair in dict.fromkeys(combinations) if pair not in scored]
        if not new:
            return
        sweep = self.params.sweep
        added = score_grid(self.training_rows, self.settings, sweep, new, self.folds, self.weight, self.in_folds)
        self.scored = pd.concat([self.scored, added.combinations], ignore_index=True) if scored else added.combinations
        self.curves = pd.concat([self.curves, added.curves], ignore_index=True)
        if not self.scored.empty:
            self.keep(added.interrupted)
        if added.interrupted:
            finished, all_of_them = len(self.scored), len(scored) + len(new)
            print(f"interrupted: {finished} of {all_of_them} combinations are finished", file=sys.stderr)
            sys.exit(130)

    def keep(self, interrupted: bool) -> None:
        """Files, a table on the terminal, MLflow."""
        score, sweep = self.params.sweep.score, self.params.sweep
        results.write(Validation(self.scored, self.curves, interrupted), self.root / paths.SWEEP)
        ranked = choice.ranked(self.scored, score)
        diverged = f"; {len(self.scored) - len(ranked)} diverged" if len(ranked) < len(self.scored) else ""
        print(f"\n{self.params.data.title}, {self.params.train.optimizer}: {len(self.scored)} combinations{diverged}")
        print(ranked.head(SHOWN).to_string(index=False))
        if not interrupted and len(ranked):
            named = choice.as_json(choice.choose(self.scored, score))
            record: dict[str, Any] = {"score": score, "refit": sweep.refit, "warnings": []} | named
            formats.save_json(record, self.root / paths.WINNER)
            command = results.adopt(named[sweep.refit], self.settled, self.overrides)
            formats.save_text(command + "\n", self.root / paths.SWEEP / paths.ADOPT)
            print(f"To adopt it: {command}")
        grid = {name: sorted(set(self.scored[name]), key=str) for name in ("lambda", "learning_rate")}
        values = self.values | {"sweep": self.values["sweep"] | grid}
        self.track(values, self.training_rows, self.root, interrupted)

    def loss(self, pair: Combination) -> float:
        """What Optuna minimises: the mean score over folds, negated where higher is better, or infinity."""
        score = self.params.sweep.score
        row = self.scored[(self.scored["lambda"] == pair.l2) & (self.scored["learning_rate"] == pair.learning_rate)]
        value = float(row[score].iloc[0])
        return math.inf if math.isnan(value) else value if score in LOSSES else -value


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("overrides", nargs="+", metavar="KEY=VALUE,...", help="values of settings to combine")


def main(overrides: list[str], track: Track | None = None) -> None:
    """Run all combinations of `overrides`; `track` logs a study when it is finished, by default into MLflow."""
    if track is None:
        from pipeline.tracking import log  # MLflow takes seconds to import

        track = log.log_study
    studies: dict[str, Study | str] = {}  # or why it failed; an optimising sweeper comes back with batch after batch

    @hydra.main(config_path=str(CONF.absolute()), config_name="multirun", version_base=None)
    def task(jobs: Sequence[DictConfig]) -> list[float]:
        try:
            if isinstance(jobs, DictConfig):
                raise UserError(
                    "multirun trains combinations together, with a launcher of its own: leave out hydra/launcher."
                )
            direction = OmegaConf.select(jobs[0], "hydra.sweeper.direction", default="minimize")  # Optuna's is an Enum
            if getattr(direction, "name", direction) != "minimize":
                raise UserError(
                    "multirun gives Optuna a value to minimise, whatever the score: leave out hydra.sweeper.direction."
                )
            params = _validated(jobs[0])[1]
            bound = params.sweep.max_combinations
            if len(jobs) > bound:
                raise UserError(
                    f"{len(jobs)} combinations are more than sweep.max_combinations = {bound}. Use fewer values or "
                    "raise it."
                )
            with cluster.used(params.compute):
                return _run(jobs, studies, track)
        except UserError as error:  # Hydra would show a traceback
            sys.exit(f"\nerror: {error}")

    check_groups(overrides)
    sys.argv = [sys.argv[0], *overrides]
    task()
    if failed := [reason for reason in studies.values() if isinstance(reason, str)]:
        raise UserError("\n".join([f"{len(failed)} of {len(studies)} studies failed:", *failed]))


def _run(jobs: Sequence[DictConfig], studies: dict[str, Study | str], track: Track) -> list[float]:
    """Train a batch of jobs, together where they can be; `studies` is added to."""
    placed = []
    for job in jobs:
        values, params = _validated(job)
        if params.train.penalty != "ridge":
            raise UserError(
                f"train.penalty = {params.train.penalty} has no strength to sweep over: multirun is for ridge. Use "
                f"python -m pipeline queue, or train.penalty=ridge."
            )
        if params.train.l2 == "auto":
            raise UserError("train.lambda = 'auto' is no value to combine. Give some: train.lambda=0.001,0.01,0.1")
        placed.append((_shared(values), job, Combination(params.train.l2, params.train.learning_rate)))
    for key in dict.fromkeys(key for key, *_ in placed):
        group = [(job, pair) for other, job, pair in placed if other == key]
        try:
            study = studies.get(key) or _study(group[0][0], len(studies), track)
            if isinstance(study, Study):
                study.train([pair for _, pair in group])
        except UserError as error:
            study = f"{' '.join(group[0][0].hydra.overrides.task)}: {error}"
            print(f"\nfailed: {study}")
        studies[key] = study
    study_pairs = [(studies[key], pair) for key, _, pair in placed]
    return [study.loss(pair) if isinstance(study, Study) else math.inf for study, pair in study_pairs]


def _study(job: DictConfig, number: int, track: Track) -> Study:
    values, params = _validated(job)
    typed = [text for text in job.hydra.overrides.task if text.split("=")[0] not in results.CHOSEN]
    return Study(values, params, typed, Path(job.hydra.sweep.dir) / f"{number}-{params.data.title}", track)


def _shared(values: dict[str, Any]) -> str:
    """What combinations that are trained together have in common."""
    shared = {section: values[section] for section in ("data", "split", "train", "sweep")}
    for section in ("train", "sweep"):
        shared[section] = {k: v for k, v in shared[section].items() if k not in ("lambda", "learning_rate")}
    return json.dumps(shared)


def _validated(composed: DictConfig) -> tuple[dict[str, Any], Params]:
    sections = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
    values = dict(OmegaConf.to_container(sections, resolve=True))  # type: ignore[arg-type]
    overrides = " ".join(composed.hydra.overrides.task) or "conf/"
    return values, config.validate(values, source=overrides)

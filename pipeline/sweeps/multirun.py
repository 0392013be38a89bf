"""Sweeps over anything, in Hydra's grammar: `python -m pipeline.sweep --multirun data=iris,wine train.lambda=0.01,0.1`.

Every combination is a member, scored on folds of its training rows. Members that differ in lambda and learning rate
alone make a study and are trained together; studies follow one another. Hydra hands over a whole batch at once, be it
the grid of its own sweeper or a batch of Optuna's trials (hydra/sweeper=optuna hydra.sweeper.n_jobs=10).

The test rows are not used: the command that adopts a winner trains and evaluates it.
"""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
import pandas as pd
from omegaconf import DictConfig, OmegaConf

from pipeline import choice, config, stages, tracking
from pipeline.config import Member, Params
from pipeline.sweeps.cross_validation import Validation, cross_validate
from pipeline.errors import UserError
from pipeline.stages import load, split, sweep, told, track
from pipeline.stages.configure import CONF

SHOWN = 20  # members on the terminal at most


class Study:
    """Members that share their rows and settings, and what became of them; their files are in `root`."""

    def __init__(self, values: dict[str, Any], params: Params, root: Path) -> None:
        self.values, self.params, self.root = values, params, root
        with told():
            self.training_rows, _, key = split.split(load.load(params.data), params.split, params.data)
            self.folds = sweep.folds(self.training_rows, params.sweep, key)
        self.scored, self.curves = pd.DataFrame(columns=["lambda", "learning_rate"]), pd.DataFrame()

    def train(self, members: list[Member]) -> None:
        """Train those of `members` that are new, and show all. On Ctrl-C: keep what was finished, then exit."""
        known = (
            set() if self.scored.empty else set(zip(self.scored["lambda"], self.scored["learning_rate"], strict=True))
        )
        new = [member for member in dict.fromkeys(members) if member not in known]
        if not new:
            return
        added = cross_validate(self.training_rows, self.params.train, self.params.sweep, new, self.folds)
        self.scored = pd.concat([self.scored, added.members], ignore_index=True) if known else added.members
        self.curves = pd.concat([self.curves, added.curves], ignore_index=True)
        if not self.scored.empty:
            self.keep(added.interrupted)
        if added.interrupted:
            print(f"interrupted: {len(self.scored)} of {len(known) + len(new)} members are finished", file=sys.stderr)
            sys.exit(130)

    def keep(self, interrupted: bool) -> None:
        """Files, a table on the terminal, MLflow."""
        score = self.params.sweep.score
        sweep.write(Validation(self.scored, self.curves, interrupted), self.root)
        ranked = choice.ranked(self.scored, score)
        diverged = f"; {len(self.scored) - len(ranked)} diverged" if len(ranked) < len(self.scored) else ""
        print(f"\n{self.params.data.title}, {self.params.train.optimizer}: {len(self.scored)} members{diverged}")
        print(ranked.head(SHOWN).to_string(index=False))
        if not interrupted and len(ranked):
            named = choice.as_json(choice.choose(self.scored, score))
            sweep.write_winner(named, self.params.sweep, self.values, self.root)
        grid = {name: sorted(set(self.scored[name]), key=str) for name in ("lambda", "learning_rate")}
        values = self.values | {"sweep": self.values["sweep"] | grid}
        record = track.sweep_record(values, self.training_rows, self.root, "multirun", interrupted)
        tracking.log([record], self.params.tracking)

    def score(self, member: Member) -> float:
        """The mean over folds, for Optuna; of a diverged member the worst there is."""
        score = self.params.sweep.score
        row = self.scored[(self.scored["lambda"] == member.l2) & (self.scored["learning_rate"] == member.learning_rate)]
        value = float(row[score].iloc[0])
        worst = float("inf") if score in choice.LOSSES else -float("inf")
        return worst if math.isnan(value) else value


def run(batch: list[tuple[dict[str, Any], Params]], folder: Path, studies: dict[str, Study]) -> list[float]:
    """Train a batch of jobs (values, and the same validated), together where they can be; `studies` is added to."""
    keys = [_shared(values) for values, _ in batch]
    members = [Member(params.train.l2, params.train.learning_rate) for _, params in batch]
    for key, (values, params) in zip(keys, batch, strict=True):
        if key not in studies:
            studies[key] = Study(values, params, folder / f"{len(studies)}-{params.data.title}")
    for key in dict.fromkeys(keys):
        studies[key].train([member for other, member in zip(keys, members, strict=True) if other == key])
    return [studies[key].score(member) for key, member in zip(keys, members, strict=True)]


def _shared(values: dict[str, Any]) -> str:
    """What members that are trained together have in common."""
    shared = {section: values[section] for section in ("data", "split", "train", "sweep")}
    for section in ("train", "sweep"):
        shared[section] = {k: v for k, v in shared[section].items() if k not in ("lambda", "learning_rate")}
    return json.dumps(shared)


def validated(composed: DictConfig) -> tuple[dict[str, Any], Params]:
    values = {key: value for key, value in OmegaConf.to_container(composed).items() if key != "hydra"}
    overrides = " ".join(composed.hydra.overrides.task) or "conf/"
    return values, config.validate(values, source=overrides)


STUDIES: dict[str, Study] = {}  # of this process: an optimising sweeper comes back with batch after batch


@hydra.main(config_path=str(CONF.absolute()), config_name="multirun", version_base=None)
def main(jobs: Sequence[DictConfig]) -> list[float]:
    try:
        bound = validated(jobs[0])[1].sweep.max_members
        if len(jobs) > bound:
            raise UserError(
                f"{len(jobs)} members are more than sweep.max_members = {bound}. Thin the grid or raise it."
            )
        return run([validated(job) for job in jobs], Path(jobs[0].hydra.sweep.dir), STUDIES)
    except UserError as error:
        sys.exit(f"\nerror: {error}")


if __name__ == "__main__":
    stages.run(main)

"""Run every combination as a full DVC experiment, code and data included: `python -m pipeline queue train.lambda=0,1`.

DVC's queue runs in the background and reports its failures only in its own status. This command queues the experiments,
runs them, waits, prints the results, and ends with exit status 1 if one failed. Ctrl-C removes the unfinished ones.
"""

import re
import subprocess

import pandas as pd
from dvc.api import exp_show

from pipeline.errors import UserError

WORKERS = 2
SHOWN = ("accuracy", "log_loss")  # scores in the table
GROUPS = {"data": "data.name", "split": "split.method", "optimizer": "train.optimizer"}  # and the key that names each


def main(overrides: list[str]) -> None:
    before = set(statuses())
    dvc("exp", "run", "--queue", *(part for text in overrides for part in ("-S", text)))
    names = [name for name in statuses() if name not in before]
    print(f"{len(names)} experiments queued: {', '.join(names)}", flush=True)
    try:
        subprocess.run(["dvc", "exp", "run", "--run-all", "--jobs", str(WORKERS)], check=False)
    except KeyboardInterrupt:
        withdraw(names)
        raise
    print("\n" + table(names, [text.split("=")[0].lstrip("+~") for text in overrides]).to_string())
    ended = statuses()
    if failed := [name for name in names if ended.get(name) != "Success"]:
        reasons = "\n".join(f"  {name}: {reason(name)}" for name in failed)
        hint = "\nThe copies hold what git or DVC tracks: `git add` or `dvc add` the table." * ("exist" in reasons)
        raise UserError(
            f"{len(failed)} of {len(names)} experiments failed (dvc queue logs NAME shows more):\n{reasons}{hint}"
        )


def dvc(*arguments: str) -> str:
    done = subprocess.run(["dvc", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"dvc {' '.join(arguments)}\n{done.stderr.strip()}")
    return done.stdout


def statuses() -> dict[str, str]:
    """Queued, Running, Failed or Success for each experiment that the queue knows, by name."""
    found = re.findall(r"^\w{7} +(\S+) .* (Queued|Running|Failed|Success) *$", dvc("queue", "status"), re.MULTILINE)
    return dict(reversed(found))  # DVC lists the newest first


def withdraw(names: list[str]) -> None:
    """Remove from the queue what has not started, and stop what is running."""
    now = statuses()
    for status, command in (("Queued", "remove"), ("Running", "kill")):
        if chosen := [name for name in names if now.get(name) == status]:
            dvc("queue", command, *chosen)


def table(names: list[str], keys: list[str]) -> pd.DataFrame:
    """One row per experiment: how it ended, the values that were swept, the scores on the test rows."""
    shown = pd.DataFrame(exp_show())
    shown = shown[shown["Experiment"].isin(names)].set_index("Experiment").loc[names]
    scores = {score: f"outputs/evaluate.json:test.{score}" for score in SHOWN}
    columns = {"State": "State", **{key: GROUPS.get(key, key) for key in keys}, **scores}
    kept = pd.DataFrame({name: shown[column] for name, column in columns.items() if column in shown})
    # The copy of one that failed still has the scores of the commit that it started from.
    kept.loc[kept["State"] == "Failed", [score for score in SHOWN if score in kept]] = float("nan")
    return kept


def reason(name: str) -> str:
    """The error that ended an experiment, from its log."""
    lines = [line for line in dvc("queue", "logs", name).splitlines() if line.strip()]
    return next((line for line in lines if line.startswith("error:")), lines[-1] if lines else "no log")

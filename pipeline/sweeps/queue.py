"""Every combination as a full DVC experiment, code and data included: `python -m pipeline.queue train.lambda=0,0.1`.

DVC's queue runs in the background and keeps its failures to itself. This queues, runs, waits, prints the results, and
ends with exit status 1 if a member failed. Ctrl-C takes what is not finished out of the queue.
"""

import subprocess
import sys
import time
from collections.abc import Iterator

import pandas as pd
from dvc.api import exp_show
from dvc.repo import Repo

from pipeline.errors import UserError
from pipeline.stages import run
from pipeline.stages.configure import GROUPS

WORKERS = 2
SHOWN = ("accuracy", "log_loss")  # scores in the table


def dvc(*arguments: str) -> str:
    done = subprocess.run(["dvc", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"dvc {' '.join(arguments)}\n{done.stderr.strip()}")
    return done.stdout


def statuses(repo: Repo) -> dict[str, str]:
    """Queued, Running, Failed or Success for each experiment that the queue knows, by name."""
    return {task["name"]: task["status"] for task in repo.experiments.celery_queue.status()}


def finished(repo: Repo, names: list[str]) -> Iterator[tuple[str, str]]:
    """Name and status of each experiment as it ends."""
    waiting = set(names)
    while waiting:
        # A worker that an earlier queue has left idle may be going away just now.
        repo.experiments.celery_queue.start_workers(min(WORKERS, len(waiting)))
        for _ in range(10):
            time.sleep(1)
            ended = {name: status for name, status in statuses(repo).items() if status in ("Failed", "Success")}
            yield from ((name, ended[name]) for name in sorted(waiting & set(ended)))
            waiting -= set(ended)
            if not waiting:
                break


def withdraw(repo: Repo, names: list[str]) -> None:
    """Take what is queued out of the queue, and stop what is running."""
    now = statuses(repo)
    for status, command in (("Queued", "remove"), ("Running", "kill")):
        if chosen := [name for name in names if now.get(name) == status]:
            dvc("queue", command, *chosen)


def table(names: list[str], keys: list[str]) -> pd.DataFrame:
    """A row an experiment: how it ended, the values that were swept, the scores on the test rows."""
    shown = pd.DataFrame(exp_show())
    shown = shown[shown["Experiment"].isin(names)].set_index("Experiment").loc[names]
    scores = {score: f"outputs/evaluate/metrics.json:test.{score}" for score in SHOWN}
    columns = {"State": "State", **{key: GROUPS.get(key, key) for key in keys}, **scores}
    kept = pd.DataFrame({name: shown[column] for name, column in columns.items() if column in shown})
    # In the copy of one that failed, the scores of the commit that it started from are still there.
    kept.loc[kept["State"] == "Failed", [score for score in SHOWN if score in kept]] = float("nan")
    return kept


def reason(name: str) -> str:
    """The error that ended an experiment, from its log."""
    lines = [line for line in dvc("queue", "logs", name).splitlines() if line.strip()]
    return next((line for line in lines if line.startswith("error:")), lines[-1] if lines else "no log")


def main() -> None:
    overrides = sys.argv[1:]
    if not overrides:
        raise UserError("nothing to sweep. Say what: make sweep GRID='train.lambda=0,0.01 train.learning_rate=0.1,1'")
    repo = Repo()
    before = set(statuses(repo))
    dvc("exp", "run", "--queue", *(part for text in overrides for part in ("-S", text)))
    names = [name for name in statuses(repo) if name not in before]
    print(f"{len(names)} experiments queued: {', '.join(names)}")
    failed = []
    try:
        for done, (name, status) in enumerate(finished(repo, names), start=1):
            print(f"{done} of {len(names)}: {name} {'failed' if status == 'Failed' else 'finished'}", flush=True)
            failed += [name] if status == "Failed" else []
    except KeyboardInterrupt:
        withdraw(repo, names)
        sys.exit(130)
    print("\n" + table(names, [text.split("=")[0].lstrip("+~") for text in overrides]).to_string())
    if failed:
        reasons = "\n".join(f"  {name}: {reason(name)}" for name in failed)
        hint = "\nThe copies hold what git or DVC tracks: `git add` or `dvc add` the table." * ("exist" in reasons)
        raise UserError(
            f"{len(failed)} of {len(names)} experiments failed (dvc queue logs NAME shows more):\n{reasons}{hint}"
        )


if __name__ == "__main__":
    run(main)

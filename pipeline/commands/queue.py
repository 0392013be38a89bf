"""Run every combination as a full DVC experiment, code and data included: `python -m pipeline queue train.lambda=0,1`.

DVC's queue runs in the background and reports its failures only in its own status. This command queues the experiments,
runs them, waits, prints the results, and ends with exit status 1 if one failed. Ctrl-C removes the unfinished ones.
"""

import argparse
import re
import subprocess
from itertools import takewhile

import pandas as pd

from pipeline.config.composition import check_groups
from pipeline.errors import UserError
from pipeline.tracking import experiments

WORKERS = 2
SHOWN = ("accuracy", "log_loss")  # scores in the table
GROUPS = {"data": "data.name", "split": "split.method", "optimizer": "train.optimizer"}  # and the key that names each


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("overrides", nargs="+", metavar="KEY=VALUE,...", help="values of settings to combine")


def main(overrides: list[str]) -> None:
    """Queue, run, wait and report. Errors: `UserError` where the experiments can't be queued, or one of them failed."""
    check_groups(overrides)
    queued = dvc("exp", "run", "--queue", *(part for text in overrides for part in ("-S", text)))
    names = re.findall(r"^Queued experiment '(.+)' for future execution", queued.stdout, re.MULTILINE)
    if queued.returncode:
        withdraw(names)
        raise UserError(f"the experiments can't be queued: {queued.stderr.strip()}")
    print(f"{len(names)} experiments queued: {', '.join(names)}", flush=True)
    try:
        subprocess.run(["dvc", "exp", "run", "--run-all", "--jobs", str(WORKERS)], check=False)
    except KeyboardInterrupt:
        withdraw(names)
        print(f"\ninterrupted: {len(set(names) & set(statuses()))} of {len(names)} experiments ended, and are kept")
        raise
    print("\n" + table(names, [text.split("=")[0].lstrip("+~") for text in overrides]).to_string())
    ended = statuses()
    if failed := [name for name in names if ended.get(name) != "Success"]:
        reasons = "\n".join(f"  {name}: {reason(name)}" for name in failed)
        raise UserError(
            f"{len(failed)} of {len(names)} experiments failed (dvc queue logs NAME shows more):\n{reasons}"
        )


def dvc(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of DVC, shielded from Ctrl-C on the terminal."""
    return subprocess.run(["dvc", *arguments], capture_output=True, text=True, check=False, start_new_session=True)


def statuses() -> dict[str, str]:
    """Queued, Running, Failed or Success for each experiment that the queue knows, by name."""
    listed = dvc("queue", "status").stdout
    states = re.findall(r"^\w{7} +(\S+) .* (Queued|Running|Failed|Success) *$", listed, re.MULTILINE)
    return dict(reversed(states))  # DVC lists the newest first


def withdraw(names: list[str]) -> None:
    """Remove those of `names` that have not ended; one that is running is stopped first."""
    stopped: set[str] = set()
    while True:
        now = {name: status for name, status in statuses().items() if name in names}
        queued, running = ([name for name in now if now[name] == status] for status in ("Queued", "Running"))
        if queued:  # one that starts meanwhile is stopped in the next round
            dvc("queue", "remove", *queued)
        if running:
            dvc("queue", "kill", *running)
            stopped |= set(running)
        if not queued + running:
            break
    if left := sorted(stopped & {name for name, status in now.items() if status == "Failed"}):
        dvc("queue", "remove", *left)


def table(names: list[str], keys: list[str]) -> pd.DataFrame:
    """One row per experiment: how it ended, the values that were swept, the scores on the test rows."""
    listed = experiments.listed().drop_duplicates("experiment").set_index("experiment").reindex(names)
    listed["state"] = listed["state"].replace("", "success")
    swept = {key: f"param {GROUPS.get(key, key)}" for key in keys}
    columns = {"state": "state", **swept, **{score: f"score {score}" for score in SHOWN}}
    return pd.DataFrame({name: listed[column] for name, column in columns.items() if column in listed})


def reason(name: str) -> str:
    """The error that ended an experiment, from its log, with what is indented below it."""
    lines = [line for line in dvc("queue", "logs", name).stdout.splitlines() if line.strip()]
    first = next((n for n, line in enumerate(lines) if line.startswith("error:")), len(lines) - 1)
    details = takewhile(lambda line: line.startswith(" "), lines[first + 1 :])
    return "\n  ".join([*lines[first : first + 1], *details]) or "no log"

"""The experiments of the commit as a table: the parameters that differ, a few scores on the test rows, the best first.

`dvc exp show` has a column for every parameter and metric; this fits on a terminal. The order is that of
`sweep.score` in params.yaml, within each data set, since scores of different data can't be compared. A line at the end
names the parameters for which there was no room.
"""

import json
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import config
from pipeline.errors import UserError
from pipeline.scores.scores import LOSSES

WIDTH = 100  # characters of a line
CELL = 24  # of a value
SCORES = ("log_loss", "accuracy", "roc_auc", "cost", "threshold")  # the last two where there is a decision
METRICS = "outputs/evaluate.json"
IN_DATA = ("data.name", "data.path")  # the parameters that the column `data` shows


def listed() -> pd.DataFrame:
    """One row per experiment, commit and the workspace: its name, its parameters and its scores on the test rows.

    Errors: `UserError` where DVC can't list them.
    """
    listing = subprocess.run(["dvc", "exp", "show", "--json"], capture_output=True, text=True, check=False)
    if listing.returncode:
        raise UserError(f"the experiments can't be listed: {listing.stderr.strip()}")
    rows = []
    for commit in json.loads(listing.stdout):
        rows.append(_row(commit, commit["name"] or commit["rev"][:9], ""))
        for experiment in commit["experiments"] or []:
            state = (experiment["executor"] or {}).get("state", "")
            latest = experiment["revs"][0]
            rows.append(_row(latest, experiment["name"] or latest["rev"][:7], state))
    return pd.DataFrame(rows)


def _row(revision: dict[str, Any], name: str, state: str) -> dict[str, Any]:
    files = revision["data"] or {}
    params = (files.get("params") or {}).get(str(config.PARAMS), {}).get("data", {})
    metrics = (files.get("metrics") or {}).get(METRICS, {}).get("data", {})
    scores, chosen = metrics.get("test", {}), metrics.get("chosen", {})
    data = params.get("data", {})
    row = {"experiment": name, "state": state.replace("success", "")}
    row["data"] = Path(data["path"]).name if "path" in data else data.get("name", "")
    row |= {f"param {key}": _text(value) for key, value in config.flatten(params).items() if key not in IN_DATA}
    if row["state"]:  # a queued or failed experiment has the scores of the commit that it started from
        return row
    settled = {f"param train.{key}": _text(value) for key, value in chosen.items()}
    row |= {key: value for key, value in settled.items() if row.get(key) == "auto"}
    return row | {f"score {key}": value for key, value in scores.items()}


def table(experiments: pd.DataFrame, score: str, width: int = WIDTH) -> str:
    """The parameters that differ, and the scores, as text of at most `width` characters a line; the best first.

    A parameter differs where the rows that have it have different values.
    """
    differs = {str(name): len(column.dropna().unique()) > 1 for name, column in experiments.items()}
    differing = [name for name in differs if name.startswith("param ") and differs[name]]
    scores = [name for name in (f"score {each}" for each in dict.fromkeys([score, *SCORES])) if name in experiments]
    order = ["data", *(name for name in scores if name == f"score {score}")]
    ranked = experiments.sort_values(order, ascending=[True, score in LOSSES][: len(order)], kind="stable")
    first = ["experiment", *(name for name in ("state", "data") if differs[name])]
    texts = {name: ranked[name].map("{:.4f}".format, na_action="ignore") for name in scores}
    names = {name: name.split(" ")[-1].removeprefix("train.") for name in differs}
    cells = ranked.assign(**texts).fillna("")
    for n in range(len(differing), -1, -1):
        text = cells[[*first, *differing[:n], *scores]].rename(columns=names).to_string(index=False)
        if len(text.splitlines()[0]) <= width:
            break
    note = f"Without room: {', '.join(names[name] for name in differing[n:])} (dvc exp show has all)."
    return text if n == len(differing) else f"{text}\n{textwrap.fill(note, width)}"


def _text(value: Any) -> str:
    text = "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= CELL else f"{text[: CELL - 3]}..."

"""Everything above into MLflow: a run for the model, a run for the one-vs-rest extension, logged from their files.

The one output is a receipt with the digests of the results that the store now holds. It is not cached and not in git,
so this stage runs wherever the receipt is missing (a fresh clone, an experiment's copy) and not otherwise.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import config, tables, tracking
from pipeline.stages import OUTPUTS, evaluate, run, split, train
from pipeline.stages.one_vs_rest import ROOT

RECEIPT = OUTPUTS / "track" / "receipt.json"
FOLDERS = [OUTPUTS / stage for stage in ("load", "explore", "split", "train", "evaluate")]


def files(folders: list[Path]) -> list[Path]:
    """Every file that the stages wrote in `folders`; DVC's own .gitignore files are not theirs."""
    found = (file for folder in folders for file in folder.rglob("*") if file.is_file())
    return sorted(file for file in found if file.name != ".gitignore")


def digest(params: dict[str, Any], folders: list[Path]) -> str:
    """SHA-256 of the parameters and of every file in `folders`, by name: what makes a result the same result."""
    total = hashlib.sha256(json.dumps(params, sort_keys=True).encode())
    for file in files(folders):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        total.update(f"\n{content}  {file.as_posix()}".encode())
    return total.hexdigest()


def record(params: dict[str, Any], data: config.Data, root: Path, folders: list[Path]) -> tracking.Record:
    """One run: the parameters that made it, and the files of a split, a training and an evaluation below `root`."""
    scored = json.loads((root / evaluate.METRICS).read_text())
    columns = json.loads((root / train.SUMMARY).read_text())
    fit = params["train"]
    metrics = {f"{part}/{key}": value for part, values in scored.items() for key, value in values.items()}
    metrics |= {
        f"train/{key}/{label}": column[key] for label, column in columns.items() for key in ("iterations", "last_cost")
    }
    return tracking.Record(
        experiment=data.title,
        name=f"{fit['optimizer']}, lambda {fit['lambda']:g}, learning rate {fit['learning_rate']}",
        stage="evaluate" if root == OUTPUTS else "one_vs_rest",
        description=describe(data.title, scored, columns),
        digest=digest(params, folders),
        params=config.flatten(params),
        metrics=metrics,
        costs=pd.read_csv(root / train.COSTS),
        training=tables.load(root / split.TRAIN),
        test=tables.load(root / split.TEST),
        source=data.source,
        model=root / train.MODEL,
        artifacts={file: str(file.parent.relative_to(OUTPUTS)) for file in files(folders) if file.suffix != ".parquet"},
    )


def describe(name: str, scored: dict[str, dict[str, float]], columns: dict[str, dict[str, Any]]) -> str:
    """A few lines of Markdown for a person who opens the run."""
    scores = [f"| {key} | {scored['baseline'][key]:.4f} | {value:.4f} |" for key, value in scored["test"].items()]
    stops = [f"- {label}: {column['iterations']} iterations; {column['stopped']}" for label, column in columns.items()]
    return "\n".join(
        [
            f"Logistic regression on **{name}**, trained from random weights.",
            "",
            "| on the test rows | random weights | trained |",
            "|---|---|---|",
            *scores,
            "",
            *stops,
        ]
    )


def main() -> None:
    params = config.load()
    single = {key: params[key] for key in ("data", "explore", "split", "train")}
    records = [
        record(single, config.read("data"), OUTPUTS, FOLDERS),
        record(params["one_vs_rest"], config.read("one_vs_rest").data, ROOT, [ROOT]),
    ]
    tracking.log(records, config.read("tracking"))
    RECEIPT.parent.mkdir(parents=True, exist_ok=True)
    RECEIPT.write_text(json.dumps([record.digest for record in records], indent=2) + "\n")


if __name__ == "__main__":
    run(main)

"""Everything above into MLflow: a run for the model, one for the one-vs-rest extension, one for the sweep, from files.

The one output is a receipt with the digests of the results that the store now holds. It is not cached and not in git,
so this stage runs wherever the receipt is missing (a fresh clone, an experiment's copy) and not otherwise.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import choice, config, outputs, tables, tracking
from pipeline.stages import run
from pipeline.reading.options import CellFormat

FOLDERS = [outputs.ROOT / stage for stage in ("load", "explore", "split", "train", "evaluate")]


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
    scored = json.loads((root / outputs.METRICS).read_text())
    columns = json.loads((root / outputs.TRAINING_SUMMARY).read_text())
    fit = params["train"]
    metrics = {f"{part}/{key}": value for part, values in scored.items() for key, value in values.items()}
    metrics |= {
        f"train/{key}/{label}": column[key]
        for label, column in columns.items()
        for key in ("iterations", "last_cost", "deviance", "mcfadden_r2", "aic")
        if column[key] is not None
    }
    return tracking.Record(
        experiment=data.title,
        name=f"{fit['optimizer']}, lambda {fit['lambda']:g}, learning rate {fit['learning_rate']}",
        stage="evaluate" if root == outputs.ROOT else "one_vs_rest",
        description=describe(data.title, scored, columns, told(root)),
        digest=digest(params, folders),
        params=flat(params),
        metrics=metrics,
        costs=pd.read_csv(root / outputs.COSTS),
        training=tables.load(root / outputs.TRAINING_ROWS),
        test=tables.load(root / outputs.TEST_ROWS),
        source=data.source,
        model=root / outputs.MODEL,
        cells=json.loads((root / outputs.CELLS).read_text()) if root == outputs.ROOT else asdict(CellFormat()),
        artifacts={
            file: str(file.parent.relative_to(outputs.ROOT)) for file in files(folders) if file.suffix != ".parquet"
        },
    )


def flat(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters by dotted key. What is said of a person's columns, whose names no key may hold, is one value."""
    data = {key: json.dumps(value) if isinstance(value, dict) else value for key, value in params["data"].items()}
    return config.flatten(params | {"data": data})


def told(root: Path) -> list[str]:
    """What `load`, `split` and `sweep` warned of. One-vs-rest loads for itself, keeps no profile, and has no sweep."""
    files = (root / outputs.PROFILE, root / outputs.SPLIT_SUMMARY, root / outputs.SWEEP.name / outputs.WINNER)
    found = [file for file in files if file.exists()]
    return [line for file in found for line in json.loads(file.read_text())["warnings"]]


def describe(
    name: str, scored: dict[str, dict[str, float]], columns: dict[str, dict[str, Any]], warned: list[str]
) -> str:
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
            *(f"- **warning:** {line}" for line in warned),
        ]
    )


def sweep_record(
    params: dict[str, Any], training_rows: pd.DataFrame, root: Path, stage: str, interrupted: bool = False
) -> tracking.Sweep:
    """A sweep's run and its members', from the files below `root`; `stage` is a name for what made them."""
    settings = {key: value for key, value in params["train"].items() if key not in ("lambda", "learning_rate")}
    folds = {key: params["sweep"][key] for key in ("folds", "seed", "score")}
    common = flat({"data": params["data"], "split": params["split"], "train": settings, "sweep": folds})
    study = _sha256(stage, common, list(training_rows), pd.util.hash_pandas_object(training_rows, index=False).tolist())
    scored = pd.read_csv(root / outputs.MEMBERS, dtype={"learning_rate": str})
    curves = dict(list(pd.read_parquet(root / outputs.CURVES).groupby(["lambda", "learning_rate"])))
    winner = json.loads((root / outputs.WINNER).read_text()) if (root / outputs.WINNER).exists() else {}
    chosen = {name: winner[name] for name in choice.Choice._fields if winner}
    adopt = (root / outputs.ADOPT).read_text().strip() if winner else ""
    shown = files([root])
    return tracking.Sweep(
        experiment=config.section_of(params, "data", "params.yaml").title,
        name=f"{stage}, {settings['optimizer']}",
        stage=stage,
        description=describe_sweep(scored, folds["score"], winner, adopt),
        study=study,
        digest=_sha256(study, [(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in shown]),
        params={key: str(value) for key, value in common.items()},
        tags={f"sweep.{key}": json.dumps(params["sweep"][key]) for key in ("lambda", "learning_rate", "refit")}
        | {name: choice.describe(row, winner["score"]) for name, row in chosen.items()},
        metrics={"members": len(scored), "diverged": int(scored[folds["score"]].isna().sum())}
        | {f"{name}/{key}": row[key] for name, row in chosen.items() for key in ("lambda", winner["score"])}
        | {f"test/{key}": value for key, value in winner.get("test", {}).items()},
        members=[_member(row, curves, study, common) for row in scored.to_dict("records")],
        artifacts={file: str("sweep" / file.parent.relative_to(root)) for file in shown},
        interrupted=interrupted,
    )


def _member(row: dict[str, Any], curves: dict[tuple, pd.DataFrame], study: str, common: dict) -> tracking.Member:
    penalty, rate, iterations, status = (row[key] for key in ("lambda", "learning_rate", "iterations", "status"))
    chosen = {"train.lambda": str(penalty), "train.learning_rate": rate}
    scored = {
        key: value for key, value in row.items() if key not in ("lambda", "learning_rate", "iterations", "status")
    }
    failure = f"with learning rate {rate} and lambda {penalty:g} the cost rose without bound by iteration {iterations}"
    return tracking.Member(
        name=f"lambda {penalty:g}, learning rate {rate}",
        digest=_sha256(study, chosen),
        params={key: str(value) for key, value in (common | chosen).items()},
        metrics={"iterations": iterations} | {f"validation/{key}": value for key, value in scored.items()},
        costs=curves[penalty, rate],
        status=status,
        failure=failure if np.isnan(scored[common["sweep.score"]]) else None,
    )


def describe_sweep(scored: pd.DataFrame, score: str, winner: dict[str, Any], adopt: str) -> str:
    """A few lines of Markdown: what was tried, and the five best."""
    if not winner:
        return f"{len(scored)} members were finished, and there is no winner: interrupted, or all diverged."
    table = [
        f"| {row['lambda']:g} | {row['learning_rate']} | {row[score]:.5f} | {row[f'{score}_standard_error']:.5f} |"
        for _, row in choice.ranked(scored, score).head(5).iterrows()
    ]
    return "\n".join(
        [
            f"{len(scored)} members, cross-validated on the training rows.",
            "",
            f"| lambda | learning rate | {score.replace('_', ' ')} | standard error |",
            "|---|---|---|---|",
            *table,
            "",
            *(f"- {name.replace('_', ' ')}: {choice.describe(winner[name], score)}" for name in choice.Choice._fields),
            f"- to adopt: `{adopt}`",
        ]
    )


def _sha256(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def main() -> None:
    params = config.load()
    single = {key: params[key] for key in ("data", "explore", "split", "train")}
    records = [
        record(single, config.read("data"), outputs.ROOT, FOLDERS),
        record(params["one_vs_rest"], config.read("one_vs_rest").data, outputs.ONE_VS_REST, [outputs.ONE_VS_REST]),
    ]
    training_rows = tables.load(outputs.ROOT / outputs.TRAINING_ROWS)
    if "best" in json.loads((outputs.SWEEP / outputs.WINNER).read_text()):
        records.append(sweep_record(params, training_rows, outputs.SWEEP, "sweep"))
    tracking.log(records, config.read("tracking"))
    outputs.RECEIPT.parent.mkdir(parents=True, exist_ok=True)
    outputs.RECEIPT.write_text(json.dumps([record.digest for record in records], indent=2) + "\n")


if __name__ == "__main__":
    run(main)

"""What is logged: the files that stages wrote, read back as records of runs.

A record has a digest of everything it holds: parameters, files, and the code and requirements that are shipped with the
model. A result whose digest the store has already is not logged again.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import config, outputs
from pipeline.outputs import Result
from pipeline.sweeps import choice
from pipeline.tracking import shipping
from pipeline.tracking.runs import Record
from pipeline.tracking.sweeps import Child, Sweep

FOLDERS = ("load", "explore", "split", "train", "evaluate")  # of the main result


def main_record(params: dict[str, Any], root: Path = outputs.ROOT) -> Record:
    """The run of the pipeline's own model, from all sections of params.yaml but those that have runs of their own."""
    own = {key: value for key, value in params.items() if key not in ("sweep", "one_vs_rest", "tracking")}
    found = files([root / name for name in FOLDERS])
    warned = [root / outputs.PROFILE, root / outputs.SPLIT_SUMMARY, root / outputs.WINNER]
    return record(own, outputs.main_result(root), found, [*found, outputs.main_result(root).metrics], warned)


def one_vs_rest_record(params: dict[str, Any], root: Path = outputs.ROOT) -> Record:
    """The run of the one-vs-rest extension."""
    result = outputs.one_vs_rest(root)
    found = files([result.folder])
    warned = [result.folder / outputs.SPLIT_SUMMARY]
    return record(params["one_vs_rest"], result, found, [*found, result.metrics], warned)


def files(folders: list[Path]) -> list[Path]:
    """Every file that stages wrote in `folders`."""
    return sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())


def digest(*parts: Any) -> str:
    """SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def contents(found: list[Path], root: Path) -> dict[str, str]:
    """The digest of each file, by its name below `root`."""
    return {file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in found}


def record(
    params: dict[str, Any], result: Result, shown: list[Path], digested: list[Path], warned: list[Path]
) -> Record:
    """One run: the parameters that made it, and the files of a split, a training and an evaluation.

    shown     the files that become artifacts of the run
    digested  the files that make this result another one when they change
    warned    JSON files with a list of warnings
    """
    data, folder = config.section_of(params, "data", "params.yaml"), result.folder
    scored = outputs.load_json(result.metrics)
    columns = outputs.load_json(folder / outputs.TRAINING_SUMMARY)
    fit = params["train"]
    metrics = {f"{part}/{key}": value for part, values in scored.items() for key, value in values.items()}
    metrics |= {
        f"train/{key}/{label}": column[key]
        for label, column in columns.items()
        for key in ("iterations", "last_cost", "deviance", "mcfadden_r2", "aic")
        if column[key] is not None
    }
    warnings = [line for file in warned if file.exists() for line in outputs.load_json(file)["warnings"]]
    return Record(
        experiment=data.title,
        name=f"{fit['optimizer']}, lambda {fit['lambda']:g}, learning rate {fit['learning_rate']}",
        stage="evaluate" if folder == outputs.ROOT else "one_vs_rest",
        description=describe(data.title, scored, columns, warnings),
        digest=digest(params, contents(digested, outputs.ROOT), shipping.fingerprint()),
        params=flat(params),
        metrics=metrics,
        costs=pd.read_csv(folder / outputs.COSTS),
        training=outputs.load_table(folder / outputs.TRAINING_ROWS),
        test=outputs.load_table(folder / outputs.TEST_ROWS),
        source=data.source,
        model=folder / outputs.MODEL,
        artifacts={file: str(file.parent.relative_to(outputs.ROOT)) for file in shown if file.suffix != ".parquet"},
    )


def flat(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters by dotted key. Settings by column are one value each: no key may hold every column's name."""
    data = {key: json.dumps(value) if isinstance(value, dict) else value for key, value in params["data"].items()}
    return config.flatten(params | {"data": data})


def describe(
    name: str, scored: dict[str, dict[str, float]], columns: dict[str, dict[str, Any]], warnings: list[str]
) -> str:
    """A few lines of Markdown for whoever opens the run."""
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
            *(f"- **warning:** {line}" for line in warnings),
        ]
    )


def sweep_record(
    params: dict[str, Any], training_rows: pd.DataFrame, root: Path, stage: str, interrupted: bool = False
) -> Sweep | None:
    """The run of a sweep and those of its combinations, from the files below `root`; None where there was no sweep.

    `stage` is a name for what made them.
    """
    folder = root / outputs.SWEEP
    if not (folder / outputs.COMBINATIONS).exists():
        return None
    settings = {key: value for key, value in params["train"].items() if key not in ("lambda", "learning_rate")}
    folds = {key: params["sweep"][key] for key in ("folds", "seed", "score")}
    common = flat({"data": params["data"], "split": params["split"], "train": settings, "sweep": folds})
    study = digest(stage, common, list(training_rows), pd.util.hash_pandas_object(training_rows, index=False).tolist())
    scored = pd.read_csv(folder / outputs.COMBINATIONS, dtype={"learning_rate": str})
    curves = dict(list(pd.read_parquet(folder / outputs.CURVES).groupby(["lambda", "learning_rate"])))
    winner = outputs.load_json(root / outputs.WINNER) if (root / outputs.WINNER).exists() else {}
    chosen = {name: winner[name] for name in choice.Choice._fields if name in winner}
    adopt = (folder / outputs.ADOPT).read_text(encoding="utf-8").strip() if chosen else ""
    shown = files([folder])
    return Sweep(
        experiment=config.section_of(params, "data", "params.yaml").title,
        name=f"{stage}, {settings['optimizer']}",
        stage=stage,
        description=describe_sweep(scored, folds["score"], chosen, adopt, winner.get("warnings", [])),
        study=study,
        digest=digest(study, contents(shown, root), winner),
        params={key: str(value) for key, value in common.items()},
        tags={f"sweep.{key}": json.dumps(params["sweep"][key]) for key in ("lambda", "learning_rate", "refit")}
        | {name: choice.describe(row, winner["score"]) for name, row in chosen.items()},
        metrics={"combinations": len(scored), "diverged": int(scored[folds["score"]].isna().sum())}
        | {f"{name}/{key}": row[key] for name, row in chosen.items() for key in ("lambda", winner["score"])}
        | {f"test/{key}": value for key, value in winner.get("test", {}).items()},
        children=[_child(row, curves, study, common) for row in scored.to_dict("records")],
        artifacts={file: str(file.parent.relative_to(root)) for file in shown},
        interrupted=interrupted,
    )


def _child(row: dict[str, Any], curves: dict[tuple, pd.DataFrame], study: str, common: dict[str, Any]) -> Child:
    penalty, rate, iterations, status = (row[key] for key in ("lambda", "learning_rate", "iterations", "status"))
    chosen = {"train.lambda": str(penalty), "train.learning_rate": rate}
    scored = {
        key: value for key, value in row.items() if key not in ("lambda", "learning_rate", "iterations", "status")
    }
    failure = f"with learning rate {rate} and lambda {penalty:g} the cost rose without bound by iteration {iterations}"
    return Child(
        name=f"lambda {penalty:g}, learning rate {rate}",
        digest=digest(study, chosen),
        params={key: str(value) for key, value in (common | chosen).items()},
        metrics={"iterations": iterations} | {f"validation/{key}": value for key, value in scored.items()},
        costs=curves[penalty, rate],
        status=status,
        failure=failure if np.isnan(scored[common["sweep.score"]]) else None,
    )


def describe_sweep(scored: pd.DataFrame, score: str, chosen: dict[str, Any], adopt: str, warnings: list[str]) -> str:
    """A few lines of Markdown: what was tried, and the five best."""
    warned = [f"- **warning:** {line}" for line in warnings]
    if not chosen:
        return "\n".join([f"{len(scored)} combinations were finished, and there is no winner.", "", *warned])
    table = [
        f"| {row['lambda']:g} | {row['learning_rate']} | {row[score]:.5f} | {row[f'{score}_standard_error']:.5f} |"
        for _, row in choice.ranked(scored, score).head(5).iterrows()
    ]
    return "\n".join(
        [
            f"{len(scored)} combinations, cross-validated on the training rows.",
            "",
            f"| lambda | learning rate | {score.replace('_', ' ')} | standard error |",
            "|---|---|---|---|",
            *table,
            "",
            *(f"- {name.replace('_', ' ')}: {choice.describe(row, score)}" for name, row in chosen.items()),
            f"- to adopt: `{adopt}`",
            *warned,
        ]
    )

"""What is logged: the files that stages wrote, read back as records of runs.

A record has a digest of everything it holds: parameters, files, warnings, and the code and requirements that are
shipped with the model. A result whose digest the store has already is not logged again.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import config
from pipeline.config import inputs
from pipeline.files import formats, paths, stored
from pipeline.files.paths import Result
from pipeline.tracking import runs, shipping
from pipeline.tracking.runs import Record
from pipeline.tracking.sweeps import Child, Sweep
from pipeline.training import choice

FOLDERS = ("load", "explore", "split", "train", "evaluate", "report")  # of the main result
ELSEWHERE = ("sweep", "one_vs_rest", "tracking", "compute")  # sections that do not decide the main result
FITTED = ("iterations", "last_cost", "deviance", "mcfadden_r2", "aic")  # metrics of each column of weights
LATER = (paths.TRAINING_WARNINGS, paths.EVALUATION_WARNINGS)
CHOSEN = ("lambda", "learning_rate")
COMPARED = {"baseline": "random weights", "prior": "class shares", "test": "trained", "black_box": "black box"}


def main_record(params: dict[str, Any]) -> Record:
    """The run of the pipeline's own model, with the warnings of a sweep that has no run of its own."""
    inputs.check_results()
    own = {section: values for section, values in params.items() if section not in ELSEWHERE}
    warned = [paths.ROOT / file for file in (paths.PROFILE, paths.SPLIT_SUMMARY, *LATER)]
    if not (paths.ROOT / paths.SWEEP / paths.COMBINATIONS).exists():
        warned.append(paths.ROOT / paths.WINNER)
    return _record("evaluate", own, paths.main_result(), [paths.ROOT / name for name in FOLDERS], warned)


def one_vs_rest_record(params: dict[str, Any]) -> Record | None:
    """The run of the one-vs-rest extension; None where it has no data."""
    if "data" not in params["one_vs_rest"]:
        return None
    result = paths.one_vs_rest()
    warned = [result.folder / file for file in (paths.SPLIT_SUMMARY, paths.EVALUATION_WARNINGS)]
    return _record("one_vs_rest", params["one_vs_rest"], result, [result.folder], warned)


def sweep_record(
    params: dict[str, Any], training_rows: stored.Table, root: Path, stage: str, interrupted: bool = False
) -> Sweep | None:
    """The run of a sweep and those of its combinations, from the files below `root`; None where there was no sweep.

    `stage` is a name for what made them.
    """
    if not (root / paths.SWEEP / paths.COMBINATIONS).exists():
        return None
    train, sweep = params["train"], params["sweep"]
    common = _by_dotted_key(
        {
            "data": params["data"],
            "split": params["split"],
            "train": {key: value for key, value in train.items() if key not in CHOSEN},
            "sweep": {key: sweep[key] for key in ("folds", "seed", "score")},
        }
    )
    study = _digest(
        stage,
        common,
        list(training_rows.columns),
        hashlib.sha256(stored.row_hashes(training_rows).tobytes()).hexdigest(),
    )
    children = _children(root / paths.SWEEP, study, common)
    sweep_files = _files([root / paths.SWEEP])
    winner = formats.load_json(root / paths.WINNER) if (root / paths.WINNER).exists() else {}
    chosen = {name: winner[name] for name in choice.Choice._fields if name in winner}
    score, model = sweep["score"], root / paths.SWEEP / paths.MODEL
    return Sweep(
        experiment=_data(params).title,
        name=_sweep_name(stage, chosen.get(sweep["refit"]), train["optimizer"]),
        stage=stage,
        description=_sweep_description(root, score, chosen, winner.get("warnings", [])),
        study=study,
        digest=_digest(study, _contents(sweep_files, root), winner, shipping.fingerprint()),
        params={key: str(value) for key, value in common.items()},
        tags={f"sweep.{key}": json.dumps(sweep[key]) for key in ("lambda", "learning_rate", "refit")}
        | {name: choice.describe(row, score) for name, row in chosen.items()},
        metrics={
            "sweep/combinations": len(children),
            "sweep/diverged": sum(child.failure is not None for child in children),
        }
        | {f"sweep/{name} {key}": row[key] for name, row in chosen.items() for key in ("lambda", score)},
        children=children,
        training=training_rows,
        source=_data(params).source,
        model=model if model.exists() else None,
        artifacts={file: file.parent.relative_to(root).as_posix() for file in sweep_files},
        interrupted=interrupted,
    )


def _record(stage: str, params: dict[str, Any], result: Result, folders: list[Path], warned: list[Path]) -> Record:
    """The run of one split, its training and its evaluation.

    params   the sections that decided the result
    folders  what the stages wrote: their files are shown, but for tables, and decide the digest
    warned   JSON files with a list of warnings, where there are
    """
    params = params | {"train": _settled(params["train"], result.folder / paths.CANDIDATES)}
    files, data = _files(folders), _data(params)
    scores = result.load_metrics()
    columns = formats.load_json(result.folder / paths.TRAINING_SUMMARY)
    decision = config.section_of(params, "decision", "params.yaml").sentence if "decision" in params else ""
    warnings = [line for file in warned if file.exists() for line in formats.load_json(file)["warnings"]]
    references = {"prior": "prior", "black_box": "black box", "baseline": "random weights"}
    score_groups = {"test/": scores["test"], "train/": scores["train"], "decision/": scores.get("decision", {})}
    score_groups |= {f"{runs.REFERENCE}{name}/": scores[part] for part, name in references.items() if part in scores}
    metrics = {f"{part}{key}": value for part, values in score_groups.items() for key, value in values.items()}
    metrics |= {
        f"train/{key}/{label}": column[key]
        for label, column in columns.items()
        for key in FITTED
        if column[key] is not None
    }
    return Record(
        experiment=data.title,
        name=_name(params),
        stage=stage,
        description=_description(data.title, scores, columns, warnings, decision),
        digest=_digest(params, _contents([*files, result.metrics], paths.ROOT), warnings, shipping.fingerprint()),
        params=_by_dotted_key(params),
        metrics=metrics,
        costs=formats.load_csv(result.folder / paths.COSTS),
        training=stored.StoredTable(result.folder / paths.TRAINING_ROWS),
        test=stored.StoredTable(result.folder / paths.TEST_ROWS),
        source=data.source,
        model=result.folder / paths.MODEL,
        artifacts={file: file.parent.relative_to(paths.ROOT).as_posix() for file in files if file.suffix != ".parquet"},
    )


def _settled(train: dict[str, Any], candidates: Path) -> dict[str, Any]:
    """The section `train` with what was chosen in place of `auto`."""
    if not candidates.exists():
        return train
    table = formats.load_csv(candidates)
    chosen = table[table["chosen"]].iloc[0]
    settled: dict[str, Any] = {name: float(chosen[name]) for name in ("lambda", "pair_strength")}
    settled |= {name: str(chosen[name]) for name in ("features", "multiclass")}
    settled |= {name: chosen[name].item() for name in ("words_penalty", "word_pairs") if name in chosen}
    pairs = candidates.with_name(paths.SURFACES.name)
    if train["interactions"] == "auto":
        settled["interactions"] = formats.load_csv(pairs)["pair"].unique().tolist() if pairs.exists() else []
    return train | settled


def _name(params: dict[str, Any]) -> str:
    """What tells a run from others. MLflow's column has some twenty characters, and lambda, rate and optimizer columns
    of their own: what has none comes first, and what is not in use is left out.
    """
    fit, n_pairs = params["train"], len(params["train"]["interactions"])
    methods = {name: params.get(name, {}).get("method") for name in ("decision", "split")}
    parts = [
        *(method.replace("_", " ") for method in methods.values() if method not in (None, "none", "stratified")),
        fit["penalty"] * (fit["penalty"] != "ridge"),
        f"{n_pairs} pair{'s' * (n_pairs > 1)}" * bool(n_pairs),
        "curves" * (fit["features"] == "curves"),
        f"l1 {fit['l1_ratio']:g}" * bool(fit["l1_ratio"]),
        f"lambda {fit['lambda']:g}",
        *_fitted(fit["learning_rate"], fit["optimizer"]),
    ]
    return ", ".join(filter(None, parts))


def _fitted(rate: Any, optimizer: str) -> list[str]:
    """Rate and optimizer where they are not those of a table."""
    return [f"rate {_rate(rate)}"] * (rate != "auto") + [optimizer.replace("_", " ")] * (optimizer != "quasi_newton")


def _sweep_name(stage: str, best: dict[str, Any] | None, optimizer: str) -> str:
    """Its best combination first."""
    found = [f"best {best['lambda']:.3g}"] if best else []
    return ", ".join([stage, *found, *_fitted(best["learning_rate"] if best else "auto", optimizer)])


def _rate(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _data(params: dict[str, Any]) -> config.Data:
    return config.section_of(params, "data", "params.yaml")


def _files(folders: list[Path]) -> list[Path]:
    return sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())


def _contents(files: list[Path], root: Path) -> dict[str, str]:
    """The digest of each file, by its name below `root`."""
    return {file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _digest(*values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _by_dotted_key(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters by dotted key. Settings by column are one value each: no key may hold every column's name."""
    data = {key: json.dumps(value) if isinstance(value, dict) else value for key, value in params["data"].items()}
    return config.flatten(params | {"data": data})


def _description(
    name: str,
    scores: dict[str, dict[str, float]],
    columns: dict[str, dict[str, Any]],
    warnings: list[str],
    decision: str,
) -> str:
    """A few lines of Markdown for whoever opens the run."""
    models = [name for name in COMPARED if name in scores]
    compared = [
        f"| {key} | " + " | ".join(f"{scores[name][key]:.4f}" for name in models) + " |" for key in scores["test"]
    ]
    stops = [f"- {label}: {column['iterations']} iterations; {column['stopped']}" for label, column in columns.items()]
    return "\n".join(
        [
            f"Logistic regression on **{name}**.",
            "",
            f"| on the test rows | {' | '.join(COMPARED[name] for name in models)} |",
            "|---" * (len(models) + 1) + "|",
            *compared,
            "",
            *([decision, ""] if decision else []),
            *stops,
            *_warning_lines(warnings),
        ]
    )


def _warning_lines(warnings: list[str]) -> list[str]:
    return [f"- **warning:** {line}" for line in warnings]


def _combinations(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / paths.COMBINATIONS, dtype={"learning_rate": str})


def _children(folder: Path, study: str, common: dict[str, Any]) -> list[Child]:
    """The combinations in the sweep's `folder`, each with its cost curve."""
    curves = dict(list(pd.read_parquet(folder / paths.CURVES).groupby(["lambda", "learning_rate"])))
    children = []
    for row in _combinations(folder).to_dict("records"):
        penalty, rate, iterations, status = (
            row.pop(key) for key in ("lambda", "learning_rate", "iterations", "status")
        )
        chosen = {"train.lambda": str(penalty), "train.learning_rate": str(rate)}
        failure = f"with learning rate {rate} and lambda {penalty:g} the cost rose (iteration {iterations})"
        children.append(
            Child(
                name=f"lambda {penalty:g}, rate {rate}",
                digest=_digest(study, chosen),
                params={key: str(value) for key, value in (common | chosen).items()},
                metrics={"iterations": iterations} | {f"validation/{key}": value for key, value in row.items()},
                costs=curves[penalty, rate][["iteration", "cost"]],
                status=str(status),
                failure=failure if np.isnan(row[common["sweep.score"]]) else None,
            )
        )
    return children


def _sweep_description(root: Path, score: str, chosen: dict[str, Any], warnings: list[str]) -> str:
    """A few lines of Markdown: what was tried, the five best, and the winner or why there is none."""
    scored, adopt = _combinations(root / paths.SWEEP), root / paths.SWEEP / paths.ADOPT
    ranked = choice.ranked(scored, score).head(5)
    table = [
        f"| {row['lambda']:g} | {row['learning_rate']} | {row[score]:.5f} | {row[f'{score}_standard_error']:.5f} |"
        for _, row in ranked.iterrows()
    ]
    header = [f"| lambda | learning rate | {score.replace('_', ' ')} | standard error |", "|---|---|---|---|"]
    return "\n".join(
        [
            f"{len(scored)} combinations, cross-validated on the training rows.",
            "",
            *([*header, *table, ""] if table else ["All of them diverged, so there is no winner.", ""]),
            *(f"- {name.replace('_', ' ')}: {choice.describe(row, score)}" for name, row in chosen.items()),
            *([f"- to adopt: `{adopt.read_text(encoding='utf-8').strip()}`"] if chosen and adopt.exists() else []),
            *_warning_lines(warnings),
        ]
    )

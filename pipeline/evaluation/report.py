"""One page on a result, to hand on: the data, how good the model is, what it learnt, warnings, how it was made.

`page.html` is the template. The page needs no other file: pictures are part of it, and it runs no script. Names and
categories of the table are escaped (Jinja's autoescape). It holds no date and no commit, so it is the same for the same
result; what is logged to MLflow has the commit in place of `COMMIT`.
"""

import base64
import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from pipeline import config
from pipeline.columns.roles import FEATURES, SPECIAL
from pipeline.evaluation.tables import score_cells
from pipeline.figures import data, drawing
from pipeline.files import formats, paths
from pipeline.files.paths import Result

COMMIT = "the one that git has for these files"
PICTURES = {  # file, and what it shows, for a reader who does not see it
    "scores": "The accuracy and log-loss of the model and of what it is compared with, each with its interval",
    "roc": "The ROC curve: true positive rate over false positive rate",
    "precision_recall": "The precision over the recall",
    "calibration": "The observed share of the class over the predicted probability",
    "confusion": "The number of rows of each class that were predicted to be of each class",
    "decision": "The cost, recall or share of flagged rows over the threshold",
    "decision_curve": "The net benefit over the threshold, beside treating all rows and none",
    "gain": "The share of the class that is found over the share of the rows that are selected",
}
LEARNT = {
    "words": "The words, or values of lists, of the largest effect: those that raise the odds, and that lower them",
    "curves": "The log-odds along each number, with its band and the distribution of the rows",
    "pairs": "The log-odds of each pair of columns, beside those of the columns alone",
    "weights": "The weights of the largest effect",
    "costs": "The cost over the iterations",
}
SCORES = {"log_loss": "log-loss", "brier_score": "Brier score", "roc_auc": "ROC AUC", "f1_macro": "F1"}
LARGEST = 20  # effects in the table


def write(root: Path, path: Path, params: dict[str, Any]) -> None:
    """Write the page on the result below `root` to `path`; `params` are the sections that decided it."""
    result, described = paths.main_result(root), config.section_of(params, "data", "params.yaml")
    columns, split = formats.load_columns(root / paths.COLUMNS), formats.load_json(root / paths.SPLIT_SUMMARY)
    effects, inferred = (formats.load_csv(root / file) for file in (paths.EFFECTS, paths.INFERENCE))
    summary, labels = formats.load_json(root / paths.TRAINING_SUMMARY), effects["class"].unique().tolist()
    folder = root / paths.EVALUATION
    target = columns.loc[columns["role"] == "target", "column"].item()
    used = columns[columns["role"].isin([*FEATURES, *SPECIAL])]
    text = _template("page.html").render(
        title=described.title,
        source=described.source,
        target=target,
        split=split,
        scores=score_table(formats.load_csv(folder / "scores.csv")),
        decision=config.section_of(params, "decision", "params.yaml").sentence,
        classes=formats.load_json(root / paths.PROFILE)["classes"],
        used=used.astype(object).fillna("").to_dict("records"),
        left_out=columns.drop(used.index).astype(object).fillna("").to_dict("records"),
        pictures=_pictures(folder / "pictures", PICTURES),
        learnt=_pictures(folder / "pictures", LEARNT),
        odds=odds(effects, inferred, LARGEST, summary[labels[0]]["note"]) if len(labels) == 1 else None,
        summary=summary,
        report=(folder / "report.txt").read_text(encoding="utf-8").split("Of the trained model:")[-1].strip("\n"),
        warnings=_warnings(root, result),
        params=sorted(config.flatten(params).items()),
        digests={name: _digest(root / name) for name in (paths.TABLE, paths.TRAINING_ROWS, paths.TEST_ROWS)},
        commit=COMMIT,
    )
    formats.save_text(text, path)


def write_watch(
    path: Path,
    file: str,
    described: str,
    n_rows: int,
    changes: pd.DataFrame,
    judged: pd.DataFrame | None,
    panels: dict[str, pd.DataFrame],
) -> None:
    """Write the page on the rows of `file`, beside those of `data`, to `path`; the others are as of `drift.Watch`."""
    with TemporaryDirectory() as folder:
        drawing.save(data.drift, Path(folder) / "drift.png", described, panels=panels)
        picture = base64.b64encode((Path(folder) / "drift.png").read_bytes()).decode()
    text = _template("watch.html").render(
        file=file,
        data=described,
        n_rows=n_rows,
        changed=changes.loc[changes["changed"], "column"].tolist(),
        changes=changes.to_dict("records"),
        scores=[] if judged is None else judged.to_dict("records"),
        picture=picture,
    )
    formats.save_text(text, path)


def _template(name: str) -> jinja2.Template:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    ).get_template(name)


def score_table(scores: pd.DataFrame) -> dict[str, Any]:
    """The models, and for each score their values with intervals, as strings."""
    models = [f"{row.model}, training rows" if row.rows == "training" else row.model for row in scores.itertuples()]
    rows = [
        (SCORES.get(name, name.replace("_", " ").removesuffix(" macro")), cells) for name, cells in score_cells(scores)
    ]
    return {"models": models, "rows": rows}


def odds(effects: pd.DataFrame, inferred: pd.DataFrame, n_effects: int, reason: str = "") -> dict[str, Any]:
    """What raises the odds of the one class in `effects`: the first `n_effects` of them, which are sorted.

    `rows` have the name and the odds ratio per standard deviation and per unit (of a curve: from the first quartile of
    the number to the third), of a fit with ridge with its credible interval. Where there are confidence intervals, the
    odds ratio of `inferred` and its own follow, in which categories are compared with the first of their column; `note`
    has the `reason` where there are no intervals.
    """
    header = [f"what raises the odds of {effects['class'].iloc[0]}", "per standard deviation", "per unit"]
    ratios = ["odds_ratio_per_unit", *(f"odds_ratio_per_unit_credible_{end}" for end in ("lower", "upper"))]
    is_credible = ratios[1] in effects
    header[-1] += ", with its credible interval of 95 %" if is_credible else ""
    rows = [
        [
            str(row["feature"]),
            f"{row['odds_ratio_per_standard_deviation']:.2f}",
            _with_interval(*(row[name] for name in ratios if name in row)),
        ]
        for row in effects.head(n_effects).to_dict("records")
    ]
    coefficient, beside = "unpenalised" if "unpenalised" in inferred else "coefficient", {}
    if "lower" in inferred:
        reason = "inference.csv has those of the single features that these effects are made of"
        intervals = inferred.dropna(subset=["lower"])
        with np.errstate(over="ignore"):
            ends = np.exp(intervals[[coefficient, "lower", "upper"]].to_numpy())
        beside = {name: _with_interval(*row) for name, row in zip(intervals["feature"], ends, strict=True)}
    if not any(row[0] in beside for row in rows):
        return {"header": header, "rows": rows, "note": "" if is_credible else f"No intervals: {reason}."}
    kind = "without penalty" if coefficient == "unpenalised" else "per unit"
    header.append(f"{kind}, with its 95 % interval")
    return {"header": header, "rows": [[*row, beside.get(row[0], "-")] for row in rows], "note": ""}


def _with_interval(ratio: float, low: float = np.nan, high: float = np.nan) -> str:
    """An odds ratio with the ends of its interval, where it has one; - for none."""
    interval = "" if pd.isna(low) else f" ({low:.5g} to {high:.5g})"
    return "-" if pd.isna(ratio) else f"{ratio:.5g}{interval}"


def _pictures(folder: Path, names: dict[str, str]) -> list[dict[str, str]]:
    """Those that there are, as data in the page."""
    return [
        {"alt": text, "data": base64.b64encode((folder / f"{name}.png").read_bytes()).decode()}
        for name, text in names.items()
        if (folder / f"{name}.png").exists()
    ]


def _warnings(root: Path, result: Result) -> list[str]:
    files = (paths.PROFILE, paths.SPLIT_SUMMARY, paths.TRAINING_WARNINGS, paths.EVALUATION_WARNINGS)
    return [line for file in files for line in formats.load_json(root / file)["warnings"]]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

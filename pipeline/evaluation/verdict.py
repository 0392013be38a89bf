"""What a result is worth, in a few sentences: the first thing that the page and `summary` say.

It reads only small files, so that `summary` stays quick.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import config
from pipeline.files import formats, paths
from pipeline.files.paths import Result

OTHERS = {"black box": "gradient boosting", "prior": "the class shares alone"}
# What the warning of a model that is no better than the class shares has in it.
THAN_SHARES, ORDERS = "compared with the class shares alone", "orders rows better than chance"
FEW = 100  # rows, of which a share is said as "3 of 41"


def sentences(result: Result, decision: config.Decision) -> list[str]:
    """The verdict on the test rows of a result; the first sentence is its headline."""
    scores = formats.load_csv(result.folder / paths.EVALUATION / "scores.csv")
    judged = scores[scores["rows"] == "test"].set_index("model")
    counts = _counts(result)
    said = [_useless(result, judged), *_decision(judged, decision)]
    counted = _two_classes(counts, target_of(result), decision) if len(counts) == 2 else _classes(counts, judged)
    if (result.folder / paths.TEST_WEIGHTS).exists():
        counted[0] = f"{counted[0][:-1]} (each row counted once, whatever its weight)."
    return [sentence for sentence in [*said, *counted, _compared(judged, "log_loss", "Log-loss")] if sentence]


def target_of(result: Result) -> str:
    """The name of the target, where the result has the report on the columns of its table."""
    file = result.folder / paths.COLUMNS
    if not file.exists():
        return "class"
    columns = formats.load_columns(file)
    return str(columns.loc[columns["role"] == "target", "column"].item())


def positive_class(folder: Path) -> str | None:
    """The class whose odds the weights below `folder` are of, None of many classes."""
    labels = formats.load_csv(folder / paths.EFFECTS)["class"].unique()
    return str(labels[0]) if len(labels) == 1 else None


def _counts(result: Result) -> pd.DataFrame:
    """Rows by actual class (index) and predicted class (columns); of two classes the positive one is the second."""
    counts = formats.load_csv(result.folder / paths.PLOTS / "confusion.csv").astype({"actual": str, "predicted": str})
    table = counts.pivot_table(index="actual", columns="predicted", values="rows", aggfunc="sum", fill_value=0)
    labels = list(dict.fromkeys(counts["actual"]))
    positive = positive_class(result.folder)
    if positive is not None:
        labels.sort(key=lambda label: label == positive.replace("<", "\u2039"))  # as `save_for_dvc` writes it
    return table.reindex(index=labels, columns=labels, fill_value=0)


def share(part: float, total: float) -> str:
    """`3 of the 41`, of many `7 of 100`; of a share that would be rounded to nothing or all, as many as it takes."""
    part, total = round(part), round(total)
    if part == total:
        return f"all {total:,}"
    if total <= FEW or part == 0:
        return f"{part or 'none'} of the {total:,}"
    for base in (100, 1000, 10_000):
        if 0 < (rounded := round(base * part / total)) < base:
            return f"{rounded:,} of {base:,}"
    return f"{part:,} of the {total:,}"


def _two_classes(counts: pd.DataFrame, target: str, decision: config.Decision) -> list[str]:
    (_, false_alarms), (misses, hits) = counts.to_numpy().tolist()
    rows = f"rows with {target} = {counts.index[1]}"
    found = share(hits, hits + misses)
    if not hits + false_alarms:
        return [f"Raises no alarm: it finds {found} {rows}."]
    alarms = hits + false_alarms
    plural = "is" if round(false_alarms) == 1 and alarms <= FEW else "are"
    wrong = "no alarm is false" if not false_alarms else f"{share(false_alarms, alarms)} alarms {plural} false"
    if alarms == 1:
        wrong = f"its only alarm is {'false' if false_alarms else 'right'}"
    return [f"Finds {found} {rows}; {wrong}."]


def _classes(counts: pd.DataFrame, judged: pd.DataFrame) -> list[str]:
    total = counts.to_numpy().sum()
    right = pd.Series(np.diag(counts.to_numpy()), counts.index)
    alone = share(judged["accuracy"]["prior"] * total, total)
    said = [f"Right for {share(right.sum(), total)} rows, where the most frequent class alone is for {alone}."]
    sizes = counts.sum(axis=1)
    recall = (right / sizes).dropna()  # of a class without test rows there is none
    if recall.min() < 1:
        hardest = str(recall.idxmin())
        said.append(f"The hardest class is {hardest}: it finds {share(float(right[hardest]), float(sizes[hardest]))}.")
    return said


def _useless(result: Result, judged: pd.DataFrame) -> str:
    """Where the warnings have it that the model is no better than the class shares."""
    warned = formats.load_json(result.folder / paths.EVALUATION_WARNINGS)["warnings"]
    lines = [line for line in warned if THAN_SHARES in line]
    if not lines:
        return ""
    subject = "Orders rows better than chance, but its probabilities are" if ORDERS in lines[0] else "The model is"
    return f"{subject} no better than the class shares alone."


def _decision(judged: pd.DataFrame, decision: config.Decision) -> list[str]:
    """What the decision costs, or flags, and from where on, beside others that follow the same rule."""
    if decision.method == "none" or "threshold" not in judged:
        return []
    threshold = f"from a probability of {judged['threshold']['trained']:.3g} on"
    rule = "; by the same rule, "
    if decision.method == "cost":
        return [_compared(judged, "cost", f"Flags rows {threshold}, which costs", f" per row{rule}")]
    measures = {"flagged": f"Flags rows {threshold}, a share of", "recall": "Its recall is"}
    return [_compared(judged, score, before, rule) for score, before in measures.items()]


def _compared(judged: pd.DataFrame, score: str, before: str, between: str = "; ") -> str:
    """`Log-loss 0.401 [0.372, 0.429]; gradient boosting 0.427, the class shares alone 0.579.`"""
    if score not in judged:
        return ""
    beside = [f"{name} {judged[score][model]:.3f}" for model, name in OTHERS.items() if model in judged.index]
    return f"{before} {interval_of(judged.loc['trained'], score)}{between}{', '.join(beside)}."


def interval_of(row: Any, score: str) -> str:
    """`0.401 [0.372, 0.429]`"""
    low, high = row[f"{score}_lower"], row[f"{score}_upper"]
    return f"{row[score]:.3f}" + ("" if pd.isna(low) else f" [{low:.3f}, {high:.3f}]")


def score_names(table: pd.DataFrame) -> list[str]:
    """The scores that scores.csv has."""
    return [name for name in table.columns[2:] if not name.endswith(("_lower", "_upper"))]


def score_cells(table: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Each score of scores.csv, and what the model of each row has, with its interval."""
    rows = table.to_dict("records")
    return [(name, [interval_of(row, name) for row in rows]) for name in score_names(table)]

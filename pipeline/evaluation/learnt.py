"""The section of the page on what the model learnt: importance, a column to choose, odds ratios."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation import columns
from pipeline.evaluation.page import Block, Figure, Folded, Read, Section, Table
from pipeline.figures import svg
from pipeline.figures.svg import Bar
from pipeline.files import formats, paths

LARGEST, IMPORTANT, EXPLAINED = 20, 15, 60  # effects in the table, bars of importance, columns to choose from
OF_MEAN = 2.776 / 5**0.5  # deviations of five shuffles to each side: 95 % (Student's t)


def section(read: Read) -> Section:
    """What the model learnt: importance, a column to choose, odds ratios."""
    importance = read.csv(paths.EVALUATION / "importance.csv")
    assert importance is not None
    shown = importance.head(IMPORTANT)
    reach = OF_MEAN * shown["deviation"].to_numpy()
    bars = [
        Bar(str(name), value, (value - end, value + end), note=f"{round(value, 3) + 0.0:.3f}")
        for name, value, end in zip(shown["column"], shown["importance"], reach, strict=True)
    ]
    rest = f" The other {len(importance) - len(shown):,} are in importance.csv." if len(importance) > len(shown) else ""
    caption = (
        "How much the log-loss grows where a column is shuffled among the test rows: the mean of five shuffles, with "
        f"its interval of 95 %.{rest}"
    )
    matter = Figure("Which columns matter", caption, svg.bars(bars, "growth of the log-loss"))
    sample = columns.sampled(read.fitted, read.test)
    curves, pairs, words = (read.csv(name) for name in (paths.CURVES_OF_FEATURES, paths.SURFACES, paths.WORDS))
    names = importance["column"].astype(str).tolist()
    explained = columns.explained(read.fitted, sample, names[:EXPLAINED], curves, pairs, words)
    blocks: list[Any] = [Block("beside", [Block("figures", [matter]), Block("columns", explained)])]
    effects, inferred = (read.csv(name) for name in (paths.EFFECTS, paths.INFERENCE))
    summary = formats.load_json(read.root / paths.TRAINING_SUMMARY)
    assert effects is not None and inferred is not None
    if len(labels := effects["class"].unique().tolist()) == 1:
        table = odds(effects, inferred, LARGEST, summary[labels[0]]["note"])
        text = (
            "The largest effects. An odds ratio above 1 raises the odds; that of a curve is from the first quartile of "
            "its number to the third."
        )
        note = [Block("text", table["note"])] if table["note"] else []
        blocks.append(Folded("Odds ratios", [Table(text, table["header"], table["rows"]), *note]))
    lines = [
        f"{name}: {column['iterations']} iterations; {column['stopped']}. {column['note']}"
        for name, column in summary.items()
    ]
    return Section("learnt", "What it learnt", [*blocks, Folded("How training went", [Block("items", lines)])])


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

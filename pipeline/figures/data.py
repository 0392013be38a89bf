"""The pictures of the data: t-SNE, columns, classes, the logistic curve, and what changed in later rows."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from pipeline.figures.drawing import BLUE, GREY, ORANGE, colours, new_axes, short

DAY = 24 * 60 * 60  # seconds
BINS = 14  # of a column in the picture of what changed
TOGETHER = 5  # classes: fewer share a panel
PANELS = 12  # columns with a small picture each: those that explain most of the target


def points(table: pd.DataFrame, title: str) -> Figure:
    """Points x, y coloured by class."""
    figure, axes = new_axes(title, "", "", (6, 5))
    for colour, (label, rows) in zip(colours(table["class"].nunique()), table.groupby("class"), strict=True):
        axes.scatter(rows["x"], rows["y"], s=9, color=colour, alpha=0.7, linewidths=0, label=short(label))
    axes.set(xticks=[], yticks=[])
    axes.legend(markerscale=2, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def class_balance(counts: pd.DataFrame, title: str) -> Figure:
    figure, axes = new_axes(title, "rows", "", (6, 1 + 0.35 * len(counts)))
    bars = axes.barh(range(len(counts)), counts["rows"], color=colours(len(counts)))
    axes.set_yticks(range(len(counts)), [short(label) for label in counts["class"]])
    share = counts["rows"] / counts["rows"].sum()
    axes.bar_label(bars, [f" {n:,} ({part:.1%})" for n, part in zip(counts["rows"], share, strict=True)])
    axes.margins(x=0.2)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    return figure


def columns(bars: dict[str, dict], report: pd.DataFrame) -> Figure:
    """One small picture per column, the bars stacked by class, those that explain most of the target first.

    `bars` has for each column its `categories` or `edges`, and `counts` by class; `report` the columns column, role and
    information.
    """
    used = report[report["column"].isin(list(bars)) & (report["role"] != "target")]
    drawn = used.sort_values("information", ascending=False, kind="stable").head(PANELS)
    n_rows = -(-len(drawn) // 3)
    figure = Figure(figsize=(9, 0.4 + 1.7 * n_rows))
    grid = figure.subplots(n_rows, 3, squeeze=False).ravel()
    for axes in grid[len(drawn) :]:
        axes.set_axis_off()
    for axes, row in zip(grid, drawn.to_dict("records"), strict=False):
        is_date = row["role"] == "date"
        _bars(axes, bars[row["column"]], is_date)
        of_rows = f", 1 of {every} rows" if (every := bars[row["column"]].get("every")) else ""
        axes.set_title(f"{short(row['column'], 30)}  ({row['information']:.0%}){of_rows}", fontsize=8)
        axes.tick_params(labelsize=7)
        if not is_date:
            axes.locator_params(axis="x", nbins=4)
    labels = list(next(iter(bars.values()))["counts"])
    handles = [
        Patch(color=colour, label=short(label)) for colour, label in zip(colours(len(labels)), labels, strict=True)
    ]
    figure.legend(handles=handles[:10], loc="outside lower right", ncols=10)
    which = f"the {len(drawn)} of {len(used)} columns that explain most" if len(used) > len(drawn) else "columns"
    figure.suptitle(f"{which}, each with its share of the target's entropy", x=0.01, ha="left", fontsize=10)
    return figure


def _bars(axes: Axes, column: dict, is_date: bool) -> None:
    if "categories" in column:
        labels = [short(category, 16, 1) for category in column["categories"]]
        bottom = np.zeros(len(labels))
        for colour, counts in zip(colours(len(column["counts"])), column["counts"].values(), strict=True):
            axes.barh(range(len(labels)), counts, left=bottom, color=colour)
            bottom += counts
        axes.set_yticks(range(len(labels)), labels, fontsize=6)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        return
    edges = np.array(column["edges"])
    if is_date:  # matplotlib's own dates end in the year 9999, where some tables have their "never"
        ticks = edges[[0, -1]]
        letters = slice(0, 10) if np.ptp(ticks) > DAY else slice(11, 16)
        axes.set_xticks(ticks, [str(date)[letters] for date in ticks.astype("datetime64[s]")])
    bottom = np.zeros(len(edges) - 1)
    for colour, counts in zip(colours(len(column["counts"])), column["counts"].values(), strict=True):
        axes.stairs(bottom + counts, edges, baseline=bottom, color=colour, fill=True)
        bottom = bottom + counts


def logistic_curve(curve: pd.DataFrame) -> Figure:
    figure, axes = new_axes(
        "The logistic function  1 / (1 + exp(-r))", "r = x·w + b", "probability of the positive class"
    )
    axes.plot(curve["r"], curve["probability"], color=BLUE)
    axes.plot([0], [0.5], "o", color=ORANGE)
    axes.annotate("undecided: r = 0, probability 1/2", (0, 0.5), (0.6, 0.44), color=ORANGE)
    return figure


def drift(panels: dict[str, pd.DataFrame]) -> Figure:
    """One small picture per name: the share of the rows in each bin (index), of the counts `before` and `now`."""
    n_rows = -(-len(panels) // 3)
    figure = Figure(figsize=(9, 0.5 + 2.2 * n_rows))
    grid = figure.subplots(n_rows, 3, squeeze=False).ravel()
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    for axes, (name, counts) in zip(grid, panels.items(), strict=False):
        share = counts / counts.sum()
        largest = share.max(axis="columns").rank(method="first", ascending=False) <= BINS
        share = share[largest & (share > 0).any(axis="columns")]
        places = np.arange(len(share))
        axes.barh(places - 0.2, share["before"], 0.4, color=GREY, label="before")
        axes.barh(places + 0.2, share["now"], 0.4, color=BLUE, label="now")
        axes.set_yticks(places, [short(label, 16, 1) for label in share.index], fontsize=6)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_title(short(name, 30), fontsize=8)
        axes.tick_params(axis="x", labelsize=7)
        axes.locator_params(axis="x", nbins=4)
    handles = [Patch(color=GREY, label="before"), Patch(color=BLUE, label="now")]
    figure.legend(handles=handles, loc="outside upper right", ncols=2)
    figure.suptitle("share of the rows in each bin", x=0.01, ha="left", fontsize=10)
    return figure

"""Every picture: a function of plain data, drawn with matplotlib's figure objects (no pyplot, no global state).

What a model learnt is drawn in `learnt`, sweeps in `sweeps`; here are the table and the evaluation, and what all share.
"""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter

BLUE, ORANGE, GREY = "#2563a8", "#d9822b", "#8a8f98"
CLASSES = [BLUE, ORANGE, "#3a9a6b", "#b5485d", "#7a5fb0", "#8c6d46", "#d06ba8", "#5b6670", "#a9a63a", "#3fa7b8"]
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e7e9ec",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "figure.constrained_layout.use": True,
    "text.parse_math": False,  # a column may be called "price ($)"
}
LETTERS = 40  # of a name in a picture
DAY = 24 * 60 * 60  # seconds
BINS = 14  # of a column in the picture of what changed
TOGETHER = 5  # classes: fewer share a panel
PANELS = 12  # columns with a small picture each: those that explain most of the target


def save(picture: Any, path: Path, about: str = "", **data: Any) -> None:
    """Draw `picture(**data)` in the house style and write it as PNG, the same bytes each time.

    about is the name of the data, which the title then begins with.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with rc_context(STYLE):
        figure = picture(**data)
        if about:
            _name(figure, short(about))
        figure.savefig(path, dpi=120, metadata={"Software": None})


def _name(figure: Figure, about: str) -> None:
    """Put `about` in front of the title: that of the figure, else of its only panel with one, else above them all."""
    panels = [axes for axes in figure.axes if axes.get_title(loc="left") or axes.get_title()]
    if figure.get_suptitle():
        figure.suptitle(f"{about}: {figure.get_suptitle()}", x=0.01, ha="left", fontsize=11, fontweight="bold")
    elif len(panels) == 1:
        panels[0].set_title(f"{about}: {panels[0].get_title(loc='left') or panels[0].get_title()}")
    else:
        figure.suptitle(about, x=0.01, ha="left", fontsize=11, fontweight="bold")


def new_axes(title: str, x: str, y: str, size: tuple[float, float] = (6, 4)) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size)
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


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
    shown = used.sort_values("information", ascending=False, kind="stable").head(PANELS)
    n_rows = -(-len(shown) // 3)
    figure = Figure(figsize=(9, 0.4 + 1.7 * n_rows))
    grid = figure.subplots(n_rows, 3, squeeze=False).ravel()
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    for axes, row in zip(grid, shown.to_dict("records"), strict=False):
        is_date = row["role"] == "date"
        _bars(axes, bars[row["column"]], is_date)
        axes.set_title(f"{short(row['column'], 30)}  ({row['information']:.0%})", fontsize=8)
        axes.tick_params(labelsize=7)
        if not is_date:
            axes.locator_params(axis="x", nbins=4)
    labels = list(next(iter(bars.values()))["counts"])
    handles = [
        Patch(color=colour, label=short(label)) for colour, label in zip(colours(len(labels)), labels, strict=True)
    ]
    figure.legend(handles=handles[:10], loc="outside lower right", ncols=10)
    which = f"the {len(shown)} of {len(used)} columns that explain most" if len(used) > len(shown) else "columns"
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
        shown = slice(0, 10) if np.ptp(ticks) > DAY else slice(11, 16)
        axes.set_xticks(ticks, [str(date)[shown] for date in ticks.astype("datetime64[s]")])
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


def costs(costs: pd.DataFrame) -> Figure:
    """The cost by iteration on logarithmic axes, thin lines for the classes where there are several."""
    figure, axes = new_axes("cost on the training rows", "iteration", "log-loss + penalty")
    steps = costs["iteration"]
    for k, name in enumerate(costs.columns[2:]):
        label = short(name.removeprefix("cost/"))
        axes.plot(steps, costs[name], color=colours(k + 1)[-1], linestyle=line_style(k), linewidth=0.9, label=label)
    axes.plot(steps, costs["cost"], color="black" if len(costs.columns) > 2 else BLUE, label="mean of the classes")
    by_iteration(axes)
    add_legend(axes, len(costs.columns) - 1)
    return figure


def by_iteration(axes: Axes) -> None:
    """Logarithmic axes, the iterations with 0."""
    axes.set_xscale("symlog", linthresh=1, linscale=0.3)
    axes.set_xlim(left=0)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


def scores(table: pd.DataFrame) -> Figure:
    """Accuracy and log-loss of the models of evaluation's scores.csv but the random start, with their intervals."""
    table = table[table["model"] != "random start"]
    figure = Figure(figsize=(8, 0.9 + 0.3 * len(table)))
    panels = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(table))
    for axes, name, better in zip(panels, ("accuracy", "log_loss"), ("higher", "lower"), strict=True):
        lower, upper = (table[f"{name}_{end}"].fillna(table[name]) for end in ("lower", "upper"))
        colours = [BLUE if row == 0 else GREY for row in places]
        axes.hlines(places, lower, upper, colors=colours, linewidth=2)
        axes.scatter(table[name], places, c=colours, s=22, zorder=3)
        axes.set(title=f"{name.replace('_', '-')} ({better} is better)", yticks=places, yticklabels=model_labels(table))
        axes.grid(axis="y", visible=False)
    panels[0].invert_yaxis()
    return figure


def model_labels(table: pd.DataFrame) -> list[str]:
    """A name for each row of evaluation's scores.csv."""
    return [
        model if rows == "test" else f"{model} ({rows} rows)"
        for model, rows in table[["model", "rows"]].itertuples(index=False)
    ]


def confusion(matrix: pd.DataFrame) -> Figure:
    """Rows of each actual class (index) predicted to be each class (columns), shaded by their share of the class."""
    figure, axes = new_axes("confusion on the test rows", "predicted", "actual", (5, 4.5))
    share = matrix.div(matrix.sum(axis="columns").clip(lower=1), axis="index").to_numpy()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (i, j), count in np.ndenumerate(matrix.to_numpy()):
        axes.text(j, i, f"{count:,}", ha="center", va="center", color="white" if share[i, j] > 0.5 else "black")
    labels = [short(label, 20) for label in matrix.columns]
    axes.set_xticks(range(len(labels)), labels, rotation=45 if max(map(len, labels)) > 10 else 0)
    axes.set_yticks(range(len(labels)), labels)
    axes.grid(visible=False)
    return figure


def roc(curve: pd.DataFrame, start: pd.DataFrame | None = None) -> Figure:
    """A line per class, with the area under it; faint, that of the random start and of the class shares."""
    areas = {str(label): np.trapezoid(rows.iloc[:, 2], rows.iloc[:, 1]) for label, rows in curve.groupby("class")}
    labels = {name: f"{short(name)}: area {area:.3f}" for name, area in areas.items()}
    figure, panels = _by_class(
        curve, "ROC on the test rows", ("false positive rate", "true positive rate"), labels, start=start
    )
    for axes in panels.values():
        axes.plot([0, 1], [0, 1], "--", color=GREY, linewidth=1, zorder=1, label="class shares")
    return _with_legends(figure, panels)


def precision_recall(curve: pd.DataFrame, start: pd.DataFrame | None = None) -> Figure:
    """A line per class, with its average precision; faint, that of the random start and of the class shares."""
    average, share = {}, {}
    for label, rows in curve.groupby("class"):
        average[str(label)] = -np.sum(np.diff(rows["recall"]) * rows["precision"].to_numpy()[:-1])
        share[str(label)] = rows["precision"].iloc[0]  # of all rows
    labels = {name: f"{short(name)}: average {value:.3f}" for name, value in average.items()}
    figure, panels = _by_class(
        curve, "precision and recall on the test rows", ("recall", "precision"), labels, start=start
    )
    for name, axes in panels.items():
        if name in share:
            axes.axhline(share[name], linestyle="--", color=GREY, linewidth=1, zorder=1, label="class shares")
        axes.set_ylim(0, 1.03)
    return _with_legends(figure, panels)


def calibration(curve: pd.DataFrame) -> Figure:
    """The observed share of each class by its predicted probability, for one class with a band."""
    labels = {str(name): short(name) for name in curve["class"].unique()}
    figure, panels = _by_class(
        curve,
        "calibration on the test rows",
        ("predicted probability", "share of the class"),
        labels,
        marker="o",
        markersize=4,
    )
    for axes in panels.values():
        axes.plot([0, 1], [0, 1], "--", color=GREY, linewidth=1, zorder=1)
    if len(labels) == 1:
        (axes,) = panels.values()
        axes.fill_between(curve["predicted"], curve["lower"], curve["upper"], color=BLUE, alpha=0.15, linewidth=0)
    return _with_legends(figure, panels)


def decision(curve: pd.DataFrame, test: pd.DataFrame, threshold: float, measure: str) -> Figure:
    """A measure by threshold: of the training rows, out of fold, where it was chosen, and of the test rows."""
    label = {"cost": "cost per row", "flagged": "share of rows flagged"}.get(measure, measure)
    figure, axes = new_axes("the decision", "flagged from this probability on", label, (5, 4))
    axes.plot(test["threshold"], test[measure], color=ORANGE, linewidth=1, label="test rows")
    axes.plot(curve["threshold"], curve[measure], color=BLUE, label="training rows, out of fold")
    axes.axvline(threshold, color=GREY, linewidth=1, linestyle="--", label=f"chosen: {threshold:.3g}")
    axes.set(xlim=(0, 1), ylim=(0, None))
    axes.legend()
    return figure


def decision_curve(curve: pd.DataFrame) -> Figure:
    """The net benefit by threshold, of the model, of flagging all rows and of flagging none."""
    figure, axes = new_axes(
        "decision curve on the test rows", "flagged from this probability on", "net benefit", (5, 4)
    )
    for name, colour, label in (("all", GREY, "all rows"), ("none", "black", "no row"), ("model", BLUE, "the model")):
        axes.plot(curve["threshold"], curve[name], color=colour, label=label, linewidth=1 if name != "model" else 1.6)
    highest = max(float(curve["model"].max()), float(curve["all"].max()), 1e-9)
    axes.set(xlim=(0, 1), ylim=(-0.15 * highest, 1.1 * highest))
    axes.legend()
    return figure


def gain(curve: pd.DataFrame) -> Figure:
    """Recall and lift by the share of rows that are flagged, those of the highest probability first."""
    figure = Figure(figsize=(8, 3.6))
    panels = figure.subplots(1, 2)
    panels[0].plot(curve["flagged"], curve["recall"], color=BLUE)
    panels[0].plot([0, 1], [0, 1], "--", color=GREY, linewidth=1)
    panels[0].set(title="Gain on the test rows", xlabel="share of rows flagged", ylabel="recall")
    panels[1].plot(curve["flagged"], curve["lift"], color=BLUE)
    panels[1].axhline(1, linestyle="--", color=GREY, linewidth=1)
    panels[1].set(title="Lift", xlabel="share of rows flagged", ylabel="times as many as by chance", ylim=(0, None))
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


def _by_class(
    curve: pd.DataFrame,
    title: str,
    names: tuple[str, str],
    labels: dict[str, str],
    start: pd.DataFrame | None = None,
    **style: Any,
) -> tuple[Figure, dict[str, Axes]]:
    """One line per class, of a table class, x, y: in one panel, called "", or from `TOGETHER` classes on in one each.

    start is such a table of the random start; its lines are faint, and there are none where classes share a panel.
    """
    groups = {str(label): rows for label, rows in curve.groupby("class", sort=False)}
    if len(groups) < TOGETHER:
        figure, axes = new_axes(title, *names, (5, 4.5))
        panels = {next(iter(groups)) if len(groups) == 1 else "": axes}
    else:
        n_columns = 5
        n_rows = -(-len(groups) // n_columns)
        figure = Figure(figsize=(9, 0.8 + 2 * n_rows))
        grid = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True).ravel()
        for axes in grid[len(groups) :]:
            axes.set_axis_off()
        panels = dict(zip(groups, grid, strict=False))
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        figure.supxlabel(names[0], fontsize=9)
        figure.supylabel(names[1], fontsize=9)
    for k, (name, rows) in enumerate(groups.items()):
        axes = panels.get(name) or panels[""]
        alone = len(groups) >= TOGETHER
        colour, line = (BLUE, "-") if alone else (CLASSES[k], line_style(k))
        axes.plot(rows.iloc[:, 1], rows.iloc[:, 2], color=colour, linestyle=line, label=labels[name], **style)
        if alone:
            axes.set_title(labels[name], fontsize=8)
        if start is not None and name in panels:
            faint = start[start["class"].astype(str) == name]
            axes.plot(
                faint.iloc[:, 1],
                faint.iloc[:, 2],
                color=ORANGE,
                linewidth=0.9,
                alpha=0.7,
                label="random start",
                zorder=1,
            )
    return figure, panels


def _with_legends(figure: Figure, panels: dict[str, Axes]) -> Figure:
    """A legend in a single panel; of many, one for what they share."""
    first = next(iter(panels.values()))
    if len(panels) == 1:
        first.legend(fontsize=8, loc="best")
    else:
        handles, names = first.get_legend_handles_labels()
        if shared := list(zip(handles[1:], names[1:], strict=True)):
            figure.legend(*zip(*shared, strict=True), loc="outside upper right", ncols=len(shared), fontsize=8)
    return figure


def line_style(k: int) -> str:
    """A line style for the k-th line, so that lines differ without colours, too."""
    return ("-", "--", "-.", ":")[k % 4]


def add_legend(axes: Axes, entries: int) -> None:
    if entries > 3:
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    elif entries > 1:
        axes.legend()


def short(name: object, letters: int = LETTERS, n_lines: int = 2) -> str:
    """A name from the user's table in at most so many lines of so many letters; what is longer is cut."""
    lines = textwrap.wrap(" ".join(str(name).split()), letters) or [""]
    if len(lines) > n_lines:
        lines[n_lines - 1 :] = [f"{' '.join(lines[n_lines - 1 :])[: letters - 1]}…"]
    return "\n".join(lines)


def colours(n: int) -> list[str]:
    return [CLASSES[i % len(CLASSES)] for i in range(n)]

"""The pictures of how good a model is: costs, scores, confusion, curves, decision."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.figures.data import TOGETHER
from pipeline.figures.drawing import (
    BLUE,
    CLASSES,
    GREY,
    ORANGE,
    add_legend,
    by_iteration,
    colours,
    line_style,
    model_labels,
    new_axes,
    short,
)


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

"""The pictures of a sweep: tables of combinations, cost curves and weights as figures."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullFormatter

from pipeline.figures.drawing import BLUE, CLASSES, GREY, ORANGE, add_legend, by_iteration, new_axes, short

LETTERED = 150  # squares of a heat map that show their number at most
NAMED = 8  # paths named in one picture at most
DRAWN = 300  # and drawn, those with the largest weights


def heat_map(combinations: pd.DataFrame, score: str, winner: pd.Series) -> Figure:
    """The score of every lambda (rows) with every learning rate (columns); diverged ones hatched, the winner framed."""
    grid = combinations.pivot(index="lambda", columns="learning_rate", values=score).sort_index(ascending=False)  # noqa: PD010
    grid = grid[sorted(grid.columns, key=lambda rate: (isinstance(rate, str), rate))]
    figure, axes = new_axes(f"cross-validated {_spaced(score)}", "learning rate", "lambda")
    figure.set_size_inches(min(2.6 + 0.75 * len(grid.columns), 12), min(1.6 + 0.4 * len(grid), 9))
    values = grid.to_numpy()
    finite = values[np.isfinite(values)]
    low, high = finite.min(), finite.max()
    norm = LogNorm(low, high) if 0 < low < high else Normalize(low, high)
    image = axes.imshow(values, cmap="viridis", norm=norm, aspect="auto")
    middle: Any = {"ha": "center", "va": "center", "fontsize": 8}
    for (i, j), value in np.ndenumerate(values):
        if not np.isfinite(value):
            axes.add_patch(_square(i, j, facecolor="#f3f4f6", edgecolor="#d5d8dd", hatch="////", linewidth=0))
        if values.size <= LETTERED:
            text = f"{value:.3f}" if np.isfinite(value) else "diverged"
            light = np.isfinite(value) and norm(value) < 0.6
            axes.text(j, i, text, color="white" if light else "black", **middle)
    i, j = list(grid.index).index(winner["lambda"]), list(grid.columns).index(winner["learning_rate"])
    axes.add_patch(_square(i, j, fill=False, edgecolor=ORANGE, linewidth=3))
    axes.set_xticks(range(len(grid.columns)), map(_number, grid.columns))
    axes.set_yticks(range(len(grid)), map(_number, grid.index))
    axes.grid(visible=False)
    ticks = LogLocator(subs=(1, 2, 5)) if isinstance(norm, LogNorm) else None
    bar = figure.colorbar(image, shrink=0.8, ticks=ticks, format="{x:g}")
    bar.ax.yaxis.set_minor_formatter(NullFormatter())
    return figure


def validation_curve(combinations: pd.DataFrame, score: str, best: pd.Series, strongest: pd.Series) -> Figure:
    """The score over lambda, each with its best learning rate (a row of `combinations`), and its standard error."""
    figure, axes = new_axes("validation curve", "lambda", f"{_spaced(score)}, mean and standard error over folds")
    x = _lambda_axis(axes, combinations["lambda"])
    error = f"{score}_standard_error"
    axes.errorbar(
        x, combinations[score], combinations[error], color=BLUE, marker="o", markersize=4, capsize=3, elinewidth=1
    )
    position = dict(zip(combinations["lambda"], x, strict=True))
    for row, colour, label in ((best, ORANGE, "best"), (strongest, CLASSES[2], "one standard error")):
        text = f"{label}: {_number(row['lambda'])}"
        axes.plot(position[row["lambda"]], row[score], "o", color=colour, markersize=9, label=text, zorder=3)
    axes.axhspan(best[score] - best[error], best[score] + best[error], color=ORANGE, alpha=0.1, linewidth=0)
    axes.legend()
    return figure


def learning_rates(curves: pd.DataFrame, penalty: float) -> Figure:
    """The cost by iteration for each learning rate at one lambda; the costs of a diverged one leave the picture."""
    title = f"cost by learning rate, lambda {_number(penalty)}"
    figure, axes = new_axes(title, "iteration", "cost, mean over folds")
    groups = curves.groupby("learning_rate", sort=False)
    for colour, (rate, rows) in zip(_shades(len(groups)), groups, strict=True):
        axes.plot(rows["iteration"], rows["cost"], color=colour, label=_number(rate))
    reached = curves.groupby("learning_rate")["cost"].last().min()
    by_iteration(axes)
    axes.set_ylim(reached * 0.9, curves.loc[curves["iteration"] == 0, "cost"].max() * 3)
    add_legend(axes, len(groups))
    return figure


def coefficient_paths(weights: pd.DataFrame, chosen: float) -> Figure:
    """The weights over lambda, one panel per class; the largest of all classes named, the chosen lambda marked."""
    classes = weights.groupby("class", sort=False)
    n_rows = -(-len(classes) // 4)
    size = (6, 4) if len(classes) == 1 else (3 * min(len(classes), 4), 2.6 * n_rows)
    figure = Figure(figsize=size)
    panels = figure.subplots(n_rows, min(len(classes), 4), squeeze=False, sharex=True, sharey=True).ravel()
    sizes = weights["weight"].abs().groupby(weights["feature"]).max()
    largest = sizes.sort_values(ascending=False, kind="stable").index
    for axes, (label, rows) in zip(panels, classes, strict=False):
        table = rows.pivot(index="lambda", columns="feature", values="weight")  # noqa: PD010
        x = _lambda_axis(axes, table.index, 8 if len(classes) == 1 else 3)
        for feature in largest[NAMED:DRAWN]:
            axes.plot(x, table[feature], color=GREY, linewidth=0.7, alpha=0.6)
        for colour, feature in zip(CLASSES, largest[:NAMED], strict=False):
            axes.plot(x, table[feature], color=colour, label=short(feature))
        axes.axvline(x[list(table.index).index(chosen)], color="black", linewidth=0.8, linestyle=":")
        axes.set_title(f"towards {short(label, 24)}", fontsize=9)
    for axes in panels[len(classes) :]:
        axes.set_visible(False)
    n_features = weights["feature"].nunique()
    which = "weights" if n_features <= DRAWN else f"the {DRAWN} largest of {n_features:,} weights"
    figure.suptitle(f"{which}, per standard deviation, over lambda", x=0.02, ha="left", fontsize=11, fontweight="bold")
    figure.supxlabel("lambda", fontsize=9)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=7, loc="outside right center")
    return figure


def _lambda_axis(axes: Axes, lambdas: pd.Series | pd.Index, n_ticks: int = 8) -> np.ndarray:
    """Positions on a logarithmic axis; zero, where it is among them, is drawn one step left of the smallest."""
    values = np.asarray(lambdas, dtype=float)
    positive = np.unique(values[values > 0])
    step = positive[1] / positive[0] if len(positive) > 1 else 10
    x = np.where(values > 0, values, (positive[0] if len(positive) else 1) / step)
    axes.set_xscale("log")
    if len(np.unique(x)) == 1:
        axes.set_xlim(x[0] / step, x[0] * step)
    labelled = np.unique(x, return_index=True)[1][:: -(-len(x) // n_ticks)]
    axes.set_xticks(x[labelled], [_number(values[i]) for i in labelled])
    axes.set_xticks([], minor=True)
    return x


def _square(i: int, j: int, **style: Any) -> Rectangle:
    """The square of row i and column j in a picture of a matrix."""
    return Rectangle((j - 0.5, i - 0.5), 1, 1, **style)


def _shades(n: int) -> np.ndarray:
    return colormaps["viridis"](np.linspace(0, 0.9, n))


def _number(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.3g}"


def _spaced(score: str) -> str:
    return score.replace("_", " ")

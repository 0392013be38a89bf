"""The pictures of what a model learnt: its weights, its curves and its pairs."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline.figures.data import PANELS
from pipeline.figures.drawing import BLUE, GREY, ORANGE, add_legend, colours, new_axes, short

LISTED = 30  # features named in one picture at most
WORDS = 12  # that raise the odds, and as many that lower them, in one panel
SURFACES = 9  # pairs in one picture


def weights(weights: pd.DataFrame) -> Figure:
    """Bars for one column of weights, a heat map for several; the features of largest weight where they are many.

    Those of curves, which have a picture of their own, are left out.
    """
    if "curve" in weights and weights["curve"].isna().any():
        weights = weights[weights["curve"].isna()]
    table = weights.set_index(["feature", "class"])["weight_per_standard_deviation"].unstack(sort=False)  # noqa: PD010
    largest = table.abs().max(axis="columns").sort_values(ascending=False, kind="stable").index[:LISTED]
    table = table.loc[largest]
    title = "weights, per standard deviation"
    if len(table.columns) > 1:
        figure, axes = new_axes(
            title,
            "class",
            "",
            (3.5 + max(map(len, table.index.map(short))) / 14 + 0.45 * len(table.columns), 1 + 0.2 * len(table)),
        )
        limit = table.abs().to_numpy().max() or 1
        image = axes.imshow(table, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
        axes.set_xticks(range(len(table.columns)), map(short, table.columns), rotation=90)
        axes.set_yticks(range(len(table)), map(short, table.index))
        axes.grid(visible=False)
        figure.colorbar(image, shrink=0.5)
        return figure
    label, values = table.columns[0], table.iloc[:, 0]
    figure, axes = new_axes(title, f"towards {short(label)} where positive", "", (6, 1 + 0.2 * len(table)))
    axes.barh(range(len(values)), values, color=np.where(values > 0, ORANGE, BLUE))
    axes.set_yticks(range(len(values)), map(short, values.index))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    return figure


def words(words: pd.DataFrame) -> Figure:
    """A bar for each word of a text, or value of a list, that matters most: what it adds to the log-odds.

    words is as `training.learnt.words` gives it, the first matter most. Of many classes, each has its words.
    """
    drawn = [part for _, part in words.groupby(["class", "column"], sort=False)][:PANELS]
    n_columns = min(3, len(drawn))
    drawn = [pd.concat([side.head(WORDS) for _, side in part.groupby(part["effect"] <= 0)]) for part in drawn]
    n_rows, n_bars = -(-len(drawn) // n_columns), max(map(len, drawn))
    figure = Figure(figsize=(3.4 * n_columns + 0.8, (0.6 + 0.19 * n_bars) * n_rows + 0.5))
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes, part in zip(panels, drawn, strict=False):
        ordered = part.sort_values("effect", ascending=False, kind="stable")
        axes.barh(range(len(ordered)), ordered["effect"], color=np.where(ordered["effect"] > 0, ORANGE, BLUE))
        axes.set_yticks(range(len(ordered)), [short(token, 24) for token in ordered["token"]])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_title(f"{short(part['column'].iloc[0], 24)}, towards {short(part['class'].iloc[0], 18)}", fontsize=9)
    for axes in panels[len(drawn) :]:
        axes.set_axis_off()
    figure.supxlabel("effect on the log-odds in a row that has it, on average", fontsize=9)
    figure.suptitle("words that raise and lower the odds", fontsize=11)
    return figure


def curves(curves: pd.DataFrame) -> Figure:
    """The log-odds along each number, with its band and the rows under it: the largest effects first.

    curves has class, feature, value, effect, lower, upper and rows, as `training.curves` gives it. The effect of a
    feature is the standard deviation of its curve over the training rows. Many classes have no bands.
    """

    def size(curve: pd.DataFrame) -> float:
        mean = np.average(curve["effect"], weights=curve["rows"])
        return float(np.sqrt(np.average((curve["effect"] - mean) ** 2, weights=curve["rows"])))

    sizes = {
        str(name): max(size(part) for _, part in rows.groupby("class")) for name, rows in curves.groupby("feature")
    }
    names = sorted(sizes, key=lambda name: -sizes[name])[:PANELS]
    labels = curves["class"].unique().tolist()
    n_columns = min(3, len(names))
    n_rows = -(-len(names) // n_columns)
    figure = Figure(figsize=(3.2 * n_columns + 0.6, 2.5 * n_rows + 0.4))
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        of_feature = curves[curves["feature"] == name]
        for colour, label in zip(colours(len(labels)), labels, strict=True):
            curve = of_feature[of_feature["class"] == label]
            axes.plot(curve["value"], curve["effect"], color=colour, label=short(label))
            if len(labels) == 1:
                axes.fill_between(curve["value"], curve["lower"], curve["upper"], color=colour, alpha=0.2, linewidth=0)
        axes.axhline(0, color=GREY, linewidth=0.8)
        below = axes.twinx()
        one_class = of_feature[of_feature["class"] == labels[0]]
        below.hist(one_class["value"], bins=40, weights=one_class["rows"], color=GREY, alpha=0.35)
        below.set(ylim=(0, 5 * below.get_ylim()[1]), yticks=[])
        below.grid(visible=False)
        axes.set_title(short(name, 30), fontsize=9)
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    figure.supylabel("effect on the log-odds" + (f" of {short(labels[0])}" if len(labels) == 1 else ""), fontsize=9)
    hidden = len(sizes) - len(names)
    more = f" (the {len(names)} largest effects of {len(sizes)})" if hidden else ""
    figure.suptitle(f"curves, with bands of 95 %{more}" if len(labels) == 1 else f"curves{more}", fontsize=11)
    if len(labels) > 1:
        add_legend(panels[min(n_columns, len(names)) - 1], len(labels))
    return figure


def pairs(cells: pd.DataFrame) -> Figure:
    """The effect of each pair on the log-odds, beside those of its columns alone: a heat map each, the largest first.

    cells has class, pair, first, second, effect and rows, as `training.surfaces` gives it. White has no rows. Of many
    classes, the one with the largest effect of each pair is shown.
    """

    def size(part: pd.DataFrame) -> float:
        return float(np.sqrt(np.average(part["effect"] ** 2, weights=part["rows"])))

    sizes: dict[tuple[str, str], float] = {
        (str(key[0]), str(key[1])): size(part) for key, part in cells.groupby(["pair", "class"], sort=False)
    }
    largest: dict[str, str] = {}
    for name, label in sorted(sizes, key=lambda key: -sizes[key]):
        largest.setdefault(name, label)
    drawn = list(largest.items())[:SURFACES]
    n_columns = min(3, len(drawn))
    n_rows = -(-len(drawn) // n_columns)
    figure = Figure(figsize=(3.6 * n_columns + 0.4, 3.1 * n_rows + 0.5))
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    limit = max(float(cells["effect"].abs().quantile(0.99)), 1e-9)
    for axes, (name, label) in zip(panels, drawn, strict=False):
        part = cells[(cells["pair"] == name) & (cells["class"] == label)]
        first, second = name.split(" x ", 1)
        grid = part.pivot(index="first", columns="second", values="effect")  # noqa: PD010
        grid = grid.reindex(index=part["first"].unique(), columns=_in_order(part["second"]))
        image = axes.imshow(grid, cmap="cividis", vmin=-limit, vmax=limit, aspect="auto", origin="lower")
        for axis, labels in ((axes.yaxis, grid.index), (axes.xaxis, grid.columns)):
            some = np.unique(np.linspace(0, len(labels) - 1, min(5, len(labels))).round().astype(int))
            axis.set_ticks(some, [short(labels[k], 12, 1) for k in some])
        axes.tick_params(axis="x", rotation=30)
        axes.set_ylabel(short(first, 24))
        axes.set_xlabel(short(second, 24))
        axes.grid(visible=False)
        if len(cells["class"].unique()) > 1:
            axes.set_title(short(label, 24), fontsize=9)
    for axes in panels[len(drawn) :]:
        axes.set_axis_off()
    figure.colorbar(image, ax=panels.tolist(), shrink=0.5, label="effect on the log-odds")
    hidden = len(largest) - len(drawn)
    figure.suptitle(f"pairs{f' (the {len(drawn)} largest effects of {len(largest)})' if hidden else ''}", fontsize=11)
    return figure


def _in_order(names: pd.Series) -> list[Any]:
    """Distinct names, numbers by value, before others."""
    distinct = pd.Series(names.unique())
    place = np.argsort(pd.to_numeric(distinct, errors="coerce").to_numpy(), kind="stable")
    return distinct.iloc[place].tolist()

"""What all pictures share: size, colours, legends, names; and how they are saved."""

import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
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


def by_iteration(axes: Axes) -> None:
    """Logarithmic axes, the iterations with 0."""
    axes.set_xscale("symlog", linthresh=1, linscale=0.3)
    axes.set_xlim(left=0)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


def model_labels(table: pd.DataFrame) -> list[str]:
    """A name for each row of evaluation's scores.csv."""
    return [
        model if rows == "test" else f"{model} ({rows} rows)"
        for model, rows in table[["model", "rows"]].itertuples(index=False)
    ]


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

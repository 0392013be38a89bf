"""What a reader finds in the pictures: titles, legends, axes. The oracle is scikit-learn, or the data drawn."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, roc_auc_score

from pipeline.figures import drawing, performance, sweeps
from pipeline.scores import curves


def predictions(n_classes: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    names = [f"class {k}" for k in range(n_classes)]
    P = rng.dirichlet(np.ones(n_classes), 400)
    actual = np.array([rng.choice(names, p=p) for p in P])
    columns = {f"probability_{name}": p for name, p in zip(names, P.T, strict=True)}
    return pd.DataFrame({"actual": actual, "predicted": np.array(names)[P.argmax(axis=1)], **columns})


def texts(figure: Figure) -> list[str]:
    legends = [legend for axes in figure.axes if (legend := axes.get_legend())] + figure.legends
    return [text.get_text() for legend in legends for text in legend.get_texts()]


def test_the_legends_of_the_curves_have_the_areas_of_scikit_learn() -> None:
    table = predictions(2)
    drawn, start = curves.curves(table, "class 1"), curves.curves(predictions(2, seed=1), "class 1")
    is_class, probability = table["actual"] == "class 1", table["probability_class 1"]
    shown = texts(performance.roc(drawn["roc"], start["roc"]))
    assert f"class 1: area {roc_auc_score(is_class, probability):.3f}" in shown
    assert {"random start", "class shares"} <= set(shown)
    figure = performance.precision_recall(drawn["precision_recall"], start["precision_recall"])
    assert f"class 1: average {average_precision_score(is_class, probability):.3f}" in texts(figure)
    level = next(line for line in figure.axes[0].lines if line.get_label() == "class shares")
    assert level.get_ydata()[0] == pytest.approx(is_class.mean())


@pytest.mark.parametrize("name", ["roc", "precision_recall", "calibration"])
def test_many_classes_have_a_panel_each_and_few_share_one(name: str) -> None:
    many = curves.curves(predictions(10), "class 0")[name]
    figure = getattr(performance, name)(many)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert [title.split(":")[0] for title in titles] == [f"class {k}" for k in range(10)]
    few = getattr(performance, name)(curves.curves(predictions(3), "class 0")[name])
    assert len(few.axes) == 1
    assert {label.split(":")[0] for label in texts(few)} >= {"class 0", "class 1", "class 2"}
    styles = {line.get_linestyle() for line in few.axes[0].lines if line.get_label().startswith("class ")}
    assert len(styles) >= 3  # they differ without colours, too


def test_titles_begin_with_the_name_of_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: seen.append(self))
    table = predictions(2)
    drawn = curves.curves(table, "class 1")
    for name in ("roc", "gain"):
        drawing.save(getattr(performance, name), tmp_path / f"{name}.png", "penguins", curve=drawn[name])
    drawing.save(performance.confusion, tmp_path / "c.png", "penguins", matrix=pd.DataFrame([[1, 2], [3, 4]]))
    many = curves.curves(predictions(6), "class 0")["roc"]
    drawing.save(performance.roc, tmp_path / "many.png", "penguins", curve=many)
    for figure in seen:
        title = figure.get_suptitle() or figure.axes[0].get_title(loc="left")
        assert title.startswith("penguins")


def test_iterations_begin_with_zero_and_are_called_that() -> None:
    costs = pd.DataFrame({"iteration": [0, 1, 2], "cost": [0.7, 0.5, 0.4]})
    drawn_curves = costs.assign(learning_rate=0.1)
    for figure in (performance.costs(costs), sweeps.learning_rates(drawn_curves, 0.1)):
        (axes,) = figure.axes
        assert axes.get_xlabel() == "iteration"
        assert axes.lines[0].get_xdata()[0] == axes.get_xlim()[0] == 0


def test_paths_of_several_classes_have_one_legend_with_a_colour_per_feature() -> None:
    rows = [
        (f"class {c}", f"feature {f}", penalty, f * c + penalty)
        for c in range(3)
        for f in range(4)
        for penalty in (0.1, 1.0)
    ]
    figure = sweeps.coefficient_paths(pd.DataFrame(rows, columns=["class", "feature", "lambda", "weight"]), 0.1)
    assert set(texts(figure)) == {f"feature {f}" for f in range(4)}
    for f in range(4):
        colours = {
            line.get_color() for axes in figure.axes for line in axes.lines if line.get_label() == f"feature {f}"
        }
        assert len(colours) == 1


def test_long_names_are_wrapped_and_only_very_long_ones_cut() -> None:
    name = "number of months since the customer last called the service"
    assert drawing.short(name).replace("\n", " ") == name
    assert all(len(line) <= 40 for line in drawing.short(name).split("\n"))
    assert drawing.short(name * 3).endswith("…")

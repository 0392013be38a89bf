"""Claims about the pictures, read from matplotlib's objects."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, roc_auc_score

from pipeline import figures
from pipeline.figures import sweeps
from pipeline.scores import curves

LONG = "the share of the household's income that is spent on rent and on everything that comes with it"


def predictions(n_classes: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    names = [f"class {k}" for k in range(n_classes)]
    P = rng.dirichlet(np.ones(n_classes), 200)
    actual = [names[rng.choice(n_classes, p=p)] for p in P]
    table = pd.DataFrame({"actual": actual, "predicted": [names[k] for k in P.argmax(axis=1)]})
    return table.assign(**{f"probability_{name}": P[:, k] for k, name in enumerate(names)})


def legend(axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def drawn(figure: Figure) -> list:
    return [axes for axes in figure.axes if axes.axison and axes.get_visible()]


@pytest.mark.parametrize("kind", ["roc", "scores"], ids=["a title above all panels", "titles of panels, too"])
def test_the_name_of_the_data_set_is_below_the_title(kind):
    if kind == "roc":
        curve = curves(predictions(2), "class 1")["roc"]
        figure = figures.roc(curve, curve)
    else:
        table = pd.DataFrame({"model": ["trained", "prior"], "rows": "test", "accuracy": 0.9, "log_loss": 0.1})
        ends = {f"{name}_{end}": 0.5 for name in ("accuracy", "log_loss") for end in ("lower", "upper")}
        figure = figures.scores(table.assign(**ends))
    title = figure.get_suptitle()
    figures.add_name(figure, "penguins")
    assert figure.get_suptitle() == f"{title}\npenguins"


def test_a_single_picture_has_the_name_in_its_own_title():
    figure = figures.class_balance(pd.DataFrame({"class": ["a", "b"], "rows": [3, 1]}), "Classes of 4 rows")
    figures.add_name(figure, "penguins")
    with_style = [figure.axes[0].get_title(loc=place) for place in ("left", "center")]
    assert "penguins" in "".join(with_style)


def test_roc_and_precision_have_the_areas_of_scikit_learn_beside_those_of_the_start_and_the_prior():
    now, before = predictions(2), predictions(2, seed=1)
    after, start = curves(now, "class 1"), curves(before, "class 1")
    for name, area, prior in (
        ("roc", roc_auc_score, "prior, AUC 0.5"),
        ("precision_recall", average_precision_score, f"prior, AP {(now['actual'] == 'class 1').mean():.3f}"),
    ):
        (axes,) = getattr(figures, name)(after[name], start[name]).axes
        texts = legend(axes)
        for text, rows in zip(texts, (now, before), strict=False):
            assert text.endswith(f"{area(rows['actual'] == 'class 1', rows['probability_class 1']):.3f}")
        assert texts[2] == prior


@pytest.mark.parametrize("name", ["roc", "precision_recall", "calibration"])
def test_ten_classes_have_a_panel_each(name):
    curve = curves(predictions(10), "class 1")[name]
    start = {} if name == "calibration" else {"start": curve}
    panels = drawn(getattr(figures, name)(curve, **start))
    assert len(panels) == 10
    assert all(any(text.startswith(f"class {k}") for text in legend(axes)) for k, axes in enumerate(panels))


def test_costs_are_drawn_over_their_iterations_from_the_first():
    for n in (8, 5000):
        (axes,) = figures.costs(pd.DataFrame({"iteration": range(n), "cost": np.geomspace(1, 0.1, n)})).axes
        assert axes.lines[0].get_xdata()[0] == 0
        assert axes.get_xlim() == (0, n - 1)
        assert axes.get_xlabel() == "iteration"
        assert axes.get_xscale() == ("linear" if n == 8 else "symlog")


def test_long_names_are_wrapped_not_cut():
    assert figures.wrapped(LONG).replace("\n", " ") == LONG
    weights = pd.DataFrame({"feature": [LONG, "b"], "class": "yes", "weight_per_standard_deviation": [1.0, -0.5]})
    (axes,) = figures.weights(weights).axes
    assert axes.get_yticklabels()[0].get_text().replace("\n", " ") == LONG
    (axes,) = figures.class_balance(pd.DataFrame({"class": [LONG, "b"], "rows": [3, 1]}), "rows").axes
    assert axes.get_yticklabels()[0].get_text().replace("\n", " ") == LONG


@pytest.mark.parametrize("n_classes", [1, 3])
def test_paths_of_weights_have_one_legend_whose_colours_mean_the_same_in_all_panels(n_classes):
    rng = np.random.default_rng(0)
    labels, features, lambdas = [f"class {k}" for k in range(n_classes)], list("abcdefghijkl"), [0.01, 0.1, 1.0]
    index = pd.MultiIndex.from_product([lambdas, labels, features], names=["lambda", "class", "feature"])
    weights = pd.Series(rng.normal(size=len(index)), index, name="weight").reset_index()
    figure = sweeps.coefficient_paths(weights, 0.1)
    (names,) = ([text.get_text() for text in one.get_texts()] for one in figure.legends)
    largest = weights["weight"].abs().groupby(weights["feature"]).max().nlargest(sweeps.NAMED).index.tolist()
    assert names == [*largest, "chosen: 0.1"]
    colours = [
        {line.get_label(): line.get_color() for line in axes.lines if line.get_label() in largest}
        for axes in drawn(figure)
    ]
    assert len(colours) == n_classes
    assert all(one == colours[0] for one in colours)

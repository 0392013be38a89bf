import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from pipeline.columns import profile
from pipeline.columns.dataset import bundled
from pipeline.columns.roles import decide
from pipeline.config import Explore
from pipeline.figures import data, drawing
from pipeline.stages import explore


@pytest.fixture(scope="module")
def wine():
    return bundled("wine")


def test_the_embedding_keeps_neighbours_together(wine):
    embedding = explore.embed(wine, Explore(rows=1000, perplexity=20, seed=0))
    assert len(embedding) == len(wine)
    neighbours = KNeighborsClassifier(5).fit(embedding[["x", "y"]], embedding["class"])
    assert neighbours.score(embedding[["x", "y"]], embedding["class"]) > 0.9


def test_many_rows_are_sampled_with_the_seed(wine):
    first, again = (explore.embed(wine, Explore(rows=60, perplexity=5, seed=4)) for _ in range(2))
    assert len(first) == 60
    pd.testing.assert_frame_equal(first, again)


def test_a_perplexity_too_large_for_the_rows_is_lowered_with_a_warning(wine):
    with pytest.warns(UserWarning, match=r"explore\.perplexity = 30 is too much for 10 rows; 3 is used"):
        assert len(explore.embed(wine, Explore(rows=10, perplexity=30, seed=0))) == 10


def test_rows_of_strings_dates_and_missing_cells_are_embedded_and_drawn(tmp_path):
    table = pd.DataFrame({"colour": ["red", "blue", None] * 20, "size": [1.0, np.nan, 3.0] * 20, "y": list("aab") * 20})
    table.insert(0, "sold", pd.date_range("2024-01-01", periods=60, unit="us"))
    table = table.astype({"colour": "str", "y": "str"})
    embedding = explore.embed(table, Explore(rows=30, perplexity=5, seed=0))
    assert np.isfinite(embedding[["x", "y"]]).all(axis=None)
    roles = decide(table, "y")
    bars, report = profile.distributions(table, roles, "y"), profile.describe(table, roles, "y")
    drawing.save(data.columns, tmp_path / "columns.png", bars=bars, report=report)
    assert (tmp_path / "columns.png").read_bytes()[:4] == b"\x89PNG"


def test_names_with_mathematical_signs_and_the_first_and_last_dates_are_drawn(tmp_path):
    table = pd.DataFrame({"price ($) of $x_": [1.0, 2.0, 3.0] * 20, "level": ["$5", "$x^2$", "a_{"] * 20})
    table["until"] = pd.to_datetime(["9999-12-31", "0001-01-01", "2024-01-01"] * 20, format="ISO8601")
    table = table.assign(y=["$a_$", "$", "c"] * 20).astype({"level": "str", "y": "str"})
    roles = decide(table, "y")
    bars, report = profile.distributions(table, roles, "y"), profile.describe(table, roles, "y")
    drawing.save(data.columns, tmp_path / "columns.png", bars=bars, report=report)
    drawing.save(data.class_balance, tmp_path / "balance.png", counts=explore.class_balance(table), title="$")
    points = pd.DataFrame({"x": 1.0, "y": 2.0, "class": table["y"]})
    drawing.save(data.points, tmp_path / "points.png", table=points, title="$x_$")
    assert len(list(tmp_path.glob("*.png"))) == 3


def test_class_balance_counts_the_rows(wine):
    assert dict(explore.class_balance(wine).to_numpy()) == {"class_0": 59, "class_1": 71, "class_2": 48}


def test_the_logistic_curve_runs_from_minus_ten_to_ten():
    curve = explore.logistic_curve()
    assert (curve["r"].min(), curve["r"].max()) == (-10, 10)
    np.testing.assert_allclose(curve["probability"], 1 / (1 + np.exp(-curve["r"])), rtol=1e-12)

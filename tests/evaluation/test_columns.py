"""What the page shows of columns and rows. The oracle is `Model.contributions`, summed up by pandas."""

import numpy as np
import pandas as pd
import pytest
from conftest import train_params

from pipeline.evaluation import columns
from pipeline.model import Model
from pipeline.reading import CellFormat
from pipeline.training import fit


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """A column of each type, some with missing cells, and categories with names that are HTML, or many."""
    rng, n = np.random.default_rng(0), 600
    x = rng.normal(size=n).round(3)
    frame = {
        "x": pd.Series(np.where(rng.random(n) < 0.1, np.nan, x)),
        "flag": pd.Series(rng.integers(0, 2, n).astype(float)),
        "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 500, n), unit="D"),
        "colour": pd.Series(rng.choice(["red", "<b>", "blue"], n), dtype="str").mask(rng.random(n) < 0.1),
        "town": pd.Series([f"town {k}" for k in rng.integers(0, 30, n)], dtype="str"),
    }
    y = np.where(2 * x + rng.logistic(size=n) > 1, "yes", "no")
    return pd.DataFrame({**frame, "y": pd.Series(y, dtype="str")})


def trained(table: pd.DataFrame, **changes: object) -> Model:
    settings = train_params(optimizer="newton", learning_rate="auto", features="curves", **changes)
    return fit.train(table, settings, CellFormat()).model


NAMES = ["x", "flag", "day", "colour", "town"]


def test_the_rows_of_each_column_have_the_mean_of_their_contributions(table: pd.DataFrame) -> None:
    model = trained(table)
    sample = columns.sampled(model, table)
    shown = {part.name: part for part in columns.explained(model, sample, NAMES, None, None)}
    assert list(shown) == NAMES
    added = model.contributions(table.drop(columns="y"))[:, model.design.groups.index(("colour",)), 0]
    by_colour = pd.Series(added).groupby(table["colour"].fillna("(missing)")).mean()
    assert {row[0]: row[3] for row in shown["colour"].rows} == {
        name: f"{value:+.2f}" for name, value in by_colour.items()
    }
    for part in shown.values():
        assert sum(int(row[1]) for row in part.rows) == len(table)
    assert shown["x"].rows[0][0].startswith(f"{table['x'].min():g} to ")
    assert shown["x"].rows[-1][0] == "(missing)"
    assert shown["day"].rows[0][0].startswith("2024-01-01 to ")
    assert len(shown["town"].rows) == columns.LISTED + 1
    assert "&lt;b&gt;" in shown["colour"].picture


def test_the_mistakes_are_those_of_the_least_probability_and_the_reasons_speak_for_the_prediction(
    table: pd.DataFrame,
) -> None:
    model = trained(table)
    decided, P = model.decide(table.drop(columns="y"))
    predictions = pd.DataFrame({"actual": table["y"], "predicted": decided, "probability_no": P[:, 0]})
    predictions["probability_yes"] = P[:, 1]
    rows = columns.surest_mistakes(model, table, predictions)
    of_actual = np.where(table["y"] == "yes", P[:, 1], P[:, 0])
    wrong = np.flatnonzero(table["y"] != decided)
    assert [int(row[0]) - 1 for row in rows] == wrong[np.argsort(of_actual[wrong])][:5].tolist()
    for row in rows:
        place = int(row[0]) - 1
        added = model.contributions(table.drop(columns="y").iloc[[place]])[0, :, 0]
        largest = (added if decided[place] == "yes" else -added).max()
        assert f"({largest:+.2f})" in row[4].split(";")[0]


def test_a_model_without_mistakes_has_none_and_many_classes_have_a_line_each(table: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    many = table.assign(y=pd.Series(rng.choice(["a", "b", "c"], len(table)), dtype="str"))
    model = trained(many)
    sample = columns.sampled(model, many)
    for part in columns.explained(model, sample, NAMES, None, None):
        assert " to " in part.rows[0][3]  # which class it speaks for
    decided, P = model.decide(many.drop(columns="y"))
    predictions = pd.DataFrame({"actual": decided, "predicted": decided})
    predictions[["probability_a", "probability_b", "probability_c"]] = P
    assert columns.surest_mistakes(model, many, predictions) == []

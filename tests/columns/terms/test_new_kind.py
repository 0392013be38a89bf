"""A new kind of column is one class: weights, pictures, contributions, predictions and the saved model follow."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import train_params

from pipeline import model
from pipeline.columns.terms import Settings, Term, design
from pipeline.columns.terms.fields import Fields
from pipeline.columns.terms.term import Effects, Map, Piece, Rows
from pipeline.figures import learnt as pictures
from pipeline.reading import CellFormat
from pipeline.training import fit, learnt


class Length(Term):
    """The length of a string."""

    kind = "length"
    n_dense = 1

    def __init__(self, column: str) -> None:
        self.columns = (column,)

    @classmethod
    def fit(cls, table, settings, earlier):
        return [cls(name) for name in table.select_dtypes("str").columns]

    @property
    def name(self):
        return f"length of {self.columns[0]}"

    def encode(self, table) -> Piece:
        return Piece([table[self.columns[0]].str.len().fillna(0).to_numpy(float)])

    def features(self, rows: Rows, settings: Settings) -> Map:
        zero, one = np.zeros(1), np.ones(1)
        deviation = rows.dense(self.dense).std(keepdims=True)
        return Map([self.name], np.array([self.dense]), np.zeros(1, int), one, zero, one, deviation)

    def effects(self) -> Effects:
        lengths = np.arange(1.0, 9.0)
        return Effects(pd.DataFrame({"value": lengths}), [(self, Piece([lengths]))])

    def state(self):
        return {"column": self.columns[0]}

    @classmethod
    def restored(cls, state: Fields, earlier) -> "Length":
        return cls(state.text("column"))


@pytest.fixture
def trained(monkeypatch):
    monkeypatch.setattr(design, "KINDS", (*design.KINDS, Length))
    rng, n = np.random.default_rng(0), 3_000
    length, age = rng.integers(1, 9, n), rng.normal(size=n)
    words = ["".join(rng.choice(list("abc"), k)) for k in length]
    y = np.where(0.8 * (length - 4.5) + age + rng.logistic(size=n) > 0, "yes", "no")
    table = pd.DataFrame({"word": words, "age": age, "y": y}).astype({"word": "str", "y": "str"})
    params = train_params(min_rows=n, optimizer="newton", learning_rate="auto", **{"lambda": 1e-4})
    return table, fit.train(table, params, CellFormat())


@pytest.mark.filterwarnings("ignore:every category")
def test_a_new_kind_shows_up_in_weights_pictures_contributions_predictions_and_the_saved_model(trained, tmp_path: Path):
    table, model_of_words = trained
    weights = learnt.weights(model_of_words).set_index("feature")
    assert weights.loc["length of word", "weight_per_unit"] == pytest.approx(0.8, abs=0.1)
    cells = learnt.effects_of_cells(model_of_words, "feature", {})
    assert cells["feature"].unique().tolist() == ["length of word"]
    assert cells["rows"].tolist() == table["word"].str.len().value_counts().sort_index().tolist()
    np.testing.assert_allclose(np.diff(cells["effect"]), weights.loc["length of word", "weight_per_unit"], rtol=1e-6)
    assert [axes.get_title() for axes in pictures.curves(cells).axes if axes.get_title()] == ["length of word"]
    X = pd.DataFrame({"word": ["a", "abcabcab"], "age": [0.0, 0.0]}).astype({"word": "str"})
    of_words = model_of_words.model.contributions(X)[:, model_of_words.model.design.groups.index(("word",)), 0]
    margins = model_of_words.model.margins(X)
    assert of_words[1] - of_words[0] == pytest.approx(7 * weights.loc["length of word", "weight_per_unit"], rel=1e-6)
    assert margins[1] - margins[0] == pytest.approx(of_words[1] - of_words[0])
    model.save(model_of_words.model, tmp_path / "model.json")
    np.testing.assert_array_equal(
        model.load(tmp_path / "model.json").probabilities(X), model_of_words.model.probabilities(X)
    )

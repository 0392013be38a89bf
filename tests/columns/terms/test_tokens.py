"""Texts and lists: a feature for each word, or for each value."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import train_params
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import MultiLabelBinarizer

from pipeline import compute, model
from pipeline.columns import roles
from pipeline.columns.target import with_target
from pipeline.columns.terms import Design, Features, Settings, prepare
from pipeline.columns.terms.lists import delimiter
from pipeline.columns.terms.tokens import split_words
from pipeline.errors import UserError
from pipeline.evaluation import drift
from pipeline.logistic.matrix import Matrix, margins
from pipeline.reading import CellFormat
from pipeline.training import fit

WORDS = ["refund", "broken", "late", "great", "love", "fits", "well", "again", "never", "soon", "box", "shop"]


def texts(n=400, seed=0):
    """Rows of five words, one a number, and the class in the words `refund` and `broken`."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(WORDS, (n, 5))
    z = 2 * ((chosen == "refund") | (chosen == "broken")).sum(axis=1) - 1
    y = np.where(z + rng.logistic(size=n) > 0, "return", "keep")
    cells = [" ".join(row) for row in chosen]
    return pd.DataFrame({"review": cells, "stars": rng.normal(size=n), "y": y}).astype({"review": "str", "y": "str"})


def lists(n=300, delimiter=";", template="{}", seed=0):
    rng, values = np.random.default_rng(seed), ["python", "sql", "aws", "excel", "spark"]
    cells = [delimiter.join(rng.permutation(values)[: rng.integers(0, 4)]) for _ in range(n)]
    return pd.Series([template.format(cell) for cell in cells], name="skills", dtype="str")


def split(text: str) -> list[str]:
    return split_words(pa.array([text], pa.large_string()))[1].to_pylist()


@pytest.mark.parametrize("pairs", [False, True])
def test_words_are_those_of_a_tfidf_vectorizer(pairs):
    table = texts()[["review"]]
    _, features, Z = prepare(table, Settings(tokens={"review": "text"}, word_pairs=pairs))
    for n, used in ((1, slice(len(WORDS))), (2, slice(len(WORDS), None)))[: 1 + pairs]:
        theirs = TfidfVectorizer(ngram_range=(n, n), min_df=2)
        expected = theirs.fit_transform(table["review"]).toarray()
        names = [f"review: {name}" for name in theirs.get_feature_names_out()]
        assert sorted(features.names[used]) == sorted(names)
        order = [names.index(name) for name in features.names[used]]
        np.testing.assert_allclose(Z.toarray()[:, used], expected[:, order], atol=1e-8)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't STOP, it\N{RIGHT SINGLE QUOTATION MARK}s 5 o'clock!", ["don't", "stop", "it's", "5", "o'clock"]),
        ("'quoted' --- words''", ["quoted", "words"]),
        ("Größe señor naïve", ["größe", "señor", "naïve"]),
        ("Это не то", ["это", "не", "то"]),
        ("很好 OK", ["很", "好", "ok"]),
        ("とても", ["と", "て", "も"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("win £1000 \N{GRINNING FACE}!", ["win", "£", "1000", "\N{GRINNING FACE}"]),
        ("", []),
        (" ... ", []),
    ],
)
def test_words_of_any_language(text, words):
    assert split(text) == words


def test_a_fold_has_the_words_that_its_own_rows_have():
    table = texts(40)[["review"]]
    table.loc[[0, 1, 2], "review"] = "unusual thing"
    design = Design.fit(table, settings := Settings(tokens={"review": "text"}))
    rows = np.arange(2, 40)
    names = Features(design, Matrix(design.blocks(table, [rows])), settings).names
    assert "review: unusual" in Features(design, Matrix([design.block(table)]), settings).names
    assert "review: unusual" not in names


def test_the_most_frequent_words_are_kept_and_new_ones_count_as_none():
    table = texts()[["review"]]
    design, features, _ = prepare(table, Settings(tokens={"review": "text"}, words=3))
    counts = pd.Series(" ".join(table["review"]).split()).value_counts()
    assert len(features.names) == 3
    seen = {word: sum(word in cell.split() for cell in table["review"]) for word in WORDS}
    assert {name.removeprefix("review: ") for name in features.names} == set(sorted(seen, key=lambda w: -seen[w])[:3])
    assert counts.min() > 0
    new = pd.DataFrame({"review": ["entirely unseen", None, ""]}).astype("str")
    assert design.block(new).counts.nnz == 0


def test_a_penalty_of_a_quarter_is_twice_the_feature():
    table = texts()[["review"]]
    X, Z = (
        prepare(table, Settings(tokens={"review": "text"}, words_penalty=penalty))[2].toarray() for penalty in (1, 0.25)
    )
    np.testing.assert_allclose(Z, 2 * X)


@pytest.fixture(scope="module")
def trained():
    table = texts()
    table["skills"] = lists(len(table)).replace("", None)
    table.loc[::9, ["review", "skills"]] = None
    params = train_params(optimizer="newton", learning_rate="auto", **{"lambda": 1e-3})
    return table, fit.train(
        table[["review", "stars", "skills", "y"]], params.of_tokens({"review": "text", "skills": "list"}), CellFormat()
    )


def test_a_saved_model_of_words_and_lists_predicts_the_same(trained, tmp_path):
    table, training = trained
    model.save(training.model, tmp_path / "model.json")
    loaded = model.load(tmp_path / "model.json")
    raw = table[["review", "stars", "skills"]].astype(object)
    before, after = (each.probabilities(each.read(raw)) for each in (training.model, loaded))
    np.testing.assert_allclose(before, after, rtol=1e-12)
    P = training.fitted.predict_proba(training.rows)
    np.testing.assert_allclose(before, P, atol=1e-7)


def test_contributions_add_up_and_name_the_words(trained):
    fitted = trained[1].model
    frame = fitted.read(
        pd.DataFrame({"review": ["refund, please: broken", "great"], "stars": 0.0, "skills": "sql;aws"})
    )
    contributions, margins = fitted.contributions(frame).sum(axis=(1, 2)), fitted.sign * fitted.margins(frame)
    np.testing.assert_allclose(np.diff(contributions), np.diff(margins), atol=1e-7)
    told = fitted.words(frame, 0)["review",]
    assert told[0].startswith(("review: refund +", "review: broken +"))
    assert fitted.words(fitted.read(pd.DataFrame({"review": ["zzz"]})), 0)["review",] == [
        "review: nothing that training had"
    ]


def test_rows_that_are_served_may_have_lists_for_strings(trained):
    _, training = trained
    fitted = training.model
    cells = [["sql", "aws"], ["excel"], None]
    raw = pd.DataFrame({"review": "great", "stars": 0.0, "skills": pd.Series(cells, dtype=object)})
    as_text = raw.assign(skills=["sql;aws", "excel", ""])
    np.testing.assert_allclose(*(fitted.probabilities(fitted.read(rows)) for rows in (raw, as_text)))


def test_later_texts_of_the_same_words_have_not_changed_and_other_words_have(trained):
    table, training = trained
    fitted, X = training.model, table[["review", "stars", "skills", "y"]]
    P = fitted.probabilities(X)[:, 1]
    predictions = pd.DataFrame({f"probability_{fitted.positive_class}": P})
    judged = pd.DataFrame({"model": ["trained"], "rows": ["test"]})
    before = drift.reference(fitted, X, predictions, judged, "t")

    def of(review):
        watch = drift.Watch(fitted, before)
        watch.add(X.assign(review=review)[["review", "stars", "skills"]], None)
        return watch.changes().set_index("column").loc["review", "changed"]

    assert not of(texts(seed=1)["review"].where(X["review"].notna()))
    assert of(pd.Series(["box shop soon"] * len(X), dtype="str"))


@pytest.mark.parametrize(
    ("mark", "template", "found"),
    [
        (";", "{}", ";"),
        ("; ", "{}", ";"),
        (", ", "{}", ","),
        (",", "{}", ","),
        ("|", "{}", "|"),
        ("\n", "{}", "\n"),
        (", ", "[{}]", "[]"),
        ("', '", "['{}']", "[]"),
        ('","', '["{}"]', "[]"),
        ("' '", "['{}']", "[]"),
    ],
)
def test_lists_are_found_and_have_a_feature_for_each_value(mark, template, found):
    cells, plain = lists(delimiter=mark, template=template), lists()
    assert delimiter(cells) == found
    _, features, Z = prepare(cells.to_frame(), Settings(tokens={"skills": "list"}))
    binarizer = MultiLabelBinarizer()
    expected = binarizer.fit_transform([[value for value in cell.split(";") if value] for cell in plain])
    is_value = [not name.endswith("is missing") for name in features.names]
    assert [name.removeprefix("skills: ") for name in features.names[is_value]] == list(binarizer.classes_)
    np.testing.assert_array_equal(Z.toarray()[:, is_value], expected)


NAMES = ["Smith, John", "Jones, Mary", "Brown, Ann", "Smith, Mary", "Jones, John", "Brown, John"]
PLACES = ["Boston, MA", "Springfield, MA", "Albany, NY", "Springfield, IL", "Chicago, IL", "Buffalo, NY"]


@pytest.mark.parametrize(
    "cells",
    [
        NAMES,
        PLACES,
        ["1,5", "2,7", "1,7", "3,5", "2,5", "3,7"],
        ["I liked it, really, and so did we", "no, not at all, sorry", "well, well", "ok", "fine, thanks", "bad, bad"],
        ["Married, spouse present", "Never married", "Married, spouse absent", "Divorced", "Widowed", "Separated"],
        ["Mon, 3 May 2021", "Tue, 4 May 2021", "Wed, 5 May 2021", "Thu, 6 May 2021", "Fri, 7 May 2021", "x"],
        ["(a)", "(b)", "c", "d", "e", "f"],
        ["red", "green", "blue", "black", "white", "grey"],
        [],
    ],
)
def test_cells_with_commas_that_are_no_lists(cells):
    assert delimiter(pd.Series(cells * 20, dtype="str")) is None


def test_texts_and_lists_are_found_and_the_way_back_is_printed():
    table = texts()
    table["skills"] = lists(len(table), ", ")
    decided = roles.decide(table, "y").set_index("column")
    assert decided.loc[["review", "skills"], "role"].tolist() == ["text", "list"]
    for name in ("review", "skills"):
        assert f"data.roles.{name}=categorical" in decided.loc[name, "reason"]
        assert roles.decide(table, "y", {name: "categorical"}).set_index("column").loc[name, "role"] == "categorical"


def test_a_target_of_several_labels_is_an_error_whose_way_out_works():
    table = pd.DataFrame({"x": np.arange(300.0), "tags": lists(300, "; ")})
    table.loc[0, "tags"] = "rare; sql; aws; excel; python"  # a class of one row
    with pytest.raises(UserError, match="several labels") as error:
        with_target(table, "tags")
    step = str(error.value).split("with pandas, ")[1].split("; then set")[0]
    exec(step, {"table": table})
    name = table.columns[-1]
    assert set(table[name]) == {"yes", "no"}
    with_target(table, name)


def test_a_target_of_few_combinations_is_a_warning():
    table = pd.DataFrame({"x": np.arange(300.0), "tags": (["a,b", "a", "b", "b,c", "c,a"] * 60)})
    with pytest.warns(UserWarning, match="several labels in 180 of 300 cells"):
        with_target(table.astype({"tags": "str"}), "tags")


def test_counts_in_files_give_the_same_bytes(tmp_path):
    table, settings = texts(), Settings(tokens={"review": "text"})
    design, _, Z = prepare(table[["review", "stars"]], settings)
    with compute.mapped_beyond(0, str(tmp_path)):
        mapped = Matrix([design.block(table)], Z.T)
    assert isinstance(mapped.blocks[0].dense, np.memmap)
    W = np.random.default_rng(0).normal(size=(Z.shape[1] + 1, 2))
    np.testing.assert_array_equal(margins(mapped, W), margins(Z, W))

import shlex
import uuid
import warnings

import numpy as np
import pandas as pd
import pytest

from pipeline import config
from pipeline.columns import roles
from pipeline.config import composition
from pipeline.errors import UserError

N = 40


@pytest.fixture
def frame():
    names = pd.Series([f"name{i}" for i in range(N)])
    return pd.DataFrame(
        {
            "row": np.arange(N, dtype=float),
            "customer_id": np.random.default_rng(0).permutation(1000)[:N].astype(float),
            "population": np.random.default_rng(1).permutation(9999)[:N].astype(float),
            "height": np.linspace(1.5, 2, N),
            "smoker": ["yes", "no"] * (N // 2),
            "flag": ["true", "false"] * (N // 2),
            "colour": ["red", "green", "blue", None] * (N // 4),
            "name": names,
            "note": names + " is a long remark " + names,
            "born": pd.date_range("2000-01-01", periods=N),
            "country": ["NL"] * N,
            "only_sometimes": ["x", None] * (N // 2),
            "nothing": np.full(N, np.nan),
            "site": ["a", "b"] * (N // 2),
            "target": ["0", "1"] * (N // 2),
        }
    )


def decided(frame, given=None):
    return roles.decide(frame, "target", given).set_index("column")["role"].to_dict()


def test_every_column_gets_the_role_that_a_user_would_give(frame):
    assert decided(frame) == {
        "row": "identifier",
        "customer_id": "identifier",
        "population": "numeric",
        "height": "numeric",
        "smoker": "boolean",
        "flag": "boolean",
        "colour": "categorical",
        "name": "identifier",
        "note": "text",
        "born": "date",
        "country": "constant",
        "only_sometimes": "categorical",
        "nothing": "empty",
        "site": "categorical",
        "target": "target",
    }


def test_every_role_has_a_reason(frame):
    table = roles.decide(frame, "target").set_index("column")
    assert (table["reason"].str.len() > 0).all()
    assert table.loc["country", "reason"] == "every cell is 'NL'"
    assert table.loc["name", "reason"] == "40 distinct strings in 40 cells"
    assert table.loc["note", "reason"].startswith("40 distinct strings in 40 cells, a feature for each word")
    assert table.loc["site", "reason"] == "strings, 2 distinct"
    assert table.loc["smoker", "reason"] == "'no' or 'yes'"
    assert table.loc["row", "reason"] == "consecutive whole numbers, one per row"
    assert table.loc["height", "reason"] == "numbers from 1.5 to 2"
    assert table.loc["born", "reason"] == "dates from 2000-01-01 to 2000-02-09"
    times = frame.assign(born=pd.date_range("1970-01-01 08:30", periods=N, freq="15min"))
    assert roles.decide(times, "target").set_index("column").loc["born", "reason"] == "times from 08:30 to 18:15"


def test_a_given_role_wins(frame):
    found = decided(frame, given={"population": "categorical", "smoker": "drop", "row": "numeric"})
    assert (found["population"], found["smoker"], found["row"]) == ("categorical", "drop", "numeric")


def test_features_are_the_columns_with_feature_roles(frame):
    table = roles.decide(frame, "target")
    assert set(roles.features(table)) == {
        *("population", "height", "smoker", "flag", "colour", "born", "only_sometimes", "site", "note")
    }


def test_the_target_alone_is_one_message(frame):
    with pytest.raises(UserError, match=r"The target 'target' is the only column. Keep at least one feature"):
        decided(frame[["target"]])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hight": "numeric"}, r"data.roles has no column 'hight'. Did you mean 'height'\?"),
        ({"target": "numeric"}, r"'target' is data.target"),
    ],
)
def test_a_given_role_that_cannot_be_is_one_message(frame, given, message):
    with pytest.raises(UserError, match=message):
        decided(frame, given)


def test_without_a_feature_the_message_shows_the_role_of_each_column(frame):
    message = r"No column is left .*row: identifier, consecutive .*; country: constant.*-S \+\+data.roles.row=numeric"
    with pytest.raises(UserError, match=message):
        decided(frame[["row", "country", "target"]])


def role_of(name, values, n=N):
    """The role of a column beside a feature and a target."""
    frame = pd.DataFrame({"x": np.linspace(0, 1, n) ** 2, name: values, "y": (["a", "b"] * n)[:n]})
    row = roles.decide(frame, "y").set_index("column").loc[name]
    return row["role"], row["reason"]


UNIQUE = np.random.default_rng(2).permutation(10**6)[:N].astype(float)


@pytest.mark.parametrize(
    "name",
    [
        *("CustomerNumber", "customerID", "userid", "id_client", "ID_order", "PassengerId", "member_num", "InvoiceNo"),
        *("Policy Nr.", "Ssn", "telephone", "cell_phone", "bank account", "UUID", "row", "Student No", "record_idx"),
    ],
)
def test_different_whole_numbers_with_the_name_of_an_identifier_are_one(name):
    assert role_of(name, UNIQUE)[0] == "identifier"


@pytest.mark.parametrize(
    "name",
    [
        "population",
        "number_of_rooms",
        "no_of_claims",
        "idle_time",
        "humidity",
        "account_balance",
        "paid",
        "numbers",
        "3",
    ],
)
def test_different_whole_numbers_with_another_name_are_a_feature(name):
    assert role_of(name, UNIQUE)[0] == "numeric"


@pytest.mark.parametrize("name", ["rownames", "X", "X.1", "...1", "V1", "_c0", "Obs", "Unnamed: 0.1", "#"])
def test_numbers_of_rows_of_which_some_were_left_out_are_no_feature(name):
    gaps = pd.Series(np.arange(N) + 3.0 * (np.arange(N) > 20))
    assert role_of(name, gaps)[0] == "identifier"


@pytest.mark.parametrize("name", ["Unnamed: 0", "__index_level_0__", "column_1", "Unnamed: 0_level_0"])
def test_the_saved_index_of_a_data_frame_is_left_out_with_a_warning(name):
    frame = pd.DataFrame({name: UNIQUE, "x": np.linspace(0, 1, N) ** 2, "y": ["a", "b"] * (N // 2)})
    with pytest.warns(UserWarning, match=rf"1 column is left out: {name} \(identifier: the index of a data frame"):
        assert roles.decide(frame, "y")["role"].tolist() == ["identifier", "numeric", "target"]


def test_an_index_that_was_joined_repeats_and_is_left_out_too():
    assert role_of("Unnamed: 0", np.arange(N) % 10.0)[0] == "identifier"
    assert role_of("__index_level_0__", pd.Series(["a", "b"] * (N // 2), dtype="str"))[0] == "identifier"


def test_a_column_without_a_name_that_is_no_index_is_a_feature():
    x = np.linspace(0, 1, N) ** 2
    frame = pd.DataFrame({"column_1": x, "x": x, "y": ["a", "b"] * (N // 2)})
    assert roles.decide(frame, "y")["role"].tolist() == ["numeric", "numeric", "target"]
    no_header = pd.DataFrame({"column_1": UNIQUE, "column_2": ["a", "b"] * (N // 2)})
    assert roles.decide(no_header, "column_2")["role"].tolist() == ["numeric", "target"]


@pytest.mark.parametrize("values", [[0.0, 1.0], [1.0, np.nan, 2.0], ["sent", "unsent"]])
def test_a_flag_with_the_name_of_an_identifier_is_no_hint_to_split_by_group(values, recwarn):
    role_of("sent_email", pd.Series((values * N)[:N]))
    assert not [warning for warning in recwarn if "split=group" in str(warning.message)]


@pytest.mark.parametrize("spelt", [float, "P{:03.0f}".format])
def test_an_identifier_that_repeats_is_left_out_and_reported_with_the_split_by_group(spelt):
    patients = np.repeat(np.arange(40, 80), 3)
    values = pd.Series([spelt(patient) for patient in patients])
    with pytest.warns(
        UserWarning, match=r"'patient_id' has the name of an identifier.*40 distinct in 120 rows"
    ) as warned:
        assert role_of("patient_id", values, n=120)[0] == "identifier"
    assert any("-S split=group -S split.column=patient_id" in str(warning.message) for warning in warned)


def test_an_identifier_of_few_groups_stays_a_feature_and_is_reported():
    with pytest.warns(UserWarning, match=r"'shop_id'.*codes: -S \+\+data.roles.shop_id=categorical"):
        assert role_of("shop_id", np.arange(N) % 4 + 101.0)[0] == "numeric"


def test_names_of_people_are_left_out_although_many_repeat():
    random = np.random.default_rng(3)
    surnames = pd.Series([f"name{int(k)}" for k in 900 * random.random(3000) ** 1.3], dtype="str")
    assert surnames.nunique() < 0.5 * len(surnames)
    with pytest.warns(UserWarning, match=r"left out: surname \(identifier: \d+ distinct strings in 3,000 cells\)"):
        assert role_of("surname", surnames, n=3000)[0] == "identifier"


def test_a_column_with_frequent_categories_is_kept_however_many_rare_ones_it_has():
    cause = pd.Series(["flood"] * 100 + ["fire"] * 100 + [f"other {n}" for n in range(300)], dtype="str")
    assert role_of("cause", cause, n=500) == ("categorical", "strings, 302 distinct")


def test_every_column_left_out_is_in_one_warning_with_its_reason_and_the_override(frame):
    with pytest.warns(UserWarning) as warned:
        decided(frame, given={"colour": "drop"})
    (message,) = {str(warning.message) for warning in warned}
    assert message.startswith("5 columns are left out: row (identifier: consecutive whole numbers, one per row); cust")
    assert "country (constant: every cell is 'NL'); nothing (empty: every cell is missing)" in message
    assert "colour" not in message
    assert message.endswith("give it a role: -S ++data.roles.row=numeric.")


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (np.repeat([1.0, 2.0], N // 2), np.tile(["a", "b"], N // 2)),  # two groups: none would be left for folds
        (np.repeat(np.arange(4.0), N // 4), np.repeat(["a", "b"], N // 2)),  # each class in two groups
        (np.arange(N) // 2.0, np.array(["rare", *["a", "b"] * N])[:N]),  # a class in one group
    ],
)
def test_a_split_by_group_that_cannot_have_each_class_on_both_sides_is_not_proposed(values, classes):
    frame = pd.DataFrame({"patient_id": values, "x": np.arange(N) % 7.5, "y": pd.Series(classes, dtype="str")})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        roles.decide(frame, "y")
    assert "split=group" not in " ".join(str(warning.message) for warning in caught)


def phrases(first, second, n=400, form="{} {}"):
    rng = np.random.default_rng(0)
    return [form.format(rng.choice(first), rng.choice(second), k) for k in range(n)]


COLOURS, THINGS = ["red", "green", "dark", "light", "small"], ["chair", "table", "lamp", "shelf", "mirror", "bench"]


@pytest.mark.parametrize(
    ("name", "cells", "role"),
    [
        ("title", phrases(COLOURS, THINGS, form="{} {} {}"), "text"),
        ("товар", phrases(["красный", "синий"], ["стул", "стол"], form="{} {} {}"), "text"),
        ("product name", phrases(COLOURS, THINGS, form="{} {} {}"), "text"),
        ("full_name", phrases(["John", "Mary", "Anna"], ["Smith", "Jones"], form="{} {} {}"), "identifier"),
        ("session", [str(uuid.uuid5(uuid.NAMESPACE_URL, f"{k}")) for k in range(400)], "identifier"),
        ("plate", [f"{chr(65 + k % 26)}{chr(65 + k % 7)} {k} XY" for k in range(400)], "identifier"),
    ],
)  # fmt: skip
def test_short_texts_of_words_that_repeat_are_texts_and_codes_and_names_of_people_are_not(name, cells, role):
    frame = pd.DataFrame({name: cells, "x": [*range(200)] * 2, "y": ["a", "b"] * 200}).astype({name: "str", "y": "str"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        decided = roles.decide(frame, "y").set_index("column")["role"]
    assert decided[name] == role


def test_categories_that_share_words_are_proposed_as_a_text(own_conf):
    title = phrases([f"{word}er" for word in COLOURS], [f"{a}{b}" for a in THINGS for b in THINGS], n=2_000)
    frame = pd.DataFrame({"title": title, "y": ["a", "b"] * 1_000}).astype("str")
    reason = roles.decide(frame, "y").set_index("column").loc["title"]
    assert reason["role"] == "categorical"
    words = shlex.split(reason["reason"].rsplit("as words: ", 1)[1])
    asked = composition.compose(["data=table", "data.path=x.csv", "data.target=y", words[1]])
    as_text = roles.decide(frame, "y", config.parse(asked, "conf/")["data"]["roles"])
    assert as_text.set_index("column").loc["title", "role"] == "text"

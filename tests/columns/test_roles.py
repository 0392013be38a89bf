import numpy as np
import pandas as pd
import pytest

from pipeline.columns import roles
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
    assert table.loc["note", "reason"] == "40 distinct strings in 40 cells, of several words"
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
        *("population", "height", "smoker", "flag", "colour", "born", "only_sometimes", "site")
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
    message = (
        r"No column is left .*row: identifier, consecutive .*; country: constant.*-S '\+data.roles.row=categorical'"
    )
    with pytest.raises(UserError, match=message):
        decided(frame[["row", "country", "target"]])

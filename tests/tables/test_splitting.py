import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UserError
from pipeline.tables.splitting import split

N = 200


@pytest.fixture
def frame():
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "person": pd.Series([f"p{i % 25}" for i in range(N)], dtype="str"),
            "day": pd.to_datetime("2024-01-01") + pd.to_timedelta(random.integers(0, 50, N), unit="D"),
            "held_out": np.arange(N) % 4 == 0,
            "y": pd.Series(random.choice(["a", "b"], N, p=[0.8, 0.2]), dtype="str"),
        }
    )


def both(frame, method, column=None, seed=0, test_size=0.25):
    train, test = split(frame, "y", method=method, test_size=test_size, seed=seed, column=column)
    assert sorted([*train, *test]) == list(range(len(frame)))
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()
    return frame.iloc[train], frame.iloc[test]


def test_stratified_keeps_the_proportion_of_each_class(frame):
    train, test = both(frame, "stratified")
    assert len(test) == N / 4
    assert (test["y"] == "b").mean() == pytest.approx((train["y"] == "b").mean(), abs=0.02)


@pytest.mark.parametrize("method", ["stratified", "group"])
def test_the_seed_decides(frame, method):
    first, again, other = (both(frame, method, "person", seed)[1].index.tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_a_group_is_on_one_side(frame):
    train, test = both(frame, "group", "person")
    assert not set(train["person"]) & set(test["person"])
    assert len(test) == pytest.approx(N / 4, abs=N / 20)


def test_the_test_rows_are_the_latest(frame):
    train, test = both(frame, "time", "day")
    assert train["day"].max() < test["day"].min()
    assert len(test) == pytest.approx(N / 4, abs=N / 20)


def test_given_rows_are_the_test(frame):
    assert both(frame, "given", "held_out")[1]["held_out"].all()


@pytest.mark.parametrize(
    ("method", "column", "change", "message"),
    [
        ("group", "persn", {}, r"split.column has no column 'persn'. Did you mean 'person'"),
        ("group", "person", {"person": "p1"}, r"'person' is 'p1' in every row"),
        ("group", "person", {"person": None}, r"Row 1 has no 'person'"),
        ("time", "person", {}, r"'person' holds 'p0', neither date nor number"),
        ("time", "day", {"day": pd.NaT}, r"Row 1 has no 'day'"),
        ("time", "day", {"y": lambda t: np.where(t["day"] > "2024-02-12", "a", "b")}, r"no training row with y = 'a'"),
        ("stratified", None, {"y": ["z"] + ["a"] * (N - 1)}, r"200 rows can't be split with split.test_size = 0.25"),
    ],
)
def test_a_split_that_cannot_be_is_one_message(frame, method, column, change, message):
    with pytest.raises(UserError, match=message):
        both(frame.assign(**change), method, column)

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mutual_info_score

from pipeline.columns import profile
from pipeline.columns.roles import decide

N = 2000


@pytest.fixture
def frame():
    random = np.random.default_rng(0)
    y = random.integers(0, 2, N)
    return pd.DataFrame(
        {
            "noise": random.normal(size=N),
            "signal": random.normal(size=N) + y,
            "copy": pd.Series(np.where(y == 1, "ja", "nee"), dtype="str"),
            "square": np.where(y == 1, 0, random.choice([-1, 1], N)) + 0.1 * random.normal(size=N),
            "gaps": np.where(y == 1, np.nan, 0.0),
            "when": pd.date_range("2024-01-01", periods=N, freq="h"),
            "y": pd.Series(np.where(y == 1, "b", "a"), dtype="str"),
        }
    )


@pytest.fixture
def table(frame):
    return profile.describe(frame, decide(frame, "y"), "y").set_index("column")


def test_numbers_are_described_as_pandas_does(frame, table):
    expected = frame["signal"].describe()
    row = table.loc["signal"]
    assert (row["type"], row["missing"], row["distinct"]) == ("number", 0, N)
    assert [row["minimum"], row["median"], row["maximum"]] == [expected["min"], expected["50%"], expected["max"]]
    assert (row["mean"], row["deviation"]) == pytest.approx((expected["mean"], frame["signal"].std(ddof=0)))
    assert table.loc[["when", "copy"], "type"].tolist() == ["date", "string"]
    assert table.loc["when", "maximum"] == frame["when"].max()
    assert table.loc["copy", "commonest"].startswith(frame["copy"].mode()[0])


def test_information_is_scikit_learns_mutual_information_but_for_the_bias():
    random = np.random.default_rng(1)
    x, y = random.integers(0, 5, 10**5), random.integers(0, 3, 10**5)
    y = np.where(random.random(10**5) < 0.3, x % 3, y)
    expected = mutual_info_score(x, y) / mutual_info_score(y, y)
    assert profile.information(x, y) == pytest.approx(expected, abs=1e-4)


def test_information_runs_from_nothing_to_everything(table):
    assert table.loc["noise", "information"] == pytest.approx(0, abs=0.01)
    assert table.loc["copy", "information"] == pytest.approx(1, abs=0.01)
    assert table.loc["gaps", "information"] == pytest.approx(1, abs=0.01)
    assert 0.1 < table.loc["signal", "information"] < 0.3
    assert table.loc["square", "information"] > 0.9


def test_distributions_count_every_row_of_every_class(frame):
    bars = profile.distributions(frame, decide(frame, "y"), "y")
    for name in ("signal", "copy", "when"):
        assert {c: sum(n) for c, n in bars[name]["counts"].items()} == frame["y"].value_counts().to_dict()
    assert len(bars["signal"]["edges"]) == len(bars["signal"]["counts"]["a"]) + 1
    assert set(bars["copy"]["categories"]) == {"ja", "nee"}


def test_words_of_many_rows_are_counted_in_some_of_them(monkeypatch):
    monkeypatch.setattr(profile, "TOKEN_ROWS", 100)
    texts = [f"the {'good' if k % 3 else 'bad'} one of number {k:d}" for k in range(250)]
    frame = pd.DataFrame({"text": texts, "y": ["yes", "no"] * 125}).astype("str")
    bars = profile.distributions(frame, decide(frame, "y"), "y")["text"]
    assert bars["every"] == 3
    assert bars["categories"][0] == "bad"
    assert sum(counts[bars["categories"].index("of")] for counts in bars["counts"].values()) == 84

import numpy as np
import pandas as pd
import pytest

from pipeline.columns import leaks
from pipeline.columns.profile import describe
from pipeline.columns.roles import decide

N = 1000


def test_a_feature_that_is_the_target_in_disguise_is_named():
    random = np.random.default_rng(0)
    y = random.integers(0, 3, N)
    frame = pd.DataFrame(
        {
            "honest": random.normal(size=N) + y,
            "strings": pd.Series(np.array(["x", "y", "z"])[y], dtype="str"),
            "numbers": y * 10 + random.normal(size=N),
            "missing": np.where(y == 0, np.nan, y),
            "y": pd.Series(y.astype(str), dtype="str"),
        }
    )
    found = leaks.disguised_targets(frame, describe(frame, decide(frame, "y"), "y"), "y")
    assert set(found) == {"strings", "numbers", "missing"}
    assert min(found.values()) >= 0.99


@pytest.mark.parametrize("share", [0.5, 0.05, 0.01])
def test_a_step_gives_even_a_rare_class_away(share):
    x = np.random.default_rng(0).normal(size=5 * N)
    y = pd.Series(np.where(x > np.quantile(x, 1 - share), "yes", "no"), dtype="str")
    frame = pd.DataFrame({"x": x, "noise": x[::-1], "y": y})
    assert set(leaks.disguised_targets(frame, describe(frame, decide(frame, "y"), "y"), "y")) == {"x"}


def test_test_rows_that_training_has_too_are_found():
    train = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": pd.Series(["x", None, "z"], dtype="str"), "c": [1, 2, 3]})
    test = pd.DataFrame({"a": [1.0, 1.0, np.nan], "b": pd.Series(["x", "z", None], dtype="str"), "c": [9, 9, 9]})
    assert leaks.repeated_rows(train, test, ["a", "b"]).tolist() == [0, 2]
    assert leaks.repeated_rows(train, test, ["a", "b", "c"]).tolist() == []


def test_a_date_that_gives_the_target_away_is_named():
    random = np.random.default_rng(1)
    when = pd.Series(pd.date_range("2020-01-01", periods=N, freq="D")).sample(frac=1, random_state=0, ignore_index=True)
    y = pd.Series(np.where(when < "2021-03-01", "kept", "cancelled"), dtype="str")
    other = when.sample(frac=1, random_state=1, ignore_index=True)
    frame = pd.DataFrame({"ended": when, "other": other, "x": random.normal(size=N), "y": y})
    assert set(leaks.disguised_targets(frame, describe(frame, decide(frame, "y"), "y"), "y")) == {"ended"}


def test_dates_in_rows_that_are_split_at_random_are_a_warning_and_times_of_day_are_none(recwarn):
    roles = [
        ("sold", "date", "dates from ..."),
        ("at", "date", "times from ..."),
        ("x", "numeric", ""),
        ("y", "target", ""),
    ]
    report = pd.DataFrame(roles, columns=["column", "role", "reason"])
    leaks.warn_of_dates(report.iloc[1:])
    assert not recwarn.list
    with pytest.warns(UserWarning, match="'sold' is a date.*-S split=time -S split.column=sold"):
        leaks.warn_of_dates(report)

import numpy as np
import pandas as pd
import pytest

from pipeline.columns import leaks, splitting
from pipeline.columns.dataset import bundled
from pipeline.columns.profile import describe
from pipeline.columns.roles import decide

N = 1000


def columns(frame):
    report = describe(frame, decide(frame, "y"), "y")
    return [leak.column for leak in leaks.disguised_targets(frame, report, "y")]


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
    assert {leak.column for leak in found} == {"strings", "numbers", "missing"}
    assert min(leak.score for leak in found) >= 0.99


@pytest.mark.parametrize("share", [0.5, 0.05, 0.01])
def test_a_step_gives_even_a_rare_class_away(share):
    x = np.random.default_rng(0).normal(size=5 * N)
    y = pd.Series(np.where(x > np.quantile(x, 1 - share), "yes", "no"), dtype="str")
    frame = pd.DataFrame({"x": x, "noise": x[::-1], "y": y})
    assert columns(frame) == ["x"]


@pytest.mark.parametrize("n_rare", [2, 4, 12])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_feature_that_gives_a_class_of_few_of_many_rows_away_is_named_and_noise_is_not(n_rare, n_classes):
    random, n = np.random.default_rng(0), 3 * leaks.ROWS
    is_rare = random.permutation(n) < n_rare
    y = np.where(is_rare, "rare", random.choice(["a", "b"][: n_classes - 1], n))
    frame = pd.DataFrame(
        {
            "filled": pd.Series(np.where(is_rare, "late", None), dtype="str"),
            "missing": np.where(is_rare, np.nan, random.normal(size=n)),
            **{f"noise {k}": random.normal(size=n) for k in range(3)},
            "category": pd.Series(random.integers(0, 90, n).astype(str), dtype="str") + "x",
            "y": pd.Series(y, dtype="str"),
        }
    )
    assert columns(frame) == ["filled", "missing"]


@pytest.mark.parametrize("n_classes", [3, 12])
def test_a_feature_that_gives_one_of_several_classes_away_is_a_warning_with_the_class(n_classes):
    random = np.random.default_rng(0)
    y = random.integers(0, n_classes, N)
    reasons = np.array(["late", "rude", "lost"])[random.integers(0, 3, N)]
    other = np.array(["spring", "summer", "winter"])[random.integers(0, 3, N)]
    frame = pd.DataFrame(
        {
            "filled": pd.Series(np.where(y == 1, reasons, None), dtype="str"),
            "number": np.where(y == 2, np.nan, random.normal(size=N)),
            "category": pd.Series(np.where(y == 0, reasons, other), dtype="str"),
            "range": np.where(y == 1, 5 + random.random(N), random.normal(size=N)),
            "honest": pd.Series(np.where(random.random(N) < 0.8, y, 0).astype(str), dtype="str"),
            "y": pd.Series([f"k{code}" for code in y], dtype="str"),
        }
    )
    with pytest.warns(UserWarning) as warned:
        leaks.warn_of_leaks(frame, describe(frame, decide(frame, "y"), "y"), "y")
    assert [str(warning.message).split(" almost")[0] for warning in warned] == [
        "'filled' (missing or not) alone tells whether 'y' is 'k1'",
        "'number' (missing or not) alone tells whether 'y' is 'k2'",
        "'category' alone tells whether 'y' is 'k0'",
        "'range' alone tells whether 'y' is 'k1'",
    ]


def test_many_rare_categories_and_a_rare_class_are_no_leak():
    random = np.random.default_rng(0)
    y = pd.Series(random.choice(["a", "b", "c"], N, p=[0.6, 0.39, 0.01]), dtype="str")
    rare = pd.Series([f"k{code}" for code in random.integers(0, 300, N)], dtype="str")
    frame = pd.DataFrame({"rare": rare, "x": random.normal(size=N), "y": y})
    assert columns(frame) == []


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
    assert columns(frame) == ["ended"]


def test_dates_in_rows_that_are_split_at_random_are_a_warning_and_times_of_day_are_none(recwarn):
    roles = [
        ("sold", "date", "dates from ..."),
        ("at", "date", "times from ..."),
        ("x", "numeric", ""),
        ("y", "target", ""),
    ]
    report = pd.DataFrame(roles, columns=["column", "role", "reason"])
    frame = pd.DataFrame({"sold": ["1970-01-01 08:00", "2020-03-01"], "at": ["1970-01-01", "1970-01-01 23:59"]})
    frame = frame.apply(pd.to_datetime, format="ISO8601")
    leaks.warn_of_dates(frame, report.iloc[1:])
    assert not recwarn.list
    with pytest.warns(UserWarning, match="'sold' is a date.*-S split=time -S split.column=sold"):
        leaks.warn_of_dates(frame, report)


def incidents(n=4_000, seed=0):
    """A row for each person of an incident, whose outcome is that of the incident."""
    rng = np.random.default_rng(seed)
    incident = np.sort(rng.integers(0, n // 4, n))
    frame = pd.DataFrame(
        {
            "place": (rng.random(n // 4) * 90)[incident].round(4),
            "district": pd.Series(rng.choice(list("abcde"), n // 4)[incident], dtype="str"),
            "hour": rng.integers(0, 24, n // 4)[incident].astype(float),
            "reason": pd.Series(rng.choice(["call", "stop", "raid"], n // 4)[incident], dtype="str"),
            "age": rng.normal(40, 12, n).round(),
            "sex": pd.Series(rng.choice(["f", "m"], n), dtype="str"),
            "outcome": pd.Series(rng.choice(["arrest", "none"], n // 4)[incident], dtype="str"),
        }
    )
    return frame.iloc[rng.permutation(n)].reset_index(drop=True)


def reported(frame, target):
    roles = [(name, "numeric" if frame[name].dtype == float else "categorical", "") for name in frame]
    return pd.DataFrame(roles, columns=["column", "role", "reason"]).query("column != @target")


@pytest.mark.parametrize("n", [4_000, 60_000])
def test_rows_that_repeat_an_incident_are_named_with_a_split_that_keeps_it_together(n):
    frame = incidents(n)
    with pytest.warns(UserWarning, match=r"Rows are split at random, but \d\d% of them repeat") as caught:
        leaks.warn_of_repeats(frame, reported(frame, "outcome"), "outcome")
    message = str(caught[0].message)
    assert "in all but 'age', 'sex': 'place', 'district', 'hour', 'reason' are the same" in message
    assert message.endswith("-S split=group -S split.column=place.")
    train, test = splitting.grouped(frame["place"], 0.2, 0)
    assert not set(frame["place"].iloc[train]) & set(frame["place"].iloc[test])


def test_groups_of_different_outcomes_and_rows_of_few_categories_are_no_repeats():
    frame = incidents()
    rng = np.random.default_rng(1)
    own = frame.assign(outcome=pd.Series(rng.choice(["arrest", "none"], len(frame)), dtype="str"))
    few = pd.DataFrame({name: pd.Series(rng.choice(list("abc"), 4_000), dtype="str") for name in "uvwxyz"})
    few["outcome"] = few["u"] + few["v"]  # as a table of mushrooms: the categories decide
    for table in (own, few, few.assign(n=rng.integers(0, 60, 4_000).astype(float))):
        assert leaks.repeats(table, reported(table, "outcome"), "outcome") is None


def test_measurements_do_not_repeat():
    frame = bundled("breast_cancer")
    assert leaks.repeats(frame, reported(frame, "target"), "target") is None

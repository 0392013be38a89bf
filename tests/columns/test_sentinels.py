import numpy as np
import pandas as pd
import pytest

from pipeline.columns import sentinels

N = 400
RANDOM = np.random.default_rng(0)
AGES = RANDOM.integers(18, 80, N).astype(float)
NORMAL = RANDOM.normal(size=N)
COUNTS = RANDOM.poisson(20, N).astype(float)
INCOME = np.round(np.exp(RANDOM.normal(10, 1, N)))


def suspects(**columns):
    frame = pd.DataFrame(columns)
    roles = pd.DataFrame({"column": frame.columns, "role": "numeric", "reason": ""})
    return sentinels.suspects(frame, roles)


def mixed(values, code, n):
    return np.where(np.arange(N) < n, code, values)


@pytest.mark.parametrize(
    ("values", "code", "n"),
    [
        *((NORMAL, -9999, 30), (NORMAL, 99.0, 2), (NORMAL, -3.4028234663852886e38, 5), (NORMAL, 9.96921e36, 5)),
        *((AGES, 999, 20), (AGES, -1, 20), (AGES, -9, 3), (COUNTS, -1, 40), (COUNTS, 998, 4), (INCOME, -999, 10)),
        *((INCOME, 99999999, 3), (INCOME, 2147483647, 3)),
    ],
)
def test_a_number_that_programs_write_for_missing_is_named_with_its_count(values, code, n):
    (found,) = suspects(lab=mixed(values, code, n))
    assert (found.column, found.value, found.cells) == ("lab", f"{code:.15g}", n)


@pytest.mark.parametrize(
    ("values", "code", "n"),
    [
        *((NORMAL, -1, 20), (AGES, 99, 20), (COUNTS, 99, 0), (INCOME, 99999, 30), (NORMAL - 1000, -999, 30)),
        *((AGES, 1234567, 5), (np.arange(N) % 5.0, 9, 20), (np.arange(N) % 2.0, -1, 30), (COUNTS, -1, 2)),
    ],
)
def test_a_number_near_others_a_rare_minus_one_and_a_code_among_codes_are_not(values, code, n):
    assert suspects(lab=mixed(values, code, n)) == []


@pytest.mark.parametrize("day", ["9999-12-31", "1900-01-01", "2999-12-31", "0001-01-01"])
def test_a_date_far_from_all_others_is_named(day):
    days = pd.Series(pd.date_range("2019-05-06", periods=N)).astype("datetime64[us]")
    days[:7] = pd.Timestamp(day).as_unit("us")
    (found,) = suspects(end=days)
    assert (found.value, found.cells, found.nearest[:4]) == (day, 7, "2020" if day > "2020" else "2019")
    assert suspects(end=days[7:]) == []


def test_one_warning_for_each_value_with_the_columns_and_both_overrides():
    frame = pd.DataFrame({"a": mixed(NORMAL, -999, 30), "b c": mixed(AGES, -999, 4), "d": AGES})
    roles = pd.DataFrame({"column": frame.columns, "role": "numeric", "reason": ""})
    with pytest.warns(UserWarning) as warned:
        sentinels.warn(frame, roles)
    (message,) = [str(warning.message) for warning in warned]
    assert message.startswith("-999 is far from all other values of 'a' (30 cells; the nearest other is -")
    assert "'b c' (4 cells; the nearest other is 18)" in message
    assert 'data.more_missing=["-999"]' in message
    assert "-S '++data.replace.a=" in message


def test_columns_that_are_left_out_are_not_examined():
    frame = pd.DataFrame({"a": mixed(NORMAL, -999, 30)})
    assert sentinels.suspects(frame, pd.DataFrame({"column": ["a"], "role": "drop", "reason": ""})) == []

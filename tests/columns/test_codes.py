"""Whole numbers that name something are categories, and those that measure something stay numbers."""

import numpy as np
import pandas as pd
import pytest

from pipeline.columns import codes

RNG = np.random.default_rng(0)
DRAWN = RNG.integers(0, 30, 600)


@pytest.mark.parametrize(
    "name", ["zip", "ZipCode", "home_postcode", "NAICS", "store_id", "icd code", "Department", "areaCode"]
)
def test_a_name_of_a_code_makes_categories_and_the_way_back_is_said(name):
    frame = pd.DataFrame({name: np.arange(1, 31.0)[DRAWN]})
    with pytest.warns(UserWarning, match=r"read as codes \(30 categories\), because of its name.* -S .*numeric"):
        assert codes.found(frame, known=()) == [name]
    assert codes.found(frame, known={name}) == []


def test_digits_of_one_width_far_apart_are_codes():
    with pytest.warns(UserWarning, match="because of its digits"):
        assert codes.found(pd.DataFrame({"v": RNG.integers(10_000, 99_999, 30)[DRAWN].astype(float)}), ()) == ["v"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("age", np.arange(20, 50.0)),
        ("price", np.arange(30) * 2_500.0 + 10_000),
        ("year", np.arange(1990, 2020.0)),
        ("x", RNG.normal(size=30)),
        ("n_stores", np.arange(30.0)),
        ("zip_count", np.arange(30.0)),
        ("grams", np.arange(2_500, 2_530.0)),
        ("flag_code", np.array([0.0, 1.0] * 15)),
        ("store", -np.arange(30.0)),
        ("empty", np.full(30, np.nan)),
    ],
)
def test_quantities_years_and_flags_stay_numbers(name, values):
    assert codes.found(pd.DataFrame({name: values[DRAWN]}), ()) == []


def test_codes_with_few_rows_each_stay_numbers_and_that_is_said():
    frame = pd.DataFrame({"zip": np.repeat(RNG.permutation(90_000)[:300] + 10_000.0, 2)})
    with pytest.warns(UserWarning, match=r"few rows of each \(300 in 600 cells\).* -S \+\+data.roles.zip=categorical"):
        assert codes.found(frame, ()) == []

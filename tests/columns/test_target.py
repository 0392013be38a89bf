import numpy as np
import pandas as pd
import pytest

from pipeline.columns.target import with_target
from pipeline.errors import UserError


def frame(*labels):
    return pd.DataFrame({"y": pd.Series(labels, dtype="str")})


def test_rows_without_a_target_are_left_out_and_counted():
    with pytest.warns(UserWarning, match=r"1 of 5 rows have no 'y'; they are left out"):
        known = with_target(frame("a", None, "b", "a", "b"), "y")
    assert known["y"].tolist() == ["a", "b", "a", "b"]
    assert known.index.tolist() == [0, 1, 2, 3]


def test_imbalance_is_a_warning_with_the_override():
    with pytest.warns(UserWarning, match=r"uneven \('a': 95, 'b': 5\).*class_weight=balanced"):
        with_target(frame(*["a"] * 95, *["b"] * 5), "y")


def test_classes_that_differ_in_capital_letters_only_are_a_warning():
    with pytest.warns(UserWarning, match=r"capital letters only \(Yes, yes\).*data.replace.y=\{yes: Yes\}"):
        with_target(frame(*["Yes", "yes", "no"] * 5), "y")


def test_more_columns_than_rows_is_a_warning():
    wide = pd.DataFrame(np.zeros((4, 6))).assign(y=list("abab"))
    with pytest.warns(UserWarning, match=r"7 columns but 4 rows"):
        with_target(wide, "y")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a"], r"Rows with a known 'y': 1"),
        (["a"] * 9, r"is 'a' in every row"),
        ([f"n{i}" for i in range(9)], r"is different in every row .*\.\.\.\). Set data.target"),
        ([f"{i}.5" for i in range(9)], r"is different in every row .*number to estimate \(regression\)"),
        ([f"{i % 40}.5" for i in range(79)], r"classes of one row: '39.5'.*number to estimate \(regression\)"),
        ([f"{i % 300}.5" for i in range(900)], r"300 classes .*number to estimate \(regression\)"),
        ([f"n{i % 300}" for i in range(900)], r"300 classes .*allowed. Join rare classes"),
        (["a", "a", "b"], r"classes of one row: 'b'"),
    ],
)
def test_a_target_that_cannot_be_learnt_is_one_message(labels, message):
    with pytest.raises(UserError, match=message):
        with_target(frame(*labels), "y")

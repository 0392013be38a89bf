import numpy as np
import pandas as pd
import pytest
from scipy.stats.contingency import association
from sklearn.linear_model import LinearRegression

from pipeline.columns import associations

N = 1500
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=N)
CODE = RANDOM.integers(0, 6, N)


def strong(**columns):
    frame = pd.DataFrame(columns)
    return {(pair.first, pair.second): pair.association for pair in associations.strong(frame, roles(frame))}


def roles(frame):
    return pd.DataFrame({"column": frame.columns, "role": "numeric", "reason": ""})


def strings(codes):
    return pd.Series([f"k{code}" for code in codes], dtype="str")


def test_numbers_that_say_the_same_are_found_whatever_their_units():
    found = strong(inch=X, cm=-2.54 * X + 1e-3 * RANDOM.normal(size=N), tiny=1e-200 * X, other=RANDOM.normal(size=N))
    assert set(found) == {("inch", "cm"), ("inch", "tiny"), ("cm", "tiny")}
    assert min(found.values()) > 0.999


def test_the_association_of_numbers_is_the_correlation():
    y = 0.2 * RANDOM.normal(size=N) + X
    assert strong(x=X, y=y)[("x", "y")] == pytest.approx(np.corrcoef(X, y)[0, 1])


def test_a_code_and_its_name_say_the_same():
    names = pd.Series(np.array(["red", "green", "blue", "black", "white", "pink"])[CODE], dtype="str")
    noise = strings(RANDOM.integers(0, 6, N))
    assert set(strong(code=CODE.astype(float), name=names, noise=noise)) == {("code", "name")}


def test_dates_and_missing_cells_are_compared_too():
    days = pd.Series(pd.date_range("2020-01-01", periods=N, freq="h"))
    age = np.arange(N, dtype=float)
    age[::50] = np.nan
    assert set(strong(day=days, age=age, nothing=np.full(N, np.nan), same=np.ones(N))) == {("day", "age")}


def test_cramers_v_is_scipys_up_to_its_bias():
    y = np.where(RANDOM.random(N) < 0.8, CODE, RANDOM.integers(0, 6, N))
    expected = association(pd.crosstab(CODE, y).to_numpy(), method="cramer")
    assert associations.cramers_v(CODE, y) == pytest.approx(expected, abs=0.01)
    assert associations.cramers_v(CODE, CODE) == pytest.approx(1)
    assert associations.cramers_v(CODE, np.zeros(N, dtype=int)) == 0


def test_many_rare_categories_are_no_association():
    assert strong(a=strings(RANDOM.integers(0, 700, N)), b=strings(RANDOM.integers(0, 700, N))) == {}


def test_the_pairs_are_one_warning_with_the_override():
    frame = pd.DataFrame({"inch": X, "cm": 2.54 * X, "other": RANDOM.normal(size=N)})
    with pytest.warns(UserWarning, match=r"say the same .*inch and cm \(1.00\).*-S 'data.drop=\[cm\]'"):
        associations.warn(frame, roles(frame))


def test_columns_that_differ_are_no_warning(recwarn):
    frame = pd.DataFrame({"x": X, "y": RANDOM.normal(size=N), "g": strings(CODE)})
    associations.warn(frame, roles(frame))
    associations.warn(frame[["x"]], roles(frame[["x"]]))
    assert not recwarn.list


def test_variance_inflation_is_that_of_the_regression_on_the_other_columns():
    a, b = RANDOM.normal(size=(2, N))
    frame = pd.DataFrame({"a": a, "b": b, "sum": a + b + 0.1 * RANDOM.normal(size=N), "x": X})
    found = associations.inflation(frame)
    assert next(iter(found)) == "sum"
    for name in frame:
        others = frame.drop(columns=name)
        r2 = LinearRegression().fit(others, frame[name]).score(others, frame[name])
        assert found[name] == pytest.approx(1 / (1 - r2), rel=1e-3)


def test_a_column_that_follows_from_several_others_is_named():
    a, b = RANDOM.normal(size=(2, N))
    frame = pd.DataFrame({"a": a, "b": b, "sum": a + b, "x": X})
    with pytest.warns(UserWarning, match=r"follow from others .*sum \(over 1,000\).*-S 'data.drop=\[(a|b|sum)\]'"):
        associations.warn(frame, roles(frame))

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


def lines_and_phone(*order):
    lines = pd.Series(np.array(["No phone service", "No", "Yes"])[RANDOM.choice(3, N, p=[0.1, 0.5, 0.4])], dtype="str")
    columns = {"PhoneService": lines.replace({"No phone service": "No", "No": "Yes"}), "MultipleLines": lines}
    return pd.DataFrame({name: columns[name] for name in order})


@pytest.mark.parametrize("order", [("PhoneService", "MultipleLines"), ("MultipleLines", "PhoneService")])
def test_of_nested_columns_the_one_that_follows_from_the_finer_is_proposed_to_be_left_out(order, recwarn):
    frame = lines_and_phone(*order).assign(x=X)
    associations.warn(frame, roles(frame))
    (found,) = [str(warning.message) for warning in recwarn]
    assert "follow from a finer one" in found
    assert "PhoneService from MultipleLines (1.00)" in found
    assert "-S 'data.drop=[PhoneService]'" in found
    associations.warn(frame.drop(columns="PhoneService"), roles(frame.drop(columns="PhoneService")))  # as proposed
    assert len(recwarn) == 1


def test_a_name_with_some_wrong_cells_follows_from_its_code_as_the_code_from_it():
    names = strings(np.where(RANDOM.random(N) < 0.02, RANDOM.integers(0, 6, N), CODE))
    frame = pd.DataFrame({"code": strings(CODE), "name": names})
    (pair,) = associations.strong(frame, roles(frame))
    assert pair.is_mutual
    (region,) = associations.strong(frame.assign(name=strings(CODE // 2)), roles(frame))
    assert region[:2] == ("code", "name")
    assert not region.is_mutual


def services():
    has_none = RANDOM.random(N) < 0.25
    return pd.DataFrame(
        {name: strings(np.where(has_none, 9, RANDOM.integers(0, 2, N))) for name in ("backup", "films", "support")}
    ).assign(age=np.where(has_none, np.nan, X)), int(has_none.sum())


def test_categories_that_are_the_same_rows_are_one_warning_with_their_rows(recwarn):
    frame, n_rows = services()
    associations.warn(frame.assign(other=strings(CODE)), roles(frame.assign(other=strings(CODE))))
    (found,) = [str(warning.message) for warning in recwarn]
    assert f"same rows: backup = k9, films = k9, support = k9, age is missing ({n_rows} rows)." in found


def test_categories_of_nearly_the_same_rows_are_no_shared_ones():
    frame, n_rows = services()
    first = int(np.flatnonzero(frame["films"] == "k9")[0])
    frame.loc[first, "films"] = "k1"
    (group,) = associations.shared(frame, roles(frame))
    assert group == (["backup = k9", "support = k9", "age is missing"], n_rows)


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

import numpy as np
import pandas as pd
import pytest

from pipeline.columns.expectations import check
from pipeline.errors import UserError


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "age": [17.0, 30, np.nan, 200],
            "sex": pd.Series(["F", "M", "X", None], dtype="str"),
            "record": [1.0, 2, 2, 4],
            "won": pd.Series(["0", "1", "1", "0"], dtype="str"),
            "seen": pd.to_datetime(["2024-01-01", "2024-06-01", "1999-01-01", "2024-02-01"]),
        }
    )


def test_what_holds_passes(frame):
    rules = {
        "age": {"type": "number", "minimum": 17, "maximum": 200, "missing": True},
        "sex": {"type": "string", "allowed": ["F", "M", "X"]},
        "seen": {"type": "date", "minimum": "1999-01-01"},
        "record": {"allowed": [1, 2, 4]},
        "won": {"allowed": [0, 1.0]},
        "card": {"unique": True},
    }
    frame["card"] = pd.Series(["a", None, None, "b"], dtype="str")
    check(frame, rules, "t.csv")
    check(frame, {}, "t.csv")


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"age": {"maximum": 90}}, r"column 'age', maximum: 90: 1 row breaks this rule \(row 4: 200.0\)"),
        ({"age": {"minimum": 18}}, r"column 'age', minimum: 18: 1 row breaks this rule \(row 1: 17.0\)"),
        ({"age": {"missing": False}}, r"column 'age', missing: False: 1 row breaks this rule \(row 3: nan\)"),
        ({"age": {"type": "string"}}, r"column 'age', type: string: 3 rows break this rule \(row 1: 17.0;"),
        ({"sex": {"type": "number"}}, r"column 'sex', type: number: 3 rows break this rule \(row 1: F; row 2: M"),
        ({"sex": {"allowed": ["F", "M"]}}, r"column 'sex', allowed: \['F', 'M'\]: 1 row breaks this rule \(row 3: X\)"),
        (
            {"record": {"unique": True}},
            r"column 'record', unique: True: 2 rows break this rule \(row 2: 2.0; row 3: 2.0\)",
        ),
        (
            {"seen": {"minimum": "2000-01-01"}},
            r"column 'seen', minimum: 2000-01-01: 1 row breaks this rule \(row 3: 1999",
        ),
        (
            {"record": {"allowed": ["many"]}},
            r"data.expectations.record.allowed = \['many'\], but 'record' holds numbers. Give a number",
        ),
        ({"agee": {"unique": True}}, r"data.expectations has no column 'agee'. Did you mean 'age'"),
        (
            {"sex": {"minimum": 3}},
            r"data.expectations.sex.minimum = 3, but 'sex' holds strings. Use `allowed`, or `type: number`",
        ),
        (
            {"won": {"type": "number"}},
            r"column 'won', type: number: the column is read as another type, which data.roles",
        ),
        (
            {"seen": {"minimum": "soon"}},
            r"data.expectations.seen.minimum = 'soon', but 'seen' holds dates. Give a date",
        ),
    ],
)
def test_a_violation_names_column_rule_and_rows(frame, rules, message):
    with pytest.raises(UserError, match=message):
        check(frame, rules, "t.csv")


def test_all_violations_come_at_once_and_only_the_first_few_rows_are_shown(frame):
    with pytest.raises(UserError) as raised:
        check(pd.concat([frame] * 9, ignore_index=True), {"age": {"maximum": 90}, "sex": {"allowed": ["F"]}}, "t.csv")
    assert "t.csv breaks data.expectations" in str(raised.value)
    rows = "; ".join(f"row {row}: 200.0" for row in (4, 8, 12, 16, 20))
    assert f"maximum: 90: 9 rows break this rule ({rows}; ...)" in str(raised.value)
    assert "column 'sex'" in str(raised.value)

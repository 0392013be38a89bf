import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from pipeline.errors import UserError
from pipeline.reading import CellFormat, cells, read
from pipeline.reading.served import spelt


def test_decimals_differ_from_groups_of_three_digits_and_from_dates(table):
    assert table("a;b\n2,338;x\n0,338;x\n")["a"].tolist() == [2.338, 0.338]
    european = table("a;b;c\n2,5;1.234;01.02.2023\n3,25;98.765;13.02.2023\n", thousands=".")
    assert european["a"].tolist() == [2.5, 3.25]
    assert european["b"].tolist() == [1234, 98765]
    assert european["c"].dt.month.tolist() == [2, 2]
    assert table("a,b\n1,inf\n2,9\n", missing_values=["inf"])["b"].isna().tolist() == [True, False]


def test_thousands_imply_the_other_decimal_mark(table):
    assert table("a;b\n1.234;2\n99;3\n", thousands=".")["a"].tolist() == [1234, 99]
    assert table("a;b\n1,234.5;2\n99;3\n", thousands=",")["a"].tolist() == [1234.5, 99]


def test_roles_keep_the_strings_of_the_file(table):
    frame = table("zip,x\n02139,1\n10001,0\n", target="x", roles={"zip": "categorical"})
    assert frame["zip"].tolist() == ["02139", "10001"]
    assert frame["x"].tolist() == ["1", "0"]


def test_a_string_that_means_missing_can_be_replaced(table):
    frame = table("a,b\n?,?\nx,1\n,2\n", replace={"a": {"?": "unknown"}})
    assert frame["a"].fillna("-").tolist() == ["unknown", "x", "-"]
    np.testing.assert_array_equal(frame["b"], [np.nan, 1, 2])


def test_leading_zeros_are_a_warning_unless_the_role_keeps_them(table, recwarn):
    text = "zip,n\n02139,0\n10001,10\n"
    assert table(text, roles={"zip": "categorical"})["zip"].tolist() == ["02139", "10001"]
    assert not recwarn.list
    with pytest.warns(UserWarning, match=r"'zip' holds numbers such as '02139', .* -S \+\+data.roles.zip=categorical"):
        assert table(text)["zip"].tolist() == [2139, 10001]


def test_bounds_are_strings_with_a_warning(table):
    text = "a,b\n" + "".join(f"<{i},1\n" for i in range(30))
    with pytest.warns(UserWarning, match=r"column 'a': 30 cells such as '<?0.*' are read as strings, not as numbers"):
        assert str(table(text)["a"].dtype) == "str"


def test_sentences_are_strings_whatever_numbers_and_dates_some_hold_and_long_dates_are_dates(table):
    said = ["On 2023-01-05 we were very happy with it all", "12", "5 kg", "2023-01-05", "the red one fits me well"]
    rows = [f"{said[k % 5]} {k:x}z,{k}" if k % 5 in (0, 4) else f"{said[k % 5]},{k}" for k in range(50)]
    rows += [f"this is not at all good {k:x}z,{k}" for k in range(40)]
    assert table("\n".join(["a,b", *rows]))["a"].tolist() == [row.rsplit(",", 1)[0] for row in rows]
    dates = "".join(f"Mon Jan {k:02} 15:04:05 +0000 2023,{k}\n" for k in range(1, 29))
    assert table(f"a,b\n{dates}")["a"].dt.day.tolist() == [*range(1, 29)]


def test_a_string_among_numbers_is_named_with_its_row(table):
    rows = [f"{i},{i % 7}" for i in range(100)]
    text = "\n".join(["a,b", *rows[:50], "fifty,0", *rows[50:]])
    with pytest.raises(
        UserError,
        match=r"row 51, column 'a': 'fifty' is not a number, but most cells of this column are \(the only such cell\)"
        r".*99.0% of the known cells are numbers.* -S 'data.more_missing=\[fifty\]'.* -S \+\+data.roles.a=categorical",
    ):
        table(text)


def test_few_distinct_values_of_which_most_are_numbers_are_categories(table):
    cells_of_a = ["0", "1", "2", "3+"] * 10 + ["0"] * 200
    assert str(table("a,b\n" + "".join(f"{cell},1\n" for cell in cells_of_a))["a"].dtype) == "str"


def test_booleans_become_strings(tmp_path):
    parquet.write_table(pa.table({"a": [True, False, None]}), tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet").frame["a"].fillna("?").tolist() == ["true", "false", "?"]


def test_maps_in_parquet_are_no_column(tmp_path):
    maps = pa.array([[("k", 1)], [("k", 2)]], pa.map_(pa.string(), pa.int64()))
    parquet.write_table(pa.table({"a": maps}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"column 'a' of map.*data.drop"):
        read(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,b\n1,2\n3,-inf\n", {}, r"row 2, column 'b': -inf is infinite"),
        ("a,b\n1,2\n2,1e301\n", {}, r"row 2, column 'b': 1e\+301 is infinite, or its absolute value is larger than"),
        ("a,b\n1,2\n2,two\n", {"roles": {"b": "numeric"}}, r"row 2, column 'b': 'two' is not a number"),
        ('a,b\n1,"1,234"\n2,5\n', {}, """row 1, column 'b': '1,234' has a thousands.*-S 'data.thousands=","'"""),
        ('a,b\n1,"1,234"\n2,"0,338"\n3,5.5\n', {}, """'1,234' has a decimal comma.*-S 'data.decimal=","'"""),
        ("a;b\n6,674;1\n5,012;2\n", {}, """data.thousands=",".*if it is a decimal mark, -S 'data.decimal=","'"""),
        ("a;b\n1,5;1.234\n2,5;5.678\n", {}, """'1.234' has a thousands separator.*data.thousands="[.]"'"""),
        ("a;b\n1,5;1.23\n2,5;5.6\n", {"decimal": ","}, """'1.23' has a decimal point.*data.decimal="[.]"'"""),
    ],
)
def test_a_cell_that_does_not_fit_is_one_message(table, text, options, message):
    with pytest.raises(UserError, match=message):
        table(text, **options)


@pytest.mark.parametrize(
    ("stored", "kind", "expected"),
    [
        (["1", "?"], "numbers", [1.0, None]),
        ([1.0, 2.0], "strings", ["1", "2"]),
        ([1.5, None], "strings", ["1.5", None]),
        ([True, None], "strings", ["true", None]),
        ([True, False], "numbers", [1.0, 0.0]),
        (["x", "x"], None, ["x", "x"]),
    ],
)
def test_the_kind_decides_the_type_of_a_column(stored, kind, expected):
    assert cells.parse(pa.chunked_array([stored]), "a", CellFormat(), kind)[0].to_pylist() == expected


def test_whole_numbers_with_more_digits_than_a_float_keeps_are_strings():
    codes = [2**53 + 1 + 2 * n for n in range(30)]
    for stored in (codes, [str(2**80 + code) for code in codes], pa.array(codes, pa.uint64())):
        with pytest.warns(UserWarning, match=r"'a': 30 cells such as \d+ have more digits .* -S \+\+data.roles.a=nu"):
            found, _ = cells.parse(pa.chunked_array([stored]), "a", CellFormat())
        assert len(set(found.to_pylist())) == 30
        assert found.to_pylist()[0] == str(stored[0])
    assert cells.parse(pa.chunked_array([codes]), "a", CellFormat(), "numbers")[0].type == pa.float64()
    assert cells.parse(pa.chunked_array([codes]), "a", CellFormat(), "strings")[0].to_pylist()[0] == str(codes[0])


def test_one_number_with_too_many_digits_is_rounded_with_a_warning():
    stored = pa.chunked_array([[str(n) for n in range(30)] + ["98765432109876543210"]])
    with pytest.warns(UserWarning, match=r"'98765432109876543210' \(1 cell\) has more digits than a number keeps"):
        found, _ = cells.parse(stored, "a", CellFormat())
    assert found.to_pylist()[-1] == 98765432109876543210.0


def test_a_class_called_none_is_kept_with_a_warning():
    stored = pa.chunked_array([["None", "mild", "severe", "None", "?", None]])
    with pytest.warns(UserWarning, match=r"'None' \(2 cells\) .* kept as a class.*-S '\+\+data.replace.y={None: NA}'"):
        found, _ = cells.parse(stored, "y", CellFormat(), "classes")
    assert found.to_pylist() == ["None", "mild", "severe", "None", None, None]
    replaced = CellFormat(replace={"y": {"None": "NA"}})
    assert cells.parse(stored, "y", replaced, "classes")[0].to_pylist() == [None, "mild", "severe", None, None, None]


def test_a_word_that_cuts_the_target_is_named():
    with pytest.warns(UserWarning, match=r"'NA' \(2 cells\) in the target is read as missing.*replace.y={NA: no_NA}"):
        found, _ = cells.parse(pa.chunked_array([["NA", "yes", "no", "NA"]]), "y", CellFormat(), "classes")
    assert found.to_pylist() == [None, "yes", "no", None]


def test_none_is_missing_in_a_target_of_numbers():
    with pytest.warns(UserWarning, match=r"'None' \(1 cell\) in the target is read as missing"):
        found, _ = cells.parse(pa.chunked_array([["None", "1", "0"]]), "y", CellFormat(), "classes")
    assert found.to_pylist() == [None, "1", "0"]


@pytest.mark.parametrize(
    ("categories", "served", "expected"),
    [
        (["no", "yes"], [True, "TRUE", 1, 1.0, " Yes", "n", None], ["yes", "yes", "yes", "yes", "yes", "no", None]),
        (["N", "Y"], ["no", False, "y", 0], ["N", "N", "Y", "N"]),
        (["0", "1"], ["yes", False, 1], ["1", "0", "1"]),
        (["False", "True", None], ["false", "off"], ["False", "False"]),
        (["false", "maybe", "true"], [True, "maybe"], ["true", "maybe"]),
        (["blue", "red"], ["red", "green", "1", 1], ["red", "green", "1", "1"]),
        (["no", "yes"], ["perhaps"], ["perhaps"]),
    ],
)
def test_true_and_false_are_served_as_they_were_spelt_in_training(categories, served, expected):
    column = pd.Series(served, dtype=object, name="smoker")
    assert cells.parse(spelt(column, categories), "smoker", CellFormat(), "strings")[0].to_pylist() == expected


@pytest.mark.parametrize(
    ("categories", "served"), [(["blue", "red"], True), (["no", "unknown", "yes"], "true"), (["yes"], "no")]
)
def test_true_and_false_that_can_not_be_understood_are_one_message(categories, served):
    with pytest.raises(UserError, match=rf"'smoker': '{str(served).lower()}' is a truth value.*{categories[0]!r}"):
        spelt(pd.Series([served], dtype=object, name="smoker"), categories)


def test_a_word_that_the_user_put_into_the_target_is_no_warning(recwarn):
    replaced = CellFormat(replace={"y": {"None": "NA"}})
    cells.parse(pa.chunked_array([["None", "mild", "severe"]]), "y", replaced, "classes")
    assert not recwarn.list


@pytest.mark.parametrize("cells_served", [[True, False], [True, None, 3.5, "4"], [1, 0.0, None]])
def test_true_is_one_in_a_column_of_numbers(cells_served):
    found, _ = cells.parse(spelt(pd.Series(cells_served), None), "a", CellFormat(), "numbers")
    assert found.to_pylist() == [None if cell is None else float(cell) for cell in cells_served]

import pytest

from pipeline.errors import UserError


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1,2\n3,4\n", ["column_1", "column_2"]),
        ("a,b\n3,4\n", ["a", "b"]),
        (",b\n3,4\n", ["column_1", "b"]),
        ("1stFlrSF,b\n3,4\n", ["1stFlrSF", "b"]),
        ("2020-01-01,x\n2020-01-02,y\n", ["column_1", "column_2"]),
        ("only\n3\n", ["only"]),
    ],
)
def test_a_first_line_with_a_value_in_it_is_no_header(table, text, names):
    assert table(text).columns.tolist() == names


def test_a_first_line_with_the_target_in_it_is_a_header(table):
    frame = table("2023,null,y\n1,2,a\n3,4,b\n", target="y")
    assert frame.columns.tolist() == ["2023", "null", "y"]


def test_given_options_are_not_guessed(table):
    assert table("a;b,c\n1;2,3\n", delimiter=",").columns.tolist() == ["a;b", "c"]
    assert table("1,2\n3,4\n", header=True).columns.tolist() == ["1", "2"]
    assert table("1,2\n3,4\n", names=["x", "y"])["x"].tolist() == [1, 3]
    assert table("a;b\n1.234,5;x\n", thousands=".", decimal=",")["a"].tolist() == [1234.5]


def test_a_delimiter_that_excel_declares_is_used_without_a_warning(table, recwarn):
    assert table("sep=;\na;b\n1,5;x\n")["a"].tolist() == [1.5]
    assert not recwarn.list


def test_lines_that_spreadsheets_put_above_the_table_are_left_out(table):
    for blanks in ("", ";;"):
        with pytest.warns(UserWarning, match=r"lines above the table are left out; the first is 'Report 2024'"):
            frame = table(f"Report 2024{blanks}\na;b;c\n1;2;3\n4;5;6\n")
        assert frame.columns.tolist() == ["a", "b", "c"]
        assert len(frame) == 2


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("\n\n", {}, r"no row"),
        ("a,b\n", {}, r"header but no rows"),
        ("a,b", {}, r"header but no rows"),
        ("a,b\n1,2\n3,4,5\n6\n", {}, r"line 3 has 3 cells instead of 2 \(2 such lines\): '3,4,5'"),
        ('a,b\n1,2\n3,"x\n4,"y,z"\n5,6\n', {}, r"line 3 has 3 cells instead of 2"),
        ('a,b\n1,"x\n2,y\n', {}, r"row 1, column 'b': the quote before 'x\\n2,y\\n' is never closed"),
        ("a,b\n1,2\n", {"delimiter": ";;"}, r"data.delimiter = ';;' should be one character"),
        ("a,b\n1,2\n", {"names": ["x"]}, r"2 columns, but data.names has 1"),
    ],
)
def test_text_that_is_no_table_is_one_message(table, text, options, message):
    with pytest.raises(UserError, match=message):
        table(text, **options)

import csv

import pytest

from pipeline.errors import UserError
from pipeline.reading import Options


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
    ("above", "first", "line"),
    [
        ("Sales, by region, 2020\nSource: bureau, yearly\n\n", "Sales, by region, 2020", 3),
        ("# logger 7, version 2\n# units: kg, cm\n", "# logger 7, version 2", 2),
        ('"Table 1, weights",,\n,,\n', "Table 1, weights", 2),
        (",person,,person\n", "person, person", 1),
        ("outcome is,ill\n\n", "outcome is, ill", 2),
    ],
)
def test_the_line_with_the_target_is_the_header_whatever_stands_above_it(table, above, first, line):
    message = rf"the first is '{first}'. The table begins in line {line + 1}.*data.skip={line}"
    with pytest.warns(UserWarning, match=message):
        frame = table(f"{above}weight,height,sex,ill\n70,180,m,no\n60,170,f,yes\n", target="ill")
    assert frame.columns.tolist() == ["weight", "height", "sex", "ill"]
    assert frame["weight"].tolist() == [70, 60]


def test_a_comment_sign_before_the_header_is_not_part_of_a_name(table):
    assert table("# time height ill\n1 2 no\n3 4 yes\n", target="ill").columns.tolist() == ["time", "height", "ill"]


def test_rows_of_units_below_the_header_are_left_out(table):
    logger = '"TOA5","CR6","station"\n"TIME","T","P","ill"\n"TS","deg C","hPa",""\n"","Avg","Smp",""\n'
    rows = "".join(f"2021-03-0{day},{day}.5,10{day},{'yes' if day % 2 else 'no'}\n" for day in range(1, 8))
    with pytest.warns(UserWarning) as warned:
        frame = table(logger + rows, target="ill")
    assert len(frame) == 7
    assert frame.dtypes.astype(str).tolist() == ["datetime64[us]", "float64", "float64", "str"]
    assert "below the names of the columns: 2, beginning in line 3 with 'TS,deg C,hPa,'" in str(warned[1].message)


def test_missing_cells_in_the_first_row_are_no_units(table):
    assert len(table("a,b,c\n?,,x\n1,2,y\n3,4,x\n5,6,y\n7,8,y\n")) == 5


@pytest.mark.parametrize(
    "text",
    [
        "width colour ill\n1.5 red no\n2 blue yes\n",
        "  width   colour  ill\n    1.5      red   no  \n      2     blue  yes\n",
        'width\t colour ill\n1.5 "red" \tno\n2\tblue\tyes\n',
        "width:colour:ill\n1.5:red:no\n2:blue:yes\n",
        "width~colour~ill\n1.5~red~no\n2~blue~yes\n",
        "width,colour,ill\n1.5,red,no,\n2,blue,yes,\n",
        "'width','colour','ill'\n'1.5','red','no'\n'2','blue','yes'\n",
        "width,colour,ill\n1.5,'red',no\n2,'blue',yes\n",
    ],
)
def test_rare_delimiters_and_quotes_are_found_out(table, text):
    frame = table(text, target="ill")
    assert frame.to_dict("list") == {"width": [1.5, 2], "colour": ["red", "blue"], "ill": ["no", "yes"]}


def test_numbers_with_blanks_between_them_are_several_cells(table):
    text = "".join(f'{mpg}   8   {mpg * 10}.0  {mpg}\t"ford {mpg} torino"\n' for mpg in (18, 15, 17))
    assert table(text)["column_5"].tolist() == ["ford 18 torino", "ford 15 torino", "ford 17 torino"]
    assert table("a b y\n1,5 2,3 no\n2,5 3,1 yes\n", target="y")["a"].tolist() == [1.5, 2.5]
    assert table("a;y\n1 234,5;no\n2 345,5;yes\n", thousands=" ", decimal=",")["a"].tolist() == [1234.5, 2345.5]


def test_what_stands_inside_quotes_is_not_altered(table):
    cells = ['x, "y", z', "a  b", "# c", 'say ""', " 'd' "]
    quoted = ['"{}"'.format(cell.replace('"', '""')) for cell in cells]
    for text in (
        "n, t\n" + "".join(f"1, {cell}\n" for cell in quoted),
        "n t\n" + "".join(f"1   {c}\n" for c in quoted),
    ):
        assert table(text, comment="#", target="t")["t"].tolist() == [cell.strip() for cell in cells]


def test_a_backslash_before_a_quote_is_found_out_and_changes_nothing_else(table):
    text = 't,p,ill\n"7\\" pipe, long","C:\\new",no\n"say \\"no\\"",\\x,yes\n'
    assert table(text)["t"].tolist() == ['7" pipe, long', 'say "no"']
    assert table(text)["p"].tolist() == ["C:\\new", "\\x"]
    assert table('t,n\n"say \\""hi\\"" twice",1\n"C:\\",2\n')["t"].tolist() == ['say \\"hi\\" twice', "C:\\"]


def test_given_quotes_escapes_comments_and_lines_to_skip_are_used(table):
    assert table("t;n\n%a;b%;1\n", quote="%", delimiter=";")["t"].tolist() == ["a;b"]
    assert table('t,n\n"a^"b",1\n', escape="^")["t"].tolist() == ['a"b']
    assert table("t,n\n1,2\n// no, row\n3,4\n", comment="//")["n"].tolist() == [2, 4]
    assert table("x,y\n1,2\nx,y\n3,4\n", skip=2, target="y")["x"].tolist() == [3]
    assert table("a title\n1,2\n3,4\n", skip=1, header=False)["column_2"].tolist() == [2, 4]


def test_row_names_of_r_are_left_out_unless_a_setting_names_them(table):
    text = '"wt","ill"\n"Fiat 128",2.2,"no"\n"Honda Civic",1.6,"yes"\n'
    with pytest.warns(UserWarning, match=r"'row_names' is left out.*one name less.*data.roles.row_names=categorical"):
        assert table(text).columns.tolist() == ["wt", "ill"]
    named = table(text, roles={"row_names": "categorical"})
    assert named["row_names"].tolist() == ["Fiat 128", "Honda Civic"]


def test_a_decimal_comma_between_commas_is_not_taken_for_row_names(table):
    with pytest.raises(UserError, match="line 2 has 3 cells instead of 2"):
        table("size,ill\n1,5,no\n1,7,yes\n2,5,no\n", target="ill")


def test_names_that_repeat_get_a_number_and_stand_for_all_their_columns(table):
    text = "score,score,age,ill\n1,2,3,no\n4,5,6,yes\n"
    with pytest.warns(UserWarning, match=r"more than one column named 'score'. They are called 'score' and 'score_2'"):
        assert table(text).columns.tolist() == ["score", "score_2", "age", "ill"]
    assert table(text, drop=["score"]).columns.tolist() == ["age", "ill"]
    assert table(text, drop=["score_2"]).columns.tolist() == ["score", "age", "ill"]
    assert table(text, columns=["age"], target="ill").columns.tolist() == ["age", "ill"]


@pytest.mark.parametrize(
    ("last", "message"),
    [
        ("Total,9,", r"'Total,9,', looks like a total of the rows above.*data.comment=Total"),
        (",Total,", r"',Total,', looks like a total of the rows above.*data.comment=\",Total\""),
        ("Source: census,,", r"'Source: census,,', looks like a note.*data.comment=\"Source: census\""),
    ],
)
def test_a_total_or_a_note_in_the_last_line_is_named(table, last, message):
    text = f"city,river,ill\nBern,Aare,no\nParis,Seine,yes\n{last}\n"
    with pytest.warns(UserWarning, match=message):
        assert len(table(text)) == 3
    assert len(table(text, comment=last[:5])) == 2
    with pytest.raises(UserError, match=r"'Total' is not a number.*The last line, 'Total,,', looks like a total"):
        table("n,m,ill\n1,1,no\n2,2,yes\nTotal,,\n", roles={"n": "numeric"})


def test_numbers_that_lose_digits_and_times_with_an_offset_are_read_as_they_are_written(tmp_path):
    from pipeline.reading import body, delimited
    from pipeline.reading.decoding import Text

    content = b"code,t,x\n12345678901234567891,2020-01-01T09:00:00-05:00,1\n9007199254740993,2020-07-01T09:00:00Z,2\n"
    dialect = delimited.sniff(Text(content), tmp_path, Options())
    found = body.parse(Text(content), tmp_path, dialect, dialect.names, dialect.names, (), missing=[""])
    assert found["code"].to_pylist() == ["12345678901234567891", "9007199254740993"]
    assert found["t"].to_pylist() == ["2020-01-01T09:00:00-05:00", "2020-07-01T09:00:00Z"]
    assert found["x"].to_pylist() == [1, 2]


def test_a_cell_far_below_the_first_rows_decides_as_well(table):
    rows = "123456,7,red,no\n" * 400_000
    frame = table(f"a,b,c,ill\n{rows}1.5,x,2,yes\n", roles={"b": "categorical"})
    assert frame.dtypes.astype(str).tolist() == ["float64", "str", "str", "str"]
    assert frame.iloc[[0, -1]].to_numpy().tolist() == [[123456, "7", "red", "no"], [1.5, "x", "2", "yes"]]
    with pytest.raises(UserError, match="line 400002 has 1 cell instead of 4"):
        table(f"a,b,c,ill\n{rows}1\n{rows}")


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
        ("a,b\n1,2\n", {"quote": "''"}, r"data.quote = \"''\" should be one character"),
        ("a,b\n1,2\n", {"quote": ",", "delimiter": ","}, r"data.delimiter and data.quote are both ','"),
        ("a,b\n1,2\n", {"skip": 9}, r"no row that can be read after data.skip = 9 lines"),
        (
            "alpha beta\nx\ny z\n",
            {"target": "ill"},
            r"no column 'ill', and the.*'alpha beta'.*data.delimiter",
        ),
        ("a,b\n1,2\n# end\n3,4\n", {}, r"line 3 has 1 cell instead of 2.*'# end'.*data.comment=\"#\""),
        ("a,b\n1,2\n(1 row affected)\n", {}, r"line 3 has 1 cell instead of 2.*look like a footer"),
        ("a,b\n1,2\nSource: us\n", {}, r"look like a footer.*data.comment=Source"),
        ("a,b,y\n1,2,x\n'3, 4',5,z\n1,2,x\n'5, 6',7,z\n", {"quote": '"'}, r"line 3 has 4 cells instead of 3"),
        ("a,b\n" + "1,2,\n" * 200 + "3,4,5\n", {}, r"row 201 has a cell more than the header names: '5'"),
        ("y,b,y\n1,2,x\n", {"target": "y"}, r"more than one column named 'y'.*ambiguous"),
    ],
)
def test_text_that_is_no_table_is_one_message(table, text, options, message):
    with pytest.raises(UserError, match=message):
        table(text, **options)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|", ":", "~"])
@pytest.mark.parametrize("key", ["quote", "escape"])
def test_a_quote_or_escape_is_never_taken_for_the_delimiter(table, key, mark, monkeypatch):
    reader = csv.reader

    def strict(stream, **marks):  # as in Python 3.13
        assert marks["delimiter"] not in (marks["quotechar"], marks["escapechar"])
        return reader(stream, **marks)

    monkeypatch.setattr("pipeline.reading.header.csv.reader", strict)
    other = ";" if mark != ";" else ","
    assert table(f"a{other}b\n1{other}2\n3{other}4\n", **{key: mark}).to_numpy().tolist() == [[1, 2], [3, 4]]
    with pytest.raises(UserError, match="are both"):
        table("a,b\n1,2\n", delimiter=mark, **{key: mark})


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("header_too", [True, False])
def test_rows_wholly_in_quotes_are_read_as_the_rows_inside(table, end, mark, quote, header_too):
    rows = [["a", "b", "y"], ["1", f"{quote}x{mark} z{quote}", "no"], ["2", "w", "yes"], ["3", "x", "no"]]
    wrapped = [quote + mark.join(row).replace(quote, 2 * quote) + quote for row in rows]
    lines = wrapped if header_too else [mark.join(rows[0]), *wrapped[1:]]
    for bom in ("", "\ufeff"):
        read = table(bom + end.join(lines) + end, target="y")
        assert read.columns.tolist() == rows[0]
        assert read.to_numpy().tolist() == [[1, f"x{mark} z", "no"], [2, "w", "yes"], [3, "x", "no"]]


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        ('"y"\n"1, 2"\n"3"\n', [["1, 2"], ["3"]]),
        ('"a, b"\n"c"\n"d, e, f"\n', [["c"], ["d, e, f"]]),
        ('"a","y"\n"1","2"\n"3","4"\n', [[1, 2], [3, 4]]),
    ],
)
def test_quoted_cells_that_hold_no_rows_stay_cells(table, content, cells):
    assert table(content, delimiter=",").to_numpy().tolist() == cells

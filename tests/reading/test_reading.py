"""Whatever a file does: a table with the right types, or one message that says where and what to do."""

import bz2
import gzip
import lzma
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import feather

from pipeline.errors import UserError
from pipeline.reading.options import Options
from pipeline.reading import read

DATA = Path(__file__).parents[1] / "data"
NUMBERS_AND_WORDS = pd.DataFrame({"height": [1.5, np.nan, 2.0], "colour": ["red", "blue", None]})


@pytest.fixture
def table(tmp_path):
    """Write content to a file and read it."""

    def write_and_read(content, *, name="table.csv", target=None, roles=None, **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read(path, Options(**options), target=target, roles=roles).frame

    return write_and_read


def types_of(frame):
    return {name: str(kind) for name, kind in frame.dtypes.items()}


@pytest.mark.parametrize(
    "text",
    [
        "height,colour\n1.5,red\n?,blue\n2,NA\n",
        "height;colour\n1,5;red\n;blue\n2,0;N/A\n",
        "height\tcolour\n1.5\tred\n\tblue\n2\t\n",
        "height|colour\r\n1.5|red\r\n|blue\r\n2|\r\n",
        "height, colour\n1.5, red\n ?, blue\n 2, ?\n",
        'height, colour\n1.5, "red"\n , "blue"\n2, ""\n',
        '"height","colour"\n"1.5","red"\n"","blue"\n"+2",null\n',
    ],
)
def test_the_same_table_is_read_however_it_is_written(table, text):
    pd.testing.assert_frame_equal(table(text), NUMBERS_AND_WORDS.astype({"colour": "str"}))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.filterwarnings("ignore:.*Windows-1252")
def test_encoding_is_found_out(table, encoding):
    assert table("città,n\nZürich,1\nGenève,2\n".encode(encoding))["città"].tolist() == ["Zürich", "Genève"]


def test_assumed_encoding_is_said(table):
    with pytest.warns(UserWarning, match=r"not UTF-8 \(line 2\).*Windows-1252"):
        table("city,n\nGenève,1\n".encode("cp1252"))


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress, lambda data: pa.Codec("zstd").compress(data, asbytes=True)]
)
def test_compression_is_found_out_from_the_bytes(table, compress):
    assert table(compress(b"a,b\n1,2\n3,4\n"), name="no-suffix").shape == (2, 2)


def test_a_zip_with_one_file_is_a_table(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("t.csv", "a,b\n1,2\n")
    assert read(tmp_path / "t.zip").frame.shape == (1, 2)


def test_parquet_and_feather_give_what_csv_gives(tmp_path):
    stored = pa.table({"height": [1.5, None, 2.0], "colour": pa.array(["red", "blue", None]).dictionary_encode()})
    parquet.write_table(stored, tmp_path / "t.parquet")
    feather.write_feather(stored, tmp_path / "t.feather")
    for name in ("t.parquet", "t.feather"):
        pd.testing.assert_frame_equal(read(tmp_path / name).frame, NUMBERS_AND_WORDS.astype({"colour": "str"}))


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


def test_given_options_are_not_guessed(table):
    assert table("a;b,c\n1;2,3\n", delimiter=",").columns.tolist() == ["a;b", "c"]
    assert table("1,2\n3,4\n", header=True).columns.tolist() == ["1", "2"]
    assert table("1,2\n3,4\n", names=["x", "y"])["x"].tolist() == [1, 3]
    assert table("a;b\n1.234,5;x\n", thousands=".", decimal=",")["a"].tolist() == [1234.5]


def test_decimals_are_told_from_groups_of_three_digits_and_dates_from_both(table):
    assert table("a;b\n2,338;x\n0,338;x\n")["a"].tolist() == [2.338, 0.338]
    european = table("a;b;c\n2,5;1.234;01.02.2023\n3,25;98.765;13.02.2023\n", thousands=".")
    assert european["a"].tolist() == [2.5, 3.25]
    assert european["b"].tolist() == [1234, 98765]
    assert european["c"].dt.month.tolist() == [2, 2]
    assert table("a,b\n1,inf\n2,9\n", missing_values=["inf"])["b"].isna().tolist() == [True, False]


def test_dates_and_times_become_datetimes(table):
    frame = table("d,e,t,z\n2024-01-31,31/01/2024,12:30,2024-01-31T23:00:00-02:00\n?,28/02/2024,,\n")
    assert set(types_of(frame).values()) == {"datetime64[us]"}
    assert frame["d"][0] == frame["e"][0] == pd.Timestamp("2024-01-31")
    assert frame["t"][0].hour == 12
    assert frame["z"][0] == pd.Timestamp("2024-02-01 01:00")


def test_a_date_format_decides_between_day_and_month(table):
    text = "d,x\n05/01/2024,1\n06/02/2024,2\n"
    assert table(text, date_format="%d/%m/%Y")["d"].dt.month.tolist() == [1, 2]
    assert table(text, date_format="%m/%d/%Y")["d"].dt.month.tolist() == [5, 6]


def test_roles_keep_the_words_of_the_file(table):
    frame = table("zip,x\n02139,1\n10001,0\n", target="x", roles={"zip": "categorical"})
    assert frame["zip"].tolist() == ["02139", "10001"]
    assert frame["x"].tolist() == ["1", "0"]


def test_a_role_of_date_reads_numbers_as_dates(table):
    frame = table("d,x\n20240131,1\n20240228,2\n", roles={"d": "date"}, date_format="%Y%m%d")
    assert frame["d"].tolist() == [pd.Timestamp("2024-01-31"), pd.Timestamp("2024-02-28")]


def test_a_date_format_wins_over_what_the_cells_look_like(table):
    first_of_february = [pd.Timestamp("2023-02-01")]
    assert table("d,x\n2023-01-02,1\n", date_format="%Y-%d-%m")["d"].tolist() == first_of_february
    assert table("d,x\n2023-01-02,1\n", date_format={"d": "%Y-%d-%m"})["d"].tolist() == first_of_february
    assert table("d,x\n20230201,1\n", date_format={"d": "%Y%m%d"})["d"].tolist() == first_of_february


@pytest.mark.parametrize(
    ("cell", "date"),
    [
        ("13/04/23", "2023-04-13"),
        ("4/13/23", "2023-04-13"),
        ("13.04.23", "2023-04-13"),
        ("13-Apr-23", "2023-04-13"),
        ("4/13/2023 3:04:05 PM", "2023-04-13 15:04:05"),
        ("2023-04-13 3:04 am", "2023-04-13 03:04"),
        ("12:30", "1970-01-01 12:30"),
        ("12:30:15", "1970-01-01 12:30:15"),
    ],
)
def test_dates_of_many_forms_are_known_and_known_again(table, cell, date):
    text = f"d,x\n{cell},1\n"
    assert table(text)["d"].tolist() == table(text, roles={"d": "date"})["d"].tolist() == [pd.Timestamp(date)]


def test_thousands_imply_the_other_decimal_mark(table):
    assert table("a;b\n1.234;2\n99;3\n", thousands=".")["a"].tolist() == [1234, 99]
    assert table("a;b\n1,234.5;2\n99;3\n", thousands=",")["a"].tolist() == [1234.5, 99]


def test_a_word_that_means_missing_can_be_replaced(table):
    frame = table("a,b\n?,?\nx,1\n,2\n", replace={"a": {"?": "unknown"}})
    assert frame["a"].fillna("-").tolist() == ["unknown", "x", "-"]
    np.testing.assert_array_equal(frame["b"], [np.nan, 1, 2])


def test_zeros_before_numbers_are_told_unless_the_role_keeps_them(table, recwarn):
    text = "zip,n\n02139,0\n10001,10\n"
    assert table(text, roles={"zip": "categorical"})["zip"].tolist() == ["02139", "10001"]
    assert not recwarn.list
    with pytest.warns(UserWarning, match="column 'zip' holds numbers such as '02139', .* the role categorical"):
        assert table(text)["zip"].tolist() == [2139, 10001]


@pytest.mark.parametrize("cell", ["${}.50", "{}%", "{} kg", "€ {}", "({}.00)"])
def test_numbers_with_signs_or_units_are_words_which_is_told(table, cell):
    text = "a,b\n" + "".join(f"{cell.format(i)},1\n" for i in range(30))
    with pytest.warns(UserWarning, match=r"column 'a' holds words such as .*, not numbers"):
        assert types_of(table(text))["a"] == "str"


def test_a_first_line_with_the_target_in_it_is_a_header(table):
    frame = table("2023,null,y\n1,2,a\n3,4,b\n", target="y")
    assert frame.columns.tolist() == ["2023", "null", "y"]


def test_lines_that_spreadsheets_put_above_the_table_are_left_out(table):
    assert table("sep=;\na;b\n1,5;x\n")["a"].tolist() == [1.5]
    for blanks in ("", ";;"):
        with pytest.warns(UserWarning, match=r"left out what stands above the table, 'Report 2024'"):
            frame = table(f"Report 2024{blanks}\na;b;c\n1;2;3\n4;5;6\n")
        assert frame.columns.tolist() == ["a", "b", "c"]
        assert len(frame) == 2


def test_columns_are_kept_and_dropped_in_the_order_of_the_file(table):
    text = "a,b,c,y\n1,2,3,4\n"
    assert table(text, columns=["c", "a"], target="y").columns.tolist() == ["a", "c", "y"]
    assert table(text, drop=["b"]).columns.tolist() == ["a", "c", "y"]


def test_real_files_have_the_published_shapes():
    adult = read(DATA / "adult-400.csv", target="column_15").frame
    assert adult.shape == (400, 15)
    assert (adult["column_2"].isna().sum(), adult["column_15"].unique().tolist()) == (22, ["<=50K", ">50K"])
    penguins = read(DATA / "penguins.csv").frame
    assert penguins[["sex", "body_mass_g", "species"]].isna().sum().tolist() == [11, 2, 0]
    assert read(DATA / "horse-colic.csv").frame.isna().mean().mean() == pytest.approx(0.19, abs=0.02)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {}, r"empty"),
        ("\n\n", {}, r"no row"),
        ("a,b\n", {}, r"header but no rows"),
        (b"\x00\x01\x02", {}, r"not text: byte 0 is zero.*utf-16"),
        ("a,a\n1,2\n", {}, r"more than one column named 'a'.*data.header=false"),
        ("a,b\n1,2\n3,4,5\n6\n", {}, r"line 3 has 3 cells instead of 2 \(2 such lines\): '3,4,5'"),
        ('a,b\n1,2\n3,"x\n4,"y,z"\n5,6\n', {}, r"line 3 has 3 cells instead of 2"),
        ('a,b\n1,"x\n2,y\n', {}, r"row 1, column 'b': a quote is opened and never closed, at 'x"),
        ("a,b\n1,é\n".encode("cp1252"), {"encoding": "utf-8"}, r"line 2: the byte b'\\xe9' is not utf-8"),
        ("a,b\n1,2\n", {"encoding": "klingon"}, r"data.encoding = 'klingon' is no known encoding"),
        ("a,b\n1,2\n", {"delimiter": ";;"}, r"data.delimiter = ';;' should be one character"),
        ("a,b\n1,2\n", {"compression": "gzip"}, r"can't be decompressed as gzip"),
        ("a,b\n1,2\n", {"names": ["x"]}, r"2 columns, data.names has 1"),
        ("a,b\n1,2\n", {"columns": ["bb"]}, r"no column 'bb'. Did you mean 'b'\? The columns are a, b"),
        ("a,b\n1,2\n", {"target": "c"}, r"no column 'c'"),
        ("a,b\n1,2\n", {"drop": ["a", "b"]}, r"leave no column"),
        ("a,b\n1,2\n3,-inf\n", {}, r"row 2, column 'b': -inf is infinite"),
        ('a,b\n1,"1,234"\n2,5\n', {}, r"row 1, column 'b': '1,234' has a thousands separator.*data.thousands=','"),
        ('a,b\n1,"1,234"\n2,"0,338"\n3,5.5\n', {}, r"row 1, column 'b': '1,234' has a decimal comma.*data.decimal=','"),
        ("a;b\n1;1.234,5\n", {}, "data.thousands='[.]'.* -S .data.decimal=','"),
        ("a;b\n6,674;1\n5,012;2\n", {}, "data.thousands=','.*if it is a decimal mark, -S .data.decimal=','"),
        ("a;b\n1,5;1.234\n2,5;5.678\n", {}, "'1.234' has a thousands separator.*data.thousands='[.]'"),
        ("a;b\n1,5;1.23\n2,5;5.6\n", {"decimal": ","}, "'1.23' has a decimal point.*data.decimal='[.]'"),
        ("a,b\n1,2\n", {"decimal": ",", "thousands": ","}, "data.decimal and data.thousands are both ','"),
        ("a,b\n1,2\n2,1e160\n", {}, "row 2, column 'b': 1e[+]160 is infinite, or so large that its square is"),
        ("d,x\n2024-01-05,1\n", {"date_format": {"day": "%Y"}}, "no column 'day'"),
        ("d,x\n05/04/24,1\n06/02/24,2\n", {}, "'05/04/24' reads as %d/%m/%y or %m/%d/%y.*data.date_format"),
        ("d,x\n" + "2024-01-05,1\n" * 20 + "soon,2\n", {}, "row 21, column 'd': 'soon' is no date of the form"),
        ("d,x\n2024-02-28,1\n2024-02-30,2\n", {}, r"row 2, column 'd': '2024-02-30' is no date of the form %Y-%m-%d"),
        ("d,x\n05/01/2024,1\n06/02/2024,2\n", {}, r"'05/01/2024' reads as %m/%d/%Y or %d/%m/%Y.*data.date_format"),
        ("d,x\n05/01/2024,1\n", {"date_format": "%q"}, r"data.date_format = '%q' is no date format"),
        ("d,x\nsoon,1\n", {"roles": {"d": "date"}}, r"row 1, column 'd': 'soon' is no date"),
        (
            gzip.compress(b"a,b\n" + b"1,2\n" * 99, mtime=0)[:-9],
            {},
            r"can't be decompressed as gzip.*cut off or damaged",
        ),
        (b"PAR1" + b"x" * 50, {}, r"cut off or damaged.*Parquet"),
        ("a,b\n1,2\n", {"name": "t.parquet"}, r"begins with b'a,b\\n': it is no parquet file"),
    ],
)
def test_bad_input_is_one_message_with_place_value_and_next_step(table, content, options, message):
    with pytest.raises(UserError, match=f"(?s){message}"):
        table(content, **options)


def test_a_word_among_numbers_is_named_with_its_row(table):
    rows = [f"{i},{i % 7}" for i in range(100)]
    with pytest.raises(UserError, match=r"row 51, column 'a': 'fifty' stands among numbers .*data.roles.a=categorical"):
        table("\n".join(["a,b", *rows[:50], "fifty,0", *rows[50:]]))
    levels = [f"{level},1" for level in ("0", "1", "2", "3+")] * 10 + ["0,1"] * 200
    assert types_of(table("\n".join(["a,b", *levels])))["a"] == "str"


def test_a_place_that_is_no_file_is_one_message(tmp_path):
    (tmp_path / "adult.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"adlt.csv doesn't exist. Did you mean .*adult.csv\?"):
        read(tmp_path / "adlt.csv")
    with pytest.raises(UserError, match=r"is a directory.*adult.csv"):
        read(tmp_path)


def test_no_permission_is_one_message(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # a test run by root may read everything
    with pytest.raises(UserError, match=r"t.csv can't be read: Permission denied"):
        read(tmp_path / "t.csv")


def test_a_damaged_parquet_file_is_one_message(tmp_path):
    pd.DataFrame({"a": np.arange(100.0), "b": ["x"] * 100}).to_parquet(tmp_path / "t.parquet")
    whole = (tmp_path / "t.parquet").read_bytes()
    for end in (8, len(whole) // 2, len(whole) - 1):
        (tmp_path / "t.parquet").write_bytes(whole[:end])
        with pytest.raises(UserError, match="cut off or damaged"):
            read(tmp_path / "t.parquet")


def test_booleans_become_words(tmp_path):
    parquet.write_table(pa.table({"a": [True, False, None]}), tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet").frame["a"].fillna("?").tolist() == ["true", "false", "?"]


def test_lists_in_parquet_are_no_column(tmp_path):
    parquet.write_table(pa.table({"a": [[1], [2]]}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"column 'a' of list.*data.drop"):
        read(tmp_path / "t.parquet")


CELLS = st.one_of(
    st.text(max_size=6),
    st.integers().map(str),
    st.floats().map(str),
    st.dates().map(str),
    st.sampled_from(["?", "NA", '"', '""', "1,234", "1.234,5", " x", "+5", "1e400", "0x1f", "12:30", "2020-02-30"]),
)
TEXTS = st.builds(
    lambda delimiter, rows, end, encoding: end.join(delimiter.join(row) for row in rows).encode(encoding, "ignore"),
    st.sampled_from([",", ";", "\t", ", "]),
    st.lists(st.lists(CELLS, min_size=2, max_size=3), max_size=20),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "latin-1", "utf-16"]),
)
STARTS = [
    b"PAR1",
    b"ARROW1\0\0",
    b"FEA1",
    b"\x1f\x8b\x08",
    b"BZh91AY&SY",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"PK\3\4",
]
MAGIC = st.builds(bytes.__add__, st.sampled_from(STARTS), st.binary(max_size=99))
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "header": st.booleans(),
        "delimiter": st.sampled_from(",; a"),
        "decimal": st.sampled_from(",."),
        "thousands": st.sampled_from(",.'"),
        "encoding": st.sampled_from(["utf-8", "latin-1", "utf-16", "idna", "rot13"]),
        "date_format": st.sampled_from(["%Y", "%d/%m/%Y", "x"]),
    },
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(), TEXTS, TEXTS, MAGIC), OPTIONS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_any_bytes_are_a_table_or_one_message(tmp_path, content, options):
    path = tmp_path / "fuzz"
    path.write_bytes(content)
    try:
        frame = read(path, Options(**options)).frame
    except UserError as error:
        assert "fuzz" in str(error) or "data." in str(error)
    else:
        assert len(frame)
        assert set(types_of(frame).values()) <= {"float64", "str", "datetime64[us]"}
        assert not np.isinf(frame.select_dtypes("float64")).any(axis=None)

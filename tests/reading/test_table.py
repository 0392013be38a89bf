"""Whatever a file contains: a table with the right types, or one message with the place and the next step."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import feather

from pipeline import compute
from pipeline.columns.target import known_rows
from pipeline.errors import UserError
from pipeline.reading import Options, read

DATA = Path(__file__).parents[1] / "data"
NUMBERS_AND_STRINGS = pd.DataFrame({"height": [1.5, np.nan, 2.0], "colour": ["red", "blue", None]}).astype(
    {"colour": "str"}
)


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
    pd.testing.assert_frame_equal(table(text), NUMBERS_AND_STRINGS)


def test_parquet_and_feather_give_what_csv_gives(tmp_path):
    stored = pa.table({"height": [1.5, None, 2.0], "colour": pa.array(["red", "blue", None]).dictionary_encode()})
    parquet.write_table(stored, tmp_path / "t.parquet")
    feather.write_feather(stored, tmp_path / "t.feather")
    for name in ("t.parquet", "t.feather"):
        pd.testing.assert_frame_equal(read(tmp_path / name).frame, NUMBERS_AND_STRINGS)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_beyond_memory_is_mapped_from_files_and_is_the_same(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr("pipeline.reading.body.FEW", 10_000)
    monkeypatch.setattr("pipeline.reading.held.TOGETHER", 30_000)
    rng, n = np.random.default_rng(0), 5_000
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 999, n), unit="D")
    table = pd.DataFrame({"number": rng.normal(size=n), "day": days, "string": rng.choice(["a", "b", "c"], n)})
    table = table.mask(rng.random(table.shape) < 0.1).assign(target=rng.choice(["no", "yes", None], n))
    path = tmp_path / f"table.{suffix}"
    if suffix == "csv":
        table.to_csv(path, index=False)
    else:
        stored = pa.table(table)
        where = stored.column_names.index("string")
        parquet.write_table(stored.set_column(where, "string", stored["string"].dictionary_encode()), path)
    with compute.mapped_beyond(1000, str(tmp_path)), pytest.warns(match="rows have no 'target'"):
        mapped = read(path, target="target").frame
        known = known_rows(mapped, "target")
    for frame in (mapped, known):
        for name in ("number", "day"):
            cells = frame[name].to_numpy()
            while not isinstance(cells, np.memmap):
                cells = cells.base
    pd.testing.assert_frame_equal(mapped, read(path, target="target").frame)
    pd.testing.assert_frame_equal(known, mapped.dropna(subset="target", ignore_index=True))


def test_columns_are_kept_and_dropped_in_the_order_of_the_file(table):
    text = "a,b,c,y\n1,2,3,4\n"
    assert table(text, columns=["c", "a"], target="y").columns.tolist() == ["a", "c", "y"]
    assert table(text, drop=["b"]).columns.tolist() == ["a", "c", "y"]


@pytest.mark.filterwarnings("ignore:.*leading zeros")
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
        ("a,a\n1,2\n", {"target": "a"}, r"more than one column named 'a'.*ambiguous.*data.header=false"),
        ("a,b\n1,2\n", {"columns": ["bb"]}, r"no column 'bb'. Did you mean 'b'\? The columns are a, b"),
        ("a,b\n1,2\n", {"target": "c"}, r"no column 'c'"),
        ("a,b\n1,2\n", {"drop": ["a", "b"]}, r"leave no column"),
        ("a,b\n1,2\n", {"drop": ["a"], "target": "a"}, r"data.drop leaves out 'a', but data.target.* needs it"),
        ("a,b\n1,2\n", {"replace": {"c": {"1": "2"}}}, r"data.replace has no column 'c'"),
        ("a,b\n1,2\n", {"decimal": ",", "thousands": ","}, "data.decimal and data.thousands are both ','"),
        (b"PAR1" + b"x" * 50, {}, r"incomplete or damaged.*Parquet"),
        ("a,b\n1,2\n", {"name": "t.parquet"}, r"begins with b'a,b\\n', so it is not a parquet file"),
    ],
)
def test_a_file_or_options_that_give_no_table_are_one_message(table, content, options, message):
    with pytest.raises(UserError, match=message):
        table(content, **options)


def test_a_place_that_is_no_file_is_one_message(tmp_path):
    (tmp_path / "adult.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"adlt.csv doesn't exist. Did you mean .*adult.csv\?"):
        read(tmp_path / "adlt.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"is a directory without files"):
        read(tmp_path / "empty")
    with pytest.raises(UserError, match=r"is a directory with others in it \(empty\)"):
        read(tmp_path)


def test_no_permission_is_one_message(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n", encoding="utf-8")

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
        with pytest.raises(UserError, match="incomplete or damaged"):
            read(tmp_path / "t.parquet")


CELLS = st.one_of(
    st.text(max_size=6),
    st.integers().map(str),
    st.floats().map(str),
    st.dates().map(str),
    st.sampled_from(
        [
            "?",
            "NA",
            '"',
            '""',
            "1,234",
            "'a,b'",
            '"a\\"b"',
            "#",
            "Total",
            "1.234,5",
            " x",
            "+5",
            "1e400",
            "0x1f",
            "12:30",
            "2020-02-30",
        ]
    ),
)
TEXTS = st.builds(
    lambda delimiter, rows, end, encoding: end.join(delimiter.join(row) for row in rows).encode(encoding, "ignore"),
    st.sampled_from([",", ";", "\t", ", ", " ", "  ", ":", "~"]),
    st.lists(st.lists(CELLS, min_size=2, max_size=3), max_size=20),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "latin-1", "utf-16", "cp1251", "shift_jis"]),
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
    b"ORC",
    b"$FL2",
    b"\xd0\xcf\x11\xe0",
    b"<stata_dta>",
    b"\x73\1\1\0",
    b"HEADER RECORD*******LIBRARY",
    b"\0\0\0\0\0\0\0\0\0\0\0\0\xc2\xea\x81\x60",
    b'{"a": ',
    b'[{"a": 1}, ',
    b"@relation x\n@attribute y {1, 2}\n@data\n",
]
MAGIC = st.builds(bytes.__add__, st.sampled_from(STARTS), st.binary(max_size=99))
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "header": st.booleans(),
        "delimiter": st.sampled_from(",; a"),
        "quote": st.sampled_from("'\"\\,"),
        "escape": st.sampled_from("\\\"'"),
        "comment": st.sampled_from(["#", "//", "1", "a"]),
        "skip": st.integers(0, 5),
        "sheet": st.sampled_from(["x", 0, 9]),
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
        assert set(frame.dtypes.astype(str)) <= {"float64", "str", "datetime64[us]"}
        assert not np.isinf(frame.select_dtypes("float64")).any(axis=None)

"""What is not delimited text is a table too, or is named with the next step."""

import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from conftest import ROOT
from pyarrow import feather, orc

from pipeline.errors import UserError
from pipeline.reading import Options, read, rows

FRAME = pd.DataFrame(
    {
        "size": [1.5, np.nan, 3.0],
        "day": pd.to_datetime(["2020-01-01", "2020-01-02", "2021-05-06"]).astype("datetime64[us]"),
        "town": ["Bern, CH", "Zürich", "Bern, CH"],
        "ill": ["no", "yes", "no"],
    }
).astype({"town": "str", "ill": "str"})


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("t.parquet", lambda path: FRAME.to_parquet(path)),
        ("t.feather", lambda path: feather.write_feather(FRAME, path)),
        ("t.orc", lambda path: orc.write_table(pa.Table.from_pandas(FRAME), path)),
        ("t.dta", lambda path: FRAME.to_stata(path, write_index=False, version=118)),
        ("old.dta", lambda path: FRAME.replace("Zürich", "Basel").to_stata(path, write_index=False)),
        ("t.jsonl", lambda path: FRAME.to_json(path, orient="records", lines=True, date_format="iso", date_unit="s")),
        ("t.json", lambda path: FRAME.to_json(path, orient="records", date_format="iso", date_unit="s")),
    ],
)
def test_each_format_gives_the_same_table(tmp_path, name, write):
    write(tmp_path / name)
    frame = read(tmp_path / name).frame.replace("Basel", "Zürich")
    pd.testing.assert_frame_equal(frame, FRAME)


def test_a_sheet_of_a_spreadsheet_is_a_table(tmp_path):
    pytest.importorskip("openpyxl")
    path = tmp_path / "t.xlsx"
    with pd.ExcelWriter(path) as book:
        FRAME.to_excel(book, sheet_name="Patients", index=False)
        FRAME.head(2).assign(n=[1, 2]).to_excel(book, sheet_name="More", index=False, startrow=2)
        pd.DataFrame().to_excel(book, sheet_name="None")
    with pytest.warns(UserWarning, match=r"3 sheets: 'Patients' is read, not 'More', 'None'.*-S data.sheet=More"):
        pd.testing.assert_frame_equal(read(path).frame, FRAME)
    for sheet in ("More", 1):
        assert read(path, Options(sheet=sheet), target="ill").frame["n"].tolist() == [1, 2]
    for sheet in ("Mor", 7):
        with pytest.raises(UserError, match=rf"no sheet {sheet!r}. Its sheets are 'Patients', 'More', 'None'"):
            read(path, Options(sheet=sheet))
    with pytest.raises(UserError, match="the sheet 'None' is empty"):
        read(path, Options(sheet="None"))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match=r"incomplete or damaged.*Excel"):
        read(path)


def test_spss_is_read_with_its_library(tmp_path):
    pyreadstat = pytest.importorskip("pyreadstat")
    pyreadstat.write_sav(FRAME, str(tmp_path / "t.sav"))
    assert read(tmp_path / "t.sav").frame["town"].tolist() == FRAME["town"].tolist()


@pytest.mark.parametrize(("content", "library"), [(b"$FL2@(#) SPSS", "pyreadstat"), (b"\xd0\xcf\x11\xe0" * 99, "xlrd")])
def test_a_library_that_is_not_installed_is_named(table, monkeypatch, content, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UserError, match=rf"pip install {library}. Or save it as CSV"):
        table(content)


def test_arff_is_read_with_its_names_and_nominal_columns(table):
    text = """% made by hand
@RELATION 'two words'
@ATTRIBUTE 'petal width' REAL
@attribute grade {1, 2}
@attribute note string
@attribute ill {no,yes}

@DATA
% the rows
0.2,1,'small, \\'fine\\'',no
?,2,'large',yes
"""
    frame = table(text, target="ill")
    assert frame["petal width"].dtype == "float64"
    assert frame.drop(columns="petal width").to_dict("list") == {
        "grade": ["1", "2"],
        "note": ["small, 'fine'", "large"],
        "ill": ["no", "yes"],
    }


@pytest.mark.parametrize(
    ("item", "around"), [('{"key %d": 1}', "[%s]"), ('{"key %d": 1}', "%s"), ('{"a": {"key %d": 1}}', "[%s]")]
)
def test_json_that_would_grow_to_a_table_of_gigabytes_is_one_message_before_it_is_one(item, around, tmp_path):
    lines = around == "%s"
    text = around % ("\n" if lines else ",").join(item % k for k in range(20_000))
    path = tmp_path / "t.json"
    path.write_text(text, encoding="utf-8")
    for reader in (lambda: read(path), lambda: list(rows.chunks(path, ["key 1"]))):
        with pytest.raises(UserError, match=r"with 20,00\d different keys .* table of .* GB, nearly all of it empty"):
            reader()


def test_json_with_a_few_keys_in_each_of_many_objects_is_read(tmp_path):
    path = tmp_path / "t.json"
    path.write_text("\n".join(f'{{"a": {k}, "b{k % 50}": 1}}' for k in range(5_000)), encoding="utf-8")
    assert read(path).frame.shape == (5_000, 51)


def test_json_with_strings_among_numbers_keeps_all_cells(table):
    frame = table('{"a": 1, "ill": "no"}\n{"a": "?", "ill": "yes"}\n\n{"a": 2.5, "ill": "no", "b": true}\n')
    assert frame["a"].tolist()[::2] == [1, 2.5]
    assert frame["b"].isna().tolist() == [True, True, False]


def test_the_index_that_pandas_saved_is_left_out_unless_a_setting_names_it(tmp_path):
    FRAME.set_index(pd.Index([5, 9, 7], name="row")).to_parquet(tmp_path / "t.parquet")
    FRAME.iloc[[2, 0, 1]].to_parquet(tmp_path / "unnamed.parquet")
    with pytest.warns(UserWarning, match=r"'row' is left out.*pandas saved it as the index.*data.roles.row=numeric"):
        assert "row" not in read(tmp_path / "t.parquet").frame
    assert read(tmp_path / "t.parquet", roles={"row": "numeric"}).frame["row"].tolist() == [5, 9, 7]
    with pytest.warns(UserWarning, match="'__index_level_0__' is left out"):
        assert read(tmp_path / "unnamed.parquet").frame.columns.tolist() == FRAME.columns.tolist()


def test_columns_of_parquet_with_one_name_get_a_number(tmp_path):
    parquet.write_table(pa.table([[1, 2], [3, 4], ["a", "b"]], names=["x", "x", "y"]), tmp_path / "t.parquet")
    with pytest.warns(UserWarning, match="more than one column named 'x'"):
        assert read(tmp_path / "t.parquet").frame.to_dict("list") == {"x": [1, 2], "x_2": [3, 4], "y": ["a", "b"]}


def test_a_folder_of_files_is_one_table(tmp_path):
    (tmp_path / "1.csv").write_text("a,c,ill\n1,7,no\n2,8,yes\n", encoding="utf-8")
    (tmp_path / "2.csv").write_text("ill;a;c\nno;2,5;x\nno;3;z\nno;4;w\n", encoding="utf-8")
    (tmp_path / "_SUCCESS").touch()
    frame = read(tmp_path, target="ill").frame
    assert frame.to_dict("list") == {
        "a": [1, 2, 2.5, 3, 4],
        "c": ["7", "8", "x", "z", "w"],
        "ill": ["no", "yes", *["no"] * 3],
    }
    (tmp_path / "3.csv").write_text("A,c,ill\n1,7,no\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"3.csv has no column 'a' and has the column 'A' besides, unlike 1.csv"):
        read(tmp_path, target="ill")


def test_parquet_files_of_a_folder_may_differ_in_their_numbers(tmp_path):
    FRAME.assign(n=[1, 2, 3]).to_parquet(tmp_path / "a.parquet")
    FRAME.assign(n=0.5).to_parquet(tmp_path / "b.parquet")
    assert read(tmp_path).frame["n"].tolist() == [1, 2, 3, 0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89HDF\r\n\x1a\n", r"is HDF5.*read_hdf"),
        (b"%PDF-1.7", r"a PDF document, which is not read. Save the table as CSV; then set data.path"),
        (b"\x80\x04\x95", r"a pickle of Python.*read_pickle\('table.csv'\)"),
        (b"\n<!DOCTYPE html><html>", r"a web page.*Download the file itself"),
        (b"<?xml version='1.0'?><a/>", r"is XML"),
        (b"version https://git-lfs.github.com/spec/v1\n", r"Git LFS.*git lfs pull"),
        (b"@relation a\n@attribute y {1,2}\n@data\n{0 1}\n", r"a sparse ARFF file"),
        (b"@relation a\n@attribute y {1,2}\n", r"is ARFF, but has no line @data"),
        (b'{"a": 1}\n{"a": \n', r"line 2 is not JSON: '\{\"a\": '"),
        (b'[{"a": 1}, 2]', r"is JSON, but no list of objects"),
        (b"<stata_dta><header>", r"incomplete or damaged.*Stata"),
        (b"HEADER RECORD*******LIBV8   HEADER RECORD!!!!!!!", r"SAS transport file of version 8"),
    ],
)
def test_a_format_that_is_not_read_is_named_with_the_next_step(table, content, message):
    with pytest.raises(UserError, match=message):
        table(content)


def test_codes_of_stata_are_read_where_two_have_one_label(tmp_path):
    pd.DataFrame({"g": [1, 2, 1]}).to_stata(
        tmp_path / "t.dta", write_index=False, value_labels={"g": {1: "low", 2: "low"}}
    )
    with pytest.warns(UserWarning, match=r"two values with one label, so codes are read"):
        assert read(tmp_path / "t.dta").frame["g"].tolist() == [1, 2, 1]
    pd.DataFrame({"g": [1, 2, 1]}).to_stata(
        tmp_path / "t.dta", write_index=False, value_labels={"g": {1: "low", 2: "high"}}
    )
    assert read(tmp_path / "t.dta").frame["g"].tolist() == ["low", "high", "low"]


def test_folders_that_are_called_column_and_cell_become_a_column(tmp_path):
    for folder, rows_of_it in {
        "year=2023/town=Bern": 2,
        "year=2024/town=New%20York": 3,
        "year=2024/town=__HIVE_DEFAULT_PARTITION__": 1,
    }.items():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "part-0.csv").write_text("a,y\n" + "1,no\n" * rows_of_it, encoding="utf-8")
    frame = read(tmp_path, target="y").frame
    assert frame["year"].tolist() == [2023] * 2 + [2024] * 4
    assert (
        frame["town"].fillna("none").tolist() == ["Bern"] * 2 + ["New York"] * 3 + ["none"]
        or "none" in frame["town"].fillna("none").tolist()
    )
    assert read(tmp_path, Options(drop=["year"]), target="town").frame.columns.tolist() == ["a", "y", "town"]
    assert read(tmp_path, Options(columns=["a", "year"]), target="year").frame["year"].tolist()[0] == "2023"


@pytest.mark.parametrize(
    ("url", "way"),
    [
        ("https://example.org/my%20table.csv?raw=true", r"curl -L -o .*data/my%20table.csv"),
        ("s3://bucket/t.parquet", r"aws s3 cp s3://bucket/t.parquet data/t.parquet"),
        ("http://example.org/t.csv", r"curl -L -o data/t.csv"),
    ],
)
def test_an_address_is_told_how_to_be_fetched(url, way):
    from pathlib import Path

    with pytest.raises(UserError, match=way) as caught:
        read(Path(url))
    assert "data.path=" in str(caught.value)
    assert url in str(caught.value)


def test_two_byte_order_marks_are_no_part_of_the_first_name(table):
    assert table(b"\xef\xbb\xbf\xef\xbb\xbfa,y\n1,no\n").columns.tolist() == ["a", "y"]
    assert table(b'\xef\xbb\xbf\xef\xbb\xbf"a","y"\n1,no\n').columns.tolist() == ["a", "y"]


def test_libsvm_is_read_as_scikit_learn_reads_it(tmp_path):
    from sklearn.datasets import load_svmlight_file

    path = ROOT / "tests" / "data" / "heart_scale"
    X, y = load_svmlight_file(str(path))
    frame = read(path, target="label").frame
    np.testing.assert_array_equal(frame.drop(columns="label"), X.toarray())
    assert frame.columns.tolist() == ["label", *(f"x{k}" for k in range(1, 14))]
    assert frame["label"].tolist() == [f"{label:g}" for label in y]


def test_a_libsvm_file_to_predict_may_lack_the_last_features(tmp_path):
    (tmp_path / "t.svm").write_text("+1 qid:1 0:0.5 3:2 # first\n-1 qid:2 1:1 2:4\n", encoding="utf-8")
    assert read(tmp_path / "t.svm").frame["qid"].tolist() == [1, 2]
    (chunk,) = rows.chunks(tmp_path / "t.svm", ["x0", "x3", "x7"])
    assert chunk.rows[["x0", "x3", "x7"]].to_numpy().tolist() == [[0.5, 2, 0], [0, 0, 0]]


def test_several_labels_and_a_table_that_would_be_far_larger_than_its_file_are_one_message(table):
    with pytest.raises(UserError, match=r"LIBSVM file that can't be read.*one label"):
        table("1,2 1:0.5 3:2\n2 1:1 2:4\n")
    with pytest.raises(UserError, match="3 rows and 900,000,001 features"):
        table("1 1:0.5 900000000:2\n2 1:1 2:4\n1 4:2 5:2\n")


def test_vowpal_wabbit_has_a_column_for_each_value_and_one_for_the_words_of_a_namespace(table):
    text = "1 2.0 'r1|n size:1.5 weight:3 |colour red\n-1 1 'r2|n size:2 |colour blue\n-1 'r3|n:2 weight:4 |note a b\n"
    assert table(text).astype({"colour": object, "note": object}).fillna("").to_dict("list") == {
        "label": [1, -1, -1],
        "importance": [2, 1, 1],
        "tag": ["r1", "r2", "r3"],
        "n_size": [1.5, 2, 0],
        "n_weight": [3, 0, 8],
        "colour": ["red", "blue", ""],
        "note": ["", "", "a b"],
    }


@pytest.mark.parametrize(
    "text", ["y 2:17\n1 3:05\n", "1,12:30\n2,13:30\n", "1|12:30|a\n0|13:15|b\n", "1 12:05 13:10\n2 09:05 10:00\n"]
)
def test_times_of_day_are_no_sparse_features(table, text):
    assert not any(str(name).startswith("x") for name in table(text, header=False))


RECORDS = '[{"a": 1, "y": "no"}, {"a": 2, "y": "yes"}, {"a": 3, "y": "no"}]'


@pytest.mark.parametrize(
    "text",
    [
        f'{{"data": {RECORDS}}}',
        f'{{"status": "ok", "count": 3, "tags": ["x"], "results": {RECORDS}}}',
        f'{{"response": {{"found": 3, "docs": {RECORDS}}}}}',
        '{"columns": ["a", "y"], "index": [0, 1, 2], "data": [[1, "no"], [2, "yes"], [3, "no"]]}',
        '{"a": {"0": 1, "1": 2, "2": 3}, "y": {"0": "no", "1": "yes", "2": "no"}}',
        '{"0": {"a": 1, "y": "no"}, "1": {"a": 2, "y": "yes"}, "2": {"a": 3, "y": "no"}}',
        '{"p": {"a": 1, "y": "no"}, "q": {"a": 2, "y": "yes"}, "r": {"a": 3, "y": "no"}}',
        '{"a": [1, 2, 3], "y": ["no", "yes", "no"]}',
        '[["a", "y"], [1, "no"], [2, "yes"], [3, "no"]]',
        '{\n "a": 1,\n "y": "no"\n}\n{\n "a": 2,\n "y": "yes"\n}\n{"a": 3, "y": "no"}',
    ],
)
def test_each_form_of_json_is_the_same_table(table, text):
    assert table(text, name="t.json").to_dict("list") == {"a": [1, 2, 3], "y": ["no", "yes", "no"]}


@pytest.mark.parametrize("orient", ["records", "split", "columns", "index", "table"])
def test_what_pandas_writes_in_any_orientation_is_read(tmp_path, orient):
    frame = pd.DataFrame({"a": np.arange(50.0), "y": ["no", "yes"] * 25})
    frame.to_json(tmp_path / "t.json", orient=orient)
    read_back = read(tmp_path / "t.json").frame
    assert read_back[["a", "y"]].to_dict("list") == frame.to_dict("list")


@pytest.mark.parametrize("around", ["[%s, %s]", "%s\n%s"])
def test_objects_within_objects_have_dotted_names(table, around):
    rows_of_json = ('{"a": {"b": 1, "c": {"d": "x"}}, "y": "no"}', '{"a": {"b": 2, "c": {"d": "z"}}, "y": "yes"}')
    assert table(around % rows_of_json).to_dict("list") == {"a.b": [1, 2], "a.c.d": ["x", "z"], "y": ["no", "yes"]}


@pytest.mark.parametrize("around", ['{"type": "FeatureCollection", "features": [%s, %s]}', "[%s, %s]", "%s\n%s"])
def test_geojson_has_the_properties_and_the_place_of_points(table, around):
    feature = '{"type": "Feature", "geometry": {"type": "Point", "coordinates": [%d, 47.5]}, "properties": {"y": "%s"}}'
    text = around % (feature % (8, "no"), feature % (9, "yes"))
    assert table(text).to_dict("list") == {"y": ["no", "yes"], "longitude": [8, 9], "latitude": [47.5, 47.5]}


def test_rows_of_json_without_names_are_numbered_from_0(table):
    assert table('[[1, "no"], [2, "yes"]]').to_dict("list") == {"0": [1, 2], "1": ["no", "yes"]}

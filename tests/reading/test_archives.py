"""What an archive holds is read as if it were unpacked."""

import gzip
import io
import sqlite3
import tarfile
import zipfile

import pandas as pd
import pytest

from pipeline.errors import UserError
from pipeline.reading import Options, decoding, read, rows

FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0], "y": ["no", "yes", "no"]}).astype({"y": "str"})
CSV = FRAME.to_csv(index=False).encode()


def packed(path, members):
    """An archive of the kind that its name says."""
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path
    mode = {".tar": "w", ".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}[path.suffix]
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def binary(suffix):
    stream = io.BytesIO()
    if suffix == "parquet":
        FRAME.to_parquet(stream)
    else:
        pytest.importorskip("openpyxl")
        FRAME.to_excel(stream, index=False)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["t.zip", "t.tar", "t.tar.gz", "t.tgz", "t.tar.bz2", "t.tar.xz"])
@pytest.mark.parametrize("member", ["t.csv", "below/T.CSV", "t.parquet", "t.xlsx", "t.csv.gz", "no-suffix"])
def test_the_only_file_of_an_archive_is_the_table(tmp_path, name, member):
    suffix = member.rpartition(".")[2]
    content = gzip.compress(CSV) if suffix == "gz" else binary(suffix) if suffix in ("parquet", "xlsx") else CSV
    path = packed(tmp_path / name, {member: content, "__MACOSX/._t.csv": b"\0", ".DS_Store": b"\0"})
    pd.testing.assert_frame_equal(read(path).frame, FRAME)
    (chunk,) = rows.chunks(path, ["a"])
    assert chunk.rows["a"].astype(float).tolist() == [1, 2, 3]


def test_several_files_that_are_alike_are_one_table_and_one_can_be_named(tmp_path):
    path = packed(tmp_path / "t.tar.gz", {"b/2.csv": b"a,y\n9,no\n", "b/1.csv": CSV, "README.md": b"# about"})
    with pytest.warns(UserWarning) as warned:
        assert read(path).frame["a"].tolist() == [1, 2, 3, 9]
    messages = [str(warning.message) for warning in warned]
    assert any("b/1.csv, b/2.csv is read, not README.md" in message for message in messages)
    assert any("read as one table. For one alone: -S data.sheet=b/1.csv" in message for message in messages)
    assert (
        read(path, Options(sheet="b/2.csv")).frame["a"].tolist()
        == read(path, Options(sheet="2.csv")).frame["a"].tolist()
        == [9]
    )


def test_files_that_differ_are_named_with_the_setting_that_reads_one(tmp_path):
    path = packed(tmp_path / "t.zip", {"train.csv": CSV, "weather.csv": b"day,rain\n1,2\n"})
    with (
        pytest.warns(UserWarning, match="one table"),
        pytest.raises(UserError, match=r"t.zip/weather.csv has no column 'y'"),
    ):
        read(path, target="y")
    assert len(read(path, Options(sheet="train.csv"), target="y").frame) == 3


def test_hive_folders_in_an_archive_become_columns(tmp_path):
    path = packed(tmp_path / "t.tar", {f"t/year={year}/part-0.parquet": binary("parquet") for year in (2023, 2024)})
    with pytest.warns(UserWarning, match="2 files"):
        assert read(path).frame["year"].tolist() == [2023] * 3 + [2024] * 3


@pytest.mark.parametrize("name", ["t.zip", "t.tar.gz"])
@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"__MACOSX/x": b""}, r"holds no file"),
        ({"a.csv": CSV, "b.json": b"[]"}, r"holds 2 files \(a.csv, b.json\). To read one of them: -S data.sheet=a.csv"),
        ({"b.tar": b"\0" * 257 + b"ustar" + b"\0" * 999}, r"holds an archive, b.tar"),
        ({"a.csv": b"a,y\n1,\0\n"}, r"t\.\w+(\.gz)?/a.csv is not text"),
        ({"../../a.csv": b"a,y\n1,\0\n"}, r"t\.\w+(\.gz)?/a.csv is not text"),
    ],
)
def test_an_archive_that_is_no_table_is_one_message(tmp_path, name, members, message):
    with pytest.raises(UserError, match=message) as caught:
        read(packed(tmp_path / name, members))
    assert "/table-" not in str(caught.value)


def test_an_archive_that_is_cut_off_is_one_message(tmp_path):
    path = packed(tmp_path / "t.tar.gz", {"a.csv": b"a,y\n" + b"".join(b"%d,no\n" % (k * k) for k in range(9_999))})
    path.write_bytes(path.read_bytes()[:-3_000])
    with pytest.raises(UserError, match=r"can't be decompressed as tar: .*copy it again"):
        read(path)


def test_an_archive_that_becomes_far_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "SMALL", 1 << 18)
    monkeypatch.setattr(decoding, "BLOCK", 1 << 16)
    path = packed(tmp_path / "bomb.tar.gz", {f"{k}.csv": b"1,2,3\n" * (1 << 17) for k in range(9)})
    with pytest.raises(UserError, match=r"bomb.tar.gz has [\d,]+ bytes and becomes more than") as caught:
        read(path)
    assert int(str(caught.value).split(" than ")[1].split()[0].replace(",", "")) < 1 << 22


def test_a_compressed_file_that_is_no_text_is_read_as_what_it_is(tmp_path):
    (tmp_path / "t.parquet.gz").write_bytes(gzip.compress(binary("parquet")))
    pd.testing.assert_frame_equal(read(tmp_path / "t.parquet.gz").frame, FRAME)
    with sqlite3.connect(tmp_path / "t.db") as database:
        FRAME.to_sql("only", database, index=False)
    database.close()
    (tmp_path / "t.db.gz").write_bytes(gzip.compress((tmp_path / "t.db").read_bytes()))
    pd.testing.assert_frame_equal(read(tmp_path / "t.db.gz").frame, FRAME)
    (tmp_path / "t.pdf.gz").write_bytes(gzip.compress(b"%PDF-1.7"))
    with pytest.raises(UserError, match="a PDF document"):
        read(tmp_path / "t.pdf.gz")

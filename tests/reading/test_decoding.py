import bz2
import gzip
import lzma
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.errors import UserError
from pipeline.reading import decoding, read


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.filterwarnings("ignore:.*Windows-1252")
def test_encoding_is_found_out(table, encoding):
    assert table("città,n\nZürich,1\nGenève,2\n".encode(encoding))["città"].tolist() == ["Zürich", "Genève"]


def test_an_assumed_encoding_is_a_warning(table):
    with pytest.warns(UserWarning, match=r"not UTF-8 \(line 2\), so it is read as Windows-1252.*set data.encoding"):
        table("city,n\nGenève,1\n".encode("cp1252"))


def test_a_few_lines_that_are_not_utf8_are_decoded_alone_and_counted(table):
    content = "città,n\n".encode() + "Zürich,1\n".encode() * 3 + "Genève,2\nOslo,3\n".encode("cp1252")
    with pytest.warns(UserWarning, match=r"is UTF-8, but 1 of 7 lines are not \(the first: line 5\).*'Genève,2'"):
        assert table(content)["città"].tolist() == ["Zürich"] * 3 + ["Genève", "Oslo"]


@pytest.mark.parametrize(
    ("cells", "encoding", "name"),
    [
        (["Минск", "Самара"], "cp1251", "Windows-1251"),
        (["Минск", "Самара"], "koi8-r", "KOI8-R"),
        (["横浜", "ひろしま"], "shift_jis", "Shift-JIS"),
        (["it\u2019s", "naïve"], "cp1252", "Windows-1252"),
    ],
)
def test_an_old_encoding_is_guessed_and_shown(table, cells, encoding, name):
    with pytest.warns(UserWarning, match=rf"is read as {name}, such as '{cells[0]},no'"):
        frame = table(f"t,ill\n{cells[0]},no\n{cells[1]},yes\n".encode(encoding))
    assert frame["t"].tolist() == cells


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress, lambda data: pa.Codec("zstd").compress(data, asbytes=True)]
)
def test_compression_is_found_out_from_the_bytes(table, compress):
    assert table(compress(b"a,b\n1,2\n3,4\n"), name="no-suffix").shape == (2, 2)


def test_a_zip_with_one_file_is_a_table(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("t.csv", "a,b\n1,2\n")
    assert read(tmp_path / "t.zip").frame.shape == (1, 2)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.csv", "b.json"], r"holds 2 files \(a.csv, b.json\). To read one of them: -S data.sheet=a.csv"),
        (["xl/workbook.xml"], r"(incomplete or damaged.*Excel|a file of Excel. To read it.*pip install openpyxl)"),
    ],
)
def test_a_zip_that_is_no_table_is_one_message(tmp_path, names, message):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        for name in names:
            archive.writestr(name, "a,b\n1,2\n")
    with pytest.raises(UserError, match=message):
        read(tmp_path / "t.zip")


CUT_OFF = gzip.compress(b"a,b\n" + b"1,2\n" * 99, mtime=0)[:-9]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (gzip.compress(b"", mtime=0), {}, r"is empty. Give a table"),
        (b"\x00\x01\x02", {}, r"not text: byte 0 is zero.* -S data.encoding=utf-16"),
        (b"a,b\n" + b"1,2\n" * 30_000 + b"x\0,3\n", {}, r"byte 120005 is zero \(line 30002\)"),
        ("a,b\n1,\0\n".encode("utf-16"), {}, r"not text: byte .* is zero \(line 2\)"),
        ("a,b\n1,é\n".encode("cp1252"), {"encoding": "utf-8"}, r"line 2: the byte b'\\xe9' is not utf-8"),
        ("a,b\n1,2\n", {"encoding": "klingon"}, r"data.encoding = 'klingon' is not a known encoding"),
        ("a,b\n1,2\n", {"compression": "gzip"}, r"can't be decompressed as gzip.*set data.compression to something"),
        (CUT_OFF, {}, r"can't be decompressed as gzip.*incomplete or damaged: copy it again\.$"),
    ],
)
def test_bytes_that_are_no_text_are_one_message(table, content, options, message):
    with pytest.raises(UserError, match=message):
        table(content, **options)


ROW = b"1,2,3\n"


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zip", "xlsx"])
def test_a_file_that_becomes_far_too_large_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(decoding, "SMALL", 1 << 18)
    monkeypatch.setattr(decoding, "BLOCK", 1 << 16)
    bomb, file = b"a,b,y\n" + ROW * (1 << 18), tmp_path / f"bomb.{kind}"
    if kind in ("zip", "xlsx"):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/table.xml", bomb)
    else:
        file.write_bytes({"gz": gzip, "bz2": bz2, "xz": lzma}[kind].compress(bomb))
    with pytest.raises(
        UserError, match=rf"bomb.{kind} has [\d,]+ bytes and becomes more than .* decompress it"
    ) as caught:
        read(file)
    if kind not in ("zip", "xlsx"):  # these say their size; the others were left when it was too much
        assert int(str(caught.value).split(" than ")[1].split()[0].replace(",", "")) < len(bomb) / 2


def test_a_large_table_that_shrinks_as_tables_do_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "SMALL", 1 << 18)
    rows = "".join(f"{i * 7919 % 104729},{i % 13},{'yn'[i % 2]}\n" for i in range(60_000))
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(f"a,b,y\n{rows}".encode()))
    assert len(read(tmp_path / "t.csv.gz").frame) == 60_000


def test_a_cell_that_is_too_long_is_named_by_its_line(table) -> None:
    rows = "".join(f"{i},x\n" for i in range(50))
    with pytest.raises(UserError, match=r"line 52: a row is longer than 2 MB. Either a quote is never closed"):
        table(f"a,b\n{rows}1,{'z' * 9_000_000}\n2,y\n")


@pytest.mark.parametrize(
    ("name", "shown"), [("loop.csv", "is a link to loop.csv"), ("a\0b.csv", r"'.*a\\x00b.csv' doesn't")]
)
def test_a_path_that_leads_nowhere_is_named(tmp_path: Path, name: str, shown: str) -> None:
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    with pytest.raises(UserError, match=shown):
        read(tmp_path / name)

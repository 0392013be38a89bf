"""One table of a file with several."""

import sqlite3
import sys
from contextlib import closing

import pandas as pd
import pytest

from pipeline.errors import UserError
from pipeline.reading import Options, read

FRAME = pd.DataFrame({"a": [1.5, None, 3.0], "town": ["Bern", "Zürich", "Bern"], "y": ["no", "yes", "no"]}).astype(
    {"town": "str", "y": "str"}
)


def sqlite(path, tables):
    with closing(sqlite3.connect(path)) as database:
        for name, frame in tables.items():
            frame.to_sql(name, database, index=False)


def duckdb(path, tables):
    library = pytest.importorskip("duckdb")
    with library.connect(str(path)) as database:
        for name, frame in tables.items():
            database.register("frame", frame)
            database.execute(f'create table "{name}" as select * from frame')


@pytest.mark.parametrize("write", [sqlite, duckdb])
def test_the_only_table_is_read_or_the_one_with_the_target_or_the_one_named(tmp_path, write):
    write(tmp_path / "one.db", {"my table": FRAME})
    pd.testing.assert_frame_equal(read(tmp_path / "one.db").frame, FRAME)
    path = tmp_path / "two.db"
    write(path, {"notes": FRAME[["town"]], "patients": FRAME})
    with pytest.warns(UserWarning, match=r"'patients', which has the column 'y', is read.*-S data.sheet=notes"):
        pd.testing.assert_frame_equal(read(path, target="y").frame, FRAME)
    assert read(path, Options(sheet="notes")).frame.columns.tolist() == ["town"]
    with pytest.raises(UserError, match=r"has 2 tables \('notes', 'patients'\).*-S data.sheet=notes"):
        read(path)
    with pytest.raises(UserError, match=r"no table 'patient'. Its tables are 'notes', 'patients'"):
        read(path, Options(sheet="patient"))


def test_a_sqlite_table_keeps_cells_of_several_types(tmp_path):
    with closing(sqlite3.connect(tmp_path / "t.db")) as database:
        database.execute("create table t (a, y text)")
        database.executemany("insert into t values (?, ?)", [(1, "no"), ("2.5", "yes"), (None, "no"), (4, "yes")])
        database.commit()
    assert read(tmp_path / "t.db").frame["a"].tolist()[:2] == [1, 2.5]


def test_data_of_r_is_read_with_its_library(tmp_path):
    pyreadr = pytest.importorskip("pyreadr")
    pyreadr.write_rds(str(tmp_path / "t.rds"), FRAME, compress="gzip")
    pyreadr.write_rdata(str(tmp_path / "t.RData"), FRAME, df_name="patients")
    for name in ("t.rds", "t.RData"):
        pd.testing.assert_frame_equal(read(tmp_path / name).frame, FRAME)


@pytest.mark.parametrize(
    ("content", "library", "way"),
    [
        (b"\x1f\x8b", "pyreadr", r"Or save it as CSV, Rscript -e 'write.csv\(readRDS"),
        (b"RDX3\nX\n" + bytes(99), "pyreadr", r"Or save it as CSV, Rscript -e 'load"),
        (bytes(8) + b"DUCK" + bytes(99), "duckdb", r"Or save it as CSV, duckdb table.db -c"),
    ],
)
def test_a_library_that_is_not_installed_is_named_with_another_way(table, monkeypatch, content, library, way):
    import gzip

    is_rds = content == b"\x1f\x8b"
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UserError, match=rf"pip install {library}. {way}"):
        table(gzip.compress(b"X\n\0\0\0\3") if is_rds else content, name="table.rds" if is_rds else "table.db")

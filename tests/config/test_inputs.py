"""The digests by which DVC watches the files that the configuration names."""

import hashlib
import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import compose, copy_conf, run_stages

from pipeline.config import inputs
from pipeline.errors import UserError
from pipeline.files import paths

TABLE = ("data=table", "data.target=y")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_conf(tmp_path)
    (tmp_path / "data" / "parts").mkdir(parents=True)
    for name in ("data/my.csv", "data/new ä.csv", "data/parts/1.csv", "elsewhere.csv"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_EXP_NAME", "any")  # DVC has composed params.yaml
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def recorded(*overrides: str) -> tuple[str, str]:
    """What the stage `configure` records of the table and of the test file."""
    compose(*overrides)
    run_stages("configure")
    return tuple((paths.ROOT / name).read_text(encoding="utf-8") for name in (paths.DATA_FILE, paths.TEST_FILE))


def md5sum(*files: str) -> str:
    """What the program of that name prints, with the names alone."""
    printed = subprocess.run(["md5sum", *files], capture_output=True, text=True, check=True).stdout
    return "".join(f"{line[:34]}{Path(line[34:]).name}\n" for line in printed.splitlines())


def test_the_digests_are_those_of_the_files_that_are_named_and_of_no_others() -> None:
    data, test = recorded(*TABLE, "data.path=data/my.csv", "split=test_file", "split.path='data/new ä.csv'")
    assert (data, test) == (md5sum("data/my.csv"), md5sum("data/new ä.csv"))
    Path("data/parts/2.csv").write_text("more", encoding="utf-8")
    data, test = recorded(*TABLE, "data.path=data/parts")
    assert (data, test) == (md5sum("data/parts/1.csv", "data/parts/2.csv"), inputs.NONE)
    assert recorded() == (inputs.NONE, inputs.NONE)


@pytest.mark.parametrize("name", ["elsewhere.csv", "{here}/elsewhere.csv"])
def test_a_file_outside_data_is_watched_too(name: str) -> None:
    before, _ = recorded(*TABLE, f"data.path={name.format(here=Path.cwd())}")
    Path("elsewhere.csv").write_text("elsewhere.CSV", encoding="utf-8")
    after, _ = recorded(*TABLE, f"data.path={name.format(here=Path.cwd())}")
    assert before != after == md5sum("elsewhere.csv")


def test_a_table_that_is_gone_leaves_its_digest_and_no_link_to_nothing() -> None:
    digests = recorded(*TABLE, "data.path=data/my.csv")
    Path("data/my.csv").unlink()
    with pytest.raises(UserError, match=r"data/my\.csv doesn't exist"):
        recorded(*TABLE, "data.path=data/my.csv")
    assert (paths.ROOT / paths.DATA_FILE).read_text(encoding="utf-8") == digests[0]
    assert recorded() == (inputs.NONE, inputs.NONE)


def test_an_experiment_in_a_copy_reads_the_table_of_the_repository_and_names_the_command_that_tracks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, digest = tmp_path / "copy", md5sum("data/new ä.csv")
    shutil.copytree("conf", copy / "conf")
    monkeypatch.chdir(copy)
    assert recorded(*TABLE, "data.path='data/new ä.csv'")[0] == digest
    step = "dvc add 'data/new ä.csv' && git add 'data/new ä.csv.dvc'"
    assert capsys.readouterr().out.endswith(f"{step}\n")
    subprocess.run("git init --quiet && dvc init --quiet", shell=True, cwd=tmp_path, check=True)
    subprocess.run(step, shell=True, cwd=tmp_path, check=True)
    tracked = subprocess.run("git ls-files -z", shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "data/new ä.csv.dvc" in tracked.stdout


def test_a_link_to_nothing_that_an_earlier_version_left_is_replaced() -> None:
    (paths.ROOT / "configure").mkdir(parents=True)
    (paths.ROOT / paths.DATA_FILE).symlink_to("../../data/gone.csv")
    assert recorded(*TABLE, "data.path=data/my.csv")[0] == md5sum("data/my.csv")


def test_a_table_edited_since_it_was_recorded_is_refused_for_the_stage_that_read_it() -> None:
    recorded(*TABLE, "data.path=data/my.csv")
    dependencies = [(paths.ROOT / paths.DATA_FILE).as_posix()]
    assert inputs.changed(dependencies) == []
    Path("data/my.csv").write_text("edited", encoding="utf-8")
    assert inputs.changed(dependencies) == ["the file in data.path"]
    assert inputs.changed([(paths.ROOT / paths.TEST_FILE).as_posix()]) == []


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose contents were read for a digest, of a table that was written some time ago."""
    Path(".dvc/tmp").mkdir(parents=True)
    os.utime("data/my.csv", (1e9, 1e9))
    names, digest = [], hashlib.file_digest

    def counted(stream: io.BufferedReader, method: str) -> object:
        names.append(Path(stream.name).name)
        return digest(stream, method)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    return names


def test_a_table_that_did_not_change_is_read_once(reads: list[str]) -> None:
    digests = [recorded(*TABLE, "data.path=data/my.csv") for _ in range(3)]
    assert digests[0] == digests[1] == digests[2]
    assert inputs.changed([(paths.ROOT / paths.DATA_FILE).as_posix()]) == []
    assert reads == ["my.csv"]


@pytest.mark.parametrize("how", ["edited", "edited, with its time set back", "replaced", "just written"])
def test_other_contents_of_the_same_size_are_seen(reads: list[str], how: str) -> None:
    table = Path("data/my.csv")
    if how == "just written":
        os.utime(table)
    before, size = recorded(*TABLE, "data.path=data/my.csv")[0], table.stat().st_size
    if how == "replaced":
        Path("data/other.csv").write_text("x" * size, encoding="utf-8")
        Path("data/other.csv").replace(table)
    else:
        table.write_text("x" * size, encoding="utf-8")
    if how.endswith("back"):
        os.utime(table, (1e9, 1e9))
    after = recorded(*TABLE, "data.path=data/my.csv")[0]
    assert before != after == md5sum("data/my.csv")
    assert reads == ["my.csv", "my.csv"]


@pytest.mark.parametrize("damaged", ["", "{", "[1]", '{"PATH": 7}', '{"PATH": {"state": [1]}}'])
def test_kept_digests_that_are_damaged_are_made_again(reads: list[str], damaged: str) -> None:
    kept = Path(".dvc/tmp") / inputs.SEEN
    kept.write_text(damaged.replace("PATH", str(Path("data/my.csv").absolute())), encoding="utf-8")
    assert recorded(*TABLE, "data.path=data/my.csv")[0] == md5sum("data/my.csv")
    recorded(*TABLE, "data.path=data/my.csv")
    assert reads == ["my.csv"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.path=data/mz.csv"], "data/mz.csv doesn't exist. Did you mean data/my.csv?"),
        (["data.path=data"], "data is a directory with others in it (parts)"),
        (["data.path=data/my.csv", "split=test_file", "split.path=no.csv"], "there, or set split.path"),
    ],
)
def test_a_path_that_is_no_table_stops_the_first_stage(overrides: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        recorded(*TABLE, *overrides)
    assert message in str(caught.value)

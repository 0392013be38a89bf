"""The links through which DVC watches the files that the configuration names."""

import shutil
from pathlib import Path

import pytest
from conftest import ROOT, compose, run_stages

from pipeline import outputs
from pipeline.config import inputs
from pipeline.errors import UserError

TABLE = ("data=table", "data.target=y")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "data" / "parts").mkdir(parents=True)
    for name in ("data/my.csv", "data/new ä.csv", "data/parts/1.csv", "elsewhere.csv"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_EXP_NAME", "any")  # DVC has composed params.yaml
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def linked(*overrides: str) -> tuple[Path, Path]:
    """The links to the table and to the test file, after the stage `configure`."""
    compose(*overrides)
    run_stages("configure")
    return outputs.ROOT / outputs.DATA_FILE, outputs.ROOT / outputs.TEST_FILE


def test_the_links_lead_to_the_files_that_are_named_and_to_no_others() -> None:
    data, test = linked(*TABLE, "data.path=data/my.csv", "split=test_file", "split.path='data/new ä.csv'")
    assert (data.read_text(encoding="utf-8"), test.read_text(encoding="utf-8")) == ("data/my.csv", "data/new ä.csv")
    data, test = linked(*TABLE, "data.path=data/parts")
    assert [file.name for file in data.iterdir()] == ["1.csv"]
    assert test.read_text() == inputs.NONE
    data, test = linked()
    assert (data.read_text(), test.read_text()) == (inputs.NONE, inputs.NONE)


@pytest.mark.parametrize("name", ["elsewhere.csv", "{here}/elsewhere.csv"])
def test_a_file_outside_data_is_watched_too(name: str) -> None:
    data, _ = linked(*TABLE, f"data.path={name.format(here=Path.cwd())}")
    assert data.read_text() == "elsewhere.csv"


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
        linked(*TABLE, *overrides)
    assert message in str(caught.value)

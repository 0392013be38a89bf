"""`python -m pipeline table`: what it prints, and that its command means exactly this file and column."""

import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, contents, shell_in
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import compose_and_dump
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from pipeline import config
from pipeline.columns import dataset
from pipeline.commands import table
from pipeline.errors import UserError
from pipeline.overrides import assignment, options

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_conf")]

NASTY = [
    "data/my file (1).csv",
    "Heart Disease (0/1)",
    "it's",
    'say "x"',
    "back\\slash",
    "ends in \\",
    "\\'\\\\\"",
    "a=b, c",
    "$HOME `x` $(x)",
    "größe [cm] {日本}",
    " # a: b ",
    "!x; y & z | ~*?<>%@",
    "24",
    "1e-3",
    "true",
    "null",
    "~",
    "two\nlines\tand a tab",
]


@pytest.fixture
def penguins(own_conf: Path) -> str:
    shutil.copy(ROOT / "tests" / "data" / "penguins.csv", "data")
    return "data/penguins.csv"


def printed(capsys: pytest.CaptureFixture[str], file: str, target: str | None, *overrides: str) -> list[str]:
    table.main(file, target, overrides)
    return capsys.readouterr().out.rstrip("\n").split("\n")


def compose_as_dvc(command: str, file: Path, conf: Path) -> None:
    """Write to `file` what the shell, DVC and Hydra make of `conf` and a `dvc exp run` command."""
    words = shlex.split(command)
    if words[:4] == ["python", "-m", "pipeline", "use"]:
        path, target, *settings = words[4:]
        named = [assignment("data.path", path), assignment("data.target", target)]
        words = shlex.split("dvc exp run " + options(["data=table", *named, *settings]))
    assert words[:3] == ["dvc", "exp", "run"]
    assert set(words[3::2]) == {"-S"}
    overrides = to_path_overrides(words[4::2])
    assert list(overrides) == ["params.yaml"]
    compose_and_dump(str(file), str(conf), None, "config", str(ROOT), overrides["params.yaml"])


def composed_by_dvc(command: str, file: Path) -> config.Params:
    """The configuration of the project after a `dvc exp run` command."""
    compose_as_dvc(command, file, ROOT / "conf")
    return config.validate(config.load(file), str(file))


@pytest.mark.parametrize("name", NASTY)
def test_the_command_composes_to_exactly_the_names_that_were_typed(name: str, own_conf: Path) -> None:
    typed = "dvc exp run " + options(["data=table", assignment("data.path", name), assignment("data.target", name)])
    data = composed_by_dvc(typed, own_conf / "params.yaml").data
    assert (data.path, data.target) == (name, name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a conf/ that is the section `data` of a table alone: composing all of it takes most of a second."""
    folder = tmp_path_factory.mktemp("composed")
    composed_by_dvc("dvc exp run -S data=table -S data.path=x.csv -S data.target=y", folder / "params.yaml")
    (folder / "conf" / "data").mkdir(parents=True)
    OmegaConf.save(OmegaConf.load(folder / "params.yaml").data, folder / "conf" / "data" / "table.yaml")
    (folder / "conf" / "config.yaml").write_text("defaults: [data: table]\n", encoding="utf-8")
    return folder


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1) | st.text("ab0.\\'\"${}[]()=,: ~+-/#&|\t\n", min_size=1))
@example("0x1F")
@example("1:30")
@example("2024-01-01")
@example("\N{ZERO WIDTH NO-BREAK SPACE}a\r\n")
def test_any_name_is_kept_exactly_or_refused(folder: Path, name: str) -> None:
    try:
        typed = assignment("data.target", name)
    except UserError:
        return
    assume("\0" not in name)  # no argument of a command can have it
    command = "dvc exp run " + options(["data=table", "data.path=x.csv", typed])
    compose_as_dvc(command, folder / "params.yaml", folder / "conf")
    assert config.section_of(config.load(folder / "params.yaml"), "data", "params.yaml").target == name


@pytest.mark.parametrize("name", ["${x}", "a${b", "???", "0o17", "a\x85b", "\udcff.csv"])
def test_a_name_that_no_configuration_can_hold_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="Rename the file or the column"):
        assignment("data.path", name)


def test_names_of_letters_need_no_quotes(penguins: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, penguins, "species")[-1] == "python -m pipeline use data/penguins.csv species"


def test_the_columns_of_the_command_are_those_that_the_stage_load_decides(
    penguins: str, own_conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(penguins).assign(**{"größe, x": 1, "penguin": [f"P-{i:04}" for i in range(344)]})
    path, target = "data/my penguins (1), it's $x.csv", 'Spec "ies" = (A/B)'
    frame.rename(columns={"species": target}).to_csv(path, index=False)
    lines = printed(capsys, path, target, "data.drop=[year]", "+data.roles.sex=drop")
    params = composed_by_dvc(lines[-1], own_conf / "params.yaml")
    assert (params.data.path, params.data.target) == (path, target)
    with pytest.warns(UserWarning, match="2 columns are left out"):
        report = dataset.load(params.data).report
    for column, role, reason in report[["column", "role", "reason"]].itertuples(index=False):
        shown = [line for line in lines if line.startswith(f"  {column} ") and f"  {role} " in line]
        assert len(shown) == 1
        assert shown[0].endswith(f"  {reason}")
    left_out = lines[lines.index("left out:") :]
    assert [line.split("  ")[1] for line in left_out[1:4]] == ["sex", "größe, x", "penguin"]
    assert "  year" not in "\n".join(lines)


def test_columns_are_aligned_also_after_wide_characters(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"年齢": [1.5, 2, 3, 4] * 5, "age": [1.5, 2, 3, 5] * 5, "y": list("aabab") * 4})
    frame.to_csv("data/x.csv", index=False)
    lines = printed(capsys, "data/x.csv", "y")
    wide, narrow = (next(line for line in lines if line.startswith(f"  {name} ")) for name in ("年齢", "age"))
    assert wide.index("numeric") + 2 == narrow.index("numeric")


def test_classes_are_counted_and_warnings_shown_before_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"x": range(0, 400, 2), "y": ["rare"] * 10 + ["common"] * 190}).sample(frac=1, random_state=0)
    frame.assign(zip="02139").to_csv("data/x.csv", index=False)
    lines = printed(capsys, "data/x.csv", "y")
    assert "  common  190 rows" in lines
    assert "  rare    10 rows" in lines
    assert "160 training rows, 40 test rows" in lines
    assert any(line.startswith("warning: The classes of 'y' are uneven") for line in lines)
    assert "class_weight" not in lines[-1]  # it is the user's decision


def test_without_a_target_the_columns_are_listed_and_likely_targets_proposed(
    penguins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(capsys, penguins, None)
    assert next(line.split() for line in lines if line.startswith("  sex "))[1:4] == ["strings", "2", "11"]
    commands = [shlex.split(line) for line in lines if line.startswith("python -m pipeline table")]
    assert commands[0] == ["python", "-m", "pipeline", "table", penguins, "species"]
    assert {words[-1] for words in commands} == {"species", "island", "sex", "year"}


def test_a_column_with_a_usual_name_is_proposed_first(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"colour": list("abab"), "is target": [0, 1, 0, 1], "last": list("ccdd")})
    frame.to_csv("data/x.csv", index=False)
    lines = printed(capsys, "data/x.csv", None)
    commands = [shlex.split(line)[-1] for line in lines if line.startswith("python")]
    assert commands == ["is target", "last", "colour"]


def test_a_table_without_classes_gets_no_proposal(capsys: pytest.CaptureFixture[str]) -> None:
    Path("data/x.csv").write_text("a,b\n1.5,2.5\n3.5,4.5\n", encoding="utf-8")
    assert "No column has 2 to 20 classes" in "\n".join(printed(capsys, "data/x.csv", None))


def test_overrides_change_how_the_file_is_read_and_are_in_the_command(
    penguins: str, own_conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("data/odd.csv").write_text(Path(penguins).read_text(encoding="utf-8").replace(",", "~"), encoding="utf-8")
    lines = printed(capsys, "data/odd.csv", "species", 'data.delimiter="~"')
    assert any(line.startswith("  bill_length_mm") for line in lines)
    assert composed_by_dvc(lines[-1], own_conf / "params.yaml").data.delimiter == "~"
    lines = printed(capsys, "data/odd.csv", 'data.delimiter="~"', "data.target=species")
    assert lines[-1] == """python -m pipeline use data/odd.csv 'data.delimiter="~"' data.target=species"""
    assert "  Adelie" not in printed(capsys, "data/odd.csv", 'data.delimiter="~"')


def test_an_absolute_path_in_the_project_is_printed_relative_to_it(
    penguins: str, own_conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert printed(capsys, str(own_conf / penguins), "species")[-1].endswith(f"use {penguins} species")


@pytest.mark.parametrize(
    ("file", "target", "overrides", "message"),
    [
        ("data/penguin.csv", "species", [], r"data/penguin.csv doesn't exist\. Did you mean data/penguins\.csv\?"),
        ("data", "species", [], "data is a directory"),
        ("data/penguins.csv", "specis", [], r"no column 'specis'\. Did you mean 'species'\?"),
        ("data/penguins.csv", "bill_length_mm", [], "has 164 classes"),
        ("data/penguins.csv", "species", ["data.delimiter=;"], "data.delimiter=; is not in Hydra's grammar"),
        ("data/penguins.csv", "species", ["data.delimeter=x"], "Could not override 'data.delimeter'"),
        ("data/penguins.csv", "species", ["data.decimal=x"], r"data.decimal = 'x': should be '\.' or ','"),
        ("data/penguins.csv", "species", ["split=group", "split.column=isl"], "Did you mean 'island'"),
        ("data/penguins.csv", None, ["data.decimal=x"], r"data.decimal = 'x': should be '\.' or ','"),
        ("data/noise.csv", "species", [], "data/noise.csv"),
    ],
)
def test_a_mistake_is_one_message(
    penguins: str, file: str, target: str | None, overrides: list[str], message: str
) -> None:
    Path("data/noise.csv").write_bytes(bytes(range(256)) * 3)
    with pytest.raises(UserError, match=message):
        table.main(file, target, overrides)


def test_a_folder_without_conf_is_named(penguins: str) -> None:
    shutil.rmtree("conf")
    with pytest.raises(UserError, match="has no folder conf/"):
        table.main(penguins, "species", [])


def test_the_command_line_runs_nothing_and_writes_nothing(penguins: str, own_conf: Path) -> None:
    before = contents(own_conf)
    shell = shell_in(own_conf)
    arguments = f"{penguins} species -S data.drop=[year] -S +data.roles.sex=drop"
    shown = shell(f"python -m pipeline table {arguments}", PYTHONPATH=str(ROOT)).stdout
    assert shown.endswith("use data/penguins.csv species 'data.drop=[year]' ++data.roles.sex=drop\n")
    assert contents(own_conf) == before
    failed = shell("python -m pipeline table data/no.csv", fails=True, PYTHONPATH=str(ROOT))
    assert failed.stderr.startswith("\nerror: data/no.csv doesn't exist")
    assert contents(own_conf) == before

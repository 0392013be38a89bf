"""`python -m pipeline use`: which data set every later command concerns, and the file that a table gets in conf/."""

import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, compose, contents, run_stages, shell_in
from dvc.utils.hydra import compose_and_dump

from pipeline import config
from pipeline.__main__ import COMMANDS, parser
from pipeline.commands import table
from pipeline.commands import use as command
from pipeline.config import composition, data_sets, inputs
from pipeline.errors import UserError
from pipeline.files import paths

pytestmark = pytest.mark.usefixtures("own_conf")

NAMES = {
    "telco.csv": "telco",
    "My File (1).csv": "my_file_1",
    "Größe.csv": "grosse",
    'it\'s "so" $x.csv': "it_s_so_x",
    "a.b.CSV": "a_b",
    "iris.csv": "iris_csv",
    "table.csv": "table_2",
    "breast_cancer.CSV": "breast_cancer_csv",
    "2024.csv": "table_2024",
    "null.csv": "table_null",
    "Yes.csv": "table_yes",
    "日本.csv": "table_2",
    "wine.csv.gz": "wine_csv_gz",
}


@pytest.fixture
def penguins(own_conf: Path) -> str:
    shutil.copy(ROOT / "tests" / "data" / "penguins.csv", "data")
    return "data/penguins.csv"


def use(file: str | None = None, target: str | None = None, *settings: str) -> None:
    command.main(file, target, settings)


def composed_by_dvc() -> config.Params:
    """The settings that `dvc exp run` composes now."""
    compose_and_dump("composed.yaml", str(Path("conf").absolute()), None, "config", str(Path.cwd()), [])
    return config.validate(config.load(Path("composed.yaml")), "conf/")


def test_every_later_composition_is_of_the_table_and_only_its_name_changes_in_the_configuration(penguins: str) -> None:
    before = Path("conf/config.yaml").read_text(encoding="utf-8")
    use(penguins, "species")
    assert Path("conf/config.yaml").read_text(encoding="utf-8") == before.replace(
        "- data: breast_cancer", "- data: penguins"
    )
    for data in (composed_by_dvc().data, config.read("data")):
        assert (data.path, data.target) == (penguins, "species")
    use("breast_cancer")
    assert Path("conf/config.yaml").read_text(encoding="utf-8") == before
    assert config.read("data").name == "breast_cancer"
    use("penguins")
    assert composed_by_dvc().data.path == penguins


def test_the_file_has_only_what_differs_from_the_pattern_with_comments(penguins: str) -> None:
    use(penguins, "species", "data.drop=[year]", "data.roles.sex=drop", 'data.comment="#"')
    text = Path("conf/data/penguins.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text) == {
        "defaults": ["table", "_self_"],
        "path": penguins,
        "target": "species",
        "drop": ["year"],
        "roles": {"sex": "drop"},
        "comment": "#",
    }
    lines = text.splitlines()
    assert all(lines[lines.index(line) - 1].startswith("#") for line in lines if re.match(r"[a-z]+:", line))
    assert "# Columns to leave out.  -S 'data.drop=[name,phone]'" in lines


@pytest.mark.parametrize(("file", "name"), NAMES.items())
def test_a_table_gets_a_name_without_quotes_that_no_other_has(file: str, name: str) -> None:
    assert data_sets.new_name(f"data/{file}") == name


@pytest.mark.parametrize("file", ['Größe (1), it\'s "so" $x.csv', "null.csv"])
def test_a_table_of_any_name_is_composed_under_its_own(penguins: str, file: str) -> None:
    Path(penguins).rename(Path("data", file))
    use(f"data/{file}", "species")
    assert composition.compose([f"data={data_sets.in_use()}"]) == composition.compose()
    assert composed_by_dvc().data.path == f"data/{file}"


@pytest.mark.parametrize(
    "target", ["Heart Disease (0/1)", "a, b", "24", "1e-3", "null", "-x", "train.lambda=1", "größe 日本", 'say "x"']
)  # fmt: skip
def test_any_target_comes_back_from_the_file_and_from_the_proposed_command(
    penguins: str, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = Path(penguins).read_text(encoding="utf-8")
    header = '"' + target.replace('"', '""') + '"'
    Path(penguins).write_text(text.replace("species", header, 1), encoding="utf-8")
    table.main(penguins, None, ["data.header=true"])  # a number may be a name, too
    proposed = [shlex.split(line) for line in capsys.readouterr().out.splitlines() if line.startswith("python -m")]
    words = proposed[0]
    words[3] = "use"
    arguments = vars(parser("use").parse_args(words[3:]))
    del arguments["name"]
    command.main(**arguments)
    assert composed_by_dvc().data.target == target


def test_settings_of_other_sections_come_with_the_table_and_are_replaced_by_overrides(penguins: str) -> None:
    use(penguins, "sex", "split=group", "split.column=species", "optimizer=newton", "train.positive=male")
    params = composed_by_dvc()
    assert (params.split.method, params.split.column, params.train.positive) == ("group", "species", "male")
    assert params.train.optimizer == "newton"
    again = config.parse(composition.compose(["split=time", "optimizer=nesterov"]), "conf/")
    assert (again["split"]["method"], again["train"]["optimizer"]) == ("time", "nesterov")
    use("wine")
    assert composed_by_dvc().split.method == "stratified"


def test_another_method_takes_the_place_of_the_one_that_came_with_the_table(
    penguins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    use(penguins, "sex", "split=group", "split.column=island", "decision=cost", "decision.miss=3")
    capsys.readouterr()
    composed = composition.compose(["split=stratified", "decision=floor"])
    composition.check(composed, "conf/")
    assert capsys.readouterr().out.splitlines() == [
        "split.column = island is not used: split.method is stratified.",
        "decision.miss = 3 is not used: decision.method is floor.",
    ]
    Path("params.yaml").write_text(composed, encoding="utf-8")
    assert config.read("split").model_dump() == {"method": "stratified", "test_size": 0.2, "seed": 0}
    with pytest.raises(UserError, match="no such key: colum = 'island'"):
        composition.check(composition.compose(["split=stratified", "+split.colum=island"]), "conf/")


def test_a_setting_that_a_data_set_cannot_bring_is_refused_and_nothing_is_written(
    penguins: str, own_conf: Path
) -> None:
    before = contents(own_conf)
    with pytest.raises(UserError, match=r"tracking\.points can't come with a data set"):
        use(penguins, "species", "tracking.points=7")
    with pytest.raises(UserError, match="Did you mean 'species'"):
        use(penguins, "specis")
    assert contents(own_conf) == before


def test_settings_add_to_the_file_which_keeps_its_comments_and_says_what_was_replaced(
    penguins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    use(penguins, "species", "data.drop=[body_mass_g]", "split=time", "split.column=year")
    file = Path("conf/data/penguins.yaml")
    file.write_text(file.read_text(encoding="utf-8").replace("# Columns to leave out.", "# Not the mass."), "utf-8")
    use(penguins, "sex", "data.roles.island=drop", "split=stratified", "~split.column")
    text = file.read_text(encoding="utf-8")
    assert "# Not the mass." in text
    data = composed_by_dvc().data
    assert (data.target, data.drop, data.roles) == ("sex", ["body_mass_g"], {"island": "drop"})
    assert "data.target = 'sex', was 'species'" in capsys.readouterr().out


def test_a_file_of_another_table_is_not_overwritten(penguins: str) -> None:
    use(penguins, "species")
    before = Path("conf/data/penguins.yaml").read_bytes()
    Path("data/new").mkdir()
    shutil.copy(penguins, "penguins.csv")
    use(str(Path("penguins.csv").absolute()), "sex")
    assert Path("conf/data/penguins.yaml").read_bytes() == before
    assert composed_by_dvc().data.path == "penguins.csv"
    assert data_sets.in_use() == "penguins_2"


def test_a_file_that_is_there_stays_as_it_is_without_new_settings(
    penguins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    use(penguins, "species", "data.drop=[year]")
    before = Path("conf/data/penguins.yaml").read_bytes()
    use("iris")
    use(penguins)
    use("penguins.csv", "species")
    assert Path("conf/data/penguins.yaml").read_bytes() == before
    assert data_sets.in_use() == "penguins"
    assert "stays as it is" in capsys.readouterr().out


def test_a_table_outside_the_repository_is_used_where_it_is(
    penguins: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "far.csv"
    shutil.copy(penguins, elsewhere)
    use(str(elsewhere), "species")
    assert composed_by_dvc().data.path == str(elsewhere)


def commands(printed: str) -> list[list[str]]:
    return [shlex.split(line.split("   ")[0]) for line in map(str.strip, printed.splitlines()) if "-m pipeline" in line]


def test_without_a_file_the_tables_and_data_sets_are_listed_with_commands_that_run(
    penguins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(penguins, "data/My File (1).csv")
    use()
    listed = commands(capsys.readouterr().out)
    assert [words[4] for words in listed][:2] == ["data/My File (1).csv", penguins]
    assert {"breast_cancer", "iris", "census_income"} <= {words[4] for words in listed}
    use(listed[0][4])
    proposed = commands(capsys.readouterr().out)
    assert proposed[0][4:] == ["data/My File (1).csv", "species"]
    assert data_sets.in_use() == "breast_cancer"
    use(*proposed[1][4:])
    assert composed_by_dvc().data.target == "sex"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["penguin.csv"], r"Did you mean penguins\.csv"),
        (["Iris"], "no data set of conf/data/. Did you mean iris"),
        (["wine", "y"], "whose settings are in conf/data/wine.yaml"),
        (["census_income"], None),
    ],
)
def test_a_mistake_is_one_message(penguins: str, words: Sequence[str], message: str | None) -> None:
    if message is None:
        use(*words)
        return
    with pytest.raises(UserError, match=message):
        use(*words)
    assert data_sets.in_use() == "breast_cancer"


@pytest.mark.parametrize("line", ['  - {data: "iris"}', "  - data:    iris   # mine", "  - data : 'iris'"])
def test_only_the_name_changes_however_the_line_is_written(line: str) -> None:
    file = Path("conf/config.yaml")
    text = file.read_text(encoding="utf-8").replace("  - data: breast_cancer", line).replace("\n", "\r\n")
    file.write_bytes(text.encode())
    use("wine")
    quoted = re.search(r"[\"']?iris[\"']?", line)
    assert quoted is not None
    assert file.read_bytes().decode() == text.replace(line, line.replace(quoted[0], "wine"))


def recorded(data: dict[str, object]) -> None:
    """A lock file that has the data of a run."""
    stages = {"load": {"params": {"params.yaml": {"data": data}}}}
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": stages}), encoding="utf-8")


def test_configure_prints_a_line_where_the_data_changed_with_the_command_that_returns(
    penguins: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "any")  # DVC has composed params.yaml
    use(penguins, "species")
    recorded(config.load()["data"])
    run_stages("configure")
    assert "The data set is" not in capsys.readouterr().out
    recorded({"name": "wine"})
    run_stages("configure")
    assert "last run it was wine. Back to it: python -m pipeline use wine" in capsys.readouterr().out
    compose("data=table", f"data.path={penguins}", "data.target=sex", "data.drop=[year]", "++data.roles.island=drop")
    recorded(before := config.load()["data"])
    compose()
    run_stages("configure")
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("The data set is"))
    back = vars(parser("use").parse_args(shlex.split(line.split("Back to it: ")[1])[3:]))
    del back["name"]
    command.main(**back)
    assert config.load()["data"] == before


def test_results_of_another_data_set_are_not_taken_for_those_of_the_one_in_use(penguins: str) -> None:
    profile = paths.ROOT / paths.PROFILE
    profile.parent.mkdir(parents=True)
    profile.write_text('{"data": "breast_cancer"}', encoding="utf-8")
    use(penguins, "species")
    with pytest.raises(UserError, match="has the results of breast_cancer, and the data set in use is penguins"):
        inputs.check_results()
    use("breast_cancer")
    inputs.check_results()


def test_edits_of_params_yaml_that_are_lost_are_printed(penguins: str, capsys: pytest.CaptureFixture[str]) -> None:
    compose("train.lambda=0.5")
    recorded({"name": "breast_cancer"})
    use(penguins, "species")
    assert "train.lambda = 0.01, params.yaml had 0.5" in capsys.readouterr().out


def test_the_command_line_says_how(own_conf: Path) -> None:
    assert "use" in COMMANDS
    shell = shell_in(own_conf)
    assert "python -m pipeline use" in shell("python -m pipeline use", PYTHONPATH=str(ROOT)).stdout

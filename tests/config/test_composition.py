"""The table of the README: what `dvc repro` and `dvc exp run` do after each kind of change, with the real DVC.

Two stages stand for the pipeline's: `training` depends on the section `train` and `splitting` on `split`, so that what
runs again shows in what DVC prints.
"""

import shutil
from pathlib import Path

import pytest
from conftest import ROOT, Shell, copy_conf, copy_project, shell_in
from omegaconf import OmegaConf

from pipeline import config
from pipeline.commands import multirun, queue
from pipeline.config import composition
from pipeline.errors import UserError

pytestmark = pytest.mark.slow

STAGES = """
stages:
  configure:
    cmd: python -m pipeline configure
    deps: [conf]
    outs:
      - params.yaml: {cache: false, persist: true}
  training:
    cmd: cp params.yaml training.txt
    params: [train]
    outs: [training.txt]
  splitting:
    cmd: cp params.yaml splitting.txt
    params: [split]
    outs: [splitting.txt]
"""


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_project(tmp_path_factory.mktemp("configured") / "my project")
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / "params.yaml").unlink(missing_ok=True)
    shell_in(folder)("dvc repro && git add --all && git commit --quiet --message run")
    return folder


@pytest.fixture
def project(reproduced: Path, tmp_path: Path) -> Path:
    return shutil.copytree(reproduced, tmp_path / "copy")


@pytest.fixture
def shell(project: Path) -> Shell:
    return shell_in(project)


def edit(file: Path, old: str, new: str) -> None:
    assert old in file.read_text(encoding="utf-8")
    file.write_text(file.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


def param(project: Path, key: str) -> object:
    return OmegaConf.select(OmegaConf.load(project / "params.yaml"), key)


def edit_conf(project: Path) -> None:
    edit(project / "conf/train/default.yaml", "lambda: 0.01", "lambda: 0.05")


def edit_params(project: Path) -> None:
    edit(project / "params.yaml", "learning_rate: 0.3", "learning_rate: 0.2")


def stages_run(output: str) -> set[str]:
    return {stage for stage in ("configure", "training", "splitting") if f"Running stage '{stage}'" in output}


def test_nothing_runs_when_nothing_changed(shell: Shell) -> None:
    assert stages_run(shell("dvc repro").stdout) == set()


def test_an_edit_of_conf_is_recomposed_and_runs_just_what_it_affects(project: Path, shell: Shell) -> None:
    edit_conf(project)
    assert stages_run(shell("dvc repro").stdout) == {"configure", "training"}
    assert param(project, "train.lambda") == 0.05


def test_an_edit_of_params_is_honoured(project: Path, shell: Shell) -> None:
    edit_params(project)
    assert stages_run(shell("dvc repro").stdout) == {"configure", "training"}
    assert param(project, "train.learning_rate") == 0.2
    assert stages_run(shell("dvc repro").stdout) == set()


def test_edits_of_both_stop_and_name_the_keys_that_clash(project: Path, shell: Shell) -> None:
    edit_conf(project)
    edit_params(project)
    before = (project / "params.yaml").read_bytes()
    stopped = shell("dvc repro", fails=True)
    assert "train.lambda: params.yaml has 0.01, conf/ has 0.05" in stopped.stderr
    assert "train.learning_rate: params.yaml has 0.2, conf/ has 0.3" in stopped.stderr
    assert "split" not in stopped.stderr
    assert (project / "params.yaml").read_bytes() == before
    assert stages_run(stopped.stdout) == {"configure"}


def test_the_clash_ends_by_deleting_params(project: Path, shell: Shell) -> None:
    edit_conf(project)
    edit_params(project)
    (project / "params.yaml").unlink()
    shell("dvc repro")
    assert (param(project, "train.lambda"), param(project, "train.learning_rate")) == (0.05, 0.3)


def test_the_clash_ends_by_writing_the_values_into_conf(project: Path, shell: Shell) -> None:
    edit_conf(project)
    edit(project / "params.yaml", "lambda: 0.01", "lambda: 0.05")
    edit(project / "params.yaml", "lambda: 0.01", "lambda: 0.05")  # one_vs_rest composes the same file
    shell("dvc repro")
    assert param(project, "train.lambda") == 0.05


def test_deleted_params_are_recomposed(project: Path, shell: Shell) -> None:
    before = (project / "params.yaml").read_bytes()
    (project / "params.yaml").unlink()
    shell("dvc repro")
    assert (project / "params.yaml").read_bytes() == before


def test_an_experiment_composes_conf_and_overrides(project: Path, shell: Shell) -> None:
    edit_conf(project)
    ran = shell("dvc exp run -S train.learning_rate=0.1 -S data=wine")
    assert "training" in stages_run(ran.stdout)
    assert param(project, "train.learning_rate") == 0.1
    assert param(project, "train.lambda") == 0.05
    assert param(project, "data.name") == "wine"


def test_an_experiment_recomposes_over_edited_params(project: Path, shell: Shell) -> None:
    edit_params(project)
    shell("dvc exp run -S train.lambda=0.5")
    assert (param(project, "train.lambda"), param(project, "train.learning_rate")) == (0.5, 0.3)


def test_an_experiment_without_overrides_runs_nothing_anew(shell: Shell) -> None:
    assert stages_run(shell("dvc exp run").stdout) == set()


def test_an_experiment_recomposes_deleted_params(project: Path, shell: Shell) -> None:
    (project / "params.yaml").unlink()
    shell("dvc exp run -S train.lambda=0.5")
    assert param(project, "train.lambda") == 0.5


BAD = [
    ("lambda: 0.01", "lambda: -1", "train.lambda = -1: should be greater than or equal to 0"),
    ("lambda: 0.01", "lambda: much", "train.lambda = 'much': should be a valid number"),
    ("lambda: 0.01", "lambada: 0.01", "train: no such key: lambada = 0.01; the keys here are lambda"),
]


@pytest.mark.parametrize(("old", "new", "message"), BAD)
def test_a_wrong_value_in_conf_stops_before_any_other_stage(
    project: Path, shell: Shell, old: str, new: str, message: str
) -> None:
    before = (project / "params.yaml").read_bytes()
    edit(project / "conf/train/default.yaml", old, new)
    stopped = shell("dvc repro", fails=True)
    assert message in stopped.stderr
    assert stages_run(stopped.stdout) == {"configure"}
    assert (project / "params.yaml").read_bytes() == before


def test_a_wrong_value_in_an_experiment_stops_before_any_other_stage(shell: Shell) -> None:
    stopped = shell("dvc exp run -S train.max_iterations=0 -S split.test_size=1.5", fails=True)
    assert "train.max_iterations = 0: should be greater than or equal to 1" in stopped.stderr
    assert "split.test_size = 1.5: should be less than 1" in stopped.stderr
    assert stages_run(stopped.stdout) == {"configure"}


def test_the_message_of_a_refused_experiment_ends_with_the_way_back(project: Path, shell: Shell) -> None:
    before = (project / "params.yaml").read_bytes()
    stopped = shell("dvc exp run -S train.lambda=-1", fails=True).stderr
    assert (project / "params.yaml").read_bytes() != before
    shell(stopped.split("Back to those of conf/: ")[1].splitlines()[0])
    assert (project / "params.yaml").read_bytes() == before
    assert "Back to" not in shell("dvc exp run --temp -S train.lambda=-1", fails=True).stderr
    assert (project / "params.yaml").read_bytes() == before


def test_params_that_dvc_left_in_a_subfolder_are_named(project: Path, shell: Shell) -> None:
    shell("cd conf/data && dvc exp run -S train.lambda=0.1", fails=True)
    assert (project / "conf" / "data" / "params.yaml").exists()
    assert "rm conf/data/params.yaml" in shell("dvc exp run -S train.lambda=0.1").stdout


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed: 0", "seed: ${explore.rows}", "split.seed is '${explore.rows}' for DVC and 1000 for the stages"),
        ("uri: null", "uri: ${oc.env:HOME}", "tracking.uri is '${oc.env:HOME}' for DVC"),
        ("seed: 0", "seed: 010", "split.seed is 10 for DVC and 8 for the stages"),
        ("seed: 0", "seed: 1:30", "split.seed is '1:30' for DVC and 90 for the stages"),
    ],
)
def test_a_hand_edit_that_dvc_and_the_stages_read_differently_stops_before_any_other_stage(
    project: Path, shell: Shell, old: str, new: str, message: str
) -> None:
    edit(project / "params.yaml", old, new)
    stopped = shell("dvc repro", fails=True)
    assert stages_run(stopped.stdout) == {"configure"}
    assert message in stopped.stderr
    assert "deleting params.yaml lets `dvc repro` compose it again" in stopped.stderr


@pytest.mark.parametrize("value", ["0.001", "1e-3", "1.0e-3", "2", "1E-3"])
def test_a_hand_edit_in_any_usual_notation_of_a_number_is_honoured(project: Path, shell: Shell, value: str) -> None:
    edit(project / "params.yaml", "lambda: 0.01", f"lambda: {value}")
    shell("dvc repro")
    assert param(project, "train.lambda") == float(value)


def test_an_unknown_key_or_option_in_an_experiment_is_named(shell: Shell) -> None:
    assert "lambada" in shell("dvc exp run -S train.lambada=1", fails=True).stderr
    assert "no_such_set" in shell("dvc exp run -S data=no_such_set", fails=True).stderr


def test_an_unknown_option_in_conf_is_named(project: Path, shell: Shell) -> None:
    edit(project / "conf/config.yaml", "- data: breast_cancer", "- data: no_such_set")
    stopped = shell("dvc repro", fails=True)
    assert "error: conf/ can't be composed" in stopped.stderr
    assert "no_such_set" in stopped.stderr


def test_a_value_of_the_environment_is_refused_by_name_except_for_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_conf(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET", "s3cr3t")
    edit(Path("conf/data/table.yaml"), "path: ???", "path: ${oc.env:SECRET}")
    assert "path: s3cr3t" in composition.compose(["data=table", "data.target=y"])
    edit(Path("conf/config.yaml"), "uri: null", "uri: http://user:${oc.env:SECRET}@server")
    with pytest.raises(UserError) as caught:
        composition.compose()
    assert "conf/config.yaml: tracking.uri is http://user:${oc.env:SECRET}@server" in str(caught.value)
    assert "MLFLOW_TRACKING_URI" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_hand_edit_that_takes_a_value_of_the_environment_is_refused_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET", "s3cr3t")
    monkeypatch.chdir(ROOT)
    text = composition.compose().replace("uri: null", "uri: gopher://${oc.env:SECRET}")
    with pytest.raises(UserError) as caught:
        composition.check(text, "params.yaml")
    assert "tracking.uri is 'gopher://${oc.env:SECRET}' for DVC" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.usefixtures("own_conf")
def test_a_file_of_conf_that_includes_itself_is_one_message() -> None:
    Path("conf/train/loop.yaml").write_text("defaults: [loop, _self_]\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"a file there includes itself.*git diff conf/"):
        composition.compose(["train=loop"])


BOMB = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)


@pytest.mark.usefixtures("own_conf")
def test_aliases_that_stand_for_too_many_values_are_refused_unread() -> None:
    with pytest.raises(UserError, match=r"params.yaml has aliases .* 1,234,567,\d+ values or more"):
        composition.check(BOMB, "params.yaml")
    Path("conf/explore.yaml").write_text(BOMB, encoding="utf-8")
    with pytest.raises(UserError, match=r"conf/explore.yaml has aliases"):
        composition.compose()
    with pytest.raises(UserError, match=r"params.yaml has aliases"):
        composition.check("a: &a [*a]\n", "params.yaml")


def test_a_few_aliases_are_read() -> None:
    assert config.parse("a: &x [1, 2]\nb: [*x, *x]\n", "params.yaml")["b"] == [[1, 2], [1, 2]]


@pytest.mark.usefixtures("own_conf")
def test_a_range_whose_ends_have_no_ratio_is_refused() -> None:
    text = composition.compose().replace("minimum: 0.0001", "minimum: 1.0e-320")
    with pytest.raises(UserError, match=r"sweep.lambda = .*1e-320.*should be greater than or equal to"):
        composition.check(text, "params.yaml")


@pytest.mark.parametrize("value", ["0.2", "null", "[a]", "{a: 1}", "nope"])
def test_a_group_of_settings_takes_only_the_name_of_one_of_its_files(value, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(UserError, match=r"no file of conf/split/, which has group, stratified.*-S split=group"):
        composition.compose([f"split={value}"])


@pytest.mark.parametrize("main", [queue.main, lambda overrides: multirun.main(overrides, lambda *_: None)])
@pytest.mark.parametrize("value", ["0.2", "null", "group,0.3", "range(1,3)", "{a: 1}", "'nope'"])
def test_experiments_and_studies_refuse_it_before_they_start(main, value, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PATH", "")  # no dvc
    with pytest.raises(UserError, match=r"no file of conf/split/, which has group, stratified.*-S split=group"):
        main(["train.lambda=0.1", f"split={value}"])


@pytest.mark.parametrize(
    "text", ["split=group,'time'", "split=glob(*)", "split=[group]", "~split", "data@one_vs_rest.data=iris", "((="]
)
def test_what_names_files_of_a_group_is_no_mistake(text, monkeypatch):
    monkeypatch.chdir(ROOT)
    composition.check_groups([text, "train.lambda=0.1,0.2"])

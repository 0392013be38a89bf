import json
import shutil

import pandas as pd
import pytest
from conftest import ROOT

from pipeline import choice, config, cross_validation, outputs, tables
from pipeline.stages import configure, load, split, sweep, track, train

GRID = ["sweep.lambda=[0.01,0.1,10]", "sweep.learning_rate=[0.1,1]", "train.max_iterations=300"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """conf/ and a split data set, as the stages before left them."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    config.PARAMS.write_text(configure.compose(GRID))
    loaded = load.load(config.read("data"))
    split.write(split.split(loaded, config.read("split"), config.read("data")), [], outputs.ROOT)
    return tmp_path


def contents(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_stage_writes_every_member_its_curve_the_winner_and_four_pictures(project):
    sweep.main()
    members = pd.read_csv(outputs.SWEEP / outputs.MEMBERS)
    assert len(members) == 6
    assert set(members.loc[members["status"] == "diverged", "lambda"]) == {10.0}
    curves = pd.read_parquet(outputs.SWEEP / outputs.CURVES)
    assert len(curves.groupby(["lambda", "learning_rate"])) == 6
    winner = json.loads((outputs.SWEEP / outputs.WINNER).read_text())
    assert winner["best"]["log_loss"] == pytest.approx(members["log_loss"].min(), abs=1e-6)
    assert winner["test"]["accuracy"] > 0.9
    pictures = {file.name for file in (outputs.SWEEP / outputs.PICTURES).iterdir()}
    assert pictures == {
        f"{name}.png" for name in ("heat_map", "validation_curve", "learning_rates", "coefficient_paths")
    }


def test_the_same_sweep_gives_the_same_bytes(project):
    sweep.main()
    before = contents(outputs.SWEEP)
    sweep.main()
    assert contents(outputs.SWEEP) == before


def test_the_printed_command_gives_the_model_that_the_sweep_promised(project, capsys):
    sweep.main()
    command = capsys.readouterr().out.split("dvc exp run ")[1].split()
    overrides = [word.strip("'") for word in command if word != "-S"]
    assert {text.split("=")[0] for text in overrides} == {
        "train.lambda",
        "train.learning_rate",
        "train.max_iterations",
    }
    config.PARAMS.write_text(configure.compose(overrides))
    train.main()
    for file in (outputs.MODEL, outputs.WEIGHTS, outputs.COSTS):
        assert (outputs.ROOT / file).read_bytes() == (outputs.SWEEP / file).read_bytes()


def test_no_test_row_changes_the_choice(project):
    sweep.main()
    before = contents(outputs.SWEEP)
    test = tables.load(outputs.ROOT / outputs.TEST_ROWS)
    tables.save(test.iloc[::2], outputs.ROOT / outputs.TEST_ROWS)
    sweep.main()
    after = contents(outputs.SWEEP)
    assert {name for name in after if after[name] != before[name]} == {"winner.json"}
    for name in choice.Choice._fields:
        assert json.loads(after["winner.json"])[name] == json.loads(before["winner.json"])[name]


def test_folds_are_cut_by_the_group_that_split_the_rows(project):
    rows = tables.load(outputs.ROOT / outputs.TRAINING_ROWS)
    group = pd.Series(rows.index % 20, name="group")
    tables.save(group.to_frame(), outputs.ROOT / outputs.KEY)
    sweep.main()
    fit, params = config.read("train"), config.read("sweep")
    grid = sweep.members(params, fit)
    expected = sweep.cross_validate(rows, fit, params, grid, sweep.folds(rows, params, group)).members
    written = pd.read_csv(outputs.SWEEP / outputs.MEMBERS)
    pd.testing.assert_series_equal(written["log_loss"], expected["log_loss"])
    stratified = sweep.cross_validate(rows, fit, params, grid, sweep.folds(rows, params, None)).members
    assert (stratified["log_loss"] != expected["log_loss"]).any()


def test_rows_that_cannot_be_cut_leave_the_sweep_out_and_say_why(project, capsys):
    sweep.main()
    rows = tables.load(outputs.ROOT / outputs.TRAINING_ROWS)
    tables.save(pd.Series(["one"] * len(rows), name="group").to_frame(), outputs.ROOT / outputs.KEY)
    sweep.main()
    reason = "There is no sweep. The training rows don't make two folds"
    assert reason.lower() in capsys.readouterr().out.lower()
    assert json.loads((outputs.SWEEP / outputs.WINNER).read_text())["warnings"][0].startswith(reason)
    assert any(reason in line for line in track.told(outputs.ROOT))
    assert not list((outputs.SWEEP / outputs.PICTURES).iterdir())
    assert set(contents(outputs.SWEEP).values()) >= {b""}


def test_one_standard_error_is_refitted_where_that_is_asked_for(project):
    near = "sweep.lambda=[0.001,0.01,0.02,0.05,0.1]"  # the best is among them, and others are hardly worse
    config.PARAMS.write_text(configure.compose([*GRID, near, "sweep.refit=one_standard_error"]))
    sweep.main()
    winner = json.loads((outputs.SWEEP / outputs.WINNER).read_text())
    assert winner["one_standard_error"]["lambda"] > winner["best"]["lambda"]
    weights = pd.read_csv(outputs.SWEEP / outputs.WEIGHTS)["weight_per_standard_deviation"]
    chosen = config.read("train").model_copy(
        update={
            "l2": winner["one_standard_error"]["lambda"],
            "learning_rate": winner["one_standard_error"]["learning_rate"],
        }
    )
    alone = train.weights(train.train(tables.load(outputs.ROOT / outputs.TRAINING_ROWS), chosen).model)
    pd.testing.assert_series_equal(weights, alone["weight_per_standard_deviation"])


def test_interrupted_the_stage_keeps_and_shows_what_was_finished(project, monkeypatch):
    import mlflow

    monkeypatch.setenv("DVC_ROOT", str(project))
    sweep.main()
    finished = sweep.cross_validate
    monkeypatch.setattr(sweep, "cross_validate", lambda *args: finished(*args)._replace(interrupted=True))
    with pytest.raises(SystemExit) as ended:
        sweep.main()
    assert ended.value.code == 130
    assert not (outputs.SWEEP / outputs.WINNER).exists()
    client = mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("breast_cancer").experiment_id])
    mlflow.set_tracking_uri(None)
    assert sorted(run.info.status for run in runs) == ["FAILED"] + ["FINISHED"] * 5 + ["KILLED"]
    (parent,) = [run for run in runs if run.info.status == "KILLED"]
    assert parent.data.tags["dvc.stage"] == "sweep"


def test_interrupted_before_the_first_member_the_stage_leaves_the_earlier_sweep_alone(project, monkeypatch):
    sweep.main()
    before = contents(outputs.SWEEP)

    def interrupted(*_args, **_keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(cross_validation, "fit_members", interrupted)
    with pytest.raises(SystemExit) as ended:
        sweep.main()
    assert ended.value.code == 130
    assert contents(outputs.SWEEP) == before


@pytest.mark.parametrize(
    "told",
    [
        [],
        ["data=wine"],
        ["data=table", "data.path=data/a b.csv", "data.target=x"],
        ["data=table", "data.path=a.csv", "data.target=x", "+data.roles.code=categorical", "+data.replace.sex={f: F}"],
        [
            "data=table",
            "data.path=a.csv",
            "data.target='Gekündigt'",
            "data.thousands=','",
            "data.date_format='%d/%m/%Y'",
        ],
        [
            "data=table",
            "data.path=a.csv",
            "data.target=x",
            "+data.roles={Zip Code: categorical, a.b: drop, c\\:\\=d: drop}",
        ],
        ["data=table", "data.path=a.csv", "data.target=x", "+data.expectations={Zip Code: {minimum: 3}}"],
        ["optimizer=newton", "train.lambda=1e-7"],
        ["split.test_size=0.3"],
    ],
)
def test_overrides_compose_to_the_values_that_they_were_made_for(project, told):
    composed = configure.compose(told)
    (project / "told.yaml").write_text(composed)
    values = config.load(project / "told.yaml")
    again = configure.overrides({section: values[section] for section in ("data", "split", "train")})
    assert configure.compose(again) == composed

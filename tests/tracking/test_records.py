"""Which results `track` logs, from the files of the stages, and which are there already."""

import shutil
from pathlib import Path

import mlflow
import pandas as pd
import pytest
import yaml
from conftest import ROOT

from pipeline import config
from pipeline.files import code, formats, paths, stored
from pipeline.tracking import records, shipping
from pipeline.tracking.sweeps import Sweep

from .conftest import run_stage, runs, set_params

pytestmark = pytest.mark.slow

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def logged(stage: str, experiment: str = "iris") -> list[mlflow.entities.Run]:
    """The runs of the stage, the last one first, without those of a sweep's combinations."""
    found = [run for run in runs(experiment) if run.data.tags["dvc.stage"] == stage]
    return [run for run in found if "mlflow.parentRunId" not in run.data.tags]


def children() -> list[mlflow.entities.Run]:
    return [run for run in runs("iris") if "mlflow.parentRunId" in run.data.tags]


def sweep_of(root: Path, name: str = "sweep") -> Sweep | None:
    return records.sweep_record(config.load(), stored.load_table(paths.ROOT / paths.TRAINING_ROWS), root, name)


@pytest.fixture
def package(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package, from which models are shipped."""
    folder = tmp_path_factory.mktemp("copy") / "pipeline"
    shutil.copytree(code.PACKAGE, folder)
    monkeypatch.setattr(code, "PACKAGE", folder)
    return folder


def test_track_logs_the_model_the_extension_and_the_sweep_each_once(project: Path) -> None:
    run_stage("track")
    run_stage("track")
    (main,), (sweep,) = logged("evaluate"), logged("sweep")
    assert len(logged("one_vs_rest", "digits")) == 1
    assert main.data.params["train.max_iterations"] == sweep.data.params["train.max_iterations"] == "200"
    assert main.data.metrics["test/accuracy"] == formats.load_json(paths.main_result().metrics)["test"]["accuracy"]
    assert sweep.data.tags["best"].startswith("lambda ")
    penalty, rate = main.data.params["train.lambda"], main.data.params["train.learning_rate"]
    assert main.info.run_name == f"lambda {penalty}, rate {rate}, gradient descent"
    assert sweep.info.run_name.startswith("sweep, best 0.")
    assert "to adopt: `dvc exp run" in sweep.data.tags["mlflow.note.content"]
    (of_sweep,) = (data.dataset.digest for data in sweep.inputs.dataset_inputs)  # no test rows
    assert of_sweep in {data.dataset.digest for data in main.inputs.dataset_inputs}
    assert not any(key.startswith("test/") for key in sweep.data.metrics)
    (winner,) = mlflow.search_logged_models(
        [sweep.info.experiment_id], f"source_run_id = '{sweep.info.run_id}'", output_format="list"
    )
    assert (winner.name, winner.tags["mlflow.source.name"]) == ("iris", sweep.data.tags["mlflow.source.name"])
    receipt = formats.load_json(paths.ROOT / paths.RECEIPT)
    assert {main.data.tags["result.digest"], sweep.data.tags["result.digest"]} < set(receipt)


def test_track_depends_on_every_section_of_the_parameters_that_can_change_a_result() -> None:
    assert {*STAGES["track"]["params"], "compute"} == set(yaml.safe_load((ROOT / "params.yaml").read_text()))


def test_an_experiment_that_changes_a_setting_of_explore_alone_is_logged(project: Path) -> None:
    run_stage("track")
    set_params("explore.rows=77")
    run_stage("track")
    assert logged("evaluate")[0].data.params["explore.rows"] == "77"
    assert (len(logged("evaluate")), len(logged("sweep"))) == (2, 1)


def test_a_change_of_the_shipped_code_is_logged_and_of_other_code_or_a_comment_is_not(
    project: Path, package: Path
) -> None:
    run_stage("track")
    for name in ("figures/learnt.py", "reading/cells.py", "tracking/log.py"):
        with (package / name).open("a") as file:
            file.write("NOT_SHIPPED = True\n")
    run_stage("track")
    assert len(logged("evaluate")) == 1
    with (package / "reading" / "typed.py").open("a") as file:
        file.write("# a comment\n")
    run_stage("track")
    assert len(logged("evaluate")) == 1
    with (package / "reading" / "typed.py").open("a") as file:
        file.write("CORRECTED = True\n")
    run_stage("track")
    corrected, _ = logged("evaluate")
    folder = Path(mlflow.artifacts.download_artifacts(f"runs:/{corrected.info.run_id}/iris"))
    assert (folder / "code" / "pipeline" / "reading" / "typed.py").read_text().endswith("CORRECTED = True\n")


def test_a_change_of_the_requirements_is_logged(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_stage("track")
    monkeypatch.setattr(shipping, "REQUIREMENTS", [*shipping.REQUIREMENTS, "packaging"])
    run_stage("track")
    assert len(logged("evaluate")) == 2


def test_each_combination_has_its_own_curve_and_lambda_in_full(project: Path) -> None:
    set_params("sweep.lambda=[0.00123456789,0.1]")
    run_stage("sweep")
    run_stage("track")
    curves = pd.read_parquet(paths.ROOT / paths.SWEEP / paths.CURVES)
    found = {(run.data.params["train.lambda"], run.data.params["train.learning_rate"]) for run in children()}
    pairs = curves[["lambda", "learning_rate"]].drop_duplicates().itertuples(index=False)
    assert found == {(str(penalty), rate) for penalty, rate in pairs}
    assert {penalty for penalty, _ in found} == {"0.00123456789", "0.1"}
    for run in children():
        last = mlflow.MlflowClient().get_metric_history(run.info.run_id, "cost/training")[-1]
        penalty, rate = float(run.data.params["train.lambda"]), run.data.params["train.learning_rate"]
        curve = curves[(curves["lambda"] == penalty) & (curves["learning_rate"] == rate)]
        assert (last.step, last.value) == tuple(curve[["iteration", "cost"]].iloc[-1])


def test_the_digest_of_a_sweep_does_not_depend_on_where_its_folder_is(project: Path) -> None:
    shutil.copytree(paths.ROOT, "elsewhere/0-iris")
    here, there = sweep_of(paths.ROOT), sweep_of(Path("elsewhere/0-iris"))
    assert here is not None
    assert there is not None
    assert (here.digest, here.study) == (there.digest, there.study)
    assert list(here.artifacts.values()) == list(there.artifacts.values())


def test_a_sweep_whose_every_combination_diverged_is_a_run_with_a_warning(project: Path) -> None:
    set_params("sweep.learning_rate=[1e5]")
    run_stage("sweep")
    run_stage("track")
    run_stage("track")
    (sweep,) = logged("sweep")
    description = sweep.data.tags["mlflow.note.content"]
    assert "**warning:** The sweep has no winner: every combination diverged" in description
    assert (sweep.info.status, sweep.data.metrics["sweep/diverged"], "best" in sweep.data.tags) == (
        "FINISHED",
        4,
        False,
    )
    assert {run.info.status for run in children()} == {"FAILED"}
    assert len(children()) == 4
    assert "The sweep has no winner" not in logged("evaluate")[0].data.tags["mlflow.note.content"]


def test_where_folds_can_not_be_cut_the_main_run_has_the_warning(project: Path) -> None:
    run_stage("track")
    rows = stored.load_table(paths.ROOT / paths.TRAINING_ROWS)
    few = rows[rows["target"] == "setosa"]
    stored.save_table(pd.concat([few, few.head(1).assign(target="rare")]), paths.ROOT / paths.TRAINING_ROWS)
    run_stage("sweep")
    assert sweep_of(paths.ROOT) is None
    stored.save_table(rows, paths.ROOT / paths.TRAINING_ROWS)
    run_stage("track")
    assert len(logged("sweep")) == 1  # the one from before
    assert "**warning:** The sweep has no winner" in logged("evaluate")[0].data.tags["mlflow.note.content"]
    run_stage("track")
    assert len(logged("evaluate")) == 2


def test_a_name_begins_with_what_mlflows_list_has_no_column_for(project: Path) -> None:
    params = config.load()
    params["split"] |= {"method": "group", "column": "species"}
    params["decision"] |= {"method": "cost", "false_alarm": 1.0, "miss": 3.0, "costs": None}
    params["train"] |= {"features": "curves", "interactions": [["a", "b"]], "learning_rate": "auto"}
    params["train"] |= {"optimizer": "quasi_newton", "lambda": 0.1}
    assert records.main_record(params).name == "cost, group, 1 pair, curves, lambda 0.1"

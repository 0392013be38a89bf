"""What the user finds in MLflow, read back through its client."""

from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import train_params

from pipeline import dataset, training
from pipeline.config import Tracking
from pipeline.errors import UserError
from pipeline.reading import CellFormat
from pipeline.tracking import log
from pipeline.tracking.runs import Record
from pipeline.tracking.stores import DIGEST, store

from .conftest import SETTINGS, record_of, runs

pytestmark = pytest.mark.usefixtures("own_store")
Trained = tuple[pd.DataFrame, training.Training]


@pytest.fixture(scope="module")
def trained() -> Trained:
    table = dataset.bundled("iris")
    params = train_params(**{"lambda": 0.1}, learning_rate=0.2, max_iterations=3000)
    return table, training.train(table, params, CellFormat())


@pytest.fixture
def record(trained: Trained, tmp_path: Path) -> Record:
    table, fitted = trained
    return record_of(fitted.model, table, tmp_path, "iris")


def test_a_run_holds_the_whole_record(record: Record, tmp_path: Path) -> None:
    log.log([record], SETTINGS)
    (run,) = runs("iris")
    client = mlflow.MlflowClient()
    assert run.info.status == "FINISHED"
    assert run.data.params == {f"section.key{i}": str(i) for i in range(120)}
    assert run.data.metrics["test/accuracy"] == 0.5
    assert run.data.tags["mlflow.note.content"] == "a description"
    assert run.data.tags["dvc.stage"] == "evaluate"
    assert {(i.dataset.name, i.tags[0].value) for i in run.inputs.dataset_inputs} == {
        ("iris", "training"),
        ("iris", "test"),
    }
    assert (tmp_path / "mlflow.db").exists()
    assert [file.path for file in client.list_artifacts(run.info.run_id, "reports")] == ["reports/report.txt"]
    assert run.info.artifact_uri.startswith(f"file://{tmp_path}/mlartifacts/iris")


def test_cost_curves_are_thinned_but_keep_both_ends_and_every_class(record: Record) -> None:
    log.log([record], SETTINGS)
    (run,) = runs("iris")
    for name in ("cost", "cost/setosa"):
        history = mlflow.MlflowClient().get_metric_history(run.info.run_id, name)
        values = record.costs[name].dropna()
        assert len(history) <= 50
        assert (history[0].step, history[0].value) == (0, values.iloc[0])
        assert all(point.value == values[point.step] for point in history)
    last = mlflow.MlflowClient().get_metric_history(run.info.run_id, "cost")[-1]
    assert last.step == record.costs["iteration"].iloc[-1]


def test_classes_of_any_name_have_curves_and_metrics_of_their_own(record: Record) -> None:
    labels = ["кот", "пёс", "a/b", "a_b", "a:b", "a?b", "a*b", "<=50K", "x//y", "..", "cost", "iteration", "l" * 400]
    columns = {"iteration": [0, 1], "cost": [1.0, 0.5]} | {
        f"cost/{label}": [float(i), i / 2] for i, label in enumerate(labels)
    }
    scored = {f"train/iterations/{label}": float(i) for i, label in enumerate(labels)}
    log.log([replace(record, costs=pd.DataFrame(columns), metrics=scored)], SETTINGS)
    metrics = runs("iris")[0].data.metrics
    assert sorted(metrics.values()) == sorted([0.5, *(i / 2 for i in range(13)), *map(float, range(13))])
    assert metrics["cost/пёс"] == 0.5
    assert metrics["train/iterations/at most 50K"] == 7


def test_the_model_loads_without_pickle_and_predicts_raw_rows(
    record: Record, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    log.log([record], SETTINGS)
    (run,) = runs("iris")
    loaded = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    rows = trained[0].iloc[:, :-1]
    np.testing.assert_array_equal(loaded.predict(rows), trained[1].model.classify(rows))
    assert loaded.metadata.signature.inputs.input_names() == list(rows.columns)
    pd.testing.assert_frame_equal(loaded.input_example, rows.iloc[::2].head(5).reset_index(drop=True))


def test_the_same_result_is_logged_once(record: Record) -> None:
    log.log([record], SETTINGS)
    log.log([record], SETTINGS)
    assert len(runs("iris")) == 1


def test_an_interrupted_run_is_killed_and_logged_again(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_args: object, **_keywords: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(mlflow.models.Model, "log", interrupt)
        with pytest.raises(KeyboardInterrupt):
            log.log([record], SETTINGS)
    assert [run.info.status for run in runs("iris")] == ["KILLED"]
    log.log([record], SETTINGS)
    assert sorted(run.info.status for run in runs("iris")) == ["FINISHED", "KILLED"]


def test_a_run_that_a_crash_left_running_is_closed_and_logged_again(record: Record) -> None:
    log.log([record], SETTINGS)
    client, (run,) = mlflow.MlflowClient(), runs("iris")
    client.update_run(run.info.run_id, status="RUNNING")  # as the crash left it: without the digest, not ended
    client.delete_tag(run.info.run_id, DIGEST)
    log.log([record], SETTINGS)
    assert sorted(run.info.status for run in runs("iris")) == ["FINISHED", "KILLED"]


def test_a_deleted_experiment_is_restored(record: Record) -> None:
    log.log([record], SETTINGS)
    client = mlflow.MlflowClient()
    client.delete_experiment(client.get_experiment_by_name("iris").experiment_id)
    log.log([record], SETTINGS)
    assert client.get_experiment_by_name("iris").lifecycle_stage == "active"


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:////dev/null/mlflow.db", "gopher://store"])
def test_a_store_that_cannot_be_reached_is_named_with_the_way_on(
    record: Record, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError) as caught:
        log.log([record], SETTINGS)
    assert uri in str(caught.value)
    assert "`dvc repro` then goes on from here" in str(caught.value)


def test_the_environment_wins_over_the_setting_and_files_are_the_repositorys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert store(SETTINGS) == f"sqlite:///{tmp_path}/mlflow.db"
    setting = Tracking(uri="sqlite:///other.db", points=2)
    assert store(setting) == f"sqlite:///{tmp_path}/other.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    assert store(setting) == "http://server:5000"

"""What a person finds in MLflow, read back through its client."""

from dataclasses import asdict, replace

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import train_params

from pipeline import model, tracking
from pipeline.config import Tracking
from pipeline.errors import UserError
from pipeline.reading.options import CellFormat
from pipeline.stages import train
from pipeline.stages.load import bundled

SETTINGS = Tracking(uri=None, points=50)


pytestmark = pytest.mark.usefixtures("own_store")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    table = bundled("iris")
    params = train_params(**{"lambda": 0.1}, learning_rate=0.2, max_iterations=3000)
    training = train.train(table, params)
    model.save(training.model, folder / "model.skops")
    (folder / "report.txt").write_text("a report")
    return folder, table, training


@pytest.fixture
def record(trained):
    folder, table, training = trained
    return tracking.Record(
        experiment="iris",
        name="a run",
        stage="evaluate",
        description="what it is",
        digest="d1",
        params={f"section.key{i}": i for i in range(120)},
        metrics={"test/accuracy": 0.5},
        costs=train.costs(training.model),
        training=table.iloc[::2],
        test=table.iloc[1::2],
        source="here",
        model=folder / "model.skops",
        cells=asdict(CellFormat()),
        artifacts={folder / "report.txt": "reports"},
    )


def runs(experiment="iris"):
    client = mlflow.MlflowClient()
    return client.search_runs([client.get_experiment_by_name(experiment).experiment_id])


def test_a_run_holds_the_whole_record(record, tmp_path):
    tracking.log([record], SETTINGS)
    (run,) = runs()
    client = mlflow.MlflowClient()
    assert run.info.status == "FINISHED"
    assert run.data.params == {f"section.key{i}": str(i) for i in range(120)}
    assert run.data.metrics["test/accuracy"] == 0.5
    assert run.data.tags["mlflow.note.content"] == "what it is"
    assert run.data.tags["dvc.stage"] == "evaluate"
    assert {(i.dataset.name, i.tags[0].value) for i in run.inputs.dataset_inputs} == {
        ("iris", "training"),
        ("iris", "test"),
    }
    assert (tmp_path / "mlflow.db").exists()
    assert [file.path for file in client.list_artifacts(run.info.run_id, "reports")] == ["reports/report.txt"]
    assert run.info.artifact_uri.startswith(f"file://{tmp_path}/mlartifacts/iris")


def test_cost_curves_are_thinned_but_keep_both_ends_and_every_class(record):
    tracking.log([record], SETTINGS)
    (run,) = runs()
    for name in ("cost", "cost/setosa"):
        history = mlflow.MlflowClient().get_metric_history(run.info.run_id, name)
        values = record.costs[name].dropna()
        assert len(history) <= 50
        assert (history[0].step, history[0].value) == (0, values.iloc[0])
        assert all(point.value == values[point.step] for point in history)
    last = mlflow.MlflowClient().get_metric_history(run.info.run_id, "cost")[-1]
    assert last.step == record.costs["iteration"].iloc[-1]


def test_classes_of_any_name_have_curves_and_metrics_of_their_own(record):
    labels = ["кот", "пёс", "a/b", "a_b", "a:b", "a?b", "a*b", "<=50K", "x//y", "..", "cost", "iteration", "l" * 400]
    columns = {"iteration": [0, 1], "cost": [1.0, 0.5]} | {
        f"cost/{label}": [float(i), i / 2] for i, label in enumerate(labels)
    }
    scored = {f"train/iterations/{label}": float(i) for i, label in enumerate(labels)}
    tracking.log([replace(record, costs=pd.DataFrame(columns), metrics=scored)], SETTINGS)
    metrics = runs()[0].data.metrics
    assert sorted(metrics.values()) == sorted([0.5, *(i / 2 for i in range(13)), *map(float, range(13))])
    assert metrics["cost/пёс"] == 0.5
    assert metrics["train/iterations/at most 50K"] == 7


def test_the_model_loads_without_pickle_and_predicts_raw_rows(record, trained, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    tracking.log([record], SETTINGS)
    (run,) = runs()
    loaded = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    rows = bundled("iris").iloc[:, :-1]
    np.testing.assert_array_equal(loaded.predict(rows), trained[2].model.predict(rows))
    assert loaded.metadata.signature.inputs.input_names() == list(rows.columns)
    pd.testing.assert_frame_equal(loaded.input_example, rows.iloc[::2].head(5).reset_index(drop=True))


def test_the_same_result_is_logged_once(record):
    tracking.log([record], SETTINGS)
    tracking.log([record], SETTINGS)
    assert len(runs()) == 1


def test_an_interrupted_run_is_killed_and_logged_again(record, monkeypatch):
    def interrupt(*_args, **_keywords):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(mlflow.models.Model, "log", interrupt)
        with pytest.raises(KeyboardInterrupt):
            tracking.log([record], SETTINGS)
    assert [run.info.status for run in runs()] == ["KILLED"]
    tracking.log([record], SETTINGS)
    assert sorted(run.info.status for run in runs()) == ["FINISHED", "KILLED"]


def test_a_deleted_experiment_is_restored(record):
    tracking.log([record], SETTINGS)
    client = mlflow.MlflowClient()
    client.delete_experiment(client.get_experiment_by_name("iris").experiment_id)
    tracking.log([record], SETTINGS)
    assert client.get_experiment_by_name("iris").lifecycle_stage == "active"


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:////dev/null/mlflow.db", "gopher://store"])
def test_a_store_that_cannot_be_reached_is_named_with_the_way_on(record, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError) as caught:
        tracking.log([record], SETTINGS)
    assert uri in str(caught.value)
    assert "`dvc repro` then goes on from here" in str(caught.value)


def test_the_environment_wins_over_the_setting_and_files_are_the_repositorys(monkeypatch, tmp_path):
    assert tracking.store(SETTINGS) == f"sqlite:///{tmp_path}/mlflow.db"
    setting = Tracking(uri="sqlite:///other.db", points=2)
    assert tracking.store(setting) == f"sqlite:///{tmp_path}/other.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    assert tracking.store(setting) == "http://server:5000"

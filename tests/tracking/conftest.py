"""Models of real tables as records, and a project whose stages have run."""

import shutil
from importlib import import_module
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from conftest import ROOT, train_params
from hydra import compose, initialize_config_dir
from mlflow.entities import Run
from omegaconf import OmegaConf

from pipeline import config, model, reading
from pipeline.files import paths
from pipeline.tracking.runs import Record
from pipeline.training import fit, learnt

SETTINGS = config.Tracking(uri=None, points=50, promote=None, live=False)
SMALL = (
    *("data=iris", "train.max_iterations=200", "one_vs_rest.train.max_iterations=20"),
    *("sweep.lambda=[{minimum: 0.001, maximum: 0.1, points: 4}]", "sweep.learning_rate=[0.1,1]"),
)
COLOURS = ("red", "green", "blue")


def runs(experiment: str) -> list[Run]:
    """Every run of an experiment, the last one first."""
    client = mlflow.MlflowClient()
    return client.search_runs([client.get_experiment_by_name(experiment).experiment_id])


def write_table(path: Path, n_rows: int = 60) -> Path:
    """Numbers, strings, codes with leading zeros, booleans and dates with the day first; `?` is a missing cell."""
    rows = [
        f"{20 + i % 40},{'?' if i % 7 == 0 else i / 4},{COLOURS[i % 3]},00{1 + i % 3},{str(i % 2 == 0).lower()},"
        f"{1 + i % 27:02}.{1 + i % 9:02}.2023,{'yes' if i % 5 < 2 else 'no'}"
        for i in range(n_rows)
    ]
    path.write_text("\n".join(["age,income,colour,code,retired,sold,y", *rows]) + "\n", encoding="utf-8")
    return path


def train_on(path: Path, **options: object) -> tuple[fit.Training, pd.DataFrame]:
    """The model of the table in `path`, and the table."""
    found = reading.read(path, reading.Options(**options), target="y", roles={"code": "categorical"})
    params = train_params(**{"lambda": 0.01}, max_iterations=200, learning_rate="auto", min_rows=1)
    return fit.train(found.frame, params, found.cell_format), found.frame


def record_of(trained: fit.Training, table: pd.DataFrame, folder: Path, experiment: str) -> Record:
    """A record as the stages would leave it."""
    model.save(trained.model, folder / "model.json")
    (folder / "report.txt").write_text("a report")
    return Record(
        experiment=experiment,
        name="a run",
        stage="evaluate",
        description="a description",
        digest="d1",
        params={f"section.key{i}": i for i in range(120)},
        metrics={"test/accuracy": 0.5},
        costs=learnt.costs(trained),
        training=table.iloc[::2],
        test=table.iloc[1::2],
        source="here",
        model=folder / "model.json",
        artifacts={folder / "report.txt": "reports"},
    )


def run_stage(name: str, **more: object) -> None:
    with paths.replaced(name) as root:
        import_module(f"pipeline.stages.{name}").main(root, **more)


def set_params(*overrides: str) -> None:
    """Compose the project's conf/ to params.yaml."""
    with initialize_config_dir(str(ROOT / "conf"), version_base=None):
        OmegaConf.save(compose("config", [*SMALL, *overrides]), "params.yaml")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store without runs. To create one takes a second."""
    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def own_store(own_store: None, empty_store: Path, tmp_path: Path) -> None:
    """The same with its store created."""
    shutil.copy(empty_store, tmp_path / "mlflow.db")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """A folder where every stage before `track` has run, but for the pictures of `explore`."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        set_params()
        for name in ("load", "split", "train", "evaluate", "sweep", "one_vs_rest"):
            run_stage(name)
    shutil.copy(empty_store, folder / "mlflow.db")
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path, own_store: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `finished` with a store of its own, which is the current folder."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path

"""New rows beside those that a model was made from. Oracles: PSI by hand, scikit-learn, draws without a change."""

import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, compose, run_stages
from sklearn.metrics import accuracy_score

from pipeline.commands import watch
from pipeline.errors import UserError
from pipeline.evaluation import drift
from pipeline.files import formats, paths
from pipeline.model import load

pytestmark = pytest.mark.slow

DATA = ROOT / "tests/data/penguins.csv"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with an evaluated model of the sex of penguins."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(ROOT / "conf", folder / "conf")
    (folder / "data").mkdir()
    shutil.copy(DATA, folder / "data/penguins.csv")
    (folder / ".dvc" / "tmp").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        small = "one_vs_rest.train.max_iterations=20", "sweep.lambda=[0.1,1]", "sweep.learning_rate=[auto]"
        compose("data=table", "data.path=data/penguins.csv", "data.target=sex", "train.features=linear", *small)
        run_stages("load", "split", "train", "evaluate")
    return folder


@pytest.fixture
def project(trained: Path, own_store: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(trained)
    return trained


@pytest.fixture
def penguins() -> pd.DataFrame:
    return pd.read_csv(DATA).dropna(subset="sex")


def compared(table: pd.DataFrame, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, str, str]:
    """Standard output, standard error and the page."""
    table.to_csv(folder / "new.csv", index=False, na_rep="NA")
    watch.main(str(folder / "new.csv"), None, str(folder / "page.html"))
    out, err = capsys.readouterr()
    return out, err, (folder / "page.html").read_text(encoding="utf-8")


def row_of(out: str, name: str) -> list[str]:
    return next(line.split() for line in out.splitlines() if line.split()[:1] == [name])


def test_psi_is_the_sum_over_bins() -> None:
    before, now = np.array([50, 30, 20]), np.array([10, 10, 20])
    p, q = before / 100, now / 40
    assert drift.stability(before, now)[0] == pytest.approx(sum((q - p) * np.log(q / p)))
    assert drift.stability(before, before)[0] == 0
    assert drift.stability(before, np.array([0, 0, 0])) == (0, 0)


def test_without_change_psi_is_below_the_value_by_chance_in_95_of_100_samples() -> None:
    rng = np.random.default_rng(0)
    shares = np.full(10, 0.1)
    found = [drift.stability(rng.multinomial(900, shares), rng.multinomial(300, shares)) for _ in range(2000)]
    assert np.mean([value <= chance for value, chance in found]) == pytest.approx(0.95, abs=0.02)


def test_a_column_that_moved_is_named_and_the_others_are_not(
    project: Path, penguins: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    penguins["flipper_length_mm"] += 15
    out, err, page = compared(penguins, tmp_path, capsys)
    assert row_of(out, "flipper_length_mm")[-2:] == ["changed", "much"]
    for name in ("bill_length_mm", "island", "year"):
        assert f" {name} " not in out
    assert "as before: 6 columns" in out
    assert "Changed: " in page
    assert "flipper_length_mm" in page.split("Changed: ")[1].split("</p>")[0]
    assert err == ""


def test_the_exit_status_tells_cron_what_changed_and_known_rows_are_noticed(
    project: Path, penguins: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def status(table: pd.DataFrame) -> int:
        table.to_csv(tmp_path / "new.csv", index=False, na_rep="NA")
        return watch.main(str(tmp_path / "new.csv"), None, str(tmp_path / "page.html"))

    assert status(penguins) == 0
    assert "of the 333 rows are training rows" in capsys.readouterr().err
    assert status(penguins.assign(flipper_length_mm=penguins["flipper_length_mm"] + 40)) == watch.MUCH == 4
    assert "training rows" not in capsys.readouterr().err
    swapped = penguins.assign(sex=penguins["sex"].map({"male": "female", "female": "male"}))
    assert status(swapped) == watch.CHANGED == 3


def test_new_categories_and_missing_cells_are_counted(
    project: Path, penguins: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    penguins = penguins.reset_index(drop=True).head(200)
    penguins["island"] = penguins["island"].where(penguins.index >= 20, "<b>Rügen</b>")
    penguins["bill_length_mm"] = penguins["bill_length_mm"].where(penguins.index >= 50)
    out, _, page = compared(penguins, tmp_path, capsys)
    assert "10.00% (<b>Rügen</b>)" in out
    assert "0.0% to 25.0%" in " ".join(row_of(out, "bill_length_mm"))
    assert "&lt;b&gt;Rügen" in page
    assert "<b>" not in page


def test_scores_of_rows_with_a_class_are_those_of_scikit_learn_beside_the_test_rows(
    project: Path, penguins: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    swapped = penguins.assign(sex=penguins["sex"].map({"male": "female", "female": "male"}))
    swapped.iloc[:3, swapped.columns.get_loc("sex")] = ["unknown", None, None]
    out, err, _ = compared(swapped, tmp_path, capsys)
    counted = swapped.iloc[3:]
    fitted = load(paths.ROOT / paths.MODEL)
    expected = accuracy_score(counted["sex"], fitted.predict(counted))
    test = formats.load_json(paths.ROOT / "evaluate.json")["test"]["accuracy"]
    line = " ".join(row_of(out, "accuracy"))
    assert f"accuracy {expected:.3f} [" in line
    assert f"] {test:.3f} [" in line
    assert line.endswith("worse than")
    assert "3 rows have no class, or one that training never had" in err


def test_without_the_target_there_are_no_scores(
    project: Path, penguins: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _, page = compared(penguins.drop(columns="sex"), tmp_path, capsys)
    assert "accuracy" not in out
    assert "How good the model is now" not in page


def test_the_result_does_not_depend_on_the_chunks(project: Path, penguins: pd.DataFrame) -> None:
    fitted, seen = load(paths.ROOT / paths.MODEL), formats.load_json(paths.ROOT / paths.REFERENCE)
    whole, parts = drift.Watch(fitted, seen), drift.Watch(fitted, seen)
    frame, y = fitted.read(penguins), penguins["sex"].to_numpy(object)
    whole.add(frame, y)
    for start in range(0, len(frame), 50):
        parts.add(frame.iloc[start : start + 50], y[start : start + 50])
    pd.testing.assert_frame_equal(whole.changes(), parts.changes())
    pd.testing.assert_frame_equal(whole.judged(), parts.judged())


def test_in_mlflow_it_is_a_run_below_that_of_the_model(
    project: Path, penguins: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _, _ = compared(penguins, tmp_path, capsys)
    assert "not in MLflow, since the model is not: `python -m pipeline track` logs it" in out
    run_stages("report", "sweep", "one_vs_rest", "track")
    out, _, page = compared(penguins, tmp_path, capsys)
    assert "logged as run watch new.csv, below run " in out
    client = mlflow.MlflowClient()
    place = client.get_experiment_by_name("penguins").experiment_id
    run = client.search_runs([place], "tags.`dvc.stage` = 'watch'")[0]
    parent = client.get_run(run.data.tags["mlflow.parentRunId"])
    assert parent.data.tags["dvc.stage"] == "evaluate"
    assert run.info.status == "FINISHED"
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"page.html", "changes.csv"}
    model_id = parent.outputs.model_outputs[0].model_id
    assert "watch/accuracy" in {metric.key for metric in client.get_logged_model(model_id).metrics}
    by_name = tmp_path / "by_name.html"
    capsys.readouterr()
    watch.main(str(tmp_path / "new.csv"), f"models:/{model_id}", str(by_name))
    assert by_name.read_text(encoding="utf-8") == page


def test_what_can_not_be_used_is_one_message(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"nothing.csv doesn't exist"):
        watch.main("nothing.csv", None, None)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"none of the model's columns is there"):
        watch.main(str(tmp_path / "other.csv"), None, None)
    (tmp_path / "empty.csv").write_text("island,bill_length_mm\nBiscoe,long\n")
    with pytest.raises(UserError, match=r"has no row that can be read \(1 that cannot\)"):
        watch.main(str(tmp_path / "empty.csv"), None, None)
    with pytest.raises(UserError, match=r"there is no model models:/penguins@champion"):
        watch.main(str(tmp_path / "other.csv"), "models:/penguins@champion", None)

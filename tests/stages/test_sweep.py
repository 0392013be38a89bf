import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, compose, contents, run_stages

from pipeline import config
from pipeline.columns import splitting
from pipeline.files import formats, paths, stored
from pipeline.reading import CellFormat
from pipeline.tracking import records
from pipeline.training import choice, fit, learnt
from pipeline.training.sweep import combinations, score_grid

pytestmark = pytest.mark.slow

GRID = ["sweep.lambda=[0.01,0.1,10]", "sweep.learning_rate=[0.1,1]", "train.max_iterations=300"]
SWEEP, WINNER = paths.ROOT / paths.SWEEP, paths.ROOT / paths.WINNER


@pytest.fixture
def project(own_conf: Path) -> Path:
    """conf/ and a split data set, as the stages before left them."""
    compose(*GRID)
    run_stages("load", "split")
    return own_conf


def training_rows() -> pd.DataFrame:
    return stored.load_table(paths.ROOT / paths.TRAINING_ROWS)


def test_the_stage_writes_every_combination_its_curve_the_winner_and_four_pictures(project: Path) -> None:
    run_stages("sweep")
    scored = pd.read_csv(SWEEP / paths.COMBINATIONS)
    assert len(scored) == 6
    assert set(scored.loc[scored["status"] == "diverged", "lambda"]) == {10.0}
    curves = pd.read_parquet(SWEEP / paths.CURVES)
    assert len(curves.groupby(["lambda", "learning_rate"])) == 6
    winner = formats.load_json(WINNER)
    assert winner["best"]["log_loss"] == pytest.approx(scored["log_loss"].min(), abs=1e-6)
    pictures = {file.name for file in (SWEEP / paths.PICTURES).iterdir()}
    assert pictures == {
        f"{name}.png" for name in ("heat_map", "validation_curve", "learning_rates", "coefficient_paths")
    }


def test_an_optimiser_without_learning_rate_has_no_pictures_that_compare_learning_rates(project: Path) -> None:
    compose(*GRID, "optimizer=newton")
    run_stages("sweep")
    pictures = {file.name for file in (SWEEP / paths.PICTURES).iterdir()}
    assert pictures == {"validation_curve.png", "coefficient_paths.png"}


def test_the_same_sweep_gives_the_same_bytes(project: Path) -> None:
    run_stages("sweep")
    before = contents(paths.ROOT)
    run_stages("sweep")
    assert contents(paths.ROOT) == before


@pytest.mark.parametrize("lambdas", ["[0.01,0.1]", "[0.012345678901234567,1e-07]"])
def test_the_printed_lambda_and_learning_rate_train_the_model_that_the_sweep_promised(
    project: Path, capsys: pytest.CaptureFixture[str], lambdas: str
) -> None:
    compose(*GRID, f"sweep.lambda={lambdas}")
    run_stages("sweep")
    command = capsys.readouterr().out.split("To adopt it: ")[1].split()
    assert command[:4] == ["dvc", "exp", "run", "--no-hydra"]
    chosen = [argument for argument in command[4:] if argument != "-S"]
    assert [text.split("=")[0] for text in chosen] == ["train.lambda", "train.learning_rate"]
    compose(*GRID, *chosen)
    run_stages("train", "evaluate")
    assert contents(paths.ROOT / "train") == contents(SWEEP / "train")
    assert formats.load_json(paths.main_result().metrics)["test"]["accuracy"] > 0.9


def test_no_test_row_is_read(project: Path) -> None:
    run_stages("sweep")
    before, winner = contents(SWEEP), WINNER.read_bytes()
    (paths.ROOT / paths.TEST_ROWS).unlink()
    run_stages("sweep")
    assert contents(SWEEP) == before
    assert WINNER.read_bytes() == winner


def test_folds_are_cut_by_the_group_that_split_the_rows(project: Path) -> None:
    rows = training_rows()
    group = pd.Series(rows.index % 20, name="group")
    stored.save_table(group.to_frame(), paths.ROOT / paths.KEY)
    run_stages("sweep")
    settings, params = config.read("train"), config.read("sweep")

    def log_losses(key: pd.Series | None) -> pd.Series:
        folds = splitting.folds(rows["target"].to_numpy(str), params.folds, params.seed, key)
        return score_grid(rows, settings, params, combinations(params, settings), folds).combinations["log_loss"]

    written = pd.read_csv(SWEEP / paths.COMBINATIONS)["log_loss"]
    pd.testing.assert_series_equal(written, log_losses(group), rtol=1e-6)
    assert (log_losses(None) != log_losses(group)).any()


def test_rows_that_cannot_be_cut_make_a_sweep_without_combinations_and_give_the_reason(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_stages("sweep")
    one = pd.Series(["one"] * len(training_rows()), name="group")
    stored.save_table(one.to_frame(), paths.ROOT / paths.KEY)
    run_stages("sweep")
    reason = "The training rows can't be cut into two folds"
    assert f"warning: there is no winner: {reason}" in capsys.readouterr().out
    record = formats.load_json(WINNER)
    assert record["warnings"][0].startswith(f"The sweep has no winner: {reason}")
    assert "best" not in record
    assert contents(SWEEP) == {}
    assert records.sweep_record(config.load(), training_rows(), paths.ROOT, "sweep") is None


def test_a_sweep_of_which_every_combination_diverges_is_a_result_with_a_warning(project: Path) -> None:
    compose(*GRID, "sweep.learning_rate=[1000,2000]")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "sweep"], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "warning: there is no winner: every combination diverged" in done.stdout
    record = formats.load_json(WINNER)
    assert not set(choice.Choice._fields) & set(record)
    assert "every combination diverged" in record["warnings"][0]
    scored = pd.read_csv(SWEEP / paths.COMBINATIONS)
    assert scored["status"].tolist() == ["diverged"] * 6
    assert set(contents(SWEEP)) == {"combinations.csv", "curves.parquet"}
    logged = records.sweep_record(config.load(), training_rows(), paths.ROOT, "sweep")
    assert logged is not None
    assert all(child.failure for child in logged.children)


def test_the_stage_imports_no_tracking() -> None:
    code = "import sys, pipeline.stages.sweep; print([n for n in sys.modules if 'mlflow' in n or 'tracking' in n])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_one_standard_error_is_trained_on_all_rows_where_refit_asks_for_it(project: Path) -> None:
    near = "sweep.lambda=[0.001,0.01,0.02,0.05,0.1]"  # the best is among them, and others are hardly worse
    compose(*GRID, near, "sweep.refit=one_standard_error")
    run_stages("sweep")
    winner = formats.load_json(WINNER)
    strongest = winner["one_standard_error"]
    assert strongest["lambda"] > winner["best"]["lambda"]
    weights = pd.read_csv(SWEEP / paths.WEIGHTS)["weight_per_standard_deviation"]
    update = {"l2": strongest["lambda"], "learning_rate": strongest["learning_rate"]}
    alone = fit.train(training_rows(), config.read("train").model_copy(update=update), CellFormat())
    expected = learnt.weights(alone)["weight_per_standard_deviation"]
    pd.testing.assert_series_equal(weights, expected, rtol=1e-8)


def test_the_winner_is_readable_json(project: Path) -> None:
    run_stages("sweep")
    assert set(json.loads(WINNER.read_text())) == {
        *("score", "refit", "warnings", "best", "one_standard_error"),
    }

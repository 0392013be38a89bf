"""The champion of the model registry: who becomes it, who does not, and what is loaded by its name."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UserError
from pipeline.files import paths, stored
from pipeline.logistic.loss import log_losses
from pipeline.model import load
from pipeline.tracking import promotion, registry, stores

from .conftest import SETTINGS, run_stage, runs, set_params, train_on, write_table

pytestmark = pytest.mark.slow

STAGES = ("train", "evaluate", "track")


def trained_with(*overrides: str) -> None:
    set_params(*overrides)
    for name in STAGES:
        run_stage(name)


def champion() -> str:
    return str(mlflow.MlflowClient().get_model_version_by_alias("iris", "champion").version)


def test_the_first_model_is_the_champion_and_stays_so_when_it_comes_again(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_stage("track")
    promotion.promote(None, 0.01)
    assert "iris: version 1 is the champion, the first one" in capsys.readouterr().out
    np.testing.assert_array_equal(
        registry.load("models:/iris@champion", SETTINGS).weights,
        load(paths.ROOT / paths.MODEL).weights,
    )
    stores.delete(runs("iris")[0])  # the same model, logged again by another run
    run_stage("track")
    promotion.promote(None, 0.01)
    assert "iris: this model is the champion already, version 1" in capsys.readouterr().out
    assert champion() == "1"


def test_a_worse_model_is_refused_and_a_better_one_is_promoted(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained_with("train.max_iterations=3")
    promotion.promote(None, 0)
    weak = load(paths.ROOT / paths.MODEL)
    first = registry.champion("iris", SETTINGS)
    assert first is not None
    trained_with()
    promotion.promote(None, 0)
    out = capsys.readouterr().out
    assert "iris: version 2 is the champion now" in out
    rows = stored.load_table(paths.ROOT / paths.TEST_ROWS)
    for fitted in (weak, load(paths.ROOT / paths.MODEL)):
        P = fitted.decide(rows.iloc[:, :-1])[1]
        loss = log_losses(P, np.searchsorted(fitted.classes_, rows.iloc[:, -1])).mean()
        assert f"{loss:.4f}" in out
    with pytest.raises(
        promotion.RefusedError, match=r"the champion stays version 2.*may be larger.*--margin (\d\.\d+)"
    ) as caught:
        promotion.promote(first.run_id, 0.01)
    assert champion() == "2"
    promotion.promote(first.run_id, float(str(caught.value).split("--margin ")[1].rstrip(".")))
    assert champion() == "1"  # its version of before


def test_with_tracking_promote_the_last_stage_promotes_and_goes_on_when_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained_with("tracking.promote=0.01")
    assert champion() == "1"
    trained_with("tracking.promote=0.01", "train.max_iterations=3")
    assert "the champion stays version 1" in capsys.readouterr().out
    assert champion() == "1"
    assert (paths.ROOT / paths.RECEIPT).exists()


def test_the_interval_of_the_difference_is_that_of_the_paired_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    old = rng.exponential(size=400)
    new = old + rng.normal(0.01, 0.1, 400)
    found = promotion.Difference([new, old], [np.ones(400), np.ones(400)], None)
    error = (new - old).std(ddof=1) / 20
    assert found.mean == pytest.approx((new - old).mean())
    np.testing.assert_allclose(found.interval, found.mean + np.array([-1.96, 1.96]) * error, atol=0.15 * error)


def test_rows_of_weight_zero_do_not_count() -> None:
    losses = [np.array([0.1, 0.2, 9.0]), np.array([0.3, 0.3, 0.1])]
    found = promotion.Difference(losses, losses, np.array([1.0, 1.0, 0.0]))
    assert found.mean == pytest.approx(-0.15)
    assert found.interval == pytest.approx((-0.2, -0.1))


def test_what_is_not_there_is_one_message(project: Path) -> None:
    with pytest.raises(UserError, match=r"is not in MLflow yet. `python -m pipeline track` logs it"):
        promotion.promote(None, 0.01)
    run_stage("track")
    with pytest.raises(UserError, match=r"there is no run nope. Name models:/"):
        promotion.promote("nope", 0.01)
    with pytest.raises(UserError, match=r"iris has no champion yet. `python -m pipeline promote` makes one"):
        registry.serve(SETTINGS, "iris", "127.0.0.1", 5001)
    with pytest.raises(UserError, match="--margin -1 should be 0 or more"):
        promotion.promote(None, -1)


def test_a_model_of_another_table_is_not_compared(tmp_path: Path) -> None:
    trained, table = train_on(write_table(tmp_path / "table.csv"))
    fitted = trained.model
    with pytest.raises(UserError, match="the new model is of another table: it needs 'age', 'income'"):
        promotion.difference(fitted, fitted, pd.DataFrame({"width": [1.0], "y": ["yes"]}))
    with pytest.raises(UserError, match="does not know the class 'perhaps'"):
        promotion.difference(fitted, fitted, table.assign(y="perhaps"))

"""The tutorial runs from top to bottom, its page is what it gives, and its numbers are those of the pipeline."""

import re
import runpy
import warnings

import numpy as np
import pytest
from conftest import ROOT, compose, copy_conf

from pipeline import config
from pipeline.columns import dataset, splitting
from pipeline.config.sections import Params
from pipeline.evaluation import result
from pipeline.logistic import LogisticRegression
from pipeline.training import fit, learnt, sweep

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> tuple[str, dict]:
    made = runpy.run_path(str(ROOT / "docs" / "render.py"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return made["render"](made["SOURCE"], tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def params(tmp_path_factory) -> Params:
    folder = tmp_path_factory.mktemp("defaults")
    copy_conf(folder)
    compose(folder=folder)
    file = folder / config.PARAMS
    return config.validate(config.load(file), str(file))


def scores_of(section) -> tuple[fit.Training, dict, dict]:
    """A run of the pipeline with its scores before and after training, on the test rows."""
    loaded = dataset.load(section.data)
    parts = dataset.split(loaded, section.split, section.data)
    trained = fit.train(parts.train, section.train, loaded.cell_format)
    start, model = (result.judge(model, parts.test).metrics for model in (trained.start, trained.model))
    return trained, start, model


def reported(page: str, name: str) -> list[float]:
    """Accuracies and log-losses that the page prints under a name."""
    found = re.findall(rf"(?m)^{name}: accuracy ([\d.]+), log-loss ([\d.]+)$", page)
    return [float(number) for pair in found for number in pair]


def test_the_page_is_what_its_source_gives(rendered):
    assert (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8") == rendered[0], "run: make tutorial"


def test_every_step_has_a_question_and_the_place_of_the_real_one(rendered):
    steps = re.split(r"(?m)^## \d+\. ", rendered[0])[1:]
    assert len(steps) == 15
    for step in steps:
        assert "```python" in step and "**Think:**" in step and "**In the pipeline:**" in step


def test_its_scores_are_those_of_the_default_run(rendered, params):
    page, variables = rendered
    trained, *main = scores_of(params)
    _, *many = scores_of(params.one_vs_rest)
    for name, kind in (("random weights", 0), ("trained weights", 1)):
        expected = [scores[kind][score] for scores in (main, many) for score in ("accuracy", "log_loss")]
        assert reported(page, name) == pytest.approx(expected, abs=5e-5)
    assert trained.fitted.n_iter_ == variables["stop"]
    np.testing.assert_allclose(trained.fitted.coef_[0], variables["w"], atol=1e-4)
    costs = learnt.costs(trained)["cost"]
    np.testing.assert_allclose(costs, variables["costs"][: len(costs)], rtol=1e-6)  # they are written with seven digits


def test_its_newton_finds_the_weights_of_the_pipelines(rendered):
    X, y, v = (rendered[1][name] for name in ("X", "y", "v"))
    fitted = LogisticRegression(l2=0.01, optimizer="newton", tol=1e-6).fit(X, y)
    np.testing.assert_allclose([*fitted.coef_[0], fitted.intercept_[0]], v, atol=1e-5)


def test_its_cross_validation_is_that_of_the_sweep(rendered, params):
    loaded = dataset.load(params.data)
    table = dataset.split(loaded, params.split, params.data).train
    train = params.train.model_copy(update={"optimizer": "newton"})
    printed = re.findall(r"(?m)^lambda ([\d.]+) *: log-loss of held-out rows ([\d.]+)$", rendered[0])
    grid = [config.Combination(float(strength), "auto") for strength, _ in printed]
    folds = splitting.folds(table.iloc[:, -1], params.sweep.folds, params.sweep.seed)
    found = sweep.score_grid(table, train, params.sweep, grid, folds).combinations
    assert len(printed) == 6
    np.testing.assert_allclose(found["log_loss"], [float(loss) for _, loss in printed], atol=5e-5)

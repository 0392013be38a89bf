import numpy as np
import pytest
from conftest import train_params
from sklearn import metrics

from pipeline.columns import dataset
from pipeline.evaluation import result
from pipeline.reading import CellFormat
from pipeline.scores import curves, scores
from pipeline.training import fit, learnt

PARAMS = train_params(**{"lambda": 0.1}, optimizer="newton", learning_rate="auto", max_iterations=50)


@pytest.fixture(scope="module", params=["breast_cancer", "wine"])
def evaluated(request):
    table = dataset.bundled(request.param)
    trained = fit.train(table.iloc[::2], PARAMS, CellFormat())
    return trained, table.iloc[1::2], result.judge(trained.model, table.iloc[1::2])


def test_scores_are_those_of_the_predictions(evaluated):
    trained, rows, found = evaluated
    y, predictions = rows["target"].to_numpy(dtype=str), found.predictions
    probabilities = trained.model.probabilities(rows.iloc[:, :-1])
    np.testing.assert_allclose(predictions.iloc[:, 2:], probabilities)
    scored = found.metrics
    assert scored["accuracy"] == (predictions["predicted"] == y).mean()
    assert scored["log_loss"] == pytest.approx(metrics.log_loss(y, probabilities))
    hits = np.equal(y[:, None], trained.model.classes_)
    squares = ((probabilities - hits) ** 2).sum(axis=1).mean()
    assert scored["brier_score"] == pytest.approx(squares / (2 if hits.shape[1] == 2 else 1))
    recalls = [(predictions["predicted"] == label)[y == label].mean() for label in trained.model.classes_]
    assert scored["recall_macro"] == pytest.approx(np.mean(recalls))


def test_average_precision_alone_of_all_scores_depends_on_the_positive_class():
    table = dataset.bundled("breast_cancer")
    scored = []
    for positive in ("malignant", "benign"):
        params = PARAMS.model_copy(update={"positive": positive})
        fitted = fit.train(table.iloc[::2], params, CellFormat())
        scored.append(result.judge(fitted.model, table.iloc[1::2]).metrics)
        assert set(learnt.weights(fitted)["class"]) == {positive}
    changed = {name for name in scored[0] if scored[0][name] != pytest.approx(scored[1][name])}
    assert changed == {"average_precision"}


def test_the_report_is_that_of_scikit_learn(evaluated):
    _, rows, found = evaluated
    y = rows["target"].to_numpy(dtype=str)
    assert found.report == metrics.classification_report(y, found.predictions["predicted"].to_numpy(dtype=str))


def test_the_area_under_the_roc_curve_is_the_score(evaluated):
    trained, _, found = evaluated
    roc = curves.curves(found.predictions, trained.model.positive_class)["roc"]
    areas = [np.trapezoid(rows["true_positive_rate"], rows["false_positive_rate"]) for _, rows in roc.groupby("class")]
    assert np.mean(areas) == pytest.approx(found.metrics["roc_auc"])


def test_confusion_counts_every_row_once(evaluated):
    _, rows, found = evaluated
    matrix = scores.confusion(found.predictions)
    assert matrix.to_numpy().sum() == len(rows)
    assert np.trace(matrix) / len(rows) == found.metrics["accuracy"]
    assert matrix.sum(axis="columns").to_dict() == rows["target"].value_counts().to_dict()


def test_training_beats_the_random_start(evaluated):
    trained, rows, found = evaluated
    start = result.judge(trained.start, rows)
    assert found.metrics["log_loss"] < start.metrics["log_loss"]
    assert found.metrics["accuracy"] > start.metrics["accuracy"]

import numpy as np
import pytest
from conftest import train_params
from sklearn import metrics

from pipeline.stages import evaluate, train
from pipeline.stages.load import bundled

PARAMS = train_params(**{"lambda": 0.1}, optimizer="newton", learning_rate="auto", max_iterations=50)


@pytest.fixture(scope="module", params=["breast_cancer", "wine"])
def evaluated(request):
    table = bundled(request.param)
    training = train.train(table.iloc[::2], PARAMS)
    return training, table.iloc[1::2], evaluate.evaluate(training.model, table.iloc[1::2])


def test_scores_are_those_of_the_predictions(evaluated):
    training, rows, evaluation = evaluated
    y, predictions = rows["target"].to_numpy(dtype=str), evaluation.predictions
    probabilities = training.model.predict_proba(rows.iloc[:, :-1])
    np.testing.assert_allclose(predictions.iloc[:, 2:], probabilities)
    scores = evaluation.metrics
    assert scores["accuracy"] == (predictions["predicted"] == y).mean()
    assert scores["log_loss"] == pytest.approx(metrics.log_loss(y, probabilities))
    hits = np.equal(y[:, None], training.model.classes_)
    squares = ((probabilities - hits) ** 2).sum(axis=1).mean()
    assert scores["brier_score"] == pytest.approx(squares / (2 if hits.shape[1] == 2 else 1))
    recalls = [(predictions["predicted"] == label)[y == label].mean() for label in training.model.classes_]
    assert scores["recall_macro"] == pytest.approx(np.mean(recalls))


def test_the_positive_class_turns_the_weights_and_changes_no_score_of_both_classes():
    table = bundled("breast_cancer")
    scored = []
    for positive in ("malignant", "benign"):
        trained = train.train(table.iloc[::2], PARAMS.model_copy(update={"positive": positive})).model
        scored.append(evaluate.evaluate(trained, table.iloc[1::2]).metrics)
        assert set(train.weights(trained)["class"]) == {positive}
    changed = {name for name in scored[0] if scored[0][name] != pytest.approx(scored[1][name])}
    assert changed == {"average_precision"}


def test_the_report_is_that_of_scikit_learn(evaluated):
    _, rows, evaluation = evaluated
    y = rows["target"].to_numpy(dtype=str)
    assert evaluation.report == metrics.classification_report(
        y, evaluation.predictions["predicted"].to_numpy(dtype=str)
    )


def test_the_area_under_the_roc_curve_is_the_score(evaluated):
    _, _, evaluation = evaluated
    roc = evaluate.curves(evaluation.predictions)["roc"]
    areas = [np.trapezoid(rows["true_positive_rate"], rows["false_positive_rate"]) for _, rows in roc.groupby("class")]
    assert np.mean(areas) == pytest.approx(evaluation.metrics["roc_auc"])


def test_confusion_counts_every_row_once(evaluated):
    _, rows, evaluation = evaluated
    matrix = evaluate.confusion(evaluation.predictions)
    assert matrix.to_numpy().sum() == len(rows)
    assert np.trace(matrix) / len(rows) == evaluation.metrics["accuracy"]
    assert matrix.sum(axis="columns").to_dict() == rows["target"].value_counts().to_dict()


def test_training_beats_the_random_start(evaluated):
    training, rows, evaluation = evaluated
    start = evaluate.evaluate(training.start, rows)
    assert evaluation.metrics["log_loss"] < start.metrics["log_loss"]
    assert evaluation.metrics["accuracy"] > start.metrics["accuracy"]

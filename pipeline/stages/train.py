"""Train logistic regression, by default by gradient descent from seeded random weights."""

from pathlib import Path

from pipeline import config, decision, outputs, selection, training
from pipeline.columns.target import features_and_target
from pipeline.errors import reported_warnings
from pipeline.reading import CellFormat


def main(root: Path) -> None:
    table = outputs.StoredTable(outputs.ROOT / outputs.TRAINING_ROWS)
    cell_format = CellFormat(**outputs.load_json(outputs.ROOT / outputs.CELL_FORMAT))
    asked, key = config.read("train"), outputs.load_key(outputs.ROOT)
    weight = outputs.load_weights(outputs.ROOT / outputs.TRAINING_WEIGHTS)
    settings = config.read("decision")
    clusters = training.cluster_codes(key, asked.standard_errors)
    training.check_weights(weight, features_and_target(table)[1])
    with reported_warnings() as warned:
        params, candidates = selection.resolved(table, asked, key, weight)
        trained = training.train(table, params, cell_format, weight)
        in_folds = params.model_copy(update={"interactions": asked.interactions})
        thresholds = decision.decide(trained.model, table, in_folds, settings, cell_format, key, weight)
    training.write(trained, root, warned, clusters)
    if candidates is not None:
        outputs.save_csv(candidates, root / outputs.CANDIDATES)
        pairs = "; ".join(f"{first} x {second}" for first, second in params.pairs)
        print(f"chosen: features {params.features}, lambda {params.l2:g}, pairs {pairs or 'none'}")
    if thresholds is not None:
        outputs.save_csv(thresholds, root / outputs.THRESHOLDS)
        print(f"decision: {trained.model.positive_class} from a probability of {trained.model.threshold:g} on")
    if trained.model.calibration is not None:
        print(f"probabilities: corrected ({'isotonic' if 'x' in trained.model.calibration else 'temperature'})")
    for label, column in training.summary(trained).items():
        print(f"{label}: {column['iterations']} iterations, cost {column['last_cost']:.6f}; {column['stopped']}")

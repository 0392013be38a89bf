"""Train logistic regression, by default by gradient descent from seeded random weights."""

from pathlib import Path

from pipeline import config
from pipeline.columns import roles
from pipeline.columns.target import features_and_target
from pipeline.errors import reported_warnings
from pipeline.files import formats, paths, stored
from pipeline.reading import CellFormat
from pipeline.training import decision, fit, intervals, learnt, selection
from pipeline.training.fit import Hear

COMPUTE, HEARD = "fits", True


def main(root: Path, hear: Hear | None = None) -> None:
    """`hear` is called with the iteration and the cost of the model that is trained on all rows."""
    table = stored.StoredTable(paths.ROOT / paths.TRAINING_ROWS)
    cell_format = CellFormat(**formats.load_json(paths.ROOT / paths.CELL_FORMAT))
    tokens = roles.tokens(formats.load_columns(paths.ROOT / paths.COLUMNS))
    asked, key = config.read("train").of_tokens(tokens), stored.load_key(paths.ROOT / paths.KEY)
    weight = stored.load_weights(paths.ROOT / paths.TRAINING_WEIGHTS)
    settings = config.read("decision")
    clusters = intervals.cluster_codes(key, asked.standard_errors)
    fit.check_weights(weight, features_and_target(table)[1])
    with reported_warnings() as warned:
        params, candidates = selection.resolved(table, asked, key, weight)
        trained = fit.train(table, params, cell_format, weight, hear)
        if candidates is not None:
            trained.model.made_of["choices"] = [selection.sentence(params, candidates)]
        thresholds = decision.decide(trained.model, table, asked, settings, key, weight, params)
    learnt.write(trained, root, warned, clusters)
    if candidates is not None:
        formats.save_csv(candidates, root / paths.CANDIDATES)
    for line in trained.model.made_of.get("choices", []):
        print(line)
    if thresholds is not None:
        formats.save_csv(thresholds, root / paths.THRESHOLDS)
        print(f"decision: {trained.model.positive_class} from a probability of {trained.model.threshold:g} on")
    if trained.model.calibration is not None:
        print(f"probabilities: corrected ({'isotonic' if 'x' in trained.model.calibration else 'temperature'})")
    for label, column in learnt.summary(trained).items():
        print(f"{label}: {column['iterations']} iterations, cost {column['last_cost']:.6f}; {column['stopped']}")

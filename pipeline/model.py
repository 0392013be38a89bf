"""What is saved, loaded and served: encoding, scaling and logistic regression as one scikit-learn `Pipeline`.

It takes a person's raw columns, since all that is done to them is part of it. It is stored with skops: arrays and a
description of the objects, no pickle; loading runs no code from the file, and refuses any type that is not in
`TRUSTED`, a list that lives here and not in the file. Source: https://skops.readthedocs.io/en/stable/persistence.html
"""

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.config import Train
from pipeline.logistic import LogisticRegression
from pipeline.tables import features
from pipeline.tables.options import Cells

TRUSTED = ["pipeline.logistic.estimator.LogisticRegression", *features.TRUSTED]
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip file can hold


def build(params: Train, X: pd.DataFrame) -> Pipeline:
    """An unfitted model for raw columns like those of `X`, which starts from seeded random weights."""
    classify = LogisticRegression(
        l2=params.l2,
        learning_rate=params.learning_rate,
        optimizer=params.optimizer,
        max_iter=params.max_iterations,
        tol=params.tolerance,
        class_weight=params.class_weight,
        init="random",
        random_state=params.seed,
    )
    prepare = features.preprocessing(
        X, max_levels=params.max_levels, min_rows=params.min_rows, reference=params.l2 == 0
    )
    return Pipeline([*prepare.steps, ("classify", classify)])


def save(model: Pipeline, path: Path) -> None:
    """Write `model`, the same bytes for the same model.

    skops names objects by their address in memory and dates the members of its archive; here they are numbered in
    order of appearance, and dated alike.
    """
    import skops.io  # half a second, which a stage that only names the file need not pay

    archive = zipfile.ZipFile(io.BytesIO(skops.io.dumps(model)))
    schema = archive.read("schema.json").decode()
    numbers = {old: str(n) for n, old in enumerate(dict.fromkeys(re.findall(r'"__id__": (\d+)', schema)))}
    schema = re.sub(r'"__id__": (\d+)', lambda found: f'"__id__": {numbers[found[1]]}', schema)
    files = [name for name in archive.namelist() if name != "schema.json"]
    renamed = {name: re.sub(r"^\d+", lambda found: numbers[found[0]], name) for name in files}
    for old, new in renamed.items():
        schema = schema.replace(f'"{old}"', f'"{new}"')
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for old, new in sorted(renamed.items(), key=lambda pair: pair[1]):
            out.writestr(zipfile.ZipInfo(new, EPOCH), archive.read(old))
        out.writestr(zipfile.ZipInfo("schema.json", EPOCH), schema)


def load(path: Path) -> Pipeline:
    import skops.io

    return skops.io.load(path, trusted=TRUSTED)


class Served:
    """The model behind MLflow's `predict`: the classes, or with `params={"probabilities": True}` a column a class."""

    def __init__(self, model: Pipeline, written: Cells) -> None:
        self.model, self.written = model, written

    def predict(self, table: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
        table, classes = features.conform(table, self.model, self.written), self.model.classes_
        if (params or {}).get("probabilities"):
            found = self.model.predict_proba(table) if len(table) else np.empty((0, len(classes)))
            return pd.DataFrame(found, columns=[str(label) for label in classes])
        return self.model.predict(table) if len(table) else classes[:0]


def _load_pyfunc(path: str, written: dict[str, Any]) -> Served:
    """What `mlflow.pyfunc.load_model` calls; `written` is `model_config`: how the training table's cells are written.

    Source: https://mlflow.org/docs/latest/api_reference/python_api/mlflow.pyfunc.html
    """
    return Served(load(Path(path)), Cells(**written))

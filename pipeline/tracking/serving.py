"""The model as MLflow loads and serves it: raw rows in, classes or probabilities out.

This file is shipped with the model. Source: https://mlflow.org/docs/latest/api_reference/python_api/mlflow.pyfunc.html
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST

from pipeline import model
from pipeline.errors import UserError


class PyfuncModel:
    def __init__(self, fitted: model.Model) -> None:
        self.model = fitted

    def predict(self, table: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
        """The classes, or with `params={"probabilities": True}` one column per class.

        Errors: `MlflowException`, which a server answers with status 400, for a cell that can't be read.
        """
        try:
            return self.model.predict(table, params)
        except UserError as error:
            raise MlflowException(str(error), BAD_REQUEST) from None


def _load_pyfunc(path: str) -> PyfuncModel:
    """What `mlflow.pyfunc.load_model` calls."""
    return PyfuncModel(model.load(Path(path)))

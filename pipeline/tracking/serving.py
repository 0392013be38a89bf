"""The model as MLflow loads and serves it: raw rows in, classes or probabilities out. Shipped with the model.

The signature of the model declares the type of each column: double, string or datetime, each optional. MLflow (3.17)
would convert what it gets to these types before the model sees it, and would

- refuse every text/csv that has a date column: `pandas.read_csv` takes no dtype datetime64,
- guess whether day or month comes first in a date of a JSON request, whatever the training table's format is,
- refuse what the training table may hold: its own missing values (`?`), a decimal comma,
- refuse a data frame of integers for a double column, and of strings for any other type than string,
- name no column in its error for a bad number in text/csv.

So the signature stays the declaration that a user and a model registry read, and MLflow converts nothing: the model
reads the cells itself, as it read those of the training table, with its own errors. In text/csv a category of digits
arrives as a number; the model knows its spelling.

MLflow has no setting for that (https://github.com/mlflow/mlflow/issues/12990 and 5144): its server and each `predict`
ask `Model.get_input_schema`, which is replaced here, at the end of this file, for models that this file loads.

Source: https://mlflow.org/docs/latest/ml/model/signatures, mlflow/pyfunc/scoring_server/__init__.py
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from mlflow.pyfunc import FLAVOR_NAME, MAIN
from mlflow.types import Schema

from pipeline import model
from pipeline.errors import CellError, UserError


class Served:
    """The model with the errors that a server answers with status 400."""

    def __init__(self, fitted: model.Model) -> None:
        self.model = fitted

    def predict(self, rows: Any, params: dict[str, Any] | None = None) -> Any:
        """The classes, or with `params={"probabilities": True}` one column per class.

        rows is a data frame, or whatever makes one. Errors: `MlflowException` for cells or columns that can't be read.
        """
        try:
            return self.model.predict(_frame(rows), params)
        except CellError as error:
            raise MlflowException(f"{error.problem}. Correct it, or send the cell empty.", BAD_REQUEST) from None
        except UserError as error:
            raise MlflowException(str(error), BAD_REQUEST) from None


def _frame(rows: Any) -> pd.DataFrame:
    try:
        return pd.DataFrame(rows)
    except (ValueError, TypeError) as error:
        raise UserError(f"the rows are not a table: {error}") from None


def _load_pyfunc(path: str) -> Served:
    """What `mlflow.pyfunc.load_model` calls."""
    return Served(model.load(Path(path)))


_declared = Model.get_input_schema


def _schema_to_convert_to(self: Model) -> Schema | None:
    """What MLflow converts the input of a model to: nothing for a model that this module loads."""
    return None if self.flavors.get(FLAVOR_NAME, {}).get(MAIN) == __name__ else _declared(self)


Model.get_input_schema = _schema_to_convert_to  # type: ignore[method-assign]

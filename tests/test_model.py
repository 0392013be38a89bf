import re
import zipfile
from dataclasses import asdict

import mlflow
import numpy as np
import pandas as pd
import pytest
import skops.io
from conftest import train_params
from sklearn.datasets import load_iris
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from skops.io.exceptions import UntrustedTypesFoundException

from pipeline import model
from pipeline.reading.options import CellFormat

TRAIN = train_params(**{"lambda": 0.1}, optimizer="newton", learning_rate="auto", max_iterations=50)


@pytest.fixture(scope="module")
def iris() -> tuple[pd.DataFrame, np.ndarray]:
    bunch = load_iris(as_frame=True)
    return bunch.data, bunch.target_names[bunch.target].astype(str)


@pytest.fixture(scope="module")
def fitted(iris):
    return model.build(TRAIN, iris[0]).fit(*iris)


def test_a_saved_model_predicts_the_same_after_loading(tmp_path, iris, fitted):
    model.save(fitted, tmp_path / "model.skops")
    loaded = model.load(tmp_path / "model.skops")
    np.testing.assert_array_equal(loaded.predict_proba(iris[0]), fitted.predict_proba(iris[0]))
    np.testing.assert_array_equal(loaded.predict(iris[0]), fitted.predict(iris[0]))


def test_the_same_model_is_saved_as_the_same_bytes(tmp_path, iris):
    for name in ("one", "two"):
        model.save(model.build(TRAIN, iris[0]).fit(*iris), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_saved_model_holds_no_pickle(tmp_path, fitted):
    model.save(fitted, tmp_path / "model.skops")
    with zipfile.ZipFile(tmp_path / "model.skops") as archive:
        assert {re.sub(r".*\.", "", name) for name in archive.namelist()} <= {"npy", "json"}


def test_a_file_with_a_type_that_is_not_trusted_is_refused(tmp_path, iris):
    class Unknown(SGDClassifier):
        pass

    Unknown.__module__, Unknown.__qualname__ = "somewhere.else", "Unknown"
    skops.io.dump(make_pipeline(Unknown().fit(*iris)), tmp_path / "model.skops")
    with pytest.raises(UntrustedTypesFoundException, match=r"somewhere\.else\.Unknown"):
        model.load(tmp_path / "model.skops")


def test_mlflow_serves_classes_and_on_request_probabilities(tmp_path, iris, fitted, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    model.save(fitted, tmp_path / "model.skops")
    mlflow.pyfunc.save_model(
        tmp_path / "served",
        loader_module="pipeline.model",
        data_path=tmp_path / "model.skops",
        model_config=asdict(CellFormat()),
        signature=mlflow.models.infer_signature(iris[0], iris[1], {"probabilities": False}),
        pip_requirements=[],
    )
    served = mlflow.pyfunc.load_model(str(tmp_path / "served"))
    np.testing.assert_array_equal(served.predict(iris[0]), fitted.predict(iris[0]))
    probabilities = served.predict(iris[0], params={"probabilities": True})
    assert list(probabilities.columns) == ["setosa", "versicolor", "virginica"]
    np.testing.assert_array_equal(probabilities, fitted.predict_proba(iris[0]))


def test_mlflow_serves_raw_rows_of_words_numbers_and_gaps(tmp_path):
    table = pd.DataFrame({"size": [1.0, 2.0, np.nan, 4.0] * 20, "colour": ["red", "blue", None, "blue"] * 20})
    table = table.astype({"colour": "str"})
    y = np.array(["small", "large", "small", "large"] * 20)
    model.save(model.build(TRAIN, table).fit(table, y), tmp_path / "model.skops")
    served = model.Served(model.load(tmp_path / "model.skops"), CellFormat())
    raw = pd.DataFrame({"colour": [" red", "purple", None], "size": [1, 3, "?"], "more": [0, 0, 0]})
    clean = pd.DataFrame({"size": [1.0, 3.0, np.nan], "colour": pd.Series(["red", "purple", None], dtype="str")})
    np.testing.assert_array_equal(served.predict(raw), served.model.predict(clean))
    for rows in (raw[:0], clean[:0]):
        assert served.predict(rows).tolist() == []
        assert served.predict(rows, {"probabilities": True}).columns.tolist() == ["large", "small"]

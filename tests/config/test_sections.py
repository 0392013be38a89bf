import pytest

from pipeline import config
from pipeline.errors import UserError

TRAIN = """
train:
  lambda: 1e-3
  class_weight: null
  positive: null
  min_rows: 10
  offset: null
  features: linear
  smoothness: 10
  l1_ratio: 0
  multiclass: one_vs_rest
  interactions: []
  pair_strength: 1
  monotone: {}
  words: 20000
  words_penalty: 1
  word_pairs: false
  tolerance: 1.0e-06
  seed: 0
  optimizer: newton
  learning_rate: auto
  max_iterations: 100
  penalty: ridge
  standard_errors: information
"""


@pytest.fixture
def params(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TRAIN)
    return path


def test_numbers_in_scientific_notation_are_numbers(params):
    assert config.read("train", params).l2 == 0.001


def test_a_number_may_be_the_name_of_a_class(params):
    params.write_text(TRAIN.replace("positive: null", "positive: 1"))
    assert config.read("train", params).positive == "1"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1e-3", "-1", "train.lambda = -1: should be greater than or equal to 0"),
        ("1e-3", ".nan", "train.lambda = nan: should be a finite number"),
        ("1e-3", "'0.1'", "train.lambda = '0.1': should be a valid number"),
        ("auto", "0", "train.learning_rate = 0: should be greater than 0, or should be 'auto'"),
        ("newton", "adam", "train.optimizer = 'adam': should be 'gradient_descent'"),
        ("100", "0", "train.max_iterations = 0: should be greater than or equal to 1"),
        ("100", "10.5", "train.max_iterations = 10.5: should be a valid integer"),
        ("positive: null", "positive: true", "train.positive = True: should be a string; put it in quotes"),
        ("100", "true", "train.max_iterations = True: should be a valid integer"),
        ("seed: 0", "sede: 0", "no such key: sede = 0; the keys here are lambda, l1_ratio, features"),
        ("seed: 0", "seed: ???", "train.seed: has no value"),
        ("auto", "auto\n ] bad", "is not YAML"),
        ("train:", "training:", "has no section 'train'"),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_what_is_allowed(params, old, new, message):
    params.write_text(TRAIN.replace(old, new, 1))
    with pytest.raises(UserError) as caught:
        config.read("train", params)
    assert message in str(caught.value)


def test_a_missing_file_says_what_makes_it(tmp_path):
    with pytest.raises(UserError, match="`dvc repro` composes it"):
        config.read("train", tmp_path / "params.yaml")


def test_flatten_joins_keys_with_dots():
    assert config.flatten({"a": {"b": 1, "c": {"d": 2}}, "e": {}}) == {"a.b": 1, "a.c.d": 2, "e": {}}


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("data/my.csv", "my"),
        ("/home/me/data/my.csv.gz", "my"),
        ("data/MY.CSV", "MY"),
        ("data/.my.parquet", "my"),
        ("data/my", "my"),
        ("data/sales.2023.csv", "sales.2023"),
        ("data/sales.2024.csv", "sales.2024"),
        ("data/sales.2024", "sales.2024"),
        ("data/sales.train.csv.zst", "sales.train"),
        ("data/2024/sales.csv", "2024-sales"),
        ("data/2023/sales.csv", "2023-sales"),
        ("data/iris.csv", "iris.csv"),
        ("../digits.csv.gz", "digits.csv.gz"),
    ],
)
def test_a_table_is_called_as_its_file_without_the_format_and_never_as_another_table(path, title):
    table = dict.fromkeys(config.TableData.model_fields)
    assert config.TableData.model_construct(**{**table, "path": path}).title == title


def test_the_extension_takes_only_a_bundled_set_and_names_the_place_of_a_table_of_many_classes():
    data = {"name": "table", "path": "data/my.csv", "target": "y"}
    with pytest.raises(UserError, match=r"one_vs_rest.data: should be a bundled set; a table .* is for data=table"):
        config.section_of({"one_vs_rest": {"data": data}}, "one_vs_rest", "conf/")


def test_numbers_beside_strings_as_keys_are_refused_since_dvc_cannot_put_them_in_order(params):
    params.write_text("data: {roles: {1: drop, PLZ: drop}}")
    with pytest.raises(UserError, match=r"has the number 1 as a key beside strings: 1, PLZ. Put it in quotes"):
        config.load(params)


@pytest.mark.parametrize(
    "uri",
    [
        "http://user:s3cr3t@server",
        "https://s3cr3t@server",
        "postgresql://user:s3cr3t@server/db",
        "mysql://server/db?password=s3cr3t",
    ],
)
def test_a_password_in_the_address_of_the_store_is_refused_and_not_printed(tmp_path, uri):
    path = tmp_path / "params.yaml"
    path.write_text(f"tracking: {{uri: '{uri}', points: 10, promote: null, live: false}}")
    with pytest.raises(UserError) as caught:
        config.read("tracking", path)
    assert "tracking.uri: has a password" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)

"""A person's own file, from the configuration that they would write to the table that the other stages see."""

import json
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from pipeline import config, model, outputs, tracking
from pipeline.errors import UserError
from pipeline.stages import configure, evaluate, load, split, track, train

ROOT = Path(__file__).parents[2]
ADULT = "age,workclass,fnlwgt,education,education-num,marital-status,occupation,relationship,race,sex,capital-gain"
NAMES = [*ADULT.split(","), "capital-loss", "hours-per-week", "native-country", "income"]


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A folder with conf/ and data/, in which the stages run."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compose(*overrides: str) -> None:
    config.PARAMS.write_text(configure.compose(["data=table", *overrides]))
    config.validate(config.load(), "conf/")


def loaded(content: str, *overrides: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    Path("data/my.csv").write_text(content)
    compose("data.path=data/my.csv", "data.target=y", *overrides)
    return load.load(config.read("data"))[:2]


ROWS = "\n".join(f"{i},{i % 7}.5,{'ab'[i % 2]},{'yes' if i % 3 else 'no'}" for i in range(30))
TABLE = f"id,height,group,y\n{ROWS}\n"


def run(*stages) -> None:
    for stage in stages:
        stage.main()


@pytest.mark.parametrize(
    ("file", "target", "classes"), [("penguins.csv", "species", 3), ("horse-colic.csv", "column_24", 2)]
)
def test_a_real_file_goes_from_the_command_to_scores_above_chance(file, target, classes):
    shutil.copy(ROOT / "tests" / "data" / file, "data")
    compose(f"data.path=data/{file}", f"data.target={target}")
    run(load, split, train, evaluate)
    scored = json.loads((outputs.ROOT / outputs.METRICS).read_text())
    assert scored["test"]["f1_macro"] > (0.95 if classes == 3 else 0.75)
    assert scored["test"]["log_loss"] < scored["baseline"]["log_loss"] / 2
    report = pd.read_csv(outputs.ROOT / outputs.COLUMNS).set_index("column")
    assert report.loc[target, "role"] == "target"
    assert report["reason"].notna().all()
    assert len(json.loads((outputs.ROOT / outputs.PROFILE).read_text())["classes"]) == classes


def test_census_income_is_learnt_with_a_test_file_of_its_own():
    lines = (ROOT / "tests" / "data" / "adult-400.csv").read_text().splitlines()
    Path("data/adult.data").write_text("\n".join(lines[:300]) + "\n")
    Path("data/adult.test").write_text("|1x3 Cross validator\n" + "".join(f"{line}.\n" for line in lines[300:]))
    compose("data=census_income", "split=test_file", "split.path=data/adult.test")
    run(load, split, train, evaluate)
    assert len(pd.read_parquet(outputs.ROOT / outputs.TRAINING_ROWS)) == 300
    assert len(pd.read_parquet(outputs.ROOT / outputs.TEST_ROWS)) == 100
    assert json.loads((outputs.ROOT / outputs.METRICS).read_text())["test"]["accuracy"] > 0.75
    weights = pd.read_csv(outputs.ROOT / outputs.WEIGHTS).set_index("feature")["odds_ratio_per_unit"]
    assert weights["marital-status = Married-civ-spouse"] > 1 > weights["marital-status = Never-married"]
    assert "occupation is missing" in weights
    assert "left out what stands above the table" in (outputs.ROOT / outputs.SPLIT_SUMMARY).read_text()


def test_admissions_by_rank_have_the_published_coefficients_and_standard_errors():
    shutil.copy(ROOT / "tests" / "data" / "ucla_binary.csv", "data")
    rank = "+data.roles.rank=categorical"
    compose("data.path=data/ucla_binary.csv", "data.target=admit", rank, "train.lambda=0", "optimizer=newton")
    table, _, _ = load.load(config.read("data"))
    fitted = train.train(table[["gre", "gpa", "rank", "admit"]], config.read("train"))
    train.write(fitted, table, outputs.ROOT)
    found = pd.read_csv(outputs.ROOT / outputs.INFERENCE).set_index("feature")
    published = {
        "gre": (0.002264, 0.001094),
        "gpa": (0.804038, 0.331819),
        "rank = 2": (-0.675443, 0.316490),
        "rank = 3": (-1.340204, 0.345306),
        "rank = 4": (-1.551464, 0.417832),
    }
    for name, numbers in published.items():
        assert tuple(found.loc[name, ["coefficient", "standard_error"]]) == pytest.approx(numbers, abs=1e-6)


def test_the_same_file_gives_the_same_bytes():
    shutil.copy(ROOT / "tests" / "data" / "penguins.csv", "data")
    compose("data.path=data/penguins.csv", "data.target=species")
    found = []
    for _ in range(2):
        run(load, split, train)
        found.append({file: file.read_bytes() for file in sorted(outputs.ROOT.rglob("*")) if file.is_file()})
    assert found[0] == found[1]


def test_the_target_is_last_and_the_roles_tell_the_features_from_the_rest():
    table, roles = loaded(TABLE)
    assert table.columns[-1] == "y"
    assert roles.set_index("column")["role"].to_dict() == {
        "id": "identifier",
        "height": "numeric",
        "group": "categorical",
        "y": "target",
    }


def test_roles_columns_and_words_are_a_persons_to_change():
    table, roles = loaded(TABLE, "+data.roles.height=categorical", "data.drop=[id]", "+data.replace.group={a: first}")
    assert roles.set_index("column")["role"].to_dict()["height"] == "categorical"
    assert table["height"][0] == "0.5"
    assert "id" not in table
    assert set(table["group"]) == {"first", "b"}


def test_a_word_that_is_replaced_by_a_number_is_one_and_a_number_by_a_word_a_level():
    text = TABLE.replace(",0.5,", ",half,").replace(",a,", ",1,").replace(",b,", ",2,")
    table, _ = loaded(text, "+data.replace.height={half: 0.5}", "+data.replace.group={1: one, 2: two}")
    assert table["height"].tolist() == [i % 7 + 0.5 for i in range(30)]
    assert table["group"].tolist() == ["one", "two"] * 15


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["+data.roles.height=number"], r"data.roles.height = 'number': should be 'numeric', 'categorical'"),
        (["+data.roles.hight=numeric"], r"no column 'hight'. Did you mean 'height'"),
        (["data.target=yy"], r"no column 'yy'. Did you mean 'y'"),
        (["data.delimiter=';;'"], r"data.delimiter = ';;': should have at most 1 character"),
        (["+data.expectations.height.maximun=3"], r"no such key: maximun = 3; the keys here are type, minimum"),
        (["+data.expectations.height.maximum=3"], r"column 'height', maximum: 3.0: 16 rows not so \(row 4: 3.5"),
        (["+data.replace.hight={a: b}"], r"data.replace has no column 'hight'. Did you mean 'height'"),
        (["+data.roles.group=numeric"], r"row 1, column 'group': 'a' is no number \(30 such cells\)"),
        (["+data.roles.height=date"], r"row 1, column 'height': '0.5' is no date"),
        (["data.drop=[height,group,id]"], r"my.csv: There is no column but the target 'y'. Keep a feature"),
        (["data.drop=[y]"], r"data.drop has 'y', which data.target, roles or date_format needs. Remove one of the two"),
        (["data.drop=[group]", "+data.roles.group=drop"], r"data.drop has 'group'"),
        (["split=test_file"], r"split.path: has no value"),
    ],
)
def test_a_configuration_that_does_not_fit_the_table_is_one_message(overrides, message):
    with pytest.raises(UserError, match=message):
        loaded(TABLE, *overrides)


def test_what_misleads_is_told():
    leak = "\n".join(f"{line},{'won' if 'yes' in line else 'lost'}" for line in ROWS.splitlines())
    with pytest.warns(UserWarning, match=r"'outcome' alone tells 'y' almost perfectly \(balanced accuracy 1.000\)"):
        loaded(f"id,height,group,y,outcome\n{leak}\n")


def test_a_path_outside_data_works_with_a_warning(tmp_path):
    Path("elsewhere.csv").write_text(TABLE)
    compose("data.path=elsewhere.csv", "data.target=y")
    with pytest.warns(UserWarning, match=r"elsewhere.csv is not under data/: DVC will not notice"):
        load.load(config.read("data"))


def test_bad_input_leaves_earlier_outputs_alone():
    loaded(TABLE)
    run(load)
    before = {file: file.read_bytes() for file in sorted(outputs.ROOT.rglob("*")) if file.is_file()}
    Path("data/my.csv").write_text(TABLE + "1,2\n")
    with pytest.raises(UserError, match=r"line 32 has 2 cells instead of 4"):
        run(load)
    assert {file: file.read_bytes() for file in sorted(outputs.ROOT.rglob("*")) if file.is_file()} == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("yes", "maybe", r"my-test.csv has y = 'maybe'; data/my.csv has 'no', 'yes'"),
        ("2.5", "tall", r"my-test.csv, row 3, column 'height': 'tall' is no number \(4 such cells\)"),
        ("height", "length", r"my-test.csv has no column 'height'"),
        ("2.5", "9.5", r"my-test.csv breaks data.expectations:\n  column 'height', maximum: 7.0: 4 rows not so"),
    ],
)
def test_a_test_file_that_differs_is_one_message(old, new, message):
    Path("data/my-test.csv").write_text(TABLE.replace(old, new))
    loaded(TABLE, "split=test_file", "split.path=data/my-test.csv", "+data.expectations.height.maximum=7")
    with pytest.raises(UserError, match=message):
        split.split(load.load(config.read("data")), config.read("split"), config.read("data"))


def test_a_test_file_is_read_as_the_training_file_was():
    """Its own cells would not tell the order of day and month, nor the words that mean missing."""
    rows = "".join(f"{i % 27 + 1:02}/05/2023;{i % 9},5;{'yes' if i % 3 else 'no'}\n" for i in range(40))
    Path("data/my-test.csv").write_text("day;size;y\n01/05/2023;1;yes\n02/05/2023;-1;no\n03/05/2023;2;\n")
    loaded("day;size;y\n" + rows, "data.missing_values=['','-1']", "split=test_file", "split.path=data/my-test.csv")
    run(load)
    with pytest.warns(UserWarning, match=r"my-test.csv: 1 of 3 rows have no 'y'") as said:
        parts = split.split(load.read_back(outputs.ROOT), config.read("split"), config.read("data"))
    assert len(said) == 1
    assert parts.test["day"].dt.month.tolist() == [5, 5]
    np.testing.assert_array_equal(parts.test["size"], [1, np.nan])


def test_the_model_in_mlflow_reads_rows_as_the_training_file_was_read(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    Path("pipeline").symlink_to(ROOT / "pipeline")  # goes with the model
    cells = [
        (f"{i % 7},5" if i % 5 else "-99", f"{i % 27 + 1:02}/05/2023", "mf"[i % 2], "yn"[i % 3 > 0]) for i in range(60)
    ]
    Path("data/my.csv").write_text("size;day;sex;y\n" + "\n".join(map(";".join, cells)) + "\n")
    options = ["data.missing_values=['-99']", "+data.replace.sex={m: male}", "split.test_size=0.5"]
    compose("data.path=data/my.csv", "data.target=y", *options)
    run(load, split, train, evaluate)
    record = track.record(config.load(), config.read("data"), outputs.ROOT, track.FOLDERS)
    tracking.log([record], config.read("tracking"))
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (run_,) = client.search_runs([client.get_experiment_by_name("my").experiment_id])
    served = mlflow.pyfunc.load_model(f"runs:/{run_.info.run_id}/model")
    raw = pd.read_csv("data/my.csv", sep=";", dtype=str, keep_default_na=False)
    rows = load.load(config.read("data")).table
    found = served.predict(raw, params={"probabilities": True})
    mlflow.set_tracking_uri(None)
    np.testing.assert_array_equal(found, model.load(outputs.ROOT / outputs.MODEL).predict_proba(rows.iloc[:, :-1]))
    assert served.model_config["missing_values"] == ["-99"]


def test_columns_may_be_called_as_numbers_or_as_nothing_is():
    names = "NA,2024,null,y"
    Path("data/my.csv").write_text(TABLE.replace("id,height,group,y", names))
    compose("data.path=data/my.csv", "data.target=y", "data.header=true")
    run(load, split, train)
    assert "2024" in pd.read_csv(outputs.ROOT / outputs.WEIGHTS, dtype=str)["feature"].tolist()


def test_bundled_sets_are_tables_of_numbers():
    table = load.bundled("wine")
    assert set(table.dtypes.iloc[:-1]) == {np.dtype(float)}
    assert table["target"].nunique() == 3

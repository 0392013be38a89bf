"""The user's own file, from the configuration that they would write to the table and the rows that stages see."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, compose, contents, run_stages

from pipeline import config, model, reading
from pipeline.columns import dataset
from pipeline.columns.dataset import Loaded, Parts
from pipeline.columns.roles import decide
from pipeline.columns.target import without_class
from pipeline.config import FileSplit, GroupSplit, RandomSplit, TimeSplit
from pipeline.errors import UserError
from pipeline.files import formats, paths
from pipeline.overrides import override
from pipeline.reading import CellFormat, Options
from pipeline.training import fit, learnt

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_conf")]

ROWS = "\n".join(f"{i},{i % 7}.5,{'ab'[i % 2]},{'yes' if i % 3 else 'no'}" for i in range(30))
TABLE = f"id,height,group,y\n{ROWS}\n"


def configured(*overrides: str) -> Loaded:
    """The table of a configuration for the user's own file."""
    compose("data=table", *overrides)
    return dataset.load(config.read("data"))


def loaded(content: str, *overrides: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table and its report for a file of this content."""
    Path("data/my.csv").write_text(content, encoding="utf-8")
    return configured("data.path=data/my.csv", "data.target=y", *overrides)[:2]


def split_as_configured() -> Parts:
    return dataset.split(dataset.load(config.read("data")), config.read("split"), config.read("data"))


@pytest.mark.parametrize(
    ("file", "target", "classes"), [("penguins.csv", "species", 3), ("horse-colic.csv", "column_24", 2)]
)
def test_a_real_file_goes_from_the_command_to_scores_above_chance(file, target, classes):
    shutil.copy(ROOT / "tests" / "data" / file, "data")
    compose("data=table", f"data.path=data/{file}", f"data.target={target}", "evaluate.random_start=true")
    run_stages("load", "split", "train", "evaluate")
    scored = formats.load_json(paths.main_result().metrics)
    assert scored["test"]["f1_macro"] > (0.95 if classes == 3 else 0.75)
    assert scored["test"]["log_loss"] < scored["baseline"]["log_loss"] / 2
    report = pd.read_csv(paths.ROOT / paths.COLUMNS).set_index("column")
    assert report.loc[target, "role"] == "target"
    assert report["reason"].notna().all()
    assert len(formats.load_json(paths.ROOT / paths.PROFILE)["classes"]) == classes


def test_census_income_is_learnt_with_a_test_file_of_its_own():
    lines = (ROOT / "tests" / "data" / "adult-400.csv").read_text().splitlines()
    Path("data/adult.data").write_text("\n".join(lines[:300]) + "\n", encoding="utf-8")
    Path("data/adult.test").write_text(
        "|1x3 Cross validator\n" + "".join(f"{line}.\n" for line in lines[300:]), encoding="utf-8"
    )
    compose("data=census_income", "split=test_file", "split.path=data/adult.test")
    run_stages("load", "split", "train", "evaluate")
    assert len(pd.read_parquet(paths.ROOT / paths.TRAINING_ROWS)) == 300
    assert len(pd.read_parquet(paths.ROOT / paths.TEST_ROWS)) == 100
    assert formats.load_json(paths.main_result().metrics)["test"]["accuracy"] > 0.75
    weights = pd.read_csv(paths.ROOT / paths.WEIGHTS).set_index("feature")["odds_ratio_per_unit"]
    assert weights["marital-status = Married-civ-spouse"] > 1 > weights["marital-status = Never-married"]
    assert "occupation is missing" in weights
    assert "the lines above the table are left out" in (paths.ROOT / paths.SPLIT_SUMMARY).read_text()


def test_admissions_by_rank_have_the_published_coefficients_and_standard_errors():
    shutil.copy(ROOT / "tests" / "data" / "ucla_binary.csv", "data")
    overrides = [
        "data.path=data/ucla_binary.csv",
        "data.target=admit",
        "train.lambda=0",
        "train.tolerance=1e-9",
        "train.multiclass=one_vs_rest",
        "optimizer=newton",
    ]
    table, _, cell_format = configured("+data.roles.rank=categorical", *overrides)
    table = table[["gre", "gpa", "rank", "admit"]]
    fitted = fit.train(table, config.read("train"), cell_format)
    learnt.write(fitted, paths.ROOT)
    found = pd.read_csv(paths.ROOT / paths.INFERENCE).set_index("feature")
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
    compose("data=table", "data.path=data/penguins.csv", "data.target=species")
    run_stages("load", "split", "train")
    before = contents(paths.ROOT)
    run_stages("load", "split", "train")
    assert contents(paths.ROOT) == before


def test_the_target_is_last_and_every_column_has_a_role():
    table, roles = loaded(TABLE)
    assert table.columns[-1] == "y"
    assert roles.set_index("column")["role"].to_dict() == {
        "id": "identifier",
        "height": "numeric",
        "group": "categorical",
        "y": "target",
    }


def test_roles_columns_and_strings_can_be_overridden():
    table, roles = loaded(TABLE, "+data.roles.height=categorical", "data.drop=[id]", "+data.replace.group={a: first}")
    assert roles.set_index("column")["role"].to_dict()["height"] == "categorical"
    assert table["height"][0] == "0.5"
    assert "id" not in table
    assert set(table["group"]) == {"first", "b"}


def test_a_string_can_be_replaced_by_a_number_and_a_number_by_a_category():
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
        (["+data.expectations.height.maximum=3"], r"column 'height', maximum: 3.0: 16 rows break this rule"),
        (["+data.replace.hight={a: b}"], r"data.replace has no column 'hight'. Did you mean 'height'"),
        (["+data.roles.group=numeric"], r"row 1, column 'group': 'a' is not a number"),
        (["+data.roles.height=date"], r"row 1, column 'height': '0.5' is not a date"),
        (["data.drop=[height,group,id]"], r"my.csv: The target 'y' is the only column. Keep at least one feature"),
        (["data.drop=[y]"], r"data.drop leaves out 'y', but data.target, data.roles or data.date_format needs it"),
        (["data.drop=[group]", "+data.roles.group=drop"], r"data.drop leaves out 'group'"),
        (["split=test_file"], r"split.path: has no value"),
    ],
)
def test_a_configuration_that_does_not_fit_the_table_is_one_message(overrides, message):
    with pytest.raises(UserError, match=message):
        loaded(TABLE, *overrides)


def test_a_column_that_gives_the_target_away_is_reported():
    leak = "\n".join(f"{line},{'won' if 'yes' in line else 'lost'}" for line in ROWS.splitlines())
    with pytest.warns(UserWarning, match=r"'outcome' alone predicts 'y' almost perfectly \(balanced accuracy 1.000\)"):
        loaded(f"id,height,group,y,outcome\n{leak}\n")


def test_bad_input_leaves_earlier_outputs_alone():
    loaded(TABLE)
    run_stages("load")
    before = contents(paths.ROOT)
    Path("data/my.csv").write_text(TABLE + "1,2\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"line 32 has 2 cells instead of 4"):
        run_stages("load")
    assert contents(paths.ROOT) == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("yes", "maybe", r"my-test.csv has y = 'maybe'; data/my.csv has 'no', 'yes'"),
        ("2.5", "tall", r"my-test.csv, row 3, column 'height': 'tall' is not a number"),
        ("height", "length", r"my-test.csv has no column 'height'"),
        ("2.5", "9.5", r"my-test.csv breaks data.expectations:\n  column 'height', maximum: 7.0: 4 rows"),
    ],
)
def test_a_test_file_that_differs_is_one_message(old, new, message):
    Path("data/my-test.csv").write_text(TABLE.replace(old, new), encoding="utf-8")
    loaded(TABLE, "split=test_file", "split.path=data/my-test.csv", "+data.expectations.height.maximum=7")
    with pytest.raises(UserError, match=message):
        split_as_configured()


def test_a_test_file_is_read_as_the_training_file_was():
    """Its own cells don't show the order of day and month, nor which strings mean missing."""
    rows = "".join(f"{i % 27 + 1:02}/05/2023;{i % 9},5;{'yes' if i % 3 else 'no'}\n" for i in range(40))
    Path("data/my-test.csv").write_text(
        "day;size;y\n01/05/2023;1;yes\n02/05/2023;-1;no\n03/05/2023;2;\n", encoding="utf-8"
    )
    loaded("day;size;y\n" + rows, "data.missing_values=['','-1']", "split=test_file", "split.path=data/my-test.csv")
    run_stages("load")
    with pytest.warns(UserWarning, match=r"my-test.csv: 1 of 3 rows have no 'y'") as warned:
        parts = dataset.split(dataset.read_back(paths.ROOT), config.read("split"), config.read("data"))
    assert len(warned) == 1
    assert parts.test["day"].dt.month.tolist() == [5, 5]
    np.testing.assert_array_equal(parts.test["size"], [1, np.nan])


def test_the_saved_model_reads_rows_as_the_training_file_was_read():
    cells = [
        (f"{i % 7},5" if i % 5 else "-99", f"{i % 27 + 1:02}/05/2023", "mf"[i % 2], "yn"[i % 3 > 0]) for i in range(60)
    ]
    Path("data/my.csv").write_text("size;day;sex;y\n" + "\n".join(map(";".join, cells)) + "\n", encoding="utf-8")
    options = ["data.missing_values=['-99']", "+data.replace.sex={m: male}", "split.test_size=0.5"]
    table = configured("data.path=data/my.csv", "data.target=y", *options).table
    run_stages("load", "split", "train")
    saved = model.load(paths.ROOT / paths.MODEL)
    raw = pd.read_csv("data/my.csv", sep=";", dtype=str, keep_default_na=False)
    found = saved.predict(raw, params={"probabilities": True})
    np.testing.assert_array_equal(found, saved.probabilities(table.iloc[:, :-1]))


def test_a_column_may_be_called_by_a_number_or_by_a_string_that_means_missing():
    loaded(TABLE.replace("id,height,group,y", "NA,2024,null,y"), "data.header=true")
    run_stages("load", "split", "train")
    assert "2024" in pd.read_csv(paths.ROOT / paths.WEIGHTS, dtype=str)["feature"].tolist()


def test_bundled_sets_are_tables_of_numbers():
    table = dataset.bundled("wine")
    assert set(table.dtypes.iloc[:-1]) == {np.dtype(float)}
    assert table["target"].nunique() == 3


@pytest.fixture(scope="module")
def wine() -> pd.DataFrame:
    return dataset.bundled("wine").assign(row=np.arange(178.0))[["row", "alcohol", "target"]]


METHODS = {RandomSplit: "stratified", GroupSplit: "group", TimeSplit: "time", FileSplit: "test_file"}
WINE = config.section_of({"data": {"name": "wine"}}, "data", "conf/")


def parts(table: pd.DataFrame, method: type = RandomSplit, roles: dict | None = None, **params: object) -> Parts:
    decided = decide(table, "target", {"row": "numeric"} | (roles or {}))
    return dataset.split(Loaded(table, decided, CellFormat()), method(method=METHODS[method], **params), WINE)


def both(*arguments: Any, **params: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    return parts(*arguments, **params)[:2]


def test_every_row_is_on_exactly_one_side(wine):
    train, test = both(wine, test_size=0.25, seed=3)
    assert sorted([*train["row"], *test["row"]]) == list(range(178))
    assert len(test) == 45


def test_classes_keep_their_proportions(wine):
    _, test = both(wine, test_size=0.5, seed=0)
    share = wine["target"].value_counts(normalize=True)
    pd.testing.assert_series_equal(test["target"].value_counts(normalize=True)[share.index], share, atol=0.01)


def test_the_seed_decides_the_rows(wine):
    first, again, other = (both(wine, test_size=0.25, seed=seed)[1] for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert set(first["row"]) != set(other["row"])


def test_only_features_and_the_target_are_kept(wine):
    train, _ = both(wine, test_size=0.5, seed=0, roles={"row": "drop"})
    assert train.columns.tolist() == ["alcohol", "target"]


def test_all_rows_of_a_group_are_on_one_side_and_the_group_is_no_feature(wine):
    visits = wine.assign(patient=[f"p{i % 30}" for i in range(178)])[["row", "alcohol", "patient", "target"]]
    train, test = both(visits, GroupSplit, column="patient", test_size=0.2, seed=0)
    assert train.columns.tolist() == test.columns.tolist() == ["row", "alcohol", "target"]
    assert not set(train["row"] % 30) & set(test["row"] % 30)


def test_the_group_or_time_of_the_training_rows_is_kept_for_the_folds_of_a_sweep(wine):
    table = wine.assign(target=["a", "b"] * 89)
    by_time = parts(table, TimeSplit, column="row", test_size=0.2)
    pd.testing.assert_series_equal(by_time.key, by_time.train["row"], check_names=False)
    by_group = parts(table, GroupSplit, column="row", test_size=0.2, seed=0)
    alcohol = table.set_index("row")["alcohol"]
    assert alcohol[by_group.key].tolist() == by_group.train["alcohol"].tolist()
    assert (by_time.key.name, by_group.key.name) == ("time", "group")


def test_the_latest_rows_are_the_test(wine):
    shuffled = wine.sample(frac=1, random_state=0).reset_index(drop=True)
    times = shuffled.assign(target=["a", "b"] * 89)
    train, test = both(times, TimeSplit, column="row", test_size=0.2)
    assert train["row"].max() < test["row"].min()


def test_test_rows_that_training_has_too_are_reported(wine):
    with pytest.warns(UserWarning, match=r"of 178 test rows \(\d+\.\d%\) have the same features as a training row"):
        both(pd.concat([wine, wine], ignore_index=True), test_size=0.5, seed=0)


def test_a_class_too_small_to_split_is_named(wine):
    table = wine.assign(target=["rare"] + ["common"] * 177)
    with pytest.raises(UserError, match=r"'target'.*smallest class, 'rare', has 1 of 178 rows"):
        both(table, test_size=0.25, seed=0)


def test_a_side_without_a_class_is_named(wine):
    times = wine.assign(target=np.where(wine["row"] > 150, "late", "early"))
    with pytest.raises(UserError, match=r"'time' leaves no training row with target = 'late'"):
        both(times, TimeSplit, column="row", test_size=0.2)


def test_an_error_names_the_settings_that_can_be_changed(wine):
    with pytest.raises(UserError, match=r"Change split.test_size, or add such rows"):
        both(wine.assign(target=np.where(wine["row"] > 150, "late", "early")), TimeSplit, column="row", test_size=0.2)
    with pytest.raises(UserError, match=r"2 groups .* split.test_size = 0.6"):
        both(wine.assign(row=wine["row"] % 2), GroupSplit, column="row", test_size=0.6, seed=0)


def test_a_share_of_the_rows_is_the_latest_whatever_the_rounding(wine):
    times = wine.iloc[:10].assign(target=["a", "b"] * 5)
    assert [len(side) for side in both(times, TimeSplit, column="row", test_size=0.8)] == [2, 8]


def test_a_column_that_is_not_there_is_named(wine):
    with pytest.raises(UserError, match=r"split\.column has no column 'rwo'. Did you mean 'row'\?"):
        both(wine, TimeSplit, column="rwo", test_size=0.2)


def test_the_ways_on_for_a_class_of_two_rows_are_commands_that_work(tmp_path):
    rows = [f"{n},{'ab'[n % 2]}" for n in range(200)] + ["1,rare", "2,rare"]
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *rows]) + "\n")
    frame = pd.read_csv(tmp_path / "t.csv")
    message = without_class("y", ["rare"], ["a", "b", "rare"])
    for other in ("NA", "a"):
        assert override("data.replace", {"y": {"rare": other}}) in message
        replaced = reading.read(tmp_path / "t.csv", Options(replace={"y": {"rare": other}}), target="y").frame
        assert sorted(replaced["y"].dropna().unique()) == ["a", "b"]
    assert len(frame) == 202


def test_dates_of_two_forms_are_a_warning_with_both(tmp_path):
    lines = [f"2021-01-{n:02},a\n{n:02}/02/2021,b\n" for n in range(1, 26)]
    (tmp_path / "t.csv").write_text("d,y\n" + "".join(lines))
    with pytest.warns(UserWarning, match=r"two ways, 25 cells of the format %Y-%m-%d, .* and 25 cells .*/02/2021'"):
        reading.read(tmp_path / "t.csv", target="y")


def test_a_file_without_a_header_names_the_ways_on(tmp_path):
    (tmp_path / "t.csv").write_text("".join(f"{n},{2 * n},{'ab'[n % 2]}\n" for n in range(25)))
    with pytest.raises(
        UserError, match=r"no header was seen.*data\.target=column_3.*data\.names=\[column_1,column_2,y\]"
    ):
        reading.read(tmp_path / "t.csv", target="y")
    names = ["column_1", "column_2", "y"]
    assert list(reading.read(tmp_path / "t.csv", Options(names=names), target="y").frame) == names

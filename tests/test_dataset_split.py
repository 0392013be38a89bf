import numpy as np
import pandas as pd
import pytest

from pipeline.columns.roles import decide
from pipeline.config import FileSplit, GroupSplit, RandomSplit, TimeSplit
from pipeline.errors import UserError
from pipeline.reading.options import CellFormat
from pipeline.stages.load import Loaded, bundled
from pipeline.stages.split import split


@pytest.fixture(scope="module")
def wine():
    return bundled("wine").assign(row=np.arange(178.0))[["row", "alcohol", "target"]]


def both(table, method=RandomSplit, overrule=None, **params):
    name = {RandomSplit: "stratified", GroupSplit: "group", TimeSplit: "time", FileSplit: "test_file"}[method]
    roles = decide(table, "target", {"row": "numeric"} | (overrule or {}))
    return split(Loaded(table, roles, CellFormat()), method(method=name, **params), None)[:2]


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


def test_only_features_and_the_target_go_on(wine):
    train, _ = both(wine, test_size=0.5, seed=0, overrule={"row": "drop"})
    assert train.columns.tolist() == ["alcohol", "target"]


def test_a_group_is_on_one_side_and_no_feature(wine):
    people = wine.assign(person=[f"p{i % 30}" for i in range(178)])[["row", "alcohol", "person", "target"]]
    train, test = both(people, GroupSplit, column="person", test_size=0.2, seed=0)
    assert train.columns.tolist() == test.columns.tolist() == ["row", "alcohol", "target"]
    assert not set(train["row"] % 30) & set(test["row"] % 30)


def test_the_group_or_time_of_the_training_rows_goes_on_for_the_folds_of_a_sweep(wine):
    table = wine.assign(target=["a", "b"] * 89)
    roles = decide(table, "target", {"row": "numeric"})
    loaded = Loaded(table, roles, CellFormat())
    by_time = split(loaded, TimeSplit(method="time", column="row", test_size=0.2), None)
    pd.testing.assert_series_equal(by_time.key, by_time.train["row"], check_names=False)
    by_group = split(loaded, GroupSplit(method="group", column="row", test_size=0.2, seed=0), None)
    alcohol = table.set_index("row")["alcohol"]
    assert alcohol[by_group.key].tolist() == by_group.train["alcohol"].tolist()
    assert (by_time.key.name, by_group.key.name) == ("time", "group")


def test_the_latest_rows_are_the_test(wine):
    shuffled = wine.sample(frac=1, random_state=0).reset_index(drop=True)
    times = shuffled.assign(target=["a", "b"] * 89)
    train, test = both(times, TimeSplit, column="row", test_size=0.2)
    assert train["row"].max() < test["row"].min()


def test_repeated_rows_are_told(wine):
    with pytest.warns(UserWarning, match=r"of 178 test rows \(\d+\.\d%\) are training rows too"):
        both(pd.concat([wine, wine], ignore_index=True), test_size=0.5, seed=0)


def test_a_class_too_small_to_split_is_named(wine):
    table = wine.assign(target=["rare"] + ["common"] * 177)
    with pytest.raises(UserError, match=r"'target'.*smallest class, 'rare', has 1 of 178 rows"):
        both(table, test_size=0.25, seed=0)


def test_a_side_without_a_class_is_named(wine):
    times = wine.assign(target=np.where(wine["row"] > 150, "late", "early"))
    with pytest.raises(UserError, match=r"'time' leaves no training row with target = 'late'"):
        both(times, TimeSplit, column="row", test_size=0.2)


def test_what_can_be_changed_is_named(wine):
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

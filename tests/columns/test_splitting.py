from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from pipeline.columns.splitting import folds, grouped, sample, stratified, timed
from pipeline.errors import UserError

N = 200
CLASSES = pd.Series(["a"] * 160 + ["b"] * 40, name="y", dtype="str")
PATIENTS = pd.Series([f"p{i % 25}" for i in range(N)], name="patient", dtype="str")
DAYS = pd.Series(pd.to_datetime("2024-01-01") + pd.to_timedelta(np.arange(N) * 7 % 50, unit="D"), name="day")


@pytest.mark.parametrize(
    "positions",
    [stratified(CLASSES, 0.25, 0), grouped(PATIENTS, 0.25, 0), timed(DAYS, 0.25)],
    ids=["stratified", "grouped", "timed"],
)
def test_every_row_is_on_one_side_in_order(positions):
    train, test = positions
    assert sorted([*train, *test]) == list(range(N))
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()
    assert len(test) == pytest.approx(N / 4, abs=N / 20)


def test_stratified_keeps_the_proportion_of_each_class():
    _, test = stratified(CLASSES, 0.25, 0)
    assert (CLASSES[test] == "b").sum() == 10


@pytest.mark.parametrize(("split", "column"), [(stratified, CLASSES), (grouped, PATIENTS)])
def test_the_seed_decides(split, column):
    first, again, other = (split(column, 0.25, seed)[1].tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_a_group_is_on_one_side():
    train, test = grouped(PATIENTS, 0.25, 0)
    assert not set(PATIENTS[train]) & set(PATIENTS[test])


def test_the_test_rows_are_the_latest_and_a_moment_is_on_one_side():
    train, test = timed(DAYS, 0.25)
    assert DAYS[train].max() < DAYS[test].min()


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (
            lambda: grouped(PATIENTS.where(PATIENTS == "p1"), 0.25, 0),
            r"split.column = 'patient' is missing in 192 rows .*is row 1 of the rows with a target",
        ),
        (lambda: grouped(PATIENTS.where(PATIENTS == "p1", "p1"), 0.25, 0), r"'patient' is 'p1' in every row"),
        (
            lambda: timed(PATIENTS, 0.25),
            r"split.column = 'patient' holds 'p0', but a split by time needs dates or numbers",
        ),
        (lambda: timed(DAYS.where(DAYS.index > 0), 0.25), r"split.column = 'day' is missing in 1 rows .*row 1 "),
        (
            lambda: stratified(CLASSES, 0.001, 0),
            r"With split.test_size = 0.001, .* lack one of the 2 classes of 'y'.*'b', has 40 of 200 rows",
        ),
    ],
)
def test_a_split_that_cannot_be_is_one_message(split, message):
    with pytest.raises(UserError, match=message):
        split()


def test_folds_hold_every_row_out_once_with_each_class_in_proportion():
    found = folds(CLASSES.to_numpy(), 4, 0)
    assert sorted(np.concatenate([held_out for _, held_out in found])) == list(range(N))
    for training, held_out in found:
        assert not set(training) & set(held_out)
        assert (CLASSES[held_out] == "b").sum() == 10


def test_folds_by_group_keep_a_group_together():
    for training, held_out in folds(CLASSES.to_numpy(), 5, 0, PATIENTS.rename("group")):
        assert not set(PATIENTS[training]) & set(PATIENTS[held_out])
        assert len(training) + len(held_out) == N


def test_folds_by_time_learn_from_the_past_alone_and_each_is_later_than_the_last():
    found = folds(CLASSES.sample(frac=1, random_state=0).to_numpy(), 4, 0, DAYS.rename("time"))
    for training, held_out in found:
        assert DAYS[training].max() < DAYS[held_out].min()
    for (_, held_out), (training, _) in pairwise(found):
        assert set(held_out) <= set(training)


@pytest.mark.parametrize(
    ("key", "asked", "used"),
    [
        (None, 500, 40),
        (pd.Series(["a", "b", "c"] * 66 + ["a", "b"], name="group"), 9, 3),
        (pd.Series(np.arange(200.0) // 40, name="time"), 9, 4),
    ],
)
def test_folds_are_as_many_as_rows_groups_and_moments_allow_with_a_warning(key, asked, used):
    classes = CLASSES.sample(frac=1, random_state=0).to_numpy()
    with pytest.warns(
        UserWarning, match=rf"sweep.folds = {asked} is more than these training rows allow; {used} folds are used"
    ):
        found = folds(classes, asked, 0, key)
    assert len(found) == used
    assert all(set(classes[side]) == {"a", "b"} for fold in found for side in fold)


@pytest.mark.parametrize(
    ("classes", "key", "message"),
    [
        (["a"] * 9 + ["b"], None, r"10 rows, 1 of the smallest class. Add rows"),
        (["a", "b"] * 5, pd.Series(["one"] * 10, name="group"), r"5 of the smallest class, and 1 groups to split by"),
        (
            ["a"] * 5 + ["b"] * 5,
            pd.Series(np.arange(10.0), name="time"),
            r"5 of the smallest class, and 10 times to split by",
        ),
    ],
)
def test_rows_that_make_no_two_folds_are_one_message_with_the_next_step(classes, key, message):
    with pytest.raises(UserError, match=message):
        folds(np.array(classes), 3, 0, key)


@pytest.mark.parametrize("key", [None, PATIENTS.rename("group"), DAYS.rename("time")], ids=["rows", "groups", "times"])
def test_a_class_that_cannot_be_held_out_is_always_trained_on_and_the_others_are_judged(key):
    classes = CLASSES.sample(frac=1, random_state=0).to_numpy().copy()
    classes[7] = "c"
    with pytest.warns(UserWarning, match=r"with 'c' \(1 rows\) on both sides, .* trained on in every fold and judged"):
        found = folds(classes, 4, 0, key)
    assert len(found) == 4
    for training, held_out in found:
        assert set(classes[training]) == {"a", "b", "c"}
        assert set(classes[held_out]) == {"a", "b"}
        assert not set(training) & set(held_out)


def test_few_rows_of_a_class_are_said_to_choose_badly():
    classes = np.array(["no"] * 300 + ["yes"] * 4)
    with pytest.warns(UserWarning, match=r"4 folds are used. The smallest class, 'yes', has 4 rows: .* uncertain"):
        assert len(folds(classes, 5, 0)) == 4


def test_a_sample_keeps_all_rows_of_a_rare_class_and_its_weights_restore_the_shares():
    classes = np.array(["a"] * 90_000 + ["b"] * 9_990 + ["c"] * 7 + ["d"] * 3)
    drawn = sample(classes, 1_000)
    counts = pd.Series(classes[drawn.rows]).value_counts()
    assert (counts["c"], counts["d"]) == (7, 3)
    assert counts["b"] == 125  # a share of 100 would be fewer than 1,000 / (2 * 4)
    assert counts.sum() == pytest.approx(1_000, abs=4)
    weight = drawn.weight(np.full(len(classes), 2.0))
    assert weight.min() == 2
    shares = pd.Series(weight).groupby(classes[drawn.rows]).sum() / weight.sum()
    expected = pd.Series(classes).value_counts(normalize=True)
    pd.testing.assert_series_equal(shares, expected.sort_index(), check_names=False)
    assert (np.diff(drawn.rows) > 0).all()
    np.testing.assert_array_equal(sample(classes, 1_000).rows, drawn.rows)


def test_a_sample_of_few_rows_is_all_of_them():
    drawn = sample(CLASSES.to_numpy(), N)
    assert drawn.rows.tolist() == list(range(N))
    assert drawn.weight(None) is None

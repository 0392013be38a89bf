import pandas as pd
import pytest

from pipeline.config import Split
from pipeline.errors import UserError
from pipeline.stages.load import bundled
from pipeline.stages.split import split


@pytest.fixture(scope="module")
def wine():
    return bundled("wine").assign(row=range(178))[["row", "alcohol", "target"]]


def test_every_row_is_on_exactly_one_side(wine):
    train, test = split(wine, Split(test_size=0.25, seed=3))
    assert sorted([*train["row"], *test["row"]]) == list(range(178))
    assert len(test) == 45


def test_classes_keep_their_proportions(wine):
    _, test = split(wine, Split(test_size=0.5, seed=0))
    share = wine["target"].value_counts(normalize=True)
    pd.testing.assert_series_equal(test["target"].value_counts(normalize=True)[share.index], share, atol=0.01)


def test_the_seed_decides_the_rows(wine):
    first, again, other = (split(wine, Split(test_size=0.25, seed=seed))[1] for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert set(first["row"]) != set(other["row"])


def test_a_class_too_small_to_split_is_named(wine):
    table = wine.assign(target=["rare"] + ["common"] * 177)
    with pytest.raises(UserError, match=r"'target'.*smallest class, 'rare', has 1 of 178 rows"):
        split(table, Split(test_size=0.25, seed=0))

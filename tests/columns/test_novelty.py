"""What is said of rows that are unlike those of training."""

import numpy as np
import pandas as pd
import pytest

from pipeline.columns import novelty
from pipeline.columns.terms import Design, Settings

N = 200
RANDOM = np.random.default_rng(0)
TRAINING = pd.DataFrame(
    {
        "age": RANDOM.integers(18, 90, N).astype(float),
        "rate": RANDOM.uniform(0, 45, N),
        "city": pd.Series(RANDOM.choice(["Boston", "Chicago", "New York"], N), dtype="str"),
        "empty": np.full(N, np.nan),
        "joined": pd.date_range("2020-01-01", periods=N),
    }
)


def said(rows: pd.DataFrame, n_parts: int = 1, training: pd.DataFrame = TRAINING) -> list[str]:
    design, total = Design.fit(training, Settings()), novelty.Counts()
    for places in np.array_split(np.arange(len(rows)), n_parts):
        total = novelty.added(total, novelty.counts(design, rows.iloc[places]))
    return list(novelty.messages(design, total))


def test_nothing_is_said_of_rows_like_those_of_training() -> None:
    later = TRAINING.assign(joined=TRAINING["joined"] + pd.Timedelta(days=100), empty=1.0)
    assert said(TRAINING) == said(later) == said(TRAINING[:0]) == []
    assert not any(said(TRAINING[row : row + 1]) for row in range(N))


def test_a_few_new_categories_and_large_numbers_are_expected() -> None:
    some = np.arange(N) < N // 12
    rows = TRAINING.assign(city=TRAINING["city"].mask(some, "Denver"), age=TRAINING["age"].mask(some, 99))
    assert said(rows) == []


@pytest.mark.parametrize("n_parts", [1, 7])
@pytest.mark.parametrize(
    ("city", "hint"),
    [
        ("boston", "did you mean 'Boston'?"),
        ("NEW  YORK ", "did you mean 'New York'?"),
        ("Bostn", "did you mean 'Boston'?"),
        ("Ulm", "training had 'Boston', 'Chicago', 'New York'"),
    ],
)
def test_a_column_of_unseen_categories_is_one_line_with_the_nearest(city: str, hint: str, n_parts: int) -> None:
    (line,) = said(TRAINING.assign(city=pd.Series([city] * N, dtype="str")), n_parts)
    assert line.startswith(
        f"column 'city': 200 of 200 cells are categories that training did not have, such as {city!r}"
    )
    assert hint in line


def test_missing_cells_are_not_counted() -> None:
    city = pd.Series(["boston"] * 20 + [None] * (N - 20), dtype="str")
    (line,) = said(TRAINING.assign(city=city))
    assert "20 of 20 cells" in line


@pytest.mark.parametrize("n_parts", [1, 7])
@pytest.mark.parametrize(
    ("column", "factor", "seen"),
    [("age", 12, "numbers are outside of what training had, 18 to 89"), ("rate", 0.01, "numbers are below")],
)
def test_numbers_in_another_unit_are_one_line_with_the_range(
    column: str, factor: float, seen: str, n_parts: int
) -> None:
    (line,) = said(TRAINING.assign(**{column: TRAINING[column] * factor}), n_parts)
    assert line.startswith(f"column {column!r}: ")
    assert seen in line
    assert f"to {TRAINING[column].max():.7g}" in line
    assert line.endswith("Is it in the same unit?")


def test_one_number_that_counts_as_a_nearer_one_is_a_line() -> None:
    ages = TRAINING["age"].astype(float)
    beyond = 2 * ages.max() - ages.min()
    assert said(TRAINING.assign(age=ages.mask(np.arange(N) == 7, beyond))) == []
    assert said(TRAINING.assign(age=ages.mask(np.arange(N) == 7, 1e9))) == [
        f"column 'age': 1 of {N} numbers are further from those of training, 18 to 89, than these from each other, and "
        "count as -53 or 160"
    ]


@pytest.mark.parametrize("n_parts", [1, 7])
@pytest.mark.parametrize(
    ("days", "seen"),
    [
        (3000, "the year of 200 of 200 dates is outside of what training had, 2020 to 2021"),
        (600, "the year of 200 of 200 dates is outside of what training had, 2020 to 2021"),
        (-900, "the year of 200 of 200 dates is outside of what training had, 2020 to 2021"),
    ],
)
def test_dates_that_are_all_outside_of_training_are_one_line_with_the_range(days: int, seen: str, n_parts: int) -> None:
    training = TRAINING.assign(joined=pd.date_range("2020-08-01", periods=N))
    rows = training.assign(joined=training["joined"] + pd.Timedelta(days=days))
    (line,) = said(rows, n_parts, training)
    assert line.startswith("column 'joined': ")
    assert seen in line
    assert ("count as 2019 or 2022" in line) == (days != 600)
    some = rows.assign(joined=rows["joined"].mask(np.arange(N) == 0, training["joined"]))
    if days == 600:
        assert said(some, n_parts, training) == said(rows[:4], 1, training) == []


def test_dates_of_one_year_are_compared_by_the_month() -> None:
    later = TRAINING.assign(joined=pd.Timestamp("2020-11-05"))
    assert said(later) == [
        "column 'joined': the month of 200 of 200 dates is outside of what training had, 1 to 7. The model can only "
        "extrapolate"
    ]


def test_the_memory_of_unseen_categories_is_bounded_and_their_number_is_not() -> None:
    design, total = Design.fit(TRAINING, Settings()), novelty.Counts()
    for start in range(0, 2000, 500):
        rows = TRAINING.sample(500, replace=True, random_state=0).reset_index(drop=True)
        rows["city"] = pd.Series([f"city {start + k}" for k in range(500)], dtype="str")
        total = novelty.added(total, novelty.counts(design, rows))
    assert len(total["city"]) < 200
    assert "2,000 of 2,000 cells" in next(iter(novelty.messages(design, total)))

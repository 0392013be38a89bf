import warnings

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UserError
from pipeline.training.choice import best_by_lambda, choose, outlier, ranked, warn


def scored(*rows: tuple) -> pd.DataFrame:
    names = ["lambda", "learning_rate", "log_loss", "log_loss_standard_error", "iterations", "status"]
    return pd.DataFrame(rows, columns=names)


def test_one_standard_error_takes_the_strongest_lambda_within_the_best_ones_error():
    table = scored(
        (0.01, 0.1, 0.50, 0.06, 9, "converged"),
        (0.10, 0.1, 0.55, 0.01, 9, "converged"),
        (1.00, 0.1, 0.57, 0.01, 9, "converged"),
        (9.00, 0.1, np.nan, np.nan, 1, "diverged"),
    )
    choice = choose(table, "log_loss")
    assert (choice.best["lambda"], choice.one_standard_error["lambda"]) == (0.01, 0.1)


def warned(table: pd.DataFrame, chosen: int, folds: tuple = (0.5, 0.51, 0.49, 0.5, 0.5)) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn(table.iloc[chosen], table, "log_loss", folds, 100)
    return " ".join(str(warning.message) for warning in caught)


def test_a_winner_at_the_edge_of_the_grid_is_a_warning_with_a_wider_grid():
    table = scored(*[(penalty, 0.1, 0.5, 0.1, 9, "converged") for penalty in (0.001, 0.01, 0.1)])
    assert "is the smallest of the grid" in warned(table, 0)
    assert "-S 'sweep.lambda=[{minimum: 1e-06, maximum: 0.1, points: 6}]'" in warned(table, 0)
    assert "-S 'sweep.lambda=[{minimum: 0.001, maximum: 100, points: 6}]'" in warned(table, 2)
    assert warned(table, 1) == ""
    assert warned(table.assign(**{"lambda": [0, 0.01, 0.1]}), 0) == ""  # there is nothing below 0
    assert warned(table.iloc[:1], 0) == ""


def test_a_winner_that_ran_out_of_iterations_is_a_warning():
    table = scored((0.01, 0.1, 0.5, 0.1, 100, "ran out"))
    assert "-S train.max_iterations=1000" in warned(table, 0)


def test_a_fold_that_differs_from_the_others_is_named():
    table = scored((0.01, 0.1, 0.5, 0.1, 9, "converged"))
    assert "Fold 2 of the chosen combination is an outlier" in warned(table, 0, (0.5, 0.9, 0.49, 0.5, 0.51))
    assert warned(table, 0, (0.5, 0.55, 0.49, 0.5, 0.45)) == ""
    assert warned(table, 0, (0.5, 0.5, 0.5)) == ""


# Grubbs' critical values at 1 %, two-sided: Technometrics 11 (1969), table I (one-sided at 0.5 %).
@pytest.mark.parametrize(("n", "critical"), [(4, 1.496), (5, 1.764), (10, 2.482)])
def test_the_limit_of_an_outlier_is_the_published_one(n, critical):
    rest = np.resize([-1.0, 1.0], n - 1)
    for x in np.linspace(0.5, 200, 4000):
        values = [*rest, x]
        distance = (x - np.mean(values)) / np.std(values, ddof=1)
        if abs(distance - critical) > 5e-3:
            assert (outlier(values) is not None) == (distance > critical)


def test_of_combinations_that_score_the_same_the_fastest_is_best():
    table = scored((0.1, 0.1, 0.5, 0.1, 90, "converged"), (0.1, 1.0, 0.5 + 1e-9, 0.1, 9, "converged"))
    assert choose(table, "log_loss").best["learning_rate"] == 1.0


def test_a_score_is_better_when_higher_unless_it_is_a_loss():
    table = scored((0.1, 0.1, 0.5, 0.0, 9, "converged"), (0.2, 0.1, 0.7, 0.0, 9, "converged"))
    renamed = table.rename(columns=lambda name: name.replace("log_loss", "accuracy"))
    assert choose(table, "log_loss").best["lambda"] == 0.1
    assert choose(renamed, "accuracy").best["lambda"] == 0.2


def test_where_every_combination_diverged_the_error_names_what_to_set():
    with pytest.raises(UserError, match=r"every combination diverged.*sweep.learning_rate=\[auto\]"):
        choose(scored((1.0, 9.0, np.nan, np.nan, 1, "diverged")), "log_loss")


def test_combinations_that_diverged_have_no_rank() -> None:
    table = scored((1.0, 9.0, np.nan, np.nan, 1, "diverged"), (0.1, 0.1, 0.5, 0.1, 9, "converged"))
    assert ranked(table, "log_loss")["lambda"].tolist() == [0.1]
    assert best_by_lambda(table, "log_loss")["lambda"].tolist() == [0.1]

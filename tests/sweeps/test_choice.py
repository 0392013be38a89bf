import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UserError
from pipeline.sweeps.choice import best_by_lambda, choose, ranked


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

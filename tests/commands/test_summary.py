import pandas as pd
import pytest

from pipeline.commands.summary import odds


def test_the_odds_are_those_of_the_largest_effects_with_the_intervals_there_are():
    effects = pd.DataFrame(
        {
            "class": "yes",
            "feature": ["a", "b"],
            "odds_ratio_per_standard_deviation": [3.0, 0.5],
            "odds_ratio_per_unit": [1.5, 0.25],
        }
    )
    inferred = pd.DataFrame(
        {"feature": ["b", "a"], "unpenalised": [0.0, 0.0], "lower": [-1.0, None], "upper": [0, None]}
    )
    lines = odds(effects, inferred).splitlines()
    assert "what raises the odds of yes" in lines[0]
    assert "without penalty" in lines[0]
    assert lines[2:] == ["| a | 3.00 | 1.5 | - |", "| b | 0.50 | 0.25 | 1 (0.36788 to 1) |"]


@pytest.mark.parametrize("inferred", [{}, {"lower": [0.0], "upper": [1.0]}])
def test_without_intervals_there_is_no_empty_column_but_a_sentence_with_the_reason(inferred):
    effects = pd.DataFrame(
        {
            "class": "yes",
            "feature": ["age, from 28 to 48", "a x b"],
            "odds_ratio_per_standard_deviation": [3.0, 2.0],
            "odds_ratio_per_unit": [1.5, None],
        }
    )
    table = pd.DataFrame({"feature": ["age, bend 1"], "coefficient": [1.0], **inferred})
    lines = odds(effects, table, "numbers are curves").splitlines()
    assert lines == [
        "| what raises the odds of yes | per standard deviation | per unit |",
        "| --- | --- | --- |",
        "| age, from 28 to 48 | 3.00 | 1.5 |",
        "| a x b | 2.00 | - |",
        "",
        lines[-1],
    ]
    assert lines[-1].startswith("No intervals: inference.csv has" if inferred else "No intervals: numbers are curves.")


def test_a_credible_interval_stands_beside_each_odds_ratio_that_has_one():
    effects = pd.DataFrame(
        {
            "class": "yes",
            "feature": ["age, from 28 to 48", "a x b"],
            "odds_ratio_per_standard_deviation": [3.0, 2.0],
            "odds_ratio_per_unit": [1.5, None],
            "odds_ratio_per_unit_credible_lower": [1.25, None],
            "odds_ratio_per_unit_credible_upper": [2.0, None],
        }
    )
    table = pd.DataFrame({"feature": ["age, bend 1"], "coefficient": [1.0]})
    assert odds(effects, table, "numbers are curves").splitlines() == [
        "| what raises the odds of yes | per standard deviation | per unit, with its credible interval of 95 % |",
        "| --- | --- | --- |",
        "| age, from 28 to 48 | 3.00 | 1.5 (1.25 to 2) |",
        "| a x b | 2.00 | - |",
    ]

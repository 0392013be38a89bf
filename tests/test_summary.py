import pandas as pd

from pipeline.summary import odds


def test_the_odds_are_those_of_the_largest_effects_with_the_intervals_there_are():
    weights = pd.DataFrame(
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
    lines = odds(weights, inferred).splitlines()
    assert "what raises the odds of yes" in lines[0]
    assert "without penalty" in lines[0]
    assert lines[2:] == ["| a | 3.00 | 1.5 | - |", "| b | 0.50 | 0.25 | 1 (0.36788 to 1) |"]

"""What the verdict says of results of each kind, from small files as the stages write them."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline.config import BudgetDecision, CostDecision, NoDecision
from pipeline.evaluation import verdict
from pipeline.files import formats, paths

NONE = NoDecision(method="none", calibration="none")
MODELS = {"trained": 0.401, "prior": 0.579, "black box": 0.427}


def said(
    folder: Path,
    counts: dict[tuple[str, str], int],
    positive: str | None = None,
    decision=NONE,
    warnings: tuple[str, ...] = (),
    **scores: dict[str, float],
) -> list[str]:
    """The verdict on predictions with these counts by (actual, predicted), and these scores by model."""
    result = paths.Result(folder, folder / "evaluate.json")
    rows = [{"actual": a, "predicted": p, "rows": n, "data": "mine"} for (a, p), n in counts.items()]
    formats.save_csv(pd.DataFrame(rows), folder / paths.PLOTS / "confusion.csv")
    classes = [positive] if positive else sorted({actual for actual, _ in counts})
    formats.save_csv(pd.DataFrame({"class": classes, "feature": "x"}), folder / paths.EFFECTS)
    columns = pd.DataFrame({"column": ["x", "churn"], "role": ["numeric", "target"]})
    formats.save_csv(columns, folder / paths.COLUMNS)
    formats.save_json({"warnings": list(warnings)}, folder / paths.EVALUATION_WARNINGS)
    table = pd.DataFrame({"model": list(MODELS), "rows": "test"})
    for name, values in {"log_loss": MODELS, "accuracy": {"prior": 0.435}, **scores}.items():
        table[name] = table["model"].map(values)
        table[f"{name}_lower"], table[f"{name}_upper"] = table[name] - 0.03, table[name] + 0.03
    formats.save_csv(table, folder / paths.EVALUATION / "scores.csv")
    return verdict.sentences(result, decision)


def two(hits: int, misses: int, false_alarms: int, others: int, positive: str = "yes") -> dict[tuple[str, str], int]:
    counts = {("no", "no"): others, (positive, "no"): misses, ("no", positive): false_alarms}
    return counts | {(positive, positive): hits}


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (two(540, 460, 243, 5000), "Finds 54 of 100 rows with churn = yes; 31 of 100 alarms are false."),
        (two(40, 2, 1, 71), "Finds 40 of the 42 rows with churn = yes; 1 of the 41 alarms is false."),
        (two(42, 0, 0, 71), "Finds all 42 rows with churn = yes; no alarm is false."),
        (two(0, 12, 0, 5000), "Raises no alarm: it finds none of the 12 rows with churn = yes."),
        (two(1, 9, 0, 5000), "Finds 1 of the 10 rows with churn = yes; its only alarm is right."),
        (two(4, 996, 3, 900_000), "Finds 4 of 1,000 rows with churn = yes; 3 of the 7 alarms are false."),
        (two(1, 99_999, 1, 5), "Finds 1 of the 100,000 rows with churn = yes; 1 of the 2 alarms is false."),
    ],
)
def test_of_two_classes_it_says_how_many_are_found_and_how_many_alarms_are_false(tmp_path, counts, expected) -> None:
    headline, scores = said(tmp_path, counts, "yes")
    assert headline == expected
    assert scores == "Log-loss 0.401 [0.371, 0.431]; gradient boosting 0.427, the class shares alone 0.579."


def test_the_positive_class_is_that_of_the_model_whatever_its_place_or_letters(tmp_path: Path) -> None:
    counts = {(a, p): n for (a, p), n in two(40, 2, 1, 71, "a<b").items()}
    shown = {(a.replace("<", "\u2039"), p.replace("<", "\u2039")): n for (a, p), n in counts.items()}  # by dvc plots
    assert said(tmp_path, shown, "a<b")[0].startswith("Finds 40 of the 42 rows with churn = a")


def test_of_many_classes_it_says_how_many_are_right_and_which_class_is_the_hardest(tmp_path: Path) -> None:
    counts = {("a", "a"): 30, ("b", "b"): 14, ("c", "c"): 24, ("c", "a"): 1, ("a", "b"): 0}
    headline, hardest, _ = said(tmp_path, counts)
    assert headline == "Right for 68 of the 69 rows, where the most frequent class alone is for 30 of the 69."
    assert hardest == "The hardest class is c: it finds 24 of the 25."


def test_a_model_that_is_no_better_than_the_class_shares_is_called_that_first(tmp_path: Path) -> None:
    line = f"On the test rows the model is not better, {verdict.THAN_SHARES} (log_loss 0.7, theirs 0.69)."
    assert said(tmp_path, two(4, 4, 4, 4), "yes", warnings=("another", line))[0] == (
        "The model is no better than the class shares alone."
    )
    ordered = line.replace("the model is", f"the model {verdict.ORDERS}, but its probabilities are")
    first = said(tmp_path, two(4, 4, 4, 4), "yes", warnings=(ordered,))[0]
    assert first == "Orders rows better than chance, but its probabilities are no better than the class shares alone."


def test_a_decision_comes_first_with_its_threshold_and_others_by_the_same_rule(tmp_path: Path) -> None:
    cost = CostDecision(method="cost", false_alarm=1.0, miss=5.0, costs=None, calibration="none")
    threshold = {"trained": 0.184, "prior": 0.1, "black box": 0.2}
    by_model = {"trained": 0.409, "prior": 0.735, "black box": 0.432}
    first, second, _ = said(tmp_path, two(4, 4, 4, 4), "yes", cost, threshold=threshold, cost=by_model)
    assert first == (
        "Flags rows from a probability of 0.184 on, which costs 0.409 [0.379, 0.439] per row; by the same rule, "
        "gradient boosting 0.432, the class shares alone 0.735."
    )
    assert second.startswith("Finds 4 of the 8")
    budget = BudgetDecision(method="budget", highest=0.4, calibration="none")
    lines = said(tmp_path, two(4, 4, 4, 4), "yes", budget, threshold=threshold, flagged=by_model, recall=by_model)
    assert lines[0].startswith("Flags rows from a probability of 0.184 on, a share of 0.409 [")
    assert lines[1].startswith("Its recall is 0.409 [")


def test_rows_with_weights_are_counted_once_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / paths.TEST_WEIGHTS).parent.mkdir(parents=True)
    (tmp_path / paths.TEST_WEIGHTS).touch()
    assert said(tmp_path, two(4, 4, 4, 4), "yes")[0].endswith("false (each row counted once, whatever its weight).")

"""Print the results of the last run: the scores of the model and of what it is compared with, and what raises the odds.

The features are those of the largest effect, the weight per standard deviation. Intervals are those of inference.csv:
of a model with ridge, they belong to the same model without penalty.
"""

import pandas as pd

from pipeline import config, outputs, report

MODELS = {"baseline": "random weights", "prior": "prior", "test": "trained", "black_box": "black box"}
FEATURES = 10  # of the largest effect
NEXT = """
Try next, with the environment on (source .venv/bin/activate):
  make ui                                  browse the runs in MLflow
  dvc exp run -S train.lambda=0.1          change a parameter and run what it affects
  dvc exp run -S data=wine                 another data set
  python -m pipeline experiments           compare the experiments
  dvc plots show                           their curves, overlaid"""


def main() -> None:
    print()
    data = {outputs.main_result(): config.read("data"), outputs.one_vs_rest(): config.read("one_vs_rest").data}
    for result, source in data.items():
        scored = outputs.load_metrics(result)
        print(f"{source.title:<28}" + "".join(f"{name:>16}" for name in MODELS.values()))
        for name in scored["test"]:
            print(f"  {name:<26}" + "".join(f"{scored[model][name]:>16.4f}" for model in MODELS))
    weights, inferred = (outputs.load_csv(outputs.ROOT / file) for file in (outputs.WEIGHTS, outputs.INFERENCE))
    if len(set(weights["class"])) == 1:
        print(f"\n{odds(weights, inferred)}")
    print(NEXT)


def odds(weights: pd.DataFrame, inferred: pd.DataFrame) -> str:
    """The odds ratios of the features of the largest effect, of the one class in `weights`, as a table in Markdown."""
    found = report.odds(weights, inferred, FEATURES)
    lines = [f"| {' | '.join(cells)} |" for cells in (found["header"], ("---",) * 4, *found["rows"])]
    if curves := found["curves"]:
        shown = ", ".join(curves[:FEATURES]) + (f" and {len(curves) - FEATURES} more" if len(curves) > FEATURES else "")
        lines.append(f"\nCurves, the largest effects first (outputs/evaluate/pictures/curves.png): {shown}")
    return "\n".join(lines)

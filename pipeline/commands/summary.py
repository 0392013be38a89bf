"""Print the results of the last run: the scores of the model and of what it is compared with, and what raises the odds.

The effects are those of effects.csv, the largest first: by the weight per standard deviation, or of a curve the
deviation of its log-odds, beside its odds ratio from the first quartile of the number to the third. Of a model with
ridge these have credible intervals; the confidence intervals of inference.csv belong to the same model without penalty.
"""

import pandas as pd

from pipeline import config, model
from pipeline.evaluation import report
from pipeline.files import formats, paths

MODELS = {"baseline": "random weights", "prior": "prior", "test": "trained", "black_box": "black box"}
FEATURES = 10  # effects that are shown
NEXT = """
Try next, with the environment on (source .venv/bin/activate):
  make ui                                      browse the runs in MLflow
  dvc exp run --no-hydra -S train.lambda=0.1   change a parameter of these settings and run what it affects
  dvc exp run -S data=wine                     another data set
  python -m pipeline experiments               compare the experiments
  dvc plots show                               their curves, overlaid"""


def main() -> None:
    print()
    data = {paths.main_result(): config.read("data"), paths.one_vs_rest(): config.read("one_vs_rest").data}
    for result, source in data.items():
        scored = result.load_metrics()
        print(f"{source.title:<28}" + "".join(f"{name:>16}" for name in MODELS.values()))
        for name in scored["test"]:
            print(f"  {name:<26}" + "".join(f"{scored[model][name]:>16.4f}" for model in MODELS))
        if result == paths.main_result() and (sentence := config.read("decision").sentence):
            print(f"  {sentence}")
    for line in model.load(paths.ROOT / paths.MODEL).made_of.get("choices", []):
        print(f"\n{line}")
    effects, inferred = (formats.load_csv(paths.ROOT / file) for file in (paths.EFFECTS, paths.INFERENCE))
    if len(labels := effects["class"].unique()) == 1:
        reason = formats.load_json(paths.ROOT / paths.TRAINING_SUMMARY)[labels[0]]["note"]
        print(f"\n{odds(effects, inferred, reason)}")
    print(NEXT)


def odds(effects: pd.DataFrame, inferred: pd.DataFrame, reason: str = "") -> str:
    """The odds ratios of the largest effects on the one class in `effects`, as a table in Markdown.

    `reason` is why there are no intervals, where `inferred` has none.
    """
    odds_table = report.odds(effects, inferred, FEATURES, reason)
    lines = [odds_table["header"], ["---"] * len(odds_table["header"]), *odds_table["rows"]]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{table}\n\n{odds_table['note']}" if odds_table["note"] else table

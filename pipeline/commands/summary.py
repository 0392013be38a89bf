"""Print the results of the last run: a verdict, the scores beside those of other models, and what raises the odds.

The effects are those of effects.csv, the largest first: by the weight per standard deviation, or of a curve the
deviation of its log-odds, beside its odds ratio from the first quartile of the number to the third. Of a model with
ridge these have credible intervals; the confidence intervals of inference.csv belong to the same model without penalty.
"""

import argparse

import numpy as np
import pandas as pd

from pipeline import config, model
from pipeline.config import data_sets, inputs
from pipeline.evaluation import learnt, verdict
from pipeline.files import formats, paths

MODELS = {"baseline": "random weights", "prior": "prior", "test": "trained", "black_box": "black box"}
FEATURES = 10  # effects that are shown
WORDS = 10
NEXT = """
Try next, with the environment on (source .venv/bin/activate):
  {change:<44} change a setting, and run what it affects
  python -m pipeline experiments               compare what you tried
  make ui                                      browse the runs in MLflow
  python -m pipeline predict FILE              class, probability and reasons for the rows of a file
  python -m pipeline use                       another data set, or a table of yours"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--markdown", action="store_true", help="print the model card, outputs/report/report.md")


def main(markdown: bool = False) -> None:
    """Errors: `UserError` where outputs/ has the results of another data set than that in use."""
    inputs.check_results()
    if markdown:
        print((paths.ROOT / paths.CARD).read_text(encoding="utf-8"))
        return
    print("\n" + "\n".join(verdict.sentences(paths.main_result(), config.read("decision"))) + "\n")
    data = {paths.main_result(): config.read("data"), paths.one_vs_rest(): config.read("one_vs_rest").data}
    for result, source in data.items():
        if source is None:
            continue
        scored = result.load_metrics()
        models = [model for model in MODELS if model in scored]
        print(f"{source.title:<28}" + "".join(f"{MODELS[model]:>16}" for model in models))
        for name in scored["test"]:
            print(f"  {name:<26}" + "".join(f"{scored[model][name]:>16.4f}" for model in models))
        if result == paths.main_result() and (sentence := config.read("decision").sentence):
            print(f"  {sentence}")
    for line in model.load(paths.ROOT / paths.MODEL).made_of.get("choices", []):
        print(f"\n{line}")
    effects, inferred = (formats.load_csv(paths.ROOT / file) for file in (paths.EFFECTS, paths.INFERENCE))
    if len(labels := effects["class"].unique()) == 1:
        reason = formats.load_json(paths.ROOT / paths.TRAINING_SUMMARY)[labels[0]]["note"]
        print(f"\n{odds(effects, inferred, reason)}")
    if (paths.ROOT / paths.WORDS).exists():
        print(f"\n{of_words(formats.load_csv(paths.ROOT / paths.WORDS))}")
    # Only --no-hydra keeps what conf/ does not have, such as the data of an experiment.
    is_other = data_sets.changed(config.load()["data"], data_sets.own_values(data_sets.in_use()))
    print(NEXT.format(change=f"dvc exp run {'--no-hydra ' if is_other else ''}-S train.lambda=0.1"))


def of_words(words: pd.DataFrame) -> str:
    """The words of texts and the values of lists that raise the odds of each class most, and that lower them."""
    lines = []
    for (label, name), part in words.groupby(["class", "column"], sort=False):
        sides = {"raise": part[part["effect"] > 0], "lower": part[part["effect"] < 0]}
        for verb, side in sides.items():
            largest = zip(side["token"].head(WORDS), np.exp(side["effect"].head(WORDS)), strict=True)
            listed = ", ".join(f"{token} x {ratio:.3g}" for token, ratio in largest)
            lines.append(f"{name}: words that {verb} the odds of {label}: {listed or 'none'}")
    return "\n".join(lines)


def odds(effects: pd.DataFrame, inferred: pd.DataFrame, reason: str = "") -> str:
    """The odds ratios of the largest effects on the one class in `effects`, as a table in Markdown.

    `reason` is why there are no intervals, where `inferred` has none.
    """
    odds_table = learnt.odds(effects, inferred, FEATURES, reason)
    lines = [odds_table["header"], ["---"] * len(odds_table["header"]), *odds_table["rows"]]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{table}\n\n{odds_table['note']}" if odds_table["note"] else table

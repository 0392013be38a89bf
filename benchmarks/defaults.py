"""What other defaults would do: the cross-validated log-loss of a table with one setting changed at a time.

    python -m benchmarks defaults [NAME ...]

The tables are those of `benchmarks.tables`, at most 8,000 rows of each. The log-loss of a setting is that of the
candidate which `auto` chooses. All settings are judged on the same five folds.
"""

import warnings
from unittest import mock

import numpy as np

from benchmarks import tables
from pipeline.config import composition, parse, section_of
from pipeline.training import selection

ROWS = 8_000
SETTINGS = {
    "default": [],
    "lambda 0.01": ["train.lambda=0.01"],
    "lambda 1/n": [],  # 1/n is put in for each table
    "smoothness 1": ["train.smoothness=1"],
    "smoothness 100": ["train.smoothness=100"],
    "min_rows 10": ["train.min_rows=10"],
    "tolerance 1e-7": [],
}


def main(names: list[str]) -> None:
    chosen = {name: read for name, read in tables.tables().items() if not names or name in names}
    print("| setting | " + " | ".join(chosen) + " | mean |\n|---" + "|---" * (len(chosen) + 1) + "|")
    cleaned = [tables.cleaned(*read()).head(ROWS).reset_index(drop=True) for read in chosen.values()]
    for setting, overrides in SETTINGS.items():
        losses = [_log_loss(table, setting, overrides) for table in cleaned]
        cells = " | ".join(f"{loss:.4f}" for loss in losses)
        print(f"| {setting} | {cells} | {np.mean(losses):.4f} |", flush=True)


def _log_loss(table, setting, overrides):
    if setting == "lambda 1/n":
        overrides = [f"train.lambda={1 / len(table)}"]
    composed = composition.compose(["data=table", "data.path=-", "data.target=-", *overrides])
    params = section_of(parse(composed, "conf/"), "train", "conf/")
    tolerance = 1e-7 if setting == "tolerance 1e-7" else selection.TOLERANCE
    with warnings.catch_warnings(), mock.patch.object(selection, "TOLERANCE", tolerance):
        warnings.simplefilter("ignore")
        candidates = selection.resolved(table, params)[1]
    return candidates.loc[candidates["chosen"], "log_loss"].item()

"""The files that stages leave for each other and for the user: their names, and how they are replaced.

A stage has one folder, `outputs/<stage>/`, and where it has metrics for git one file, `outputs/<stage>.json`. It writes
into a fresh folder of the same layout (`replaced`), which takes the place of the earlier files when it is complete. So
a stage that fails leaves no half-written folder, no stray file of an earlier run, and the earlier outputs as they were.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import UserError
from pipeline.files import formats

ROOT = Path("outputs")
RECEIPT = Path("track/receipt.json")

DATA_FILE = Path("configure/data")  # digests of the files of data.path and split.path
TEST_FILE = Path("configure/split")
CODE = Path("configure/code")  # a file for each stage, with the digests of the code that it runs

TABLE = Path("load/table.parquet")
COLUMNS = Path("load/columns.csv")
DISTRIBUTIONS = Path("load/distributions.json")
PROFILE = Path("load/profile.json")
CELL_FORMAT = Path("load/cell_format.json")

EXPLORE = Path("explore")

TRAINING_ROWS = Path("split/train.parquet")
TEST_ROWS = Path("split/test.parquet")
TEST_LEFT_OUT = Path("split/test_left_out.parquet")  # the columns of the test rows that are no features
KEY = Path("split/key.parquet")  # the group or the time of the training rows, where rows are split by it
TRAINING_WEIGHTS = Path("split/train_weights.parquet")  # the weight of each row, where data.weight is set
TEST_WEIGHTS = Path("split/test_weights.parquet")
SPLIT_SUMMARY = Path("split/summary.json")

START = Path("train/model/start.json")
MODEL = Path("train/model/model.json")
COSTS = Path("train/costs.csv")
WEIGHTS = Path("train/weights.csv")
EFFECTS = Path("train/effects.csv")  # of weights that belong together: curves, pairs, categories of the same rows
CURVES_OF_FEATURES = Path("train/curves.csv")  # where numbers enter as curves
SURFACES = Path("train/pairs.csv")  # where columns act together
WORDS = Path("train/words.csv")  # of texts and lists
CANDIDATES = Path("train/candidates.csv")  # where train.features or train.lambda are auto
THRESHOLDS = Path("train/thresholds.csv")  # where decision has a method
INFERENCE = Path("train/inference.csv")
TRAINING_SUMMARY = Path("train/summary.json")
TRAINING_WARNINGS = Path("train/warnings.json")

EVALUATION = Path("evaluate")
PLOTS = Path("evaluate/plots")  # for `dvc plots`
PREDICTIONS = Path("evaluate/predictions.csv")
REFERENCE = Path("evaluate/reference.json")  # what later rows are compared with
EVALUATION_WARNINGS = Path("evaluate/warnings.json")

REPORT = Path("report/report.html")
CARD = Path("report/report.md")  # the same in Markdown

SWEEP = Path("sweep")  # with a training of the winner in it
COMBINATIONS = Path("combinations.csv")
CURVES = Path("curves.parquet")
PATHS = Path("paths.csv")
PICTURES = Path("pictures")
ADOPT = Path("adopt.txt")
WINNER = Path("sweep.json")


class Result(NamedTuple):
    """Where one split, its training and its evaluation are."""

    folder: Path  # with split/, train/ and evaluate/ in it
    metrics: Path
    section: str | None = None  # of the metrics file, so that no two files have a metric of the same name

    def save_metrics(self, metrics: dict[str, Any]) -> None:
        """The scores, by model, which `load_metrics` reads back."""
        formats.save_json({self.section: metrics} if self.section else metrics, self.metrics)

    def load_metrics(self) -> dict[str, Any]:
        scores = formats.load_json(self.metrics)
        return scores[self.section] if self.section else scores


def main_result(root: Path = ROOT) -> Result:
    return Result(root, root / "evaluate.json")


def one_vs_rest(root: Path = ROOT) -> Result:
    return Result(root / "one_vs_rest", root / "one_vs_rest.json", "one_vs_rest")


@contextmanager
def replaced(stage: str, root: Path = ROOT) -> Iterator[Path]:
    """A fresh folder to write a stage's outputs in; when the block ends they take the place of the earlier ones.

    If the block raises, the fresh folder is removed and the earlier outputs stay. Where DVC runs the stage, it has
    deleted them before; in that case they are taken from its cache again. (After `kill -9`, `dvc checkout` does that.)
    """
    fresh = root / f".{stage}"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        yield fresh
    except BaseException:
        shutil.rmtree(fresh)
        restore(stage)
        raise
    for entry in fresh.iterdir():
        earlier = root / entry.name
        if earlier.is_dir():
            shutil.rmtree(earlier)
        entry.replace(earlier)
    fresh.rmdir()


def restore(stage: str) -> None:
    """Where DVC runs `stage`: take the outputs that dvc.lock records from DVC's cache, if they are missing.

    Those that the cache does not have stay missing.
    """
    if os.environ.get("DVC_STAGE") != stage:
        return
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            for out in repo.stage.load_one(name=stage).outs:
                if not (out.persist or out.exists) and out.hash_info:
                    out.use_cache = True  # metrics, which git keeps, are in the cache as well
                    out.checkout(allow_missing=True)
    except DvcException as error:
        print(f"warning: the earlier outputs of {stage} can't be restored: {error}")


def refuse_to_replace(file: str, output: str | None) -> None:
    """Errors: `UserError` where the output would take the place of the rows."""
    if output is not None and Path(output).exists() and Path(file).exists() and Path(output).samefile(file):
        raise UserError(f"--output {output} is the file of the rows, which it would replace. Name another file.")

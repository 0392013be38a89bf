"""The files that stages leave for each other and for people: the names that dvc.yaml lists, in Python.

Two results lie side by side in the same layout, that of the pipeline below `ROOT` and that of the one-vs-rest extension
below `ONE_VS_REST`; a sweep has a folder with a training in it, too. Paths without a root hold in each.
"""

from pathlib import Path

ROOT = Path("outputs")
EXPLORE = ROOT / "explore"
SWEEP = ROOT / "sweep"
ONE_VS_REST = ROOT / "one_vs_rest"
RECEIPT = ROOT / "track" / "receipt.json"

TABLE = Path("load/table.parquet")
COLUMNS = Path("load/columns.csv")
DISTRIBUTIONS = Path("load/distributions.json")
PROFILE = Path("load/profile.json")
CELLS = Path("load/cells.json")

TRAINING_ROWS = Path("split/train.parquet")
TEST_ROWS = Path("split/test.parquet")
KEY = Path("split/key.parquet")  # the group or the time of the training rows, where rows are split by it
SPLIT_SUMMARY = Path("split/summary.json")

START = Path("train/model/start.skops")
MODEL = Path("train/model/model.skops")
COSTS = Path("train/costs.csv")
WEIGHTS = Path("train/weights.csv")
INFERENCE = Path("train/inference.csv")
TRAINING_SUMMARY = Path("train/summary.json")

EVALUATION = Path("evaluate")
METRICS = Path("evaluate/metrics.json")

MEMBERS = Path("members.csv")
CURVES = Path("curves.parquet")
PATHS = Path("paths.csv")
PICTURES = Path("pictures")
WINNER = Path("winner.json")
ADOPT = Path("adopt.txt")

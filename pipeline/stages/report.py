"""One page on the result of `train` and `evaluate`, to hand on: outputs/report/report.html."""

from pathlib import Path

from pipeline import config
from pipeline.evaluation import report
from pipeline.files import paths

SECTIONS = ("data", "split", "train", "decision", "evaluate")


def main(root: Path) -> None:
    params = config.load()
    report.write(paths.ROOT, root / paths.REPORT, {section: params[section] for section in SECTIONS})
    print(f"the report is {paths.ROOT / paths.REPORT}")

"""One page on the result of `train` and `evaluate`, to hand on: outputs/report/report.html; and a model card."""

from pathlib import Path

from pipeline import config
from pipeline.evaluation import report
from pipeline.files import paths


def main(root: Path) -> None:
    params = config.load()
    report.write(paths.ROOT, (root / paths.REPORT).parent, {section: params[section] for section in report.SECTIONS})
    print(f"the report is {paths.ROOT / paths.REPORT}")

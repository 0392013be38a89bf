"""One page on the result of `train` and `evaluate`, to hand on: outputs/report/report.html."""

from pathlib import Path

from pipeline import config, outputs, report

SECTIONS = ("data", "split", "train", "decision", "evaluate")


def main(root: Path) -> None:
    params = config.load()
    report.write(outputs.ROOT, root / outputs.REPORT, {section: params[section] for section in SECTIONS})
    print(f"the report is {outputs.ROOT / outputs.REPORT}")

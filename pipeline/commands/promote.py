"""Register a model under the name of the data, and make it the champion unless it is worse than the present one.

    python -m pipeline promote                  # the model of the last `dvc repro`
    python -m pipeline promote RUN_ID --margin 0.005

Both models predict the test rows of this repository. The new one becomes the champion if its log-loss is not larger by
more than the margin: the upper end of the interval of the difference, from a bootstrap of the rows which both models
share (95 %), is at most that. Else nothing changes, and the command fails, so a script can rely on it.
"""

import argparse

from pipeline.tracking import promotion


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_id", nargs="?", metavar="RUN_ID", help="the run of the model; default: outputs/train")
    parser.add_argument("--margin", type=float, default=0.01, help="how much larger the log-loss may be")


def main(run_id: str | None, margin: float) -> None:
    """Errors: as `promotion.promote`."""
    promotion.promote(run_id, margin)

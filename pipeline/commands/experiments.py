"""List the experiments of the commit: the parameters that differ, a few scores on the test rows, the best first.

`dvc exp show` has a column for every parameter and metric; this fits on a terminal. The order is that of
`sweep.score` in params.yaml, within each data set, since scores of different data can't be compared. A line at the end
names the parameters for which there was no room.
"""

from pipeline import config
from pipeline.tracking import experiments


def main() -> None:
    """Print the table. Errors: `UserError` where DVC can't list the experiments."""
    print(experiments.table(experiments.listed(), config.read("sweep").score))

"""Load the data: one of scikit-learn's bundled sets, or the user's own table, checked.

Written are the table with all its columns, a report on each column (its role and why, what is in it, how much it
explains of the target), the warnings to read before trusting a score, and how the cells of the file are written.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import config
from pipeline.columns import dataset, profile
from pipeline.errors import reported_warnings
from pipeline.files import formats, paths, stored

DIGITS = 15  # of the user's own numbers

COMPUTE = "rows"


def main(root: Path) -> None:
    with reported_warnings() as warned:
        data = config.read("data")
        table, report, cell_format = dataset.load(data)
    stored.save_table(table, root / paths.TABLE)
    formats.save_csv(report, root / paths.COLUMNS, DIGITS)
    formats.save_json(profile.distributions(table, report, table.columns[-1]), root / paths.DISTRIBUTIONS, DIGITS)
    formats.save_json(asdict(cell_format), root / paths.CELL_FORMAT)
    formats.save_json({"data": data.title, **summary(table, report, warned)}, root / paths.PROFILE)


def summary(table: stored.Table, report: pd.DataFrame, warned: list[str]) -> dict[str, Any]:
    """Rows, columns of each role, rows of each class, and the warnings."""
    target = table.columns[-1]
    return {
        "rows": len(table),
        "columns": report["role"].value_counts().sort_index().to_dict(),
        "target": target,
        "classes": table[target].value_counts().sort_index().to_dict(),
        "warnings": warned,
    }

"""Load the data: one of scikit-learn's bundled sets, or the user's own table, checked.

Written are the table with all its columns, a report on each column (its role and why, what is in it, how much it
explains of the target), the warnings to read before trusting a score, and how the cells of the file are written.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import config, dataset, outputs
from pipeline.columns import profile
from pipeline.errors import reported_warnings

DIGITS = 15  # of the user's own numbers


def main(root: Path) -> None:
    with reported_warnings() as warned:
        data = config.read("data")
        table, report, cell_format = dataset.load(data)
    outputs.save_table(table, root / outputs.TABLE)
    outputs.save_csv(report, root / outputs.COLUMNS, DIGITS)
    outputs.save_json(profile.distributions(table, report, table.columns[-1]), root / outputs.DISTRIBUTIONS, DIGITS)
    outputs.save_json(asdict(cell_format), root / outputs.CELL_FORMAT)
    outputs.save_json({"data": data.title, **summary(table, report, warned)}, root / outputs.PROFILE)


def summary(table: outputs.Table, report: pd.DataFrame, warned: list[str]) -> dict[str, Any]:
    """Rows, columns of each role, rows of each class, and the warnings."""
    target = table.columns[-1]
    return {
        "rows": len(table),
        "columns": report["role"].value_counts().sort_index().to_dict(),
        "target": target,
        "classes": table[target].value_counts().sort_index().to_dict(),
        "warnings": warned,
    }

"""The table that everything starts from: one of scikit-learn's bundled sets, or a person's own file."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import config, tables
from pipeline.stages import OUTPUTS, run

TABLE = Path("load/table.parquet")
PROFILE = Path("load/profile.json")


def load(data: config.Data) -> tuple[pd.DataFrame, str]:
    """The checked table (n_samples rows, the features, then the target) and the name of its target column."""
    if isinstance(data, config.TableData):
        table, target, source = tables.read(Path(data.path)), data.target, data.path
    else:
        table, target, source = bundled(data.name), "target", data.name
    tables.check(table, target, source)
    features = table.columns.drop(target)
    return table[[*features, target]].astype(dict.fromkeys(features, float)), target


def bundled(name: str) -> pd.DataFrame:
    """A set that ships with scikit-learn, its classes by name.

    Source: https://scikit-learn.org/stable/datasets/toy_dataset.html
    """
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    names = [str(label) for label in bunch.target_names]
    return bunch.data.assign(target=[names[code] for code in bunch.target])


def profile(table: pd.DataFrame, target: str) -> dict[str, Any]:
    """Rows, columns, the features with type and range, and the rows of each class."""
    features = table.drop(columns=target)
    counts = table[target].value_counts().sort_index()
    return {
        "rows": len(table),
        "columns": len(table.columns),
        "target": target,
        "classes": {str(label): int(count) for label, count in counts.items()},
        "features": {
            name: {"type": str(column.dtype), "minimum": column.min(), "mean": column.mean(), "maximum": column.max()}
            for name, column in features.items()
        },
    }


def main() -> None:
    table, target = load(config.read("data"))
    tables.save(table, OUTPUTS / TABLE)
    (OUTPUTS / PROFILE).write_text(json.dumps(profile(table, target), indent=2) + "\n")


if __name__ == "__main__":
    run(main)

"""Training rows and test rows, as `split` in the configuration says, and from here on the columns that are used."""

import json
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline import config, outputs, tables
from pipeline.errors import UserError
from pipeline.stages import load, run, told
from pipeline.tables import leaks, roles, splitting
from pipeline.tables.reading import unknown_column


class Parts(NamedTuple):
    """Rows of the features and, last, the target."""

    train: pd.DataFrame
    test: pd.DataFrame
    key: pd.Series | None  # of the training rows, named "group" or "time": what decided; a sweep's folds follow it


def split(loaded: load.Loaded, params: config.Split, data: config.Data) -> Parts:
    """Warns of test rows that training has too."""
    table, report, written = loaded
    target, features, key = table.columns[-1], roles.features(report), None
    if isinstance(params, config.FileSplit):
        if not isinstance(data, config.TableData):
            raise UserError(f"split.method = 'test_file' is for data=table, not {data.name}. Set split=stratified.")
        train, test = table, load.read_like(Path(params.path), data, table[[*features, target]], written)
    else:
        column = getattr(params, "column", None)
        if column is not None and column not in table:
            raise unknown_column(column, table.columns, "split.column")
        rows, others = _positions(table, params)
        train, test = table.iloc[rows], table.iloc[others]
        if column is not None:
            key = train[column].rename(params.method).reset_index(drop=True)
        if isinstance(params, config.GroupSplit):
            features = [name for name in features if name != column]
            if not features:
                raise UserError(
                    f"split.column = {column!r} is the only feature; as a group it can't be one. Use another."
                )
    _check_classes(table[target], {"training": train[target], "test": test[target]}, params)
    repeated = leaks.repeated_rows(train, test, features)
    if len(repeated):
        warnings.warn(
            f"{len(repeated):,} of {len(test):,} test rows ({len(repeated) / len(test):.1%}) are training rows too, "
            f"feature by feature (the first: test row {repeated[0] + 1:,}). If these are the same cases, the score is "
            f"too good.",
            stacklevel=2,
        )
    return Parts(*(part[[*features, target]].reset_index(drop=True) for part in (train, test)), key)


def _positions(table: pd.DataFrame, params: config.Split) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(params, config.GroupSplit):
        return splitting.grouped(table[params.column], params.test_size, params.seed)
    if isinstance(params, config.TimeSplit):
        return splitting.timed(table[params.column], params.test_size)
    return splitting.stratified(table.iloc[:, -1], params.test_size, params.seed)


def _check_classes(target: pd.Series, parts: dict[str, pd.Series], params: config.Split) -> None:
    knobs = [f"split.{key}" for key in ("test_size", "seed", "path") if hasattr(params, key)]
    for side, labels in parts.items():
        if absent := sorted(set(target.unique()) - set(labels.unique())):
            raise UserError(
                f"split.method = {params.method!r} leaves no {side} row with {target.name} = {absent[0]!r} "
                f"({len(labels):,} {side} rows). Change {' or '.join(knobs)}, or add such rows."
            )


def write(parts: Parts, said: list[str], root: Path) -> None:
    tables.save(parts.train, root / outputs.TRAINING_ROWS)
    tables.save(parts.test, root / outputs.TEST_ROWS)
    (root / outputs.KEY).unlink(missing_ok=True)
    if parts.key is not None:
        tables.save(parts.key.to_frame(), root / outputs.KEY)
    rows = {
        "training_rows": len(parts.train),
        "test_rows": len(parts.test),
        "features": len(parts.train.columns) - 1,
    }
    (root / outputs.SPLIT_SUMMARY).write_text(json.dumps(rows | {"warnings": said}, indent=2) + "\n")


def main() -> None:
    loaded = load.read_back(outputs.ROOT)
    with told() as said:
        parts = split(loaded, config.read("split"), config.read("data"))
    write(parts, said, outputs.ROOT)


if __name__ == "__main__":
    run(main)

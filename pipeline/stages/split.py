"""Training rows and test rows: drawn at random with a seed, every class in the same proportion on both sides."""

from pathlib import Path

import pandas as pd

from pipeline import config, tables
from pipeline.errors import UserError
from pipeline.stages import OUTPUTS, run
from pipeline.stages.load import TABLE

TRAIN = Path("split/train.parquet")
TEST = Path("split/test.parquet")


def split(table: pd.DataFrame, params: config.Split) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Disjoint training and test rows, which together are `table`, each in its order there."""
    from sklearn.model_selection import train_test_split

    target = table.columns[-1]
    try:
        train, test = train_test_split(
            table.index.to_numpy(), test_size=params.test_size, random_state=params.seed, stratify=table[target]
        )
    except ValueError as error:
        counts = table[target].value_counts()
        raise UserError(
            f"column {target!r} can't be split with split.test_size = {params.test_size}: {error} "
            f"The smallest class, {counts.index[-1]!r}, has {counts.iloc[-1]} of {len(table)} rows."
        ) from None
    return table.loc[sorted(train)].reset_index(drop=True), table.loc[sorted(test)].reset_index(drop=True)


def write(train: pd.DataFrame, test: pd.DataFrame, root: Path) -> None:
    tables.save(train, root / TRAIN)
    tables.save(test, root / TEST)


def main() -> None:
    train, test = split(tables.load(OUTPUTS / TABLE), config.read("split"))
    write(train, test, OUTPUTS)


if __name__ == "__main__":
    run(main)

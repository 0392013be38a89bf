"""Look at a table before anything runs: `python -m pipeline table "data/my file.csv" "Heart Disease (0/1)"`.

Prints the role of each column with the reason for it, the classes, the warnings, and the command that makes the table
the data set in use. Without a column to predict, the columns are listed, with those that could be the target. Nothing
is run, nothing is written.

Settings as in `dvc exp run -S` may follow, with or without -S. They change how the file is read and used, and become
part of the command:

    python -m pipeline table data/my.csv outcome 'data.delimiter=";"' +data.roles.zip_code=categorical
"""

import argparse
from collections.abc import Sequence

from pipeline.columns import preview


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="the file of the table, or a folder of files")
    parser.add_argument("target", nargs="?", help="the column to predict")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="further settings")
    parser.add_argument(
        "-S", dest="more", action="append", default=[], metavar="KEY=VALUE", help="the same, as in dvc exp run"
    )


def main(file: str, target: str | None, overrides: Sequence[str], more: Sequence[str] = ()) -> None:
    """Print what the pipeline would do with the table in `file`. Errors: `UserError`, as of the stages load and split.

    target     the column to predict
    overrides  further settings in Hydra's grammar, applied as by `dvc exp run -S`; and more of them
    """
    table = preview.named("table", file, target, [*overrides, *more])
    if preview.show(table) is not None:
        print(f"\nTo use this table:\n{table.words(table.target, 'use')}")

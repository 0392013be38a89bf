"""Make a table of yours, or a data set that conf/data has, the one that every later command concerns.

    python -m pipeline use                          # the files in data/ and the data sets there are
    python -m pipeline use data/telco.csv           # its columns, and those that could be the target
    python -m pipeline use data/telco.csv Churn     # conf/data/telco.yaml, the default of conf/config.yaml
    python -m pipeline use breast_cancer            # back to another one

Prints the role of each column with the reason for it, the classes and the warnings. The file in conf/data has what
differs from conf/data/table.yaml; the table stays where it is, also outside data/, and is not copied. Settings as in
`dvc exp run -S` may follow, with or without -S, and go into that file; they add to what it has:

    python -m pipeline use data/telco.csv Churn 'data.drop=[customerID]' data.roles.zip_code=categorical
"""

import argparse
import difflib
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pipeline import config
from pipeline.columns import preview
from pipeline.config import composition, data_file, data_sets
from pipeline.errors import UserError

OWN = Path("data")  # where tables are looked for
KEPT = {".gitignore", "README.md"}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", help="the file of a table, a folder of files, or a name of conf/data/")
    parser.add_argument("target", nargs="?", help="the column to predict")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="further settings")
    parser.add_argument(
        "-S", dest="more", action="append", default=[], metavar="KEY=VALUE", help="the same, as in dvc exp run"
    )


def main(file: str | None, target: str | None, overrides: Sequence[str], more: Sequence[str] = ()) -> None:
    """Errors: `UserError` for a table or settings that can't be used; nothing is written then."""
    if file is None:
        _list()
        return
    settings, edits = [*overrides, *more], composition.edits()
    if file in data_sets.names():
        if target is not None or settings:
            path = data_sets.own_values(file).get("path")
            way = f" {' '.join(data_sets.COMMAND)} {shlex.quote(path)} ... changes it." if path else ""
            raise UserError(
                f"{file} is a name of conf/data/, whose settings are in {data_sets.file_of(file)}: give it alone.{way}"
            )
        _switch(file, edits)
        return
    table = preview.named("use", file, target, settings)
    if not Path(table.path).exists():
        raise UserError(_unknown(file))
    name = next((each for each in data_sets.names() if data_sets.own_values(each).get("path") == table.path), None)
    if name and table.target in (None, data_sets.own_values(name).get("target")) and not table.settings:
        print(f"{data_sets.file_of(name)} is the file of this table already, and stays as it is.")
        _switch(name, edits)
        return
    described = preview.show(table, name or data_sets.PATTERN)
    if described is None:
        return
    name = name or data_sets.new_name(table.path)
    replaced = data_file.write(name, described)
    print("\n".join([f"\n{data_sets.file_of(name)} is written.", *(f"  {line}" for line in replaced)]))
    _switch(name, edits)


def _switch(name: str, edits: list[str]) -> None:
    """Make the data set the one in use, in conf/ and in params.yaml, and print the edits there that are lost."""
    before = data_sets.in_use()
    composed = composition.compose([f"data={name}"])
    composition.check(composed, f"conf/ with data={name}")
    data_sets.use(name)
    # Experiments in copies have what git knows, and no more.
    subprocess.run(["git", "add", str(data_sets.file_of(name))], capture_output=True, check=False)
    config.PARAMS.write_text(composed, encoding="utf-8")
    if before == name:
        print(f"The data set in use is {name}, as before.")
    else:
        back = shlex.join([*data_sets.COMMAND, before])
        print(f"The data set in use is {name} ({data_sets.DEFAULTS}), before it was {before}. Back to it: {back}")
    if edits:
        print("\n  ".join(["The settings are those of conf/ again:", *edits]))
    print("Next: dvc repro")


def _files() -> list[Path]:
    """What is in data/, but for the files of the repository."""
    return [entry for entry in sorted(OWN.glob("*")) if entry.name not in KEPT and entry.suffix != ".dvc"]


def _unknown(name: str) -> str:
    """What is said of a name that is no file and no data set."""
    known = [*data_sets.names(), *map(str, _files()), *(path.name for path in _files())]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"{name} is no file, and no data set of conf/data/.{hint} `{' '.join(data_sets.COMMAND)}` lists both."


def _list() -> None:
    """The files in data/ and the data sets, with the command for each."""
    files = _files()
    in_use = data_sets.in_use()
    print("Tables in data/:" if files else "There is no table in data/. Put one there, or name one elsewhere:")
    for path in files or [Path("FILE")]:
        print(f"  {shlex.join([*data_sets.COMMAND, str(path)])}")
    print("\nData sets in conf/data/:")
    for name in data_sets.names():
        print(f"  {shlex.join([*data_sets.COMMAND, name])}{'   (in use)' if name == in_use else ''}")

"""The table that everything starts from: one of scikit-learn's bundled sets, or a person's own file.

Written are the table with all its columns, a report on each of them (its role and why, what is in it, what it tells
about the target), what a person should know before trusting a score, and how the cells were written.
"""

import json
import warnings
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pipeline import config, outputs, tables
from pipeline.errors import UserError
from pipeline.stages import run, told
from pipeline.tables import expectations, leaks, profile, roles
from pipeline.tables.options import Cells, Options
from pipeline.tables.reading import read
from pipeline.tables.target import known_rows, with_target


class Loaded(NamedTuple):
    """What `main` writes and `read_back` reads."""

    table: pd.DataFrame  # n_samples rows, the target last
    report: pd.DataFrame  # on its columns (`profile.describe`)
    cells: Cells  # how they were written


def load(data: config.Data) -> Loaded:
    if isinstance(data, config.TableData):
        return own(data)
    table = bundled(data.name)
    role = ["numeric"] * (len(table.columns) - 1) + ["target"]
    decided = pd.DataFrame({"column": table.columns, "role": role, "reason": data.source})
    return Loaded(table, profile.describe(table, decided, "target"), Cells())


def own(data: config.TableData) -> Loaded:
    """A person's table. Raises `UserError` for what can't be read or learnt from, warns of what can but misleads."""
    path = Path(data.path)
    warn_if_outside(path)
    table, written = read(path, options(data), target=data.target, roles=data.roles)
    expectations.check(table, expected(data), data.path)
    try:
        table = with_target(table, data.target)
        decided = roles.decide(table, data.target, data.roles)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    table = table[[*table.columns.drop(data.target), data.target]]
    report = profile.describe(table, decided, data.target)
    for name, score in leaks.disguised_targets(table, report, data.target).items():
        warnings.warn(
            f"{name!r} alone tells {data.target!r} almost perfectly (balanced accuracy {score:.3f}): known before it, "
            f"or its consequence? If the latter, data.drop it.",
            stacklevel=2,
        )
    return Loaded(table, report, written)


def warn_if_outside(path: Path) -> None:
    if not path.resolve().is_relative_to(Path("data").resolve()):
        warnings.warn(f"{path} is not under data/: DVC will not notice when it changes.", stacklevel=3)


def expected(data: config.TableData) -> dict[str, dict[str, Any]]:
    return {name: rules.model_dump(exclude_none=True) for name, rules in data.expectations.items()}


def read_back(root: Path) -> Loaded:
    cells = Cells(**json.loads((root / outputs.CELLS).read_text()))
    return Loaded(tables.load(root / outputs.TABLE), read_report(root / outputs.COLUMNS), cells)


def read_report(path: Path) -> pd.DataFrame:
    """The report on the columns as `main` wrote it; a column may be called `NA`, or `2024`."""
    return pd.read_csv(path, dtype={"column": str}, keep_default_na=False, na_values=[""])


def options(data: config.TableData) -> Options:
    return Options(**{field.name: getattr(data, field.name) for field in fields(Options)})


def read_like(path: Path, data: config.TableData, table: pd.DataFrame, written: Cells) -> pd.DataFrame:
    """Another file with the columns of `table`, in its order and types. Raises `UserError` where it differs."""
    warn_if_outside(path)
    role = {"float64": "numeric", "str": "categorical", "datetime64[us]": "date"}
    kinds = {name: role[str(kind)] for name, kind in table.dtypes.items()}
    forms, words = ({name: of[name] for name in of if name in table} for of in (written.date_format, written.replace))
    alike = asdict(written) | {"date_format": forms, "replace": words, "columns": list(table.columns), "drop": ()}
    other = read(path, replace(options(data), **alike), target=data.target, roles=kinds).frame
    expectations.check(other, {name: rules for name, rules in expected(data).items() if name in other}, str(path))
    other = known_rows(other, data.target, f"{path}: ")[table.columns]
    known = set(table[data.target].unique())
    if new := sorted(set(other[data.target].unique()) - known):
        raise UserError(
            f"{path} has {data.target} = {new[0]!r}; {data.path} has {', '.join(map(repr, sorted(known)))}. If it is "
            f"one of these, say so: data.replace.{data.target} = {{{new[0]!r}: ...}}."
        )
    return other


def bundled(name: str) -> pd.DataFrame:
    """A set that ships with scikit-learn, its classes by name.

    Source: https://scikit-learn.org/stable/datasets/toy_dataset.html
    """
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    names = [str(label) for label in bunch.target_names]
    table = bunch.data.astype(float).assign(target=[names[code] for code in bunch.target])
    return table.astype({"target": "str"})


def summary(table: pd.DataFrame, report: pd.DataFrame, said: list[str]) -> dict[str, Any]:
    """Rows, columns of each role, rows of each class, and the warnings."""
    target = table.columns[-1]
    return {
        "rows": len(table),
        "columns": report["role"].value_counts().sort_index().to_dict(),
        "target": target,
        "classes": table[target].value_counts().sort_index().to_dict(),
        "warnings": said,
    }


def main() -> None:
    with told() as said:
        table, report, written = load(config.read("data"))
    tables.save(table, outputs.ROOT / outputs.TABLE)
    report.to_csv(outputs.ROOT / outputs.COLUMNS, index=False)
    bars = profile.distributions(table, report, table.columns[-1])
    (outputs.ROOT / outputs.DISTRIBUTIONS).write_text(json.dumps(bars) + "\n")
    (outputs.ROOT / outputs.CELLS).write_text(json.dumps(asdict(written), indent=2) + "\n")
    (outputs.ROOT / outputs.PROFILE).write_text(json.dumps(summary(table, report, said), indent=2) + "\n")


if __name__ == "__main__":
    run(main)

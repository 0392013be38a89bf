"""The table and its training and test rows, as the sections `data` and `split` of the configuration say."""

import shlex
import warnings
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline import config, reading
from pipeline.columns import associations, codes, expectations, leaks, profile, roles, sentinels, spellings, splitting
from pipeline.columns.target import known_rows, with_target, without_class
from pipeline.errors import UserError
from pipeline.files import formats, paths, stored
from pipeline.files.stored import Table
from pipeline.overrides import assignment, beside, override
from pipeline.reading import CellFormat, Options


class Loaded(NamedTuple):
    """The table that everything starts from, and what is known about it."""

    table: Table  # n_samples rows, the target last
    report: pd.DataFrame  # one row per column: its role, why, and what is in it (`profile.describe`)
    cell_format: CellFormat  # how the cells of the file are written


class Parts(NamedTuple):
    """Rows of the features and, last, the target."""

    train: Table
    test: Table
    key: pd.Series | None  # the group or the time of each training row, named "group" or "time": a sweep's folds use it
    left_out: Table  # the columns of the test rows that are no features
    train_weight: pd.Series | None = None  # of each row, where data.weight is set
    test_weight: pd.Series | None = None


def load(data: config.Data) -> Loaded:
    """A bundled data set or the user's table. Errors: `UserError` for what can't be read or learnt from."""
    if isinstance(data, config.TableData):
        with beside("data", data.model_dump()):
            return _own(data)
    table = bundled(data.name)
    role = ["numeric"] * (len(table.columns) - 1) + ["target"]
    decided = pd.DataFrame({"column": table.columns, "role": role, "reason": data.source})
    return Loaded(table, profile.describe(table, decided, "target"), CellFormat())


def read_back(root: Path) -> Loaded:
    """What the stage `load` wrote below `root`."""
    cell_format = CellFormat(**formats.load_json(root / paths.CELL_FORMAT))
    return Loaded(stored.StoredTable(root / paths.TABLE), formats.load_columns(root / paths.COLUMNS), cell_format)


def bundled(name: str) -> pd.DataFrame:
    """A data set that ships with scikit-learn, its classes by name.

    Source: https://scikit-learn.org/stable/datasets/toy_dataset.html
    """
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    names = [str(label) for label in bunch.target_names]
    table = bunch.data.astype(float).assign(target=[names[code] for code in bunch.target])
    return table.astype({"target": "str"})


def split(loaded: Loaded, params: config.Split, data: config.Data) -> Parts:
    """Training rows and test rows, with the columns that are used. Warns of test rows that training has too."""
    table, report, cell_format = loaded
    target, features, key = table.columns[-1], roles.features(report), None
    weight, offset = (roles.named(report, role) for role in ("weight", "offset"))
    train: Table
    test: Table
    if isinstance(params, config.FileSplit):
        if not isinstance(data, config.TableData):
            raise UserError(f"split.method = 'test_file' is for data=table, not {data.name}. Set split=stratified.")
        used = [name for name in (*features, offset, weight) if name is not None]
        train, test = table, _read_like(Path(params.path), data, table[[*used, target]], cell_format)
    else:
        column = getattr(params, "column", None)
        if column is not None and column not in table:
            raise reading.unknown_column(column, table.columns, "split.column")
        rows, others = _positions(table, params)
        train, test = table.take(rows), table.take(others)
        if column is not None:
            key = train[column].rename(params.method).reset_index(drop=True)
        if isinstance(params, config.GroupSplit):
            features = [name for name in features if name != column]
            if not features:
                raise UserError(
                    f"split.column = {column!r} is the only feature, and the column of the groups can't be a feature. "
                    "Use another column."
                )
    _check_classes(table[target], {"training": train[target], "test": test[target]}, params)
    if isinstance(params, config.RandomSplit):
        leaks.warn_of_dates(table, report)
        leaks.warn_of_repeats(table, report, target)
    repeated = leaks.repeated_rows(train, test, features)
    if len(repeated):
        warnings.warn(
            f"{len(repeated):,} of {len(test):,} test rows ({len(repeated) / len(test):.1%}) have the same features as "
            f"a training row (the first: test row {repeated[0] + 1:,}). If these are the same cases, the score is too "
            f"good.",
            stacklevel=2,
        )
    used = [*features, *([] if offset is None else [offset]), target]
    weights = (None if weight is None else part[weight].reset_index(drop=True) for part in (train, test))
    train, test, left_out = (
        part.reset_index(drop=True) if isinstance(part, pd.DataFrame) else part
        for part in (train[used], test[used], test.drop(columns=used))
    )
    return Parts(train, test, key, left_out, *weights)


def write(split: Parts, data: config.Data, warned: list[str], root: Path) -> None:
    """The rows, the key and a summary with the title of the data and the warnings, below `root`."""
    stored.save_table(split.train, root / paths.TRAINING_ROWS)
    stored.save_table(split.test, root / paths.TEST_ROWS)
    if len(split.left_out.columns):
        stored.save_table(split.left_out, root / paths.TEST_LEFT_OUT)
    for series, path in ((split.train_weight, paths.TRAINING_WEIGHTS), (split.test_weight, paths.TEST_WEIGHTS)):
        if series is not None:
            stored.save_table(series.to_frame(), root / path)
    if split.key is not None:
        stored.save_table(split.key.to_frame(), root / paths.KEY)
    summary = {
        "data": data.title,
        "training_rows": len(split.train),
        "test_rows": len(split.test),
        "features": len(split.train.columns) - 1,
        "warnings": warned,
    }
    formats.save_json(summary, root / paths.SPLIT_SUMMARY)


def _own(data: config.TableData) -> Loaded:
    path = Path(data.path)
    numbers = {name: "numeric" for name in (data.weight, data.offset) if name is not None}
    table, cell_format = reading.read(path, options_of(data), target=data.target, roles=numbers | data.roles)
    expectations.check(table, _expected(data), data.path)
    table = _with_codes(table, data)
    try:
        table = with_target(table, data.target)
        decided = roles.decide(table, data.target, data.roles, weight=data.weight, offset=data.offset)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    table = table[[*table.columns.drop(data.target), data.target]]
    report = profile.describe(table, decided, data.target)
    sentinels.warn(table, decided)
    spellings.warn(spellings.found(table, data.target), _table_command(data))
    associations.warn(table, decided)
    leaks.warn_of_leaks(table, report, data.target)
    return Loaded(table, report, cell_format)


def _with_codes(table: pd.DataFrame, data: config.TableData) -> pd.DataFrame:
    """The table with the columns that are codes as strings, as the file has them: `02139`."""
    special = (data.target, data.weight, data.offset)
    known = {*data.roles, *data.expectations, *(name for name in special if name is not None)}
    if not (found := codes.found(table, known)):
        return table
    options = replace(options_of(data), columns=found, drop=())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kinds = dict.fromkeys(found, "categorical")
        strings = reading.read(Path(data.path), options, target=data.target, roles=kinds).frame
    return table.assign(**{name: strings[name] for name in found})


def _read_like(path: Path, data: config.TableData, table: Table, cell_format: CellFormat) -> pd.DataFrame:
    """Another file with the columns of `table`, in its order and types. Errors: `UserError` where it differs."""
    role = {"float64": "numeric", "str": "categorical", "datetime64[us]": "date"}
    kinds = {str(name): role[str(kind)] for name, kind in table.dtypes.items()}
    settings = asdict(cell_format)
    same = settings | {
        key: {name: value for name, value in (settings[key] or {}).items() if name in table}
        for key in ("date_format", "units", "parts", "replace")
    }
    options = replace(options_of(data), **same, columns=list(table.columns), drop=())
    other = reading.read(path, options, target=data.target, roles=kinds).frame
    rules = {name: rules for name, rules in _expected(data).items() if name in other}
    expectations.check(other, rules, str(path))
    other = known_rows(other, data.target, f"{path}: ")[table.columns]
    classes = set(table[data.target].unique())
    if new := sorted(set(other[data.target].unique()) - classes):
        raise UserError(
            f"{path} has {data.target} = {new[0]!r}; {data.path} has {', '.join(map(repr, sorted(classes)))}. If it is "
            f"one of these: {override('data.replace', {data.target: {new[0]: min(classes)}})}, for example."
        )
    return other


def options_of(data: config.TableData) -> Options:
    """How to read the file of a table, from its section of the configuration."""
    return Options(**{field.name: getattr(data, field.name) for field in fields(Options)})


def _table_command(data: config.TableData) -> str:
    """The command that looks at the table again, read in the same way."""
    usual = Options()
    differ = {field.name: getattr(data, field.name) for field in fields(Options)} | {"more_missing": []}
    settings = [
        assignment(f"data.{key}", value)
        for key, value in differ.items()
        if value not in (getattr(usual, key), [], None)
    ]
    return shlex.join(["python", "-m", "pipeline", "table", data.path, data.target, *settings])


def _expected(data: config.TableData) -> dict[str, dict[str, Any]]:
    return {name: rules.model_dump(exclude_none=True) for name, rules in data.expectations.items()}


def _positions(
    table: Table, params: config.RandomSplit | config.GroupSplit | config.TimeSplit
) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(params, config.GroupSplit):
        return splitting.grouped(table[params.column], params.test_size, params.seed)
    if isinstance(params, config.TimeSplit):
        return splitting.timed(table[params.column], params.test_size)
    return splitting.stratified(table[table.columns[-1]], params.test_size, params.seed)


def _check_classes(target: pd.Series, sides: dict[str, pd.Series], params: config.Split) -> None:
    settings = [f"split.{key}" for key in ("test_size", "seed", "path") if hasattr(params, key)]
    classes = target.value_counts().index.tolist()
    for side, labels in sides.items():
        if absent := sorted(set(target.unique()) - set(labels.unique())):
            raise UserError(
                f"split.method = {params.method!r} leaves no {side} row with {target.name} = {absent[0]!r} "
                f"({len(labels):,} {side} rows). "
                + (
                    without_class(str(target.name), absent, classes)
                    if isinstance(params, config.RandomSplit)
                    else f"Change {' or '.join(settings)}, or add such rows."
                )
            )

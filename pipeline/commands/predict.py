"""Predict the rows of a file: class, probability, decision, and what contributes most, one line per row.

    python -m pipeline predict data/new.csv > predictions.csv
    python -m pipeline predict data/new.csv --output predictions.parquet --model models:/adult@champion

The file is written like the training table, but needs no target. Each row is found again by its line in the file. Rows
that can't be read are reported with line and reason; the others are predicted. Columns that are unlike those of
training (new categories, numbers out of range) are reported once. Memory does not grow with the file.

    class           the most probable class
    probability_*   of two classes that of the positive one, else of each
    decision        the class that the model decides for, which is also what it serves: with its threshold, if it has
                    one (`decision` in conf/), else the most probable one
    contribution_*  the three largest, each with what it adds to the log-odds of the positive of two classes, or of the
                    class itself, compared with the average training row; of a text or list with the words or values
                    that add most
"""

import argparse
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
from tqdm import tqdm

from pipeline.columns import novelty
from pipeline.errors import UserError, warned_once
from pipeline.files import formats
from pipeline.files.paths import refuse_to_replace
from pipeline.logistic.threads import STRIPS, Call, workers
from pipeline.model import Model
from pipeline.reading.rows import Chunk, chunks
from pipeline.tracking import named

COMPUTE = "fits"
LARGEST = 3  # contributions of a row


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="the rows to predict: CSV, Excel, Parquet and others")
    parser.add_argument("--output", metavar="FILE", help="a .csv or .parquet file, instead of the terminal")
    parser.add_argument("--model", help=named.HELP)


def main(file: str, model: str | None, output: str | None) -> None:
    """Errors: `UserError` for a file, a model or an output that can't be used, and where no row can be read."""
    refuse_to_replace(file, output)
    fitted, options = named.model_of(model)
    n_rows, n_wrong, unlike = 0, 0, novelty.Counts()
    read = map(Part, chunks(Path(file), fitted.raw_columns, options))
    with warned_once(), writing(output) as write, workers() as run, tqdm(unit=" rows", disable=None) as bar:
        while blocks := list(islice(read, STRIPS)):
            fitted.read(blocks[0].rows.head(0))  # warns here of columns that are not there
            for block, (table, wrong, counts) in zip(blocks, run(Call("predicted", (fitted,)), blocks), strict=True):
                for place in sorted(wrong):
                    print(f"{file}, {block.rows.index.name} {place}: {wrong[place]}", file=sys.stderr)
                if len(table):
                    write(table)
                n_rows, n_wrong, unlike = n_rows + len(table), n_wrong + len(wrong), novelty.added(unlike, counts)
                bar.update(len(table))
        if n_rows == 0:
            raise UserError(f"{file} has no row that can be read{f' ({n_wrong:,} that cannot)' if n_wrong else ''}.")
        for message in novelty.messages(fitted.design, unlike):
            print(f"warning: {message}", file=sys.stderr)
        unread = f"; {n_wrong:,} can't be read" if n_wrong else ""
        print(f"{n_rows:,} rows predicted{unread}", file=sys.stderr)


class Part:
    """A chunk of rows that threads, or the workers of a cluster, predict."""

    def __init__(self, chunk: Chunk) -> None:
        self.rows, self.wrong = chunk

    def predicted(self, fitted: Model) -> tuple[pd.DataFrame, dict[int, str], novelty.Counts]:
        """The predictions, why the other rows have none, by their place, and how many cells training had none of."""
        frame, reasons = fitted.read_each(self.rows)
        return predictions(fitted, frame), self.wrong | reasons, novelty.counts(fitted.design, frame)

    def __getstate__(self) -> dict[str, Any]:
        """The rows as one array, which goes to a worker through a file."""
        return {"rows": np.frombuffer(pickle.dumps(self.rows), np.uint8), "wrong": self.wrong}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.rows, self.wrong = pickle.loads(state["rows"].data), state["wrong"]


def predictions(fitted: Model, frame: pd.DataFrame) -> pd.DataFrame:
    """One line for each row of typed columns, after its place in the file."""
    (probable, decided, P), classes = fitted.predicted(frame), fitted.classes_
    labels = [fitted.positive_class] if len(classes) == 2 else [str(label) for label in classes]
    places = np.flatnonzero(np.isin(classes.astype(str), labels))
    table = {frame.index.name: frame.index, "class": probable}
    for name, column in zip(labels, P[:, places].T, strict=True):
        table[f"probability_{name}"] = formats.significant(column, formats.SCORE_DIGITS)
    table["decision"] = decided
    contributions = fitted.contributions(frame)
    column = 0 if contributions.shape[2] == 1 else np.searchsorted(classes, decided)
    values = contributions[np.arange(len(frame)), :, column].round(9)
    largest = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :LARGEST]
    words = fitted.words(frame, column)
    cells = [words.get(term) or _cells(frame, term) for term in fitted.design.groups]
    for k in range(largest.shape[1]):
        table[f"contribution_{k + 1}"] = [
            f"{cells[term][row]} ({values[row, term]:+.2f})" for row, term in enumerate(largest[:, k].tolist())
        ]
    return pd.DataFrame(table)


def _cells(frame: pd.DataFrame, term: tuple[str, ...]) -> list[str]:
    """What each row has in a column, or in a pair of columns: `age = 52`, `sex is missing`."""
    columns = [[f"{name} is missing" if pd.isna(x) else f"{name} = {_cell(x)}" for x in frame[name]] for name in term]
    return [" and ".join(of_row) for of_row in zip(*columns, strict=True)]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.7g}"
    return str(value).removesuffix(" 00:00:00") if isinstance(value, pd.Timestamp) else str(value)


@contextmanager
def writing(output: str | None) -> Iterator[Callable[[pd.DataFrame], None]]:
    """A function that writes a table below the earlier ones: as CSV to the terminal, as CSV or Parquet to a file.

    The file appears when all is written.
    """
    if output is None:
        yield _csv_writer(sys.stdout)
        sys.stdout.flush()
        return
    path = Path(output)
    if path.suffix not in (".csv", ".parquet"):
        raise UserError(f"--output {output} should end in .csv or .parquet.")
    fresh = path.with_name(f".{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _to_csv(fresh) if path.suffix == ".csv" else _to_parquet(fresh) as write:
            yield write
        fresh.replace(path)
    except OSError as error:
        raise UserError(f"{output} can't be written: {error.strerror or error}.") from None
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def _to_csv(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    with path.open("w", encoding="utf-8", newline="") as file:
        yield _csv_writer(file)


def _csv_writer(file: Any) -> Callable[[pd.DataFrame], None]:
    header = True

    def write(table: pd.DataFrame) -> None:
        nonlocal header
        table.to_csv(file, index=False, header=header, float_format=f"%.{formats.SCORE_DIGITS}g", lineterminator="\n")
        header = False

    return write


@contextmanager
def _to_parquet(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    writer: parquet.ParquetWriter | None = None

    def write(table: pd.DataFrame) -> None:
        nonlocal writer
        rows = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
        writer = writer or parquet.ParquetWriter(path, rows.schema)
        writer.write_table(rows)

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()

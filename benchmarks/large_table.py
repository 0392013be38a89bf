"""A large table with a known model: numbers, strings, and one column of very many categories.

    python -m benchmarks.large_table data/large.csv --rows 1000000

The target is drawn from a logistic regression on all columns. The same arguments give the same bytes.
"""

import argparse
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

CHUNK = 250_000  # rows that are in memory at once
FEW = (3, 8, 12, 50)  # categories of the other columns of strings


def chunks(rows: int, numbers: int, categories: int, seed: int):
    """The table in chunks: `numbers` numeric columns, five of strings (the last of many categories), the target."""
    rng = np.random.default_rng(seed)
    slopes, sizes = rng.normal(size=numbers) / np.sqrt(numbers), [*FEW, categories]
    effects = [rng.normal(size=size) / 3 for size in sizes]
    names = [pa.array([f"{'abcde'[k]}{code:05d}" for code in range(size)]) for k, size in enumerate(sizes)]
    for start in range(0, rows, CHUNK):
        n = min(CHUNK, rows - start)
        X, margin = rng.normal(size=(n, numbers)).round(4), np.full(n, -0.5)
        columns = {f"number_{j}": X[:, j] for j in range(numbers)}
        margin += X @ slopes
        for k, size in enumerate(sizes):
            codes = (size * rng.random(n) ** 2).astype(np.int32)  # some are frequent, most are rare
            margin += effects[k][codes]
            columns[f"string_{k}"] = names[k].take(pa.array(codes))
        columns["outcome"] = pa.array(["no", "yes"]).take(pa.array((rng.random(n) < 1 / (1 + np.exp(-margin))) * 1))
        yield pa.table(columns)


def write(path: Path, rows: int, numbers: int = 25, categories: int = 100_000, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = chunks(rows, numbers, categories, seed)
    first = next(parts)
    with csv.CSVWriter(path, first.schema, write_options=csv.WriteOptions(quoting_style="none")) as file:
        for part in chain([first], parts):
            file.write_table(part)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--numbers", type=int, default=25)
    parser.add_argument("--categories", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    write(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()

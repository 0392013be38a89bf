"""The ladder from the formula to threads: what each rung gains, for one cost and gradient. docs/ladder.md explains it.

    python -m benchmarks ladder [ROWS]        1,000,000 rows if ROWS is not given; 30 numbers, and 5 with 3 strings

The rungs take turns, and the smallest of several runs counts: other work on the machine only adds to it.
"""

import time

import numpy as np

from benchmarks.measure import table
from benchmarks.scale import base_matrix
from pipeline.logistic import objective as formula
from pipeline.logistic.binomial import Binomial
from pipeline.logistic.blocks import Strip
from pipeline.logistic.matrix import Block, Matrix
from pipeline.logistic.one_exp import OneArray
from pipeline.logistic.penalty import Ridge
from pipeline.logistic.strips import Strips
from pipeline.logistic.threads import thread_count, workers

RUNS, LOSS = 25, Binomial()


def main(arguments: list[str]) -> None:
    n_rows = int(arguments[0]) if arguments else 1_000_000
    X, y = table(n_rows, 30)
    numbers = rungs(Matrix([Block(X)]), y, X)
    del X
    block = base_matrix(n_rows, 5, 30)
    strings = rungs(Matrix([block]), y, Matrix([block]).toarray())
    print(f"| rung | 30 numbers | times faster | 5 numbers, 5 strings ({block.n_base} features) | times faster |")
    print("|---|---|---|---|---|")
    for name in numbers:
        cells = []
        for seconds in (numbers, strings):
            cells += [f"{seconds[name] * 1e3:.3g} ms", f"{seconds['formula'] / seconds[name]:.1f}"]
        print("|", " | ".join([name, *cells]), "|")


def rungs(matrix: Matrix, y: np.ndarray, X: np.ndarray) -> dict[str, float]:
    """Seconds of one cost and gradient at the same weights, on each rung, and of only reading the rows."""
    W, s = np.random.default_rng(1).normal(size=(X.shape[1] + 1, 1)) * 0.1, np.array(1 / len(y))
    labels, penalty, block = y[:, None], Ridge(0.0), matrix.blocks[0]
    stored = [block.dense] if block.codes is None else [block.dense, block.codes]
    with workers() as run:
        one, strip = OneArray(X, y, s), Strip(block, y, s, True, 1)
        strips, pieces = Strips(matrix, y, s, True, 1, run), [
            piece for array in stored for piece in np.array_split(array.reshape(-1), thread_count())
        ]  # fmt: skip
        work = {
            "formula": lambda: (formula.cost(W, X, labels, penalty), formula.gradient(W, X, labels, penalty)),
            "one exponential": lambda: evaluated(one, W),
            "blocks and codes": lambda: strip.evaluate(LOSS, None, W),
            "strips and threads": lambda: evaluated(strips, W),
            "only reading X": lambda: list(run(np.max, pieces)),
        }
        seconds = dict.fromkeys(work, np.inf)
        for _ in range(RUNS):
            for name, rung in work.items():
                start = time.perf_counter()
                rung()
                seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds


def evaluated(rows: OneArray | Strips, W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sums of the loss and of its gradient."""
    out, buffer = np.empty(W.shape), rows.buffer(1, 1)
    rows.evaluate(LOSS, None, W, out, buffer[0])
    return rows.values(LOSS, None, W[None], buffer), out

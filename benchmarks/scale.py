"""What one pass (cost and gradient) takes, against rows, numeric columns, categories and columns of weights.

    python -m benchmarks scale [LARGEST]        LARGEST rows at most, 10,000,000 if it is not given

The smallest of several runs is shown: other work on the machine only adds to it.
"""

import time

import numpy as np

from pipeline.logistic.fast_objective import FastObjective
from pipeline.logistic.matrix import Block, Matrix
from pipeline.logistic.penalty import Ridge
from pipeline.logistic.threads import workers

RUNS = 7


def base_matrix(rows: int, numbers: int = 25, categories: int = 100) -> Block:
    """`numbers` float columns, and five of codes, the last with so many categories."""
    rng = np.random.default_rng(0)
    sizes = [3, 8, 12, 50, categories]
    starts = np.cumsum([0, *sizes])
    codes = np.empty((rows, len(sizes)), dtype=np.int32)
    for j, size in enumerate(sizes):
        codes[:, j] = starts[j] + (size * rng.random(rows) ** 2).astype(np.int32)
    return Block(rng.random((rows, numbers)), codes, int(starts[-1]))


def one_pass(rows: int, numbers: int = 25, categories: int = 100, columns: int = 1) -> tuple[float, float]:
    """Seconds of a pass, and bytes of the base matrix."""
    block = base_matrix(rows, numbers, categories)
    seconds = passes(Matrix([block]), np.random.default_rng(1).integers(0, 2, rows), columns)
    return min(seconds[1:]), block.dense.nbytes + block.codes.nbytes


def passes(matrix: Matrix, y: np.ndarray, columns: int = 1) -> list[float]:
    """Seconds of each pass. In the first one, the workers of a cluster get the rows."""
    with workers() as run:
        objective = FastObjective(matrix, y, np.ones(columns, int), Ridge(np.full(columns, 1e-5)), run=run)
        W, gradient, buffer = np.zeros(objective.shape), np.empty(objective.shape), objective.buffer(1)[0]
        seconds = []
        for _ in range(RUNS + 1):
            start = time.perf_counter()
            objective.evaluate(W, gradient, buffer)
            seconds.append(time.perf_counter() - start)
    return seconds


def main(arguments: list[str]) -> None:
    largest = int(arguments[0]) if arguments else 10_000_000
    print("| rows | numbers | categories | columns of weights | bytes | pass | GB/s |\n|---|---|---|---|---|---|---|")
    settings = [(10**k, 25, 100, 1) for k in range(3, 8) if 10**k <= largest]
    settings += [(10**6, 5, 100, 1), (10**6, 100, 100, 1)]
    settings += [(10**6, 25, 100, k) for k in (2, 7, 35)]
    settings += [(10**6, 25, 100_000, k) for k in (1, 7, 35)]
    for rows, numbers, categories, columns in settings:
        seconds, size = one_pass(rows, numbers, categories, columns)
        cells = [f"{rows:,}", numbers, f"{categories:,}", columns, f"{size / 1e6:,.3g} MB"]
        print(
            "|",
            " | ".join(map(str, [*cells, f"{seconds * 1e3:.3g} ms", f"{size / seconds / 1e9:.2f}"])),
            "|",
            flush=True,
        )

"""Fits and passes on a local Dask cluster of 1, 2 and 4 workers beside threads: the same bits, and what a pass costs.

    python -m benchmarks cluster [ROWS [MEMORY]]     1,000,000 rows and 1GB for each worker if they are not given

The smallest time of several passes is shown: other work on the machine only adds to it.
"""

import tempfile
import time
from contextlib import ExitStack

import numpy as np

from benchmarks.scale import base_matrix, passes
from pipeline.compute.cluster import connected
from pipeline.logistic import LogisticRegression
from pipeline.logistic.matrix import Matrix


def main(arguments: list[str]) -> None:
    rows, memory = int(arguments[0]) if arguments else 1_000_000, arguments[1] if len(arguments) > 1 else "1GB"
    block = base_matrix(rows)
    matrix, rng = Matrix([block]), np.random.default_rng(1)
    margin = block.dense @ rng.normal(size=block.dense.shape[1])
    y = (rng.random(rows) < 1 / (1 + np.exp(margin.mean() - margin))).astype(int)
    print(f"{rows:,} rows, {(block.dense.nbytes + block.codes.nbytes) / 1e6:,.0f} MB, {memory} for each worker\n")
    print("| where | first pass | pass | fit | iterations | the same bits |\n|---|---|---|---|---|---|")
    expected = None
    for n in (0, 1, 2, 4):
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            if n:
                stack.enter_context(connected(None, n, memory, folder))
            each = passes(matrix, y)
            start = time.perf_counter()
            model = LogisticRegression(1 / rows, optimizer="quasi_newton").fit(matrix, y)
            seconds = time.perf_counter() - start
        weights = np.append(model.coef_, model.intercept_)
        expected = weights if expected is None else expected
        where = f"{n} workers" if n else "threads"
        cells = [f"{each[0] * 1e3:.3g} ms", f"{min(each[1:]) * 1e3:.3g} ms", f"{seconds:.2f} s", model.n_iter_[0]]
        print("|", " | ".join(map(str, [where, *cells, bool((weights == expected).all())])), "|", flush=True)

"""Threads for the strips of a large data set, and the same bytes however many of them there are.

NumPy lets go of Python's lock inside its loops and its matrix products, so plain threads work side by side. OpenBLAS
would split a product among threads of its own (any above 2 * 10^5 multiplications): they fight with ours for the
processor, and where they cut a sum depends on their number. No size of block that is large enough to be fast stays
under that threshold, so while a fit runs OpenBLAS is held to one thread, with threadpoolctl, as scikit-learn does.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController


@contextmanager
def workers(n_tasks: int = 1_000_000):
    """A map function over threads: `thread_count` of them, but no more than tasks."""
    n_threads = min(thread_count(), n_tasks)
    with _blas().limit(limits=1, user_api="blas"):
        if n_threads == 1:
            yield map
        else:
            # NumPy's warnings of overflow are a thread's own setting; `exp` may overflow, which `cost` looks after.
            with ThreadPoolExecutor(n_threads, initializer=np.seterr, initargs=(None, None, "ignore")) as pool:
                yield pool.map


def thread_count() -> int:
    """As many as OMP_NUM_THREADS says (joblib sets it for its workers), else one a processor at hand."""
    return int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()

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

from threadpoolctl import ThreadpoolController


@contextmanager
def workers(n_tasks: int = 2):
    """A map function over threads: as many as OMP_NUM_THREADS says, else as the processors at hand; one for one task."""
    n_threads = int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
    with _blas().limit(limits=1, user_api="blas"):
        if min(n_threads, n_tasks) == 1:
            yield map
        else:
            with ThreadPoolExecutor(min(n_threads, n_tasks)) as pool:
                yield pool.map


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()

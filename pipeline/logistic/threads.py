"""How a function is mapped over tasks in threads, with the same bytes for any number of threads.

NumPy releases Python's lock inside its loops and matrix products, so plain threads run at the same time. OpenBLAS would
split a large product among threads of its own (above 2 * 10^5 multiplications): these compete with ours for the
processor, and the order of a sum depends on their number. So while `workers` is open, OpenBLAS is limited to one thread
(with threadpoolctl, as scikit-learn does), and rows are cut into strips in one way: sums are added in order.

While `through` is open, something else than threads, such as processes on other machines, maps what is a `Call`.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, NamedTuple

STRIPS, MOST = 16, 512  # how many at least (if rows are enough), and at most
LONGEST = 2**18  # rows of a strip, where that makes no more than MOST
Run = Callable[..., Iterable[Any]]  # called like the built-in `map`, and returns results in the order of the tasks


class Call(NamedTuple):
    """A function of a task that another process can be told: one of its methods, with arguments."""

    method: str
    arguments: tuple[Any, ...]

    def __call__(self, task: Any) -> Any:
        return getattr(task, self.method)(*self.arguments)


_cluster: Any = None  # what maps calls, where it is not threads: it has `map(call, tasks)`


@contextmanager
def through(cluster: Any) -> Iterator[None]:
    """Let `cluster` map the calls of the block."""
    global _cluster
    earlier, _cluster = _cluster, cluster
    try:
        yield
    finally:
        _cluster = earlier


def strip_rows(n_rows: int) -> int:
    """The rows of a strip, which depend on those of the table alone: so sums have the same order everywhere."""
    n_strips = min(max(STRIPS, n_rows // LONGEST), MOST)
    return max(-(-n_rows // n_strips), 1)


def strips(n_rows: int) -> list[slice]:
    """Slices of equal length (but the last) that together are all rows."""
    size = strip_rows(n_rows)
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


@contextmanager
def workers(n_tasks: int = 1_000_000) -> Iterator[Run]:
    """A map function over `thread_count()` threads, but not more threads than tasks, with OpenBLAS on one thread."""
    n_threads = min(thread_count(), n_tasks)
    with one_blas_thread():
        if n_tasks == 1 or (n_threads == 1 and _cluster is None):
            yield map
        else:
            # Each thread has its own settings for NumPy's warnings. `exp` may overflow: the objective handles it.
            with ThreadPoolExecutor(n_threads, initializer=_ignore_overflow) as pool:
                yield pool.map if _cluster is None else partial(_elsewhere, _cluster, pool.map)


def _ignore_overflow() -> None:
    import numpy as np

    np.seterr(over="ignore")


def _elsewhere(cluster: Any, threads: Run, function: Any, tasks: Iterable[Any]) -> Iterable[Any]:
    return cluster.map(function, list(tasks)) if isinstance(function, Call) else threads(function, tasks)


def thread_count() -> int:
    """OMP_NUM_THREADS where it is set (joblib sets it for its workers), else the processors that we may use.

    Raises ValueError where it is set to something else than a number of threads.
    """
    if setting := os.environ.get("OMP_NUM_THREADS"):
        first = setting.split(",")[0].strip()  # of a list, one number for each level of nested threads
        if not first.isdecimal() or int(first) == 0:
            raise ValueError(f"OMP_NUM_THREADS = {setting!r} is no number of threads. Set it to one: OMP_NUM_THREADS=2")
        return int(first)
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_lock = threading.Lock()
_limits: list[Any] = []  # an entry for each open `workers`; the first one limits, the last one restores


@contextmanager
def one_blas_thread() -> Iterator[None]:
    with _lock:
        _limits.append(_limits[0] if _limits else _blas().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            limit = _limits.pop()
            if not _limits:
                limit.restore_original_limits()


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()

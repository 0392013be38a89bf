"""Strips of rows on other processes or machines: Dask's `distributed` in place of threads, with the same last digits.

A strip is sent without its arrays: these are written to a folder that all workers share, and each worker maps
those of its strips (or reads them, from a URL). After that only weights go out and sums come back, one pass after
another. The sums are added here in the order of the strips, as those of threads are. Strips of a worker that is lost
are opened by another one.

Source: https://distributed.dask.org/en/stable/resilience.html"""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_here
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any
from weakref import WeakKeyDictionary, finalize

import numpy as np

from pipeline import compute
from pipeline.compute.arrays import opened, remove, without_arrays
from pipeline.errors import UserError
from pipeline.logistic import threads
from pipeline.logistic.threads import Call

BROADCAST = 1024 * 1024  # bytes of a call that is sent to each worker once
SECONDS = 20  # to wait for a scheduler and for workers
COMPARED = ("python", "dask", "distributed", "numpy")  # versions that should agree
MAPPED = 0.25  # of a worker's memory that mapped arrays may fill
LOCAL = ".dvc/tmp/compute"  # for arrays in files of this process, where the folder is a URL
PACKAGE = __name__.partition(".")[0]
OTHER_CODE = (
    "the {} has other code of this package, so its results may differ. Let both have the same commit, without edits "
    "(git status), and start the worker again."
)
HINT = "pip install 'distributed>=2026.6'"


@contextmanager
def used(settings: Any, fits: bool = True) -> Iterator[None]:
    """Let the block use what the section `compute` says; a cluster only if it `fits` a model, or uses one."""
    with ExitStack() as stack:
        here = LOCAL if "://" in settings.folder else settings.folder
        stack.enter_context(compute.mapped_beyond(settings.memory * 1e9, here))
        if fits and settings.method == "dask":
            where = settings.scheduler, settings.workers, settings.worker_memory, settings.folder
            stack.enter_context(connected(*where))
        yield


@contextmanager
def connected(scheduler: str | None, n_workers: int | None, memory: str, folder: str) -> Iterator[None]:
    """Let fits and scores use a Dask cluster while the block runs.

    scheduler  the address of one that runs (tcp://host:8786), or None for a local cluster
    n_workers  processes of a local cluster, None for one per processor
    memory     limit of each worker of a local cluster, such as 2GB
    folder     a path or an fsspec URL that this process and all workers can read and write

    Errors: `UserError` where there is no scheduler, no worker, or where versions or the code of this package differ.
    """
    if find_spec("distributed") is None:
        raise UserError(f"compute=dask needs the package distributed: {HINT}")
    import dask
    from distributed import Client, LocalCluster

    # It would print the traceback of a scheduler that is lost, which is one message here.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    # A worker that pauses for lack of memory would never go on: it had better end, with a message.
    with dask.config.set({"distributed.worker.memory.pause": False, "distributed.comm.timeouts.connect": SECONDS}):
        if scheduler is None:
            where: Any = LocalCluster(
                n_workers=n_workers or threads.thread_count(),
                threads_per_worker=1,
                memory_limit=memory,
                dashboard_address=None,
                silence_logs="ERROR",
            )
        else:
            where = scheduler
        try:
            client = Client(where, timeout=SECONDS, set_as_default=False)
        except (OSError, TimeoutError, ValueError, MemoryError) as error:  # the last: another server answers
            raise UserError(
                f"there is no Dask scheduler at {scheduler} ({error}). Start one: PYTHONPATH=. dask scheduler, and "
                f"workers: PYTHONPATH=. dask worker {scheduler}. Or leave out compute.scheduler for a local cluster."
            ) from None
        try:
            _check(client, scheduler)
            with threads.through(Cluster(client, folder)):
                yield
        finally:
            client.close()
            if scheduler is None:
                where.close()


def _check(client: Any, scheduler: str | None) -> None:
    try:
        client.wait_for_workers(1, timeout=SECONDS)
    except TimeoutError:
        raise UserError(f"the scheduler has no worker. Start some: PYTHONPATH=. dask worker {scheduler}") from None
    versions = _answer(client, client.get_versions)
    here = versions["client"]["packages"] | {"python": versions["client"]["host"]["python"]}
    nodes = {
        "the scheduler": versions["scheduler"],
        **{f"the worker {name}": node for name, node in versions["workers"].items()},
    }
    for name, node in nodes.items():
        there = node["packages"] | {"python": node["host"]["python"]}
        for package in COMPARED:
            if there.get(package) is not None and here[package] != there[package]:
                raise UserError(
                    f"{name} has {package} {there[package]}, but here it is {here[package]}. Install the same."
                )
    here_code = _code(PACKAGE)()
    node_codes = {
        "scheduler": _answer(client, lambda: client.run_on_scheduler(_code(PACKAGE))),
        **{f"worker {name}": code for name, code in _answer(client, lambda: client.run(_code(PACKAGE))).items()},
    }
    for name, code in node_codes.items():
        if code is None:
            raise UserError(
                f"the {name} can't import this package. Start both in the folder of this repository: PYTHONPATH=. dask "
                f"scheduler, and PYTHONPATH=. dask worker {scheduler}"
            )
        if code != here_code and name != "scheduler":  # that only passes calls on
            raise UserError(OTHER_CODE.format(name))


def _started(ask: Callable[[], Any]) -> Future[Any]:
    """What `ask` will return, in a thread that no exit waits for: calls of a client have no bound of their own."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(ask())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def _answer(client: Any, ask: Callable[[], Any]) -> Any:
    """What `ask` returns. Errors: `UserError` where the scheduler or a worker gives no answer, as if it is stopped."""
    try:
        return _started(ask).result(SECONDS)
    except TimeoutError:
        raise UserError(
            f"a worker of the scheduler {client.scheduler.address} does not answer, or the scheduler itself. End it, "
            f"or start it again."
        ) from None


def _code(package: str) -> Any:
    """A function for the digest of the code of a package, None without it. It needs nothing of this package."""

    def digest() -> str | None:
        from hashlib import sha256
        from importlib.util import find_spec

        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            return None
        root = Path(spec.submodule_search_locations[0])
        files = sorted((file.relative_to(root).as_posix(), file) for file in root.rglob("*.py"))
        return sha256(b"".join(name.encode() + sha256(file.read_bytes()).digest() for name, file in files)).hexdigest()

    digest.__module__ = "__main__"  # so that it is sent as code
    return digest


own_code = cache(_code(PACKAGE))


class Cluster:
    """Maps a `Call` over strips or blocks on the workers of a client."""

    def __init__(self, client: Any, folder: str) -> None:
        self.client, self.folder = client, folder
        self.written: WeakKeyDictionary[Any, bytes] = WeakKeyDictionary()
        self.workers: list[str] = []

    def map(self, call: Call, tasks: Sequence[Any]) -> list[Any]:
        """The results, in the order of the tasks. Errors: `UserError` where a worker can't read a block.

        Each worker gets consecutive tasks, the same ones in each pass, and keeps their arrays open. Where it is lost,
        another one opens them.
        """
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError, FuturesCancelledError
        from distributed.comm import CommClosedError

        if not self.workers or any(task not in self.written for task in tasks):
            self.workers = self._present()
            for task in tasks:
                self._write(task)
        size = sum(getattr(argument, "nbytes", 0) for argument in call.arguments)
        sent = call
        if size > BROADCAST:
            scattered = _started(lambda: self.client.scatter(call, broadcast=True, hash=False))
            while not wait_here([scattered], SECONDS).done:
                self._check_alive()
            sent = scattered.result()
        chunks = np.array_split(np.arange(len(tasks)), len(self.workers))
        futures = [
            self.client.submit(
                _apply,
                sent,
                [self.written[tasks[i]] for i in part],
                own_code(),
                workers=[worker],
                allow_other_workers=True,
                pure=False,
            )
            for worker, part in zip(self.workers, chunks, strict=True)
        ]
        try:
            self._wait(futures)
            return [result for results in self.client.gather(futures) for result in results]
        except (CommClosedError, FutureCancelledError, FuturesCancelledError):
            raise UserError(self._lost()) from None
        except OSError as error:
            raise UserError(
                f"a worker can't read a block: {error}. compute.folder = {self.folder} should be a folder or a URL "
                f"that this machine and all workers share."
            ) from None
        except KilledWorker as error:
            raise UserError(
                f"workers were lost again and again ({error.last_worker}): they may have too little memory for a strip."
            ) from None

    def _wait(self, futures: list[Any]) -> None:
        """Until all are done. Errors: `UserError` where no worker is left to do them."""
        from distributed import wait

        while True:
            try:
                with self.client.as_current():
                    wait(futures, timeout=SECONDS)
                return
            except TimeoutError:
                self._check_alive()

    def _check_alive(self) -> None:
        """Errors: `UserError` where the scheduler or a worker that it knows does not answer: stopped, or cut off."""
        try:
            self.client.sync(self.client.scheduler.identity, callback_timeout=SECONDS)
        except (TimeoutError, OSError):
            raise UserError(self._lost()) from None
        self._present()
        _answer(self.client, lambda: self.client.run(_answers, on_error="ignore"))

    def _lost(self) -> str:
        return (
            f"the Dask scheduler {self.client.scheduler.address} does not answer any more. Start it again, and the "
            f"workers; or leave out compute.scheduler for a local cluster."
        )

    def _present(self) -> list[str]:
        """The addresses of the workers."""
        try:
            self.client.wait_for_workers(1, timeout=SECONDS)
        except TimeoutError:
            raise UserError(f"the scheduler {self.client.scheduler.address} has no worker any more.") from None
        return sorted(self.client.scheduler_info(n_workers=-1)["workers"])

    def _write(self, task: Any) -> None:
        if task not in self.written:
            self.written[task], files = without_arrays(task, self.folder)
            finalize(task, remove, files)


def _answers() -> bool:
    return True


def _apply(call: Call, written: list[bytes], code: str) -> list[Any]:
    """Errors: `UserError` on a worker, maybe one that came later, whose code is not `code`."""
    if own_code() != code:
        from distributed import get_worker

        raise UserError(OTHER_CODE.format(f"worker {get_worker().address}"))
    results = []
    with threads.one_blas_thread(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for task in written:
            results.append(call(opened(task)))
            _release()
    return results


def _release() -> None:
    """Give the pages of mapped arrays back, if they may fill the worker's memory: Dask would end it for them."""
    from distributed import get_worker

    if limit := get_worker().memory_manager.memory_limit:
        compute.release(limit * MAPPED)

"""A Dask cluster in place of threads. The oracle is the fit in threads: each bit is the same."""

import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, train_params
from distributed import Client, LocalCluster

from pipeline import compute
from pipeline.columns.terms import Settings, prepare
from pipeline.commands import predict
from pipeline.compute import cluster
from pipeline.errors import UserError
from pipeline.logistic import LogisticRegression, threads
from pipeline.logistic.fast_objective import SMALL_BYTES, FastObjective
from pipeline.logistic.grid import fit_grid
from pipeline.logistic.matrix import Block, Matrix
from pipeline.logistic.penalty import Ridge
from pipeline.logistic.threads import Call
from pipeline.reading import CellFormat
from pipeline.training import fit


@pytest.fixture(scope="module")
def local() -> Iterator[LocalCluster]:
    with pytest.MonkeyPatch.context() as patched:
        # Workers look for modules where this process does, which may have loaded the code of a model before.
        patched.setattr(sys, "path", [str(ROOT), *sys.path])
        with LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs="CRITICAL"
        ) as started:
            yield started


@pytest.fixture(autouse=True)
def _small_arrays_are_files_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.compute.arrays.LARGE", 1000)


@pytest.fixture
def workers(local: LocalCluster, tmp_path: Path) -> Iterator[Client]:
    """Let fits use the two workers, whose blocks are in `tmp_path`."""
    with (
        Client(local, set_as_default=False) as client,
        threads.through(cluster.Cluster(client, str(tmp_path / "rows"))),
    ):
        yield client


def table(n_rows: int = 8_000) -> tuple[Matrix, np.ndarray]:
    """Twelve numbers, and a column of 40 categories; large enough for strips."""
    rng = np.random.default_rng(0)
    X, codes = rng.standard_normal((n_rows, 12)), rng.integers(0, 40, (n_rows, 1)).astype(np.int32)
    y = rng.random(n_rows) < 1 / (1 + np.exp(-X[:, 0] + X[:, 1] / 2 - codes[:, 0] % 3))
    matrix = Matrix([Block(X, codes, 40)])
    assert matrix.nbytes > SMALL_BYTES
    return matrix, y.astype(int)


def fitted(matrix: Matrix, y: np.ndarray) -> np.ndarray:
    model = LogisticRegression(l2=1e-3, optimizer="quasi_newton", learning_rate="auto").fit(matrix, y)
    return np.column_stack([model.coef_, model.intercept_])


def test_a_fit_on_workers_is_that_in_threads_to_the_last_bit(local: LocalCluster, tmp_path: Path) -> None:
    matrix, y = table()
    expected = fitted(matrix, y)
    with Client(local, set_as_default=False) as client:
        client.wait_for_workers(2)
        for n_workers in (1, 2, 4):  # of four, two at a time share a process
            there = cluster.Cluster(client, str(tmp_path))
            addresses = (2 * there._present())[:n_workers]
            with threads.through(there), pytest.MonkeyPatch.context() as patched:
                patched.setattr(there, "_present", lambda chosen=addresses: chosen)
                np.testing.assert_array_equal(fitted(matrix, y), expected)
            assert there.workers == addresses


def test_words_and_lists_on_workers_are_those_in_threads_to_the_last_bit(local: LocalCluster, tmp_path: Path) -> None:
    rng, n = np.random.default_rng(0), 8_000
    words = [f"w{chr(97 + k % 26)}{chr(97 + k // 26)}" for k in range(400)]
    text = [" ".join(row) for row in rng.choice(words, (n, 6))]
    lists = [";".join(row) for row in rng.choice(["red", "old", "big", "new"], (n, 2))]
    frame = pd.DataFrame({"text": text, "list": lists, "x": rng.standard_normal(n)}).astype(
        {"text": "str", "list": "str"}
    )
    roles, y = {"text": "text", "list": "list"}, (np.char.find(text, "waa") >= 0).astype(int)
    matrix = prepare(frame, Settings(tokens=roles, word_pairs=True))[-1]
    assert matrix.nbytes > SMALL_BYTES
    in_threads = fitted(matrix, y)
    with (
        compute.mapped_beyond(1_000, str(tmp_path / "mapped")),
        Client(local, set_as_default=False) as client,
        threads.through(cluster.Cluster(client, str(tmp_path / "rows"))),
    ):
        np.testing.assert_array_equal(
            fitted(prepare(frame, Settings(tokens=roles, word_pairs=True))[-1], y), in_threads
        )


def test_a_sweep_and_its_scores_are_those_in_threads(workers: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, y = table()
    monkeypatch.setattr("pipeline.logistic.matrix.WORTH_SENDING", 0)

    def train() -> tuple[Any, np.ndarray]:
        found = fit_grid(
            lambda fold: (matrix.take(np.arange(fold, 8_000, 2)), y[fold::2], None),
            *(2, [0.1, 0.001]),
            n_classes=2,
            optimizer="quasi_newton",
            max_iter=10,
        )
        return found.weights, found.margins(matrix, 0)

    there = train()
    with threads.through(None):
        here = train()
    np.testing.assert_array_equal(there[0], here[0])
    np.testing.assert_array_equal(there[1], here[1])


def test_a_worker_that_is_killed_changes_nothing(workers: Client) -> None:
    matrix, y = table()
    with threads.through(None):
        expected = fitted(matrix, y)
    killed: list[int] = []

    class Killing(FastObjective):
        def evaluate(self, *arguments: Any) -> None:
            if not killed:
                pids = workers.run(os.getpid)
                killed.append(pids[min(pids)])
                os.kill(killed[0], signal.SIGKILL)
            super().evaluate(*arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pipeline.logistic.regression.FastObjective", Killing)
        np.testing.assert_array_equal(fitted(matrix, y), expected)
    assert killed


def test_workers_predict_the_rows_of_a_file_as_threads_do(
    workers: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.reading.rows.chunks.__defaults__", (None, 50))
    rows = [f"{i % 40},{'red' if i % 3 else 'blue'},{'yes' if i % 5 < 2 else 'no'}" for i in range(400)]
    rows[7], rows[300] = "old,red,no", "1,2"
    (tmp_path / "rows.csv").write_text("\n".join(["age,colour,y", *rows]) + "\n")
    good = pd.DataFrame([row.split(",") for row in rows if row.count(",") == 2 and "old" not in row])
    X = pd.DataFrame({"age": good[0].astype(float), "colour": good[1].astype("str"), "y": good[2].astype("str")})
    fitted = fit.train(X, train_params(max_iterations=50, learning_rate="auto"), CellFormat()).model
    monkeypatch.setattr("pipeline.tracking.named.model_of", lambda _: (fitted, None))
    found = []
    for name in ("there", "here"):
        with nullcontext() if name == "there" else threads.through(None):
            predict.main(str(tmp_path / "rows.csv"), None, str(tmp_path / f"{name}.csv"))
        found.append(((tmp_path / f"{name}.csv").read_bytes(), capsys.readouterr().err))
    assert found[0] == found[1]
    assert "line 9: column 'age': 'old'" in found[0][1]
    assert "398 rows predicted; 2 can't be read" in found[0][1]


def test_rows_do_not_travel_through_the_scheduler(workers: Client, tmp_path: Path) -> None:
    matrix, y = table()
    there = cluster.Cluster(workers, str(tmp_path / "seen"))
    with threads.through(there), threads.workers() as run:
        penalty = Ridge(np.array([0.1]))
        objective = FastObjective(matrix, y, np.array([1]), penalty, run=run)
        objective.gradient(np.zeros(objective.shape))
        sent = sum(map(len, there.written.values()))
        written = sum(file.stat().st_size for file in (tmp_path / "seen").iterdir())
    arrays = matrix.blocks[0].dense.nbytes
    assert sent < arrays / 20
    assert written >= arrays
    del objective
    assert list((tmp_path / "seen").iterdir()) == []


def test_mapped_rows_do_not_fill_the_memory_of_a_worker(workers: Client, tmp_path: Path) -> None:
    there = cluster.Cluster(workers, str(tmp_path / "rows"))
    block = Block(np.ones((1_500_000, 8)))
    call, pieces = Call("margins", (np.ones((9, 1)),)), Matrix([block]).pieces
    there.map(call, pieces[:1])  # the first call imports what it needs

    def resident() -> int:
        return sum(workers.run(lambda: __import__("psutil").Process().memory_info().rss).values())

    workers.run(setattr, cluster, "MAPPED", 0)
    before = resident()
    np.testing.assert_array_equal(np.concatenate(there.map(call, pieces)), np.full((1_500_000, 1), 9.0))
    after = resident()
    workers.run(setattr, cluster, "MAPPED", cluster.MAPPED)
    assert after - before < block.dense.nbytes / 2


def test_blocks_may_be_behind_a_url(workers: Client, tmp_path: Path) -> None:
    there = cluster.Cluster(workers, f"file://{tmp_path}/rows")
    (tmp_path / "rows").mkdir(exist_ok=True)
    block = Block(np.arange(40_000.0).reshape(-1, 4))
    (found,) = there.map(Call("margins", (np.ones((5, 1)),)), [block])
    np.testing.assert_array_equal(found, block.margins(np.ones((5, 1))))


def test_what_is_wrong_is_one_message(workers: Client, tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"no Dask scheduler at tcp://127.0.0.1:9 .*dask scheduler"),
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setattr(cluster, "SECONDS", 1)
        with cluster.connected("tcp://127.0.0.1:9", None, "1GB", str(tmp_path)):
            pass
    for who in ("the scheduler", r"the worker tcp://\S+"):
        with (
            pytest.raises(UserError, match=rf"{who} can't import this package. Start both in .*: PYTHONPATH=. dask "),
            pytest.MonkeyPatch.context() as patched,
        ):
            patched.setattr(cluster, "PACKAGE", "not_there")
            if who != "the scheduler":
                patched.setattr(Client, "run_on_scheduler", lambda *_: True)
            with cluster.connected(workers.scheduler.address, None, "1GB", str(tmp_path)):
                pass
    there = cluster.Cluster(workers, str(tmp_path / "lost"))
    block = Block(np.zeros((20_000, 4)))
    there._write(block)
    for file in (tmp_path / "lost").iterdir():
        file.unlink()
    with pytest.raises(UserError, match=r"a worker can't read a block: .*No such file.* compute.folder = .*lost"):
        there.map(Call("margins", (np.zeros((5, 1)),)), [block])
    address = workers.scheduler.address
    with (
        pytest.raises(UserError, match=r"has numpy .*, but here it is 0.0. Install the same"),
        pytest.MonkeyPatch.context() as patched,
    ):
        found = workers.get_versions()
        found["client"]["packages"]["numpy"] = "0.0"
        patched.setattr(Client, "get_versions", lambda *_: found)
        with cluster.connected(address, None, "1GB", str(tmp_path)):
            pass


def test_a_server_that_is_no_scheduler_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    server.accept()[0].sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with (
            pytest.raises(UserError, match=f"no Dask scheduler at {address}"),
            cluster.connected(address, None, "1GB", str(tmp_path)),
        ):
            pass


def test_arrays_of_a_large_matrix_are_files_without_names(tmp_path: Path) -> None:
    with compute.mapped_beyond(1000, str(tmp_path / "rows")):
        small, large = compute.empty((10, 10), float, 800), compute.empty((10, 20), float, 1600)
    assert type(small) is np.ndarray
    assert type(large) is np.memmap
    large[:] = 1
    assert large.sum() == 200
    assert list((tmp_path / "rows").iterdir()) == []


def test_a_disk_without_room_for_a_large_matrix_is_an_error_that_names_the_folder(tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    earlier = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
    try:
        with compute.mapped_beyond(1000, str(tmp_path / "rows")), pytest.raises(UserError, match=r"rows can't hold"):
            compute.empty((1000, 20), float, 160_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, earlier)


def test_a_worker_with_other_code_is_refused_also_one_that_joins_later(
    workers: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("here", "there"):
        (tmp_path / place / "madeup").mkdir(parents=True)
        (tmp_path / place / "madeup" / "__init__.py").write_text(f"VALUE = '{place}'\n")
    monkeypatch.setattr(cluster, "PACKAGE", "madeup")
    monkeypatch.syspath_prepend(str(tmp_path / "here"))
    workers.run(lambda path: sys.path.insert(0, path), str(tmp_path / "there"))
    with (
        pytest.raises(UserError, match=r"the worker tcp://\S+ has other code of this package"),
        cluster.connected(workers.scheduler.address, None, "1GB", str(tmp_path)),
    ):
        pass
    workers.run(lambda path: sys.path.remove(path), str(tmp_path / "there"))
    monkeypatch.setattr(cluster, "own_code", lambda: "another commit")  # the workers are asked in each call
    with pytest.raises(UserError, match=r"the worker tcp://\S+ has other code of this package"):
        cluster.Cluster(workers, str(tmp_path)).map(Call("margins", (np.zeros((5, 1)),)), [Block(np.zeros((9, 4)))])


def test_a_worker_that_is_stopped_is_one_message(
    workers: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.wait_for_workers(2)
    pid = next(iter(workers.run(os.getpid).values()))
    there = cluster.Cluster(workers, str(tmp_path))
    there.workers = there._present()
    monkeypatch.setattr(cluster, "SECONDS", 0.2)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(UserError, match=r"a worker of the scheduler \S+ does not answer"):
            there.map(Call("margins", (np.zeros((5, 1)),)), [Block(np.zeros((9, 4))) for _ in range(4)])
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("step", ["connecting", "a call that is sent to all"])
def test_a_worker_that_was_stopped_before_is_one_message(
    step: str, workers: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.wait_for_workers(2)
    pid = next(iter(workers.run(os.getpid).values()))
    there = cluster.Cluster(workers, str(tmp_path))
    there.workers = there._present()
    monkeypatch.setattr(cluster, "BROADCAST", 1)
    os.kill(pid, signal.SIGSTOP)
    try:
        monkeypatch.setattr(cluster, "SECONDS", 0.5)
        with pytest.raises(UserError, match=r"a worker of the scheduler \S+ does not answer"):
            if step == "connecting":
                with cluster.connected(workers.scheduler.address, None, "1GB", str(tmp_path)):
                    pass
            there.map(Call("margins", (np.zeros((5, 1)),)), [Block(np.zeros((9, 4))) for _ in range(4)])
    finally:
        os.kill(pid, signal.SIGCONT)


def test_results_that_went_with_their_scheduler_are_one_message(
    workers: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gather = Client.gather

    def gather_what_is_lost(client: Client, futures: list[Any]) -> Any:
        client.cancel(futures)
        return gather(client, futures)

    monkeypatch.setattr(Client, "gather", gather_what_is_lost)
    with pytest.raises(UserError, match=r"the Dask scheduler \S+ does not answer any more"):
        cluster.Cluster(workers, str(tmp_path)).map(Call("margins", (np.zeros((5, 1)),)), [Block(np.zeros((9, 4)))])

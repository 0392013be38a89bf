import os

import pytest
from threadpoolctl import threadpool_info

from pipeline.logistic.threads import LONGEST, MOST, STRIPS, strips, thread_count, workers


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.mark.parametrize("n_rows", [0, 1, 15, 16, 17, 1000])
def test_strips_are_all_rows_in_order(n_rows):
    parts = strips(n_rows)
    assert [row for part in parts for row in range(n_rows)[part]] == list(range(n_rows))
    assert len(parts) <= STRIPS


def test_strips_grow_in_number_with_the_rows_up_to_a_limit():
    assert len(strips(STRIPS * LONGEST)) == STRIPS
    assert len(strips(100 * LONGEST)) == 100
    assert len(strips(10_000 * LONGEST)) == MOST


@pytest.mark.parametrize("n_threads", ["1", "3"])
def test_workers_keep_the_order_of_tasks(n_threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", n_threads)
    with workers() as run:
        assert list(run(lambda x: 2 * x, range(20))) == list(range(0, 40, 2))


def test_blas_has_one_thread_until_the_last_of_several_workers_is_closed():
    before = blas_threads()
    first, second = workers(), workers()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(blas_threads()) == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == before


def test_thread_count_follows_the_environment_and_needs_no_affinity(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert thread_count() == 5
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    assert thread_count() == os.cpu_count()


@pytest.mark.parametrize(("given", "n_threads"), [("4,2", 4), (" 3 ", 3)])
def test_the_first_of_a_list_of_thread_counts_is_used(given, n_threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert thread_count() == n_threads


@pytest.mark.parametrize("given", ["many", "0", "-1", ",2"])
def test_what_is_no_number_of_threads_is_one_message(given, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    with pytest.raises(ValueError, match="OMP_NUM_THREADS=2"):
        thread_count()

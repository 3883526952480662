"""Blocks over threads: order, how far the source may run ahead, and failures."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from embaudit.stats.parallel import ordered_map, single_threaded_blas, worker_count


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 2, 25])
def test_results_come_in_the_order_of_the_items(workers, count):
    def slow_first(item):
        time.sleep(0.002 * ((item + 1) % 3))
        return item * item

    assert list(ordered_map(slow_first, range(count), workers)) == [n * n for n in range(count)]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_buffer_is_not_needed_again_before_workers_and_two_more_items(workers):
    slots = workers + 2
    buffers = np.full(slots, -1)
    handed_out = 0

    def source():
        for item in range(60):
            assert item - handed_out <= workers
            buffers[item % slots] = item
            yield item % slots, item

    def read(item):
        slot, expected = item
        time.sleep(0.0005 * (expected % 2))
        return int(buffers[slot]) == expected

    for unchanged in ordered_map(read, source(), workers):
        handed_out += 1
        assert unchanged


def test_items_run_at_the_same_time():
    barrier = threading.Barrier(3, timeout=10)
    assert len(list(ordered_map(lambda item: barrier.wait(), range(3), 3))) == 3


@pytest.mark.parametrize("workers", [1, 3])
def test_failures_of_the_function_and_of_the_source_come_through(workers):
    def failing(item):
        if item == 5:
            raise ValueError("row 5")
        return item

    seen = []
    with pytest.raises(ValueError, match="row 5"):
        seen.extend(ordered_map(failing, range(20), workers))
    assert seen == list(range(5))[: len(seen)]

    def broken_source():
        yield 1
        raise OSError("file ends")

    with pytest.raises(OSError, match="file ends"):
        list(ordered_map(failing, broken_source(), workers))


def test_leaving_early_ends_the_threads():
    before = threading.active_count()
    results = ordered_map(lambda item: item, range(1000), 3)
    assert next(results) == 0
    results.close()
    assert threading.active_count() == before


def test_worker_count():
    assert worker_count(5) == 5
    assert worker_count(0) == 1
    assert worker_count() >= 1


def test_blas_has_one_thread_inside_only():
    def blas_threads():
        np.ones((2, 2)) @ np.ones((2, 2))
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = blas_threads()
    with single_threaded_blas():
        assert set(blas_threads()) <= {1}
    assert blas_threads() == before

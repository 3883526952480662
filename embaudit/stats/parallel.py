"""Blocks over threads with results in order, so that any thread count gives the same bytes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")


def worker_count(threads: int | None = None) -> int:
    """Return the number of worker threads: `threads`, else the processors this process may use."""
    if threads is not None:
        return max(1, threads)
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def single_threaded_blas() -> AbstractContextManager[object]:
    """Limit BLAS to one thread: the blocks are the parallelism.

    A product split over BLAS threads rounds differently at each thread count; a block computed by
    one thread does not.
    """
    limits: AbstractContextManager[object] = threadpool_limits(limits=1)
    return limits


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """Yield ``function(item)`` in the order of `items`, computed by `workers` threads.

    At most ``workers + 1`` items are under way: the next item is drawn only when the oldest
    result has been handed out, so a source with ``workers + 2`` rotating buffers is safe.
    """
    if workers == 1:
        yield from map(function, items)
        return
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="embaudit")
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

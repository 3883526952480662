"""Reading ahead: a thread decodes what comes next while the caller uses what it has."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from itertools import islice
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Ahead(Iterator[Item], Generic[Item]):
    """The items of an iterator, the next few of which a thread fetches before they are asked for.

    The thread starts at once and ends with the ``with`` statement, or with the items.

    Parameters
    ----------
    items : iterator
        Used by the thread alone until that has ended.
    count : int
        Items fetched and not yet asked for, at least 1: the bound on memory.
    """

    def __init__(self, items: Iterator[Item], count: int) -> None:
        self._items = items
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="embaudit-read")
        self._fetched: deque[Future[Item | None]] = deque()
        for _ in range(count):
            self._fetch()

    def __enter__(self) -> Ahead[Item]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __next__(self) -> Item:
        # What ended the items stays, so that they end again when asked once more.
        item = self._fetched[0].result()
        if item is None:
            raise StopIteration
        self._fetched.popleft()
        self._fetch()
        return item

    def _fetch(self) -> None:
        self._fetched.append(self._pool.submit(next, self._items, None))


def begun_early(contexts: Iterable[AbstractContextManager[Item]]) -> Generator[Item, None, None]:
    """Yield what each context gives, which is left after that; the next is entered before it.

    Close the generator to leave what it has entered.
    """
    upcoming = iter(contexts)
    with ExitStack() as following:
        begun = [following.enter_context(context) for context in islice(upcoming, 1)]
        while begun:
            with following.pop_all():
                current = begun.pop()
                begun = [following.enter_context(context) for context in islice(upcoming, 1)]
                yield current

"""Items come in order, few of them early, and nothing stays open."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager

import pytest

from embaudit.data.ahead import Ahead, begun_early


def test_items_come_in_order_and_end_for_good():
    with Ahead(iter(range(50)), 3) as ahead:
        assert list(ahead) == list(range(50))
        assert list(ahead) == []


@pytest.mark.parametrize("count", [1, 2, 5])
def test_no_more_than_count_are_fetched_early(count):
    fetched = []

    def items():
        for item in range(30):
            fetched.append(item)
            yield item

    with Ahead(items(), count) as ahead:
        for taken, item in enumerate(ahead):
            assert item == taken
            assert len(fetched) <= taken + 1 + count
    assert len(fetched) == 30


def test_fetching_starts_before_anything_is_asked_for():
    started = threading.Event()

    def items():
        started.set()
        yield 1

    with Ahead(items(), 1):
        assert started.wait(10)


def test_an_error_comes_where_the_item_would():
    def items():
        yield from (1, 2)
        raise OSError("the disk is gone")

    with Ahead(items(), 8) as ahead:
        assert [next(ahead), next(ahead)] == [1, 2]
        with pytest.raises(OSError, match="the disk is gone"):
            next(ahead)


def test_the_thread_ends_with_the_statement():
    before = threading.active_count()
    with Ahead(iter(range(1000)), 2) as ahead:
        next(ahead)
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


@pytest.fixture
def log():
    return []


@pytest.fixture
def contexts(log):
    @contextmanager
    def context(name):
        log.append(f"enter {name}")
        try:
            yield name
        finally:
            log.append(f"leave {name}")

    return [context(name) for name in "abc"]


def test_the_next_context_is_entered_before_the_current_is_used(contexts, log):
    for name in begun_early(contexts):
        log.append(f"use {name}")
    assert log == [
        "enter a",
        *("enter b", "use a", "leave a"),
        *("enter c", "use b", "leave b"),
        *("use c", "leave c"),
    ]


def test_closing_leaves_both(contexts, log):
    with closing(begun_early(contexts)) as begun:
        assert next(begun) == "a"
    assert sorted(log) == ["enter a", "enter b", "leave a", "leave b"]


def test_without_contexts_nothing_comes():
    assert list(begun_early([])) == []

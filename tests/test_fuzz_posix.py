"""Processes that read mutants are watched: what ends one, or keeps it too long, is found."""

from __future__ import annotations

import os
import signal
import sys
from threading import Timer

import pytest

from benchmarks import fuzz
from benchmarks.hostile.subjects import subjects
from benchmarks.hostile.watching import Job, Tally, Watched

LINUX = pytest.mark.parametrize("system", ["linux"] if sys.platform == "linux" else [])
"""Sizes of processes are read as Linux has them."""


@pytest.fixture(scope="module")
def chosen():
    return tuple(one for one in subjects() if one.name in ("fvecs", "ids of text"))


@LINUX
def test_a_small_campaign(chosen, tmp_path, system):
    campaign = fuzz.Campaign(chosen, 60, 0, tmp_path)
    campaign.run(1)
    found = fuzz.counts(campaign)
    assert found["mutants"] == 60
    assert not campaign.failures
    assert "60 mutants, seed 0: 0 crashes" in fuzz.render(found)


@LINUX
def test_what_ends_or_hangs_is_found_and_the_others_are_read(chosen, system):
    watched, failures, tally = Watched(chosen, 0), [], Tally()
    try:
        watched.run(Job(0, 0, 2), tally, failures.append)
        os.kill(watched._process.pid, signal.SIGSTOP)
        watched.run(Job(0, 2, 4), tally, failures.append, within=0.5)
        os.kill(watched._process.pid, signal.SIGSTOP)
        Timer(0.2, os.kill, (watched._process.pid, signal.SIGKILL)).start()
        watched.run(Job(0, 4, 6), tally, failures.append)
    finally:
        watched.close()
    found = [(failure.kind, failure.index, failure.detail) for failure in failures]
    assert found == [
        ("hang", 2, "no answer within 0.5 s"),
        ("crash", 4, "the process ended: SIGKILL"),
    ]
    assert tally.mutants == 6

"""How long an audit will take, and how far it is."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from dataclasses import replace

import numpy as np
import pytest

import embaudit
from embaudit.data.embedding_set import ArraySet
from embaudit.data.pair import Pair
from embaudit.datatypes import Forecast, SilentProgress, WholeProgress
from embaudit.stages.estimate import Machine, Part, Workload
from embaudit.stages.options import Options
from embaudit.stages.timeline import Timeline, follow
from embaudit_cli.progress import announced, with_progress

MACHINE = Machine(flops=1e11, bytes=1e10)
LOAD = Workload(100_000, (768, 512), (3072.0, 2048.0), by_angle=False)
STREAMED = {"checking rows", "moments", "neighbours"}


class Plain:
    """A listener that knows of stages alone."""

    def __init__(self):
        self.stages = []
        self.steps = {}

    def stage(self, name, total):
        self.stages.append(name)
        self.steps[name] = [0, total]

    def advance(self, steps=1):
        self.steps[self.stages[-1]][0] += steps


class Whole(Plain):
    """A listener that wants to know about the whole."""

    def __init__(self):
        super().__init__()
        self.forecasts = []
        self.reached = []

    def begin(self, forecast):
        assert not self.stages
        self.forecasts.append(forecast)

    def reach(self, done, seconds_left):
        self.reached.append((done, seconds_left))


def rows(n=1200, dim=12, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def noisy(x, strength):
    return (x + strength * np.random.default_rng(9).standard_normal(x.shape)).astype(np.float32)


def by_stage(parts):
    seconds = {}
    for part in parts:
        seconds[part.stage] = seconds.get(part.stage, 0.0) + part.seconds
    return seconds


# --- the estimate ------------------------------------------------------------------------------


def test_twice_the_rows_take_twice_as_long_where_rows_are_streamed():
    once = by_stage(LOAD.parts(MACHINE, [512], (8, 4, 2)))
    twice = by_stage(replace(LOAD, rows=200_000).parts(MACHINE, [512], (8, 4, 2)))
    for stage, seconds in once.items():
        factor = 2.0 if stage in STREAMED else 1.0
        if stage != "causes":
            assert twice[stage] == pytest.approx(factor * seconds), stage


def test_the_products_are_those_of_the_moments_and_of_every_view():
    endless = replace(MACHINE, bytes=1e30)
    seconds = by_stage(LOAD.parts(endless, [512], ()))
    assert seconds["moments"] == pytest.approx(100_000 * (768 + 512) ** 2 / 1e11)
    # Of different dimensions the stored vectors of one side cannot search the other.
    views = 3 * 2 * 100_000 * 512 * (768 + 512) / 1e11
    assert seconds["neighbours"] == pytest.approx(views)
    same = replace(LOAD, dims=(768, 768))
    views = 4 * 2 * 100_000 * 512 * (768 + 768) / 1e11
    assert by_stage(same.parts(endless, [512], ()))["neighbours"] == pytest.approx(views)


def test_fits_grow_with_the_third_power_of_the_dimension():
    wide = replace(LOAD, dims=(1536, 1024))
    ratio = (
        by_stage(wide.parts(MACHINE, [512], ()))["maps"]
        / by_stage(LOAD.parts(MACHINE, [512], ()))["maps"]
    )
    assert ratio == pytest.approx(8.0)


def test_a_faster_machine_takes_less():
    slow, fast = (
        sum(part.seconds for part in LOAD.parts(machine, [512], ()))
        for machine in (MACHINE, Machine(2e11, 2e10))
    )
    assert fast == pytest.approx(slow / 2)


def test_bytes_are_those_that_are_stored():
    options = Options.checked()
    whole, half = (
        Workload.of(Pair(ArraySet(rows().astype(dtype)), ArraySet(rows())), options)
        for dtype in (np.float32, np.float16)
    )
    assert whole.copied == (48.0, 48.0)
    assert half.copied == (24.0, 48.0)


def test_the_machine_is_measured():
    machine = Machine.measured(2)
    assert 1e8 < machine.flops < 1e16
    assert 1e7 < machine.bytes < 1e13


# --- the timeline ------------------------------------------------------------------------------


def timeline(parts, unforeseen=1.0):
    """Return a timeline whose clock a test moves, its listener and the clock."""
    clock = [0.0]
    listener = Whole()
    line = Timeline(
        listener,
        [Part(*part) for part in parts],
        search=lambda queries: [Part("neighbours", queries / 100)],
        unforeseen=unforeseen,
        clock=lambda: clock[0],
    )
    return line, listener, clock


def test_stages_weigh_what_they_take():
    line, listener, _ = timeline([("moments", 6.0), ("maps", 2.0), ("neighbours", 2.0)])
    line.stage("moments", 3)
    line.advance()
    assert listener.reached[-1][0] == pytest.approx(0.2)
    line.advance(2)
    line.stage("maps", 1)
    assert listener.reached[-1][0] == pytest.approx(0.6)
    line.advance()
    assert listener.reached[-1][0] == pytest.approx(0.8)
    line.stage("neighbours", 10)
    line.advance(10)
    assert listener.reached[-1][0] < 1.0
    line.finish()
    assert listener.reached[-1] == (1.0, 0.0)


def test_what_is_left_follows_the_pace():
    line, listener, clock = timeline([("moments", 50.0), ("maps", 50.0)])
    line.stage("moments", 10)
    assert listener.reached[-1][1] == pytest.approx(100.0)
    for _ in range(5):
        clock[0] += 10.0  # twice as long as expected
        line.advance()
    # 25 of 100 expected seconds took 50; a tenth of the forecast counts as it was expected.
    assert listener.reached[-1][1] == pytest.approx(75.0 * 60 / 35)


def test_a_stage_that_is_left_out_counts_as_done():
    line, listener, _ = timeline([("moments", 5.0), ("maps", 4.0), ("neighbours", 1.0)])
    line.stage("moments", 1)
    line.advance()
    line.stage("neighbours", 1)
    assert listener.reached[-1][0] == pytest.approx(0.9)


def test_further_queries_make_the_rest_longer_and_take_nothing_back():
    line, listener, clock = timeline([("neighbours", 8.0), ("causes", 2.0)])
    line.stage("neighbours", 1)
    clock[0] = 8.0
    line.advance()
    assert listener.reached[-1][0] == pytest.approx(0.8)
    line.expect(600)
    line.stage("neighbours", 1)
    done, left = listener.reached[-1]
    assert done == pytest.approx(0.8)
    assert left == pytest.approx(6.0 + 2.0)
    line.advance()
    assert listener.reached[-1][0] == pytest.approx(0.95)


def test_a_search_that_was_not_foreseen_makes_room_for_itself():
    line, listener, _ = timeline([("neighbours", 4.0), ("ranks", 4.0)], unforeseen=4.0)
    line.stage("neighbours", 1)
    line.advance()
    line.stage("neighbours", 2)
    assert listener.reached[-1][0] == pytest.approx(0.5)
    line.advance()
    line.stage("odd", 5)
    line.advance(9)
    done = [share for share, _ in listener.reached]
    assert done == sorted(done)


# --- in real runs ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metric": "dot"},
        {"sample": 500},
        {"index_size": "1M"},
        {"rerun": noisy(rows(), 0.01)},
        {"queries_a": rows(90, seed=3), "queries_b": rows(90, seed=3)},
    ],
    ids=lambda options: next(iter(options), "plain"),
)
def test_the_bar_never_goes_back_and_ends(options):
    listener = Whole()
    embaudit.compare(rows(), noisy(rows(), 0.05), progress=listener, **options)
    done = [share for share, _ in listener.reached]
    assert done == sorted(done)
    assert done[0] < 0.1
    assert done[-1] == 1.0
    assert max(done[:-1]) < 1.0
    assert all(left >= 0.0 for _, left in listener.reached)
    (forecast,) = listener.forecasts
    assert forecast.dims == (12, 12)
    assert forecast.rows == options.get("sample", 1200)
    assert forecast.seconds > 0.0
    assert all(steps <= total for steps, total in listener.steps.values())


def test_further_rounds_are_part_of_the_bar():
    listener = Whole()
    a = rows(3000, 24)
    audit = embaudit.compare(a, noisy(a, 0.065), progress=listener)
    assert audit.measures["recall.a_to_b.raw"].queries > 512
    done = [share for share, _ in listener.reached]
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_weights_sum_to_the_forecast():
    listener = Whole()
    options = replace(Options.checked(), progress=listener)
    pair = Pair(ArraySet(rows()), ArraySet(rows(seed=1)))
    line = follow(options, [pair, pair], [512, 90], (8, 4, 2))
    assert listener.forecasts[0].seconds == pytest.approx(sum(part.seconds for part in line.parts))
    # Two audits, the second with real queries; each searches parts of the index besides.
    assert [part.stage for part in line.parts].count("neighbours") == 2 * (1 + 3) + 2 * (2 + 3)


def test_a_listener_of_stages_alone_is_told_of_stages():
    listener = Plain()
    assert not isinstance(listener, WholeProgress)
    embaudit.compare(rows(), noisy(rows(), 0.05), progress=listener)
    assert listener.stages[0] == "checking rows"
    assert {"moments", "maps", "neighbours"} <= set(listener.stages)


def test_without_a_listener_nothing_is_measured():
    options = Options.checked()
    assert isinstance(options.progress, SilentProgress)
    assert follow(options, [], [], ()) is options.progress


# --- what a person reads -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(12, "10 s"), (43, "45 s"), (88, "90 s"), (100, "2 min"), (1800, "30 min"), (9000, "2.5 h")],
)
def test_long_work_is_announced(seconds, shown):
    line = announced(Forecast(1_000_000, (768, 384), seconds))
    assert line == f"1,000,000 x 768 + 384: about {shown}"


@pytest.mark.parametrize(
    ("seconds", "quiet", "verbose", "printed"),
    [
        (60.0, False, True, "5 x 3 + 3: about 60 s\n"),
        (9.0, False, True, ""),
        (60.0, False, False, ""),
        (60.0, True, False, ""),
    ],
)
def test_where_there_is_no_terminal_only_verbose_announces(seconds, quiet, verbose, printed):
    def work(progress):
        if progress is not None:
            progress.begin(Forecast(5, (3, 3), seconds))
            progress.stage("moments", 3)
            progress.advance()
            progress.reach(1.0, 0.0)
        return "done"

    written = io.StringIO()
    with redirect_stderr(written):
        assert with_progress(work, quiet=quiet, verbose=verbose) == "done"
    assert written.getvalue() == printed

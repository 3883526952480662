"""Rows that are to blame: order, lags, parts, repetitions, outliers, and too few of them."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import embaudit
from benchmarks.pairs import load, rotation
from embaudit.data.embedding_set import ArraySet
from embaudit.datatypes import Metric, SilentProgress
from embaudit.measures.cka import linear_cka
from embaudit.measures.elsewhere import matched_by_chance, partners_elsewhere
from embaudit.measures.lags import LagScan, change_point, profile_agreement, shifted_cka
from embaudit.measures.learning import learning_curve
from embaudit.measures.order import Block, blocks_of, order_of, places_by_bytes
from embaudit.measures.partition import lost_parts, split_by_geometry
from embaudit.measures.repeats import one_sided_repeats
from embaudit.stats.enough import trials_to_clear, trials_to_prove
from embaudit.stats.hashing import RowHasher
from embaudit.stats.intervals import clopper_pearson
from embaudit.stats.moments import Moments
from embaudit.stats.parallel import single_threaded_blas
from embaudit.stats.prepare import Preparation, unit_rows
from embaudit.streaming.corpus import Corpus

SETS = load()
MINILM, W8, FT120 = SETS["minilm"], SETS["minilm_w8"], SETS["minilm_ft120"]
LSA, W2V, OTHER_W2V = SETS["lsa"], SETS["w2v_seed1"], SETS["w2v_seed2"]
ROTATED = MINILM @ rotation(384)
ORDER = np.random.default_rng(0).permutation(2000)
CAUSES = {
    "lagged_rows",
    "moved_blocks",
    "shuffled_rows",
    "two_populations",
    "one_sided_repeats",
    "few_rows_carry_the_sums",
    "rows_needed",
}


MISPLACED = {"lagged_rows", "moved_blocks", "shuffled_rows", "two_populations"}


@pytest.fixture(scope="module", autouse=True)
def _one_thread_a_product():
    """Products run as in an audit; threads that share busy cores take four times as long."""
    with single_threaded_blas():
        yield


def noise(n, dim, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim))


def found(a, b, **options):
    audit = embaudit.compare(a, b, **options)
    return {f.id: f for f in audit.findings if f.id in CAUSES}, audit


def inserted(rows, at):
    strange = (rows[3] / 2 + rows[7])[None]
    return np.concatenate([rows[:at], strange, rows[at:-1]])


def replaced(rows, start, stop, other):
    changed = rows.copy()
    changed[start:stop] = other[start:stop]
    return changed


# --- order, by bytes and by single rows ---------------------------------------------------------


def hashed(rows):
    rows = np.asarray(rows, np.float32)
    return RowHasher(rows.shape[1], rows.dtype)(rows)


def test_places_by_bytes_are_where_equal_rows_stand():
    a = noise(40, 3)
    a[[5, 9]] = a[0]
    order = np.random.default_rng(1).permutation(40)
    rows, places = places_by_bytes(hashed(a), hashed(a[order]))
    expected = [
        (i, j)
        for i in range(40)
        for j in range(40)
        if i not in (0, 5, 9) and np.array_equal(a[i], a[order][j])
    ]
    assert list(zip(rows, places, strict=True)) == expected


def test_a_shuffled_file_is_told_by_its_bytes():
    causes, audit = found(MINILM, MINILM[ORDER])
    shuffled = causes["shuffled_rows"]
    assert shuffled.by == "bytes"
    assert shuffled.share > 0.99
    for row, place in shuffled.examples:
        assert ORDER[place] == row
    assert "--on" in audit.recommendation.action


@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_a_shuffled_file_of_other_bytes_is_told_by_search(metric):
    causes, _ = found(MINILM, W8[ORDER], metric=metric)
    shuffled = causes["shuffled_rows"]
    assert shuffled.by == "search"
    assert shuffled.share > 0.9
    for row, place in shuffled.examples:
        assert ORDER[place] == row


def test_rows_shuffled_among_themselves_are_found_through_a_map():
    b = ROTATED.copy()
    moved = np.arange(100, 300)[np.random.default_rng(2).permutation(200)]
    b[moved] = ROTATED[np.roll(moved, 1)]
    causes, audit = found(MINILM, b)
    assert audit.verdict == "mispaired"
    shuffled = causes["shuffled_rows"]
    places = dict(zip(np.roll(moved, 1).tolist(), moved.tolist(), strict=True))
    for row, place in shuffled.examples:
        assert places[row] == place


@pytest.mark.parametrize(
    ("change", "blocks"),
    [
        (lambda x: np.roll(x, 1000, axis=0), [(0, 999, 1000), (1000, 1999, -1000)]),
        (lambda x: np.concatenate([x[500:1200], x[:500], x[1200:]]), None),
    ],
)
def test_swapped_blocks_are_named(change, blocks):
    for source, by in ((MINILM, "bytes"), (W8, "search")):
        moved = found(MINILM, change(source))[0]["moved_blocks"]
        assert moved.by == by
        named = [(b["first"], b["last"], b["lag"]) for b in moved.blocks]
        if blocks is None:
            assert [lag for _, _, lag in named] == [700, -500, 0]
        elif by == "bytes":
            assert named == blocks
        else:
            assert np.abs(np.array(named) - blocks).max() < 30


def test_a_reversed_file_is_said_to_be_reversed():
    assert "reverse order" in found(MINILM, MINILM[::-1])[0]["shuffled_rows"].message


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(4, 30), st.integers(-5, 5)), min_size=1, max_size=6))
def test_blocks_are_the_runs_of_one_distance(runs):
    merged = []
    for length, lag in runs:
        if merged and merged[-1][1] == lag:
            merged[-1] = (merged[-1][0] + length, lag)
        else:
            merged.append((length, lag))
    lags = np.concatenate([np.full(length, lag) for length, lag in merged])
    rows = np.arange(len(lags))
    stops = np.cumsum([length for length, _ in merged]).tolist()
    starts = [0, *stops[:-1]]
    expected = [
        Block(start, stop - 1, lag)
        for start, stop, (_, lag) in zip(starts, stops, merged, strict=True)
    ]
    assert blocks_of(rows, rows + lags) == expected
    order = order_of(rows, rows + lags, "bytes")
    assert (order is None) == (not lags.any())


# --- lags ---------------------------------------------------------------------------------------


def test_shifted_cka_is_the_cka_of_the_shifted_rows():
    a, b = noise(30, 5), noise(37, 4, 1)
    b[2:32] += a[:, :4]
    slow = [oracles.debiased_cka(a @ a.T, b[t : t + 30] @ b[t : t + 30].T) for t in range(8)]
    np.testing.assert_allclose(shifted_cka(a, b), slow, atol=1e-10)


def test_profile_agreement_is_the_correlation_of_profiles():
    a, b, seen_a, seen_b = noise(6, 5), noise(6, 3, 1), noise(20, 5, 2), noise(20, 3, 3)
    slow = [
        np.corrcoef(
            (seen_a - seen_a.mean(0)) @ (x - seen_a.mean(0)),
            (seen_b - seen_b.mean(0)) @ (y - seen_b.mean(0)),
        )[0, 1]
        for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(profile_agreement(a, b, seen_a, seen_b), slow, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1, 1), max_size=12))
def test_the_change_point_is_the_best_of_all(values):
    before = np.array(values)
    gains = [before[:t].sum() - before[t:].sum() for t in range(len(values) + 1)]
    at = change_point(before, -before)
    assert gains[at] == pytest.approx(max(gains))


def lags(a, b, prepare=unit_rows):
    def take(rows):
        return lambda start, stop: prepare(rows[start:stop].astype(np.float64))

    return LagScan(len(a), take(a), take(b)).run()


@pytest.mark.parametrize("b", [ROTATED, FT120, LSA, W2V], ids=["rotated", "ft120", "lsa", "w2v"])
@pytest.mark.parametrize("lag", [1, 3, -5, 60])
def test_a_lag_is_named_across_spaces(b, lag):
    scan = lags(MINILM, np.roll(b, lag, axis=0))
    assert [(block.first, block.last, block.lag) for block in scan.blocks] == [(0, 1999, lag)]


@pytest.mark.parametrize("b", [ROTATED, FT120, LSA, W2V], ids=["rotated", "ft120", "lsa", "w2v"])
@pytest.mark.parametrize("at", [100, 300, 777, 1200, 1500])
def test_the_row_from_which_a_part_lags_is_named(b, at):
    scan = lags(MINILM, inserted(b, at))
    assert [block.lag for block in scan.blocks] == [0, 1]
    assert scan.blocks[1].first == pytest.approx(at, abs=1)
    lost = lags(MINILM, np.concatenate([b[:at], b[at + 1 :], b[:1]]))
    assert [block.lag for block in lost.blocks] == [0, -1]
    assert lost.blocks[1].first == pytest.approx(at, abs=2)


def test_two_lost_rows_are_two_lags():
    scan = lags(MINILM, inserted(inserted(FT120, 500), 1300))
    assert [block.lag for block in scan.blocks] == [0, 1, 2]
    assert [block.first for block in scan.blocks] == pytest.approx([0, 500, 1300], abs=2)


@pytest.mark.parametrize("n", [60, 120, 200, 400])
def test_lags_of_few_rows(n):
    assert lags(MINILM[:n], np.roll(FT120[:n], 2, axis=0)).blocks[-1].lag == 2
    assert lags(MINILM[:n], FT120[:n]) is None
    assert lags(MINILM[:20], FT120[:20]) is None


def test_the_lag_of_a_slow_sequence_is_named_across_a_rotation():
    time = np.arange(2001)[:, None] / 2001
    generator = np.random.default_rng(8)
    path = np.sin(2 * np.pi * (time * generator.uniform(1, 20, 32) + generator.random(32)))
    scan = lags(path[:-1], path[1:] @ rotation(32), prepare=np.asarray)
    assert [block.lag for block in scan.blocks] == [-1]
    noisy = path + 0.01 * noise(2001, 32)
    assert lags(path, noisy, prepare=np.asarray) is None


def test_lags_are_not_seen_by_chance():
    for seed in range(8):
        for dim in (2, 5, 30):
            assert lags(noise(900, dim, seed), noise(900, dim, seed + 50)) is None
        walks = (np.cumsum(noise(900, 8, seed + s), axis=0) for s in (100, 200))
        assert lags(*walks, prepare=np.asarray) is None


def test_a_lag_is_reported_with_its_remedy():
    causes, audit = found(MINILM, inserted(FT120, 1200))
    lagged = causes["lagged_rows"]
    assert [block["lag"] for block in lagged.blocks] == [0, 1]
    assert lagged.blocks[1]["first"] == 1200
    assert "1 row too many at about row 1200" in lagged.message
    assert "back into step" in audit.recommendation.action
    by_bytes = found(MINILM, np.roll(MINILM, 1, axis=0))[0]["lagged_rows"]
    assert by_bytes.by == "bytes"
    assert "i+1 of B" in by_bytes.message


def test_a_lag_near_the_end_is_found_row_by_row():
    lagged = found(MINILM, inserted(W8, 1900))[0]["lagged_rows"]
    assert [block["lag"] for block in lagged.blocks] == [0, 1]
    assert lagged.blocks[1]["first"] == pytest.approx(1900, abs=2)


# --- parts --------------------------------------------------------------------------------------


def naive_log_evidence(lost, start, stop):
    share, overall = lost[start:stop].mean(), lost.mean()
    if share <= overall:
        return 0.0
    terms = share * np.log(share / overall)
    if share < 1:
        terms += (1 - share) * np.log((1 - share) / (1 - overall))
    return (stop - start) * terms


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 60), st.integers(0, 200))
def test_a_dense_part_is_found_where_it_is(seed, length, start):
    lost = np.random.default_rng(seed).random(300) < 0.03
    lost[start : start + length] = True
    parts = lost_parts(lost)
    assert len(parts) == 1
    low, high = parts[0]
    assert low <= start
    assert high >= min(300, start + length)
    assert naive_log_evidence(lost, low, high) > np.log(300**2 / 2 / 1e-4)


def test_lost_rows_in_random_order_are_no_part():
    generator = np.random.default_rng(4)
    for share in (0.02, 0.1, 0.3, 0.6, 0.9):
        for _ in range(200):
            assert lost_parts(generator.random(500) < share) == []
    assert lost_parts(np.ones(100, np.bool_)) == []


@pytest.mark.parametrize(
    ("b", "first", "last", "paired"),
    [
        (replaced(MINILM, 1400, 1700, ROTATED), 1400, 1699, True),
        (replaced(W8, 1400, 1460, ROTATED), 1400, 1459, True),
        (replaced(W8, 500, 900, LSA), 500, 899, True),
        (replaced(FT120, 500, 900, FT120[ORDER]), 500, 899, False),
        (replaced(W2V, 500, 900, noise(2000, 128)), 500, 899, False),
        (replaced(W2V, 500, 900, OTHER_W2V @ rotation(128)), 500, 899, True),
        (replaced(ROTATED, 0, 700, MINILM @ rotation(384, 2)), 0, 699, True),
    ],
    ids=["rotated", "small", "model", "shuffled", "dims", "dims-other-run", "no-raw-search"],
)
def test_a_part_of_another_kind_is_named_to_the_row(b, first, last, paired):
    causes, _ = found(MINILM, b)
    parts = causes["two_populations"]
    ((low, high),) = parts.ranges
    assert low == pytest.approx(first, abs=3)
    assert high == pytest.approx(last, abs=3)
    assert [part["paired"] for part in parts.parts] == [paired]


def test_lost_rows_spread_over_the_file_are_told_apart_by_their_own_agreement():
    chosen = np.random.default_rng(4).choice(2000, 200, replace=False)
    b = MINILM.copy()
    b[chosen] = ROTATED[chosen]
    spread = found(MINILM, b)[0]["two_populations"]
    assert spread.ranges == []
    assert spread.cka_lost > 0.9
    b[chosen] = noise(200, 384)
    strangers = found(MINILM, b)[0]["two_populations"]
    assert abs(strangers.cka_lost) < 0.2
    assert "other items" in strangers.message


@pytest.mark.parametrize("seed", range(4))
def test_clean_pairs_in_any_order_have_no_part(seed):
    order = np.random.default_rng(seed).permutation(2000)[:800]
    for a, b in ((MINILM, FT120), (MINILM, LSA), (MINILM, W2V), (W2V, OTHER_W2V)):
        vectors = (unit_rows(side[order].astype(float)) for side in (a, b))
        assert split_by_geometry(*vectors, seed) is None


def test_topics_in_order_are_no_part():
    centred = MINILM - MINILM.mean(axis=0)
    topics = np.linalg.svd(centred, full_matrices=False)[0]
    for component in range(3):
        order = np.argsort(topics[:, component])
        for b in (FT120, LSA, W2V):
            vectors = (unit_rows(side[order[::2]].astype(float)) for side in (MINILM, b))
            assert split_by_geometry(*vectors, 0) is None
        causes, _ = found(MINILM[order[::2]], W2V[order[::2]])
        assert not causes.keys() & MISPLACED


def migrated(first, last):
    """Return w2v vectors of which a part was made by a second run."""
    return replaced(W2V + 1e-3 * noise(2000, 128), first, last, OTHER_W2V)


@pytest.mark.parametrize(
    ("first", "last", "border"), [(1000, 2000, 999), (600, 2000, 599)], ids=["half", "most"]
)
def test_of_a_half_migrated_file_neither_part_is_called_foreign(first, last, border):
    causes, audit = found(W2V, migrated(first, last))
    parts = causes["two_populations"]
    ((low, high),) = parts.ranges
    assert low == 0
    assert high == pytest.approx(border, abs=2)
    assert "one of the two" in parts.message
    assert "one of the two" in audit.recommendation.action
    assert "one_sided_repeats" not in causes, "the texts repeat, the models differ"


def test_a_small_part_of_another_model_is_called_foreign():
    causes, audit = found(W2V, migrated(1400, 2000))
    assert "re-embed them" in causes["two_populations"].message
    assert "look like another model's" in audit.recommendation.action


def test_a_part_of_another_run_is_seen_beside_a_mean_that_dwarfs_the_rows():
    a, b = noise(400, 30) + 20.0, noise(400, 30, 1)
    b[:200] = a[:200] @ rotation(30, 2)
    b[200:] = a[200:] @ rotation(30, 3)
    split = split_by_geometry(a, b, 0)
    assert (split.start, split.stop) in ((0, 200), (200, 400))
    assert min(split.within_part, split.within_rest) > 0.9
    assert abs(split.across) < 0.1


# --- pairs in which no row is to blame ----------------------------------------------------------


@pytest.mark.parametrize("n", [48, 64, 100, 200])
def test_few_rows_of_other_items_do_not_lag(n):
    for seed in range(2):
        order = np.random.default_rng(seed).permutation(2000)
        causes, _ = found(W2V[order[:n]], W2V[order[1000 : 1000 + n]], k=3)
        assert not causes.keys() & MISPLACED
        causes, _ = found(W2V[order[:n]], OTHER_W2V[order[:n]], k=3)
        assert not causes.keys() & MISPLACED


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_independent_rows_of_few_dimensions_are_not_in_another_order(dim, metric):
    causes, _ = found(noise(600, dim, dim), noise(600, dim, dim + 9), metric=metric)
    assert not causes.keys() & MISPLACED


def test_a_shuffled_file_of_two_dimensions_is_still_found():
    a = noise(600, 2)
    order = np.random.default_rng(1).permutation(600)
    b = a[order] + 1e-5 * noise(600, 2, 2)
    shuffled = found(a, b, metric="euclidean")[0]["shuffled_rows"]
    assert "of 256 rows searched for" in shuffled.message
    for row, place in shuffled.examples:
        assert order[place] == row


def test_matches_by_chance_are_what_a_search_for_strangers_finds():
    everything = np.ones(500, np.bool_)
    preparation = Preparation(Metric.EUCLIDEAN, 1.0, 1.0, np.zeros(2), precise=True)
    corpora = {
        side: Corpus(ArraySet(noise(500, 2, seed)), preparation, everything, everything)
        for side, seed in (("a", 1), ("b", 2))
    }
    rows = np.arange(400)
    _, sure = partners_elsewhere(corpora, lambda _, __, v: v, rows, 1, SilentProgress())
    for corpus in corpora.values():
        by_chance = matched_by_chance(corpus, rows, 1, SilentProgress())
        assert by_chance == pytest.approx(sure.sum(), rel=0.3)
        assert by_chance > 40


@pytest.mark.parametrize("share", [0.2, 0.4])
def test_noise_that_takes_the_one_neighbour_is_no_part(share):
    noisy = MINILM[:1000] + share * MINILM.std(axis=0) * noise(1000, 384)
    causes, _ = found(MINILM[:1000], noisy, k=1)
    assert not causes.keys() & MISPLACED


# --- repetitions --------------------------------------------------------------------------------


def test_repeated_rows_are_counted_as_a_loop_counts_them():
    a = noise(300, 4).round()
    b = noise(300, 4, 1)
    b[20:60] = b[0]
    a[20:40] = a[0]
    expected = sum(
        any((a[j] == a[i]).all() for j in range(i))
        and not (b[i] == b[next(j for j in range(300) if (a[j] == a[i]).all())]).all()
        for i in range(300)
    )
    everything = np.ones(300, np.bool_)
    repeats = one_sided_repeats("a", hashed(a), hashed(b), everything, lambda rows: b[rows])
    assert repeats.rows == expected
    # Partners that differ by rounding are the same.
    close = b[[0] * 300] + 1e-7 * noise(300, 4, 2)
    close[200:] = b[200:]
    collapsed = np.ones((300, 4))
    collapsed[200:] = noise(100, 4, 3)
    assert (
        one_sided_repeats(
            "a", hashed(collapsed), hashed(close), everything, lambda rows: close[rows]
        )
        is None
    )


def test_collapsed_rows_of_one_side_are_named():
    b = MINILM.copy()
    chosen = np.sort(np.random.default_rng(5).choice(np.arange(1, 2000), 100, replace=False))
    b[chosen] = MINILM[0]
    repeats = found(MINILM, b)[0]["one_sided_repeats"]
    assert (repeats.side, repeats.severity) == ("b", "warning")
    assert repeats.rows == pytest.approx(100, abs=2)
    assert set(repeats.examples) <= {0, *chosen.tolist()}


# --- outliers -----------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 20))
def test_moments_without_some_rows_are_those_of_the_others(seed, count):
    x, y = noise(60, 3, seed) + 2, noise(60, 2, seed + 1)
    shift = np.ones(3), np.zeros(2)
    whole, some, others = Moments(*shift), Moments(np.zeros(3), np.ones(2)), Moments(*shift)
    whole.update(x, y)
    some.update(x[:count], y[:count])
    others.update(x[count:], y[count:])
    rest = whole.without(some)
    np.testing.assert_allclose(rest.gram, others.gram, atol=1e-8)
    assert linear_cka(rest).debiased == pytest.approx(linear_cka(others).debiased, abs=1e-8)


def test_the_row_that_carries_the_sums_is_named_with_cka_without_it():
    b = MINILM.copy()
    direction = noise(1, 384)[0]
    b[17] += 40 * np.linalg.norm(MINILM, axis=1).mean() * direction / np.linalg.norm(direction)
    causes, audit = found(MINILM, b, metric="euclidean")
    heavy = causes["few_rows_carry_the_sums"]
    assert (heavy.side, heavy.rows) == ("b", [17])
    others = np.delete(MINILM, 17, axis=0).astype(float)
    without = oracles.debiased_cka(others @ others.T, others @ others.T)
    assert heavy.cka_without == pytest.approx(without, abs=1e-4)
    assert heavy.cka == audit.measures["cka.linear"].value < 0.9
    centred = b.astype(float) - b.astype(float).mean(axis=0)
    share = np.square(centred[17]).sum() / np.square(centred).sum()
    assert heavy.share == pytest.approx(share, rel=1e-3)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_no_more_rows_are_named_than_carry_the_sums(count):
    x = noise(1500, 16).astype(np.float32)
    y = x + 0.01 * noise(1500, 16, 1).astype(np.float32)
    y[100 : 100 + count] *= 200
    heavy = found(x, y, metric="euclidean")[0]["few_rows_carry_the_sums"]
    assert set(heavy.rows) <= set(range(100, 100 + count))
    assert heavy.cka_without > 0.99 or len(heavy.rows) < count


# --- enough rows --------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.floats(0.6, 1.0), st.floats(0.1, 0.99))
def test_trials_that_prove_a_share_are_the_fewest(share, needed):
    trials = trials_to_prove(share, needed, 0.05)
    if share <= needed:
        assert trials is None
        return
    if trials is None or trials > 100_000:
        return
    hits = round(share * trials)
    if hits == share * trials:
        assert clopper_pearson(hits, trials, 0.05).low >= needed
    assert trials >= np.log(0.025) / np.log(needed) - 1


def test_trials_to_prove_perfection_follow_from_the_chance_to_see_no_failure():
    assert trials_to_prove(1.0, 0.98, 0.05) == int(np.ceil(np.log(0.025) / np.log(0.98)))


def test_trials_that_clear_a_threshold_do():
    value, limit = 0.91, 0.90
    interval = clopper_pearson(910, 1000, 0.05)
    trials = trials_to_clear(interval, limit, 1000)
    assert clopper_pearson(round(value * trials), trials, 0.05).low == pytest.approx(
        limit, abs=2e-3
    )
    assert trials_to_clear(clopper_pearson(900, 1000, 0.05), limit, 1000) is None


@pytest.mark.parametrize(
    ("a", "b", "n"),
    [(MINILM, FT120, 500), (MINILM, LSA, 300), (W2V, OTHER_W2V, 300), (W2V, OTHER_W2V, 500)],
    ids=["ft120", "lsa", "w2v-300", "w2v-500"],
)
def test_the_learning_curve_foretells_what_more_rows_show(a, b, n):
    audit = embaudit.compare(a, b)
    kinds = [f"recall.{d}.{k}" for d in ("a_to_b", "b_to_a") for k in ("orthogonal", "linear")]
    actual = max(audit.measures[kind].value for kind in kinds)
    some = np.sort(np.random.default_rng(n).permutation(2000)[:n])
    vectors = (unit_rows(side[some].astype(float)) for side in (a, b))
    curve = learning_curve(*vectors, Metric.COSINE, 10, 0)
    assert curve.at(2000) == pytest.approx(actual, abs=0.1)


def test_a_curve_is_not_carried_too_far():
    curve = learning_curve(
        MINILM[:400].astype(float), LSA[:400].astype(float), Metric.COSINE, 10, 0
    )
    assert curve.rows_for(0.99) is None
    assert curve.rows_for(curve.points[-1][1] - 0.05) is not None
    assert learning_curve(MINILM[:100], LSA[:100], Metric.COSINE, 10, 0) is None


def test_an_inconclusive_pair_says_what_would_decide():
    few, audit = found(MINILM[:500], LSA[:500])
    assert audit.verdict == "inconclusive"
    assert few["rows_needed"].rows == 1028
    assert few["rows_needed"].rows_for_a_map is None
    assert "1,028" in audit.recommendation.action
    partners, audit = found(MINILM[:120], W8[:120])
    assert audit.verdict == "inconclusive"
    assert partners["rows_needed"].rows > 120
    assert found(MINILM[:30], W8[:30])[0]["rows_needed"].rows == 42
    decided = found(MINILM, LSA)[0]
    assert "rows_needed" not in decided


# --- which rows are mispaired -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "share"), [("shuffled", 0.05), ("replaced", 0.1), ("shuffled", 0.3)]
)
def test_most_mispaired_rows_are_named_and_few_others(kind, share):
    chosen = np.random.default_rng(3).choice(2000, round(share * 2000), replace=False)
    b = W8.copy()
    b[chosen] = W8[np.roll(chosen, 1)] if kind == "shuffled" else LSA[chosen]
    audit = embaudit.compare(MINILM, b)
    assert audit.verdict == "mispaired"
    named = {f.id: f for f in audit.findings}["mispaired_rows"].suspect_rows
    hits = len(set(named) & set(chosen.tolist()))
    assert hits >= 0.85 * len(named)
    assert hits >= 0.8 * len(chosen)


@pytest.mark.parametrize("b", [FT120, LSA], ids=["ft120", "lsa"])
def test_clean_pairs_have_no_misplaced_rows(b):
    causes, _ = found(MINILM, b)
    assert not causes.keys() - {"one_sided_repeats"}

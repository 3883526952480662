"""Queries that are no rows: encoded by both models, searched against every row."""

from __future__ import annotations

import numpy as np
import pytest
from test_fitting import SETS, cosines

import embaudit
from embaudit.errors import InputError, UsageError

K = 10


def unit(x):
    return x.astype(float) / np.linalg.norm(x.astype(float), axis=1, keepdims=True)


def top(queries, corpus):
    """Brute force, on vectors without ties."""
    return np.argsort(-(unit(queries) @ unit(corpus).T), axis=1)[:, :K]


def shared(found, true):
    return np.mean([len(set(f) & set(t)) / K for f, t in zip(found, true, strict=True)])


def parted(name, cut=1500):
    distinct = np.sort(np.unique(SETS[name].astype(float), axis=0, return_index=True)[1])
    rows = SETS[name][distinct].astype(np.float32)
    return rows[:cut], rows[cut:]


@pytest.fixture(scope="module")
def pair():
    (a, queries_a), (b, queries_b) = parted("w2v_seed1"), parted("w2v_seed2")
    assert len(queries_a) == len(queries_b) > 300
    return a, b, queries_a, queries_b


@pytest.fixture(scope="module")
def audit(pair):
    a, b, queries_a, queries_b = pair
    return embaudit.compare(a, b, queries_a=queries_a, queries_b=queries_b, k=(K, 1))


def test_recalls_are_those_of_the_queries_by_brute_force(pair, audit):
    a, b, queries_a, queries_b = pair
    own = {"a": top(queries_a, a), "b": top(queries_b, b)}
    raw = {"a_to_b": top(queries_a, b), "b_to_a": top(queries_b, a)}
    for direction, found in raw.items():
        measure = audit.measures[f"recall.{direction}.raw"]
        assert measure.value == pytest.approx(shared(found, own[direction[-1]]), abs=1e-6)
        assert measure.queries == len(queries_a)


def test_mapped_queries_find_what_a_map_fitted_on_three_quarters_finds(pair, audit):
    a, b, queries_a, queries_b = pair
    part = np.arange(len(a)) % 4 != 0
    fitted = embaudit.fit_map(a[part], b[part], method="linear")
    recall = shared(top(fitted.transform(queries_a), b), top(queries_b, b))
    measured = audit.measures["recall.a_to_b.linear"].value
    assert measured == pytest.approx(recall, abs=0.03)
    assert cosines(fitted.transform(queries_a), queries_b).mean() > 0.9


def test_partners_and_overlap_remain_those_of_rows(pair, audit):
    a, b, *_ = pair
    plain = embaudit.compare(a, b)
    for key in ("neighbors.overlap", "partner.found.a_to_b.raw", "partner.found.b_to_a.raw"):
        assert audit.measures[key] == plain.measures[key]
    assert audit.verdict == plain.verdict == "align"
    assert audit.pairing == plain.pairing
    assert plain.queries is None
    assert audit.queries.rows == audit.measures_at_k["1"]["recall.a_to_b.raw"].queries


def test_the_audit_says_whose_queries_were_asked(pair, audit):
    told = {finding.id: finding.message for finding in audit.findings}
    assert "real_queries" in told
    assert "rows_as_queries" not in told
    a, b, *_ = pair
    plain = {finding.id: finding.message for finding in embaudit.compare(a, b).findings}
    assert "queries that look like rows" in plain["rows_as_queries"]


def test_all_queries_leave_an_interval_because_more_may_come(audit):
    low, high = audit.measures["recall.a_to_b.linear"].ci
    assert high - low > 0.01


def test_queries_of_another_kind_change_the_verdict():
    """Rows agree; queries of the second model lie elsewhere."""
    generator = np.random.default_rng(0)
    a = generator.standard_normal((1000, 16)).astype(np.float32)
    queries = generator.standard_normal((400, 16)).astype(np.float32)
    turned = np.roll(queries, 1, axis=1)
    near = a + np.float32(0.01) * generator.standard_normal(a.shape).astype(np.float32)
    assert embaudit.compare(a, near).verdict == "safe"
    assert embaudit.compare(a, near, queries_a=queries, queries_b=turned).verdict != "safe"
    assert embaudit.compare(a, near, queries_a=queries, queries_b=queries).verdict == "safe"


def test_few_queries_cannot_be_safe():
    a, queries = parted("minilm")
    audit = embaudit.compare(
        a, a + np.float32(1e-4), queries_a=queries[:12], queries_b=queries[:12]
    )
    assert audit.verdict == "inconclusive"
    assert "more queries" in audit.recommendation.action


@pytest.mark.parametrize(
    ("queries_a", "queries_b", "error", "complaint"),
    [
        (np.ones((5, 12)), None, UsageError, "--queries-a and --queries-b belong together"),
        (np.ones((5, 11)), np.ones((5, 12)), InputError, "dimension 11; --queries-a takes"),
        (np.ones((5, 12)), np.ones((4, 12)), InputError, "row counts differ"),
        (np.full((5, 12), np.nan), np.ones((5, 12)), InputError, "5 of 5 queries hold NaN or inf"),
        (np.eye(5, 12), np.zeros((5, 12)), InputError, "are all zero, without a direction"),
    ],
)
def test_queries_that_cannot_be_asked(queries_a, queries_b, error, complaint):
    a = np.random.default_rng(0).standard_normal((200, 12))
    with pytest.raises(error, match=complaint):
        embaudit.compare(a, a + 0.1, queries_a=queries_a, queries_b=queries_b)


def test_equal_rows_are_not_safe_for_queries_of_two_models(pair):
    a, _, queries_a, queries_b = pair
    audit = embaudit.compare(a, a.copy(), queries_a=queries_a, queries_b=queries_b)
    assert audit.verdict != "safe"
    assert audit.measures["recall.a_to_b.raw"].value < 0.1
    assert "real_queries" in {finding.id for finding in audit.findings}
    assert embaudit.compare(a, a.copy(), queries_a=queries_a, queries_b=queries_a).verdict == "safe"
    few = embaudit.compare(a[:30], a[:30].copy(), queries_a=queries_a, queries_b=queries_b)
    assert few.verdict == "inconclusive"

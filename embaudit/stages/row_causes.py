"""Stage 5: where rows are to blame: another order, lags, parts, repetitions, outliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embaudit.datatypes import DIRECTIONS, Mask, Matrix, Rows, Verdict
from embaudit.measures.borders import Borders
from embaudit.measures.cka import independence_p_value
from embaudit.measures.elsewhere import partners_elsewhere
from embaudit.measures.lags import LagScan, shifted_cka, standing_out
from embaudit.measures.learning import LearningCurve, learning_curve
from embaudit.measures.neighbors import RAW, recall_id
from embaudit.measures.order import MOST_LAG, Order, order_of, places_by_bytes
from embaudit.measures.outliers import CONCENTRATED, Outliers, outliers
from embaudit.measures.pairing import Mispairing
from embaudit.measures.partition import CROSS_SHARE, lost_parts, split_by_geometry
from embaudit.measures.repeats import Repeats, one_sided_repeats
from embaudit.stages.ledger import Ledger
from embaudit.stages.linear import LinearStage
from embaudit.stages.population import Population
from embaudit.stages.retrieval import RetrievalStage
from embaudit.stages.sample import SampleStage

DOUBTFUL = {Verdict.CONCATENATE, Verdict.MISPAIRED, Verdict.UNRELATED, Verdict.INCONCLUSIVE}
"""Verdicts under which rows may be out of order."""
MISPLACED = {Verdict.MISPAIRED, Verdict.UNRELATED}
SEARCHED = 256
FEWEST_PLACES = 8
NOTABLE_SHARE = 0.02
SURE_SHARE = 0.25
"""Of rows that were searched for, the share that must be found elsewhere."""
LOST_RECALL = 0.1
GOOD_RECALL = 0.8
LOST_RANK = 0.25
MOST_LOST = 0.5
IN_PLACE = 0.01
CURVE_ROWS = 1024
"""Rows a learning curve is measured on; more than 1,000 dimensions take seconds."""
REFERENCES = 512
PROBED = 512
FEWEST_PROBED = 24
PAIRED = 1e-6
"""Chance of independence below which the rows of a part are partners of each other."""


@dataclass(frozen=True)
class Part:
    """Contiguous rows that behave differently from the others.

    Attributes
    ----------
    first, last : int
        Matched rows, inclusive.
    inside : float or None
        Debiased CKA of the part's own rows; None where there are too few.
    paired : bool or None
        Whether the part's rows are partners of each other in spaces of their own.
    lag : int or None
        By which the part's rows lag, where they are not partners.
    """

    first: int
    last: int
    inside: float | None
    paired: bool | None
    lag: int | None = None


@dataclass(frozen=True)
class Parts:
    """Rows that no map of the others recovers.

    Attributes
    ----------
    share : float
        Of the rows looked at, those that are lost, or lie in the part.
    by : str
        ``"recall"``, ``"ranks"``, or ``"geometry"`` of a sample.
    parts : list of Part
        Ascending; empty where the lost rows are spread over the file.
    outside : float or None
        Debiased CKA of rows outside the parts.
    lost : float or None
        Debiased CKA of the lost rows where they are spread over the file.
    lost_paired : bool or None
        Whether those are partners of each other in spaces of their own.
    """

    share: float
    by: str
    parts: list[Part]
    outside: float | None
    lost: float | None = None
    lost_paired: bool | None = None


@dataclass(frozen=True)
class RowCauses:
    """What rows are to blame for; None or empty where nothing is seen, or nothing was looked for.

    Attributes
    ----------
    order : Order or None
    parts : Parts or None
    repeats : list of Repeats
    outliers : Outliers or None
    curve : LearningCurve or None
        What maps recover with more rows, where there are too few.
    """

    order: Order | None = None
    parts: Parts | None = None
    repeats: tuple[Repeats, ...] = ()
    outliers: Outliers | None = None
    curve: LearningCurve | None = None


def measure_row_causes(
    population: Population,
    linear: LinearStage,
    sample: SampleStage,
    retrieval: RetrievalStage,
    ledger: Ledger,
) -> RowCauses:
    """Look for rows that explain the verdict.

    Reads some blocks of rows; where single rows are searched for elsewhere, or a few rows carry the
    sums, every row once more. Healthy pairs cost nothing but counting repeated hashes.
    """
    if retrieval.evidence.identical or linear.moments is None:
        return RowCauses()
    with ledger.stage("causes"):
        look = _Look(population, linear, sample, retrieval)
        order = look.order()
        return RowCauses(
            order=order,
            parts=None if order is not None else look.parts(),
            repeats=() if order is not None else look.repeats(),
            outliers=look.outliers(),
            curve=look.curve(),
        )


class _Look:
    """The questions, each asked only where its answer can matter."""

    def __init__(
        self,
        population: Population,
        linear: LinearStage,
        sample: SampleStage,
        retrieval: RetrievalStage,
    ) -> None:
        self._population = population
        self._linear = linear
        self._sample = sample
        self._retrieval = retrieval
        self._verdict = retrieval.decision.verdict

    def order(self) -> Order | None:
        """Return how the rows of B are ordered, where they are not in A's order."""
        if self._verdict not in DOUBTFUL:
            return None
        return self._order_by_bytes() or self._order_by_blocks() or self._order_by_search()

    def _order_by_bytes(self) -> Order | None:
        pair, scan = self._population.pair, self._population.scan
        if (pair.a.dim, pair.a.dtype) != (pair.b.dim, pair.b.dtype):
            return None
        rows, found = places_by_bytes(scan.a.hashes, scan.b.hashes)
        moved = int(np.count_nonzero(rows != found))
        if moved < max(FEWEST_PLACES, NOTABLE_SHARE * pair.rows):
            return None
        return order_of(rows, found, "bytes")

    def _order_by_blocks(self) -> Order | None:
        lags = LagScan(self._population.pair.rows, self._rows_a, self._rows_b).run()
        if lags is None:
            return None
        moved = sum(block.last - block.first + 1 for block in lags.blocks if block.lag)
        return Order(
            "lag",
            "geometry",
            self._population.pair.rows,
            moved,
            lags.blocks,
            [],
            lags.strength,
        )

    def _order_by_search(self) -> Order | None:
        mispairing = self._retrieval.mispairing
        if mispairing is None or self._verdict not in MISPLACED:
            return None
        kinds = [RAW] if self._population.same_dim else []
        if self._verdict is Verdict.UNRELATED:
            rows = self._population.order[:SEARCHED]
        else:
            rows = mispairing.likely_mispaired[:SEARCHED]
            kinds += [mispairing.view[1]] if mispairing.view[1] != RAW else []
        if len(rows) < FEWEST_PLACES:
            return None
        orders = (self._order_through(kind, np.sort(rows), mispairing) for kind in kinds)
        return next((order for order in orders if order is not None), None)

    def _order_through(self, kind: str, rows: Rows, mispairing: Mispairing) -> Order | None:
        """Return the order that single rows show when searched for as stored or mapped."""
        search, maps = self._retrieval.search, self._linear.maps
        if search is None or maps is None:
            return None

        def carry(direction: str, some: Rows, vectors: Matrix) -> Matrix:
            return vectors if kind == RAW else maps.transform(direction, kind, some, vectors)

        found, sure = partners_elsewhere(
            {"a": search.a, "b": search.b},
            carry,
            rows,
            self._population.options.workers,
            self._population.options.progress,
        )
        moved = sure & (found != rows)
        if moved.sum() < max(FEWEST_PLACES, SURE_SHARE * len(rows)):
            return None
        alone = order_of(rows[sure], found[sure], "search")
        if self._verdict is Verdict.UNRELATED:
            return alone
        # Rows that rank well stand in place: among them blocks show where they begin and end.
        well = mispairing.rows[mispairing.ranks <= IN_PLACE]
        known, places = np.append(rows[moved], well), np.append(found[moved], well)
        by_row = np.argsort(known, kind="stable")
        together = order_of(known[by_row], places[by_row], "search")
        return together if together is not None and together.blocks else alone

    def parts(self) -> Parts | None:
        """Return the contiguous rows, or the share of rows, that behave differently."""
        if self._verdict in (Verdict.SAFE, Verdict.UNRELATED):
            return None
        return self._parts_by_recall() or self._parts_by_ranks() or self._parts_by_geometry()

    def _parts_by_recall(self) -> Parts | None:
        results = self._retrieval.results
        if results is None or recall_id("a_to_b", RAW) not in results.values:
            return None
        recall = np.minimum(*(results.values[recall_id(d, RAW)] for d in DIRECTIONS))
        lost = recall <= LOST_RECALL
        if lost.mean() < NOTABLE_SHARE or float(np.median(recall)) < GOOD_RECALL:
            return None
        # Ranks exist for more rows than recalls do, and find the same parts more exactly.
        return self._parts_by_ranks() or self._parts(results.rows, lost, "recall")

    def _parts_by_ranks(self) -> Parts | None:
        mispairing = self._retrieval.mispairing
        if mispairing is None or mispairing.fraction.value > MOST_LOST:
            return None
        found = self._parts(mispairing.rows, mispairing.ranks > LOST_RANK, "ranks")
        return found if found is not None and found.parts else None

    def _parts(self, rows: Rows, lost: Mask, by: str) -> Parts | None:
        order = np.argsort(rows)
        rows, lost = rows[order], lost[order]
        spans = lost_parts(lost)
        inside = np.zeros(len(rows), np.bool_)
        for start, stop in spans:
            inside[start:stop] = True
        found = [self._borders(rows, inside, start, stop) for start, stop in spans]
        borders = [ends for ends in found if ends is not None]
        if spans and not borders:
            return None
        parts = [self._part(*ends) for ends in borders]
        share = float(lost.mean())
        if parts:
            return Parts(share, by, parts, self._outside(borders))
        among_lost, among_others = self._cka(rows[lost]), self._cka(rows[~lost])
        return Parts(
            share,
            by,
            [],
            None if among_others is None else among_others[0],
            None if among_lost is None else among_lost[0],
            None if among_lost is None else independence_p_value(*among_lost) < PAIRED,
        )

    def _parts_by_geometry(self) -> Parts | None:
        rows = np.sort(self._sample.rows)
        if len(rows) == 0:
            return None
        split = split_by_geometry(
            self._take_a(rows), self._take_b(rows), self._population.options.seed
        )
        if split is None:
            return None
        inside = np.zeros(len(rows), np.bool_)
        inside[split.start : split.stop] = True
        borders = self._borders(rows, inside, split.start, split.stop)
        if borders is None:
            return None
        first, last = borders
        end = self._population.pair.rows - 1
        part = [(first, last)]
        rest = [ends for ends in ((0, first - 1), (last + 1, end)) if ends[0] <= ends[1]]
        larger = last - first + 1 > self._population.pair.rows / 2 and len(rest) == 1
        if larger or split.within_rest < CROSS_SHARE * split.within_part:
            # The file is the larger part, or the one whose rows correspond.
            part, rest = rest, part
        share = sum(high - low + 1 for low, high in part) / self._population.pair.rows
        return Parts(share, "geometry", [self._part(*ends) for ends in part], self._outside(part))

    def _borders(self, rows: Rows, inside: Mask, start: int, stop: int) -> tuple[int, int] | None:
        """Return the first and the last row of a part, each decided by its own inner products.

        None where rows of the part agree with the others as those do among themselves.
        """
        generator = np.random.default_rng([self._population.options.seed, 8])
        part, others = rows[start:stop], rows[~inside]
        if len(part) < 4 or len(others) < FEWEST_PROBED:
            return None
        borders = Borders(
            generator.permutation(others)[:REFERENCES],
            generator.permutation(part)[:REFERENCES],
            self._take_a,
            self._take_b,
        )
        if not borders.differ:
            return None
        reach = max(4, len(part) // 4)
        low = int(rows[start - reach]) if start > reach else 0
        high = self._population.pair.rows
        high = int(rows[stop + reach]) if stop + reach < len(rows) else high
        middle = int(part[len(part) // 2])
        first, behind = borders.begins(low, middle), borders.ends(middle, high)
        return (first, behind - 1) if first < behind else None

    def _part(self, first: int, last: int) -> Part:
        inside = self._cka(np.arange(first, last + 1))
        if inside is None:
            return Part(first, last, None, None)
        value, count = inside
        paired = independence_p_value(value, count) < PAIRED
        return Part(first, last, value, paired, None if paired else self._lag(first, last))

    def _lag(self, first: int, last: int) -> int | None:
        """Return by how many rows a part lags within itself, where it does."""
        rows = min(last - first + 1, 2 * PROBED)
        most = min(MOST_LAG, rows // 6)
        a = self._rows_a(first + most, first + rows - most)
        values = shifted_cka(a, self._rows_b(first, first + rows))
        position = standing_out(values)
        chance = independence_p_value(float(values.max()), len(a)) * len(values)
        return None if position is None or chance >= PAIRED else position - most

    def _outside(self, borders: list[tuple[int, int]]) -> float | None:
        kept = self._population.kept.copy()
        for first, last in borders:
            kept[first : last + 1] = False
        found = self._cka(np.flatnonzero(kept))
        return None if found is None else found[0]

    def _cka(self, rows: Rows) -> tuple[float, int] | None:
        """Return debiased CKA of some of the rows, and of how many."""
        rows = rows[self._population.kept[rows]]
        if len(rows) < FEWEST_PROBED:
            return None
        generator = np.random.default_rng([self._population.options.seed, 7])
        chosen = np.sort(generator.permutation(rows)[:PROBED])
        return float(shifted_cka(self._take_a(chosen), self._take_b(chosen))[0]), len(chosen)

    def repeats(self) -> tuple[Repeats, ...]:
        """Return the vectors of one side that stand for rows whose partners differ."""
        if self._verdict is Verdict.SAFE:
            return ()
        population = self._population
        usable_a, usable_b = population.scan.usable(population.options.metric)
        usable = usable_a & usable_b
        a, b = population.scan.a, population.scan.b
        sides = (
            one_sided_repeats("a", a.hashes, b.hashes, usable, self._take_b),
            one_sided_repeats("b", b.hashes, a.hashes, usable, self._take_a),
        )
        return tuple(side for side in sides if side is not None)

    def outliers(self) -> Outliers | None:
        """Return the rows that carry the sums, where the fourth moments say that some do."""
        moments = self._linear.moments
        if moments is None or max(self._linear.concentration) <= CONCENTRATED:
            return None
        population = self._population
        return outliers(
            population.pair,
            population.kept,
            (population.scan.a.preparation, population.scan.b.preparation),
            moments,
            population.options.workers,
        )

    def curve(self) -> LearningCurve | None:
        """Return what maps recover at several numbers of rows, where there are too few to tell."""
        evidence = self._retrieval.evidence
        if self._verdict is not Verdict.INCONCLUSIVE or not evidence.few_rows:
            return None
        options = self._population.options
        rows = self._population.order[:CURVE_ROWS]
        return learning_curve(
            self._take_a(rows), self._take_b(rows), options.metric, options.k, options.seed
        )

    def _rows_a(self, start: int, stop: int) -> Matrix:
        return self._take_a(np.arange(start, stop))

    def _rows_b(self, start: int, stop: int) -> Matrix:
        return self._take_b(np.arange(start, stop))

    def _take_a(self, rows: Rows) -> Matrix:
        scanned = self._population.scan.a
        return _valid(scanned.preparation.rows(self._population.pair.a.take(rows)))

    def _take_b(self, rows: Rows) -> Matrix:
        scanned = self._population.scan.b
        return _valid(scanned.preparation.rows(self._population.pair.b.take(rows)))


def _valid(rows: Matrix) -> Matrix:
    """Return rows with those that hold NaN or infinity at the mean of the others."""
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        rows[~finite] = rows[finite].mean(axis=0) if finite.any() else 0.0
    return rows

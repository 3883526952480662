"""The charts of the HTML report: Vega-Lite drawn to SVG beforehand, so that no script draws them.

Colours are those of the page, which has one set for light and one for dark.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embaudit.report.plain import count, percent
from embaudit.report.wording import DIRECTIONS

if TYPE_CHECKING:
    from embaudit.figures import Cosines, Distributions, PartnerRanks
    from embaudit.result import Audit, Thresholds

Spec = dict[str, Any]
SIZE = {"width": 290, "height": 170}
"""Pixels of the plot, which a phone shows at full size."""
FIRST, SECOND, MARK = "var(--blue)", "var(--orange)", "var(--muted)"
CONFIG: Spec = {
    "background": None,
    "font": "sans-serif",
    "padding": 4,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--ink)",
        "titleColor": "var(--ink)",
        "titleFontWeight": "normal",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "tickCount": 5,
    },
}


@dataclass(frozen=True)
class Chart:
    """A picture with the words that go with it.

    Attributes
    ----------
    title : str
    svg : str
    alternative : str
        What the picture shows, for those who do not see it.
    caption : str
        How to read it.
    keys : tuple of (class, str)
        What its colours stand for; the class is that of the colour.
    """

    title: str
    svg: str
    alternative: str
    caption: str
    keys: tuple[tuple[str, str], ...] = ()


def charts(audit: Audit) -> Iterator[Chart]:
    """Yield the charts that there are numbers for."""
    found = audit.distributions
    if found is not None:
        if found.canonical_correlations:
            yield _canonical(found)
        for cosines in found.cosines:
            yield _cosines(cosines)
        for ranks in found.partner_ranks:
            yield _ranks(ranks)
    if audit.thresholds is not None and audit.thresholds.curve:
        yield _scores(audit.thresholds)


def drawn(layers: list[Spec]) -> str:
    """Return layers of Vega-Lite as SVG."""
    import vl_convert

    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        **SIZE,
        "layer": layers,
        "config": CONFIG,
    }
    # No address is allowed: nothing is loaded while drawing either.
    svg: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return svg


def _quantity(field: str, title: str, domain: list[float]) -> Spec:
    scale = {"domain": domain, "zero": False, "nice": False}
    return {"field": field, "type": "quantitative", "title": title, "scale": scale}


def _rule(channel: str, value: float) -> Spec:
    """Return a line across the plot."""
    return {
        "data": {"values": [{"at": value}]},
        "mark": {"type": "rule", "color": MARK, "strokeDash": [4, 3], "strokeWidth": 1.5},
        "encoding": {channel: {"field": "at", "type": "quantitative"}},
    }


def _canonical(found: Distributions) -> Chart:
    correlations = found.canonical_correlations
    last = found.canonical_directions
    step = (last - 1) / max(1, len(correlations) - 1)
    values = [
        {"direction": 1 + place * step, "correlation": value}
        for place, value in enumerate(correlations)
    ]
    lowest = min(0.0, *correlations)
    line: Spec = {
        "data": {"values": values},
        "mark": {"type": "area", "line": {"color": FIRST}, "color": FIRST, "fillOpacity": 0.15},
        "encoding": {
            "x": _quantity("direction", "canonical direction", [1.0, float(max(last, 2))]),
            "y": _quantity("correlation", "correlation", [lowest, 1.0]),
        },
    }
    middle = sorted(correlations)[len(correlations) // 2]
    alone: Spec = {
        "data": {"values": values if last == 1 else []},
        "mark": {"type": "point", "filled": True, "color": FIRST},
        "encoding": line["encoding"],
    }
    return Chart(
        "Canonical correlations",
        drawn([line, alone]),
        f"Held-out correlations of {count(last, 'canonical direction')}: "
        f"{correlations[0]:.3f} at first, {middle:.3f} in the median, {correlations[-1]:.3f} at "
        "last.",
        "How much of the spaces is shared: directions found on some rows, correlated on others. "
        "1 throughout for a rotated copy, near 0 for independent sets.",
    )


def _bins(counts: list[int], low: float, high: float) -> list[Spec]:
    width, total = (high - low) / len(counts), max(1, sum(counts))
    return [
        {"from": low + place * width, "to": low + (place + 1) * width, "share": number / total}
        for place, number in enumerate(counts)
    ]


def _histogram(counts: list[int], low: float, high: float, title: str, colour: str) -> Spec:
    return {
        "data": {"values": _bins(counts, low, high)},
        "mark": {"type": "bar", "color": colour, "fillOpacity": 0.55, "binSpacing": 0},
        "encoding": {
            "x": _quantity("from", title, [low, high]),
            "x2": {"field": "to"},
            "y": {
                "field": "share",
                "type": "quantitative",
                "title": "share of rows",
                "stack": None,
                "axis": {"format": ".0%"},
            },
            "y2": {"datum": 0},
        },
    }


def _view(direction: str, kind: str) -> str:
    return f"{'as stored' if kind == 'raw' else f'{kind} map'}, {DIRECTIONS[direction]}"


def _cosines(found: Cosines) -> Chart:
    view = _view(found.direction, found.map)
    low, high = found.low, found.high
    layers = [
        _histogram(counts, low, high, "cosine", colour)
        for counts, colour in ((found.random, SECOND), (found.partners, FIRST))
    ]
    where = "the spaces are one" if found.map == "raw" else "the map leads rows to their partners"
    return Chart(
        f"Cosine of partners, {view}",
        drawn(layers),
        f"Histograms of cosines: partners lie around {found.partners_mean:.3f}, random pairs "
        f"around {found.random_mean:.3f}.",
        f"{count(found.n, 'row')} of A with their own rows of B, and with random others. "
        f"Apart where rows are paired and {where}.",
        (("blue", "partners"), ("orange", "random pairs")),
    )


def _ranks(found: PartnerRanks) -> Chart:
    view = _view(found.direction, found.map)
    share = found.counts[0] / max(1, sum(found.counts))
    where = "the stored vectors can be compared" if found.map == "raw" else "the map leads there"
    layers = [
        _histogram(found.counts, 0.0, 1.0, "partner rank", FIRST),
        _rule("y", 1.0 / len(found.counts)),
    ]
    return Chart(
        f"Partner ranks, {view}",
        drawn(layers),
        f"Histogram of partner ranks: {percent(share)} of the rows rank their partner within the "
        f"first {percent(1.0 / len(found.counts))} of random rows.",
        f"Share of random rows that are nearer than the partner, of {count(found.n, 'row')}. "
        f"At the left where rows are paired and {where}; level with the dashed line where either "
        "fails.",
    )


def _scores(thresholds: Thresholds) -> Chart:
    curve = thresholds.curve
    own = [{"a": point.a, "b": point.b} for point in curve]
    cross = [{"a": point.a, "b": point.cross} for point in curve if point.cross is not None]
    marked = _marked(thresholds)
    on_a = [point.a for point in curve] + [at for at, _ in marked]
    on_b = [point.b for point in curve] + [at for _, at in marked]
    on_b += [point.cross for point in curve if point.cross is not None]
    domain_a, domain_b = _domain(on_a), _domain(on_b)
    kind = "distance" if thresholds.metric == "euclidean" else "score"
    encoding = {
        "x": _quantity("a", f"{kind} on A", domain_a),
        "y": _quantity("b", f"{kind} on B", domain_b),
    }
    layers = [_curve(own, FIRST, encoding)]
    keys = [("blue", "B with B")]
    if cross:
        layers.append(_curve(cross, SECOND, encoding) | {"mark": _line(SECOND, [6, 3])})
        keys.append(("orange", "A with B, dashed"))
    # Where scores on both sides have numbers in common.
    ends = max(domain_a[0], domain_b[0]), min(domain_a[1], domain_b[1])
    if ends[0] < ends[1]:
        mark: Spec = {"type": "line", "color": MARK, "strokeWidth": 1}
        same = [{"a": end, "b": end} for end in ends]
        layers.insert(0, {"data": {"values": same}, "mark": mark, "encoding": encoding})
        keys.append(("muted", "the same number"))
    told = ""
    for at, carried in marked:
        layers += [_rule("x", at), _rule("y", carried)]
        told = f" Dashed lines: {at:.4g} on A is {carried:.4g} on B with B."
    return Chart(
        "Scores, A to B",
        drawn(layers),
        f"The {kind} on B that as many pairs of rows reach as a {kind} on A: from "
        f"{curve[0].a:.3g} to {curve[-1].a:.3g} on A and from {curve[0].b:.3g} to "
        f"{curve[-1].b:.3g} on B.{told}",
        f"A {kind} on A, and the one on B that the same share of pairs reach.{told}",
        tuple(keys),
    )


def _domain(values: list[float]) -> list[float]:
    low, high = min(values), max(values)
    return [low, high] if low < high else [low, low + 1.0]


def _line(colour: str, dash: list[int] | None = None) -> Spec:
    line: Spec = {"type": "line", "color": colour, "strokeWidth": 2}
    return line if dash is None else line | {"strokeDash": dash}


def _curve(values: list[Spec], colour: str, encoding: Spec) -> Spec:
    return {"data": {"values": values}, "mark": _line(colour), "encoding": encoding}


def _marked(thresholds: Thresholds) -> list[tuple[float, float]]:
    """Return the threshold that was asked about, else the middle one of the table, on A and B."""
    asked = [row for row in thresholds.rows if row.asked]
    judged = [row for row in thresholds.rows if row.own is not None]
    chosen = asked or judged[len(judged) // 2 :][:1]
    return [(row.threshold, row.own.threshold) for row in chosen[:1] if row.own is not None]

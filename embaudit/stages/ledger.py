"""Where the stages write what they measured: each id gets a value, or a reason why not."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from embaudit.measures.catalogue import SPECS, MeasureSpec
from embaudit.result import CI, Measure


class Ledger:
    """Values and reasons by measure id, and the seconds each stage took."""

    def __init__(self) -> None:
        self.timing: dict[str, float] = {}
        self._values: dict[str, dict[str, object]] = {}
        self._reasons: dict[str, str] = {}
        self._at: dict[int, Ledger] = {}

    def at(self, k: int) -> Ledger:
        """Return where measures at a number of neighbours that does not decide are written."""
        return self._at.setdefault(k, Ledger())

    def put(
        self,
        key: str,
        value: float | None,
        reason: str = "undefined on these rows",
        *,
        n: int,
        ci: CI | None = None,
        chance: float | None = None,
        p_value: float | None = None,
        k: int | None = None,
        queries: int | None = None,
    ) -> None:
        """Record a measure; `reason` stands where the value is None or not finite."""
        if value is None or not math.isfinite(value):
            self._reasons[key] = reason
            return
        self._values[key] = {
            "value": float(value),
            "n": n,
            "ci": ci,
            "chance": chance,
            "p_value": p_value,
            "k": k,
            "queries": queries,
        }

    def skip(self, keys: Iterable[str], reason: str) -> None:
        """Record why some measures have no value."""
        for key in keys:
            self._reasons[key] = reason

    def skip_family(self, prefixes: tuple[str, ...], reason: str) -> None:
        """Record why no measure whose id starts with one of `prefixes` has a value."""
        self.skip([spec.id for spec in SPECS if spec.id.startswith(prefixes)], reason)

    def measures(self) -> dict[str, Measure]:
        """Return every measure of the catalogue.

        Raises
        ------
        KeyError
            When a stage has left a measure without value and without reason.
        """
        return {spec.id: self._measure(spec) for spec in SPECS}

    def measures_at_k(self) -> dict[str, dict[str, Measure]]:
        """Return what was written to `at`, by k and id."""
        return {
            str(k): {
                spec.id: ledger._measure(spec)
                for spec in SPECS
                if spec.id in ledger._values or spec.id in ledger._reasons
            }
            for k, ledger in self._at.items()
        }

    def _measure(self, spec: MeasureSpec) -> Measure:
        data = self._values.get(spec.id) or {"value": None, "reason": self._reasons[spec.id]}
        return Measure.model_validate({"title": spec.title, "better": spec.better, **data})

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the seconds spent inside to the timing of stage `name`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.timing[name] = self.timing.get(name, 0.0) + time.perf_counter() - started

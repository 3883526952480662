"""What the user asked for, checked."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import SupportsIndex

from embaudit.datatypes import Metric, Progress, SilentProgress
from embaudit.errors import UsageError, did_you_mean
from embaudit.maps.fold_fit import FOLD_BYTES
from embaudit.result import Policy
from embaudit.stages.byte_counts import byte_count
from embaudit.stages.row_counts import row_count
from embaudit.stats.parallel import worker_count


@dataclass(frozen=True)
class MemoryPlan:
    """How memory is used; it decides no number that is reported.

    Attributes
    ----------
    share : float
        Of the usual size of every block of rows, in (0, 1].
    fold_bytes : int
        What the decompositions of folds that are worked on together may take.
    """

    share: float = 1.0
    fold_bytes: int = FOLD_BYTES


@dataclass(frozen=True)
class Options:
    """What the user asked for, checked.

    Attributes are those of `embaudit.compare`; `ks` has the deciding k first, `workers` is the
    number of threads, `index_size` and `sample` are numbers of rows, `memory` one of bytes.
    `plan` is what follows from that for a pair.
    """

    metric: Metric
    ks: tuple[int, ...]
    policy: Policy
    drop_invalid: bool
    keep_duplicates: bool
    seed: int
    workers: int
    progress: Progress
    threshold: float | None = None
    index_size: int | None = None
    sample: int | None = None
    memory: int | None = None
    plan: MemoryPlan = MemoryPlan()

    @property
    def k(self) -> int:
        """The number of neighbours that decides."""
        return self.ks[0]

    def plain(self) -> Options:
        """Return the options without the questions that are asked besides the verdict."""
        return replace(self, ks=self.ks[:1], threshold=None, index_size=None)

    @classmethod
    def checked(
        cls,
        *,
        metric: Metric | str = Metric.COSINE,
        k: int | Sequence[int] = 10,
        policy: Policy | None = None,
        drop_invalid: bool = False,
        keep_duplicates: bool = False,
        seed: int = 0,
        progress: Progress | None = None,
        threads: int | None = None,
        threshold: float | None = None,
        index_size: int | float | str | None = None,
        sample: int | float | str | None = None,
        memory: int | str | None = None,
    ) -> Options:
        """Return the options, defaults filled in.

        Raises
        ------
        UsageError
            For a value that is not possible; names the option.
        """
        if threads is not None and _whole("--threads", threads) < 1:
            raise UsageError(f"--threads must be at least 1, not {threads}")
        if _whole("--seed", seed) < 0:
            raise UsageError(f"--seed must be at least 0, not {seed}")
        known = _known_metric(metric)
        return cls(
            metric=known,
            ks=_distinct(k),
            policy=policy or Policy(),
            drop_invalid=drop_invalid,
            keep_duplicates=keep_duplicates,
            seed=seed,
            workers=worker_count(threads),
            progress=progress or SilentProgress(),
            threshold=None if threshold is None else _possible(threshold, known),
            index_size=None if index_size is None else row_count("--index-size", index_size),
            sample=None if sample is None else row_count("--sample", sample),
            memory=None if memory is None else byte_count("--memory", memory),
        )


def _distinct(k: int | Sequence[int]) -> tuple[int, ...]:
    """Return the numbers of neighbours, each once, in the order given."""
    several = k if isinstance(k, Iterable) and not isinstance(k, str) else [k]
    ks = tuple(dict.fromkeys(_whole("--k", one) for one in several))
    if not ks or min(ks) < 1:
        raise UsageError(f"--k must be at least 1, not {min(ks, default='nothing')}")
    return ks


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise UsageError(f"{name} {value!r}: expected a whole number")
    return operator.index(value)


def _possible(threshold: float, metric: Metric) -> float:
    """Return a threshold that lies in the metric's range."""
    if not isinstance(threshold, Real):
        raise UsageError(f"--threshold {threshold!r}: expected a number")
    ranges = {
        Metric.COSINE: (-1.0 <= threshold <= 1.0, "a cosine from -1 to 1"),
        Metric.DOT: (math.isfinite(threshold), "a finite inner product"),
        Metric.EUCLIDEAN: (0.0 < threshold < math.inf, "a distance above 0"),
    }
    allowed, meaning = ranges[metric]
    if not allowed:
        raise UsageError(f"--threshold {threshold:g}: expected {meaning}")
    return float(threshold)


def _known_metric(metric: Metric | str) -> Metric:
    names = [str(known) for known in Metric]
    if str(metric) not in names:
        raise UsageError(
            f"--metric {metric}: expected one of {', '.join(names)}"
            f"{did_you_mean(str(metric), names)}"
        )
    return Metric(str(metric))

"""What the user asked for, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from embaudit.datatypes import Metric, Progress, SilentProgress
from embaudit.errors import UsageError, did_you_mean
from embaudit.result import Policy
from embaudit.stats.parallel import worker_count


@dataclass(frozen=True)
class Options:
    """What the user asked for, checked.

    Attributes are those of `embaudit.compare`; `ks` has the deciding k first, `workers` is the
    number of threads.
    """

    metric: Metric
    ks: tuple[int, ...]
    policy: Policy
    drop_invalid: bool
    keep_duplicates: bool
    seed: int
    workers: int
    progress: Progress

    @property
    def k(self) -> int:
        """The number of neighbours that decides."""
        return self.ks[0]

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
    ) -> Options:
        """Return the options, defaults filled in.

        Raises
        ------
        UsageError
            For a value that is not possible; names the option.
        """
        if seed < 0:
            raise UsageError(f"--seed must be at least 0, not {seed}")
        return cls(
            metric=_known_metric(metric),
            ks=_distinct(k),
            policy=policy or Policy(),
            drop_invalid=drop_invalid,
            keep_duplicates=keep_duplicates,
            seed=seed,
            workers=worker_count(threads),
            progress=progress or SilentProgress(),
        )


def _distinct(k: int | Sequence[int]) -> tuple[int, ...]:
    """Return the numbers of neighbours, each once, in the order given."""
    ks = tuple(dict.fromkeys([k] if isinstance(k, int) else k))
    if not ks or min(ks) < 1:
        raise UsageError(f"--k must be at least 1, not {min(ks, default='nothing')}")
    return ks


def _known_metric(metric: Metric | str) -> Metric:
    names = [str(known) for known in Metric]
    if str(metric) not in names:
        raise UsageError(
            f"--metric {metric}: expected one of {', '.join(names)}"
            f"{did_you_mean(str(metric), names)}"
        )
    return Metric(str(metric))

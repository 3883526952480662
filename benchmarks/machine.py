"""What a measurement depends on: the machine, the versions, and how fast it multiplies now."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

SHAPES = ((2048, 2048, 2048), (1536, 4096, 1536), (4096, 768, 1024))
"""Products (m, k, n) of the probe: square, tall as in moments, a block against queries."""
SMALL_SHAPES = ((512, 512, 512),)
TURNS = 5
PACKAGES = ("embaudit", "numpy", "scipy", "scikit-learn", "pyarrow", "faiss-cpu")


def gemm_rate(threads: int, shapes: tuple[tuple[int, int, int], ...] = SHAPES) -> float:
    """Return the float32 operations a second of numpy's products on `threads` threads.

    The best of all shapes, each the median of five, done both ways: one product split by BLAS, and
    one product a thread.
    """
    rates = []
    generator = np.random.default_rng(0)
    for m, k, n in shapes:
        left = generator.standard_normal((m, k), np.float32)
        right = generator.standard_normal((k, n), np.float32)
        products = [
            partial(np.matmul, left, right, out=np.empty((m, n), np.float32))
            for _ in range(threads)
        ]
        flops = 2.0 * m * k * n
        with threadpool_limits(threads, "blas"):
            rates.append(flops / _median_seconds(products[0]))
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
            rates.append(threads * flops / _median_seconds(partial(_together, pool, products)))
    return max(rates)


def _together(pool: ThreadPoolExecutor, works: list[partial[Any]]) -> None:
    for done in [pool.submit(work) for work in works]:
        done.result()


def _median_seconds(work: Callable[[], object]) -> float:
    work()
    seconds = []
    for _ in range(TURNS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def read_rate(*paths: Path) -> float:
    """Return the bytes a second at which files are read into one reused buffer."""
    buffer = bytearray(8 << 20)
    started = time.perf_counter()
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
    seconds = time.perf_counter() - started
    return sum(path.stat().st_size for path in paths) / seconds


def svd_seconds(p: int, q: int) -> float:
    """Return the seconds of one float64 singular value decomposition on one thread."""
    matrix = np.random.default_rng(0).standard_normal((p, q))
    with threadpool_limits(1, "blas"):
        started = time.perf_counter()
        np.linalg.svd(matrix, full_matrices=False)
        return time.perf_counter() - started


def describe() -> dict[str, str]:
    """Return machine and versions, each as text."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores, {_caches()}",
        "memory": f"{memory_bytes() / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "versions": ", ".join(
            [
                f"Python {platform.python_version()}",
                *(f"{name} {_version(name)}" for name in PACKAGES),
            ]
        ),
        "BLAS": _blas(),
    }


def memory_bytes() -> int:
    """Return the size of the memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def load() -> float:
    """Return how many processes ran on average in the last minute."""
    return os.getloadavg()[0]


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().split("\n\n")[0].splitlines()
        pairs = (line.partition(":") for line in lines)
        fields = {name.strip(): value.strip() for name, _, value in pairs}
        widest = "AVX-512" if "avx512f" in fields.get("flags", "") else "no AVX-512"
        model = f"family {fields.get('cpu family')} model {fields.get('model')}"
        return f"{fields.get('model name', platform.machine())} ({model}, {widest})"
    return platform.processor() or platform.machine()


def _caches() -> str:
    found = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, size, kind = (
            (index / name).read_text().strip() for name in ("level", "size", "type")
        )
        if kind != "Instruction" and level != "1":
            found[f"L{level}"] = f"{int(size.rstrip('K')) / 1024:g} MiB"
    return ", ".join(f"{level} {size}" for level, size in found.items()) or "caches unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _blas() -> str:
    libraries = [entry for entry in threadpool_info() if entry["user_api"] == "blas"]
    found = {
        f"{entry['internal_api']} {entry['version']} ({entry.get('architecture', 'unknown')})"
        for entry in libraries
    }
    return ", ".join(sorted(found)) or "unknown"

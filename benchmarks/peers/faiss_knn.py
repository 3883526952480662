"""Exact neighbours by faiss: ``python -m benchmarks.peers.faiss_knn A B --queries M --lists K``.

Searches both files, wholly in memory and made unit rows beforehand, for as many query vectors as an
audit asks: M rows of the file itself, M of the other as stored, and those under an orthogonal and a
linear map, stacked. Prints the seconds inside faiss by length of the lists; reading, preparing and
fitting are not counted.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FIT_ROWS = 8192
Rows = NDArray[np.float32]


def unit(path: Path) -> Rows:
    """Return the rows of a file with length 1."""
    rows: NDArray[Any] = np.load(path).astype(np.float32, copy=False)
    rows /= np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return rows


def stacked(corpus: Rows, other: Rows, chosen: NDArray[np.int64]) -> Rows:
    """Return the query vectors of all four views, one below the other."""
    source, target = other[:FIT_ROWS], corpus[:FIT_ROWS]
    left, _, right = np.linalg.svd(source.T @ target, full_matrices=False)
    linear = np.linalg.lstsq(source, target, rcond=None)[0]
    foreign = other[chosen]
    views = [corpus[chosen], foreign, foreign @ (left @ right), foreign @ linear]
    return np.ascontiguousarray(np.concatenate(views), np.float32)


def main() -> None:
    """Search and print."""
    import faiss

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("a", type=Path)
    parser.add_argument("b", type=Path)
    parser.add_argument("--queries", type=int, required=True)
    parser.add_argument("--lists", type=int, nargs="+", required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(arguments.threads)
    a, b = unit(arguments.a), unit(arguments.b)
    chosen = np.random.default_rng(0).choice(len(a), arguments.queries, replace=False)
    seconds = dict.fromkeys(arguments.lists, 0.0)
    for corpus, other in ((a, b), (b, a)):
        queries = stacked(corpus, other, chosen)
        for length in arguments.lists:
            started = time.perf_counter()
            faiss.knn(queries, corpus, length, metric=faiss.METRIC_INNER_PRODUCT)
            seconds[length] += time.perf_counter() - started
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()

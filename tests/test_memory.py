"""The byte budget: how it is written, what it refuses, and that it changes no result."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import EMBAUDIT, run
from hypothesis import given
from hypothesis import strategies as st

import embaudit
from benchmarks.generated import LOW_RANK, write_pair
from benchmarks.runs import compare
from embaudit.data.join import open_pair
from embaudit.errors import UsageError
from embaudit.stages.byte_counts import byte_count, shown_bytes
from embaudit.stages.memory import memory_plan
from embaudit.stages.options import Options

SAMPLES = Path(__file__).parents[1] / "sample_data"


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("512MB", 512_000_000),
        ("512 mb", 512_000_000),
        ("1.5GiB", 3 << 29),
        ("2G", 2_000_000_000),
        ("64kib", 65_536),
        ("1_000_000", 1_000_000),
        (1 << 30, 1 << 30),
    ],
)
def test_amounts_are_read_as_people_write_them(written, count):
    assert byte_count("--memory", written) == count


@pytest.mark.parametrize(
    "written", ["", "MB", "-5MB", "0", "nan", "inf", "1e400", "12 apples", "1PB", "0.2b"]
)
def test_what_is_no_amount_is_refused(written):
    with pytest.raises(UsageError, match=r"^--memory .*: expected an amount of memory, as 512MB"):
        byte_count("--memory", written)


@given(st.integers(1, 10**15))
def test_a_shown_amount_is_enough(count):
    assert count <= byte_count("--memory", shown_bytes(count)) < count + 1_000_000


def plan_for(memory, rows=50_000, dim=64, threads=2):
    pair = open_pair(*(np.zeros((rows, dim), np.float32) for _ in "ab"))
    return memory_plan(pair, Options.checked(memory=memory, threads=threads))


def least(**shape):
    with pytest.raises(UsageError) as refused:
        plan_for("1MB", **shape)
    words = str(refused.value).split()
    return words[words.index("takes") + 1].rstrip(";")


def test_without_a_budget_blocks_have_their_usual_size():
    assert plan_for(None).share == 1.0
    assert plan_for("100GB") == plan_for(None)


def test_a_smaller_budget_makes_smaller_blocks_and_the_least_one_is_named():
    shares = [plan_for(memory).share for memory in (least(), "300MB", "350MB", "1GB")]
    assert shares == sorted(shares)
    assert 0.0 < shares[0] < 1.0
    assert shares[-1] == 1.0


def test_more_rows_dimensions_and_threads_need_more():
    def needed(**shape):
        return byte_count("--memory", least(**shape))

    assert needed(rows=5_000_000, dim=4) > needed(rows=50_000, dim=4)
    assert needed(dim=512) > needed()
    assert needed(threads=16) > needed(threads=1)


def test_folds_are_fitted_one_by_one_where_memory_is_short():
    shape = {"rows": 3_000, "dim": 1536, "threads": 1}
    assert plan_for(least(**shape), **shape).fold_bytes < plan_for(None).fold_bytes


@pytest.mark.parametrize("name", ["w2v_seed2", "lsa"])
def test_smaller_blocks_change_nothing_but_last_digits(name):
    a = str(SAMPLES / ("w2v_seed1.npy" if name.startswith("w2v") else "minilm.npy"))
    b = str(SAMPLES / f"{name}.npy")
    usual = json.loads(embaudit.compare(a, b).model_dump_json())
    tight = json.loads(embaudit.compare(a, b, memory="450MB").model_dump_json())
    for key in ("verdict", "candidates", "pairing", "sample"):
        assert tight[key] == usual[key]
    for key, measure in usual["measures"].items():
        assert tight["measures"][key]["value"] == pytest.approx(measure["value"], abs=1e-6)


@pytest.mark.parametrize("suffix", ["npy", "parquet"])
def test_the_least_budget_is_kept(tmp_path, suffix):
    rows, dim = 20_000, 256
    paths = [tmp_path / f"{side}.npy" for side in "ab"]
    write_pair(LOW_RANK, rows, dim, (paths[0], paths[1]))
    options = ["--threads", "2"]
    if suffix == "parquet":
        order = np.random.default_rng(0).permutation(rows)
        for path, ids in zip(paths, (np.arange(rows), order), strict=True):
            vectors = pa.FixedSizeListArray.from_arrays(np.load(path)[ids].ravel(), dim)
            pq.write_table(
                pa.table({"id": ids, "embedding": vectors}), path.with_suffix(".parquet")
            )
        paths = [path.with_suffix(".parquet") for path in paths]
        options += ["--on", "id"]
    refused = run([*EMBAUDIT, "compare", *map(str, paths), *options, "--memory", "1MB"])
    needed = re.search(r"takes (\d+MB);", refused.stderr).group(1)
    done = compare(*paths, *options, "--memory", needed)
    assert done.document["verdict"] == "safe"
    assert done.peak <= byte_count("--memory", needed)


def test_too_small_a_budget_is_one_line_and_exit_2():
    files = ["minilm.npy", "minilm_w8.npy"]
    done = run([*EMBAUDIT, "compare", *files, "--memory", "20MB"], cwd=SAMPLES)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "--memory 20MB: comparing 2,000 rows of 384 and 384 dimensions" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1

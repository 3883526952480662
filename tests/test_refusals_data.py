"""Whatever cannot be read is refused by one line: where, what was found, how to mend it."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embaudit.data.embedding_set import ArraySet
from embaudit.data.parquet import ParquetSet
from embaudit.data.sources import open_set
from embaudit.errors import InputError, UsageError

GOOD = np.arange(24, dtype=np.float32).reshape(6, 4)
FLOATS = pa.list_(pa.float32())


def read(source, column=None):
    found = open_set(source, column=column)
    for _ in found.blocks([(0, found.rows)]):
        pass


def refusal(source, column=None, error=InputError):
    """Open `source` and read it to its end; return the message that refuses it."""
    with pytest.raises(error) as caught:
        read(source, column)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 700
    return message


def assert_names(message, *parts):
    for part in parts:
        assert part in message


def npy_bytes(array=GOOD, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npy_with_header(header, data=b"", version=(1, 0), length=None):
    text = header.encode("latin-1")
    width = "<H" if version == (1, 0) else "<I"
    size = struct.pack(width, len(text) if length is None else length)
    return b"\x93NUMPY" + bytes(version) + size + text + data


def header(descr="'<f4'", order="False", shape="(6, 4)"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


@pytest.mark.parametrize("name", ["a.npy", "a.parquet"])
class TestFiles:
    def test_missing(self, tmp_path, name):
        path = tmp_path / name
        assert_names(refusal(path), f"{path}: ", "no such file", "check the path")

    def test_below_a_file(self, tmp_path, name):
        (tmp_path / "file").write_text("x")
        path = tmp_path / "file" / name
        assert_names(refusal(path), f"{path}: ", "Not a directory", "check the path")

    def test_folder(self, tmp_path, name):
        path = tmp_path / name
        path.mkdir()
        assert_names(refusal(path), f"{path}: ", "a folder", "expected a single file")

    def test_pipe(self, tmp_path, name):
        path = tmp_path / name
        os.mkfifo(path)
        assert_names(refusal(path), f"{path}: ", "not a regular file", "store its contents")

    def test_empty(self, tmp_path, name):
        path = tmp_path / name
        path.touch()
        assert_names(refusal(path), f"{path}: ", "an empty file", "again")

    def test_text(self, tmp_path, name):
        path = tmp_path / name
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:abc\n")
        kind = {"a.npy": "not an NPY file", "a.parquet": "cannot be read as Parquet"}[name]
        assert_names(refusal(path), f"{path}: {kind}")


def test_npy_magic(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(b"PK\x03\x04 an archive")
    assert_names(refusal(path), "a.npy: not an NPY file", "PK", "NUMPY", "np.save")


@pytest.mark.parametrize("size", [1, 5, 7, 9, 40, 127])
def test_npy_cut_inside_the_header(tmp_path, size):
    path = tmp_path / "a.npy"
    path.write_bytes(npy_bytes()[:size])
    expected = "not an NPY file" if size < 6 else "truncated inside the NPY header"
    assert_names(refusal(path), f"a.npy: {expected}")


def test_npy_of_an_unknown_version(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(npy_with_header(header(), bytes(96), (4, 0)))
    assert_names(refusal(path), "version 4.0", "expected 1.0, 2.0 or 3.0", "np.save")


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy_of_an_oversized_header(tmp_path, version):
    path = tmp_path / "a.npy"
    path.write_bytes(npy_with_header(header(), bytes(96), version, length=60_000))
    assert_names(refusal(path), "header of 60,000 bytes", "at most 10,000", "np.save")


def test_npy_header_length_is_not_believed(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(npy_with_header(header(), bytes(96), (2, 0), length=2**32 - 1))
    assert_names(refusal(path), "header of 4,294,967,295 bytes")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "{'descr': '<f4'}",
        "[1, 2]",
        "('descr',)",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6, 4)",
        header(descr="'<f99'"),
        header(descr="'no\\d'"),
        header(descr="7"),
        header(order="1"),
        header(shape="6"),
        header(shape="(6, -4)"),
        header(shape="(True, 4)"),
        header(shape="(6.0, 4)"),
        header(shape="'64'"),
        header(shape="(6, 4), 'rows': 6"),
        header() + "\xa0",
        header(shape="__import__('os').getpid()"),
        "(" * 5000,
        "-" * 9000 + "1",
    ],
)
def test_npy_of_a_damaged_header(tmp_path, text):
    path = tmp_path / "a.npy"
    path.write_bytes(npy_with_header(text, bytes(96)))
    assert_names(refusal(path), "a.npy: damaged NPY header", "np.save")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("missing", [1, 90, 96])
def test_npy_of_truncated_data(tmp_path, order, missing):
    path = tmp_path / "a.npy"
    path.write_bytes(npy_bytes(np.array(GOOD, order=order))[:-missing])
    parts = ["truncated", "6 x 4 float32", "96 bytes", f"holds {96 - missing}", "again"]
    assert_names(refusal(path), "a.npy: ", *parts)


@pytest.mark.parametrize("shape", [(2**62, 4), (10**12, 4)])
def test_npy_of_an_absurd_size(tmp_path, shape):
    path = tmp_path / "a.npy"
    path.write_bytes(npy_with_header(header(shape=str(shape)), bytes(96)))
    assert_names(refusal(path), "truncated", f"{shape[0]:,} x {shape[1]:,}", "holds 96")


@pytest.mark.parametrize("shape", [(2**62, 2**62), (6, 10**30), (1, 65_537)])
def test_npy_of_an_absurd_dimension(tmp_path, shape):
    path = tmp_path / "a.npy"
    path.write_bytes(npy_with_header(header(shape=str(shape)), bytes(96)))
    assert_names(refusal(path), f"dimension {shape[1]};", "at most 65536", "transposed")


@pytest.mark.parametrize("extra", [b"\0", npy_bytes()])
def test_npy_with_more_behind_the_matrix(tmp_path, extra):
    path = tmp_path / "a.npy"
    path.write_bytes(npy_bytes() + extra)
    assert_names(refusal(path), f"{len(extra)} bytes follow", "6 x 4", "one matrix with np.save")


class Trap:
    """Shows that it was unpickled."""

    sprung = False

    def __reduce__(self):
        return setattr, (Trap, "sprung", True)


def test_npy_of_objects_is_never_unpickled(tmp_path):
    path = tmp_path / "a.npy"
    array = np.empty((2, 2), object)
    array.fill(Trap())
    np.save(path, array, allow_pickle=True)
    assert_names(refusal(path), "a.npy: ", "Python objects", "never unpickled", "np.stack")
    assert not Trap.sprung
    pickle.loads(pickle.dumps(Trap()))
    assert Trap.sprung


NOT_VECTORS = [
    (np.zeros((3, 2), "U4"), ["<U4", "expected float16"]),
    (np.zeros((3, 2), "S4"), ["S4", "expected float16"]),
    (np.zeros((3, 2), np.complex64), ["complex64", "expected float16"]),
    (np.zeros((3, 2), np.int64), ["int64", "expected float16"]),
    (np.zeros((3, 2), np.bool_), ["bool", "expected float16"]),
    (np.zeros((3, 2), "M8[s]"), ["datetime64", "expected float16"]),
    (np.zeros(3, [("id", "<i4"), ("emb", "<f4", 8)]), ["structured", "save the vector field"]),
    (np.zeros(3, np.float32), ["1-D", "expected 2-D"]),
    (np.zeros((2, 2, 2), np.float32), ["3-D", "(2, 2, 2)", "expected 2-D"]),
    (np.zeros((), np.float32), ["0-D", "expected 2-D"]),
    (np.zeros((0, 3), np.float32), ["no rows"]),
    (np.zeros((3, 0), np.float32), ["dimension 0"]),
]


@pytest.mark.parametrize(("array", "parts"), NOT_VECTORS, ids=[str(p) for _, p in NOT_VECTORS])
def test_arrays_that_hold_no_vectors(tmp_path, array, parts):
    path = tmp_path / "a.npy"
    path.write_bytes(npy_bytes(array))
    assert_names(refusal(path), f"{path}: ", *parts)
    assert_names(refusal(array), "<array>: ", *parts)


def test_array_of_objects():
    assert_names(refusal(np.array([[1, "x"]], object)), "<array>: ", "Python objects", "np.stack")


def test_masked_array():
    assert_names(refusal(np.ma.masked_equal(GOOD, 3)), "<array>: ", "masked", "filled")


def write(path, **columns):
    # Given a relative name with "::", pyarrow would take it for a URL.
    pq.write_table(pa.table(columns), Path(path).absolute())
    return path


def test_parquet_of_a_damaged_page(tmp_path):
    path = write(tmp_path / "a.parquet", emb=pa.array(GOOD.tolist(), FLOATS))
    start = pq.ParquetFile(path).metadata.row_group(0).column(0).dictionary_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + 40] = bytes(40)
    path.write_bytes(data)
    assert_names(refusal(path), "a.parquet: cannot be read as Parquet", "again")


def test_parquet_with_one_flipped_bit_under_a_checksum(tmp_path):
    path = tmp_path / "a.parquet"
    array = np.random.default_rng(0).random((500, 8), np.float32)
    table = pa.table({"emb": pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), 8)})
    pq.write_table(table, path, write_page_checksum=True, use_dictionary=False, compression="none")
    data = bytearray(path.read_bytes())
    data[8000] ^= 1
    path.write_bytes(data)
    assert_names(refusal(path), "a.parquet: cannot be read as Parquet", "CRC", "again")


@pytest.mark.parametrize("keep", [3, 8, 100, -1])
def test_parquet_cut_short(tmp_path, keep):
    path = write(tmp_path / "a.parquet", emb=pa.array(GOOD.tolist(), FLOATS))
    path.write_bytes(path.read_bytes()[:keep])
    assert_names(refusal(path), "a.parquet: cannot be read as Parquet", "again")


def test_parquet_with_fewer_rows_than_promised(tmp_path):
    path = write(tmp_path / "a.parquet", emb=pa.array([[1.0, 2.0]] * 60, FLOATS))
    data = path.read_bytes()
    stored, promised = (bytes([2 * rows]) for rows in (60, 61))
    positions = [at for at in range(len(data) - 400, len(data)) if data[at : at + 1] == stored]
    refused = []
    for at in positions:
        path.write_bytes(data[:at] + promised + data[at + 1 :])
        if pq.ParquetFile(path).metadata.row_group(0).num_rows == 61:
            refused.append(refusal(path))
    assert len(refused) == 1
    assert_names(refused[0], "column 'emb' ends at row 60, the file promises 61", "again")


@pytest.mark.parametrize("claim", [-60, 2**50])
def test_parquet_of_impossible_row_counts(tmp_path, monkeypatch, claim):
    path = write(tmp_path / "a.parquet", emb=pa.array([[1.0, 2.0]] * 60, FLOATS))
    monkeypatch.setattr(ParquetSet, "_group_sizes", lambda *_: [60, claim])
    assert_names(refusal(path), "a.parquet: damaged: groups of", f"{claim:,}", "again")


@pytest.mark.parametrize("field", ["unpacked", "stored"])
def test_parquet_of_a_page_that_claims_much(tmp_path, field):
    path = tmp_path / "a.parquet"
    options = {"use_dictionary": False, "compression": "gzip"}
    pq.write_table(pa.table({"emb": pa.array(GOOD.tolist(), FLOATS)}), path, **options)
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    data = bytearray(path.read_bytes())
    # Type, then both sizes, each a byte that says which field it is and a varint of two bytes.
    sizes = chunk.data_page_offset + 2
    assert data[sizes] == data[sizes + 3] == 0x15
    at = sizes + (0 if field == "unpacked" else 3)
    data[at + 1 : at + 3] = b"\xfe\xff\xff\xff\x0f"
    path.write_bytes(data)
    assert_names(refusal(path), "cannot be read as Parquet: a page of", "2,147,483,647")


def parquet_of_groups(path, ids):
    """Write three row groups, then exchange the counts of the first two."""
    kind = pa.list_(pa.float32(), 2)
    table = pa.table({"emb": pa.array([[row, 1.0] for row in range(60)], kind), **ids})
    options = {"use_dictionary": False, "compression": "none"}
    with pq.ParquetWriter(path, table.schema, **options) as writer:
        for start, rows in ((0, 21), (21, 22), (43, 17)):
            writer.write_table(table.slice(start, rows))
    return path


@pytest.mark.parametrize("column", ["emb", "id"])
def test_parquet_of_row_groups_that_hold_other_counts(tmp_path, monkeypatch, column):
    path = parquet_of_groups(tmp_path / "a.parquet", {"id": pa.array(range(60))})
    found = open_set(path)
    assert found.take(np.array([0, 20, 21, 42, 43, 59]))[:, 0].tolist() == [0, 20, 21, 42, 43, 59]
    monkeypatch.setattr(ParquetSet, "_group_sizes", lambda *_: [22, 21, 17])
    expected = "damaged: row group 0 holds another number of values in column"
    if column == "emb":
        assert_names(refusal(path), f"a.parquet: {expected} 'emb' than its rows", "again")
    else:
        monkeypatch.setattr(ParquetSet, "_require_whole_groups", lambda *_: None)
        with pytest.raises(InputError, match=f"{expected} 'id' than its rows"):
            open_set(path).ids("id")


def test_parquet_whose_footer_ends_the_process_where_pyarrow_shows_it(tmp_path):
    """A histogram of sizes that is one too long, as a flipped bit in its length makes it."""
    path = write(tmp_path / "a.parquet", emb=pa.array(GOOD.tolist(), FLOATS))
    data = path.read_bytes()
    code = (
        "import sys\n"
        "from embaudit.data.sources import open_set\n"
        "from embaudit.errors import InputError\n"
        "try: open_set(sys.argv[1]).take([0])\n"
        "except InputError as error: print(error)\n"
    )
    # Lists of int64, their count in the upper half of the byte: histograms of four levels.
    at = [place for place in range(len(data)) if data[place] == 0x46][-1]
    path.write_bytes(data[:at] + b"\x36" + data[at + 1 :])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, path], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_parquet_footer_of_bad_text(tmp_path):
    path = write(tmp_path / "a.parquet", emb=pa.array(GOOD.tolist(), FLOATS))
    path.write_bytes(path.read_bytes().replace(b"element", b"elem\xb6nt"))
    assert_names(refusal(path), "a.parquet: cannot be read as Parquet", "again")


def test_parquet_without_rows(tmp_path):
    path = write(tmp_path / "a.parquet", emb=pa.array([], FLOATS))
    assert_names(refusal(path), "a.parquet: no rows")


LISTS = pytest.mark.parametrize(
    "kind", [FLOATS, pa.large_list(pa.float32()), pa.list_(pa.float32(), 2)], ids=str
)


@LISTS
@pytest.mark.parametrize("row", [0, 1, 4])
def test_parquet_with_a_null_row(tmp_path, kind, row):
    vectors = [[1.0, 2.0]] * 5
    vectors[row] = None
    path = write(tmp_path / "a.parquet", emb=pa.array(vectors, kind))
    assert_names(refusal(path), f"a.parquet: column 'emb' is null in row {row};", "fill or remove")


@LISTS
@pytest.mark.parametrize(("row", "dimension"), [(0, 1), (3, 0), (4, 1)])
def test_parquet_with_a_null_value(tmp_path, kind, row, dimension):
    vectors = [[1.0, 2.0] for _ in range(5)]
    vectors[row][dimension] = None
    path = write(tmp_path / "a.parquet", emb=pa.array(vectors, kind))
    where = f"column 'emb' has a null at dimension {dimension} in row {row};"
    assert_names(refusal(path), "a.parquet: ", where, "fill or remove")


@pytest.mark.parametrize("kind", [FLOATS, pa.large_list(pa.float32())], ids=str)
def test_parquet_with_ragged_rows(tmp_path, kind):
    # As many values as a regular file would have: only the lengths give it away.
    vectors = [[1.0, 2.0]] * 3000 + [[1.0]] + [[1.0, 2.0]] * 30 + [[1.0, 2.0, 3.0], []]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"emb": pa.array(vectors, kind)}), path, row_group_size=1000)
    parts = [
        "row 3000 has length 1",
        "expected 2 as in row 0",
        "another length: 3",
        "fix or remove",
    ]
    assert_names(refusal(path), "a.parquet: column 'emb' is ragged", *parts)


def test_ragged_rows_of_later_batches_are_counted(tmp_path):
    vectors = [[0.0] * 2000] * 1500
    vectors[700] = vectors[1400] = [0.0] * 1999
    path = write(tmp_path / "a.parquet", emb=pa.array(vectors, FLOATS))
    assert_names(refusal(path), "row 700 has length 1999", "expected 2000", "another length: 2)")


def test_parquet_starting_with_an_empty_list(tmp_path):
    path = write(tmp_path / "a.parquet", emb=pa.array([[], [1.0]], FLOATS))
    assert_names(refusal(path), "column 'emb' is an empty list in row 0", "remove")


def test_parquet_of_dimension_zero(tmp_path):
    path = write(tmp_path / "a.parquet", emb=pa.array([[]], pa.list_(pa.float32(), 0)))
    assert_names(refusal(path), "a.parquet: ", "dimension 0")


@pytest.mark.parametrize(
    "values",
    [
        pa.array([["a", "b"]]),
        pa.array([b"\0\0"]),
        pa.array([b"\0\0"], pa.binary(2)),
        pa.array(["[0.1, 0.2]"]),
        pa.array([[1, 2]], pa.list_(pa.int64())),
        pa.array([[True]], pa.list_(pa.bool_())),
        pa.array([[[1.0]]], pa.list_(FLOATS)),
        pa.array([{"x": 1.0}]),
        pa.array([1.5]),
    ],
    ids=lambda values: str(values.type),
)
def test_parquet_column_that_holds_no_vectors(tmp_path, values):
    path = write(tmp_path / "a.parquet", emb=values, id=pa.array([1]))
    parts = ["expected list, large_list or fixed_size_list", "list<float32>"]
    assert_names(refusal(path, column="emb"), "column 'emb' has type", *parts)
    parts = ["no vector column", "'emb'", "'id' int64", "store the vectors as list<float32>"]
    assert_names(refusal(path), f"{path}: ", *parts)


def test_parquet_of_many_columns_names_a_few(tmp_path):
    columns = {f"c{index}": pa.array([index]) for index in range(100)}
    message = refusal(write(tmp_path / "a.parquet", **columns))
    assert_names(message, "'c0' int64", "'c11' int64", "and 88 more")
    assert "'c12'" not in message


def test_parquet_column_names_cannot_break_the_line(tmp_path):
    odd = {"a\n\x1b[31mb" + "x" * 5000: pa.array([1]), "s": pa.array([{"p\nq": 1}])}
    assert_names(refusal(write(tmp_path / "a.parquet", **odd)), "no vector column", "...")


def test_parquet_of_several_vector_columns(tmp_path):
    vectors = pa.array(GOOD.tolist(), FLOATS)
    path = write(tmp_path / "a.parquet", id=pa.array(range(6)), old=vectors, new=vectors)
    message = refusal(path)
    assert_names(message, "2 vector columns", "'old' list<", "'new' list<", "--column old", "::")
    assert "'id'" not in message
    assert open_set(path, column="new").rows == 6


def test_parquet_with_a_misspelt_column(tmp_path):
    vectors = pa.array(GOOD.tolist(), FLOATS)
    path = write(tmp_path / "a.parquet", id=pa.array(range(6)), embedding=vectors)
    expected = "no column 'embeding' (did you mean 'embedding'?) among 'id' int64, 'embedding' list"
    assert_names(refusal(path, column="embeding"), f"{path}: {expected}")
    assert_names(refusal(f"{path}::embeding"), f"{path}::embeding: {expected}")
    assert "did you mean" not in refusal(path, column="zzz")


def test_parquet_with_two_columns_of_one_name(tmp_path):
    vectors = pa.array(GOOD.tolist(), FLOATS)
    table = pa.Table.from_arrays([vectors, vectors], names=["emb", "emb"])
    pq.write_table(table, tmp_path / "a.parquet")
    message = refusal(tmp_path / "a.parquet", column="emb")
    assert_names(message, "2 columns named 'emb'", "rename")


class TestSources:
    @pytest.fixture
    def folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        np.save("a.npy", GOOD)
        vectors = pa.array(GOOD.tolist(), FLOATS)
        write("x.parquet", old=vectors, new=vectors)
        return tmp_path

    def test_a_set_is_returned_as_it_is(self):
        array = ArraySet(GOOD)
        assert open_set(array) is array

    def test_suffixes_in_capitals(self, folder):
        (folder / "a.npy").rename("A.NPY")
        assert open_set("A.NPY").rows == 6

    def test_an_existing_path_wins(self, folder):
        (folder / "x.parquet::old.npy").write_bytes(npy_bytes(GOOD[:2]))
        assert open_set("x.parquet::old.npy").rows == 2

    def test_the_last_split_after_a_known_suffix(self, folder):
        write("x.parquet::y.parquet", **{"p::q": pa.array([[1.0]], FLOATS)})
        assert open_set("x.parquet::y.parquet::p::q").rows == 1

    def test_a_column_named_twice_alike(self, folder):
        assert open_set("x.parquet::old", column="old").rows == 6

    def test_a_column_named_twice_differently(self, folder):
        message = refusal("x.parquet::old", "new", UsageError)
        assert_names(message, "x.parquet::old: ", "--column 'new' contradicts 'old'")

    @pytest.mark.parametrize("source", ["a.npy", GOOD, ArraySet(GOOD, "held")], ids=type)
    def test_a_column_where_there_is_none(self, folder, source):
        uri = {str: "a.npy", np.ndarray: "<array>", ArraySet: "held"}[type(source)]
        message = refusal(source, "emb", UsageError)
        expected = "--column names one of several columns or arrays"
        assert message == f"{expected}; {uri} holds a single matrix"

    def test_a_column_in_the_path_of_an_npy_file(self, folder):
        assert_names(refusal("a.npy::emb", error=UsageError), "a.npy::emb holds a single matrix")

    def test_an_unknown_suffix(self, folder):
        (folder / "a.csv").write_text("1,2\n")
        assert_names(refusal("a.csv"), "a.csv: ", "'.csv'", "expected .npy, .npz, .parquet")

    def test_a_misspelt_suffix(self, folder):
        (folder / "a.parqet").write_text("x")
        assert_names(refusal("a.parqet"), "'.parqet' (did you mean '.parquet'?)")

    @pytest.mark.parametrize("text", ["minilm", "b.csv::emb", "https://host/a", "a\x01b"])
    def test_text_that_is_no_path(self, folder, text):
        with pytest.raises(InputError, match="no such file; check the path"):
            open_set(text)

    def test_a_path_with_a_null_byte(self, folder):
        with pytest.raises(InputError, match=r"cannot be opened.*check the path"):
            open_set("a\0.npy")

    @pytest.mark.parametrize("source", [[[1.0, 2.0]], None, 7])
    def test_what_cannot_be_opened(self, source):
        message = refusal(source, error=UsageError)
        assert_names(message, type(source).__name__, "expected a path, a numpy array")

    def test_pyarrow_is_loaded_for_parquet_only(self, folder):
        code = (
            "import sys, embaudit.data.order\n"
            "from embaudit.data.sources import open_set\n"
            "open_set('a.npy').take([0])\n"
            "assert 'pyarrow' not in sys.modules\n"
            "open_set('x.parquet::old')\n"
            "assert 'pyarrow' in sys.modules\n"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)

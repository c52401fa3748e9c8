"""Foreign files that want too much of the machine that reads them."""

from __future__ import annotations

import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from desensitize.column import Column
from desensitize.engines.parquet_source import open_parquet
from desensitize.engines.snapshot import LoadLimits, load
from protos.faults import InputError, UnavailableError
from tests.bomb_world import one_enormous_value

MIB = 2**20
COLUMNS = {"n": Column("n", "integer", bounds=(0, 10)), "s": Column("s", "string")}


def refused(tmp_path: Path, source: Path, limits: LoadLimits, max_rows: int) -> Exception:
    start = time.monotonic()
    with pytest.raises((InputError, UnavailableError)) as caught:
        load(
            source, COLUMNS, subject="n", directory=tmp_path / "s", max_rows=max_rows,
            limits=limits,
        )  # fmt: skip
    assert time.monotonic() - start < 60
    assert [p.name for p in (tmp_path / "s").iterdir()] == [".lock"]
    return caught.value


def test_parquet_of_a_few_bytes_and_very_many_rows(tmp_path: Path) -> None:
    """20 million equal rows are a small file; the load stops at the declared number.

    That must be what the owner reads even when memory is scarce: allocator arenas and threads that
    nobody needs once took 700 MiB of address space, and the loader died of its own bookkeeping.
    """
    source = tmp_path / "bomb.parquet"
    batch = pa.table({"n": pa.array([1] * 1_000_000), "s": pa.array(["x"] * 1_000_000)})
    with pq.ParquetWriter(source, batch.schema, compression="zstd") as writer:
        for _ in range(20):
            writer.write_table(batch)
    assert source.stat().st_size < MIB
    for memory in (512, 128):
        limits = LoadLimits(memory * MIB, 100 * MIB, 60, 50)
        error = refused(tmp_path, source, limits, 2_000_000)
        assert isinstance(error, InputError), error.detail
        assert "more than the 2000000 rows" in error.message


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_an_honest_file_loads_in_little_memory(tmp_path: Path, kind: str) -> None:
    """The limit is spent on data, not on what threads reserve; so it can be a tight one."""
    source = tmp_path / f"honest.{kind}"
    table = pa.table({"n": [i % 10 for i in range(200_000)], "s": ["x"] * 200_000})
    if kind == "parquet":
        pq.write_table(table, source)
    else:
        pa_csv.write_csv(table, source)
    limits = LoadLimits(128 * MIB, 100 * MIB, 60, 50)
    snapshot = load(
        source, COLUMNS, subject="n", directory=tmp_path / "s", max_rows_per_subject=200_000,
        limits=limits,
    )  # fmt: skip
    assert snapshot.rows == 200_000


def test_too_little_memory_is_not_called_a_broken_file(tmp_path: Path) -> None:
    source = tmp_path / "honest.parquet"
    pq.write_table(pa.table({"n": [1], "s": ["x"]}), source)
    with (
        duckdb.connect(config={"memory_limit": "1KiB", "async_threads": 0}) as engine,
        pytest.raises(duckdb.OutOfMemoryException),
    ):
        open_parquet(str(source), source.name, COLUMNS, 10, engine)


def test_parquet_with_one_enormous_value(tmp_path: Path) -> None:
    """Half a gigabyte of zeros in a file of a few kilobytes meets the loader's memory limit."""
    source = tmp_path / "bomb.parquet"
    one_enormous_value(source, "s", 500, n=[1])
    error = refused(tmp_path, source, LoadLimits(400 * MIB, 100 * MIB, 60, 50), 10)
    assert isinstance(error, UnavailableError)


def test_parquet_whose_footer_lies_about_the_number_of_rows(tmp_path: Path) -> None:
    source = tmp_path / "liar.parquet"
    table = pa.table({"n": pa.array([1] * 300, pa.int64()), "s": ["x"] * 300})
    pq.write_table(table, source, compression="none", use_dictionary=False)
    honest = source.read_bytes()
    # num_rows = 300 is the zigzag varint d8 04 in the Thrift footer; claim 5 (0a 00 is invalid as
    # one varint of two bytes, 8a 00 is 5).
    start = honest.rindex(b"PAR1") - 4 - int.from_bytes(honest[-8:-4], "little")
    footer = honest[start:-8].replace(b"\x16\xd8\x04", b"\x16\x8a\x00")
    source.write_bytes(honest[:start] + footer + honest[-8:])
    assert pq.ParquetFile(source).metadata.num_rows == 5
    try:
        snapshot = load(source, COLUMNS, subject="n", directory=tmp_path / "s", max_rows=1000)
    except (InputError, UnavailableError):
        return
    with duckdb.connect(snapshot.path, read_only=True) as connection:
        stored = connection.execute("SELECT n FROM data").fetchall()
    assert snapshot.rows == len(stored)


@pytest.mark.parametrize("cut", [4, 100, 0.5, 0.99])
def test_parquet_cut_short_or_scribbled_on(tmp_path: Path, cut: float) -> None:
    source = tmp_path / "cut.parquet"
    pq.write_table(pa.table({"n": list(range(5000)), "s": ["x"] * 5000}), source)
    body = source.read_bytes()
    source.write_bytes(body[: int(cut if cut > 1 else cut * len(body))])
    refused(tmp_path, source, LoadLimits(512 * MIB, 100 * MIB, 60, 50), 10_000)


def test_csv_with_one_enormous_field(tmp_path: Path) -> None:
    """A value greater than the loader's memory cannot be read, whoever is to blame."""
    source = tmp_path / "bomb.csv"
    with source.open("wb") as file:
        file.write(b"n,s\n1,")
        for _ in range(64):
            file.write(b"x" * MIB)
        file.write(b"\n")
    refused(tmp_path, source, LoadLimits(60 * MIB, 100 * MIB, 60, 50), 10)


def test_csv_with_very_many_columns(tmp_path: Path) -> None:
    source = tmp_path / "bomb.csv"
    source.write_text(",".join(f"c{i}" for i in range(500_000)) + "\n")
    refused(tmp_path, source, LoadLimits(512 * MIB, 100 * MIB, 60, 50), 10)

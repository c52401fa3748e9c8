"""Loading CSV and Parquet files into snapshots."""

from __future__ import annotations

import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from desensitize.column import Column
from desensitize.engines.snapshot import LoadLimits, Snapshot, discard, load
from protos.faults import InputError, UnavailableError

COLUMNS = {
    "age": Column("age", "integer", bounds=(0, 120)),
    "cost": Column("cost", "decimal", decimals=2, bounds=(0, 5_000_000)),
    "district": Column("district", "string", codes=("440103", "440104")),
    "day": Column("day", "date"),
    "urgent": Column("urgent", "boolean"),
}
HEADER = "id,age,cost,district,day,urgent\n"
ROWS = 'a,30,12.34,440103,2025-01-31,true\nb,,,,,\nc,+7,0.5,"440104",2025/2/1,否\n'
STORED = [
    (30, 1234, "440103", (date(2025, 1, 31) - date(1970, 1, 1)).days, True, "a"),
    (None, None, None, None, None, "b"),
    (7, 50, "440104", (date(2025, 2, 1) - date(1970, 1, 1)).days, False, "c"),
]


def taken(tmp_path: Path, text: str | bytes, **options: object) -> Snapshot:
    source = tmp_path / "visits.csv"
    source.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(source, COLUMNS, subject="id", directory=tmp_path / "snapshots", **options)


def rows(snapshot: Snapshot) -> list[tuple]:
    with duckdb.connect(snapshot.path, read_only=True) as connection:
        return connection.execute("SELECT * FROM data").fetchall()


def left_behind(tmp_path: Path) -> list[str]:
    return [p.name for p in (tmp_path / "snapshots").iterdir() if p.name != ".lock"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_csv_in_every_encoding(tmp_path: Path, encoding: str, newline: str) -> None:
    snapshot = taken(tmp_path, (HEADER + ROWS).replace("\n", newline).encode(encoding))
    assert rows(snapshot) == STORED
    assert snapshot.rows == 3
    report = snapshot.report.columns
    assert report["age"].nulls == 1
    assert (report["age"].lowest, report["age"].highest) == (7, 30)
    assert (report["district"].lowest, report["district"].highest) == (None, None)
    assert snapshot.report.most_rows_per_subject == 1
    assert not snapshot.report.ranked
    assert sorted(left_behind(tmp_path)) == [f"{snapshot.id}.duckdb", f"{snapshot.id}.json"]


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_csv_delimiters_and_extra_columns(tmp_path: Path, delimiter: str) -> None:
    text = ("secret," + HEADER) + "".join(f"x,{line}\n" for line in ROWS.splitlines())
    snapshot = taken(tmp_path, text.replace(",", delimiter))
    assert rows(snapshot) == STORED
    assert b"secret" not in snapshot.path.read_bytes()


def test_last_line_without_line_break_and_quoted_line_break(tmp_path: Path) -> None:
    snapshot = taken(tmp_path, HEADER + '"a\nb",1,1,440103,2025-01-01,1\nq"",1,1,x,20250101,0'[:60])
    assert snapshot.rows >= 1


def test_counts_what_does_not_fit(tmp_path: Path) -> None:
    text = HEADER + (
        "a,121,NaN,440103,2025-01-31,1\n"
        "b,-1,inf,999999,2025年1月31日,0\n"
        "c,5,1.005,440104,20250131,t\n"
        "d,5,-INF,440104,20250131,F\n"
    )
    snapshot = taken(tmp_path, text)
    report = snapshot.report.columns
    assert report["age"].out_of_bounds == 2
    assert report["cost"].not_finite == 3
    assert report["cost"].rounded == 1
    assert report["district"].outside_codes == 1
    assert [r[1] for r in rows(snapshot)] == [None, None, 101, None]
    assert len({r[3] for r in rows(snapshot)}) == 1


def test_a_code_list_of_numbers_bounds_them(tmp_path: Path) -> None:
    source = tmp_path / "n.csv"
    source.write_text("id,n\na,1\nb,5\nc,9\nd,12\n")
    columns = {"n": Column("n", "integer", bounds=(0, 10), codes=(1, 2, 8))}
    snapshot = load(source, columns, subject="id", directory=tmp_path / "s")
    report = snapshot.report.columns["n"]
    assert (report.out_of_bounds, report.outside_codes) == (2, 3)


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("x,1x,1,440103,2025-01-01,1", "age"),
        ("x,1.5,1,440103,2025-01-01,1", "age"),
        ("x,1e3,1,440103,2025-01-01,1", "age"),
        ("x,1_000,1,440103,2025-01-01,1", "age"),
        ("x,0x1F,1,440103,2025-01-01,1", "age"),
        ("x,99999999999999999999,1,440103,2025-01-01,1", "age"),
        ('x,1,"1,000",440103,2025-01-01,1', "cost"),
        ("x,1,999999999999999999,440103,2025-01-01,1", "cost"),
        ("x,1,.,440103,2025-01-01,1", "cost"),
        ("x,1,1,440103,2025-02-30,1", "day"),
        ("x,1,1,440103,yesterday,1", "day"),
        ("x,1,1,440103,2025-01-01,2", "urgent"),
    ],
)
def test_broken_value_names_file_line_and_column(tmp_path: Path, line: str, column: str) -> None:
    text = HEADER + 'a,1,1,440103,2025-01-01,1\n"b\nb",1,1,440103,2025-01-01,1\n' + line + "\n"
    with pytest.raises(InputError) as caught:
        taken(tmp_path, text)
    assert caught.value.code == "source.broken_row"
    assert "visits.csv, line 5" in caught.value.message  # the second record spans two lines
    assert repr(column) in caught.value.message
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ("a,1,1,440103,2025-01-01,1,extra\n", "line 2"),
        ("a,1,1,440103,2025-01-01,1\nb,1,1\n", "line 3"),
        ('a,1,1,440103,2025-01-01,1\nb,"1,1,440103,2025-01-01,1\n', "line 3"),
        ('a,1,1,440103,2025-01-01,1\nb,"1"x,1,440103,2025-01-01,1\n', "line 3"),
    ],
)
def test_broken_record_names_its_line(tmp_path: Path, lines: str, place: str) -> None:
    with pytest.raises(InputError) as caught:
        taken(tmp_path, HEADER + lines)
    assert caught.value.code == "source.broken_row"
    assert f"visits.csv, {place}" in caught.value.message
    assert left_behind(tmp_path) == []


def test_bytes_in_no_known_encoding(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"visits\.csv, line 3"):
        taken(tmp_path, (HEADER + "a,1,1,440103,2025-01-01,1\n").encode() + b"\xff\xff,1\n")
    assert left_behind(tmp_path) == []


def test_missing_and_repeated_columns(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'urgent'") as caught:
        taken(tmp_path, "id,age,cost,district,day\n")
    assert caught.value.code == "source.missing_column"
    with pytest.raises(InputError, match="'age' twice"):
        taken(tmp_path, "age," + HEADER)
    with pytest.raises(InputError, match="no column"):
        taken(tmp_path, "")
    with pytest.raises(InputError, match="does not exist"):
        load(tmp_path / "none.csv", COLUMNS, subject="id", directory=tmp_path / "snapshots")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_null_in_a_column_that_is_declared_without(tmp_path: Path, kind: str) -> None:
    source = tmp_path / f"visits.{kind}"
    if kind == "csv":
        source.write_text("id,age\na,30\nb,\nc,nan\n", "utf-8")
    else:
        pq.write_table(pa.table({"id": ["a", "b", "c"], "age": [30, None, None]}), source)
    columns = {"age": Column("age", "integer", bounds=(0, 120), nullable=False)}
    with pytest.raises(InputError) as refused:
        load(source, columns, subject="id", directory=tmp_path / "snapshots")
    assert refused.value.code == "source.null"
    assert f"visits.{kind}: column 'age' is declared never NULL, but 2 rows" in str(refused.value)
    assert left_behind(tmp_path) == []


def test_no_rows_at_all(tmp_path: Path) -> None:
    snapshot = taken(tmp_path, HEADER)
    assert snapshot.rows == 0
    assert rows(snapshot) == []


def test_rank_of_rows_within_their_subject(tmp_path: Path) -> None:
    text = HEADER + "".join(f"{s},{i},1,440103,,\n" for i, s in enumerate("aabab"))
    once = taken(tmp_path, text, max_rows_per_subject=2)
    assert once.report.most_rows_per_subject == 3
    assert once.report.ranked
    ranked = [(row[0], row[-1]) for row in sorted(rows(once))]
    assert ranked == [(0, 1), (1, 2), (2, 1), (3, 3), (4, 2)]
    enough = taken(tmp_path, text, max_rows_per_subject=3)
    assert not enough.report.ranked


def test_rows_without_subject_count_as_one_subject(tmp_path: Path) -> None:
    snapshot = taken(tmp_path, HEADER + ",1,1,440103,,\n,2,1,440103,,\n")
    assert snapshot.report.without_subject == 2
    assert snapshot.report.most_rows_per_subject == 2
    assert snapshot.report.ranked


def test_too_many_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="more than the 2 rows"):
        taken(tmp_path, HEADER + ROWS, max_rows=2)
    assert left_behind(tmp_path) == []
    assert taken(tmp_path, HEADER + ROWS, max_rows=3).rows == 3


def test_reused_while_nothing_changed(tmp_path: Path) -> None:
    first = taken(tmp_path, HEADER + ROWS)
    again = taken(tmp_path, HEADER + ROWS)  # same bytes, new time
    assert again == first
    source = tmp_path / "visits.csv"
    os.utime(source, (1, 1))
    assert load(source, COLUMNS, subject="id", directory=tmp_path / "snapshots") == first
    changed = taken(tmp_path, HEADER + ROWS + "d,1,1,440103,,\n")
    assert changed.id != first.id
    narrower = COLUMNS | {"age": Column("age", "integer", bounds=(0, 99))}
    other = load(source, narrower, subject="id", directory=tmp_path / "snapshots")
    assert other.id not in {first.id, changed.id}
    discard(tmp_path / "snapshots", frozenset({changed.id}))
    assert sorted(left_behind(tmp_path)) == [f"{changed.id}.duckdb", f"{changed.id}.json"]


def test_truncated_database_is_loaded_anew(tmp_path: Path) -> None:
    first = taken(tmp_path, HEADER + ROWS)
    first.path.write_bytes(first.path.read_bytes()[:1000])
    again = taken(tmp_path, HEADER + ROWS)
    assert again.id != first.id
    assert rows(again) == STORED


def test_what_a_dead_loader_left_is_swept(tmp_path: Path) -> None:
    dead = tmp_path / "snapshots" / ".loading-dead"
    dead.mkdir(parents=True)
    (dead / "data.duckdb").write_bytes(b"half")
    taken(tmp_path, HEADER + ROWS)
    assert not dead.exists()


def test_wildcards_in_file_names_mean_nothing(tmp_path: Path) -> None:
    for name in ("a[1]*?.csv", "a[1]*?.parquet"):
        source = tmp_path / name
        if name.endswith(".csv"):
            source.write_text(HEADER + ROWS)
        else:
            pq.write_table(parquet_table(), source)
        snapshot = load(source, COLUMNS, subject="id", directory=tmp_path / "s")
        assert snapshot.rows == 3


def parquet_table() -> pa.Table:
    return pa.table(
        {
            "id": ["a", "b", "c"],
            "age": pa.array([30, None, 7], pa.int16()),
            "cost": pa.array([Decimal("12.34"), None, Decimal("0.5")], pa.decimal128(12, 2)),
            "district": pa.array(["440103", None, "440104"]).dictionary_encode(),
            "day": pa.array([date(2025, 1, 31), None, date(2025, 2, 1)]),
            "urgent": pa.array([True, None, False]),
        }
    )


def from_parquet(tmp_path: Path, table: pa.Table, **options: object) -> Snapshot:
    source = tmp_path / "visits.parquet"
    pq.write_table(table, source)
    return load(source, COLUMNS, subject="id", directory=tmp_path / "snapshots", **options)


def test_parquet(tmp_path: Path) -> None:
    assert rows(from_parquet(tmp_path, parquet_table())) == STORED


def test_parquet_of_other_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": [1, 2, 3, 4],
            "age": [30.0, None, 7.0, float("nan")],
            "cost": [12.34, None, 0.505, float("inf")],
            "district": pa.array([440103, None, 440104, 1], pa.int32()),
            "day": ["2025-01-31", None, "2025/2/1", ""],
            "urgent": pa.array([1, None, 0, 1], pa.int8()),
        }
    )
    snapshot = from_parquet(tmp_path, table)
    expected = [(*row[:-1], str(i)) for i, row in enumerate(STORED, 1)]
    found = rows(snapshot)
    assert found[:2] == expected[:2]
    assert found[2] == (7, 51, *expected[2][2:]) or found[2] == (7, 50, *expected[2][2:])
    assert found[3] == (None, None, "1", None, True, "4")
    report = snapshot.report.columns
    assert (report["age"].not_finite, report["cost"].not_finite) == (1, 1)
    assert report["cost"].rounded == 1
    assert report["district"].outside_codes == 1


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("age", [1.0, 2.5, 3.0]),
        ("age", pa.array([1, 2**63, 3], pa.uint64())),
        ("age", ["1", "x", "3"]),
        ("day", ["2025-01-01", "soon", "2025-01-01"]),
        ("urgent", pa.array([0, 2, 1], pa.int8())),
        ("cost", [1.0, 1e300, 2.0]),
    ],
)
def test_parquet_broken_value_names_row_and_column(
    tmp_path: Path, column: str, values: object
) -> None:
    table = parquet_table()
    index = table.schema.get_field_index(column)
    with pytest.raises(InputError) as caught:
        from_parquet(tmp_path, table.set_column(index, column, pa.array(values)))
    assert f"visits.parquet, row 2: column {column!r}" in caught.value.message
    assert left_behind(tmp_path) == []


def test_parquet_column_of_an_unsuitable_type(tmp_path: Path) -> None:
    table = parquet_table().set_column(0, "id", pa.array([b"\0", b"1", b"2"]))
    with pytest.raises(InputError, match="'id' is BLOB"):
        from_parquet(tmp_path, table)
    assert left_behind(tmp_path) == []


def test_parquet_that_is_none(tmp_path: Path) -> None:
    source = tmp_path / "visits.parquet"
    source.write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        load(source, COLUMNS, subject="id", directory=tmp_path / "snapshots")
    assert left_behind(tmp_path) == []


def test_limit_on_disk(tmp_path: Path) -> None:
    body = HEADER + "".join(f"{os.urandom(8).hex()},1,1,440103,,\n" for _ in range(50_000))
    with pytest.raises(UnavailableError) as caught:
        taken(tmp_path, body, limits=LoadLimits(disk_bytes=300_000))
    assert caught.value.code == "source.limits"
    assert left_behind(tmp_path) == []


def test_deadline(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError) as caught:
        taken(tmp_path, HEADER + ROWS, limits=LoadLimits(deadline_s=0.01))
    assert caught.value.code == "source.limits"
    assert left_behind(tmp_path) == []

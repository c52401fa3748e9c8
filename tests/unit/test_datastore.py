"""Rows of public data: what may be asked, how it is written, who sees it."""

# ruff: noqa: S608, DTZ001 - a test's own SQL; times without a zone are what a table has

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.datastore.ask import Ask, AskError, read_sort
from catalog.datastore.convert_child import number_name
from catalog.datastore.datastore import Datastore, datastore
from catalog.datastore.deadlines import Deadlines
from catalog.datastore.dumps import FORMATS, dump
from catalog.datastore.resources import Resource
from catalog.datastore.tables import ReadLimits, Table
from catalog.datastore.texts import csv_line, json_array, json_object
from catalog.interchange.ckan import slug_of
from catalog.publishing.store import sweep_copies
from catalog.registry.registry import Registry, create, opened
from protos.faults import InputError, MissingError, SqlError
from tests.catalog_world import CLOSED, record
from tests.datastore_world import make_public

ROWS = 5
MANY = pa.table({"n": [*range(30)], "year": ["2024", "2023"] * 15, "id": [*map(str, range(30))]})
CONTENT = pa.table({
    "name": ["=1+1", 'a "quoted", one', "two\nlines", "", None],
    "count": pa.array([1, 2**62, -3, None, 5], pa.int64()),
    "share": [0.5, math.nan, math.inf, 1e300, None],
    "money": pa.array([Decimal("1.10"), Decimal("12345678901234567890.12"), None, Decimal(0),
                       Decimal("-2.50")], pa.decimal128(30, 2)),
    "day": [dt.date(2024, 2, 29), None, dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date.max],
    "at": [dt.datetime(2024, 2, 29, 10, 0, 0, 5), None, *[dt.datetime(2025, 1, 1, 0, 0)] * 3],
    "yes": [True, False, None, True, False],
    '区"域\'': ["荔湾", "越秀", "海珠", "天河", "荔湾"],
    "bytes": [b"\x00\xff", None, b"", b"a", b"b"],
})  # fmt: skip


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    directory = tmp_path_factory.mktemp("catalog") / "c"
    create(directory)
    with opened(directory) as made:
        made.register([record("A/1"), record("A/2"), record("A/3", opening=CLOSED), record("A/4")])
        make_public(made, CONTENT, "A/1")
        make_public(made, pa.table({"_id": [7, 8], "_ID_": ["x", "y"], "rowid": [3, 4]}), "A/2")
        make_public(made, pa.table({"x": [1]}), "A/3")
        make_public(made, MANY, "A/4")
        yield made


@pytest.fixture(scope="module")
def rows(registry: Registry) -> Iterator[Datastore]:
    with datastore(registry) as made:
        yield made


def of(rows: Datastore, code: str) -> Resource:
    [found] = [each for each in rows.resources.all("all") if each.publication.identifier == code]
    return found


@pytest.fixture(scope="module")
def table(rows: Datastore) -> Table:
    return rows.table(of(rows, "A/1"))


def objects(table: Table, ask: Ask) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(f"[{table.page(ask, json_object, ',').text}]")
    return found


def ids(table: Table, **asked: Any) -> list[int]:  # noqa: ANN401 - of an Ask
    return [row["_id"] for row in objects(table, Ask(fields=("_id",), **asked))]


# ---- as JSON -----------------------------------------------------------------------------------


def test_a_row_is_json_with_every_digit(table: Table) -> None:
    text = table.page(Ask(), json_object, ",").text
    found = json.loads(f"[{text}]", parse_float=Decimal)
    assert [row["_id"] for row in found] == [1, 2, 3, 4, 5]
    assert [row["name"] for row in found] == CONTENT["name"].to_pylist()
    assert [row["count"] for row in found] == CONTENT["count"].to_pylist()
    assert [row["money"] for row in found] == CONTENT["money"].to_pylist()
    assert [row["share"] for row in found] == [Decimal("0.5"), None, None, Decimal("1e300"), None]
    assert [row["day"] for row in found][:2] == ["2024-02-29", None]
    assert found[0]["at"] == "2024-02-29T10:00:00.000005"
    assert [row["yes"] for row in found] == [True, False, None, True, False]
    assert found[0]["区\"域'"] == "荔湾"
    assert found[0]["bytes"] == "AP8="
    lists = json.loads(f"[{table.page(Ask(), json_array, ',').text}]", parse_float=Decimal)
    assert lists == [list(row.values()) for row in found]


def test_a_column_that_is_called_like_the_number_keeps_its_name(rows: Datastore) -> None:
    table = rows.table(of(rows, "A/2"))
    assert list(table.columns) == ["_id__", "_id", "_ID_", "rowid"]
    assert objects(table, Ask(offset=1)) == [{"_id__": 2, "_id": 8, "_ID_": "y", "rowid": 4}]
    assert number_name(["a"]) == "_id"


# ---- what may be asked -------------------------------------------------------------------------


def test_pages_filters_words_and_order(table: Table) -> None:
    assert ids(table, offset=3, limit=1) == [4]
    assert ids(table, offset=99) == []
    assert ids(table, limit=0) == []
    district = "区\"域'"
    assert ids(table, filters={district: "荔湾"}) == [1, 5]
    assert ids(table, filters={district: ["荔湾", "天河"], "yes": "true"}) == [1, 4]
    assert ids(table, filters={"name": None}) == [5]
    assert ids(table, filters={"name": [None, ""]}) == [4, 5]
    assert ids(table, filters={"name": []}) == []
    assert ids(table, filters={"count": {"gte": 1, "lt": "6"}}) == [1, 5]
    assert ids(table, filters={"_id": {"gt": 3}}) == [4, 5]
    assert ids(table, filters={"day": {"ne": "2024-02-29"}}) == [3, 4, 5]
    assert ids(table, words=("QUOTED", "越秀")) == [2]
    assert ids(table, words_of={district: ("荔",)}) == [1, 5]
    assert ids(table, sort=read_sort("count desc")) == [2, 5, 1, 3, 4]
    assert ids(table, sort=read_sort('"区""域\'", _id DESC')) == [4, 3, 5, 1, 2], "as bytes"
    assert [row[district] for row in objects(table, Ask((district,), distinct=True))] == sorted(
        {"荔湾", "越秀", "海珠", "天河"}
    )
    assert table.total(Ask(filters={district: "荔湾"}, limit=1)) == 2
    assert table.total(Ask((district,), distinct=True)) == 4
    page = table.page(Ask(filters={district: "荔湾"}), json_object, ",")
    assert table.total(Ask(filters={district: "荔湾"}), page) == page.rows == 2


def test_filtered_rows_come_in_the_order_of_the_file_without_a_sort(tmp_path: Path) -> None:
    path, odd = tmp_path / "t.duckdb", 'x" ORDER BY y'
    with duckdb.connect() as made:  # many small groups of rows, each of which holds all values
        made.execute(f"ATTACH '{path}' AS t (ROW_GROUP_SIZE 2048)")
        made.execute(
            "CREATE TABLE t.data AS SELECT n AS _id, (n * 7919) % 5 AS v, 'a' AS "
            """"x"" ORDER BY y" FROM range(1, 30001) r(n)"""
        )
    deadlines = Deadlines()
    table = Table(path, ReadLimits(), deadlines)
    numbers = [n for n in range(1, 30_001) if n * 7919 % 5 == 3]

    def ids(offset: int, limit: int | None) -> list[int]:
        wanted = Ask(("_id",), {"v": 3, odd: "a"}, offset=offset, limit=limit)
        page = table.page(wanted, json_array, ",")
        assert table.total(wanted, page) == len(numbers)
        return [number for (number,) in json.loads(f"[{page.text}]")]

    assert ids(0, None) == numbers
    paged = [n for at in range(0, len(numbers), 1000) for n in ids(at, 1000)]
    assert paged == numbers
    assert ids(len(numbers), 10) == []
    table.close()
    deadlines.close()


@pytest.mark.parametrize(
    ("ask", "about"),
    [
        (Ask(fields=("nothing",)), "fields"),
        (Ask(fields=('name" FROM data; --',)), "fields"),
        (Ask(filters={"nothing": 1}), "filters"),
        (Ask(filters={"count": "many"}), "filters"),
        (Ask(filters={"count": {"like": "1"}}), "filters"),
        (Ask(filters={"count": list(range(1001))}), "filters"),
        (Ask(sort=(("1; DROP TABLE data", False),)), "sort"),
        (Ask(words_of={"nothing": ("x",)}), "q"),
        (Ask(offset=-1), "offset"),
        (Ask(offset=2**60), "offset"),
        (Ask(limit=-1), "limit"),
        (Ask(fields=("name",), distinct=True, sort=(("count", False),)), "sort"),
    ],
)
def test_what_does_not_fit_says_which_part(table: Table, ask: Ask, about: str) -> None:
    with pytest.raises(AskError) as caught:
        table.page(ask, json_object, ",")
    assert caught.value.about == about
    assert caught.value.reason.zh


@pytest.mark.parametrize("text", ["a,,b", '"a', ","])
def test_an_order_that_is_none(text: str) -> None:
    with pytest.raises(AskError):
        read_sort(text)


# ---- whole tables ------------------------------------------------------------------------------


def whole(table: Table, format: Any, **more: Any) -> bytes:  # noqa: ANN401, A002
    return b"".join(dump(table, more.pop("ask", Ask(limit=None)), format, **more))


def test_csv_says_the_same_and_runs_nothing(table: Table) -> None:
    content = whole(table, "csv", bom=True)
    assert content.startswith("\ufeff_id,name".encode())
    found = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert [row["name"] for row in found] == ["'=1+1", 'a "quoted", one', "two\nlines", "", ""]
    assert [row["count"] for row in found] == ["1", str(2**62), "-3", "", "5"]
    assert found[1]["money"] == "12345678901234567890.12"
    assert found[4]["money"] == "-2.50", "a number is no formula"
    assert list(found[0]) == ["_id", *CONTENT.column_names]
    assert whole(table, "tsv").count(b"\t") == ROWS * 9 + 9
    # One line of a page is one line of the file.
    page = table.page(Ask(), csv_line, "").text
    assert page.encode() == content.partition(b"\r\n")[2]


def test_json_ndjson_and_a_workbook_say_the_same(table: Table) -> None:
    body = json.loads(whole(table, "json"))
    assert [each["id"] for each in body["fields"]] == ["_id", *CONTENT.column_names]
    assert [each["type"] for each in body["fields"]] == [
        "int8", "text", "int8", "float8", "numeric", "date", "timestamp", "bool", "text", "text",
    ]  # fmt: skip
    lines = [json.loads(line) for line in whole(table, "ndjson").splitlines()]
    assert [list(line.values()) for line in lines] == body["records"]
    assert json.loads(whole(table, "json", ask=Ask(limit=0)))["records"] == []
    sheet = openpyxl.load_workbook(io.BytesIO(whole(table, "xlsx"))).active
    assert sheet is not None
    cells = list(sheet.iter_rows(values_only=True))
    assert cells[0] == ("_id", *CONTENT.column_names)
    assert cells[1][1] == "'=1+1"
    assert cells[2][2] == str(2**62), "a long number keeps its digits"
    assert [each.data_type for each in next(sheet.iter_rows(min_row=2))][:3] == ["n", "s", "n"]


def test_a_workbook_has_an_end(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.datastore.dumps.MOST_SHEET_ROWS", 4)
    with pytest.raises(AskError):
        dump(table, Ask(limit=None), "xlsx")
    assert whole(table, "xlsx", ask=Ask(limit=4))
    monkeypatch.setattr("catalog.datastore.dumps._LONGEST_CELL", 4)
    with pytest.raises(AskError):
        dump(table, Ask(limit=4), "xlsx")


def test_formats_are_wrong_before_the_first_byte(table: Table) -> None:
    for format in FORMATS:  # noqa: A001
        with pytest.raises(AskError):
            dump(table, Ask(fields=("nothing",)), format)


# ---- what is there, and for whom ---------------------------------------------------------------


def test_names_lead_to_the_newest_version(registry: Registry) -> None:
    registry.register([record("B/1")])
    with datastore(registry) as rows:
        with pytest.raises(MissingError):
            rows.resources.find("B/1", "all")
        first = make_public(registry, pa.table({"x": [1]}), "B/1")
        old = rows.resources.find(slug_of("local", "B/1"), "open")  # who asks anew sees it at once
        make_public(registry, pa.table({"x": [1, 2]}), "B/1")
        rows.resources._asked = float("-inf")  # as half a second later
        new = rows.resources.find(old.name, "open")
        assert (new.publication.number, first.number) == (2, 1)
        assert rows.resources.find(old.dataset_id, "open") == new
        assert rows.resources.find(old.id, "open").publication == first
        assert [each.publication.number for each in rows.resources.of(old.dataset, "open")] == [
            2,
            1,
        ]


def test_what_is_not_open_is_not_there(rows: Datastore) -> None:
    closed = of(rows, "A/3")
    for name in (closed.id, closed.name, closed.dataset_id, closed.file_id):
        assert rows.resources.find(name, "all") == closed
        with pytest.raises(MissingError) as caught:
            rows.resources.find(name, "open")
        with pytest.raises(MissingError) as absent:
            rows.resources.find("absent", "open")
        assert caught.value.said.en.replace(name, "absent") == absent.value.said.en
    assert closed not in list(rows.resources.all("open"))
    assert rows.resources.of(closed.dataset, "open") == ()
    with pytest.raises(SqlError, match="no public data"):
        rows.sql(f'SELECT * FROM "{closed.id}"', "open")


def test_uses_are_counted_by_the_dozen(registry: Registry) -> None:
    before = registry.entry("local", "A/1").usage
    with datastore(registry) as rows:
        found = of(rows, "A/1")
        for _ in range(3):
            rows.count(found)
        assert registry.entry("local", "A/1").usage == before
        rows.uses.flush()
        assert registry.entry("local", "A/1").usage == before + 3
        rows.count(found)
    assert registry.entry("local", "A/1").usage == before + 4


def test_copies_of_what_is_not_public_are_swept(registry: Registry, rows: Datastore) -> None:
    found = of(rows, "A/2")
    rows.table(found)
    copy = registry.directory / "datastore" / f"{found.publication.sha256}.duckdb"
    assert copy.exists()
    assert copy.stat().st_mode & 0o077 == 0 or copy.parent.stat().st_mode & 0o077 == 0
    sweep_copies(registry.directory, {found.publication.sha256})
    assert copy.exists()
    sweep_copies(registry.directory, set())
    assert not copy.exists()
    with datastore(registry) as again:
        assert again.table(of(again, "A/2")).total(Ask()) == 2, "made anew"


# ---- SQL ---------------------------------------------------------------------------------------


def test_a_statement_joins_groups_and_counts(rows: Datastore) -> None:
    one, two = of(rows, "A/1"), of(rows, "A/2")
    district = '"区""域\'"'
    answer = rows.sql(
        f'WITH t AS (SELECT {district} AS d, sum(money) AS m FROM "{one.id}" GROUP BY 1) '
        f'SELECT t.d, t.m, (SELECT count(*) FROM "{two.name}") AS n, t.d AS d FROM t '
        f"WHERE t.m IS NOT NULL ORDER BY t.m DESC",
        "open",
    )
    assert json.loads(f"[{answer.records}]", parse_float=Decimal) == [
        {"d": "越秀", "m": Decimal("12345678901234567890.12"), "n": 2, "d_1": "越秀"},
        {"d": "天河", "m": 0, "n": 2, "d_1": "天河"},
        {"d": "荔湾", "m": Decimal("-1.40"), "n": 2, "d_1": "荔湾"},
    ]
    assert (answer.rows, answer.cut) == (3, False)


def test_an_answer_keeps_its_order_and_has_an_end(rows: Datastore) -> None:
    found = of(rows, "A/1")
    answer = rows.sql(f'SELECT _id FROM "{found.id}" ORDER BY _id DESC', "open", most_rows=2)
    assert (answer.records, answer.rows, answer.cut) == ('{"_id":5},{"_id":4}', 2, True)
    answer = rows.sql(
        f'SELECT _id FROM "{found.id}" UNION ALL SELECT _id FROM "{found.id}" ORDER BY 1 LIMIT 3',
        "open", most_rows=3,
    )  # fmt: skip
    assert (answer.records, answer.cut) == ('{"_id":1},{"_id":1},{"_id":2}', False)
    for sql in ("LIMIT 1 + 1", "LIMIT NULL", "LIMIT 10 PERCENT"):
        with pytest.raises(SqlError):
            rows.sql(f'SELECT _id FROM "{found.id}" {sql}', "open")


def test_what_the_engine_says_is_passed_on(rows: Datastore) -> None:
    found = of(rows, "A/1")
    for sql, said in (("nosuch", "nosuch"), ("CAST(name AS INT)", "Could not convert")):
        with pytest.raises(InputError, match=said) as caught:
            rows.sql(f'SELECT {sql} FROM "{found.id}"', "open")
        assert caught.value.code == "sql.engine"


def test_a_file_is_the_attested_one(rows: Datastore) -> None:
    with rows.file(of(rows, "A/1")) as file:
        found = pq.read_table(file)
    assert found.drop_columns(["share"]) == CONTENT.drop_columns(["share"])


# ---- at a glance -------------------------------------------------------------------------------


def test_a_glance_counts_values_and_spans_numbers(rows: Datastore) -> None:
    seen = {each.name: each for each in rows.glances(of(rows, "A/1"))}
    assert dict(seen["区\"域'"].values)["荔湾"] >= 1
    assert dict(seen["yes"].values) == {"true": 2, "false": 2, None: 1}
    assert all(sum(n for _, n in each.values) == ROWS for each in seen.values())
    number, year = rows.glances(of(rows, "A/4"))  # texts of many values have nothing to show
    assert number.span == ("0", "14", "29")
    assert year.values == (("2023", 15), ("2024", 15))

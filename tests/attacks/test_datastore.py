"""Attacks on public rows: SQL that wants more, bytes exchanged in the store, what is not open."""

# ruff: noqa: S608 - the attacks are SQL

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from sqlalchemy import Connection, update

from catalog.access.principal import Principal
from catalog.datastore.ask import Ask
from catalog.datastore.datastore import MOST_STREAMS, Datastore, datastore
from catalog.datastore.dumps import parts
from catalog.datastore.places import Asker, Places
from catalog.datastore.resources import Resource, missing
from catalog.datastore.sql import govern
from catalog.datastore.sql_tables import SqlLimits
from catalog.datastore.tables import ReadLimits
from catalog.datastore.texts import json_object
from catalog.publishing.listing import Publication
from catalog.registry.registry import Registry, create, opened
from catalog.registry.tables import PublicationRow
from catalog.rest.requests import asker_of
from catalog.rest.streams import LONG
from catalog.web.services import Services
from desensitize.engines.snapshot import LoadLimits
from protos.faults import InputError, LimitError, SqlError, TrustError, UnavailableError, VeilError
from tests.catalog_world import CLOSED, record
from tests.datastore_world import make_public
from tests.web_world import served

LI = Principal("li", frozenset({"analyst"}))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Services]]:
    """A catalog with open rows, and some of a dataset that is not open."""
    directory = tmp_path_factory.mktemp("catalog") / "c"
    create(directory)
    with opened(directory) as registry:
        registry.register([record("A/1"), record("Z/9", "住房困难家庭名单", opening=CLOSED)])
        make_public(registry, pa.table({"k": range(1000), "t": ["x"] * 999 + ["=1+1"]}), "A/1")
        make_public(registry, pa.table({"secret": ["s3cr3t"]}), "Z/9")
    with served(directory, people={"li": LI}) as made:
        yield made


def of(rows: Datastore, code: str) -> Resource:
    [found] = [each for each in rows.resources.all("all") if each.publication.identifier == code]
    return found


# ---- SQL ---------------------------------------------------------------------------------------

CORPUS = (
    # files, by every door that the engine has
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM "/etc/passwd"',
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv_auto('/etc/passwd', header := false)",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/shadow')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_parquet('/**/*.parquet')",
    "SELECT * FROM parquet_metadata('public/x.parquet')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT content FROM read_text('/proc/self/environ')",
    "SELECT getenv('HOME') FROM T",
    "SELECT current_setting('memory_limit') FROM T",
    "SELECT * FROM T, read_text(t)",
    "SELECT * FROM T WHERE k IN (SELECT 1 FROM read_csv('/etc/passwd'))",
    "SELECT (SELECT content FROM read_text('/etc/passwd')) FROM T",
    "SELECT * FROM T JOIN LATERAL (SELECT * FROM read_text(T.t)) ON TRUE",
    # statements that are none
    "COPY T TO '/tmp/x.csv'",
    "COPY (SELECT 1) TO '/tmp/x'",
    "ATTACH '/tmp/x.db'",
    "ATTACH ':memory:' AS m",
    "PRAGMA database_list",
    "SET memory_limit = '8GB'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CREATE MACRO f(x) AS x",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP VIEW v AS SELECT 1",
    "INSERT INTO T VALUES (1, 'x')",
    "UPDATE T SET k = 1",
    "DELETE FROM T",
    "DROP TABLE data",
    "EXPLAIN SELECT * FROM T",
    "EXPLAIN ANALYZE SELECT * FROM T",
    "DESCRIBE T",
    "SHOW TABLES",
    "SUMMARIZE T",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "CALL pragma_version()",
    "EXPORT DATABASE '/tmp/x'",
    "VACUUM",
    "CHECKPOINT",
    "BEGIN",
    # several at once, and behind comments
    "SELECT 1 FROM T; SELECT 2 FROM T",
    "SELECT 1 FROM T; COPY T TO '/tmp/x'",
    "SELECT 1 FROM T -- \n; DROP TABLE data",
    "SELECT 1 FROM T /* */; ATTACH 'x'",
    "/* SELECT */ COPY T TO 'x'",
    "SELECT 1 FROM T /* never closed",
    "SELECT 1 FROM T WHERE t = 'never closed",
    # what the engine knows of itself
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_databases()",
    "SELECT * FROM duckdb_tables",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM main.data",
    "SELECT * FROM snapshot.data",
    "SELECT * FROM data",
    "SELECT * FROM t1.data",
    "SELECT * FROM system.main.duckdb_settings",
    "SELECT version() FROM T",
    "SELECT current_user FROM T",
    "SELECT current_database() FROM T",
    "SELECT txid_current() FROM T",
    # SQL within SQL
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('data')",
    "SELECT json_execute_serialized_sql(json_serialize_sql('SELECT 1')) FROM T",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "FROM T SELECT COLUMNS('.*')",
    "SELECT * FROM T PIVOT (count(*) FOR t IN ('x'))",
    "SELECT $1 FROM T",
    "SELECT ? FROM T",
    # bombs
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT * FROM r, T",
    "SELECT * FROM range(1000000000000)",
    "SELECT * FROM generate_series(1, 1000000000000)",
    "SELECT unnest(range(1000000000)) FROM T",
    "SELECT [x for x in range(1000000000)] FROM T",
    "SELECT list_aggregate(range(1000000000), 'sum') FROM T",
    "SELECT repeat('x', 2000000000) FROM T",
    "SELECT rpad('x', 2000000000, 'y') FROM T",
    "SELECT regexp_matches(t, '(a+)+$') FROM T",
    "SELECT t SIMILAR TO '(x+)+y' FROM T",
    "SELECT sleep(100) FROM T",
    "SELECT a.k FROM T a, T b, T c, T d, T e, T f, T g",
    "SELECT " + "(" * 100 + "1" + ")" * 100 + " FROM T",
    "SELECT 1 FROM T WHERE " + " AND ".join(["k = 1"] * 3000),
    "SELECT '" + "x" * 20_000 + "' FROM T",
    # types that are more than values
    "SELECT CAST('x' AS STRUCT(a INT)) FROM T",
    "SELECT CAST('[1]' AS INT[]) FROM T",
    "SELECT CAST(k AS ENUM('a')) FROM T",
    "SELECT CAST(t AS JSON) FROM T",
    "SELECT CAST(t AS regclass) FROM T",
    "SELECT CAST(t AS DECIMAL(38, 2)[][][]) FROM T",
    # other alphabets and odd signs
    "ＳＥＬＥＣＴ＊ＦＲＯＭ ｄａｔａ",
    "SELECT * FROM T WHERE t = ‘x’",
    "SELECT * FROM T\x00; COPY T TO 'x'",
    "SELECT '\ud800' FROM T",
    "SELECT * FROM \u202eT",
    "SELECT * FROM `T`",
    "SELECT * FROM [T]",
    "",
    ";",
    "SELECT",
    "SELECT 1",
)  # fmt: skip


def known(name: str) -> Resource:
    """T is the only public table."""
    if name != "T":
        raise missing(name)
    made = Publication("local", "T", "T", 1, "published", "copy", 1, "", 0, 0, "", "", 0, None, "",
                       withdrawn=False)  # fmt: skip
    return Resource("T", "T", "T", "T", 1, open=True, publication=made)


@pytest.mark.parametrize("sql", CORPUS, ids=[repr(sql[:40]) for sql in CORPUS])
def test_what_is_no_plain_select_over_public_tables_is_refused(sql: str) -> None:
    with pytest.raises(SqlError) as caught:
        govern(sql, known)
    assert caught.value.said.zh


@pytest.mark.parametrize(
    ("sql", "becomes"),
    [
        ('SELECT "current_user" FROM T', 'SELECT "current_user" FROM "snapshot"."data" AS "T" '),
        ("SELECT t.* FROM T AS t -- COPY", 'SELECT "t".* FROM "snapshot"."data" AS "t" '),
        ("WITH data AS (SELECT k FROM T) SELECT * FROM data",
         'WITH "c0" AS (SELECT "k" FROM "snapshot"."data" AS "T") SELECT * FROM "c0" AS "data" '),
        # A subquery's name that is used where it is not known is no table of the engine's.
        ("SELECT 1 FROM (WITH duckdb_logs AS (SELECT 1) SELECT 1 FROM T) AS x, duckdb_logs",
         ('SELECT 1 FROM (WITH "c0" AS (SELECT 1) SELECT 1 FROM "snapshot"."data" AS "T") AS "x"'
          ', "c0" AS "duckdb_logs" ')),
        ("SELECT ' ''; DROP TABLE data --' FROM T",
         "SELECT ' ''; DROP TABLE data --' FROM \"snapshot\".\"data\" AS \"T\" "),
        ("SELECT k FROM T LIMIT 99999999",
         'SELECT "k" FROM "snapshot"."data" AS "T" '),
    ],
)  # fmt: skip
def test_what_passes_is_written_anew(sql: str, becomes: str) -> None:
    assert govern(sql, known).sql == becomes + "LIMIT 32001"


def test_a_join_with_itself_reads_one_table() -> None:
    made = govern("SELECT a.k FROM T a JOIN T b USING (k) WHERE EXISTS (SELECT 1 FROM T)", known)
    assert list(made.tables) == ["snapshot"]


def test_bombs_end_with_their_process_and_the_next_statement_runs(
    world: tuple[TestClient, Services],
) -> None:
    registry = world[1].registry
    limits = SqlLimits(memory_mib=128, cpu_s=1, deadline_s=1.5, result_mib=1)
    rows = Datastore(registry, sql=limits)
    try:
        name = f'"{of(rows, "A/1").id}"'
        bombs = {
            "time": f"SELECT count(*) FROM {name} a, {name} b, {name} c, {name} d WHERE "
            "a.k + b.k + c.k + d.k = 7",
            "memory": "SELECT length(replace(replace(replace(x, 'x', x), 'x', x), 'x', x)) FROM "
            f"(SELECT string_agg(t, '') AS x FROM {name})",
            "groups": f"SELECT a.k, b.k, c.k, count(*) FROM {name} a, {name} b, {name} c "
            "GROUP BY 1, 2, 3",
            "answer": f"SELECT string_agg(a.t || b.k, '') AS x FROM {name} a, {name} b",
        }
        for kind, sql in bombs.items():
            with pytest.raises(UnavailableError) as caught:
                rows.sql(sql, "open")
            assert caught.value.code == "sql.limits", kind
            assert "secret" not in caught.value.said.en
            answer = rows.sql(f"SELECT count(*) AS n FROM {name}", "open")
            assert answer.records == '{"n":1000}', f"after {kind}"
    finally:
        rows.close()


def test_names_of_columns_make_no_answer_of_gigabytes(
    world: tuple[TestClient, Services],
) -> None:
    """A name stands in every record: 16 kB of statement would become gigabytes of JSON."""
    rows = Datastore(world[1].registry, sql=SqlLimits(json_mib=8))
    name = of(rows, "A/1").id
    try:
        for sql in (
            f'SELECT k AS "{chr(1) * 2000}" FROM "{name}"',
            f'SELECT k AS "{"n" * 9000}" FROM "{name}"',
            f"SELECT replace(t, 'x', '{chr(1) * 9000}') AS x FROM \"{name}\"",
        ):
            with pytest.raises(UnavailableError) as caught:
                rows.sql(sql, "open")
            assert caught.value.code == "sql.limits"
        assert rows.sql(f'SELECT k AS "{"n" * 900}" FROM "{name}"', "open").rows == 1000
    finally:
        rows.close()


_STRANGERS: Final = """
import resource
resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
from catalog.ckan.solr import QueryError, parse
from catalog.datastore.ask import AskError, read_sort
blank = " " * 15_000
for read, text in ((read_sort, f'{blank}a{blank}"'), (read_sort, f'a{blank}desc{blank}b "'),
                   (parse, f"f:[{blank}]"), (parse, f"f:[a{blank}TO{blank}]")):
    try:
        read(text)
    except (AskError, QueryError):
        continue
    raise SystemExit(text)
"""


def test_what_matches_in_many_ways_takes_no_time_of_the_server() -> None:
    """Blanks in a sort or a range: an expression would try them for hours, and hold all threads."""
    done = subprocess.run([sys.executable, "-c", _STRANGERS], check=False)
    assert done.returncode == 0


def test_lists_of_a_search_have_an_end(world: tuple[TestClient, Services]) -> None:
    """Names of columns in each of a thousand datasets, filters by the thousand."""
    client = world[0]
    for bad in (
        {"fl": [f"f{number}" for number in range(1000)]},
        {"facet.field": ["organization"] * 1000},
        {"fq_list": ["title:a"] * 101},
        {"q": " ".join(f"w{number}" for number in range(101))},
        {"fq": " OR ".join(f"name:*{number}" for number in range(60)), "q": "w " * 41},
    ):
        answer = client.post("/api/3/action/package_search", json=bad)
        assert answer.status_code in {400, 409}, bad
    found = client.post("/api/3/action/package_search", json={"fl": ["name", "x" * 9000]}).json()
    assert [set(each) for each in found["result"]["results"]] == [{"name"}]


def test_many_statements_at_once_wait_for_each_other(world: tuple[TestClient, Services]) -> None:
    rows = world[1].datastore
    name, found = of(rows, "A/1").id, []

    def ask(number: int) -> None:
        found.append(rows.sql(f'SELECT k FROM "{name}" WHERE k = {number}', "open").records)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [f'{{"k":{number}}}' for number in range(8)]


def test_through_every_door_a_closed_table_looks_like_none(
    world: tuple[TestClient, Services],
) -> None:
    client, services = world
    closed = of(services.datastore, "Z/9")
    doors = {
        "/api/data/{}": {}, "/api/data/{}/info": {}, "/api/data/{}/attestation": {},
        "/datastore/dump/{}": {"format": "parquet"},
        "/api/3/action/datastore_search?resource_id={}": {},
        "/api/3/action/datastore_info?id={}": {}, "/api/3/action/resource_show?id={}": {},
        "/api/3/action/package_show?id={}": {},
        '/api/3/action/datastore_search_sql?sql=SELECT * FROM "{}"': {},
        '/api/sql?sql=SELECT * FROM "{}"': {},
    }  # fmt: skip
    for door, params in doors.items():
        names = (closed.id, closed.name, closed.dataset_id, closed.file_id)
        for name in names[1:3] if "package" in door else names:
            seen = client.get(door.format(name), params=params or None)
            absent = client.get(door.format("absent"), params=params or None)
            assert seen.status_code == absent.status_code >= 400, door
            assert seen.text.replace(name, "absent") == absent.text, door
            assert "s3cr3t" not in seen.text
            if "resource_show" not in door or name != closed.file_id:
                mine = client.get(door.format(name), params=params or None, headers={"X-As": "li"})
                assert mine.status_code == 200, door


# ---- the store ---------------------------------------------------------------------------------


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[Registry, Publication, Path]]:
    """A catalog of one's own with one public file; and where it lies."""
    create(tmp_path / "c")
    with opened(tmp_path / "c") as registry:
        registry.register([record("A/1")])
        made = make_public(registry, pa.table({"k": list(range(400))}), "A/1")
        yield registry, made, tmp_path / "c" / "public" / made.object


def exchange(file: Path, *, keep_time: bool = True) -> None:
    """Other bytes of the same length, with the old times on them."""
    before = file.stat()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    if keep_time:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size


def test_other_bytes_of_the_same_length_are_served_to_nobody(
    alone: tuple[Registry, Publication, Path],
) -> None:
    registry, _, file = alone
    good = file.read_bytes()
    exchange(file)
    with datastore(registry) as rows:
        found = of(rows, "A/1")
        for read in (rows.table, rows.file):
            with pytest.raises(TrustError, match="other bytes") as caught:
                read(found)
            assert caught.value.code == "published.changed"
        assert not list((registry.directory / "datastore").glob("*.duckdb"))
        file.write_bytes(good)
        assert rows.table(found).total(Ask(filters={"k": {"gte": 0}})) == 400


def test_bytes_exchanged_after_they_were_verified_are_noticed(
    alone: tuple[Registry, Publication, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, made, file = alone
    with datastore(registry) as rows:
        found = of(rows, "A/1")
        rows.table(found)
        reads: list[str] = []
        really = rows.verified.store.read
        monkeypatch.setattr(
            rows.verified.store, "read", lambda *told: reads.append(told[0]) or really(*told)
        )
        rows.table(found)
        rows.file(found).close()
        assert reads == [], "what was verified once is not read again"
        exchange(file)
        for read in (rows.table, rows.file):
            with pytest.raises(TrustError):
                read(found)
        assert reads == [made.object] * 2
    # A database that was made before is no way around it, either.
    with datastore(registry) as again, pytest.raises(TrustError):
        again.table(of(again, "A/1"))


def test_bytes_exchanged_while_they_are_sent_reach_nobody(
    alone: tuple[Registry, Publication, Path],
) -> None:
    """Between the check and the last byte: the download ends early, and says so by its length."""
    registry, publication, file = alone
    with datastore(registry) as rows:
        found = of(rows, publication.identifier)
        good, last = file.read_bytes(), publication.bytes - 1
        verify = partial(rows.verify, found)
        assert b"".join(parts(rows.file(found), 0, last, verify)) == good
        opened_file = rows.file(found)
        exchange(file)
        with pytest.raises(TrustError, match="other bytes"):
            list(parts(opened_file, 0, last, verify))


def test_a_file_that_is_not_what_was_attested_ends_in_its_child(
    tmp_path: Path, alone: tuple[Registry, Publication, Path]
) -> None:
    registry, made, _ = alone
    with registry.database.write() as (connection, _):
        connection.execute(update(PublicationRow).values(rows=7))
    with datastore(registry) as rows, pytest.raises(TrustError) as caught:
        rows.table(of(rows, "A/1"))
    assert caught.value.code == "datastore.unreadable"
    # No Parquet at all, with the right hash.
    registry.register([record("B/1")])
    other = tmp_path / "x.parquet"
    pq.write_table(pa.table({"k": [1]}), other)
    published = make_public(registry, other, "B/1")
    assert published.sha256 != made.sha256
    with datastore(registry) as rows:
        small = Datastore(registry, loading=LoadLimits(memory_bytes=1 << 20, deadline_s=20.0))
        try:
            with pytest.raises(VeilError) as limited:
                small.table(of(small, "B/1"))
            assert limited.value.code in {"source.limits", "datastore.limits"}
        finally:
            small.close()
        assert rows.table(of(rows, "B/1")).total(Ask(filters={"k": 1})) == 1
    assert not list((registry.directory / "datastore").glob(".making-*"))


# ---- the engine, as if somebody had found a way to hand it SQL ---------------------------------


def test_the_engine_sees_one_table_and_can_open_nothing(
    world: tuple[TestClient, Services],
) -> None:
    rows = world[1].datastore
    engine = rows.table(of(rows, "A/1"))._engine.cursor()
    for sql in (
        "SELECT * FROM '/etc/passwd'", "SELECT * FROM read_csv('/etc/passwd')",
        f"ATTACH '{world[1].registry.directory}/catalog.db'", "COPY data TO '/tmp/x.csv'",
        "SET memory_limit = '8GB'", "SET enable_external_access = true", "INSTALL httpfs",
        "SELECT * FROM rows", "SELECT * FROM world", "DELETE FROM data", "SET threads = 8",
    ):  # fmt: skip
        with pytest.raises(duckdb.Error):
            engine.execute(sql)


def test_a_call_has_an_end_in_time_and_memory(alone: tuple[Registry, Publication, Path]) -> None:
    registry = alone[0]
    for limits in (ReadLimits(call_s=0.0), ReadLimits(call_s=0.2), ReadLimits(memory_mib=1)):
        rows = Datastore(registry, reading=limits)
        try:
            table = rows.table(of(rows, "A/1"))
            with pytest.raises(UnavailableError) as caught:
                table._all("SELECT a.k FROM data a, data b, data c ORDER BY ALL LIMIT 9999999", ())
            assert caught.value.code == "datastore.limits"
            if limits.call_s > 1:
                assert table.page(Ask(limit=3), json_object, ",").rows == 3
        finally:
            rows.close()


# ---- over HTTP ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "about"),
    [
        ({"filters": "{"}, "filters"),
        ({"filters": "[1]"}, "filters"),
        ({"filters": '{"k": {"$gt": [1]}}'}, "filters"),
        ({"filters": '{"k": [[1]]}'}, "filters"),
        ({"filters": "[" * 5_000}, "filters"),
        ({"filters": '{"k": "1 OR 1=1"}'}, "filters"),
        ({"fields": 'k" FROM data; --'}, "fields"),
        ({"fields": "(SELECT 1)"}, "fields"),
        ({"sort": "k; DROP TABLE data"}, "sort"),
        ({"sort": "(SELECT count(*) FROM data)"}, "sort"),
        ({"q": " ".join(map(str, range(100)))}, "q"),
    ],
)
def test_parameters_are_no_sql(
    world: tuple[TestClient, Services], params: dict[str, str], about: str
) -> None:
    client, services = world
    name = of(services.datastore, "A/1").id
    plain = client.get(f"/api/data/{name}", params=params)
    assert plain.status_code == 400
    assert plain.json()["title"].startswith(f"{about}: ")
    ckan = client.get("/api/3/action/datastore_search", params={"resource_id": name, **params})
    assert ckan.status_code == 409
    assert about in ckan.json()["error"]
    assert client.get(f"/datastore/dump/{name}", params=params).status_code == 400


def test_formulas_are_harmless_wherever_a_spreadsheet_may_read(
    world: tuple[TestClient, Services],
) -> None:
    client, services = world
    name = of(services.datastore, "A/1").id
    for kind in ("csv", "tsv"):
        end = client.get(f"/datastore/dump/{name}", params={"format": kind}).text[-12:]
        assert end.endswith("'=1+1\r\n")
        body = {"resource_id": name, "offset": 999, "records_format": kind}
        page = client.post("/api/3/action/datastore_search", json=body).json()["result"]
        assert page["records"].endswith("'=1+1\r\n")
    rows = client.get(f"/api/data/{name}", params={"offset": 999}).json()["records"]
    assert rows == [{"_id": 1000, "k": 999, "t": "=1+1"}], "programs get what it is"


def test_tables_of_any_shape_are_read_in_every_format(tmp_path: Path) -> None:
    zoned = pa.array([0], pa.timestamp("us", "Asia/Shanghai"))
    shapes = {
        "S/wide": pa.table({f"c{n}": [n] for n in range(2_000)}),
        "S/odd": pa.table({"f": [float("nan")], "n": [[{"a": "=1"}]], "z": zoned, "": ["=1"]}),
    }
    with served(tmp_path / "c", public=True) as (client, services):
        for code, table in shapes.items():
            services.registry.register([record(code, f"资源 {code}")])
            make_public(services.registry, table, code)
        for code, table in shapes.items():
            name = of(services.datastore, code).id
            for kind in ("csv", "tsv", "json", "ndjson", "xlsx", "parquet"):
                answer = client.get(f"/datastore/dump/{name}", params={"format": kind})
                assert answer.status_code == 200, (code, kind, answer.text[:200])
                if kind == "csv":
                    [_, row] = csv.reader(answer.text.splitlines())
                    assert len(row) == table.num_columns + 1  # _id
                    assert row[1] == ("0" if code == "S/wide" else "nan")
                elif kind == "json":
                    json.loads(answer.text, parse_constant=pytest.fail)


def test_downloads_have_places_and_give_them_back(
    world: tuple[TestClient, Services], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, services = world
    rows = services.datastore
    name = of(rows, "A/1").id
    for _ in range(40):
        assert client.get(f"/datastore/dump/{name}", params={"limit": 1}).status_code == 200
        assert client.get(f"/datastore/dump/{name}?format=parquet").status_code == 200
        assert client.get(f"/datastore/dump/{name}", params={"sort": "x"}).status_code == 400
    monkeypatch.setattr(rows, "_streams", Places(1, kept=0, share=1))
    ends = rows.stream()
    refused = client.get(f"/datastore/dump/{name}")
    assert (refused.status_code, refused.json()["code"]) == (429, "datastore.streams")
    ends()
    assert client.get(f"/datastore/dump/{name}").status_code == 200


def test_visitors_leave_places_to_members_and_one_network_to_others(
    world: tuple[TestClient, Services],
) -> None:
    registry = world[1].registry
    busy, quiet, li = Asker("192.0.2.1"), Asker("2001:db8::/64"), Asker("li", member=True)
    rows = Datastore(registry, members=True)
    taken = [rows.stream(busy) for _ in range(8)]
    with pytest.raises(LimitError):
        rows.stream(busy)
    taken += [rows.stream(Asker(f"192.0.2.{n // 8 + 2}")) for n in range(20)]
    with pytest.raises(LimitError):  # all that visitors have
        rows.stream(quiet)
    taken.append(rows.stream(li))
    taken.pop(0)()  # whoever ends gives it to others
    taken.append(rows.stream(quiet))
    for ends in taken:
        ends()
    assert rows._sql._places.take(busy) is not None
    assert rows._sql._places.take(quiet) is None, "visitors have one place of the two"
    for _ in range(4):
        assert rows._sql._line.take(busy) is not None
    statement = f'SELECT 1 AS n FROM "{of(rows, "A/1").id}" LIMIT 1'
    with pytest.raises(LimitError) as caught:
        rows.sql(statement, "open", asker=busy)
    assert caught.value.code == "sql.busy"
    assert rows.sql(statement, "all", asker=li).rows == 1
    rows.close()
    # Where nobody logs in, nothing is kept; a proxy on this machine stands for many.
    with_all = Places(2, kept=0, share=2)
    assert all(with_all.take(who) for who in (busy, quiet))
    many = Places(9, kept=0, share=1)
    assert all(many.take(Asker("")) for _ in range(9))


def test_places_are_counted_by_account_or_network(world: tuple[TestClient, Services]) -> None:
    def asker(host: str, account: str = "") -> Asker:
        scope = {"type": "http", "client": (host, 1), "headers": []}
        return asker_of(Request(scope), Principal(account))

    assert asker("198.51.100.7") == Asker("198.51.100.7")
    assert asker("2001:db8::1") == asker("2001:db8::2") != asker("2001:db8:0:1::1")
    assert asker("127.0.0.1") == asker("::1") == Asker("")
    assert asker("198.51.100.7", "li") == Asker("li", member=True)
    client, services = world
    rows = services.datastore
    name = of(rows, "A/1").id
    here = Asker("testclient")  # as the test client calls itself
    taken = [rows.stream(here) for _ in range(8)]
    try:
        for door in (f"/datastore/dump/{name}", f"/datastore/dump/{name}?format=parquet"):
            assert client.get(door).status_code == 429
    finally:
        for ends in taken:
            ends()


def test_long_answers_have_places_like_downloads(world: tuple[TestClient, Services]) -> None:
    """Whoever asks for much and reads slowly holds it all in memory, and there are few of them."""
    client, services = world
    name = of(services.datastore, "A/1").id
    sql = f'SELECT k AS "{"n" * 2000}" FROM "{name}"'
    doors = (("/api/sql", {"sql": sql}), ("/api/3/action/datastore_search_sql", {"sql": sql}))
    taken = [services.datastore.stream() for _ in range(MOST_STREAMS)]
    try:
        for door, body in doors:
            assert client.post(door, json=body).status_code == 429
        assert client.post("/api/sql", json={"sql": f'SELECT k FROM "{name}"'}).status_code == 200
    finally:
        for give_back in taken:
            give_back()
    for door, body in doors * (MOST_STREAMS // 4):  # each gives its place back
        assert len(client.post(door, json=body).content) > LONG
    taken = [services.datastore.stream() for _ in range(MOST_STREAMS)]
    for give_back in taken:
        give_back()


def test_a_closed_table_is_looked_for_as_long_as_none(
    world: tuple[TestClient, Services], monkeypatch: pytest.MonkeyPatch
) -> None:
    resources, asked = world[1].datastore.resources, []
    read = resources._database.read
    closed = of(world[1].datastore, "Z/9")

    def counted() -> AbstractContextManager[Connection]:
        asked.append(1)
        return read()

    monkeypatch.setattr(resources._database, "read", counted)
    for name in (closed.id, "absent"):
        resources.find(of(world[1].datastore, "A/1").id, "open")  # it has just been asked
        asked.clear()
        with pytest.raises(VeilError):
            resources.find(name, "open")
        assert len(asked) == 1, name


def test_a_dump_of_any_size_takes_little_memory(tmp_path: Path) -> None:
    create(tmp_path / "c")
    with opened(tmp_path / "c") as registry:
        registry.register([record("A/1")])
        made = pa.table({"k": pa.array(range(600_000), pa.int64()), "t": ["y" * 100] * 600_000})
        make_public(registry, made, "A/1")
        del made
        with datastore(registry) as rows:
            table = rows.table(of(rows, "A/1"))
            before, most, size = _resident(), 0, 0
            for piece in table.lines(Ask(limit=None), json_object):
                size += len(piece)
                most = max(most, _resident())
    assert size > 75_000_000
    assert most - before < 48 << 20, "pieces are let go"


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_what_opens_data_is_written_down_first(world: tuple[TestClient, Services]) -> None:
    client, services = world
    name = of(services.datastore, "A/1").id
    before = len(services.audit.before(None, 500))
    doors = (
        f"/api/data/{name}", f"/datastore/dump/{name}",
        f"/api/3/action/datastore_search?resource_id={name}",
        f'/api/sql?sql=SELECT 1 FROM "{name}"',
    )  # fmt: skip
    for door in doors:
        assert client.get(door, headers={"X-As": "li"}).status_code == 200
    entries = services.audit.before(None, 500)
    assert len(entries) == before + len(doors)
    for entry, door in zip(reversed(entries[: len(doors)]), doors, strict=True):
        said = json.loads(entry.record) if isinstance(entry.record, str) else dict(entry.record)
        assert said["account"] == "li"
        assert said["action"] == "data.use"
        assert door.startswith(said["path"])


def test_a_refusal_of_input_is_not_an_internal_error(world: tuple[TestClient, Services]) -> None:
    with pytest.raises(InputError):
        world[1].datastore.sql("SELECT", "open")

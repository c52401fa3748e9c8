"""What holds of a catalog in every database: SQLite, and PostgreSQL where there is one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyotp
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    create_engine,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from catalog.access.accounts import Account, Accounts
from catalog.access.keys import ApiKeys, Wish
from catalog.access.last_used import LastUsed
from catalog.access.principal import Principal
from catalog.access.quotas import Quotas
from catalog.access.second_factor import SecondFactors
from catalog.access.sessions import Sessions
from catalog.access.vault import Vault
from catalog.datastore.ask import Ask
from catalog.datastore.datastore import datastore
from catalog.harvest.ending import end
from catalog.harvest.sources import ANYWHERE, Harvest, add
from catalog.harvest.sources import named as harvest_named
from catalog.publishing.listing import publications
from catalog.publishing.publish import PublicationRefusedError, publish
from catalog.publishing.signers import enrol, signers
from catalog.publishing.unpublish import unpublish
from catalog.registry import database as database_module
from catalog.registry import migrations, writing
from catalog.registry.database import HEAD, Database, sqlite_url
from catalog.registry.decisions import DECISIONS, Decision
from catalog.registry.record import Record, Relation, Version
from catalog.registry.registry import Registry
from catalog.registry.tables import Base, DataRow, ItemRow, SignerRow
from catalog.registry.withdrawal import read_tombstone
from catalog.search.find import Search
from catalog.search.index import rebuild
from catalog.search.query import ORDERS, Query
from catalog.search.saved import forget, named, save, saved
from catalog.workflows.all import WORKFLOWS
from catalog.workflows.cases import Cases, Wanted
from catalog.workflows.demands import DEMANDS
from catalog.workflows.finding import Filter, find
from catalog.workflows.verifying import verify_all
from protos.faults import ConflictError, InputError, LimitError
from protos.signing import IdentityKey
from tests import postgres_server
from tests.catalog_world import (
    ASK,
    CLOSED,
    HEALTH,
    LABOUR,
    POLICE,
    citizen_item,
    record,
)
from tests.publishing_world import World, fill


@pytest.fixture(scope="module")
def postgres() -> Iterator[str | None]:
    with postgres_server.empty_database() as url:
        yield url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp("registry")
    url = sqlite_url(folder / "catalog.db")
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres")
        if url is None:
            pytest.skip(postgres_server.MISSING)
    database = Database(url)
    database.open()
    # These tests empty what they are given: a URL of somebody's catalog must not be among it.
    assert Registry(database, folder).count() == 0, "VEIL_TEST_POSTGRES names a catalog in use"
    yield database
    with database.write() as (connection, _):
        empty(connection)
    database.close()


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "identity.pem"
    IdentityKey.generate().save(path)
    return path


def empty(connection: Connection) -> None:
    for table in reversed(Base.metadata.sorted_tables):
        if table.name != "state":
            connection.execute(table.delete())
    connection.execute(text("DELETE FROM search_index"))


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def registry(database: Database, key_file: Path) -> Registry:
    """An empty catalog."""
    with database.write() as (connection, _):
        empty(connection)
    return Registry(database, key_file, clock=Clock())


def found(registry: Registry, asked: str | Query) -> list[str]:
    page = Search(registry.database).find(Query(asked) if isinstance(asked, str) else asked)
    return [hit.identifier for hit in page.hits]


# ---- tables -----------------------------------------------------------------------------------


def test_the_migrations_make_the_tables_that_are_mapped(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, *_: not str(name).startswith("search_index")},
        )
        assert compare_metadata(context, Base.metadata) == []
        checks = {
            check["name"]
            for table in Base.metadata.sorted_tables
            for check in inspect(connection).get_check_constraints(table.name)
        }
    assert {"ck_items_datum", "ck_conflicts_two", "ck_state_one"} <= checks


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_catalog_of_the_first_tables_is_upgraded_and_still_reads(
    request: pytest.FixtureRequest, tmp_path: Path, key_file: Path, kind: str
) -> None:
    url = sqlite_url(tmp_path / "catalog.db")
    if kind == "postgresql":
        if (server := request.getfixturevalue("postgres")) is None:
            pytest.skip(postgres_server.MISSING)
        url = in_a_schema_of_its_own(server, "upgraded")
    older = Database(url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database_module, "HEAD", "0001")
        patch.setattr(migrations, "migrate", lambda engine: migrate_to(engine, "0001"))
        patch.setattr(writing, "harvested", lambda _: set())  # nobody harvested then
        older.open()
        registry = Registry(older, key_file)
        registry.register([record(), record("A/2", opening=CLOSED)])  # of data it knew less
        with older.read() as connection:
            assert not inspect(connection).has_table("publications")
        older.close()
    newer = Database(url)
    with pytest.raises(InputError, match="is at version 0001"):
        newer.open()
    newer.close()
    newer.open(upgrade=True)
    assert newer.revision() == HEAD
    registry = Registry(newer, key_file)
    assert registry.entry("local", "A/1").record == record()
    assert found(registry, "医疗") == ["A/1", "A/2"]
    signer = enrol(registry, HEALTH.code, "0" * 32, role="steward", name="张三", by="数据局")
    registry.withdraw("local", "A/2", reason="重复", who="我")
    with newer.read() as connection:
        assert signers(connection) == [signer]
        assert publications(connection) == []
    # The tables' own constraints: one enrolment of a key, one publication of the same bytes.
    with newer.write() as (connection, _), pytest.raises(IntegrityError):
        row = connection.execute(select(SignerRow.__table__)).one()._asdict()
        connection.execute(insert(SignerRow), row | {"id": 2})
    newer.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_harvested_records_of_before_are_upgraded_to_places_and_hearsay(
    request: pytest.FixtureRequest, tmp_path: Path, key_file: Path, kind: str
) -> None:
    """0008 → 0009: harvests go on from anywhere, and what none of ours names is hearsay."""
    url = sqlite_url(tmp_path / "catalog.db")
    if kind == "postgresql":
        if (server := request.getfixturevalue("postgres")) is None:
            pytest.skip(postgres_server.MISSING)
        url = in_a_schema_of_its_own(server, "harvested")
    filled = Database(sqlite_url(tmp_path / "now.db"))
    filled.open()
    add(filled, Harvest("city", "https://city.test/catalog.ttl", place="440100"), 1)
    for harvest, source, identifier, provider, items in (
        ("city", "city", "E/1", HEALTH, (citizen_item(), citizen_item(name="出生日期"))),
        ("city", "city.district", "E/2", HEALTH, (citizen_item(name="民族"),)),
        ("", "city2", "F/1", HEALTH, (citizen_item(name="学历"),)),  # not of the harvest
        ("", "local", "P/1", POLICE, (citizen_item(),)),  # takes over what was only heard
        ("city", "city", "E/3", POLICE, (citizen_item(name="婚姻状况"),)),
        ("", "local", "P/2", POLICE, (citizen_item(name="婚姻状况"),)),  # says the same
    ):
        told = replace(record(identifier, provider=provider, items=items), source=source)
        with filled.write() as (connection, revision):
            writer = writing.Writer(connection, revision, 1, harvest=harvest)
            writer.enrol([provider])
            writer.put([told])
    wanted = heard(filled)
    assert wanted == {"户籍地址": 0, "出生日期": 1, "民族": 1, "学历": 0, "婚姻状况": 0}

    older = Database(url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database_module, "HEAD", "0008")
        patch.setattr(migrations, "migrate", lambda engine: migrate_to(engine, "0008"))
        older.open()
    copy_down(filled, older)
    with older.read() as connection:
        columns = inspect(connection).get_columns
        assert "place" not in {each["name"] for each in columns("harvests")}
        assert "hearsay" not in {each["name"] for each in columns("data")}
    older.close()
    filled.close()

    newer = Database(url)
    newer.open(upgrade=True)
    assert heard(newer) == wanted
    registry = Registry(newer, key_file)
    assert harvest_named(newer, "city").place == ANYWHERE
    told = record("P/3", provider=POLICE, items=(citizen_item(name="民族"),), opening=CLOSED)
    registry.register([told])
    assert heard(newer)["民族"] == 0
    assert registry.entry("city.district", "E/2").sources["民族"] == POLICE.name
    # And the rest of what was heard ends with who said it; the catalog's own words do not.
    city = harvest_named(newer, "city")
    assert end(registry, city, withdraw=True, by="省局", reason="停止合作") == 3
    assert heard(newer) == {**dict.fromkeys(wanted, 0), "出生日期": 2}
    newer.close()


def heard(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return dict(connection.execute(select(DataRow.name, DataRow.hearsay)).all())


def copy_down(newer: Database, older: Database) -> None:
    """Puts all rows into the tables of an earlier version, without what it did not know."""
    there = MetaData()
    there.reflect(older.engine)
    with newer.read() as source, older.write() as (target, _):
        for table in Base.metadata.sorted_tables:
            if table.name == "state" or table.name not in there.tables:
                continue
            known = there.tables[table.name]
            columns = [column for column in table.columns if column.name in known.columns]
            if rows := source.execute(select(*columns)).mappings().all():
                target.execute(insert(known), [dict(row) for row in rows])


def test_publications_come_and_go(
    registry: Registry, database: Database, key_file: Path, publishing: World
) -> None:
    registry = Registry(database, key_file)
    fill(registry)
    enrol(registry, HEALTH.code, publishing.dids["signer"], role="signer", name="张三", by="局")
    made = publish(registry, publishing.release, "local", "YL/001")
    assert (made.number, made.rows) == (1, 400)
    with pytest.raises(PublicationRefusedError):
        publish(registry, publishing.release, "local", "YL/001")
    with datastore(registry) as rows:
        [found] = rows.resources.all("open")
        assert rows.table(found).total(Ask()) == 400
        rows.count(found)
    assert registry.entry("local", "YL/001").usage == 1
    unpublish(registry, "local", "YL/001", 1, reason="有误", who="我")
    with database.read() as connection:
        assert [each.state for each in publications(connection)] == ["unpublished"]


def migrate_to(engine: Engine, revision: str) -> None:
    config = migrations.configuration()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def in_a_schema_of_its_own(url: str, schema: str) -> str:
    """The same server, without the tables of the other tests."""
    plain = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(plain)
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    engine.dispose()
    own = make_url(url).update_query_dict({"options": f"-csearch_path={schema}"})
    return own.render_as_string(hide_password=False)


# ---- records ----------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_was(registry: Registry) -> None:
    full = record(
        items=(*record().items, citizen_item()),
        opening=CLOSED,
        sharing=ASK,
        path=("医疗机构", "名录"),
        category="theme",
        relations=(Relation("derived", "local", "B/1"), Relation("related", "else", "C")),
        themes=("health", "safety"),
        scenarios=("一", "二"),
        name_en="Hospitals",
        version=Version("1", "改了\n两行", 5, 1, 2, 3),
    )
    assert registry.register([full]).outcomes == {"new": 1}
    assert registry.entry("local", "A/1").record == full
    assert list(registry.records()) == [full]


def test_the_same_again_touches_nothing(registry: Registry) -> None:
    registry.register([record()])
    with registry.database.read() as connection:
        before = connection.execute(text("SELECT * FROM datasets")).all()
    assert registry.register([record()]).outcomes == {"unchanged": 1}
    with registry.database.read() as connection:
        assert connection.execute(text("SELECT * FROM datasets")).all() == before


def test_a_change_is_a_version_with_what_is_different(registry: Registry) -> None:
    first = record()
    registry.register([first])
    bed, name = first.items[1], first.items[0]
    later = replace(
        first,
        abstract="全市医疗机构的名录",
        items=(replace(bed, grade=2), replace(name, name="名称")),
        version=Version("2025.7", "改名", 120, 20, 0, 3),
    )
    assert registry.register([later]).outcomes == {"changed": 1}
    entry = registry.entry("local", "A/1")
    assert [(v.number, v.said.label) for v in entry.versions] == [(2, "2025.7"), (1, "2025.6")]
    assert entry.versions[0].said == later.version
    changes = {(c["what"], c["field"], c.get("item", "")) for c in entry.versions[0].changes}
    assert changes == {
        ("changed", "abstract", ""), ("changed", "version", ""), ("changed", "grade", "床位数"),
        ("removed", "items", "机构名称"), ("added", "items", "名称"),
    }  # fmt: skip
    assert found(registry, "名录") == ["A/1"]
    assert found(registry, "机构名称") == []


def test_relations_lead_both_ways(registry: Registry) -> None:
    registry.register(
        [record("A/1"), record("B/1", "汇总", relations=(Relation("derived", "local", "A/1"),))]
    )
    [out] = registry.entry("local", "B/1").neighbours
    [back] = registry.entry("local", "A/1").neighbours
    assert (out.kind, out.name, out.outward) == ("derived", "医疗机构基本信息", True)
    assert (back.kind, back.name, back.outward) == ("derived", "汇总", False)


def test_all_or_none(registry: Registry) -> None:
    with pytest.raises(InputError, match="no data item"):
        registry.register([record(), record("A/2", items=())])
    stranger = replace(HEALTH, name="卫生局")
    with pytest.raises(InputError, match="in this catalog"):
        registry.register([record(), record("A/2", provider=stranger)])
    assert registry.count() == 0


def test_departments_with_what_they_registered(registry: Registry) -> None:
    registry.register([record(), record("A/2"), record("P/1", provider=POLICE)])
    assert [(p.department, p.datasets) for p in registry.providers()] == [(HEALTH, 2), (POLICE, 1)]


# ---- withdrawal -------------------------------------------------------------------------------


def test_withdrawal_leaves_a_signed_tombstone(registry: Registry) -> None:
    registry.register([record(), record("A/2", "药店")])
    search = Search(registry.database)
    assert search.find(Query("医疗机构")).total == 1
    registry.withdraw("local", "A/1", reason="数据有误", who="首席数据官")
    entry = registry.entry("local", "A/1")
    said = read_tombstone(entry.tombstone, registry.key().public)
    assert entry.state == "withdrawn"
    assert (said["identifier"], said["reason"], said["by"]) == ("A/1", "数据有误", "首席数据官")
    assert search.find(Query("医疗机构")).total == 0
    assert search.find(Query("")).total == 1
    assert [r.identifier for r in registry.records()] == ["A/2"]


def test_what_was_withdrawn_stays_withdrawn(registry: Registry) -> None:
    registry.register([record()])
    registry.withdraw("local", "A/1", reason="错", who="我")
    with pytest.raises(InputError, match="withdrawn"):
        registry.register([record(abstract="新")])
    with pytest.raises(InputError, match="withdrawn before"):
        registry.withdraw("local", "A/1", reason="错", who="我")
    with pytest.raises(InputError, match="no dataset"):
        registry.withdraw("local", "X", reason="错", who="我")
    with pytest.raises(InputError, match="who decided"):
        registry.withdraw("local", "A/1", reason=" ", who="我")


# ---- one datum, one source --------------------------------------------------------------------


def claims(registry: Registry, identifier: str) -> str:
    return registry.entry("local", identifier).sources["户籍地址"]


def dispute(registry: Registry) -> None:
    """The police hold the home address; health says that it does."""
    held = record("P/1", "常住人口", provider=POLICE, items=(citizen_item(),), opening=CLOSED)
    claimed = record("H/1", "签约居民", items=(citizen_item(),), opening=CLOSED)
    used = record("H/2", "儿童", items=(citizen_item(POLICE.code),), opening=CLOSED)
    registry.register([held])
    registry.register([claimed, used])


def test_the_first_claim_stands_and_the_second_is_a_conflict(registry: Registry) -> None:
    dispute(registry)
    [conflict] = registry.conflicts(state="open")
    assert (conflict.holder.name, conflict.claimant.name) == (POLICE.name, HEALTH.name)
    assert conflict.holder.dataset == ("local", "P/1")
    assert conflict.claimant.dataset == ("local", "H/1")
    assert [step.what for step in conflict.steps] == ["opened"]
    assert [claims(registry, i) for i in ("P/1", "H/1", "H/2")] == [POLICE.name, "", POLICE.name]


def test_in_another_place_another_department_is_the_source(registry: Registry) -> None:
    dispute(registry)
    registry.register(
        [record("S/1", provider=LABOUR, items=(citizen_item(),), opening=CLOSED, place="440300")]
    )
    assert len(registry.conflicts()) == 1
    assert claims(registry, "S/1") == LABOUR.name


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_decision_is_recorded_and_lasts(registry: Registry, decision: Decision) -> None:
    dispute(registry)
    [conflict] = registry.conflicts()
    subject = "签约居民" if decision == "different" else ""
    registry.resolve(
        conflict.number, decision, who="省政数局", note="会议纪要 3 号", subject=subject
    )
    sources = [claims(registry, i) for i in ("P/1", "H/1", "H/2")]
    assert (
        sources
        == {
            "keep": [POLICE.name] * 3,
            "move": [HEALTH.name] * 3,
            "different": [POLICE.name, HEALTH.name, POLICE.name],
        }[decision]
    )
    [after] = registry.conflicts()
    assert [s.what for s in after.steps] == [
        "opened",
        {"keep": "kept", "move": "moved", "different": "different"}[decision],
    ]
    assert after.steps[1].note == "会议纪要 3 号"
    # The same claims with another abstract, from either side: nothing is opened again.
    for identifier, provider in (("H/1", HEALTH), ("P/1", POLICE)):
        old = registry.entry("local", identifier).record
        assert old.provider == provider
        registry.register([replace(old, abstract="补充摘要")])
    assert [claims(registry, i) for i in ("P/1", "H/1", "H/2")] == sources
    assert len(registry.conflicts()) == 1
    with pytest.raises(InputError, match="decided already"):
        registry.resolve(conflict.number, "keep", who="x", note="y")


def test_a_decision_needs_a_reason_and_another_subject(registry: Registry) -> None:
    dispute(registry)
    with pytest.raises(InputError, match="who decides, and why"):
        registry.resolve(1, "keep", who="", note="x")
    for subject in ("", "自然人", " 自然人 "):
        with pytest.raises(InputError, match="what the other datum"):
            registry.resolve(1, "different", who="x", note="y", subject=subject)
    with pytest.raises(InputError, match="no conflict 9"):
        registry.resolve(9, "keep", who="x", note="y")
    assert registry.conflicts()[0].state == "open"


def test_a_third_claimant_faces_whoever_the_datum_moved_to(registry: Registry) -> None:
    dispute(registry)
    third = replace(LABOUR, place="440100")
    registry.register([record("L/1", provider=third, items=(citizen_item(),), opening=CLOSED)])
    registry.resolve(1, "move", who="x", note="y")
    [left] = registry.conflicts(state="open")
    assert (left.holder.code, left.claimant.code) == (HEALTH.code, third.code)
    registry.resolve(left.number, "move", who="x", note="y")
    assert {claims(registry, i) for i in ("P/1", "H/1", "H/2", "L/1")} == {third.name}


def test_the_database_itself_refuses_a_second_source(registry: Registry) -> None:
    dispute(registry)
    key = "440100|自然人|户籍地址"
    row = {"key": key, "subject": "自然人", "name": "户籍地址", "place": "440100",
           "provider": HEALTH.code, "since": 0, "hearsay": 0}  # fmt: skip
    with pytest.raises(IntegrityError), registry.database.write() as (connection, _):
        connection.execute(insert(DataRow), row)
    with pytest.raises(IntegrityError), registry.database.write() as (connection, _):
        connection.execute(update(ItemRow).where(ItemRow.datum == key).values(source=HEALTH.code))


def test_two_claims_at_once_one_wins(registry: Registry) -> None:
    ready, errors = threading.Barrier(2), []

    def claim(wanted: Record) -> None:
        database = Database(registry.database._url)
        database.open()
        mine = Registry(database, Path("unused"))
        try:
            ready.wait()
            mine.register([wanted])
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)
        finally:
            database.close()

    wanted = [
        record(f"{i}/1", provider=d, items=(citizen_item(),), opening=CLOSED)
        for i, d in enumerate((POLICE, HEALTH))
    ]
    threads = [threading.Thread(target=claim, args=(r,)) for r in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    [conflict] = registry.conflicts()
    assert {conflict.holder.code, conflict.claimant.code} == {POLICE.code, HEALTH.code}
    sources = [claims(registry, "0/1"), claims(registry, "1/1")]
    assert sorted(sources) == sorted(["", conflict.holder.name])


# ---- search -----------------------------------------------------------------------------------


def library(registry: Registry) -> None:
    registry.register(
        [
            record("1", "医疗机构基本信息", name_en="Hospitals of Guangzhou"),
            record("2", "就业登记信息", provider=LABOUR, place="440300",
                   themes=("social-security",), scenarios=("就业一件事",), cycle="daily",
                   abstract="含医疗保险缴费"),
            record("3", "5G基站分布图层", provider=POLICE, kind="layer", format="geodata",
                   themes=(), scenarios=(), place="440103", sharing=ASK, opening=ASK,
                   abstract="PM2.5 监测", updated=None, published=None),
            record("4", "市属医院床位", items=(citizen_item(),), opening=CLOSED),
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "hits"),
    [
        ("医疗", ["1", "2", "4"]),  # 4 has the theme 医疗卫生
        ("医疗机构", ["1"]),
        ("疗机", ["1"]),
        ("属", ["4"]),
        ("医院床位", ["4"]),
        ("院机", []),  # not across words
        ("hospital", ["1"]),
        ("GUANGZHOU hosp", ["1"]),
        ("health", ["1", "4"]),
        ("５Ｇ基站", ["3"]),
        ("5g", ["3"]),
        ("pm2.5", ["3"]),
        ("基站 图层", ["3"]),
        ("基站 医疗", []),
        ("息就", []),  # the end of one field and the beginning of the next
        ("越秀区", []),
        ("荔湾", ["3"]),
        ("自然人", ["4"]),
        ("……！", ["1", "2", "3", "4"]),
        # What either index would take for its own syntax.
        ("医疗机构\\", ["1"]),
        ("'医疗' | 'zzz':*", []),
        ("医疗:A&!基站", []),
        ("100%_机构", []),
        ('body:"医疗机构"', []),
    ],
)
def test_words_are_found(registry: Registry, words: str, hits: list[str]) -> None:
    library(registry)
    assert sorted(found(registry, words)) == hits


def test_a_name_counts_more_than_a_theme_and_that_more_than_a_remark(registry: Registry) -> None:
    library(registry)
    assert found(registry, "医疗") == ["1", "4", "2"]


def test_facets_and_filters(registry: Registry) -> None:
    library(registry)
    search = Search(registry.database)
    page = search.find(Query(""))
    assert page.facets["theme"] == {"health": 2, "social-security": 1}
    assert page.facets["place"] == {"440100": 2, "440103": 1, "440300": 1}
    assert page.facets["grade"] == {"1": 3, "3": 1}
    assert page.facets["scenario"] == {"看病就医一件事": 2, "就业一件事": 1}
    assert page.facets["department"] == {HEALTH.code: 2, POLICE.code: 1, LABOUR.code: 1}
    filtered = search.find(Query("", {"place": ("440100",), "opening": ("unconditional",)}))
    assert [hit.identifier for hit in filtered.hits] == ["1"]
    # A facet that is filtered by still tells what its other values would give.
    assert filtered.facets["place"] == {"440100": 1, "440300": 1}
    assert filtered.facets["opening"] == {"none": 1, "conditional": 1, "unconditional": 1}
    assert found(registry, Query("医疗", {"theme": ("social-security", "safety")})) == ["2"]


def test_orders_and_pages(registry: Registry) -> None:
    registry.register(
        [record(str(i), name, provider=HEALTH) for i, name in
         enumerate(["中学", "阿婆", "医院", "北京路", "zoo"])]
    )  # fmt: skip
    registry.count_uses({("local", "2"): 7, ("local", "4"): 9})
    search = Search(registry.database)
    assert found(registry, Query(order="name")) == [
        "4",
        "1",
        "3",
        "2",
        "0",
    ]  # pinyin: a, bei, yi, zhong
    assert found(registry, Query(order="usage"))[:2] == ["4", "2"]
    for order in ORDERS:
        seen, cursor = [], ""
        while True:
            page = search.find(Query("", order=order, limit=2, cursor=cursor))
            seen += [hit.identifier for hit in page.hits]
            if not (cursor := page.cursor):
                break
            # Somebody registers what comes before all: nothing is shown twice or passed over.
            if len(seen) == 2 and order != "usage":
                newer = record(f"new-{order}", "阿", updated=record().updated)
                registry.register([newer])
        assert [i for i in seen if not i.startswith("new")] == [
            i for i in found(registry, Query(order=order)) if not i.startswith("new")
        ]
        assert len(seen) == len(set(seen))


def test_what_changes_is_found_as_it_is_now(registry: Registry) -> None:
    library(registry)
    search = Search(registry.database)
    assert search.find(Query("医疗机构")).total == 1
    old = registry.entry("local", "1").record
    registry.register([replace(old, name="卫生院", themes=("safety",)), record("9", "新医疗机构")])
    assert [h.identifier for h in search.find(Query("医疗机构")).hits] == ["9"]
    page = search.find(Query("卫生院"))
    assert [h.name for h in page.hits] == ["卫生院"]
    assert page.facets["theme"] == {"safety": 1}


def test_rebuilding_changes_nothing(registry: Registry) -> None:
    library(registry)
    column = "rowid" if registry.database.is_sqlite else "dataset"
    everything = text(f"SELECT {column} AS number, search_index.* FROM search_index ORDER BY 1")  # noqa: S608
    with registry.database.read() as connection:
        before = connection.execute(everything).all()
    with registry.database.write() as (connection, _):
        assert rebuild(connection) == len(before) == 4
    with registry.database.read() as connection:
        assert connection.execute(everything).all() == before


def test_a_write_that_fails_leaves_no_word_in_the_index(registry: Registry) -> None:
    library(registry)

    class StoppedError(Exception):
        pass

    with pytest.raises(StoppedError), registry.writing() as writer:
        writer.put([record("5", "消失的记录")])
        raise StoppedError
    assert found(registry, "消失") == []
    assert registry.count() == 4


def test_saved_searches(registry: Registry) -> None:
    query = Query("医疗", {"theme": ("health",), "place": ("440100",)}, "usage")
    save(registry.database, "我的检索", Query("x"), 1)
    save(registry.database, "我的检索", query, 2)
    assert saved(registry.database) == {"我的检索": query}
    assert named(registry.database, "我的检索") == query
    forget(registry.database, "我的检索")
    with pytest.raises(InputError, match="no saved search"):
        named(registry.database, "我的检索")
    with pytest.raises(InputError, match="no name"):
        save(registry.database, "a\x1bb", query, 1)


def test_what_is_personal_is_not_open_to_all(registry: Registry) -> None:
    with pytest.raises(InputError, match="L3"):
        registry.register([record(items=(citizen_item(),))])


def test_accounts_live_in_every_database(database: Database) -> None:
    now = [1_800_000_000]
    clock = lambda: now[0]  # noqa: E731
    accounts = Accounts(database, clock)
    made = accounts.add(Account("li", "李", frozenset({"analyst"})), identity=("https://i", "1"))
    assert accounts.with_identity("https://i", "1") == made == accounts.get("li")
    used = LastUsed(database, clock)
    sessions = Sessions(database, used, clock)
    token = sessions.begin(made)
    assert sessions.find(token) == made
    keys = ApiKeys(database, clock)
    key, text_ = keys.add(made.principal(), Wish("x", ["dataset.read"], per_day=5))
    assert keys.find(text_) == (key, made)
    quotas = Quotas(database, clock)
    for _ in range(5):
        quotas.take(key)
    with pytest.raises(LimitError):
        quotas.take(key)
    used.key(key.number)
    used.write()
    assert keys.get(key.number).used_at == now[0]
    factors = SecondFactors(database, Vault(b"s" * 32), clock)
    totp = pyotp.TOTP(factors.begin("li").text)
    codes = factors.confirm("li", totp.at(now[0]))
    assert not factors.use("li", totp.at(now[0]))
    assert factors.use("li", totp.at(now[0] + 30))
    assert factors.use("li", codes[0])
    assert not factors.matches("li", codes[0])
    assert accounts.with_second_factor() == {"li"}
    assert sessions.find(token) is None, "its rights have changed"
    accounts.change("li", {"enabled": False})
    assert keys.find(text_) is None


# ---- workflows ---------------------------------------------------------------------------------


def test_of_two_steps_at_once_one_is_taken(registry: Registry) -> None:
    registry.register([record("YL/1")])
    cases = Cases(registry, None, WORKFLOWS)
    steward = Principal("s", frozenset({"steward"}), HEALTH.code)
    said = {"title": "床位", "text": "各医院", "department": HEALTH.code}
    case = cases.open(DEMANDS, Principal("li"), Wanted(said))
    barrier, came = threading.Barrier(2), []

    def accept() -> None:
        barrier.wait()
        try:
            wanted = Wanted({}, revision=1)
            came.append(cases.act(DEMANDS, case.id, DEMANDS.step("accept"), steward, wanted).state)
        except ConflictError as error:
            came.append(error.code)

    threads = [threading.Thread(target=accept) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(came) == ["accepted", "case.changed"]
    assert verify_all(registry, None, WORKFLOWS) == 2
    wanted = Filter(state="accepted", dataset=("local", "YL/1"), overdue=True, mine=True)
    assert find(registry, cases.clocks, DEMANDS, steward, wanted).total == 0
    assert find(registry, cases.clocks, DEMANDS, steward, Filter()).total == 1

"""One catalog is read into another: whole, once, on after a stop, and not more than it should."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from catalog.harvest import entering
from catalog.harvest.ending import end
from catalog.harvest.run import fetcher, run
from catalog.harvest.sources import (
    Harvest,
    Run,
    add,
    count,
    harvests,
    last_run,
    named,
    problems,
    runs,
)
from catalog.interchange.ckan import package
from catalog.interchange.exporting import export_file
from catalog.interchange.importing import import_file
from catalog.province.build import province as made_up
from catalog.registry.record import Record, Relation
from catalog.registry.registry import Registry
from catalog.registry.withdrawal import read_tombstone
from protos.faults import ConflictError, InputError, MissingError, UnavailableError, VeilError
from tests.catalog_world import CLOSED, HEALTH, LABOUR, POLICE, citizen_item, record
from tests.harvest_world import Source, city, harvest, province, read, source

ON_CONDITION = replace(CLOSED, attribute="conditional")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Registry]:
    with province(tmp_path / "province") as registry:
        yield registry


@pytest.fixture
def there() -> Iterator[Source]:
    with source() as told:
        yield told


def open_ones(registry: Registry) -> set[tuple[str, str]]:
    return {r.key for r in registry.records() if r.opening.attribute != "none"}


def keys(registry: Registry) -> set[str]:
    return {r.identifier for r in registry.records()}


def problems_of(registry: Registry, name: str = "city") -> list[str]:
    with registry.database.read() as connection:
        return [each.said.en for each in problems(connection, name)]


def last(registry: Registry, name: str = "city") -> Run:
    with registry.database.read() as connection:
        found = last_run(connection, name)
    assert found is not None
    return found


# ---- a city that runs Veil ---------------------------------------------------------------------


def test_a_city_comes_whole_and_is_followed(here: Registry, tmp_path: Path) -> None:
    records = [replace(r, source="local") for r in made_up(130, 3)]
    first, second = [r.identifier for r in records if r.opening.attribute != "none"][:2]
    of_police = (citizen_item(POLICE.code),)
    two = (Relation("derived", "local", first), Relation("related", "local", "closed/1"))
    records += [
        record("closed/1", "名单", opening=CLOSED),
        record("item/1", "户籍信息", provider=LABOUR, opening=ON_CONDITION, items=of_police),
        record("rel/1", "加工数据", relations=two),
    ]
    with city(tmp_path / "city") as (url, registry):
        registry.register([record("police/1", "警务公开", provider=POLICE, opening=CLOSED)])
        registry.register(records)
        wanted = harvest(here, f"{url}/catalog.ttl?limit=50")
        run, gone = read(here, wanted)
        assert (run.state, run.pages, gone) == ("complete", 3, ())
        assert problems_of(here) == []
        assert run.new == run.total == len(open_ones(registry))
        assert {("city", key) for _, key in open_ones(registry)} == {r.key for r in here.records()}
        kept = {r.identifier: r for r in here.records()}
        for each in registry.records():
            if each.identifier in kept and each.identifier != "rel/1":
                named_here = tuple(replace(n, source="city") for n in each.relations)
                assert replace(each, source="city", relations=named_here) == kept[each.identifier]
        assert [n.identifier for n in kept["rel/1"].relations] == [first]

        # Nothing has changed: each page is confirmed, nothing is sent or written again.
        again, _ = read(here, wanted)
        assert (again.pages, again.confirmed, again.unchanged) == (3, 3, run.new)
        assert (again.new, again.changed, again.withdrawn) == (0, 0, 0)

        registry.register([record("rel/1", "改名"), record("late/1", "新登记")])
        registry.withdraw("local", second, reason="重复", who="市局")
        third, gone = read(here, wanted)
        assert (third.state, third.new, third.changed, third.withdrawn) == ("complete", 1, 1, 1)
        assert {("city", key) for _, key in open_ones(registry)} == {r.key for r in here.records()}
        entry = here.entry("city", second)
        assert entry.state == "withdrawn"
        assert "source city" in read_tombstone(entry.tombstone, here.key().public)["reason"]
        fourth, _ = read(here, wanted)
        assert fourth.confirmed == fourth.pages == 3


def test_one_datum_one_source_holds_for_what_is_harvested(here: Registry, tmp_path: Path) -> None:
    shared = (citizen_item(),)
    here.register([record("own/1", "户籍", opening=CLOSED, provider=POLICE, items=shared)])
    theirs = record("x/1", "户籍登记", opening=ON_CONDITION, items=shared)
    with city(tmp_path / "city", [theirs]) as (url, _):
        run, _gone = read(here, harvest(here, f"{url}/catalog.jsonld"))
    assert run.new == 1
    [conflict] = here.conflicts()
    assert conflict.claimant.code == HEALTH.code


def test_our_own_feed_and_our_own_ckan_api_say_the_same(here: Registry, tmp_path: Path) -> None:
    """Both are what other provinces read: one catalog, two doors, the same records."""
    records = [replace(r, source="local") for r in made_up(30, 4)]
    records.append(record("closed/1", "名单", opening=CLOSED))
    with city(tmp_path / "city", records) as (url, registry):
        by_feed, _ = read(here, harvest(here, f"{url}/catalog.jsonld?limit=10", "feed"))
        by_ckan, _ = read(here, harvest(here, url, "ckan", dialect="ckan"))
        known = {key for _, key in open_ones(registry)}
    assert (by_feed.state, by_ckan.state) == ("complete", "complete")
    assert by_feed.total == by_ckan.total == len(known)
    assert problems_of(here, "feed") == problems_of(here, "ckan") == []
    found: dict[str, dict[str, Record]] = {"feed": {}, "ckan": {}}
    for each in here.records():
        named = tuple(replace(r, source="x") for r in each.relations)
        found[each.source][each.identifier] = replace(each, source="x", relations=named)
    assert found["feed"].keys() == found["ckan"].keys() == known
    assert found["feed"] == found["ckan"]


@pytest.mark.parametrize("form", ["ttl", "jsonld", "xml"])
def test_every_form_is_read(here: Registry, tmp_path: Path, form: str) -> None:
    with city(tmp_path / "city", [record("a/1"), record("b/2", "第二")]) as (url, _):
        run, _gone = read(here, harvest(here, f"{url}/catalog.{form}?limit=1"))
    assert (run.new, run.pages, keys(here)) == (2, 2, {"a/1", "b/2"})


def test_records_that_come_through_others_keep_their_way(here: Registry, tmp_path: Path) -> None:
    deep = [replace(record(f"{n}/1"), source=name) for n, name in
            enumerate(["local", "district", "district.town", "a.b.c"])]  # fmt: skip
    with city(tmp_path / "city", deep) as (url, _):
        read(here, harvest(here, f"{url}/catalog.ttl"))
    assert {r.source for r in here.records()} == {"city", "city.district", "city.district.town"}
    assert problems_of(here) == ["has come through too many catalogs"]


# ---- after a stop ------------------------------------------------------------------------------


class Killed(BaseException):
    """As if the process had ended there."""


def killed_at(step: int) -> Callable[[float], None]:
    waited = 0

    def sleep(_: float) -> None:
        nonlocal waited
        waited += 1
        if waited == step:
            raise Killed

    return sleep


def test_it_goes_on_where_it_was(here: Registry, tmp_path: Path) -> None:
    records = [record(f"r/{n}", f"资源{n}") for n in range(12)]
    with city(tmp_path / "city", records) as (url, registry):
        wanted = harvest(here, f"{url}/catalog.ttl?limit=3")
        for step in (1, 1, 1):
            with pytest.raises(Killed):
                read(here, wanted, sleep=killed_at(step))
        assert last(here).state == "running"
        assert (last(here).pages, here.count()) == (3, 9)
        # What is registered while nobody reads stands behind all that was read.
        registry.register([record("late/1", "后登记")])
        run, _ = read(here, wanted)
        assert (run.number, run.pages, run.new, run.unchanged) == (1, 5, 13, 0)
        assert keys(here) == keys(registry)
        # The last page's count differs from the first's, so nobody knows what a gap would mean.
        assert run.state == "unsteady"
        assert read(here, wanted)[0].state == "complete"


def end_here(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize("place", ["_note", "_note_page", "_go_on"])
def test_a_page_is_there_whole_or_not_at_all(
    here: Registry, there: Source, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.turtle("/1", "a", "b", following="/2", total=4)
    there.turtle("/2", "c", "d", total=4)
    wanted = harvest(here, f"{there.url}/1")
    with pytest.raises(Killed):
        read(here, wanted, sleep=killed_at(1))
    before = keys(here)
    with monkeypatch.context() as patch:
        patch.setattr(entering, place, end_here)
        with pytest.raises(Killed):
            read(here, wanted)
    assert keys(here) == before == {"a", "b"}
    run, _ = read(here, wanted)
    assert (run.state, run.new, keys(here)) == ("complete", 4, {"a", "b", "c", "d"})


def test_a_run_that_stopped_long_ago_begins_anew(tmp_path: Path, there: Source) -> None:
    with province(tmp_path / "p") as opened:
        now = 1_000_000
        here = Registry(opened.database, opened._key_file, clock=lambda: now)
        there.turtle("/1", "a", following="/2")
        there.turtle("/2", "b")
        wanted = harvest(here, f"{there.url}/1")
        with pytest.raises(Killed):
            read(here, wanted, sleep=killed_at(1))
        now += 90_000
        run, _ = read(here, wanted)
        assert (run.number, run.pages, run.state) == (2, 2, "complete")
        with here.database.read() as connection:
            assert [each.state for each in runs(connection, "city")] == ["complete", "given up"]


def test_two_do_not_read_the_same_at_once(here: Registry, there: Source) -> None:
    there.turtle("/1", "a", following="/2")
    there.turtle("/2", "b")
    wanted = harvest(here, f"{there.url}/1")

    def meanwhile(_: float) -> None:
        with pytest.raises(UnavailableError, match="another process"):
            read(here, wanted)

    assert read(here, wanted, sleep=meanwhile)[0].new == 2


# ---- what is gone ------------------------------------------------------------------------------


def test_a_source_that_is_suddenly_empty_or_small_is_asked_about(
    here: Registry, there: Source
) -> None:
    names = [f"n{n}" for n in range(20)]
    there.turtle("/c", *names, total=20)
    wanted = harvest(here, f"{there.url}/c")
    read(here, wanted)
    for left in ([], names[:15]):
        there.turtle("/c", *left, total=len(left))
        run, gone = read(here, wanted)
        assert (run.state, run.withdrawn, len(gone)) == ("asks", 0, 20 - len(left))
        assert here.count() == 20
    there.turtle("/c", *names[:18], total=18)  # ten percent may go
    run, gone = read(here, wanted)
    assert (run.state, run.withdrawn, here.count()) == ("complete", 2, 18)
    there.turtle("/c", total=0)
    run, gone = read(here, wanted, withdraw=True)
    assert (run.state, run.withdrawn, len(gone), here.count()) == ("complete", 18, 18, 0)


def test_nothing_is_withdrawn_while_the_source_changes(here: Registry, there: Source) -> None:
    names = [f"n{n}" for n in range(30)]
    there.turtle("/c", *names, total=30)
    wanted = harvest(here, f"{there.url}/c")
    read(here, wanted)
    # One was taken out while it was read: another slipped from the second page onto the first.
    there.turtle("/c", *names[:10], following="/d", total=30)
    there.turtle("/d", *names[11:], total=29)
    run, gone = read(here, wanted)
    assert (run.state, [each.identifier for each in gone], here.count()) == (
        "unsteady",
        ["n10"],
        30,
    )
    there.turtle("/c", *names[:10], following="/d", total=30)
    there.turtle("/d", *names[11:], total=30)  # it says thirty, and shows twenty-nine
    assert read(here, wanted)[0].state == "unsteady"


def test_a_page_that_comes_back_is_read_anew(here: Registry, there: Source) -> None:
    """A page that was gone must not come back as unchanged: its records are withdrawn."""
    there.turtle("/c", *(f"n{n}" for n in range(20)), following="/d")
    there.turtle("/d", "last")
    status, headers, body = there.pages["/d"]  # type: ignore[misc]
    there.pages["/d"] = (status, {**headers, "ETag": '"d"'}, body)
    wanted = harvest(here, f"{there.url}/c")
    read(here, wanted)
    there.turtle("/c", *(f"n{n}" for n in range(20)))
    assert read(here, wanted)[0].withdrawn == 1
    there.turtle("/c", *(f"n{n}" for n in range(20)), following="/d")
    read(here, wanted)
    assert "if-none-match" not in there.asked[-1][1]
    assert "withdrawn" in problems_of(here)[0]


def test_a_page_with_an_unfitting_confirmation_is_read_anew(here: Registry, there: Source) -> None:
    there.turtle("/c", "a", "b")
    status, headers, body = there.pages["/c"]  # type: ignore[misc]
    there.pages["/c"] = (status, {**headers, "ETag": '"c"'}, body)
    wanted = harvest(here, f"{there.url}/c")
    read(here, wanted)

    def lies(handler: BaseHTTPRequestHandler) -> None:
        known = "if-none-match" in {name.lower() for name in handler.headers}
        handler.send_response(304 if known else 200)
        for name, value in {**headers, "Content-Length": "0" if known else str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(b"" if known else body)

    there.pages["/c"] = lies
    assert read(here, wanted)[0].confirmed == 1
    with here.database.write() as (connection, _):
        connection.exec_driver_sql("DELETE FROM harvest_records WHERE origin LIKE '%/a'")
    run, _ = read(here, wanted)
    assert (run.confirmed, run.unchanged, run.state) == (0, 2, "complete")


# ---- what cannot be taken ----------------------------------------------------------------------


def test_bad_records_are_listed_and_stop_nobody(here: Registry, there: Source) -> None:
    there.turtle("/c", "good", "later", total=3)
    status, headers, body = there.pages["/c"]  # type: ignore[misc]
    nameless = b"<https://city.test/d/bad> a <http://www.w3.org/ns/dcat#Dataset> ."
    there.pages["/c"] = (status, headers, body + nameless)
    wanted = harvest(here, f"{there.url}/c")
    run, _ = read(here, wanted)
    assert (run.state, run.new, keys(here)) == ("complete", 2, {"good", "later"})
    assert len(problems_of(here)) == 1
    # A record that becomes bad stays here as it was, and is not taken for withdrawn.
    there.turtle("/c", "good", "bad", total=3)
    _, _, body = there.pages["/c"]  # type: ignore[misc]
    spoilt = b"<https://city.test/d/later> a <http://www.w3.org/ns/dcat#Dataset> ."
    there.pages["/c"] = (status, headers, body + spoilt)
    run, gone = read(here, wanted)
    assert (run.state, gone, keys(here)) == ("complete", (), {"good", "later", "bad"})
    there.turtle("/c", "good", "later", "bad", total=3)
    read(here, wanted)
    assert problems_of(here) == []


def test_a_code_is_there_once(here: Registry, there: Source) -> None:
    there.turtle("/1", "a", following="/2")
    text = '<https://city.test/other> a dcat:Dataset ; dct:identifier "a" ; dct:title "别的" ; '
    there.turtle("/2", "b")
    status, headers, body = there.pages["/2"]  # type: ignore[misc]
    there.pages["/2"] = (status, headers, body + f"{text} dct:publisher <urn:office> .".encode())
    wanted = harvest(here, f"{there.url}/1")
    run, _ = read(here, wanted)
    assert (run.new, problems_of(here)) == (2, ["another record has the code a"])
    assert here.entry("city", "a").record.name == "数据 a"
    # The other keeps its code, also if the source gives it another name.
    there.pages["/1"] = (status, headers, body.replace(b"/d/b", b"/e/a").replace(b'"b"', b'"a"'))
    run, gone = read(here, wanted, withdraw=True)
    assert [each.identifier for each in gone] == ["b"]
    assert keys(here) == {"a"}


def test_harvested_records_are_read_only_here(
    here: Registry, there: Source, tmp_path: Path
) -> None:
    there.turtle("/c", "a")
    wanted = harvest(here, f"{there.url}/c")
    read(here, wanted)
    [mine] = here.records()
    with pytest.raises(InputError, match="harvested"):
        here.register([replace(mine, name="改了")])
    with pytest.raises(InputError, match="harvested"):
        here.register([replace(record("x/1"), source="city.district")])
    with pytest.raises(InputError, match="harvested"):
        here.withdraw("city", "a", reason="不要", who="省局")
    export_file([replace(mine, name="改了")], tmp_path / "c.json")
    assert import_file(here, tmp_path / "c.json").bad == 1
    # Whoever ends the harvest has them, or has them withdrawn.
    end(here, wanted, withdraw=False, by="", reason="")
    here.register([replace(mine, name="改了")])
    with pytest.raises(ConflictError, match="registered already"):
        harvest(here, f"{there.url}/c")
    with pytest.raises(MissingError):
        named(here.database, "city")


def test_the_end_of_a_harvest_may_withdraw_all(here: Registry, there: Source) -> None:
    there.turtle("/c", "a", "b")
    wanted = harvest(here, f"{there.url}/c")
    read(here, wanted)
    with pytest.raises(InputError):
        end(here, wanted, withdraw=True, by="", reason="")
    assert (here.count(), len(harvests(here.database))) == (2, 1)
    assert end(here, wanted, withdraw=True, by="省局", reason="停止合作") == 2
    assert (here.count(), harvests(here.database)) == (0, [])


@pytest.mark.parametrize(
    "wrong",
    [
        Harvest("local", "https://a.test/"), Harvest("A", "https://a.test/"),
        Harvest("a.b", "https://a.test/"), Harvest("a", "ftp://a.test/"),
        Harvest("a", "https://user:pass@a.test/"), Harvest("a", "https:///x"),
        Harvest("a", "https://a.test/\n"),
        Harvest("a", "https://a.test/", networks=("8.8.8.0/24",)),
        Harvest("a", "https://a.test/", networks=("0.0.0.0/0",)),
        Harvest("a", "https://a.test/", networks=("x",)),
        Harvest("a", "https://a.test/", most_withdrawn=101),
        Harvest("a", "https://a.test/", pause_ms=-1),
        Harvest("a", "https://a.test/", place="广州"), Harvest("a", "https://a.test/", place=""),
    ],
)  # fmt: skip
def test_a_harvest_that_cannot_be_is_not_kept(here: Registry, wrong: Harvest) -> None:
    with pytest.raises(InputError):
        add(here.database, wrong, 1)
    assert harvests(here.database) == []


# ---- a server that is busy, wrong, or of another kind ------------------------------------------


def test_a_busy_server_is_asked_as_late_as_it_says(here: Registry, there: Source) -> None:
    there.turtle("/c", "a")
    whole, left = there.pages["/c"], [2]

    def busy(handler: BaseHTTPRequestHandler) -> None:
        left[0] -= 1
        if left[0] == 0:
            there.pages["/c"] = whole
        handler.send_response(503)
        handler.send_header("Retry-After", "7")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    there.pages["/c"] = busy
    waits: list[float] = []
    assert read(here, harvest(here, f"{there.url}/c"), sleep=waits.append)[0].new == 1
    assert waits == [7.0, 7.0]


@pytest.mark.parametrize(
    ("status", "kind", "state"),
    [(404, InputError, "given up"), (500, UnavailableError, "failed"),
     (429, UnavailableError, "failed"), (304, InputError, "given up"),
     (204, InputError, "given up")],
)  # fmt: skip
def test_a_status_that_is_no_page(
    here: Registry, there: Source, status: int, kind: type[VeilError], state: str
) -> None:
    there.pages["/c"] = (status, {}, b"")
    wanted = harvest(here, f"{there.url}/c")
    with pytest.raises(kind, match=str(status)):
        read(here, wanted)
    assert (last(here).state, str(status) in last(here).error.en) == (state, True)


def test_what_is_no_catalog_is_said_to_be_none(here: Registry, there: Source) -> None:
    there.pages["/c"] = (200, {"Content-Type": "text/html"}, b"<html>")
    with pytest.raises(InputError, match="not RDF"):
        read(here, harvest(here, f"{there.url}/c"))
    there.pages["/api/3/action/package_search?rows=500&start=0&sort=id+asc"] = (200, {}, b"{}")
    with pytest.raises(InputError, match="not that of a CKAN"):
        read(here, harvest(here, there.url, "other", "ckan"))


# ---- CKAN --------------------------------------------------------------------------------------


def ckan_answers(there: Source, packages: list[dict[str, Any]], at_once: int) -> None:
    """What a CKAN with a smaller limit of rows answers."""
    for start in range(0, len(packages) + 1, at_once):
        result = {"count": len(packages), "results": packages[start : start + at_once]}
        body = json.dumps({"success": True, "result": result}).encode()
        path = f"/api/3/action/package_search?rows=500&start={start}&sort=id+asc"
        there.pages[path] = (200, {"Content-Type": "application/json"}, body)


@pytest.mark.parametrize("base", ["", "/", "/api/3/action"])
def test_a_ckan_that_holds_records_of_veil(here: Registry, there: Source, base: str) -> None:
    wanted = [replace(r, source="local") for r in made_up(30, 2) if r.opening.attribute != "none"]
    ckan_answers(there, [package(r) | {"id": r.identifier} for r in wanted], 10)
    run, _ = read(here, harvest(here, there.url + base, dialect="ckan"))
    known = {r.provider.code for r in wanted}
    sound = [r for r in wanted if all(not i.source or i.source in known for i in r.items)]
    assert run.state == "complete"
    assert {r.identifier for r in sound} <= keys(here)
    assert len(problems_of(here)) == len(wanted) - here.count()


def test_a_foreign_ckan(here: Registry, there: Source) -> None:
    foreign = [
        {"id": f"0000-{n}", "name": f"trees-{n}", "title": f"Trees {n}", "notes": "Every tree",
         "organization": {"name": "parks", "title": "Parks Department"},
         "resources": [{"name": "trees.csv", "format": "CSV"}], "tags": [{"name": "green"}],
         "metadata_modified": "2025-02-03T10:11:12"}
        for n in range(7)
    ]  # fmt: skip
    ckan_answers(there, [*foreign, {"id": "broken"}, {}], 4)
    run, _ = read(here, harvest(here, there.url, dialect="ckan"))
    assert (run.pages, run.new, len(problems_of(here))) == (3, 7, 2)
    assert here.entry("city", "trees-3").record.provider.name == "Parks Department"
    ckan_answers(there, foreign[1:], 4)
    run, _ = read(here, harvest_of(here))
    assert (run.state, run.withdrawn, here.count(), problems_of(here)) == ("complete", 1, 6, [])


def harvest_of(registry: Registry) -> Harvest:
    return named(registry.database, "city")


def test_progress_is_told(here: Registry, there: Source) -> None:
    there.turtle("/1", "a", following="/2", total=2)
    there.turtle("/2", "b", total=2)
    wanted = harvest(here, f"{there.url}/1")
    told: list[tuple[int, int | None]] = []
    fetch = fetcher(wanted)
    run(here, wanted, fetch, progress=lambda done, total: told.append((done, total)),
        sleep=lambda _: None)  # fmt: skip
    fetch.close()
    assert told == [(1, 2), (2, 2)]
    with here.database.read() as connection:
        assert count(connection, wanted) == 2

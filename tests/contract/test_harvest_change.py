"""A harvest gets other settings: what it brought stays its own, and nothing is lost or doubled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from catalog.cli import app
from catalog.harvest.changing import Changed, change
from catalog.harvest.ending import end
from catalog.harvest.sources import Harvest, last_run, named, problems, runs
from catalog.registry.record import Department, Item
from catalog.registry.registry import Registry
from catalog.registry.tables import DataRow
from catalog.registry.withdrawal import read_tombstone
from catalog.show.harvests import grouped
from protos.faults import ConflictError, InputError, MissingError, UnavailableError
from tests.catalog_world import LABOUR, POLICE, record
from tests.harvest_world import Source, city, harvest, province, read, source

EVIL = Department("1144030000000EVIL", "深圳市假部门", "440300")
ADDRESS = Item("户籍地址", "string", grade=2, subject="自然人")
BIRTH = Item("出生日期", "date", grade=2, subject="自然人")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Registry]:
    with province(tmp_path / "province") as registry:
        yield registry


@pytest.fixture
def there() -> Iterator[Source]:
    with source() as told:
        yield told


def to(registry: Registry, place: str) -> tuple[Harvest, Changed]:
    done = change(registry, "city", {"place": place})
    return named(registry.database, "city"), done


def keys(registry: Registry) -> set[str]:
    return {r.identifier for r in registry.records()}


def refused(registry: Registry) -> list[str]:
    with registry.database.read() as connection:
        return [each.origin.rpartition("/")[2] for each in problems(connection, "city")]


def states(registry: Registry) -> list[str]:
    with registry.database.read() as connection:
        return [each.state for each in runs(connection, "city")]


def hearsay(registry: Registry) -> dict[tuple[str, str], tuple[str, int]]:
    with registry.database.read() as connection:
        columns = (DataRow.name, DataRow.place, DataRow.provider, DataRow.hearsay)
        rows = connection.execute(select(*columns)).all()
    return {(row.name, row.place): (row.provider, row.hearsay) for row in rows}


# ---- a place -----------------------------------------------------------------------------------


def test_what_a_narrower_place_does_not_cover_goes_and_holds_nothing(
    here: Registry, tmp_path: Path
) -> None:
    told = [record(f"A/{n}", f"资源{n}") for n in range(3)]
    told.append(record("P/1", provider=POLICE, items=(ADDRESS,)))
    told.append(record("E/1", provider=EVIL, items=(ADDRESS, BIRTH)))
    theirs = record("L/1", provider=LABOUR, items=(ADDRESS,))
    with (
        city(tmp_path / "city", told) as (url, guangzhou),
        city(tmp_path / "sz", [theirs]) as (other, shenzhen),
    ):
        wanted = harvest(here, f"{url}/catalog.ttl")
        read(here, wanted)
        of_shenzhen = harvest(here, f"{other}/catalog.ttl", "sz", place="440300")
        read(here, of_shenzhen)
        [conflict] = here.conflicts()
        assert (conflict.state, conflict.holder.code) == ("open", EVIL.code)

        wanted, done = to(here, "440100")
        assert (done.fields, done.anew) == (("place",), True)
        assert [each.identifier for each in done.foreign] == ["E/1"]
        assert here.count() == 6  # nothing goes without a run
        run, gone = read(here, wanted)
        assert (run.state, run.confirmed, run.withdrawn) == ("complete", 0, 1)
        assert [(each.identifier, each.foreign) for each in gone] == [("E/1", "440300")]
        tombstone = read_tombstone(here.entry("city", "E/1").tombstone, here.key().public)
        assert "city speaks for 440100" in tombstone["reason"]
        assert refused(here) == ["urn:veil:dataset:local:E%2F1"]

        # What it claimed there is whose turn it was, or nobody's: not its, and not confirmed.
        held = hearsay(here)
        assert held["户籍地址", "440300"] == (LABOUR.code, 1)
        assert held["出生日期", "440300"] == (EVIL.code, 2)
        assert held["户籍地址", "440100"] == (POLICE.code, 1)
        [conflict] = here.conflicts()
        assert (conflict.state, [step.who for step in conflict.steps][-1]) == (
            "moved",
            "harvest city",
        )
        shenzhen.register([record("L/2", provider=LABOUR, items=(BIRTH,))])
        read(here, of_shenzhen)
        assert hearsay(here)["出生日期", "440300"] == (LABOUR.code, 1)
        assert here.entry("sz", "L/2").sources["出生日期"] == LABOUR.name
        assert [each.state for each in here.conflicts()] == ["moved", "moved"]

        # The same again changes nothing: it stays refused, and what went stays gone.
        guangzhou.register([record("A/9", "新资源")])
        run, gone = read(here, wanted)
        assert (run.state, run.new, gone) == ("complete", 1, ())


def test_what_a_wider_place_covers_gets_in(here: Registry, tmp_path: Path) -> None:
    told = [record("A/1"), record("L/1", provider=LABOUR), record("E/1", provider=EVIL)]
    with city(tmp_path / "city", told) as (url, _):
        wanted = harvest(here, f"{url}/catalog.ttl", place="440100")
        assert read(here, wanted)[0].new == 1
        with here.database.read() as connection:
            [reason] = grouped(problems(connection, "city"))  # though each names its department
        assert [EVIL.name in each.said.en for each in reason] == [True, False]
        wanted, done = to(here, "440000")
        assert (done.foreign, refused(here)) == ((), [])
        run, gone = read(here, wanted)
        assert (run.state, run.new, run.unchanged, gone) == ("complete", 2, 1, ())
    assert sorted(r.key for r in here.records()) == [("city", f"{each}/1") for each in "AEL"]
    assert refused(here) == []


def test_a_mistyped_place_costs_nothing(here: Registry, tmp_path: Path) -> None:
    with city(tmp_path / "city", [record("P/1", provider=POLICE, items=(ADDRESS,))]) as (url, _):
        wanted = harvest(here, f"{url}/catalog.ttl", place="440100")
        read(here, wanted)
        wanted, _done = to(here, "440300")
        run, gone = read(here, wanted)
        assert (run.state, run.withdrawn, len(gone), keys(here)) == ("asks", 0, 1, {"P/1"})
        wanted, done = to(here, "440100")
        assert done.foreign == ()
        run, gone = read(here, wanted)
        assert (run.state, run.unchanged, gone, refused(here)) == ("complete", 1, (), [])
        assert hearsay(here)["户籍地址", "440100"] == (POLICE.code, 1)
        # What a person has confirmed meanwhile is the catalog's own, and does not fade.
        here.register([record("own/1", provider=POLICE, items=(ADDRESS,))])
        wanted, _done = to(here, "440300")
        assert read(here, wanted, withdraw=True)[0].withdrawn == 1
        assert hearsay(here)["户籍地址", "440100"] == (POLICE.code, 0)


def test_who_does_not_say_where_it_is_from_moves_with_the_place(
    here: Registry, there: Source
) -> None:
    there.turtle("/c", "a", "b", "c")
    wanted = harvest(here, f"{there.url}/c")
    read(here, wanted)
    for place, usual in (("440100", "440100"), ("000000", "440000")):
        wanted, _done = to(here, place)
        run, gone = read(here, wanted)
        assert (run.state, run.changed, gone, refused(here)) == ("complete", 3, (), [])
        assert {r.provider.place for r in here.records()} == {usual}


# ---- an address --------------------------------------------------------------------------------


def test_a_catalog_may_move_within_its_server_and_elsewhere_if_somebody_says_so(
    here: Registry, there: Source
) -> None:
    there.turtle("/c", "a", "b")
    there.turtle("/d", "a", "b", "new")
    wanted = harvest(here, f"{there.url}/c")
    read(here, wanted)
    change(here, "city", {"url": f"{there.url}/d"})
    run, gone = read(here, named(here.database, "city"))
    assert (run.state, run.new, run.unchanged, gone) == ("complete", 1, 2, ())
    with source() as other:
        other.pages["/c"] = (200, {"Content-Type": "text/turtle"}, there.pages["/d"][2].replace(  # type: ignore[index]
            b"https://city.test/d/", b"https://moved.test/d/"))  # fmt: skip
        with pytest.raises(InputError, match="another server") as caught:
            change(here, "city", {"url": f"{other.url}/c"})
        assert "--moved" in caught.value.remedy
        change(here, "city", {"url": f"{other.url}/c"}, moved=True)
        run, gone = read(here, named(here.database, "city"))
    assert (run.state, run.new, run.unchanged, gone) == ("complete", 0, 3, ())
    assert keys(here) == {"a", "b", "new"}


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("http://a.test/c", "https://a.test/c", True),
        ("https://a.test/c", "https://A.test:443/d?limit=5", True),
        ("https://a.test/c", "http://a.test/c", False),
        ("https://a.test/c", "https://a.test:8443/c", False),
        ("https://a.test/c", "https://a.test.evil.test/c", False),
    ],
)
def test_which_server_is_the_same(here: Registry, old: str, new: str, same: bool) -> None:
    harvest(here, old)
    if same:
        assert change(here, "city", {"url": new}).fields == ("url",)
        return
    with pytest.raises(InputError, match="another server"):
        change(here, "city", {"url": new})
    assert named(here.database, "city").url == old


# ---- a run in the middle -----------------------------------------------------------------------


class Killed(BaseException):
    """As if the process had ended there."""


def stop(_: float) -> None:
    raise Killed


def test_a_half_finished_run_ends_with_its_place_and_goes_on_with_its_pause(
    here: Registry, there: Source
) -> None:
    there.turtle("/1", "a", following="/2")
    there.turtle("/2", "b")
    wanted = harvest(here, f"{there.url}/1")
    with pytest.raises(Killed):
        read(here, wanted, sleep=stop)
    done = change(here, "city", {"pause_ms": 5, "most_withdrawn": 10})
    assert (done.fields, done.given_up, done.anew) == (("pause_ms",), None, False)
    with pytest.raises(ConflictError, match="just been changed"):
        read(here, wanted)  # looked up before
    wanted, done = to(here, "440100")
    assert (done.given_up, states(here)) == (1, ["given up"])
    asked = len(there.asked)
    run, _ = read(here, wanted)
    assert (run.number, run.pages, [path for path, _ in there.asked[asked:]]) == (
        2,
        2,
        ["/1", "/2"],
    )
    assert states(here) == ["complete", "given up"]
    assert {r.provider.place for r in here.records()} == {"440100"}


def test_nothing_is_changed_or_ended_while_it_is_read(here: Registry, there: Source) -> None:
    there.turtle("/1", "a", following="/2")
    there.turtle("/2", "b")
    wanted = harvest(here, f"{there.url}/1")

    def meanwhile(_: float) -> None:
        with pytest.raises(UnavailableError, match="another process"):
            change(here, "city", {"place": "440100"})
        with pytest.raises(UnavailableError, match="another process"):
            end(here, wanted, withdraw=False, by="", reason="")

    assert read(here, wanted, sleep=meanwhile)[0].state == "complete"
    assert named(here.database, "city") == wanted


def test_settings_that_cannot_be_change_nothing(here: Registry, there: Source) -> None:
    wanted = harvest(here, f"{there.url}/1")
    for wrong in ({"place": "x"}, {"most_withdrawn": 101}, {"pause_ms": -1}, {"url": "ftp://a"},
                  {"networks": ("8.8.8.0/24",)}):  # fmt: skip
        with pytest.raises(InputError):
            change(here, "city", {"place": "440100", **wrong})
    with pytest.raises(MissingError):
        change(here, "village", {"place": "440100"})
    assert named(here.database, "city") == wanted
    assert change(here, "city", {"place": wanted.place}).fields == ()


# ---- what people see ---------------------------------------------------------------------------


def say(registry: Registry, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["harvest", *words, "--dir", str(registry.directory)])
    assert done.exit_code == code, done.output
    return done.output


def test_the_command_says_what_is_different_and_what_comes_next(
    here: Registry, there: Source
) -> None:
    there.turtle("/1", "a", following="/2")
    wanted = harvest(here, f"{there.url}/1", place="440100")
    with pytest.raises(Killed):
        read(here, wanted, sleep=stop)
    said = say(here, "change", "city", "--place", "440300", "--public-only", "--pause", "1.5")
    assert "✓ city: speaks for 440100 → 440300" in said
    assert "✓ city: may call 127.0.0.0/8 → public addresses only" in said
    assert "✓ city: pause between pages 0 s → 1.5 s" in said
    assert "Run 1 had stopped in the middle and does not go on." in said
    assert "1 of its datasets are of departments outside 440300: a." in said
    assert "reads everything again: veil catalog harvest run city" in said
    said = say(here, "change", "city", "--place", "440300")
    assert ("that is so already" in said, "✓" in said) == (True, False)
    body = json.loads(say(here, "change", "city", "--allow-private", "127.0.0.0/8", "--json"))
    assert body["changed"] == {"networks": []}
    assert body["harvest"]["networks"] == ["127.0.0.0/8"]
    assert (body["reads_everything_again"], body["given_up"]) == (False, None)
    for words in ((), ("--ca", "x.pem", "--system-ca")):
        done = CliRunner().invoke(app, ["harvest", "change", "city", *words])
        assert isinstance(done.exception, InputError)
        assert done.exception.code == "harvest.change"


def test_of_all_that_are_read_one_that_fails_stops_nobody(here: Registry, there: Source) -> None:
    sound = [f"n{n}" for n in range(3)]
    there.turtle("/good", *sound)
    status, headers, body = there.pages["/good"]  # type: ignore[misc]
    bad = b"".join(
        f"<https://city.test/d/bad{n}> a <http://www.w3.org/ns/dcat#Dataset> .\n".encode()
        for n in range(30)
    )
    there.pages["/good"] = (status, headers, body + bad)
    there.turtle("/asks", "x", "y")
    for name in ("asks", "broken", "good"):
        harvest(here, f"{there.url}/{name}", name)
    say(here, "run", "asks")
    there.turtle("/asks")
    done = CliRunner().invoke(app, ["harvest", "run", "--dir", str(here.directory)])
    assert done.exit_code == 1
    ticks = [line for line in done.stdout.splitlines() if "✓" in line]
    assert ticks == ["✓ good: 3 new, 0 changed, 0 unchanged, 0 withdrawn, 30 not taken."]
    assert "asks: 0 new, 0 changed, 0 unchanged, 0 withdrawn.\n2 would be withdrawn" in done.stdout
    assert "broken: 127.0.0.1 answers with HTTP 404" in done.stderr
    # The reason of all thirty stands once, with two of them.
    assert done.stdout.count("https://city.test/d/bad") == 2

    done = CliRunner().invoke(app, ["harvest", "run", "--dir", str(here.directory), "--json"])
    assert done.exit_code == 1
    asks, broken, good = json.loads(done.stdout)
    assert (asks["harvest"], asks["state"], len(asks["gone"])) == ("asks", "asks", 2)
    assert (broken["harvest"], broken["state"], broken["code"]) == (
        "broken", "failed", "harvest.status",
    )  # fmt: skip
    assert "404" in broken["message"]
    assert (good["state"], good["refused"], len(good["problems"])) == ("complete", 30, 30)
    with here.database.read() as connection:
        found = last_run(connection, "broken")
    assert found is not None
    assert found.error.en.startswith("127.0.0.1")  # the harvest's name is for those who read all

"""What nodes declare for the catalog: their own words only, and never the law at a node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from catalog.cli import app
from catalog.codec import dataset_digest
from catalog.dataset import Dataset
from catalog.declaration import (
    NODES,
    Declaration,
    Held,
    HeldColumn,
    declare,
    held_as,
    read_declaration,
)
from catalog.interchange.declared import DECLARATIONS, register_declared
from catalog.registry.record import Access, Item
from catalog.registry.registry import Registry, create, opened
from catalog.registry.undeclared import undeclared
from catalog.search.find import Search
from catalog.search.query import Query
from catalog.workflows.node_pins import PINS
from exchange.ports import Registration
from exchange.serving.holdings import Holdings
from protos.cards import Pins
from protos.faults import InputError, PolicyError, TrustError
from protos.identity import show_fingerprint
from protos.signing import IdentityKey
from tests.catalog_world import HEALTH, record
from tests.job_world import NOW, World
from tests.unit.test_hub import ANA, Exchange, Shelf, refused


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "nodes")
    yield made
    made.close()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    create(tmp_path / "c")
    with opened(tmp_path / "c") as found:
        yield found


def holds(world: World, name: str = "mid") -> Held:
    town = world.towns[name]
    return held_as(town.dataset, town.policy)


def declared(
    world: World, *held: Held, name: str = "mid", at: int = NOW
) -> tuple[Declaration, str]:
    key = world.people[name].key
    token = declare(key, name, held or (holds(world, name),), at)
    return read_declaration(token, name, key.public), token


def digests(world: World) -> dict[str, Dataset]:
    return {dataset_digest(world.dataset): world.dataset}


def test_a_policy_becomes_a_record_of_its_department(world: World, registry: Registry) -> None:
    found, token = declared(world)
    assert register_declared(registry, found, token, digests(world)) == 1
    entry = registry.entry("nodes", "mid/visits")
    assert entry.record.provider.code == "mid"
    uses = {item.name: item.uses for item in entry.record.items}
    policy = world.towns["mid"].policy
    assert uses == {name: column.uses for name, column in policy.columns.items()}
    assert (registry.directory / DECLARATIONS / "mid.jwt").read_text("ascii") == token
    # The same again is no new version; a narrower policy is one.
    later, again = declared(world, at=NOW + 9)
    assert register_declared(registry, later, again, digests(world)) == 0
    narrow = replace(holds(world), columns=holds(world).columns[:1])
    assert register_declared(registry, *declared(world, narrow), digests(world)) == 1
    assert len(registry.entry("nodes", "mid/visits").record.items) == 1


def test_of_sensitive_columns_the_public_learns_nothing(world: World, registry: Registry) -> None:
    columns = (HeldColumn("hiv", "boolean", 4, ()),)
    found, token = declared(world, replace(holds(world), columns=columns))
    register_declared(registry, found, token, digests(world))
    assert registry.entry("nodes", "mid/visits").record.opening.attribute == "none"


def test_a_declaration_is_its_departments_own(world: World) -> None:
    token = declare(world.people["mid"].key, "mid", [holds(world)], NOW)
    mid, east = (world.people[name].key.public for name in ("mid", "east"))
    with pytest.raises(TrustError):
        read_declaration(token, "mid", east)
    with pytest.raises(TrustError, match="another department"):
        read_declaration(token, "east", mid)
    head, body, signature = token.split(".")
    with pytest.raises(TrustError):
        read_declaration(f"{head}.{body[:-4]}AAAA.{signature}", "mid", mid)
    twice = declare(world.people["mid"].key, "mid", [holds(world)] * 2, NOW)
    with pytest.raises(TrustError, match="twice"):
        read_declaration(twice, "mid", mid)


def test_an_exchange_takes_no_declaration_under_another_key(world: World, tmp_path: Path) -> None:
    exchange = Exchange(world, tmp_path)
    caller = exchange.department("mid")
    for key, name in ((IdentityKey.generate(), "mid"), (world.people["mid"].key, "east")):
        forged = declare(key, name, [holds(world)], NOW)
        registration = Registration(world.people["mid"].card, declaration=forged)
        with pytest.raises(TrustError):
            exchange.hub.register(caller, registration)
    exchange.close()


def test_a_node_cannot_take_another_departments_code(world: World, registry: Registry) -> None:
    """A node that is enrolled under a name that the catalog knows as somebody's code."""
    registry.register([record(provider=replace(HEALTH, code="mid"))])
    refused(
        InputError, "declaration.department",
        lambda: register_declared(registry, *declared(world), digests(world)),
    )  # fmt: skip
    # The catalog's own file says that the node is this department's; then it is.
    (registry.directory / NODES).write_text('[mid]\ncode = "mid"\n', "utf-8")
    assert register_declared(registry, *declared(world), digests(world)) == 1
    (registry.directory / NODES).write_text('[mid]\nkode = "mid"\n', "utf-8")
    refused(
        InputError, "file.key",
        lambda: register_declared(registry, *declared(world), digests(world)),
    )  # fmt: skip


def test_words_of_a_node_are_judged_like_anybodys(world: World, registry: Registry) -> None:
    wrong = replace(holds(world), title="\x1b[2Jvisits")
    with pytest.raises(InputError):
        register_declared(registry, *declared(world, wrong), digests(world))
    assert registry.count() == 0
    other = replace(holds(world), dataset_digest="0" * 64)
    assert register_declared(registry, *declared(world, other), digests(world)) == 0
    assert registry.count() == 0


def test_a_node_holds_what_its_department_is_a_member_of(world: World, registry: Registry) -> None:
    """Another department's dataset under the node's name; a declared one under another name."""
    others = tuple(name for name in world.dataset.members if name != "mid")
    foreign = replace(world.dataset, members=others)
    digest = dataset_digest(foreign)
    theirs = replace(holds(world), dataset_digest=digest)
    assert register_declared(registry, *declared(world, theirs), {digest: foreign}) == 0
    renamed = replace(holds(world), name="population")
    assert register_declared(registry, *declared(world, renamed), digests(world)) == 0
    assert registry.count() == 0


def test_a_tombstone_stands_and_keeps_nothing_else_out(world: World, registry: Registry) -> None:
    register_declared(registry, *declared(world), digests(world))
    registry.withdraw("nodes", "mid/visits", reason="有误", who="数据局")
    second = replace(world.dataset, name="second")
    both = digests(world) | {dataset_digest(second): second}
    again = replace(holds(world), name="second", dataset_digest=dataset_digest(second))
    assert register_declared(registry, *declared(world, holds(world), again), both) == 1
    assert registry.entry("nodes", "mid/visits").state == "withdrawn"
    assert registry.entry("nodes", "mid/second").state == "registered"


def test_a_node_that_declares_no_longer_erases_nothing(
    world: World, registry: Registry, tmp_path: Path
) -> None:
    second = replace(world.dataset, name="second")
    known = digests(world) | {dataset_digest(second): second}
    more = replace(holds(world), name="second", dataset_digest=dataset_digest(second))
    register_declared(registry, *declared(world, holds(world), more), known)
    register_declared(registry, *declared(world, name="east"), known)
    # A name that begins as another's does is another's.
    registry.register([record(source="nodes", identifier="mid/x/visits")])

    def marked() -> list[str]:
        with registry.database.read() as connection:
            return [each.identifier for each in undeclared(connection)]

    assert marked() == []
    register_declared(registry, *declared(world, holds(world), at=NOW + 5), known)
    assert marked() == ["mid/second"]
    entry = registry.entry("nodes", "mid/second")
    assert entry.state == "registered"
    assert entry.undeclared_since is not None
    assert registry.count() == 4
    assert Search(registry.database).find(Query("")).total == 4
    # The same word again is no write; all of it gone is all of it marked, of this node alone.
    before = registry.database.revision(), entry
    register_declared(registry, *declared(world, holds(world), at=NOW + 6), known)
    assert registry.entry("nodes", "mid/second") == before[1]
    key = world.people["mid"].key
    nothing = declare(key, "mid", [], NOW + 7)
    register_declared(registry, read_declaration(nothing, "mid", key.public), nothing, known)
    assert set(marked()) == {"mid/second", "mid/visits"}
    said = " ".join(
        CliRunner().invoke(app, ["undeclared", "--dir", str(tmp_path / "c")]).output.split()
    )
    assert "veil catalog withdraw mid/second --source nodes" in said
    said = CliRunner().invoke(app, ["show", "mid/visits", "--dir", str(tmp_path / "c")]).output
    assert "no longer declares it since" in said
    # The catalog decides; what is declared again is marked no longer.
    registry.withdraw("nodes", "mid/second", reason="不再持有", who="数据局")
    register_declared(registry, *declared(world, holds(world), at=NOW + 8), known)
    assert marked() == []
    assert registry.entry("nodes", "mid/visits").undeclared_since is None


def test_the_latest_word_counts_and_a_bad_one_stops_no_other(
    world: World, registry: Registry
) -> None:
    holdings = Holdings(registry, Shelf(world.dataset))
    holdings.take(*declared(world, replace(holds(world), title="\x1b[2J"), name="east"), "a" * 64)
    holdings.take(*declared(world, replace(holds(world), title="later"), at=NOW + 5), "b" * 64)
    holdings.take(*declared(world, replace(holds(world), title="replayed"), at=NOW), "c" * 64)
    holdings.start()
    holdings.stop()
    assert registry.entry("nodes", "mid/visits").record.name == "later"
    assert registry.count() == 1


def test_a_key_that_enrolled_is_proposed_and_only_a_person_confirms_it(
    world: World, registry: Registry, tmp_path: Path
) -> None:
    """Whoever enrolled with a stolen invitation, or comes with another key, pins nothing."""
    registry.register([record(provider=replace(HEALTH, code="mid"))])
    (registry.directory / NODES).write_text('[mid]\ncode = "mid"\n', "utf-8")
    mid, thief = world.people["mid"].fingerprint, IdentityKey.generate().public.fingerprint

    def enrolled(fingerprint: str, name: str = "mid") -> None:
        holdings = Holdings(registry, Shelf(world.dataset))
        holdings.take(*declared(world, name=name), fingerprint)
        holdings.start()
        holdings.stop()

    def pin(*words: str, answer: str = "") -> tuple[int, str]:
        done = CliRunner().invoke(app, ["pin", *words, "--dir", directory], input=answer)
        return done.exit_code, done.output

    def pinned() -> str | None:
        return Pins.load(registry.directory / PINS).fingerprint_of("department", "mid")

    directory = str(registry.directory)
    assert pin("mid", answer="y\n")[0] != 0, "nothing to confirm yet"
    enrolled(mid)
    assert "not confirmed" in pin()[1]
    code, shown = pin("mid", answer="n\n")
    assert (code, show_fingerprint(mid, full=True) in " ".join(shown.split())) == (1, True)
    assert pin("mid")[0] == 1, "nobody is there to answer"
    assert pinned() is None
    assert pin("mid", answer="y\n")[0] == 0
    assert pinned() == mid
    enrolled(thief)
    assert "ANOTHER one is confirmed" in pin()[1]
    assert pin("mid", answer="y\n")[0] != 0, "a pin is changed by hand only"
    assert pinned() == mid
    (registry.directory / PINS).unlink()
    assert "another key" in pin("mid", mid)[1], "who told it is believed, and warned"
    (registry.directory / PINS).unlink()
    (registry.directory / NODES).write_text('[mid]\ncode="mid"\n[east]\ncode="mid"\n', "utf-8")
    enrolled(world.people["east"].fingerprint, "east")
    assert pin("mid", answer="y\n")[0] != 0, "of two, somebody must say which"
    assert pinned() is None


def test_a_record_that_says_more_than_the_policy_changes_nothing_at_the_node(
    world: World, registry: Registry, tmp_path: Path
) -> None:
    """The catalog is rewritten to allow everything; the nodes refuse as before."""
    for name in world.towns:
        register_declared(registry, *declared(world, name=name), digests(world))
    free = Access("unconditional")
    everything = frozenset({"join", "filter", "group", "aggregate"})
    wide = [
        replace(
            each, sharing=free, opening=free,
            items=tuple(Item(i.name, i.type, grade=1, uses=everything) for i in each.items),
        )
        for each in registry.records()
    ]  # fmt: skip
    registry.register(wide)
    exchange = Exchange(world, tmp_path)
    plan = world.plan("SELECT age, COUNT(*) AS n FROM visits GROUP BY age")
    assert exchange.run(plan)[-1].what == "failed"
    with pytest.raises(PolicyError, match="'age' may not be used to group"):
        exchange.hub.fetch(ANA, plan.job)
    assert {town.figures.asked for town in world.towns.values()} == {0}
    exchange.close()

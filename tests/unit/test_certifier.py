"""Certificates by themselves: of each fact one, whatever is killed when."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from catalog.certificates.bundle import Bundle
from catalog.certificates.evidence import Trust
from catalog.certificates.grants import issue_grant
from catalog.certificates.office_files import OfficeFiles
from catalog.certificates.records import Record
from catalog.certificates.verification import verify_bundle
from catalog.plan import Plan
from compute_nodes.rpc.delivery import Delivery
from exchange.cli import app
from exchange.coordinator.archive import DueResult
from exchange.ports import Caller
from exchange.serving import certifier as module
from protos.faults import InputError, PolicyError, TrustError, UnavailableError
from protos.signing import IdentityKey
from tests.job_world import JOB, World
from tests.unit.test_hub import ANA, Exchange, refused

KINDS = ("VeilRegistration", "VeilAuthorisation", "VeilCirculation")


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    world = World(tmp_path / "nodes", names=("east", "mid", "north"))
    exchange = Exchange(world, tmp_path)
    yield exchange
    exchange.close()
    world.close()


def counted(exchange: Exchange) -> tuple[int, ...]:
    """How many registrations, authorisations and circulations there are."""
    return tuple(len(exchange.office.listed(kind)) for kind in KINDS)


def granted(exchange: Exchange, plan: Plan, *names: str) -> str:
    """Requests a grant of every owner; these sign it."""
    world = exchange.world
    request = exchange.hub.request_grant(ANA, world.signed_request(plan))
    for name in names:
        answer(exchange, request, name, world.request(plan))
    for name in world.people:  # these nodes answer jobs only
        exchange.inbox.settle("", f"grant/{request}", name)
    return request


def answer(
    exchange: Exchange, request: str, name: str, asked: object, key: IdentityKey | None = None
) -> None:
    world = exchange.world
    signer = key or world.people[name].key
    grant = issue_grant(signer, name, asked, now=world.now)  # type: ignore[arg-type]
    body = grant.encode("ascii")
    sent = Delivery("", f"grant/{request}", 1, name, "", "grant", body)
    exchange.hub.push(exchange.department(name), sent)


def circulation(exchange: Exchange) -> Record:
    [found] = exchange.office.listed("VeilCirculation")
    return found


def test_a_noisy_result_is_certified_once_and_leads_to_its_declaration(exchange: Exchange) -> None:
    assert exchange.run(exchange.world.plan())[-1].what == "done"
    assert exchange.certifier.settle() == 2
    assert counted(exchange) == (1, 0, 1)
    [registration] = exchange.office.cited_by(circulation(exchange))
    assert registration.kind == "VeilRegistration"
    assert exchange.office.citing(registration) == [circulation(exchange)]
    assert exchange.certifier.settle() == 0


def test_grants_are_certified_as_they_come_and_a_result_leads_to_all_of_them(
    exchange: Exchange,
) -> None:
    world = exchange.world
    plan = world.exact()
    request = granted(exchange, plan, *world.people)
    assert exchange.certifier.settle() == 1 + len(world.people)
    shown = exchange.hub.grants(ANA, request)[0]["answers"]
    assert {each["certificate"] for each in shown} == {
        record.id for record in exchange.office.listed("VeilAuthorisation")
    }
    # The grants of the desk are the ones that the plan carries.
    carried = tuple(each["body"] for each in shown)
    assert exchange.run(replace(plan, grants=carried))[-1].what == "done"
    exchange.certifier.settle()
    assert counted(exchange) == (1, len(world.people), 1)
    assert len(exchange.office.cited_by(circulation(exchange))) == 1 + len(world.people)


def test_anybody_verifies_the_bundle_that_the_analyst_fetches(exchange: Exchange) -> None:
    world = exchange.world
    assert exchange.run(world.exact())[-1].what == "done"
    assert exchange.hub.certificate(ANA, JOB) == b"", "it is due"
    exchange.certifier.settle()
    content = exchange.hub.certificate(ANA, JOB)
    assert len(Bundle.from_bytes(content).linked) == 1 + len(world.people)
    policy = OfficeFiles(exchange.directory / "office").policy()
    report = verify_bundle(content, Trust(world.now, world.pins, policy))
    assert report.ok, report.failures
    bob = Caller("analyst", "bob", "f" * 64)
    refused(InputError, "job.unknown", lambda: exchange.hub.certificate(bob, JOB))


def test_a_kill_between_release_and_issue_loses_none(exchange: Exchange) -> None:
    world = exchange.world
    granted(exchange, world.exact(), "east", "mid")
    assert exchange.run(world.plan())[-1].what == "done"
    assert counted(exchange) == (0, 0, 0)
    exchange.restart()
    exchange.certifier.start()
    exchange.certifier.stop()
    assert counted(exchange) == (1, 2, 1)
    assert (exchange.archive.due_count(), exchange.desk.due_count()) == (0, 0)


def test_a_kill_between_issue_and_note_issues_nothing_twice(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    granted(exchange, exchange.world.exact(), "east")
    assert exchange.run(exchange.world.plan())[-1].what == "done"
    for part in (exchange.desk, exchange.archive):
        with monkeypatch.context() as patched:
            patched.setattr(part, "certified", killed)
            with pytest.raises(Killed):
                exchange.certifier.settle()
    assert counted(exchange) == (1, 1, 1)
    exchange.restart()
    assert exchange.certifier.settle() == 0
    assert counted(exchange) == (1, 1, 1)
    assert (exchange.archive.due_count(), exchange.desk.due_count()) == (0, 0)


def test_an_outcome_without_its_due_certificate_is_never_kept(exchange: Exchange) -> None:
    exchange.submit(exchange.world.plan())
    exchange.archive._db.execute("DROP TABLE certificate_due")
    exchange.watch(JOB)
    assert exchange.archive.outcome(JOB) is None
    exchange.archive._db.execute(
        "CREATE TABLE certificate_due (job, receipt, grants, problem DEFAULT '')"
    )


def test_a_log_that_cannot_be_written_holds_up_no_answer_until_too_much_is_due(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> list[Record]:
        raise UnavailableError("the store cannot be written")

    monkeypatch.setattr(module, "MOST_DUE", 2)
    with monkeypatch.context() as broken:
        broken.setattr(exchange.office, "issue_all", full)
        for number in range(2):
            plan = exchange.world.plan(job=f"{number:032x}")
            assert exchange.run(plan)[-1].what == "done"
            with pytest.raises(UnavailableError):
                exchange.certifier.settle()
        third = exchange.world.plan(job=f"{2:032x}")
        refused(UnavailableError, "certificate.behind", lambda: exchange.submit(third))
        assert exchange.archive.find(third.job) is None
    assert exchange.certifier.settle() == 3
    assert exchange.run(third)[-1].what == "done"


def test_what_cannot_be_certified_stops_nothing_else_and_is_named(exchange: Exchange) -> None:
    assert exchange.run(exchange.world.plan())[-1].what == "done"
    exchange.archive._db.execute(
        "INSERT INTO job VALUES ('bad', 'ana', 'visits', '', 0, 'running', NULL, NULL)"
    )
    exchange.archive.done("bad", b"", DueResult("bad", "no receipt", ()))
    exchange.certifier.settle()
    assert counted(exchange) == (1, 0, 1)
    [left] = module.waiting(exchange.archive, exchange.desk)
    assert left.about == "bad"
    assert left.problem


def test_the_operator_reads_what_is_due(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VEIL_LANG", "en")
    (exchange.directory / "card.jwt").write_text("", "ascii")
    command = ["exchange", "due", "--dir", str(exchange.directory)]
    assert "Everything has its certificate" in CliRunner().invoke(app, command).output
    granted(exchange, exchange.world.exact(), "mid")
    shown = CliRunner().invoke(app, command).output
    assert ("authorisation" in shown, "mid" in shown, "not yet its turn" in shown) == (True,) * 3


def test_a_mistake_does_not_end_certification(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def mistaken() -> int:
        failed.set()
        raise RuntimeError("a mistake")

    granted(exchange, exchange.world.exact(), "mid")
    with monkeypatch.context() as patched:
        patched.setattr(exchange.certifier, "settle", mistaken)
        exchange.certifier.start()
        assert failed.wait(5)
    exchange.certifier.wake()
    exchange.certifier.stop()
    assert counted(exchange) == (1, 1, 0)


def test_a_declaration_that_is_not_on_the_shelf_leaves_its_result_due_until_it_is(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert exchange.run(exchange.world.plan())[-1].what == "done"
    with monkeypatch.context() as patched:
        patched.setattr(exchange.certifier._shelf, "all", dict)
        assert exchange.certifier.settle() == 0
    [left] = module.waiting(exchange.archive, exchange.desk)
    assert "not registered" in left.problem
    assert exchange.certifier.settle() == 2
    assert module.waiting(exchange.archive, exchange.desk) == []


def test_a_grant_under_another_key_or_for_another_request_is_not_taken(exchange: Exchange) -> None:
    world = exchange.world
    plan = world.exact()
    request = granted(exchange, plan)
    stranger = IdentityKey.generate()
    asked = world.request(plan)
    forged = replace(
        asked,
        members=tuple(
            replace(each, fingerprint=stranger.public.fingerprint) if each.name == "mid" else each
            for each in asked.members
        ),
    )
    refused(TrustError, "grant.owner", lambda: answer(exchange, request, "mid", forged, stranger))
    others = (
        replace(asked, purpose="another"),
        replace(asked, id="d" * 32),
        replace(asked, expires_at=asked.expires_at + 1),
    )
    for other in others:
        refused(TrustError, "grant.request", lambda o=other: answer(exchange, request, "mid", o))  # type: ignore[misc]
    assert exchange.desk.due_count() == 0
    answer(exchange, request, "mid", asked)
    assert exchange.desk.due_count() == 1


def test_a_plan_with_a_grant_under_another_key_is_not_taken(exchange: Exchange) -> None:
    plan = exchange.world.exact()
    stranger = IdentityKey.generate()
    roster = tuple(
        replace(each, fingerprint=stranger.public.fingerprint) if each.name == "mid" else each
        for each in plan.roster
    )
    request = replace(exchange.world.request(plan), members=roster)
    forged = issue_grant(stranger, "mid", request, now=exchange.world.now)
    at = list(exchange.world.people).index("mid")
    grants = (*plan.grants[:at], forged, *plan.grants[at + 1 :])
    refused(TrustError, "grant.owner", lambda: exchange.submit(replace(plan, grants=grants)))


def test_the_log_has_hashes_and_nothing_that_anybody_said(exchange: Exchange) -> None:
    world = exchange.world
    plan = world.exact()
    assert exchange.run(plan)[-1].what == "done"
    exchange.certifier.settle()
    with exchange.office.db.read() as db:
        entries = [bytes(row[0]) for row in db.execute("SELECT commitment FROM log_entries")]
        nodes = [bytes(row[0]) for row in db.execute("SELECT hash FROM log_nodes")]
        notes = "".join(row[0] for row in db.execute("SELECT note FROM log_checkpoints"))
    assert {len(each) for each in entries + nodes} == {32}
    for word in (plan.statement, plan.purpose, "ana", "visits", *world.people):
        assert word not in notes


def test_decisions_are_handed_on_unread_to_those_who_have_not_answered(exchange: Exchange) -> None:
    world = exchange.world
    plan = world.exact()
    hub, token = exchange.hub, world.signed_request(plan)
    request = hub.request_grant(ANA, token)
    answer(exchange, request, "east", world.request(plan))
    for _ in range(2):  # the same file again is the same
        assert hub.request_grant(ANA, token, b'{"whatever": 1}') == request
    assert [d.kind for d in exchange.inbox.waiting("east")] == []
    [asked, decided] = exchange.inbox.waiting("mid")
    assert (asked.kind, decided.kind) == ("grant-request", "grant-decisions")
    assert decided.body.partition(b"\n")[2] == b'{"whatever": 1}'
    large = b"x" * ((256 << 10) + 1)
    refused(InputError, "grant.decisions", lambda: hub.request_grant(ANA, token, large))
    for number in range(7):  # room in bytes, whatever their number
        hub.request_grant(ANA, token, bytes([number]) * (256 << 10))
    refused(PolicyError, "grant.decisions", lambda: hub.request_grant(ANA, token, large[:-1]))

"""Attacks on workflows: steps that are not the caller's, altered histories, forged signatures."""

from __future__ import annotations

import datetime as dt
import html
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from catalog.access.accounts import Accounts
from catalog.algebra import Aggregate, ColumnRef, Compare, Constant, Measure
from catalog.certificates.grants import REQUEST_TYPE
from catalog.certificates.kinds import Registration
from catalog.certificates.office import Application, CertificateOffice
from catalog.plan import Member
from catalog.publishing import signers
from catalog.registry.record import Item
from catalog.registry.registry import opened
from catalog.web.services import services
from catalog.workflows import cases as cases_module
from catalog.workflows import outbox
from catalog.workflows.all import WORKFLOWS
from catalog.workflows.cases import Cases
from catalog.workflows.consent import Use, authorised, use
from catalog.workflows.events import unverified_event
from catalog.workflows.tables import CaseRow
from catalog.workflows.verifying import BrokenCaseError, verify_all
from protos.faults import ConflictError, PolicyError, TrustError, UnavailableError
from protos.signing import IdentityKey, unverified_claims
from tests.catalog_world import CLOSED, HEALTH, POLICE, record
from tests.certificate_world import ExactJob
from tests.workflow_world import PEOPLE, SQL, World, issuing, workflows


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with workflows(tmp_path_factory.mktemp("flows") / "c") as made:
        yield made


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    with workflows(tmp_path / "c") as made:
        yield made


# ---- steps ------------------------------------------------------------------------------------


def test_a_step_cannot_be_skipped(world: World) -> None:
    case = world.request()
    signed = world.decision(case, "chief", "approve")
    answer = world.try_("chief", case, "approve", decision=signed)
    assert answer.status_code == 400
    said = answer.json()
    assert said["title"] == (
        "the responsible department cannot approve this request for use now: it is submitted"
    )
    assert "review (the responsible department)" in said["detail"]
    assert world.code("li", case, "grant", grants=["x"]) == (400, "case.step")
    assert world.state(case) == "submitted"


def test_another_s_case_looks_like_none(world: World) -> None:
    case, absent = world.request(), "requests/" + "0" * 16
    count = world.get("police", "requests")["total"]
    for who in ("wu", "police", "broker", "citizen"):
        for path in ("", "/events", "/decisions", "/circulations"):
            real = world.call(who, "GET", case + path)
            none = world.call(who, "GET", absent + path)
            assert (real.status_code, real.json()) == (none.status_code, none.json())
    assert count == 0
    assert world.get("wu", "requests")["total"] == 0
    signed = world.decision(case, "steward", "approve", by="police", department=POLICE.code)
    body = {"revision": 1, "decision": signed}
    real = world.call("police", "POST", f"{case}/review", body)
    none = world.call("police", "POST", f"{absent}/review", body)
    assert (real.status_code, real.json()) == (404, none.json())
    # A cursor tells nothing of it either.
    cursor = world.call("police", "GET", "requests", cursor=case.partition("/")[2])
    assert cursor.json()["code"] == "case.cursor"


def test_who_asks_does_not_decide(world: World) -> None:
    # An officer of another department owns the case, which is no office in this one.
    case = world.request("both")
    signed = world.decision(case, "steward", "approve")
    assert world.code("both", case, "review", decision=signed) == (403, "access.refused")
    # An officer of this department is another's applicant here.
    case = world.request("self")
    signed = world.decision(case, "steward", "approve")
    assert world.code("self", case, "review", decision=signed) == (403, "case.four_eyes")


def test_who_reviewed_does_not_approve(world: World) -> None:
    case = world.request()
    signed = world.decision(case, "steward", "approve")
    world.act("self", case, "review", decision=signed)
    signed = world.decision(case, "chief", "approve")
    assert world.code("self", case, "approve", decision=signed) == (403, "case.four_eyes")
    assert world.act("chief", case, "approve", decision=signed)["state"] == "approved"


def test_a_narrow_key_takes_no_step(world: World) -> None:
    case = world.demand()
    assert world.code("narrow", case, "accept") == (403, "access.refused")
    assert world.call("", "POST", "demands", {}).status_code == 401


def test_two_stewards_at_once_are_one_step_and_one_conflict(fresh: World) -> None:
    case = fresh.request()
    signed = [fresh.decision(case, "steward", "approve") for _ in range(2)]
    answers = at_once(
        lambda: fresh.call("steward", "POST", f"{case}/review",
                           {"revision": 1, "decision": signed[0]}),
        lambda: fresh.call("steward2", "POST", f"{case}/review",
                           {"revision": 1, "decision": signed[1]}),
    )  # fmt: skip
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert [e["step"] for e in fresh.get("auditor", f"{case}/events")["events"]] == [
        "submit", "review",
    ]  # fmt: skip


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    barrier, done = threading.Barrier(len(calls)), []

    def run(call: Callable[[], Any]) -> None:
        barrier.wait()
        done.append(call())

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def test_an_objection_after_the_last_day_is_none(fresh: World) -> None:
    case = fresh.noticed()
    fresh.clock.days(15)  # ten working days from a Thursday
    assert fresh.code("citizen", case, "object", reasons="迟到") == (400, "case.late")
    fresh.act("admin", case, "register")


# ---- officers' signatures ---------------------------------------------------------------------


def test_a_decision_serves_for_nothing_else(world: World) -> None:
    case, other = world.request(), world.request()
    old = dt.datetime.fromtimestamp(world.clock.now - 86_400, dt.UTC)
    wrong = {
        "another case": world.decision(other, "steward", "approve"),
        "another office": world.decision(case, "chief", "approve"),
        "another verdict": world.decision(case, "steward", "refuse", reasons="x"),
        "another department": world.decision(case, "steward", "approve", department=POLICE.code),
        "over": world.decision(case, "steward", "approve", now=old, valid_days=1),
        "not signed": world.decision(case, "steward", "approve").replace("approve", "approvE"),
    }
    for name, signed in wrong.items():
        status, code = world.code("steward", case, "review", decision=signed)
        assert (status, code) in {(403, "case.decision"), (403, "decision.invalid")}, name
    for by in ("stranger", "chief", "police"):
        signed = world.decision(case, "steward", "approve", by=by)
        assert world.code("steward", case, "review", decision=signed) == (403, "case.officer")
    assert world.revision(case) == 1


def test_officers_see_what_is_computed_and_not_only_what_the_analyst_writes(world: World) -> None:
    """Harmless SQL beside a signed request that adds up something else."""
    other = Aggregate("visits", None, (), (Measure("sum", ColumnRef("income")),))
    token = world.grant_request(aggregate=other)
    case = world.request(statements=[{"sql": SQL, "grant_request": token}])
    [said] = world.get("steward", case)["computed"]
    assert said == "SELECT SUM(income) FROM visits [health → li]"
    page = world.client.get(f"/en/workbench/{case}", headers={"X-As": "chief"}).text
    assert page.index("SELECT SUM(income) FROM visits") < page.index(html.escape(SQL))


def test_a_statement_stays_within_what_its_case_names(fresh: World) -> None:
    items = (Item("age", "integer", grade=3), Item("income", "integer", grade=4))
    held = record("health/visits", source="nodes", items=items, opening=CLOSED)
    fresh.registry.register([held])
    said = fresh.asked()
    answer = fresh.call("li", "POST", "requests", said)
    assert (answer.status_code, answer.json()["code"]) == (400, "case.statement")
    assert "nodes:health/visits" in answer.json()["title"]
    where = Compare(">", ColumnRef("income"), Constant(1, "integer"))
    token = fresh.grant_request(aggregate=Aggregate("visits", where, (), (Measure("rows"),)))
    said |= {
        "datasets": [{"source": "nodes", "identifier": "health/visits"}], "columns": ["age"],
        "statements": [{"sql": SQL, "grant_request": token}],
    }  # fmt: skip
    answer = fresh.call("li", "POST", "requests", said)
    assert answer.json()["code"] == "case.statement"
    assert "income" in answer.json()["title"]
    assert fresh.call("li", "POST", "requests", said | {"columns": ["income"]}).status_code == 201
    token = fresh.grant_request(dataset="births")
    said["statements"] = [{"sql": SQL, "grant_request": token}]
    assert "two datasets" in fresh.call("li", "POST", "requests", said).json()["title"]


def test_an_officer_who_left_decides_no_more(fresh: World) -> None:
    case = fresh.request()
    signed = fresh.decision(case, "steward", "approve")
    with fresh.registry.database.read() as connection:
        [steward] = [
            s for s in signers.signers(connection, department=HEALTH.code) if s.role == "steward"
        ]
    signers.remove(fresh.registry, steward.number, by="数据局", reason="调离")
    assert fresh.code("steward", case, "review", decision=signed) == (403, "case.officer")


def test_reasons_stand_in_what_was_signed(world: World) -> None:
    case = world.demand()
    signed = world.decision(case, "steward", "refuse", reasons="一\r\n伪造: 二\x1b[2J")
    assert world.code("steward", case, "refuse", decision=signed) == (400, "case.field")
    signed = world.decision(case, "steward", "refuse", reasons="含个人信息")
    body = {"decision": signed, "reasons": "另一理由"}
    assert world.code("steward", case, "refuse", **body) == (422, "request.malformed")


def test_an_early_no_does_not_undo_a_later_yes_of_the_same_hand(world: World) -> None:
    """A refusal and a revocation are the same word; one was signed and never handed in."""
    case = world.request()
    world.act("steward", case, "review", decision=world.decision(case, "steward", "approve"))
    early = world.decision(case, "chief", "refuse", reasons="先不同意")
    world.clock.now += 60
    world.act("chief", case, "approve", decision=world.decision(case, "chief", "approve"))
    assert world.code("chief", case, "revoke", decision=early) == (403, "case.decision")
    world.clock.now += 60
    later = world.decision(case, "chief", "refuse", reasons="有新情况")
    world.act("chief", case, "revoke", decision=later)


def test_a_signed_request_writes_no_lines_about_who_computes(world: World) -> None:
    """Officers read the names behind what is computed, so they are names."""
    member = Member("health → li]\nNodes compute: nothing [health", world.node.public.fingerprint)
    forged = world.grant_request(members=(member,))
    asked = world.asked(statements=[{"sql": SQL, "grant_request": forged}])
    answer = world.call("li", "POST", "requests", asked)
    assert (answer.status_code, answer.json()["code"]) == (403, "grant.invalid")


def test_a_signed_request_ends_on_a_day_that_there_is(world: World) -> None:
    """Else whoever compares or shows the day makes a mistake of ours of it."""
    soon = world.clock.now + 86_400
    for times in ({"expires_at": 253_402_300_800}, {"expires_at": 2**53 - 1},
                  {"issued_at": soon, "expires_at": soon - 1}, {"issued_at": -1}):  # fmt: skip
        plain = unverified_claims(world.grant_request()) | times
        plain |= {"iat": plain["issued_at"], "exp": plain["expires_at"]}
        statement = {"sql": SQL, "grant_request": world.analyst.sign(REQUEST_TYPE, plain)}
        answer = world.call("li", "POST", "requests", world.asked(statements=[statement]))
        assert (answer.status_code, answer.json()["code"]) == (403, "grant.invalid"), times


# ---- grants -----------------------------------------------------------------------------------


def test_a_grant_is_signed_by_the_department_s_own_key(world: World) -> None:
    case = world.approved()
    asked = world.get("li", case)["said"]["statements"][0]["grant_request"]
    mine, theirs = world.grant(asked), world.grant(asked, IdentityKey.generate())
    assert world.code("li", case, "grant", grants=[theirs]) == (403, "case.grant_key")
    other = world.grant(world.grant_request("SELECT COUNT(*) FROM visits WHERE 1 = 1"))
    assert world.code("li", case, "grant", grants=[other]) == (400, "case.grant_other")
    assert world.code("li", case, "grant", grants=[mine, mine]) == (400, "case.grant_other")
    assert world.code("li", case, "grant", grants=[mine[:-2] + "AA"])[0] == 403
    world.clock.now += 86_400 * 40
    assert world.code("li", case, "grant", grants=[mine]) == (400, "case.grant_expired")
    world.clock.now -= 86_400 * 40
    assert world.state(case) == "approved"
    assert world.code("wu", case, "grant", grants=[mine]) == (404, "case.unknown")


def test_a_grant_says_what_was_approved(world: World) -> None:
    """The department's own key, the right id, and another statement."""
    case = world.approved()
    request = world.get("li", case)["said"]["statements"][0]["grant_request"]
    other = world.grant_request("SELECT MAX(age) FROM visits", id=_id_of(request))
    assert world.code("li", case, "grant", grants=[world.grant(other)]) == (403, "grant.request")


def _id_of(token: str) -> str:
    return str(unverified_claims(token)["id"])


# ---- what was done ----------------------------------------------------------------------------


def three_events(world: World) -> str:
    case = world.demand()
    world.act("steward", case, "accept")
    world.act("steward", case, "return", reasons="请补充")
    return case.partition("/")[2]


def rewritten(world: World, *statements: str, **values: object) -> None:
    with world.registry.database.write() as (connection, _):
        for statement in statements:
            connection.execute(text(statement), values)


def broken(world: World) -> int:
    with pytest.raises(BrokenCaseError) as raised:
        verify_all(world.registry, world.office, WORKFLOWS)
    return raised.value.number


def test_an_event_that_was_altered_is_named(fresh: World) -> None:
    case = three_events(fresh)
    with fresh.registry.database.read() as connection:
        said = 'SELECT token FROM case_events WHERE "case" = :case AND number = 2'
        token = connection.execute(text(said), {"case": case}).scalar_one()
    forged = replace(unverified_event(token), by="somebody").signed(IdentityKey.generate())
    rewritten(fresh, 'UPDATE case_events SET token = :token WHERE "case" = :case AND number = 2',
              token=forged, case=case)  # fmt: skip
    assert broken(fresh) == 2


def test_whoever_has_the_catalog_s_key_is_found_by_the_chain_and_the_log(fresh: World) -> None:
    case = three_events(fresh)
    for number, wanted in ((2, 3), (3, 4)):  # the next one does not follow; the row differs
        fresh.clock.now += 1
        with fresh.registry.database.read() as connection:
            said = 'SELECT token FROM case_events WHERE "case" = :case AND number = :n'
            token = connection.execute(text(said), {"case": case, "n": number}).scalar_one()
        forged = replace(unverified_event(token), by="somebody").signed(fresh.registry.key())
        change = 'UPDATE case_events SET token = :t WHERE "case" = :case AND number = :n'
        rewritten(fresh, change, t=forged, case=case, n=number)
        assert broken(fresh) == wanted
        rewritten(fresh, change, t=token, case=case, n=number)
    # The last event and the row together: only the log is left to say so.
    event = replace(unverified_event(token), fields={"reasons": "另一理由"})
    rewritten(fresh, change, t=event.signed(fresh.registry.key()), case=case, n=3)
    rewritten(fresh, "UPDATE cases SET head = :head WHERE id = :case", head=event.digest, case=case)
    assert broken(fresh) == 3


def test_events_that_were_cut_or_reordered_are_named(fresh: World) -> None:
    case = three_events(fresh)
    assert verify_all(fresh.registry, fresh.office, WORKFLOWS) == 3
    swap = 'UPDATE case_events SET number = :b WHERE "case" = :case AND number = :a'
    for a, b in ((2, 9), (3, 2), (9, 3)):
        rewritten(fresh, swap, case=case, a=a, b=b)
    assert broken(fresh) == 2
    for a, b in ((3, 9), (2, 3), (9, 2)):
        rewritten(fresh, swap, case=case, a=a, b=b)
    rewritten(fresh, "UPDATE cases SET owner = 'eve' WHERE id = :case", case=case)
    assert broken(fresh) == 4
    rewritten(fresh, "UPDATE cases SET owner = 'citizen' WHERE id = :case", case=case)
    rewritten(fresh, 'DELETE FROM case_events WHERE "case" = :case AND number = 3', case=case)
    assert broken(fresh) == 3
    rewritten(fresh, 'DELETE FROM case_events WHERE "case" = :case', case=case)
    assert broken(fresh) == 1


def test_a_case_that_vanished_whole_is_missed_by_the_log(fresh: World) -> None:
    case = three_events(fresh)
    rewritten(fresh, 'DELETE FROM case_events WHERE "case" = :case',
              "DELETE FROM cases WHERE id = :case", case=case)  # fmt: skip
    with pytest.raises(TrustError) as raised:
        verify_all(fresh.registry, fresh.office, WORKFLOWS)
    assert raised.value.code == "case.cut"
    assert "entry 0 of the log" in raised.value.message


def test_the_log_learns_nothing_of_a_case(fresh: World) -> None:
    world = fresh
    world.demand(title="张三的床位")
    world.demand(title="张三的床位")
    entries = [entry for _, entry in world.office.noted()]
    assert len(set(entries)) == 2
    assert {len(entry) for entry in entries} == {32}


# ---- killed on the way ------------------------------------------------------------------------

KILLED = """
import os, sys
from pathlib import Path
from catalog.access.principal import Principal
from catalog.certificates.office import CertificateOffice
from catalog.certificates.office_files import OfficeFiles
from catalog.certificates.open_office import OpenOffice
from catalog.registry.registry import opened
from catalog.workflows.cases import Cases, Wanted
from catalog.workflows.demands import DEMANDS

noting = CertificateOffice.note_down

def killed(office, commitments):
    if when == "after":
        noting(office, commitments)
    os._exit(9)

CertificateOffice.note_down = killed
for when, place in zip(("before", "after"), sys.argv[2:], strict=True):
    if os.fork() == 0:
        directory = Path(place)
        with opened(directory) as registry:
            files = OfficeFiles(directory / "office")
            office = OpenOffice(files.office(lambda: 1_800_000_000.0), files)
            said = {"title": "x", "text": "x", "department": sys.argv[1]}
            Cases(registry, office, (DEMANDS,)).open(DEMANDS, Principal("li"), Wanted(said))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 9
"""


def test_a_kill_between_event_and_log_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    places = [tmp_path / "before", tmp_path / "after"]
    for directory in places:
        with workflows(directory) as made:
            made.demand()
    words = [sys.executable, "-c", KILLED, HEALTH.code, *map(str, places)]
    subprocess.run(words, check=True)
    for directory in (*places, *places):
        with (
            issuing(directory) as office,
            services(directory, public=False, office=office) as found,
        ):
            assert office is not None
            assert [index for index, _ in office.book.noted()] == [0, 1]
            with found.registry.database.read() as connection:
                rows = connection.execute(text("SELECT entry FROM case_events ORDER BY sequence"))
                assert [row.entry for row in rows] == [0, 1]
            assert verify_all(found.registry, office.book, WORKFLOWS) == 2


def test_a_log_that_cannot_be_written_stops_no_case(
    fresh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> list[int]:
        raise UnavailableError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(CertificateOffice, "note_down", full)
        case = fresh.demand()
        [event] = fresh.get("citizen", f"{case}/events")["events"]
        assert (event["entry"], event["proof"]) == (None, "")
    fresh.act("steward", case, "accept")
    assert [e["entry"] for e in fresh.get("citizen", f"{case}/events")["events"]] == [0, 1]


def test_an_effect_that_fails_holds_up_no_other_event(
    fresh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise UnavailableError("no certificates today")

    case = fresh.noticed()
    fresh.clock.days(15)
    with monkeypatch.context() as patch:
        patch.setitem(outbox.EFFECTS, ("assets", "register"), failing)
        fresh.act("admin", case, "register")
        other = fresh.demand()
        assert fresh.get("citizen", f"{other}/events")["events"][0]["entry"] is not None
        assert fresh.get("", f"{case}/certificate") == {"certificate": None}
    fresh.services.cases.settle()
    assert fresh.get("", f"{case}/certificate")["certificate"]["id"].startswith("urn:uuid:")
    fresh.services.cases.settle()
    assert len(fresh.office.listed("VeilRegistration")) == 1


# ---- texts ------------------------------------------------------------------------------------


def test_texts_of_users_are_text_and_no_more(world: World) -> None:
    bad = '<script>alert(1)</script>=HYPERLINK("http://x")\'; DROP TABLE cases;--'
    case = world.demand(title=bad, text=bad)
    answer = world.call("citizen", "GET", case)
    assert answer.json()["title"] == bad
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    for field, value in (("title", "a\r\nX: y"), ("text", "\x00"), ("title", "\u202e")):
        said = {"title": "x", "text": "x", "department": HEALTH.code, field: value}
        answer = world.call("citizen", "POST", "demands", said)
        assert (answer.status_code, answer.json()["code"]) == (400, "case.field")
    raw = json.dumps({"title": "\ud800", "text": "x", "department": HEALTH.code})
    answer = world.client.post(
        "/api/demands", content=raw, headers={"X-As": "citizen", "Content-Type": "application/json"}
    )
    assert answer.status_code in {400, 422}  # fmt: skip


def test_a_body_without_an_end_is_not_read_to_its_end(world: World) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 64 << 20:
            sent += 1 << 20
            yield b" " * (1 << 20)

    for who in ("", "citizen"):  # FastAPI reads a body before anybody is asked for a login
        sent = 0
        answer = world.client.post("/api/demands", content=endless(), headers={"X-As": who})
        assert (answer.status_code, answer.json()["code"]) == (413, "http.413")
        announced = {"X-As": who, "Content-Length": str(9 << 20)}
        answer = world.client.post("/api/demands", content=b"{}", headers=announced)
        assert answer.status_code == 413


def test_a_notice_names_no_closed_dataset(fresh: World) -> None:
    case = fresh.noticed("YL/closed")
    assert fresh.get("", case)["said"]["datasets"] == []
    assert fresh.get("admin", case)["said"]["datasets"][0]["identifier"] == "YL/closed"
    assert fresh.get("citizen", "assets", source="local", identifier="YL/closed")["total"] == 0
    assert fresh.get("citizen", "assets")["total"] == 1
    for who in ("", "citizen"):
        assert fresh.call(who, "GET", f"{case}/events").status_code == 404
        assert "owner" not in fresh.get(who, case)


# ---- data subjects ----------------------------------------------------------------------------

LOOKUP = Use("li", ("local", "YL/closed"), "lookup", "看病就医")


def authorisation(world: World, **more: object) -> str:
    said: dict[str, Any] = {
        "title": "就诊查询", "recipient": "li", "operation": "lookup", "purpose": "看病就医",
        "datasets": [{"source": "local", "identifier": "YL/closed"}],
        "until": world.until, "times": 1,
    }  # fmt: skip
    return f"authorisations/{world.open('citizen', 'authorisations', **said | more)}"


def test_one_subject_s_data_is_not_used_without_its_authorisation(fresh: World) -> None:
    cases, subject = fresh.services.cases, PEOPLE["citizen"].subject
    assert not authorised(cases, subject, LOOKUP)
    with pytest.raises(PolicyError) as raised:
        use(cases, subject, LOOKUP, "job-0")
    assert raised.value.code == "consent.missing"
    case = authorisation(fresh)
    assert authorised(cases, subject, LOOKUP)
    for other in (
        replace(LOOKUP, recipient="wu"), replace(LOOKUP, operation="score"),
        replace(LOOKUP, purpose="营销"), replace(LOOKUP, dataset=("local", "YL/1")),
    ):  # fmt: skip
        assert not authorised(cases, subject, other)
    assert not authorised(cases, "440103198001011234", LOOKUP)
    assert not authorised(cases, "", LOOKUP)
    fresh.act("citizen", case, "withdraw")
    assert not authorised(cases, subject, LOOKUP)


@pytest.mark.parametrize("change", [{"enabled": False}, {"subject": "440103198001011234"}])
def test_an_account_that_was_shut_out_or_linked_by_mistake_authorises_nothing_more(
    fresh: World, change: dict[str, object]
) -> None:
    cases, subject = fresh.services.cases, PEOPLE["citizen"].subject
    case = authorisation(fresh)
    accounts = Accounts(fresh.registry.database, fresh.clock)
    accounts.change("citizen", change)
    assert not authorised(cases, subject, LOOKUP)
    with pytest.raises(PolicyError) as raised:
        use(cases, subject, LOOKUP, "job-1")
    assert raised.value.code == "consent.missing"
    # Nor at the last moment, in the transaction that notes the use.
    assert fresh.code("admin", case, "use", **USED) == (400, "case.subject")
    accounts.change("citizen", {"enabled": True, "subject": subject})
    assert authorised(cases, subject, LOOKUP)


def test_an_authorisation_for_one_use_serves_once_also_at_the_same_moment(fresh: World) -> None:
    case, cases, subject = authorisation(fresh), fresh.services.cases, PEOPLE["citizen"].subject

    def attempt(name: str) -> Callable[[], str]:
        def call() -> str:
            try:
                return use(cases, subject, LOOKUP, name).state
            except PolicyError as error:
                return error.code

        return call

    assert sorted(at_once(attempt("job-1"), attempt("job-2"))) == ["consent.missing", "spent"]
    events = fresh.get("citizen", f"{case}/events")["events"]
    assert [event["step"] for event in events] == ["give", "use"]
    assert all(event["proof"] for event in events)
    assert fresh.call("other", "GET", case).status_code == 404


USED = {"operation": "lookup", "purpose": "看病就医", "reference": "job-1"}


def test_whoever_may_use_a_person_s_data_says_so_first_and_only_within_its_words(
    fresh: World,
) -> None:
    case = authorisation(fresh, times=3)
    # Somebody else's authorisation looks like none; the subject does not use it for others.
    for stranger in ("wu", "steward", "police", "other"):
        assert fresh.code(stranger, case, "use", **USED) == (404, "case.unknown")
    assert fresh.code("citizen", case, "use", **USED) == (403, "access.refused")
    for more, code in (
        ({"purpose": "营销"}, "case.purpose"), ({"operation": "score"}, "case.operation"),
        ({"reference": "urn:uuid:" + "0" * 8 + "-0000-4000-8000-" + "0" * 12}, "case.circulation"),
        ({"reference": "urn:uuid:"}, "case.circulation"),
    ):  # fmt: skip
        assert fresh.code("li", case, "use", **USED | more) == (400, code)
    assert fresh.act("li", case, "use", **USED)["state"] == "active"
    assert fresh.code("li", case, "use", **USED) == (409, "case.replayed")
    with pytest.raises(ConflictError):
        use(fresh.services.cases, PEOPLE["citizen"].subject, LOOKUP, "job-1")
    page = fresh.get("citizen", "authorisations/uses")
    assert [(each["by"], each["fields"]) for each in page["uses"]] == [("li", USED)]
    assert all(each["proof"] for each in page["uses"])
    # After the last day, and after withdrawal, whatever the number.
    late = fresh.clock.now + 201 * 86_400
    now, fresh.clock.now = fresh.clock.now, late
    assert fresh.code("li", case, "use", **USED | {"reference": "job-2"}) == (400, "case.until")
    fresh.clock.now = now
    fresh.act("citizen", case, "withdraw")
    assert fresh.code("li", case, "use", **USED | {"reference": "job-2"}) == (400, "case.step")


def test_the_department_that_releases_the_data_must_be_its_provider(fresh: World) -> None:
    case = authorisation(fresh, department=HEALTH.code)
    assert fresh.code("police", case, "use", **USED) == (404, "case.unknown")
    assert fresh.act("operator", case, "use", **USED)["state"] == "spent"
    assert fresh.code("li", case, "use", **USED | {"reference": "2"}) == (400, "case.step")
    # Being named is not enough, neither for data of others nor for what is not there.
    for code in ("YL/closed", "YL/absent"):
        named = authorisation(
            fresh, department=POLICE.code, datasets=[{"source": "local", "identifier": code}]
        )
        assert fresh.code("police", named, "use", **USED) == (400, "case.provider")
    absent = fresh.call("citizen", "POST", "authorisations", {
        "title": "x", "recipient": "li", "operation": "lookup", "purpose": "x",
        "until": fresh.until, "times": 1, "department": "nobody",
        "datasets": [{"source": "local", "identifier": "YL/1"}],
    })  # fmt: skip
    assert absent.json()["code"] == "case.department"


def test_a_subject_sees_every_use_with_its_proof_and_nobody_else_s(fresh: World) -> None:
    authorisation(fresh, times=5)
    cases, subject = fresh.services.cases, PEOPLE["citizen"].subject
    for number in range(3):
        use(cases, subject, LOOKUP, f"job-{number}")
    page = fresh.get("citizen", "authorisations/uses", limit=2)
    assert [each["fields"]["reference"] for each in page["uses"]] == ["job-2", "job-1"]
    assert all(each["proof"] for each in page["uses"])
    rest = fresh.get("citizen", "authorisations/uses", cursor=page["cursor"])
    assert [each["fields"]["reference"] for each in rest["uses"]] == ["job-0"]
    assert fresh.get("li", "authorisations/uses")["uses"] == []
    stolen = fresh.call("li", "GET", "authorisations/uses", cursor=page["cursor"])
    assert stolen.json()["code"] == "case.cursor"


def test_nobody_fills_the_catalog_with_cases(fresh: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases_module, "MOST_A_DAY", 2)
    monkeypatch.setattr(cases_module, "MOST_EVENTS", 3)
    case = fresh.demand()
    fresh.demand()
    said = {"title": "x", "text": "x", "department": HEALTH.code}
    answer = fresh.call("citizen", "POST", "demands", said)
    assert (answer.status_code, answer.json()["code"]) == (429, "case.many")
    fresh.act("steward", case, "return", reasons="x")
    fresh.act("citizen", case, "resubmit", title="x", text="x")
    assert fresh.code("steward", case, "return", reasons="x") == (429, "case.long")
    assert fresh.act("citizen", case, "withdraw")["state"] == "withdrawn"  # an end is always there
    fresh.clock.days(1)
    fresh.clock.now += 1
    fresh.demand()


def test_an_officer_who_was_in_no_office_is_found_afterwards(fresh: World) -> None:
    case = fresh.request()
    signed = fresh.decision(case, "steward", "approve")
    fresh.act("steward", case, "review", decision=signed)
    rewritten(fresh, "UPDATE signers SET valid_from = valid_from + 10 WHERE role = 'steward'")
    assert broken(fresh) == 2


def test_a_subject_s_last_day_counts_and_nobody_gives_for_another(fresh: World) -> None:
    authorisation(fresh, until="2026-11-26", times=9)
    cases, subject = fresh.services.cases, PEOPLE["citizen"].subject
    assert authorised(cases, subject, LOOKUP)
    fresh.clock.days(1)
    assert not authorised(cases, subject, LOOKUP)
    answer = fresh.call("other", "POST", "authorisations", {
        "title": "x", "recipient": "li", "operation": "lookup", "purpose": "x",
        "until": fresh.until,
        "datasets": [{"source": "local", "identifier": "YL/1"}], "times": 1,
    })  # fmt: skip
    assert answer.json()["code"] == "case.subject"


# ---- the market -------------------------------------------------------------------------------


def test_one_circulation_certificate_proves_one_delivery(fresh: World) -> None:
    office = fresh.office
    registration = office.issue(
        Application(Registration("visits", "Visits", ("health",), "d" * 64, "L3"))
    )
    owners = {"health": fresh.node}
    job = ExactJob(IdentityKey.generate(), owners, at=fresh.clock.now, mode="adhoc")
    receipt = str(job.document()["receipt"])
    proof = office.issue(Application.of_receipt(receipt, (registration.urn,), ()))
    fresh.licensed()
    order = {"product": fresh.product().partition("/")[2], "purpose": "研究"}
    cases = [f"orders/{fresh.open('li', 'orders', **order)}" for _ in range(2)]
    for case in cases:
        fresh.act("broker", case, "accept")
    wrong = fresh.code("broker", cases[0], "deliver", circulation=registration.urn)
    assert wrong == (400, "case.circulation")
    fresh.act("broker", cases[0], "deliver", circulation=proof.urn)
    again = fresh.code("broker", cases[1], "deliver", circulation=proof.id)
    assert again == (409, "case.replayed")
    office.change(proof.id, "revocation", "误发")
    assert fresh.code("broker", cases[1], "deliver", circulation=proof.id)[1] == "case.circulation"


def test_a_delivery_is_proved_by_no_certificate_that_lies_about(fresh: World) -> None:
    """All certificates are public: an old one, or one of other data, is anybody's to name."""
    office, owners = fresh.office, {"health": fresh.node}
    registered = office.issue(
        Application(Registration("visits", "Visits", ("health",), "d" * 64, "L3"))
    )

    def result() -> str:
        job = ExactJob(IdentityKey.generate(), owners, at=fresh.clock.now, mode="adhoc")
        receipt = str(job.document()["receipt"])
        return office.issue(Application.of_receipt(receipt, (registered.urn,), ())).urn

    fresh.licensed()
    old, fresh.clock.now = result(), int(time.time()) + 60
    order = {"product": fresh.product().partition("/")[2], "purpose": "研究"}
    case = f"orders/{fresh.open('li', 'orders', **order)}"
    fresh.act("broker", case, "accept")
    assert fresh.code("broker", case, "deliver", circulation=old)[1] == "case.circulation_other"
    with fresh.registry.database.write() as (db, _):  # as if it was placed before
        db.execute(update(CaseRow).values(opened_at=fresh.clock.now - 3600))
    visits = record("health/visits", source="nodes")
    fresh.registry.register([visits])
    assert fresh.code("broker", case, "deliver", circulation=old)[1] == "case.circulation_other"
    fresh.registry.withdraw("nodes", "health/visits", reason="错", who="我")
    fresh.act("broker", case, "deliver", circulation=old)


def test_a_licence_that_is_over_lists_nothing(fresh: World) -> None:
    fresh.licensed()
    product = fresh.product()
    order = {"product": product.partition("/")[2], "purpose": "研究"}
    placed = f"orders/{fresh.open('li', 'orders', **order)}"
    assert fresh.get("", "products")["total"] == 1
    assert fresh.get("broker", product)["on_market"]
    fresh.clock.days(200)  # the last day itself
    assert fresh.get("", product)["state"] == "listed"
    fresh.clock.days(1)
    # Off the market by the clock alone, in lists, counts and addresses alike.
    assert fresh.get("", "products") == {"total": 0, "cases": [], "cursor": ""}
    for who in ("", "li", "broker2"):
        assert fresh.call(who, "GET", product).status_code == 404
    assert not fresh.get("broker", product)["on_market"]
    assert fresh.code("broker", placed, "accept") == (400, "case.unlicensed")
    assert verify_all(fresh.registry, fresh.services.cases.book, WORKFLOWS)
    assert fresh.call("li", "POST", "orders", order).json()["code"] == "case.product"
    again = {"title": "x", "text": "x", "price": "1",
             "datasets": [{"source": "local", "identifier": "YL/1"}]}  # fmt: skip
    assert fresh.code("broker", product, "relist", **again) == (400, "case.unlicensed")


def test_last_days_of_a_catalog_from_before_are_read_out_of_its_events(tmp_path: Path) -> None:
    with workflows(tmp_path / "c") as made:
        made.licensed()
        product = made.product()
    with closing(sqlite3.connect(tmp_path / "c" / "catalog.db")) as older, older:
        for column in ("cases DROP COLUMN until", "signers DROP COLUMN compromised_from",
                       "datasets DROP COLUMN undeclared_since", "harvests DROP COLUMN place",
                       "data DROP COLUMN hearsay"):  # fmt: skip
            older.execute(f"ALTER TABLE {column}")
        older.execute("UPDATE alembic_version SET version_num = '0005'")
    with opened(tmp_path / "c", upgrade=True) as registry:
        cases = Cases(registry, None, WORKFLOWS)
        assert verify_all(registry, None, WORKFLOWS) == 3
        kind = next(workflow for workflow in WORKFLOWS if workflow.kind == "products")
        found = cases.case(kind, product.partition("/")[2], PEOPLE["broker"])
        assert cases.on_the_market(kind, found)


def test_products_leave_the_market_with_their_broker_s_licence(fresh: World) -> None:
    fresh.licensed()
    product = fresh.product()
    assert fresh.get("", "products")["total"] == 1
    [licence] = fresh.get("admin", "licences")["cases"]
    fresh.act("admin", f"licences/{licence['id']}", "revoke", reasons="违规")
    assert fresh.get("", "products") == {"total": 0, "cases": [], "cursor": ""}
    for who in ("", "li"):
        assert fresh.call(who, "GET", product).status_code == 404
    assert fresh.get("broker", product)["state"] == "listed"  # its own, still
    assert fresh.get("admin", "products")["total"] == 1

"""Requests made to look harmless beside what was granted before, or beside their own text."""

from __future__ import annotations

import select
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.algebra import BoolOp, ColumnRef, Compare, Constant, Expr, InList
from catalog.certificates.grants import GrantRequest, sign_request
from compute_nodes import approval, views
from compute_nodes.approval import Considered, consider, deny
from compute_nodes.rpc.membership import Membership
from compute_nodes.store import NodeStore
from protos.faults import InputError
from tests.job_world import Person, World, pinned

AGE = ColumnRef("age")
DECLARATION = """
name = "visits"
title = "t"
members = ["east", "mid", "north"]
max_rows = 1000
subject = "id"
[columns.sex]
type = "string"
codes = ["F", "M"]
[columns.age]
type = "integer"
bounds = [0, 120]
"""
NODE = """
exchange = "localhost:1"
[[data]]
dataset = "visits.toml"
file = "visits.csv"
policy = "policy.toml"
"""


class Desk:
    """An owner's directory with requests in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = int(time.time())
        self.world = World(path / "world", names=("east", "mid", "north"))
        self.world.now = self.now
        (path / "visits.toml").write_text(DECLARATION, "utf-8")
        (path / "node.toml").write_text(NODE, "utf-8")
        self.world.pins.save(path / "pins.toml")
        self.store = NodeStore(path / "store.sqlite")
        self.store.open()
        self.plan = self.world.plan(mode="exact")
        self.asked = 0

    def close(self) -> None:
        self.store.close()
        self.world.close()

    def request(self, predicate: Expr | None = None, **changes: Any) -> GrantRequest:  # noqa: ANN401
        self.asked += 1
        found = self.world.request(self.plan, f"{self.asked:032x}")
        aggregate = replace(found.aggregate, predicate=predicate)
        return replace(found, aggregate=aggregate, **changes)

    def keep(self, request: GrantRequest, state: str = "waiting", token: str = "") -> str:
        token = token or sign_request(self.world.analyst.key, request)
        self.store.add_request(request.id, token, self.now)
        if state != "waiting":
            with self.store.db.write() as db:
                self.store.keep_answer(db, request.id, state, "grant")
        return request.id

    def considered(self, request: GrantRequest) -> Considered:
        return consider(self.path, self.store, self.store.request(self.keep(request)))


@pytest.fixture
def desk(tmp_path: Path):
    found = Desk(tmp_path)
    yield found
    found.close()


def equals(value: Constant) -> Expr:
    return Compare("=", AGE, value)


def test_the_same_figures_of_fewer_departments_overlap(desk: Desk) -> None:
    everybody = desk.request()
    desk.keep(everybody, "granted")
    fewer = desk.considered(desk.request(members=everybody.members[:-1]))
    assert len(fewer.overlaps) == 1
    assert "by east, mid, north" in fewer.overlaps[0].en


def test_the_same_figures_again_are_no_overlap(desk: Desk) -> None:
    desk.keep(desk.request(), "granted")
    assert desk.considered(desk.request()).overlaps == ()


def test_a_request_dated_ahead_is_remembered_once_granted(desk: Desk) -> None:
    desk.keep(desk.request(issued_at=desk.now + 300), "granted")
    assert len(desk.considered(desk.request(equals(Constant(30, "integer")))).overlaps) == 1


def test_an_expired_release_is_remembered(desk: Desk) -> None:
    old = desk.request(issued_at=desk.now - 9_000_000, expires_at=desk.now - 8_000_000)
    desk.keep(old, "granted")
    assert len(desk.considered(desk.request(equals(Constant(30, "integer")))).overlaps) == 1


def test_a_new_key_of_the_analyst_does_not_hide_old_releases(desk: Desk) -> None:
    desk.keep(desk.request(), "granted")
    renewed = Person("analyst", "ana")
    desk.world.analyst = renewed
    pinned(*desk.world.people.values(), renewed).save(desk.path / "pins.toml")
    assert len(desk.considered(desk.request(equals(Constant(30, "integer")))).overlaps) == 1


def test_a_release_that_cannot_be_read_counts_as_an_overlap(desk: Desk) -> None:
    broken = desk.keep(desk.request(), "granted", token="no token")
    found = desk.considered(desk.request())
    assert len(found.overlaps) == 1
    assert broken[:12] in found.overlaps[0].en
    assert "cannot be read" in found.overlaps[0].en


@pytest.mark.parametrize(
    "same",
    [
        equals(Constant(300, "decimal", 1)),
        InList(AGE, (Constant(3000, "decimal", 2),)),
        BoolOp("and", (equals(Constant(30, "decimal", 0)), equals(Constant(300, "decimal", 1)))),
        equals(Constant(30, "decimal", -1)),  # no sense: never a proof that people differ
        equals(Constant(30, "decimal", 10**9)),
    ],
)
def test_one_number_written_in_two_ways_is_one_number(desk: Desk, same: Expr) -> None:
    desk.keep(desk.request(equals(Constant(30, "integer"))), "granted")
    assert len(desk.considered(desk.request(same)).overlaps) == 1


def test_other_numbers_are_other_people(desk: Desk) -> None:
    desk.keep(desk.request(equals(Constant(30, "integer"))), "granted")
    assert desk.considered(desk.request(equals(Constant(31, "integer")))).overlaps == ()
    assert desk.considered(desk.request(equals(Constant(30, "decimal", 1)))).overlaps == ()


def test_a_denial_after_the_grant_changes_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = desk.store.request(desk.keep(desk.request()))
    with desk.store.db.write() as db:
        desk.store.keep_answer(db, row.id, "granted", "grant")
    # Another process granted it after this one had read the row.
    with monkeypatch.context() as stale:
        stale.setattr(NodeStore, "request", lambda *_: row)
        stale.setattr(approval, "send_answer", lambda *_: pytest.fail("the denial was sent"))
        with pytest.raises(InputError) as refused:
            deny(desk.path, row.id, "changed my mind")
    assert refused.value.code == "grant.granted"
    assert [r.state for r in desk.store.requests()] == ["granted"]
    assert len(desk.considered(desk.request(equals(Constant(30, "integer")))).overlaps) == 1


# --- two approvals at one moment

# Approves in a process of its own, and stops between looking and signing until it is told to go on.
APPROVER = """
import sys
from pathlib import Path
from compute_nodes import approval
from protos.faults import VeilError

issue = approval.issue_grant

def waits(*args, **kwargs):
    print("looked", flush=True)
    sys.stdin.readline()
    return issue(*args, **kwargs)

approval.issue_grant = waits
approval.send_answer = lambda *_: None
print("ready", flush=True)
try:
    approval.approve(Path(sys.argv[1]), sys.argv[2])
    print("granted", flush=True)
except VeilError as error:
    print(error.code, flush=True)
"""


class Approver:
    """One owner's command line, in a process of its own."""

    def __init__(self, directory: Path, request: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", APPROVER, str(directory), request],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.says() == "ready"

    def says(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def is_silent(self, seconds: float = 0.5) -> bool:
        assert self._process.stdout is not None
        return not select.select([self._process.stdout], [], [], seconds)[0]

    def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def ends(self) -> str:
        said = self._process.communicate("\n")[0].split()
        return said[-1] if said else ""


@pytest.fixture
def owner(desk: Desk) -> Desk:
    """The desk with what signing needs."""
    person = desk.world.people["east"]
    person.key.save(desk.path / "identity.key")
    card = desk.world.exchange.card
    Membership("department", "east", "localhost:1", "https://localhost:1", card).save(desk.path)
    return desk


def test_of_two_overlapping_requests_at_one_moment_one_is_granted(owner: Desk) -> None:
    ids = [owner.keep(owner.request()), owner.keep(owner.request(equals(Constant(30, "integer"))))]
    first = Approver(owner.path, ids[0])
    assert first.says() == "looked"
    second = Approver(owner.path, ids[1])
    assert second.is_silent()  # it may not even look until the first is on disk
    first.go_on()
    assert first.ends() == "granted"
    assert second.ends() == "grant.overlap"
    assert {row.id: row.state for row in owner.store.requests()} == {
        ids[0]: "granted", ids[1]: "waiting",
    }  # fmt: skip


def test_an_owner_who_dies_while_signing_has_granted_nothing(owner: Desk) -> None:
    ids = [owner.keep(owner.request()), owner.keep(owner.request(equals(Constant(30, "integer"))))]
    first = Approver(owner.path, ids[0])
    assert first.says() == "looked"
    first._process.kill()
    assert first.ends() == ""
    second = Approver(owner.path, ids[1])
    assert second.says() == "looked"
    assert second.ends() == "granted"
    assert {row.id: row.state for row in owner.store.requests()} == {
        ids[0]: "waiting", ids[1]: "granted",
    }  # fmt: skip


def test_approving_again_sends_the_same_grant(owner: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(approval, "send_answer", lambda *args: sent.append(args[-1]))
    request = owner.keep(owner.request())
    for _ in range(2):
        assert approval.approve(owner.path, request[-6:].rjust(32, "0")) == request
    assert len(sent) == 2
    assert sent[0] == sent[1] == owner.store.request(request).answer


def test_the_owner_reads_what_is_computed_not_what_is_claimed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VEIL_LANG", "en")
    harmless = "SELECT COUNT(*) FROM visits\x1b[2J"
    request = desk.request(equals(Constant(30, "integer")), statement=harmless)
    desk.keep(request)
    views.show_requests(desk.path)
    listed = capsys.readouterr().out
    assert "WHERE age = 30 GROUP BY sex {'F', 'M'}" in listed
    assert "SELECT COUNT(*) FROM visits" not in listed
    views.show_request(desk.path, request.id)
    assert "east" not in capsys.readouterr().out.split("Departments")[0]
    desk.world.pins.add("analyst", "ana", desk.world.analyst.fingerprint, "east")
    desk.world.pins.save(desk.path / "pins.toml")
    views.show_request(desk.path, request.id)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    computed = next(i for i, line in enumerate(lines) if "What is computed" in line)
    claimed = next(i for i, line in enumerate(lines) if "not verified" in line)
    assert computed < claimed
    assert any("of the department" in line and "east" in line for line in lines)
    assert "SELECT sex, COUNT(*) FROM visits WHERE age = 30" in lines[computed]
    assert "SELECT COUNT(*) FROM visits?[2J" in lines[claimed]

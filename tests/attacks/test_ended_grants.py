"""Grants that a department has taken back: by hand, or by an officer's signed no behind it.

What must never happen: that a node answers under a grant that has ended, or that somebody who is
not the department's own officer ends one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.certificates.decisions import decision_file, request_digest
from catalog.certificates.grant_ends import end_grant, read_end
from catalog.certificates.grants import check_grants, read_grant
from compute_nodes import approval, ending
from compute_nodes.jobs.job import PLAN_ROUND
from compute_nodes.jobs.requests import ENDING
from compute_nodes.rpc.delivery import Delivery
from compute_nodes.rpc.membership import Membership
from exchange.serving.desk import ending_round
from protos.faults import InputError, TrustError, UnavailableError, VeilError
from protos.identity import IdentityKey
from tests.attacks.test_decided_grants import (
    LI,
    NODE,
    STRANGER,
    WU,
    ZHAO,
    Node,
    both,
    officer,
    said,
)
from tests.job_world import World
from tests.unit.test_certifier import ANA, Exchange, answer
from tests.unit.test_certifier import exchange as exchange  # noqa: PLC0414 - a fixture


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    found = Node(tmp_path)
    yield found
    found.close()


def granted(node: Node) -> str:
    token = node.sign(node.request())
    assert node.deliver(token, *both(token)).kind == "grant"
    return token


def end(node: Node, token: str, *decisions: str) -> Delivery:
    """What the exchange hands on behind a grant."""
    round_ = f"grant/{request_digest(token)}/end1"
    body = token.encode("ascii") + b"\n" + decision_file(decisions)
    return node.take(Delivery("", round_, 1, "", "east", ENDING, body))


def stands(node: Node, token: str) -> bool:
    grant = node.store.request(request_digest(token)).answer
    try:
        node.store.check_grant(read_grant(grant).id, "snapshot", "ab" * 16)
    except VeilError as error:
        assert error.code == "grant.revoked"
        return False
    return True


# ---- at the node ------------------------------------------------------------------------------


def test_an_officer_s_no_behind_the_grant_ends_it(node: Node) -> None:
    token = granted(node)
    grant = node.store.request(request_digest(token)).answer
    ended = end(node, token, said(token, WU, "chief", "refuse"))
    assert ended.kind == "ended"
    assert read_end(ended.body.decode(), grant, node.east.key.public).reason == "no"
    assert not stands(node, token)
    # A lost answer is offered again; a later yes, and all of before, bring nothing back.
    assert end(node, token, said(token, WU, "chief", "refuse")).body == ended.body
    assert node.deliver(token, *both(token)).body == ended.body
    with pytest.raises(InputError, match="no way back"):
        approve(node, token)
    assert not stands(node, token)


def approve(node: Node, token: str) -> None:
    Membership("department", "east", "localhost:1", "https://localhost:1", "").save(node.path)
    approval.approve(node.path, request_digest(token))


def test_nobody_else_ends_a_grant(node: Node) -> None:
    token = granted(node)
    other = node.sign(node.request(purpose="other"))
    for word in (
        said(token, STRANGER, "chief", "refuse"),
        said(token, ZHAO, "steward", "refuse"),
        said(token, WU, "chief", "refuse", department="mid"),
        said(token, WU, "steward", "refuse"),
        said(other, WU, "chief", "refuse"),
    ):
        assert end(node, token, word).kind == "grant"
    node.rules(officer("Li", LI, "steward"), officer("Wu", WU, "chief", -9, -1))
    assert end(node, token, said(token, WU, "chief", "refuse")).kind == "grant", "out of office"
    assert stands(node, token)


def test_decisions_by_strangers_leave_room_for_the_officer_s_no(node: Node) -> None:
    """The analyst hands in junk, so that the no that comes later has no place."""
    token = granted(node)
    for _ in range(6):
        node.deliver(token, *(said(token, STRANGER) for _ in range(16)))
    assert end(node, token, said(token, WU, "chief", "refuse")).kind == "ended"


def test_what_was_weighed_by_hand_ends_nothing_later(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator granted over a steward's no; the exchange brings that no again."""
    token = node.sign(node.request())
    no = said(token, LI, "steward", "refuse")
    assert node.deliver(token, no).kind == "received"
    monkeypatch.setattr(approval, "send_answer", lambda *_: None)
    approve(node, token)
    assert end(node, token, no).kind == "grant"
    assert end(node, token, said(token, LI, "steward", "refuse")).kind == "ended", "a new one does"


def test_a_no_that_was_held_back_ends_the_grant_when_it_arrives(node: Node) -> None:
    token = node.sign(node.request())
    held_back = said(token, WU, "chief", "refuse")
    assert node.deliver(token, said(token, LI), said(token, WU, "chief", ago=1)).kind == "grant"
    assert end(node, token, held_back).kind == "ended"


def test_officers_end_also_what_is_granted_by_hand(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = node.path / "node.toml"
    file.write_text(file.read_text("utf-8").replace('["visits"]', '["others"]'), "utf-8")
    token = node.sign(node.request())
    assert node.deliver(token, *both(token)).kind == "received"
    monkeypatch.setattr(approval, "send_answer", lambda *_: None)
    approve(node, token)
    assert end(node, token, said(token, WU, "chief", "refuse")).kind == "ended"


def test_with_broken_rules_the_no_is_not_lost(node: Node) -> None:
    token = granted(node)
    kept = (node.path / "node.toml").read_text("utf-8")
    (node.path / "node.toml").write_text(f"{NODE}\n[grants]\nofficers = 1\n", "utf-8")
    with pytest.raises(UnavailableError):  # unanswered, so it is offered again
        end(node, token, said(token, WU, "chief", "refuse"))
    (node.path / "node.toml").write_text(kept, "utf-8")
    assert end(node, token, said(token, WU, "chief", "refuse")).kind == "ended"


def test_the_operator_ends_a_grant_without_the_exchange(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise UnavailableError("away")

    token = granted(node)
    identifier = request_digest(token)
    with pytest.raises(InputError, match="without a reason"):
        ending.revoke(node.path, identifier, " ")
    Membership("department", "east", "localhost:1", "https://localhost:1", "").save(node.path)
    monkeypatch.setattr(ending, "send_answer", away)
    assert ending.revoke(node.path, identifier[:8], "error")[1] is not None
    assert not stands(node, token)
    sent: list[object] = []
    monkeypatch.setattr(ending, "send_answer", lambda *args: sent.append(args[-1]))
    assert ending.revoke(node.path, identifier, "again") == (identifier, None)
    assert sent == [node.store.ended(identifier)], "the same end, told now"
    fresh = node.sign(node.request(purpose="never granted"))
    node.deliver(fresh)
    with pytest.raises(InputError, match="not granted"):
        ending.revoke(node.path, request_digest(fresh), "error")


# ---- jobs -------------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.close()


def take_back(world: World, name: str, plan_grants: tuple[str, ...]) -> None:
    """As the operator at one node does, in another process."""
    (grant,) = {read_grant(token).id for token in plan_grants}
    store = world.towns[name].store
    store.add_request("ab" * 32, "token", world.now)
    with store.db.write() as db:
        store.ends.keep(db, "ab" * 32, grant, "token")


def test_a_node_takes_no_plan_under_a_grant_that_has_ended(world: World) -> None:
    plan = world.exact()
    take_back(world, "mid", plan.grants)
    town = world.towns["mid"]
    refused = town.ask(PLAN_ROUND, "plan", world.opening(plan), plan.job)
    assert (refused.kind, b"grant.revoked" in refused.body) == ("fault", True)
    assert town.figures.asked == 0


@pytest.mark.parametrize("round_", ["counts/masked", "values/masked"])
def test_an_end_in_the_middle_of_a_job_lets_nothing_more_leave(world: World, round_: str) -> None:
    plan = world.exact()
    play = world.session(plan).start().until(round_)
    take_back(world, "mid", plan.grants)
    assert play.run().finished == 0
    assert [error.code for error in play.errors] == ["grant.revoked"]
    assert round_ not in world.towns["mid"].left()


# ---- the exchange -----------------------------------------------------------------------------


def test_only_the_department_s_key_ends_its_grant_at_the_exchange(exchange: Exchange) -> None:
    world = exchange.world
    plan = world.exact()
    request = exchange.hub.request_grant(ANA, world.signed_request(plan))
    grants = {read_grant(token).owner: token for token in plan.grants}
    for name in ("mid", "east"):
        answer(exchange, request, name, world.request(plan))
    mid, key = exchange.department("mid"), world.people["mid"].key

    def push(token: str) -> None:
        exchange.hub.push(
            mid, Delivery("", f"grant/{request}", 1, "mid", "", "ended", token.encode())
        )

    answers = exchange.hub.grants(ANA, request)[0]["answers"]
    body = next(each["body"] for each in answers if each["department"] == "mid")
    stranger = IdentityKey.generate()
    with pytest.raises(TrustError):
        end_grant(stranger, body, "no", now=1)
    forged = stranger.sign("veil-grant-end+jwt", {"grant": read_grant(body).id, "iat": 1,
                                                  "department": "mid", "reason": "no"})  # fmt: skip
    others = next(each["body"] for each in answers if each["department"] == "east")
    east = end_grant(world.people["east"].key, others, "no", now=1)
    for wrong in (forged, east, "x", body):
        with pytest.raises(TrustError):
            push(wrong)
    push(end_grant(key, body, "mistaken", now=1))
    state = {
        each["department"]: (each["state"], each["body"])
        for each in exchange.hub.grants(ANA, request)[0]["answers"]
    }
    assert state["mid"] == ("ended", "mistaken")
    assert state["east"][0] == "granted"
    answer(exchange, request, "mid", world.request(plan))  # one that was under way
    assert exchange.hub.grants(ANA, request)[0]["answers"][1]["state"] == "ended"
    assert check_grants(plan, world.pins, now=world.now).keys() == grants.keys(), (
        "by itself the old grant still holds: that is why the node itself must know"
    )


def test_a_no_is_handed_to_its_own_department_until_it_was_heard(exchange: Exchange) -> None:
    world = exchange.world
    plan = world.exact()
    request = exchange.hub.request_grant(ANA, world.signed_request(plan))
    for name in ("mid", "east"):
        answer(exchange, request, name, world.request(plan))
    mid = world.people["mid"].fingerprint
    for _ in range(2):  # the same again is the same
        exchange.hub.end_grant(mid, request, b"no")
    exchange.hub.end_grant(mid, "ff" * 32, b"about a request that may come later")
    [told] = exchange.inbox.waiting("mid")
    assert (told.kind, told.body.partition(b"\n")[2]) == (ENDING, b"no")
    assert exchange.inbox.waiting("east") == ()
    exchange.close()
    exchange.open()
    exchange.register("mid")  # not heard yet: told again after a restart
    [again] = exchange.inbox.waiting("mid")
    assert again.round == told.round == ending_round(exchange.desk.endings()[0])
    heard = Delivery("", again.round, 1, "mid", "", "received", b"")
    exchange.hub.push(exchange.department("mid"), heard)
    assert (exchange.inbox.waiting("mid"), exchange.desk.endings()) == ((), [])


def test_a_no_that_is_there_before_the_request_goes_before_the_yes(
    exchange: Exchange, node: Node
) -> None:
    """Revoked in the catalog; now the analyst hands in the request with the old approvals."""
    world = exchange.world
    token = world.signed_request(world.exact())
    exchange.hub.end_grant(world.people["mid"].fingerprint, request_digest(token), b"no")
    exchange.hub.request_grant(ANA, token, b"yes")
    kinds = [each.kind for each in exchange.inbox.waiting("mid")]
    assert kinds == ["grant-ending", "grant-request", "grant-decisions"]
    # … and at the node that order leaves no grant.
    asked = node.sign(node.request())
    assert end(node, asked, said(asked, WU, "chief", "refuse")).kind == "received"
    before = said(asked, LI, ago=1), said(asked, WU, "chief", ago=1)
    assert node.deliver(asked, *before).kind == "received"
    assert node.store.request(request_digest(asked)).state == "waiting"

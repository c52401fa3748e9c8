"""Grants that a node signs by itself: only on its own officers' words about exactly this request.

Everything here arrives through `take_request`, as the exchange, or who has taken it over, would
send it. Whatever does not satisfy the department's own rules leaves the request waiting for a hand.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.algebra import ColumnRef, Compare, Constant
from catalog.certificates.decisions import (
    Matter,
    Office,
    Verdict,
    decide,
    decision_file,
    request_digest,
)
from catalog.certificates.grants import GrantRequest, check_answers, sign_request
from catalog.codec import dataset_digest
from catalog.config import load_dataset
from compute_nodes.approval import answer_decisions, consider, ruling_on
from compute_nodes.config import load_node_config
from compute_nodes.deciding import Ruling
from compute_nodes.jobs.requests import DECISIONS, REQUEST, take_request
from compute_nodes.rpc.delivery import Delivery
from compute_nodes.store import NodeStore
from protos.did_key import did_of, fingerprint_of
from protos.faults import InputError, ProtocolError
from tests.attacks.test_approval import DECLARATION, NODE
from tests.job_world import Person, World

TODAY = dt.datetime.now(dt.UTC)
LI, WU, ZHAO, STRANGER = (Ed25519PrivateKey.generate() for _ in range(4))


def mark(key: Ed25519PrivateKey) -> str:
    return fingerprint_of(did_of(key.public_key()))


def day(days: int) -> str:
    return (TODAY + dt.timedelta(days=days)).date().isoformat()


def officer(name: str, key: Ed25519PrivateKey, office: str, since: int = -100, until: int = 100,
            more: str = "") -> str:  # fmt: skip
    return (
        f'[[grants.officer]]\nname = "{name}"\nkey = "{mark(key)}"\noffice = "{office}"\n'
        f"since = {day(since)}\nuntil = {day(until)}\n{more}\n"
    )


class Node:
    """A department's node with rules, and what the exchange sends it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.world = World(path / "world", names=("east", "mid", "north"))
        self.world.now = int(time.time())
        (path / "visits.toml").write_text(DECLARATION, "utf-8")
        self.world.pins.save(path / "pins.toml")
        self.east = self.world.people["east"]
        self.east.key.save(path / "identity.key")
        self.store = NodeStore(path / "store.sqlite")
        self.store.open()
        self.plan = self.world.plan(mode="exact")
        self.asked = 0
        self.rules()

    def close(self) -> None:
        self.store.close()
        self.world.close()

    def rules(self, *officers: str, rule: str = "steward = 1\nchief = 1", more: str = "") -> None:
        named = officers or (officer("Li", LI, "steward"), officer("Wu", WU, "chief"))
        text = f"[grants]\n{more}\n{''.join(named)}"
        text += f'[[grants.rule]]\ndatasets = ["visits"]\n{rule}\n'
        (self.path / "node.toml").write_text(f"{NODE}\n{text}", "utf-8")

    def request(self, **changes: Any) -> GrantRequest:  # noqa: ANN401
        self.asked += 1
        asked = self.world.request(self.plan, f"{self.asked:032x}")
        digest = dataset_digest(load_dataset(self.path / "visits.toml"))
        return replace(asked, dataset_digest=digest, **changes)

    def sign(self, request: GrantRequest, by: Person | None = None) -> str:
        return sign_request((by or self.world.analyst).key, request)

    def deliver(self, token: str, *decisions: str, file: bytes | None = None) -> Delivery:
        """The exchange hands a request on, and decisions behind it."""
        identifier = request_digest(token)
        body = token.encode("ascii")
        first = Delivery("", f"grant/{identifier}", 1, "", "east", REQUEST, body)
        answer = self.take(first)
        if decisions or file is not None:
            body += b"\n" + (decision_file(decisions) if file is None else file)
            answer = self.take(
                Delivery("", f"grant/{identifier}/1", 1, "", "east", DECISIONS, body)
            )
        return answer

    def take(self, delivery: Delivery) -> Delivery:
        return take_request(
            delivery, self.store, "east", self.world.now,
            lambda request, said: answer_decisions(self.path, self.store, "east", request, said),
        )  # fmt: skip

    def ruling(self, token: str) -> Ruling:
        row = self.store.request(request_digest(token))
        found = ruling_on(
            load_node_config(self.path).grants, self.store, "east",
            consider(self.path, self.store, row),
        )  # fmt: skip
        assert found is not None
        return found


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    found = Node(tmp_path)
    yield found
    found.close()


def said(
    token: str,
    key: Ed25519PrivateKey,
    office: Office = "steward",
    verdict: Verdict = "approve",
    *,
    department: str = "east",
    ago: int = 0,
    **more: Any,  # noqa: ANN401
) -> str:
    """An officer's decision on one request."""
    matter = Matter("requests/0123456789abcdef", "a" * 64, (request_digest(token),))
    reasons = "" if verdict == "approve" else "no"
    at = dt.datetime.now(dt.UTC) - dt.timedelta(days=ago)
    return decide(matter, department, office, verdict, key, now=at, reasons=reasons, **more)


def both(token: str) -> tuple[str, str]:
    return said(token, LI), said(token, WU, "chief")


def waits(node: Node, token: str, answer: Delivery, why: str) -> None:
    assert (answer.kind, answer.body) == ("received", b"")
    assert node.store.request(request_digest(token)).state == "waiting"
    ruling = node.ruling(token)
    assert not ruling.enough
    assert why in "; ".join([ruling.missing.en, *(each.why.en for each in ruling.heard)])


# ---- what satisfies the rules -----------------------------------------------------------------


def test_the_officers_words_make_a_grant_of_the_departments_own_key(node: Node) -> None:
    token = node.sign(node.request())
    answer = node.deliver(token, *both(token))
    assert answer.kind == "grant"
    check_answers(answer.body.decode(), token, "east", node.east.key.public)
    assert node.store.request(request_digest(token)).state == "granted"
    # A lost answer is offered again: the same grant, not a second one.
    assert node.deliver(token, *both(token)).body == answer.body


def test_decisions_may_come_one_after_the_other(node: Node) -> None:
    token = node.sign(node.request())
    waits(node, token, node.deliver(token, said(token, LI)), "1 × chief data officer")
    assert node.deliver(token, said(token, WU, "chief")).kind == "grant"


def test_without_rules_every_grant_waits_for_a_hand(node: Node) -> None:
    (node.path / "node.toml").write_text(NODE, "utf-8")
    token = node.sign(node.request())
    assert node.deliver(token, *both(token)).kind == "received"
    node.rules(rule="chief = 1")
    text = (node.path / "node.toml").read_text("utf-8")
    (node.path / "node.toml").write_text(text.replace('["visits"]', '["others"]'), "utf-8")
    waits(node, token, node.deliver(token, *both(token)), "by hand")


# ---- attacks -----------------------------------------------------------------------------------


def test_decisions_on_another_request_say_nothing(node: Node) -> None:
    other, token = node.sign(node.request(purpose="other")), node.sign(node.request())
    waits(node, token, node.deliver(token, *both(other)), "about another request")


def test_one_changed_word_is_another_request(node: Node) -> None:
    asked = node.request()
    token = node.sign(asked)
    for changed in (
        replace(asked, purpose="sale"),
        replace(asked, expires_at=asked.expires_at + 1),
        replace(asked, statement="SELECT 1"),
    ):
        forged = node.sign(changed)
        waits(node, forged, node.deliver(forged, *both(token)), "about another request")


@pytest.mark.parametrize(
    ("officers", "why"),
    [
        ([officer("Li", LI, "steward", -100, -1)], "not in office"),
        ([officer("Li", LI, "steward", 1, 100)], "not in office"),
        ([officer("Li", LI, "steward", more=f"removed = {day(0)}")], "not in office"),
        ([officer("Li", LI, "chief")], "office that is not the signer's"),
        ([officer("Zhao", ZHAO, "steward")], "no officer"),
    ],
    ids=["term over", "term not begun", "removed", "wrong office", "another's key"],
)
def test_whoever_is_not_that_officer_now_decides_nothing(
    node: Node, officers: list[str], why: str
) -> None:
    node.rules(*officers, rule="steward = 1")
    token = node.sign(node.request())
    waits(node, token, node.deliver(token, said(token, LI)), why)


def test_an_officer_removed_after_signing_decides_nothing(node: Node) -> None:
    token = node.sign(node.request())
    node.deliver(token, said(token, LI))
    removed = officer("Li", LI, "steward", more=f"removed = {day(0)}")
    node.rules(removed, officer("Wu", WU, "chief"))
    waits(node, token, node.deliver(token, said(token, WU, "chief")), "not in office")


def test_what_was_signed_before_the_term_says_nothing(node: Node) -> None:
    node.rules(officer("Li", LI, "steward", -3), rule="steward = 1")
    token = node.sign(node.request())
    waits(node, token, node.deliver(token, said(token, LI, ago=5)), "outside the signer's term")


def test_officers_of_another_department_decide_nothing_here(node: Node) -> None:
    token = node.sign(node.request())
    decisions = said(token, LI, department="mid"), said(token, WU, "chief", department="mid")
    waits(node, token, node.deliver(token, *decisions), "another department")


def test_a_stranger_cannot_name_himself_an_officer(node: Node) -> None:
    token = node.sign(node.request())
    decisions = said(token, STRANGER), said(token, STRANGER, "chief")
    waits(node, token, node.deliver(token, *decisions), "no officer")


def test_one_officer_is_not_two(node: Node) -> None:
    token = node.sign(node.request())
    twice = said(token, LI), said(token, LI, "chief"), said(token, LI)
    waits(node, token, node.deliver(token, *twice), "1 × chief data officer")
    node.rules(rule="steward = 2")
    waits(node, token, node.deliver(token, said(token, LI)), "1 × data steward")


@pytest.mark.parametrize(
    "second", [officer("Li", WU, "chief"), officer("Wu", LI, "chief")], ids=["name", "key"]
)
def test_one_person_cannot_be_listed_in_two_offices(node: Node, second: str) -> None:
    node.rules(officer("Li", LI, "steward"), second)
    with pytest.raises(InputError, match="four eyes are two people"):
        load_node_config(node.path)
    token = node.sign(node.request())
    assert node.deliver(token, *both(token)).kind == "received"


def test_an_old_decision_says_nothing_however_long_it_claims_to_hold(node: Node) -> None:
    node.rules(rule="steward = 1", more="decision_days = 7")
    token = node.sign(node.request())
    old = said(token, LI, ago=8, valid_days=3000)
    waits(node, token, node.deliver(token, old), "more than 7 days ago")
    node.rules(rule="steward = 1", more="decision_days = 60")
    ended = said(token, LI, ago=8, valid_days=7)
    assert node.deliver(token, ended).kind == "grant", "the first one holds now"


def test_a_decision_from_the_future_says_nothing_yet(node: Node) -> None:
    node.rules(rule="steward = 1")
    token = node.sign(node.request())
    waits(node, token, node.deliver(token, said(token, LI, ago=-1)), "does not hold now")


def test_a_no_stands_until_the_same_officer_says_yes(node: Node) -> None:
    token = node.sign(node.request())
    no = said(token, WU, "chief", "refuse")
    waits(node, token, node.deliver(token, said(token, LI), no), "said no")
    # The yes of before is replayed: it is older than the no.
    before = said(token, WU, "chief", ago=1)
    waits(node, token, node.deliver(token, before), "said no")


def test_what_was_denied_by_hand_is_not_granted_by_replaying_decisions(node: Node) -> None:
    token = node.sign(node.request())
    node.deliver(token)
    with node.store.db.write() as db:
        node.store.keep_answer(db, request_digest(token), "denied", "no")
    assert node.deliver(token, *both(token)).kind == "received"
    assert node.store.request(request_digest(token)).state == "denied"


def test_a_forged_request_gains_nothing_by_true_decisions(node: Node) -> None:
    """The exchange makes a request of its own, and officers were led to sign it."""
    asked, mallory = node.request(), Person("analyst", "mallory")
    unpinned = replace(asked, analyst="mallory", recipient=mallory.fingerprint)
    token = node.sign(unpinned, mallory)
    assert node.deliver(token, *both(token)).kind == "received"
    impostor = node.sign(replace(asked, recipient=mallory.fingerprint), mallory)
    assert node.deliver(impostor, *both(impostor)).kind == "received"


def test_an_altered_or_half_file_changes_nothing(node: Node) -> None:
    token = node.sign(node.request())
    file = decision_file(both(token))
    for broken in (file.replace(b'"approve"', b'"refuse"', 1), file[:-1], b"{}", b"\xff" * 9):
        assert node.deliver(token, file=broken).kind == "received"
    assert node.store.decisions(request_digest(token)) == []
    assert node.deliver(token, file=file).kind == "grant"


def test_an_overlap_with_an_earlier_release_waits_for_a_hand(node: Node) -> None:
    first = node.sign(node.request())
    assert node.deliver(first, *both(first)).kind == "grant"
    asked = node.request()
    some = Compare("=", ColumnRef("age"), Constant(30, "integer"))
    token = node.sign(replace(asked, aggregate=replace(asked.aggregate, predicate=some)))
    assert node.deliver(token, *both(token)).kind == "received"
    assert node.ruling(token).enough, "the officers have said yes; the overlap is a person's"


def test_a_request_about_another_declaration_waits_for_a_hand(node: Node) -> None:
    token = node.sign(replace(node.request(), dataset_digest="0" * 64))
    assert node.deliver(token, *both(token)).kind == "received"
    assert node.store.request(request_digest(token)).state == "waiting"


def test_an_exchange_cannot_fill_the_disk_with_decisions(node: Node) -> None:
    token = node.sign(node.request())
    for _ in range(6):
        node.deliver(token, *(said(token, STRANGER) for _ in range(16)))
    assert len(node.store.decisions(request_digest(token))) == 64


def test_a_broken_rules_file_stops_no_node(node: Node) -> None:
    (node.path / "node.toml").write_text(f"{NODE}\n[grants]\nofficers = 1\n", "utf-8")
    token = node.sign(node.request())
    assert node.deliver(token, *both(token)).kind == "received"


def test_other_deliveries_without_a_job_are_none(node: Node) -> None:
    with pytest.raises(ProtocolError):
        node.take(Delivery("", "grants", 1, "", "east", REQUEST, b""))
    with pytest.raises(ProtocolError):
        node.take(Delivery("", "grant/x", 1, "", "east", "grant", b""))

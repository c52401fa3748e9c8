"""What the exchange carries between a catalog's cases and the nodes, and what it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.certificates.decisions import read_decision_file, request_digest
from catalog.workflows.node_pins import PINS
from exchange.ports import Caller
from exchange.serving.carrier import Carrier
from protos.faults import TrustError
from protos.signing import IdentityKey
from tests.workflow_world import SQL, World, workflows


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with workflows(tmp_path / "c") as found:
        yield found


class Remembering:
    """The exchange as a carrier sees it: keeps what comes, answers what a test puts."""

    def __init__(self) -> None:
        self.came: list[tuple[str, str, list[str]]] = []
        self.ended: list[tuple[str, str, list[str]]] = []
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.unknown: set[str] = set()

    def request_grant(self, caller: Caller, request: str, decisions: bytes = b"") -> str:
        if caller.name in self.unknown:
            raise TrustError("no card", code="card.missing")
        words = [each.office for each in read_decision_file(decisions)]
        self.came.append((caller.name, request, words))
        return request_digest(request)

    def grants(self, caller: Caller, request_id: str) -> list[dict[str, Any]]:
        return [{"answers": self.answers.get(request_id, [])}]

    def end_grant(self, fingerprint: str, request: str, decisions: bytes) -> None:
        reasons = [each.reasons for each in read_decision_file(decisions)]
        self.ended.append((fingerprint, request, reasons))


def asking(token: str) -> dict[str, Any]:
    return {"statements": [{"sql": SQL, "grant_request": token}]}


def granted(world: World, token: str, key: IdentityKey | None = None) -> dict[str, Any]:
    return {"state": "granted", "department": "health", "body": world.grant(token, key)}


def test_what_was_approved_goes_out_and_the_department_s_grant_comes_in(world: World) -> None:
    nodes, stranger = Remembering(), IdentityKey.generate()
    carrier, token = Carrier(world.services.cases, nodes), world.grant_request()
    early = world.request(**asking(world.grant_request()))
    case = world.approved(**asking(token))
    carrier.settle()
    assert nodes.came == [("li", token, ["steward", "chief"])], "and nothing that is not approved"
    assert world.state(early) == "submitted"
    of = request_digest(token)
    nodes.answers[of] = [granted(world, token, stranger), {"state": "waiting", "body": ""}]
    carrier.settle()
    assert world.state(case) == "approved", "another department's grant is none"
    nodes.answers[of].append({**granted(world, token), "state": "ended", "body": "mistaken"})
    carrier.settle()
    assert world.state(case) == "approved"
    nodes.answers[of].append(granted(world, token))
    carrier.settle()
    assert world.state(case) == "granted"
    assert len(nodes.came) == 1
    assert world.get("auditor", f"{case}/events")["events"][-1]["by"] == "exchange"


def test_a_kill_loses_nothing_and_one_case_holds_up_no_other(world: World) -> None:
    nodes = Remembering()
    tokens = [world.grant_request(), world.grant_request(analyst="wu")]
    cases = [world.approved(**asking(token)) for token in tokens]
    nodes.unknown = {"wu"}
    for token in tokens:
        nodes.answers[request_digest(token)] = [granted(world, token)]
    Carrier(world.services.cases, nodes).settle()
    assert [world.state(case) for case in cases] == ["granted", "approved"]
    nodes.unknown.clear()
    Carrier(world.services.cases, nodes).settle()  # of the next process
    assert [world.state(case) for case in cases] == ["granted", "granted"]


def test_without_a_confirmed_key_a_grant_waits(world: World) -> None:
    nodes, token = Remembering(), world.grant_request()
    case = world.approved(**asking(token))
    pins = world.registry.directory / PINS
    kept = pins.read_bytes()
    pins.unlink()
    nodes.answers[request_digest(token)] = [granted(world, token)]
    carrier = Carrier(world.services.cases, nodes)
    carrier.settle()
    assert world.state(case) == "approved"
    pins.write_bytes(kept)
    carrier.settle()
    assert world.state(case) == "granted"


def test_a_revocation_goes_to_the_department_s_node_with_the_officer_s_word(world: World) -> None:
    nodes, token = Remembering(), world.grant_request()
    carrier = Carrier(world.services.cases, nodes)
    world.services.cases.stepped = carrier.wake
    case = world.approved(**asking(token))
    no = world.decision(case, "chief", "refuse", reasons="用途已变")
    world.act("chief", case, "revoke", decision=no)
    carrier.start()  # woken by the step, and by its start
    carrier.stop()
    carrier.settle()
    carrier.settle()
    mine = world.node.public.fingerprint
    assert nodes.ended == [(mine, request_digest(token), ["用途已变"])]
    assert nodes.came == []

"""The guard admits what its own law allows and refuses everything else, each for its reason."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from catalog.algebra import Aggregate, ColumnRef, Compare, Constant, Key, Measure
from catalog.certificates.grants import GrantRequest, issue_grant
from catalog.certificates.receipts import PLAN_TYPE
from catalog.codec import dataset_digest, to_json
from catalog.dataset import Dataset
from catalog.plan import Member, Plan
from catalog.policy import Budget, Policy
from compute_nodes.guard import Admitted, Guard
from compute_nodes.jobs.opening import read_opening, write_opening
from desensitize.column import Column, Use
from protos.cards import Pins, make_card
from protos.faults import InputError, PolicyError, ProtocolError, TrustError, VeilError
from protos.names import Role
from protos.signing import IdentityKey, SealingKey

NOW = 1_000_000
ALL: frozenset[Use] = frozenset({"filter", "group", "aggregate"})
COLUMNS = {
    "age": Column("age", "integer", bounds=(0, 120), uses=ALL),
    "city": Column("city", "string", codes=("a", "b", "c"), uses=ALL),
    "secret": Column("secret", "integer", bounds=(0, 9), uses=frozenset({"filter"})),
}
DATASET = Dataset(
    name="visits", title="Visits", columns=COLUMNS, members=("a", "b", "c"), max_rows=100_000,
    subject="id", subjects_disjoint=True, delta=1e-6,
)  # fmt: skip
POLICY = Policy(
    dataset="visits", department="a", columns=COLUMNS, subject="id", max_rows_per_subject=1,
    min_group=5, min_parties=3, max_cells=100, protocols=("masked_sum",), audience=("ana",),
    budget=Budget(epsilon=10.0, default=0.5, ceiling=2.0, projects={"flu": 1.0}),
)  # fmt: skip
AGGREGATE = Aggregate(
    "visits",
    Compare(">", ColumnRef("age"), Constant(18, "integer")),
    (Key(ColumnRef("city"), ("a", "b", "c")),),
    (Measure("rows"), Measure("sum", ColumnRef("age"), 60)),
)


@dataclass(frozen=True)
class Person:
    role: Role
    name: str
    key: IdentityKey
    sealing: SealingKey

    @property
    def card(self) -> str:
        return make_card(self.key, self.name, self.role, self.sealing.public_hex, NOW)


def person(role: Role, name: str) -> Person:
    return Person(role, name, IdentityKey.generate(), SealingKey.generate())


PEOPLE = [
    person("department", "a"), person("department", "b"), person("department", "c"),
    person("analyst", "ana"), person("exchange", "hub"),
]  # fmt: skip
BY_NAME = {p.name: p for p in PEOPLE}
ANA = BY_NAME["ana"]
PLAN = Plan(
    job="ab" * 16, issued_at=NOW, expires_at=NOW + 600, analyst="ana",
    analyst_fingerprint=ANA.key.public.fingerprint,
    analyst_sealing_key=ANA.sealing.public_hex, project="flu", purpose="planning",
    dataset="visits", dataset_digest=dataset_digest(DATASET), statement="SELECT …",
    aggregate=AGGREGATE, mode="adhoc", protocol="masked_sum", bits=64,
    roster=tuple(Member(n, BY_NAME[n].key.public.fingerprint) for n in "abc"), threshold=3,
    epsilon=0.5, delta=1e-6,
)  # fmt: skip


def pins(*missing: str) -> Pins:
    pinned = Pins()
    for one in PEOPLE:
        if one.name not in missing:
            pinned.add(one.role, one.name, one.key.public.fingerprint)
    return pinned


def guard(
    department: str = "a", policy: Policy = POLICY, known: Pins | None = None, now: float = NOW
) -> Guard:
    trusted = pins() if known is None else known
    return Guard(department, {"visits": policy}, {"visits": DATASET}, lambda: trusted, lambda: now)


def signed(plan: Plan = PLAN, key: IdentityKey = ANA.key, typ: str = PLAN_TYPE) -> str:
    return key.sign(typ, to_json(plan))


def admitted(token: str, by: Guard | None = None, cards: list[str] | None = None) -> Admitted:
    body = write_opening(token, [p.card for p in PEOPLE] if cards is None else cards)
    return (by or guard()).admit(read_opening(body))


def refused(
    kind: type[VeilError], code: str, token: str, by: Guard | None = None,
    cards: list[str] | None = None,
) -> VeilError:  # fmt: skip
    with pytest.raises(kind) as caught:
        admitted(token, by, cards)
    assert caught.value.code == code, caught.value.message
    return caught.value


def test_a_good_plan() -> None:
    found = admitted(signed())
    assert found.plan == PLAN
    assert found.me == 0
    assert found.grant == ""
    assert found.policy is POLICY
    assert found.calibration is not None
    assert found.calibration.rho > 0
    assert len(found.plan_hash) == 64
    assert admitted(signed(), guard("c", replace(POLICY, department="c"))).me == 2
    assert admitted(signed()).plan_hash == found.plan_hash  # of the claims, not of the signature


def test_signatures() -> None:
    refused(TrustError, "signature.invalid", signed(key=IdentityKey.generate()))
    refused(TrustError, "signature.header", signed(typ="veil-message+jwt"))
    token = signed()
    head, body, tail = token.split(".")
    refused(TrustError, "signature.body", f"{head}.{body[:-4]}AAAA.{tail}")
    forged = signed(replace(PLAN, epsilon=2.0)).split(".")[1]
    refused(TrustError, "signature.invalid", f"{head}.{forged}.{tail}")
    refused(TrustError, "signature.invalid", "no token")


def test_pins() -> None:
    refused(TrustError, "pins.unknown", signed(), guard(known=pins("ana")))
    refused(TrustError, "pins.unknown", signed(), guard(known=pins("b")))
    refused(TrustError, "pins.unknown", signed(), guard(known=pins("hub")))
    impostor = Pins()
    for one in PEOPLE:
        fingerprint = "0" * 64 if one.name == "b" else one.key.public.fingerprint
        impostor.add(one.role, one.name, fingerprint)
    refused(TrustError, "pins.mismatch", signed(), guard(known=impostor))


def test_an_exchange_that_swaps_a_department_for_its_own() -> None:
    """A card of the right name with another key, in the plan or in the cards: both fail."""
    sybil = person("department", "b")
    cards = [sybil.card if p.name == "b" else p.card for p in PEOPLE]
    refused(TrustError, "pins.mismatch", signed(), cards=cards)
    roster = (PLAN.roster[0], Member("b", sybil.key.public.fingerprint), PLAN.roster[2])
    refused(TrustError, "plan.roster", signed(replace(PLAN, roster=roster)))


def test_cards_that_are_missing_or_malformed() -> None:
    without = [p.card for p in PEOPLE if p.name != "ana"]
    refused(TrustError, "plan.analyst", signed(), cards=without)
    without = [p.card for p in PEOPLE if p.name != "b"]
    refused(TrustError, "plan.roster", signed(), cards=without)
    refused(TrustError, "signature.invalid", signed(), cards=["x"])
    for body in (b"", b"[]", b"{}", b'{"plan": 1, "cards": []}', b'{"plan": "x", "cards": 1}'):
        with pytest.raises(ProtocolError):
            read_opening(body)


def test_a_plan_that_names_other_keys_than_its_analysts() -> None:
    other = SealingKey.generate().public_hex
    refused(TrustError, "plan.analyst", signed(replace(PLAN, analyst_sealing_key=other)))
    refused(TrustError, "plan.analyst", signed(replace(PLAN, analyst_fingerprint="0" * 64)))
    refused(TrustError, "plan.analyst", signed(replace(PLAN, analyst="bob")))


def test_the_plans_affiliation_is_the_pinned_one() -> None:
    known = pins()
    known.add("analyst", "ana", ANA.key.public.fingerprint, "b")
    own = replace(PLAN, affiliation="b", colluders=1)
    lenient = replace(POLICY, min_parties=2)
    assert admitted(signed(own), guard(policy=lenient, known=known)).plan.own == 1
    claimed = refused(TrustError, "plan.affiliation", signed(own), guard(policy=lenient))
    assert "says that ana is of b, pinned here is ana without a department" in claimed.message
    for other in ("", "c"):
        hidden = replace(own, affiliation=other)
        by = guard(policy=lenient, known=known)
        assert "of b" in refused(TrustError, "plan.affiliation", signed(hidden), by).message


def test_clocks() -> None:
    late = refused(PolicyError, "policy.time", signed(), guard(now=NOW + 601))
    assert "expired" in late.message
    early = refused(PolicyError, "policy.time", signed(), guard(now=NOW - 61))
    assert "61 s in the future" in early.message
    assert "clocks" in early.remedy
    admitted(signed(), guard(now=NOW - 59))
    admitted(signed(), guard(now=NOW + 600))
    refused(TrustError, "plan.expires", signed(replace(PLAN, expires_at=NOW + 86_401)))


def test_not_my_business() -> None:
    refused(InputError, "plan.roster", signed(), guard("d"))
    stranger = Guard("a", {}, {}, pins, lambda: NOW)
    refused(PolicyError, "policy.dataset", signed(), stranger)
    other = replace(PLAN, dataset="taxes", aggregate=replace(AGGREGATE, dataset="taxes"))
    refused(PolicyError, "policy.dataset", signed(other))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"dataset_digest": "0" * 64}, "policy.dataset"),
        ({"job": "x"}, "policy.job"),
        ({"threshold": 2}, "policy.threshold"),
        ({"roster": PLAN.roster[:2], "threshold": 2}, "policy.min_parties"),
        ({"epsilon": 2.5}, "policy.epsilon"),
        ({"delta": 1e-3}, "policy.epsilon"),
        ({"project": "other"}, "policy.project"),
        ({"protocol": "he_sum.bfv"}, "policy.protocol"),
        ({"bits": 32, "epsilon": 1e-7}, "policy.bits"),
        ({"mode": "exact", "epsilon": 0.0, "delta": 0.0}, "policy.grants"),
    ],
)
def test_the_judge_is_asked_here_too(change: dict[str, object], code: str) -> None:
    refused(PolicyError, code, signed(replace(PLAN, **change)))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"audience": ("bob",)}, "policy.audience"),
        ({"max_cells": 5}, "policy.max_cells"),
        ({"min_parties": 4}, "policy.min_parties"),
        ({"colluders": 1}, "policy.colluders"),
        ({"columns": {"city": COLUMNS["city"]}}, "policy.uses"),
        ({"columns": COLUMNS | {"age": replace(COLUMNS["age"], uses=frozenset())}}, "policy.uses"),
        ({"columns": COLUMNS | {"city": replace(COLUMNS["city"], codes=("a",))}}, "policy.values"),
    ],
)
def test_own_policy_rules_whatever_the_catalog_says(change: dict[str, object], code: str) -> None:
    refused(PolicyError, code, signed(), guard(policy=replace(POLICY, **change)))


def test_malformed_plans() -> None:
    body = to_json(PLAN)
    for change in ({"extra": 1}, {"epsilon": "much"}, {"aggregate": {"node": "DropTable"}}):
        refused(InputError, "json.shape", ANA.key.sign(PLAN_TYPE, body | change))
    del body["job"]
    refused(InputError, "json.shape", ANA.key.sign(PLAN_TYPE, body))


# --- exact mode


def grants(plan: Plan, **changes: object) -> tuple[str, ...]:
    request = GrantRequest(
        id="cd" * 16, issued_at=NOW - 10, expires_at=NOW + 10_000, analyst=plan.analyst,
        recipient=plan.analyst_fingerprint, dataset=plan.dataset,
        dataset_digest=plan.dataset_digest, statement=plan.statement,
        aggregate=plan.aggregate, purpose=plan.purpose, members=plan.roster,
    )  # fmt: skip
    request = replace(request, **changes)
    return tuple(
        issue_grant(BY_NAME[m.name].key, m.name, request, now=NOW - 5) for m in request.members
    )


EXACT = replace(PLAN, mode="exact", epsilon=0.0, delta=0.0)


def test_exact_needs_every_owners_grant_for_this_very_statement() -> None:
    good = replace(EXACT, grants=grants(EXACT))
    found = admitted(signed(good))
    assert found.calibration is None
    assert found.grant
    refused(PolicyError, "policy.grants", signed(replace(EXACT, grants=grants(EXACT)[:2])))
    wider = replace(AGGREGATE, predicate=None)
    other = replace(EXACT, grants=grants(EXACT, aggregate=wider))
    refused(PolicyError, "grant.mismatch", signed(other))
    late = guard(now=NOW + 500)
    admitted(signed(good), late)
    with pytest.raises(VeilError):
        admitted(signed(replace(EXACT, grants=(good.grants[0],) * 3)))
    with pytest.raises(VeilError):
        admitted(signed(replace(EXACT, grants=(*good.grants[:2], "x.y.z"))))


def test_a_grant_signed_by_somebody_else_counts_for_nothing() -> None:
    sybil = person("department", "b")
    roster = (PLAN.roster[0], Member("b", sybil.key.public.fingerprint), PLAN.roster[2])
    request = GrantRequest(
        id="cd" * 16, issued_at=NOW - 10, expires_at=NOW + 10_000, analyst="ana",
        recipient=PLAN.analyst_fingerprint, dataset="visits",
        dataset_digest=PLAN.dataset_digest, statement=PLAN.statement, aggregate=AGGREGATE,
        purpose=PLAN.purpose, members=roster,
    )  # fmt: skip
    forged = issue_grant(sybil.key, "b", request, now=NOW)
    mine = grants(EXACT)
    refused(TrustError, "grant.owner", signed(replace(EXACT, grants=(mine[0], forged, mine[2]))))


def test_reopened_after_a_restart_without_judging_again() -> None:
    body = write_opening(signed(), [p.card for p in PEOPLE])
    stricter = guard(policy=replace(POLICY, audience=()), now=NOW + 9000)
    again = stricter.reopen(read_opening(body))
    assert again.plan == PLAN
    with pytest.raises(TrustError):
        guard(known=pins("ana")).reopen(read_opening(body))

"""Tampering with a receipt: any one field anywhere is found, and the place is named.

Three attackers: somebody on the way, who has no key; a party of the job that signs something
else with its own key; and somebody who makes everything up with keys of their own.
"""

import copy
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest
import typer

from catalog.algebra import Aggregate, ColumnRef, Key, Measure
from catalog.certificates.grants import GrantRequest, issue_grant
from catalog.certificates.receipts import (
    Facts,
    Receipt,
    Statement,
    issue_receipt,
    plan_hash,
    receipt_of,
    sign_statement,
    statements_needed,
)
from catalog.codec import to_json
from catalog.plan import Member, Plan
from exchange.commands.verify import app
from exchange.proof.receipt import Report, bind_release, make_document, verify_receipt
from protos.faults import InputError
from protos.names import Role
from protos.signing import IdentityKey, Pins, SealingKey, make_card

NOW = 1_800_000_000
COMMAND = typer.main.get_command(app)
TABLE = b"district,n\n440103,5\n"
ALICE, HUB, MALLORY = (IdentityKey.generate() for _ in range(3))
OWNERS = {name: IdentityKey.generate() for name in ("guangzhou", "shenzhen", "foshan", "zhuhai")}
SEALING = SealingKey.generate().public_hex
ROSTER = tuple(Member(name, key.public.fingerprint) for name, key in OWNERS.items())
AGGREGATE = Aggregate("visits", None, (Key(ColumnRef("sex"), ("F", "M")),), (Measure("rows"),))


def card(key: IdentityKey, name: str, role: Role) -> str:
    return make_card(key, name, role, SEALING, NOW - 1000)


@dataclass
class Job:
    """A job whose every part can be made again with something changed."""

    plan: Plan
    statements: dict[str, Statement]
    receipt: Receipt
    cards: list[str]

    def document(self) -> dict[str, Any]:
        """Signs everything with the keys of those who should sign."""
        document = make_document(
            issue_receipt(HUB, "hub", self.receipt, now=NOW + 5),
            {name: sign_statement(OWNERS[name], s) for name, s in self.statements.items()},
            ALICE.sign("veil-plan+jwt", to_json(self.plan)),
            tuple(self.cards),
        )
        return bind_release(ALICE, document, TABLE)


def job(mode: str, survivors: tuple[str, ...] = ("guangzhou", "shenzhen", "zhuhai")) -> Job:
    exact = mode == "exact"
    plan = Plan(
        job="7" * 32,
        issued_at=NOW,
        expires_at=NOW + 600,
        analyst="alice",
        analyst_fingerprint=ALICE.public.fingerprint,
        analyst_sealing_key=SEALING,
        project="default",
        purpose="report",
        dataset="visits",
        dataset_digest="d" * 64,
        statement="SELECT sex, COUNT(*) FROM visits GROUP BY sex",
        aggregate=AGGREGATE,
        mode="exact" if exact else "adhoc",
        protocol="masked_sum",
        bits=64,
        roster=ROSTER,
        threshold=3,
        epsilon=0.0 if exact else 0.5,
        delta=0.0 if exact else 1e-6,
    )
    if exact:
        request = GrantRequest(
            id="a" * 32,
            issued_at=NOW - 9,
            expires_at=NOW + 600,
            analyst="alice",
            recipient=ALICE.public.fingerprint,
            dataset="visits",
            dataset_digest="d" * 64,
            statement=plan.statement,
            aggregate=AGGREGATE,
            purpose="report",
            members=ROSTER,
        )
        tokens = tuple(issue_grant(k, n, request, now=NOW - 5) for n, k in OWNERS.items())
        plan = replace(plan, grants=tokens)
    facts = Facts(
        job=plan.job,
        plan_hash=plan_hash(plan),
        rho=0.0 if exact else 0.004,
        survivors=survivors,
        outcome_digest="e" * 64,
        hidden_cells=1 if exact else 0,
    )
    statements = {
        name: Statement(
            department=name,
            policy_version=f"{number:064x}",
            snapshot=f"{number:032x}",
            bytes_out={"values/shares": 300 + number, "values/masked": 16},
            **{field.name: getattr(facts, field.name) for field in fields(facts)},
        )
        for number, name in enumerate(survivors)
    }
    receipt = receipt_of(plan, facts, statements.values())
    cards = [card(key, name, "department") for name, key in OWNERS.items()]
    cards += [card(ALICE, "alice", "analyst"), card(HUB, "hub", "exchange")]
    return Job(plan, statements, receipt, cards)


def pins() -> Pins:
    known = Pins()
    for name, key in OWNERS.items():
        known.add("department", name, key.public.fingerprint)
    known.add("analyst", "alice", ALICE.public.fingerprint)
    known.add("exchange", "hub", HUB.public.fingerprint)
    return known


def failed(report: Report) -> str:
    """What the failed checks say, as one text."""
    assert not report.ok
    return " | ".join(f"{check.name.en}: {check.what}" for check in report.failures)


@pytest.fixture(params=["exact", "adhoc"])
def whole(request: pytest.FixtureRequest) -> Job:
    return job(request.param)


def test_an_honest_receipt_holds(whole: Job) -> None:
    document = json.loads(json.dumps(whole.document()))
    report = verify_receipt(document, pins(), TABLE)
    assert report.complete, failed(report)
    alone = verify_receipt(document)
    assert alone.ok
    assert not alone.complete
    assert [check.name.en for check in alone.checks if check.ok is None] == [
        "Identities are pinned",
        "Result file",
    ]


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b'"x"', b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"[" * 100_000, b"\x1f\x8b\x08",
     b'{"version":1,"version":2}', b'{"a":NaN}', b'{"a":1e999}', b'{"a":' + b"9" * 5000 + b"}",
     b'{"a":"\\ud800"}', b'{"a":' * 100 + b"1" + b"}" * 100],
)  # fmt: skip
def test_a_file_that_two_readers_would_read_differently_is_refused(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        COMMAND.main([str(path)], standalone_mode=False)
    assert raised.value.code == "receipt.malformed"


def test_a_receipt_with_a_part_twice_is_refused_although_the_last_one_holds(
    tmp_path: Path, whole: Job
) -> None:
    path = tmp_path / "r.json"
    good = json.dumps(whole.document())
    path.write_text(good, "utf-8")
    COMMAND.main([str(path)], standalone_mode=False)
    path.write_text('{"receipt": "what others read", ' + good[1:], "utf-8")
    with pytest.raises(InputError, match="two ways"):
        COMMAND.main([str(path)], standalone_mode=False)


def test_a_file_without_end_is_read_no_further_than_a_receipt_is_long(tmp_path: Path) -> None:
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate(1 << 34)  # sparse
    for path in (huge, Path("/dev/zero")):
        with pytest.raises(InputError) as raised:
            COMMAND.main([str(path)], standalone_mode=False)
        assert raised.value.code == "file.too_long"


def test_an_affiliation_that_the_plan_hides_is_found(whole: Job) -> None:
    known = pins()
    known.add("analyst", "alice", ALICE.public.fingerprint, "foshan")
    report = verify_receipt(whole.document(), known, TABLE)
    assert "alice is of foshan, which the plan does not say" in failed(report)


# --- somebody on the way ---------------------------------------------------------------------


def leaves(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:  # noqa: ANN401
    """Yields every leaf of a JSON value with its path."""
    if isinstance(body, dict | list):
        items = body.items() if isinstance(body, dict) else enumerate(body)
        for key, value in items:
            yield from leaves(value, (*path, key))
    else:
        yield path, body


def changed(value: object) -> object:
    """Returns another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return "changed" if value is None else f"{value}0"


def put(body: Any, path: tuple[Any, ...], value: object) -> Any:  # noqa: ANN401
    """Returns a copy of a JSON value with one leaf replaced."""
    fresh = copy.deepcopy(body)
    at = fresh
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return fresh


def unsigned_changes(token: str) -> Iterator[tuple[str, str]]:
    """Yields the token with each leaf of its header and payload changed, signature kept."""
    parts = token.split(".")
    for number in (0, 1):
        body = json.loads(urlsafe_b64decode(parts[number] + "=="))
        for path, value in leaves(body):
            text = json.dumps(put(body, path, changed(value)), separators=(",", ":"))
            fresh = [*parts]
            fresh[number] = urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
            yield "/".join(map(str, path)), ".".join(fresh)


PARTS = {
    "receipt": "Exchange's signature",
    "plan": "Analyst's signature",
    "release": "Result file",
}


def test_every_field_of_every_token_is_under_a_signature(whole: Job) -> None:
    document = whole.document()
    tried = 0
    for part, named in PARTS.items():
        for where, token in unsigned_changes(document[part]):
            report = verify_receipt({**document, part: token}, pins(), TABLE)
            assert named in failed(report), where
            tried += 1
    for name, honest in document["statements"].items():
        for where, token in unsigned_changes(honest):
            statements = {**document["statements"], name: token}
            report = verify_receipt({**document, "statements": statements}, pins(), TABLE)
            assert f"Each department's signature: statement of {name}" in failed(report), where
            tried += 1
    for number, honest in enumerate(document["cards"]):
        for where, token in unsigned_changes(honest):
            cards = [*document["cards"]]
            cards[number] = token
            report = verify_receipt({**document, "cards": cards}, pins(), TABLE)
            assert f"Identity cards: card {number + 1}" in failed(report), where
            tried += 1
    assert tried > 150


def test_parts_that_are_missing_swapped_or_added_are_named(whole: Job) -> None:
    document, other = whole.document(), job("adhoc")
    statements, cards = document["statements"], document["cards"]
    swapped = {
        **statements,
        "guangzhou": statements["shenzhen"],
        "shenzhen": statements["guangzhou"],
    }
    without = {k: v for k, v in statements.items() if k != "zhuhai"}
    third = replace(other.plan, job="8" * 32)
    foreign = Job(third, other.statements, other.receipt, other.cards).document()
    cases: dict[str, dict[str, Any]] = {
        "unsigned departments is , but the document says zhuhai": {"statements": without},
        "a statement of foshan, which the receipt does not name": {
            "statements": {**statements, "foshan": statements["zhuhai"]}
        },
        "statement of guangzhou": {"statements": swapped},
        "the card of guangzhou is missing": {"cards": cards[1:]},
        "a second card of department guangzhou": {"cards": [*cards, cards[0]]},
        "needs one card of an analyst": {"cards": cards[:4] + cards[5:]},
        "needs one card of an exchange": {"cards": cards[:5]},
        "shares a key": {"cards": [*cards, card(HUB, "second", "exchange")]},
        "has no part in this job": {"cards": [*cards, card(MALLORY, "eve", "department")]},
        "plan hash": {"plan": foreign["plan"]},
        "version 2": {"version": 2},
        "version True": {"version": True},
        "must be a signed token": {"receipt": None},
        "'cards' a list": {"cards": {}},
        "exactly": {"more": 1},
    }
    for named, change in cases.items():
        assert named in failed(verify_receipt({**document, **change}, pins(), TABLE))
    for rubbish in (None, [], {}, "x"):
        assert "Document" in failed(verify_receipt(rubbish))


def test_another_file_or_none_is_found(whole: Job) -> None:
    document = whole.document()
    assert "not the one" in failed(verify_receipt(document, pins(), TABLE + b" "))
    unbound = {**document, "release": None}
    assert "not bound to any file" in failed(verify_receipt(unbound, pins(), TABLE))
    elsewhere = Job(whole.plan, whole.statements, replace(whole.receipt, bits=128), whole.cards)
    stolen = {**document, "release": elsewhere.document()["release"]}
    assert "another receipt" in failed(verify_receipt(stolen, pins(), TABLE))


def test_another_aggregate_than_the_signed_one_is_found(whole: Job) -> None:
    document = whole.document()
    assert verify_receipt(document, pins(), TABLE, outcome_digest="e" * 64).complete
    report = verify_receipt(document, pins(), TABLE, outcome_digest="0" * 64)
    assert "not the one that everybody signed for" in failed(report)


# --- a party of the job that signs something else --------------------------------------------

LIES: dict[str, Any] = {
    "job": "9" * 32,
    "plan_hash": "0" * 64,
    "dataset": "other",
    "dataset_digest": "0" * 64,
    "protocol": "he_sum.bfv",
    "bits": 128,
    "roster": ("guangzhou", "shenzhen", "zhuhai"),
    "survivors": ("guangzhou", "zhuhai", "shenzhen"),
    "dropped": (),
    "unsigned": ("guangzhou",),
    "policy_versions": {"guangzhou": "0" * 64},
    "epsilon": 0.25,
    "delta": 1e-9,
    "rho": 0.001,
    "bytes_out": {"guangzhou": {"values/masked": 1}},
    "outcome_digest": "0" * 64,
    "hidden_cells": 2,
}


@pytest.mark.parametrize("name", [f.name for f in fields(Receipt)])
def test_an_exchange_that_changes_its_receipt_is_found(whole: Job, name: str) -> None:
    lie = {"exact": "adhoc", "adhoc": "exact"}[whole.plan.mode] if name == "mode" else LIES[name]
    whole.receipt = replace(whole.receipt, **{name: lie})
    report = verify_receipt(whole.document(), pins(), TABLE)
    assert name.replace("_", " ") in failed(report).replace("_", " ").replace(
        "policy version ", "policy versions "
    ).replace("bytes that left it", "bytes out")


@pytest.mark.parametrize("name", [f.name for f in fields(Statement) if f.name != "snapshot"])
def test_a_department_that_says_something_else_is_named(whole: Job, name: str) -> None:
    lies = {"department": "foshan", "policy_version": "0" * 64, "bytes_out": {"values/masked": 1}}
    lie = lies.get(name, LIES.get(name))
    honest = whole.statements["shenzhen"]
    whole.statements["shenzhen"] = replace(honest, **{name: lie})
    assert "shenzhen" in failed(verify_receipt(whole.document(), pins(), TABLE))


@pytest.mark.parametrize("name", [f.name for f in fields(Plan)])
def test_an_analyst_who_signs_another_plan_is_found(whole: Job, name: str) -> None:
    value: Any = getattr(whole.plan, name)
    lies: dict[str, Any] = {
        "aggregate": replace(AGGREGATE, measures=()),
        "mode": {"exact": "adhoc", "adhoc": "exact"}[whole.plan.mode],
        "protocol": "sealed",
        "bits": 32,
        "roster": ROSTER[:3],
        "grants": ("x",),
        "order_keys": (("guangzhou", "00"),),
    }
    whole.plan = replace(whole.plan, **{name: lies.get(name, changed(value))})
    failed(verify_receipt(whole.document(), pins(), TABLE))


def test_too_few_survivors_are_found(whole: Job) -> None:
    plan = replace(whole.plan, threshold=4)
    digest = plan_hash(plan)
    statements = {n: replace(s, plan_hash=digest) for n, s in whole.statements.items()}
    receipt = replace(whole.receipt, plan_hash=digest)
    report = verify_receipt(Job(plan, statements, receipt, whole.cards).document(), pins(), TABLE)
    assert "3 departments answered, the plan needs 4" in failed(report)


def test_all_agreeing_on_too_much_privacy_spent_are_found() -> None:
    colluding = job("adhoc")
    colluding.statements = {n: replace(s, rho=0.5) for n, s in colluding.statements.items()}
    colluding.receipt = replace(colluding.receipt, rho=0.5)
    assert "more than the 0.5" in failed(verify_receipt(colluding.document(), pins(), TABLE))


def test_an_exact_plan_without_all_grants_is_found() -> None:
    short = job("exact")
    plan = replace(short.plan, grants=short.plan.grants[:3])
    digest = plan_hash(plan)
    statements = {n: replace(s, plan_hash=digest) for n, s in short.statements.items()}
    receipt = replace(short.receipt, plan_hash=digest)
    report = verify_receipt(Job(plan, statements, receipt, short.cards).document(), pins(), TABLE)
    assert "the grant of zhuhai" in failed(report)


# --- statements that are missing -------------------------------------------------------------


def without(whole: Job, *names: str) -> Job:
    """The same job, in which some had gone before they signed; the exchange is honest."""
    statements = {n: s for n, s in whole.statements.items() if n not in names}
    receipt = replace(
        whole.receipt,
        unsigned=tuple(n for n in whole.receipt.survivors if n in names),
        policy_versions={n: s.policy_version for n, s in statements.items()},
        bytes_out={n: s.bytes_out for n, s in statements.items()},
    )
    return replace(whole, statements=statements, receipt=receipt)


def all_answered(protocol: str = "masked_sum", mode: str = "adhoc") -> Job:
    """Four of four answered; three must sign, whether three or all four values were needed."""
    whole = job(mode, survivors=tuple(OWNERS))
    if protocol == "masked_sum":
        return whole
    plan = replace(whole.plan, protocol="he_sum.bfv", threshold=4)
    statements = {n: replace(s, plan_hash=plan_hash(plan)) for n, s in whole.statements.items()}
    receipt = replace(whole.receipt, plan_hash=plan_hash(plan), protocol="he_sum.bfv")
    return Job(plan, statements, receipt, whole.cards)


@pytest.mark.parametrize("mode", ["exact", "adhoc"])
@pytest.mark.parametrize("protocol", ["masked_sum", "he_sum.bfv"])
def test_a_missing_statement_is_named_and_does_not_undo_the_others(
    protocol: str, mode: str
) -> None:
    whole = without(all_answered(protocol, mode), "foshan")
    assert len(whole.statements) == statements_needed(whole.plan) == 3
    report = verify_receipt(whole.document(), pins(), TABLE)
    assert report.ok, failed(report)
    assert not report.complete
    [remark] = [check for check in report.checks if check.remark]
    assert remark.name.en == "Every department that answered has signed"
    assert "foshan did not sign" in str(remark.what)
    assert "3 of 4 signed, 3 are needed" in str(remark.what)


@pytest.mark.parametrize("protocol", ["masked_sum", "he_sum.bfv"])
def test_an_exchange_that_suppresses_too_many_statements_has_no_receipt(protocol: str) -> None:
    few = without(all_answered(protocol), "foshan", "zhuhai")
    assert "only 2 signed, 3 are needed" in failed(verify_receipt(few.document(), pins(), TABLE))
    none = without(all_answered(protocol), *OWNERS)
    assert "only 0 signed" in failed(verify_receipt(none.document(), pins(), TABLE))
    # Nor does it help to move the one whose statement is suppressed to those who dropped out.
    moved = without(all_answered(), "foshan")
    survivors = tuple(n for n in OWNERS if n != "foshan")
    moved.receipt = replace(moved.receipt, unsigned=(), survivors=survivors, dropped=("foshan",))
    assert "guangzhou: survivors" in failed(verify_receipt(moved.document(), pins(), TABLE))


def test_one_department_alone_must_sign() -> None:
    whole = job("adhoc", survivors=("guangzhou",))
    plan = replace(whole.plan, protocol="sealed", roster=ROSTER[:1], threshold=1)
    reference = plan_hash(plan)
    statements = {n: replace(s, plan_hash=reference) for n, s in whole.statements.items()}
    receipt = replace(
        whole.receipt, plan_hash=reference, protocol="sealed", roster=("guangzhou",), dropped=()
    )
    alone = Job(plan, statements, receipt, [whole.cards[0], *whole.cards[4:]])
    assert verify_receipt(alone.document(), pins(), TABLE).complete
    silent = without(alone, "guangzhou")
    assert "only 0 signed, 1 are" in failed(verify_receipt(silent.document(), pins(), TABLE))


@pytest.mark.parametrize(
    ("field", "lie", "said"),
    [
        ("policy_versions", "0" * 64, "policy version of foshan, which nobody has signed"),
        ("bytes_out", {"values/masked": 1}, "bytes that left it of foshan, which nobody has"),
    ],
)
@pytest.mark.parametrize("kept", [True, False])
def test_what_a_suppressed_statement_would_have_said_is_absent_or_not_believed(
    field: str, lie: object, said: str, kept: bool
) -> None:
    """Neither an invented figure nor the department's own true one passes without its name."""
    whole = all_answered()
    honest = getattr(whole.receipt, field)["foshan"]
    short = without(whole, "foshan")
    claims = {**getattr(short.receipt, field), "foshan": honest if kept else lie}
    short.receipt = replace(short.receipt, **{field: claims})
    assert said in failed(verify_receipt(short.document(), pins(), TABLE))
    assert "foshan" not in {**without(whole, "foshan").receipt.bytes_out}


def test_who_signed_cannot_be_called_unsigned_nor_the_other_way_round() -> None:
    whole = all_answered()
    whole.receipt = replace(whole.receipt, unsigned=("foshan",))
    assert "unsigned" in failed(verify_receipt(whole.document(), pins(), TABLE))
    silent = without(all_answered(), "foshan")
    silent.receipt = replace(silent.receipt, unsigned=())
    assert "the document says foshan" in failed(verify_receipt(silent.document(), pins(), TABLE))


def test_who_holds_the_document_cannot_take_a_statement_out_of_it() -> None:
    document = all_answered().document()
    for name in OWNERS:
        left = {n: token for n, token in document["statements"].items() if n != name}
        said = failed(verify_receipt({**document, "statements": left}, pins(), TABLE))
        assert f"the document says {name}" in said
        assert f"policy version of {name}, which nobody has signed" in said


def test_a_suppressed_contradiction_leaves_its_department_named() -> None:
    """What an exchange can still hide, from up to a third: that one of them did not agree."""
    whole = all_answered()
    other = replace(whole.statements["foshan"], rho=0.5)
    whole.statements["foshan"] = other
    assert "foshan" in failed(verify_receipt(whole.document(), pins(), TABLE))
    report = verify_receipt(without(whole, "foshan").document(), pins(), TABLE)
    assert report.ok
    assert any("foshan did not sign" in str(check.what) for check in report.checks)


# --- somebody who makes everything up --------------------------------------------------------


def test_a_card_of_somebody_else_does_not_pass_as_a_member(whole: Job) -> None:
    whole.cards[1] = card(MALLORY, "shenzhen", "department")
    assert "statement of shenzhen" in failed(verify_receipt(whole.document(), pins(), TABLE))
    whole.cards[1] = card(OWNERS["shenzhen"], "shenzhen", "department")
    whole.cards[2] = card(MALLORY, "foshan", "department")  # foshan dropped: no statement
    assert "the card of foshan has another key" in failed(verify_receipt(whole.document()))


def test_only_pins_find_an_exchange_that_is_made_up_whole(whole: Job) -> None:
    whole.cards[5] = card(MALLORY, "hub", "exchange")
    document = whole.document()
    document["receipt"] = issue_receipt(MALLORY, "hub", whole.receipt, now=NOW + 5)
    document = bind_release(ALICE, document, TABLE)
    assert verify_receipt(document, table=TABLE).ok
    assert "Identities are pinned" in failed(verify_receipt(document, pins(), TABLE))


def test_a_receipt_dated_before_its_plan_is_found(whole: Job) -> None:
    document = whole.document()
    document["receipt"] = issue_receipt(HUB, "hub", whole.receipt, now=NOW - 600)
    document = bind_release(ALICE, document, TABLE)
    assert "before the plan" in failed(verify_receipt(document, pins(), TABLE))

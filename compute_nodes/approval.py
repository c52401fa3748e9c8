"""An owner's answer to a grant request: seen in full, signed with the department's own key.

The owner sees what nodes would compute, written from the algebra; the analyst's own SQL text is a
comment beside it that nothing verifies. Two exact answers over overlapping people can be
subtracted from each other. So the owner sees the earlier exact releases and open grants on the
dataset; a request for another statement over it is refused unless its population is provably
disjoint from theirs or the owner overrides.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from catalog.algebra import BoolOp, ColumnRef, Compare, Constant, Expr, InList
from catalog.algebra_text import aggregate_text
from catalog.certificates.decisions import Decision
from catalog.certificates.grants import GrantRequest, issue_grant, read_granted, read_request
from catalog.codec import dataset_digest
from catalog.config import load_dataset
from catalog.typing_rules import MAX_DECIMALS
from compute_nodes.answering import send_answer
from compute_nodes.config import load_node_config
from compute_nodes.deciding import Ruling, rule_on
from compute_nodes.ending import ended_by_officers
from compute_nodes.jobs.requests import DENIED, ENDED, GRANT
from compute_nodes.officers import GrantRules
from compute_nodes.rpc.membership import Membership
from compute_nodes.store import NodeStore, RequestRow
from desensitize.column import Column
from protos.cards import Pins
from protos.faults import InputError, PolicyError, TrustError
from protos.identity import IdentityKey
from protos.language import Text, Words, joined

LOG: Final = logging.getLogger("veil.node")


@dataclass(frozen=True)
class Considered:
    """A request as the owner should see it.

    Attributes:
        row: As it was kept.
        request: Verified against the pins; None if it does not hold (any more).
        problem: Why it does not hold, or "".
        computed: What nodes would compute, or "" without a request.
        overlaps: What was granted before over people who may be the same, as it was computed.
    """

    row: RequestRow
    request: GrantRequest | None
    problem: Words
    computed: str
    overlaps: tuple[Text, ...]


def consider(directory: Path, store: NodeStore, row: RequestRow) -> Considered:
    """Verifies a request and looks for earlier exact releases that it overlaps with."""
    pins, now = Pins.load(directory / "pins.toml"), int(time.time())
    try:
        request = read_request(row.token, pins, now=now)
    except TrustError as error:
        return Considered(row, None, error.said, "", ())
    columns = _declared(directory, request.dataset)
    found = (
        _overlapping(request, earlier, columns)
        for earlier in store.requests()
        if earlier.state == "granted" and earlier.id != row.id
    )
    overlaps = tuple(text for text in found if text is not None)
    return Considered(row, request, "", aggregate_text(request.aggregate, columns), overlaps)


def approve(directory: Path, prefix: str, *, override: bool = False) -> str:
    """Signs and sends a grant, or sends again what was signed before; returns the request's id.

    Raises:
        InputError: No such request.
        TrustError: The request does not hold.
        PolicyError: It overlaps with an earlier exact release.
    """
    store = NodeStore(directory / "store.sqlite")
    store.open()
    try:
        member = Membership.load(directory)
        # One transaction, so that of two approvals at one moment the second sees the first: also
        # in another process. Kept before it is sent: what this owner has allowed is never unknown
        # to itself.
        with store.db.write() as db:
            row = store.request(prefix)
            if store.ends.of(db, row.id) is not None:
                raise InputError(
                    Text("this grant was revoked, which has no way back", "此授权已撤销，不可恢复"),
                    remedy=Text("have the analyst ask anew", "请分析员重新申请"),
                    code="grant.ended",
                )
            token = row.answer if row.state == "granted" else None
            if token is None:
                token = _signed(
                    directory, member, consider(directory, store, row), override=override
                )
                store.keep_answer(db, row.id, "granted", token)
        send_answer(directory, member, row.id, GRANT, token)
        return row.id
    finally:
        store.close()


def answer_decisions(
    directory: Path, store: NodeStore, department: str, request: str, decisions: Sequence[Decision]
) -> tuple[str, str] | None:
    """Keeps decisions on a request; by the department's rules they make a grant, or end one.

    What a person would have to weigh (an overlap with an earlier release) stays for a person, and
    so does what was denied before.

    Args:
        directory: The node's; its rules are read anew.
        store: The node's, opened.
        department: The node's name.
        request: Id of a request.
        decisions: Whose signatures hold; what was kept before counts as well.

    Returns:
        Kind and body of the answer, also if it was signed before: the grant, or that it has ended;
        None if the request waits for a hand.

    Raises:
        InputError: The rules are malformed.
    """
    try:
        rules = load_node_config(directory).grants
    except InputError:
        store.add_decisions(request, decisions)  # for when the file is mended
        raise
    officers = frozenset() if rules is None else frozenset(each.key for each in rules.officer)
    store.add_decisions(request, decisions, officers)
    with store.db.write() as db:
        row = store.request(request)
        if row.state == "granted":
            ended = ended_by_officers(directory, store, db, rules, department, row)
            return (GRANT, row.answer) if ended is None else (ENDED, ended)
        if rules is None or row.state != "waiting":
            return None
        considered = consider(directory, store, row)
        ruling = ruling_on(rules, store, department, considered)
        if ruling is None or not ruling.enough or considered.overlaps:
            return None
        if considered.request is None or not _as_declared(directory, considered.request):
            return None
        key = IdentityKey.load(directory / "identity.key")
        token = issue_grant(key, department, considered.request, now=int(time.time()))
        store.keep_answer(db, row.id, "granted", token)
    who = ", ".join(each.who for each in ruling.heard if each.counts)
    LOG.info("granted %s on the decisions of %s", row.id[:12], who)
    return GRANT, token


def ruling_on(
    rules: GrantRules | None, store: NodeStore, department: str, considered: Considered
) -> Ruling | None:
    """What the rules say to a request; None if there are none, or it does not hold."""
    if rules is None or considered.request is None:
        return None
    return rule_on(
        rules,
        store.decisions(considered.row.id),
        department=department,
        request=considered.row.token,
        dataset=considered.request.dataset,
        now=dt.datetime.now(dt.UTC),
    )


def _as_declared(directory: Path, request: GrantRequest) -> bool:
    """Whether the request is about the very declaration that this owner holds."""
    sources = load_node_config(directory).data
    declared = {d.name: d for d in (load_dataset(source.dataset) for source in sources)}
    dataset = declared.get(request.dataset)
    return dataset is not None and dataset_digest(dataset) == request.dataset_digest


def deny(directory: Path, prefix: str, reason: str) -> str:
    """Denies a request; returns its id."""
    store = NodeStore(directory / "store.sqlite")
    store.open()
    try:
        row = store.request(prefix)
        _keep_denial(store, row.id, reason)
        send_answer(directory, Membership.load(directory), row.id, DENIED, reason)
        return row.id
    finally:
        store.close()


def _signed(directory: Path, member: Membership, considered: Considered, *, override: bool) -> str:
    """Signs what was considered, if it may be."""
    if considered.request is None:
        raise TrustError(considered.problem, code="grant.request")
    if considered.overlaps and not override:
        earlier = joined(considered.overlaps)
        raise PolicyError(
            Text(
                f"this may concern the same people as what was granted before: {earlier.en}",
                f"这可能与此前已授权的内容涉及相同的人：{earlier.zh}",
            ),
            remedy=Text(
                "two exact answers can be subtracted; deny it, or --override-overlap",
                "两次精确结果可以相减；请拒绝，或使用 --override-overlap",
            ),
            code="grant.overlap",
        )
    key = IdentityKey.load(directory / "identity.key")
    return issue_grant(key, member.name, considered.request, now=int(time.time()))


def _keep_denial(store: NodeStore, request: str, reason: str) -> None:
    """Keeps a denial, unless the request was granted: also a moment ago, by another process."""
    with store.db.write() as db:
        kept = db.execute(
            "UPDATE grant_request SET state = 'denied', answer = ?"
            " WHERE id = ? AND state <> 'granted'",
            (reason, request),
        ).rowcount
    if not kept:
        raise InputError(
            Text(
                "it was granted before, so it cannot be denied",
                "此前已授权，不能再拒绝",
            ),
            remedy=Text(
                "end the grant: veil node grants revoke", "请撤销授权：veil node grants revoke"
            ),
            code="grant.granted",
        )


def _declared(directory: Path, dataset: str) -> Mapping[str, Column]:
    """This owner's own declaration of a dataset; none if it holds no such data."""
    sources = load_node_config(directory).data
    declared = {d.name: d.columns for d in (load_dataset(s.dataset) for s in sources)}
    return declared.get(dataset, {})


def _overlapping(
    request: GrantRequest, earlier: RequestRow, columns: Mapping[str, Column]
) -> Text | None:
    """What an earlier grant released, if it may be about the same people; else None."""
    try:
        other = read_granted(earlier.token)
    except TrustError as error:
        return Text(
            f"request {earlier.id[:12]}, which cannot be read any more ({error.message})",
            f"申请 {earlier.id[:12]}，已无法读取（{error.said.zh}）",
        )
    if other.dataset != request.dataset or not _overlap(request, other):
        return None
    names = [member.name for member in other.members]
    text = aggregate_text(other.aggregate, columns)
    return Text(f"{text} (by {', '.join(names)})", f"{text}（{'、'.join(names)}）")


def _overlap(a: GrantRequest, b: GrantRequest) -> bool:
    """Whether two statements may concern the same people.

    The very same aggregate by the same departments is no overlap: it gives the same figures. By
    other departments it is: {A, B, C} minus {A, B} is C. Two filters are disjoint if both fix one
    column to different constants.
    """
    if a.aggregate == b.aggregate:
        return a.members != b.members
    fixed_a, fixed_b = _fixed(a.aggregate.predicate), _fixed(b.aggregate.predicate)
    return not any(
        column in fixed_b and fixed_a[column].isdisjoint(fixed_b[column]) for column in fixed_a
    )


def _fixed(predicate: Expr | None) -> dict[str, frozenset[object]]:
    """Columns that a conjunction fixes to constants, with those constants."""
    match predicate:
        case BoolOp(op="and", args=args):
            merged: dict[str, frozenset[object]] = {}
            for arg in args:
                for column, values in _fixed(arg).items():
                    merged[column] = merged[column] & values if column in merged else values
            return merged
        case Compare(op="=", left=ColumnRef(name=name), right=Constant() as constant):
            return _values(name, (constant,))
        case InList(arg=ColumnRef(name=name), items=items):
            return _values(name, items)
        case _:
            return {}


def _values(column: str, constants: tuple[Constant, ...]) -> dict[str, frozenset[object]]:
    """The constants as they are compared; nothing if one of them has no sense."""
    if not all(0 <= constant.decimals <= MAX_DECIMALS for constant in constants):
        return {}
    return {column: frozenset(map(_written, constants))}


def _written(constant: Constant) -> object:
    """One number has one form: 30 and 30.0 do not make people differ."""
    if constant.type in {"integer", "decimal"} and isinstance(constant.value, int):
        return Fraction(constant.value, 10**constant.decimals)
    return constant.type, constant.value

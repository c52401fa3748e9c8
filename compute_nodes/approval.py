"""An owner's answer to a grant request: seen in full, signed with the department's own key.

Two exact answers over overlapping people can be subtracted from each other. So the owner sees the
earlier exact releases and open grants on the dataset; a request for another statement over it is
refused unless its population is provably disjoint from theirs or the owner overrides.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from catalog.algebra import Compare, Expr, InList
from catalog.certificates.grants import GrantRequest, issue_grant, read_request
from compute_nodes.jobs.requests import grant_answer
from compute_nodes.rpc.link import ExchangeLink
from compute_nodes.rpc.membership import Membership, TlsFiles
from compute_nodes.store import NodeStore, RequestRow
from protos.cards import Pins
from protos.faults import InputError, PolicyError, TrustError
from protos.identity import IdentityKey


@dataclass(frozen=True)
class Considered:
    """A request as the owner should see it.

    Attributes:
        row: As it was kept.
        request: Verified against the pins; None if it does not hold (any more).
        problem: Why it does not hold, or "".
        overlaps: Earlier granted requests on the dataset whose people may be the same.
    """

    row: RequestRow
    request: GrantRequest | None
    problem: str
    overlaps: tuple[GrantRequest, ...]


def consider(directory: Path, store: NodeStore, row: RequestRow) -> Considered:
    """Verifies a request and looks for earlier exact releases that it overlaps with."""
    pins, now = Pins.load(directory / "pins.toml"), int(time.time())
    try:
        request = read_request(row.token, pins, now=now)
    except TrustError as error:
        return Considered(row, None, error.message, ())
    overlaps = []
    for earlier in store.requests():
        if earlier.state == "granted" and earlier.id != row.id:
            other = _read_old(earlier, pins)
            if other is not None and other.dataset == request.dataset and _overlap(request, other):
                overlaps.append(other)
    return Considered(row, request, "", tuple(overlaps))


def approve(directory: Path, prefix: str, *, override: bool = False) -> str:
    """Signs and sends a grant; returns the request's id.

    Raises:
        InputError: No such request.
        TrustError: The request does not hold.
        PolicyError: It overlaps with an earlier exact release.
    """
    store = NodeStore(directory / "store.sqlite")
    store.open()
    try:
        row = store.request(prefix)
        considered = consider(directory, store, row)
        if considered.request is None:
            raise TrustError(considered.problem, code="grant.request")
        if considered.overlaps and not override:
            earlier = "; ".join(other.statement for other in considered.overlaps)
            raise PolicyError(
                f"this may concern the same people as what was granted before: {earlier}",
                remedy="two exact answers can be subtracted; deny it, or --override-overlap",
                code="grant.overlap",
            )
        member = Membership.load(directory)
        token = issue_grant(
            IdentityKey.load(directory / "identity.key"),
            member.name,
            considered.request,
            now=int(time.time()),
        )
        # Kept before it is sent: what this owner has allowed is never unknown to itself.
        store.answer_request(row.id, "granted", token)
        _send(directory, member, row.id, "grant", token)
        return row.id
    finally:
        store.close()


def deny(directory: Path, prefix: str, reason: str) -> str:
    """Denies a request; returns its id."""
    store = NodeStore(directory / "store.sqlite")
    store.open()
    try:
        row = store.request(prefix)
        if row.state == "granted":
            raise InputError(
                "it was granted before; a signed grant cannot be taken back",
                remedy="it ends by itself; later requests can be denied",
                code="grant.granted",
            )
        store.answer_request(row.id, "denied", reason)
        _send(directory, Membership.load(directory), row.id, "denied", reason)
        return row.id
    finally:
        store.close()


def _send(directory: Path, member: Membership, request: str, kind: str, body: str) -> None:
    link = ExchangeLink(
        member.exchange, TlsFiles.within(directory), session=lambda: secrets.token_hex(16)
    )
    link.start()
    try:
        link.push(grant_answer(request, member.name, kind, body))
    finally:
        link.close()


def _read_old(row: RequestRow, pins: Pins) -> GrantRequest | None:
    try:
        return read_request(row.token, pins, now=row.received_at)
    except TrustError:
        return None  # its analyst is not pinned any more, so nobody holds its answer legitimately


def _overlap(a: GrantRequest, b: GrantRequest) -> bool:
    """Whether two statements may concern the same people.

    The very same aggregate is no overlap: it gives the same figures. Two filters are disjoint if
    both fix one column to different constants.
    """
    if a.aggregate == b.aggregate:
        return False
    fixed_a, fixed_b = _fixed(a.aggregate.predicate), _fixed(b.aggregate.predicate)
    return not any(
        column in fixed_b and fixed_a[column].isdisjoint(fixed_b[column]) for column in fixed_a
    )


def _fixed(predicate: Expr | None) -> dict[str, frozenset[object]]:
    """Columns that a conjunction fixes to constants, with those constants."""
    from catalog.algebra import BoolOp, ColumnRef, Constant

    match predicate:
        case BoolOp(op="and", args=args):
            merged: dict[str, frozenset[object]] = {}
            for arg in args:
                for column, values in _fixed(arg).items():
                    merged[column] = merged[column] & values if column in merged else values
            return merged
        case Compare(op="=", left=ColumnRef(name=name), right=Constant(value=value)):
            return {name: frozenset({value})}
        case InList(arg=ColumnRef(name=name), items=items):
            return {name: frozenset(item.value for item in items)}
        case _:
            return {}

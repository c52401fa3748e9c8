"""A department ends its grant: by the operator's hand, or by an officer's signed *no* behind it.

The node is the law, so it must know of the end itself. Whoever relays an officer's word can hold
it back; then the operator ends the grant here, and nobody else is needed.
"""

from __future__ import annotations

import datetime as dt
import logging
import sqlite3
import time
from pathlib import Path
from typing import Final

from catalog.certificates.decisions import Decision
from catalog.certificates.grant_ends import end_grant
from catalog.certificates.grants import read_grant, read_granted
from compute_nodes.answering import send_answer
from compute_nodes.deciding import rule_on
from compute_nodes.jobs.requests import ENDED
from compute_nodes.officers import GrantRules
from compute_nodes.rpc.membership import Membership
from compute_nodes.store import NodeStore, RequestRow
from protos.faults import InputError, VeilError
from protos.identity import IdentityKey
from protos.language import Text

LOG: Final = logging.getLogger("veil.node")


def revoke(directory: Path, prefix: str, reason: str) -> tuple[str, VeilError | None]:
    """Ends a grant by hand; it counts here from this moment, whether the exchange hears it or not.

    Args:
        directory: The node's.
        prefix: Beginning of the request's id.
        reason: In words; the analyst reads it.

    Returns:
        The request's id, and why the exchange could not be told; None if it was.

    Raises:
        InputError: There is no such grant, or no reason.
    """
    store = NodeStore(directory / "store.sqlite")
    store.open()
    try:
        with store.db.write() as db:
            row = store.request(prefix)
            token = store.ends.of(db, row.id) or _end(directory, store, db, row, reason)
    finally:
        store.close()
    try:
        send_answer(directory, Membership.load(directory), row.id, ENDED, token)
    except VeilError as error:
        return row.id, error
    return row.id, None


def ended_by_officers(
    directory: Path,
    store: NodeStore,
    db: sqlite3.Connection,
    rules: GrantRules | None,
    department: str,
    row: RequestRow,
) -> str | None:
    """Ends a grant if an officer has said no since it was signed.

    Args:
        directory: The node's.
        store: The node's, opened.
        db: Of the transaction.
        rules: Of the department; None knows no officers.
        department: Its name.
        row: A request that was granted.

    Returns:
        The signed end, also of before; None while the grant stands.
    """
    token = store.ends.of(db, row.id)
    if token is not None or rules is None:
        return token
    ruling = rule_on(
        rules, store.decisions(row.id), department=department, request=row.token,
        dataset=read_granted(row.token).dataset, now=dt.datetime.now(dt.UTC),
    )  # fmt: skip
    heard = store.ends.heard(db, row.id)
    since = [each for each in ruling.against if each.id not in heard]
    if not since:
        return None
    LOG.info("ended the grant of %s on the decision of %s", row.id[:12], since[-1].fingerprint)
    return _end(directory, store, db, row, _reason(since[-1]))


def _end(
    directory: Path, store: NodeStore, db: sqlite3.Connection, row: RequestRow, reason: str
) -> str:
    if row.state != "granted":
        raise InputError(
            Text("this request was not granted", "该申请未曾授权"),
            remedy=Text("deny it: veil node grants deny", "请拒绝：veil node grants deny"),
            code="grant.not_granted",
        )
    key = IdentityKey.load(directory / "identity.key")
    token = end_grant(key, row.answer, reason, now=int(time.time()))
    store.ends.keep(db, row.id, read_grant(row.answer).id, token)
    return token


def _reason(decision: Decision) -> str:
    return decision.reasons.strip() or decision.verdict

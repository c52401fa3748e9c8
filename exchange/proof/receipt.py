"""The receipt document, and its verification offline: no network, no exchange, no trust needed.

The document is one JSON object that the analyst keeps beside the result::

    {"version": 1, "receipt": vc+jwt of the exchange, "statements": {department: JWS},
     "plan": the analyst's signed plan, "cards": [card, …], "release": JWS of the analyst or null}

Verification reads it (``exchange.proof.receipt_evidence``) and then asks independent questions
(``exchange.proof.receipt_checks``). Every check says what it found, or what is wrong and where.
Without pins the document is only consistent with itself: somebody could have made up everyone in
it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from catalog.certificates.receipts import RELEASE_TYPE
from catalog.certificates.report import Check, Report
from exchange.proof.receipt_checks import CHECKS, NotAsked, Remark
from exchange.proof.receipt_evidence import VERSION, Evidence, read_document
from protos.canonical import digest
from protos.cards import Pins
from protos.faults import VeilError
from protos.identity import IdentityKey, unverified_claims
from protos.language import Text, Words

__all__ = ["Check", "Report", "bind_release", "make_document", "verify_receipt"]


def make_document(
    receipt: str, statements: Mapping[str, str], plan: str, cards: tuple[str, ...]
) -> dict[str, Any]:
    """Puts a receipt document together, not yet bound to a result's file."""
    return {
        "version": VERSION,
        "receipt": receipt,
        "statements": dict(statements),
        "plan": plan,
        "cards": list(cards),
        "release": None,
    }


def bind_release(key: IdentityKey, document: Mapping[str, Any], table: bytes) -> dict[str, Any]:
    """Binds the result's file to the receipt with the analyst's signature.

    Args:
        key: The analyst's identity.
        document: The receipt document.
        table: The file, byte for byte.

    Returns:
        A new document with ``release``.
    """
    claims = {
        "receipt": digest(unverified_claims(document["receipt"])),
        "table": hashlib.sha256(table).hexdigest(),
    }
    return {**document, "release": key.sign(RELEASE_TYPE, claims)}


def verify_receipt(
    document: object,
    pins: Pins | None = None,
    table: bytes | None = None,
    *,
    outcome_digest: str | None = None,
) -> Report:
    """Checks a receipt document.

    Args:
        document: The parsed JSON, from anywhere.
        pins: Whom the reader trusts; without them, identities are not compared.
        table: The result's file, to compare with the release.
        outcome_digest: SHA-256 (hex) of the aggregate, for the analyst who holds it.

    Returns:
        Every check in order; never raises for a bad document.
    """
    read: list[Check] = []
    evidence = read_document(document, read)
    if evidence is None:
        return Report(tuple(read))
    evidence = replace(evidence, pins=pins, table=table, outcome_digest=outcome_digest)
    return Report((*read, *(_ask(name, check, evidence) for name, check in CHECKS)))


def _ask(name: Text, check: Callable[[Evidence], Words], evidence: Evidence) -> Check:
    try:
        return Check(name, ok=True, what=check(evidence))
    except Remark as remark:
        return Check(name, ok=True, what=remark.said, remark=True)
    except NotAsked as reason:
        return Check(name, ok=None, what=reason.said)
    except VeilError as error:
        return Check(name, ok=False, what=error.said)

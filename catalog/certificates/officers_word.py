"""An officer's signed word: what decisions and sign-offs have in common.

A small Verifiable Credential with an ``eddsa-jcs-2022`` proof and an end, as attestations have it,
so that an officer has one key for all of them. Reading checks form and signature; whose key it is,
and whether that officer is in office now, is the reader's to know.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protos.canonical import canonical
from protos.data_integrity import CONTEXTS, check, read_time, secure, written
from protos.did_key import did_of, fingerprint_of

MOST_BYTES: Final = 64 << 10
_SKEW: Final = dt.timedelta(minutes=5)  # as for attestations
_MEMBERS: Final = frozenset(
    {"@context", "id", "type", "issuer", "validFrom", "validUntil", "credentialSubject", "proof"}
)


@dataclass(frozen=True, kw_only=True)
class OfficersWord:
    """A word whose signature holds.

    Attributes:
        id: ``urn:uuid``, the officer's own; nobody takes the same twice.
        fingerprint: Of the key that signed, eight groups of four digits.
        created: When, by the signer's clock.
        begins: From when it holds.
        ends: At that time it is over.
        document: What was signed, canonical JSON.
    """

    id: str
    fingerprint: str
    created: dt.datetime
    begins: dt.datetime
    ends: dt.datetime
    document: str

    def valid(self, now: dt.datetime) -> bool:
        """Whether it holds at a time; clocks may differ by five minutes."""
        return max(self.begins, self.created) <= now + _SKEW and now < self.ends


def signed_word(
    kind: str,
    subject: Mapping[str, Any],
    key: Ed25519PrivateKey,
    *,
    now: dt.datetime,
    valid_days: int,
) -> bytes:
    """Returns a signed word, canonical JSON.

    Args:
        kind: Its type besides ``VerifiableCredential``.
        subject: What is said.
        key: The officer's.
        now: The time, with a time zone.
        valid_days: Days for which it holds.
    """
    plain = {
        "@context": list(CONTEXTS),
        "id": UUID(bytes=secrets.token_bytes(16), version=4).urn,
        "type": ["VerifiableCredential", kind],
        "issuer": did_of(key.public_key()),
        "validFrom": written(now),
        "validUntil": written(now + dt.timedelta(days=valid_days)),
        "credentialSubject": dict(subject),
    }
    return canonical(secure(plain, key, now))


def heard_word(body: dict[str, Any], kind: str) -> dict[str, Any]:
    """Checks form and signature of a word.

    Args:
        body: The credential.
        kind: The only type that it may have.

    Returns:
        The fields of `OfficersWord`; what is said, the caller reads in ``credentialSubject``.

    Raises:
        ValueError: It is none, or its signature does not hold; also `KeyError`, `TypeError` and
            `AttributeError` where something is not there or not of its type.
    """
    proof = check(body)
    form = (
        body.keys() == _MEMBERS
        and body["@context"] == list(CONTEXTS)
        and body["type"] == ["VerifiableCredential", kind]
        and body["issuer"] == proof.signer
        and UUID(body["id"]).urn == body["id"]
    )
    if not form or proof.created is None:
        raise ValueError(f"no {kind}")
    ends = [read_time(body["validUntil"]), *([proof.expires] if proof.expires else [])]
    return {
        "id": body["id"],
        "fingerprint": fingerprint_of(proof.signer),
        "created": proof.created,
        "begins": read_time(body["validFrom"]),
        "ends": min(ends),
        "document": canonical(body).decode("utf-8"),
    }

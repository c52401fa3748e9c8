"""Proofs of W3C Data Integrity with the cryptosuite ``eddsa-jcs-2022``.

"Data Integrity EdDSA Cryptosuites v1.0" (W3C Recommendation, 15 May 2025), section 3.3: the
document and the proof's own options are each written in their canonical form (JCS, RFC 8785) and
hashed (SHA-256), the options' hash first; Ed25519 (RFC 8032) signs both. Here ``@context`` of the
proof must be the document's own, where the text allows the document to have more.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protos.canonical import canonical
from protos.did_key import did_of, from_multibase, key_of, multibase, verification_method_of
from protos.faults import InputError

CONTEXTS: Final = (
    "https://www.w3.org/ns/credentials/v2",
    "https://www.w3.org/ns/credentials/undefined-terms/v2",
)
"""``@context`` of credentials whose terms have no vocabulary of their own."""
SUITE: Final = "eddsa-jcs-2022"
PURPOSE: Final = "assertionMethod"
_KIND: Final = "DataIntegrityProof"
_SIGNATURE_BYTES: Final = 64
_MEMBERS: Final = frozenset(
    {"@context", "type", "cryptosuite", "created", "expires", "verificationMethod",
     "proofPurpose", "proofValue", "id"}
)  # fmt: skip
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")


@dataclass(frozen=True)
class Proof:
    """A proof whose signature holds.

    Attributes:
        signer: did:key that made it.
        created: When, by the signer's clock; None if it does not say.
        expires: When it ceases to hold; None if never.
    """

    signer: str
    created: dt.datetime | None
    expires: dt.datetime | None


def secure(
    document: Mapping[str, Any], key: Ed25519PrivateKey, created: dt.datetime
) -> dict[str, Any]:
    """Returns the document with a proof.

    Args:
        document: JSON types; without a proof.
        key: The signer's.
        created: The time, with a time zone.
    """
    options = {
        "type": _KIND,
        "cryptosuite": SUITE,
        "created": written(created),
        "verificationMethod": verification_method_of(did_of(key.public_key())),
        "proofPurpose": PURPOSE,
    }
    if "@context" in document:
        options["@context"] = document["@context"]
    value = multibase(key.sign(signed_bytes(document, options)))
    return {**document, "proof": {**options, "proofValue": value}}


def signed_bytes(document: Mapping[str, Any], options: Mapping[str, Any]) -> bytes:
    """Returns the 64 bytes that are signed: hash of the options, hash of the document."""
    return b"".join(hashlib.sha256(canonical(part)).digest() for part in (options, document))


def check(secured: Mapping[str, Any]) -> Proof:
    """Checks the proof of a document; times and who the signer may be are the caller's.

    Raises:
        ValueError: There is no such proof, or it does not hold; says why.
    """
    document = dict(secured)
    proof = document.pop("proof", None)
    if not isinstance(proof, dict):
        raise ValueError("no single proof")  # noqa: TRY004 - one kind of error for all of it
    if unknown := proof.keys() - _MEMBERS:
        raise ValueError(f"unknown members of the proof: {', '.join(sorted(unknown))}")
    for member, wanted in (("type", _KIND), ("cryptosuite", SUITE), ("proofPurpose", PURPOSE)):
        if proof.get(member) != wanted:
            raise ValueError(f"{member} is not {wanted}")
    if proof.get("@context") != document.get("@context"):
        raise ValueError("the proof has another @context than the document")
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    method = proof.get("verificationMethod")
    signer = method.partition("#")[0] if isinstance(method, str) else ""
    key = key_of(signer)
    if method != verification_method_of(signer):
        raise ValueError("the verification method is not its DID's")
    signature = from_multibase(proof.get("proofValue"))
    if len(signature) != _SIGNATURE_BYTES:
        raise ValueError("the signature is not 64 bytes long")
    try:
        key.verify(signature, signed_bytes(document, options))
    except InvalidSignature:
        raise ValueError("the signature does not hold") from None
    except InputError as error:
        raise ValueError("no canonical form") from error
    return Proof(signer, _time(proof, "created"), _time(proof, "expires"))


def written(time: dt.datetime) -> str:
    """Writes a time as an XML Schema dateTimeStamp in UTC, to the second."""
    return time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_time(text: object) -> dt.datetime:
    """Reads a time in UTC.

    Raises:
        ValueError: It is none, or not in UTC.
    """
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise ValueError("no time in UTC")
    return dt.datetime.fromisoformat(text)


def _time(proof: Mapping[str, Any], member: str) -> dt.datetime | None:
    return read_time(proof[member]) if member in proof else None

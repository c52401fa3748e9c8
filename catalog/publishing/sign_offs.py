"""Sign-offs: an officer's decision that exactly one file may be published as one dataset.

A small Verifiable Credential with an ``eddsa-jcs-2022`` proof, as attestations have it. It names
the dataset, the SHA-256 of the published bytes and the role in which it is signed; so it serves
for no other file, dataset or office.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from desensitize.attesting.signing import read_signing_key
from desensitize.releasing.facts import read_release
from protos.canonical import canonical
from protos.data_integrity import CONTEXTS, check, read_time, secure, written
from protos.did_key import did_of, fingerprint_of
from protos.faults import InputError
from protos.keyfile import write_private
from protos.language import Text
from protos.strict_json import read_strict

TYPES: Final = ("VerifiableCredential", "VeilPublicationSignOff")
OFFICES: Final = ("steward", "chief")
MOST_BYTES: Final = 64 << 10
_MEMBERS: Final = frozenset(
    {"@context", "id", "type", "issuer", "validFrom", "validUntil", "credentialSubject", "proof"}
)
_SUBJECT: Final = frozenset({"id", "source", "identifier", "role", "decision"})
_SKEW: Final = dt.timedelta(minutes=5)  # as for attestations


@dataclass(frozen=True)
class SignOff:
    """A decision whose signature holds.

    Attributes:
        fingerprint: Of the key that signed.
        sha256: Of the file that may be published.
        dataset: Source and identifier.
        role: ``steward`` or ``chief``.
        created: When, by the signer's clock.
        begins: From when it holds.
        ends: At that time it is over.
        document: What was signed, canonical JSON.
    """

    fingerprint: str
    sha256: str
    dataset: tuple[str, str]
    role: str
    created: dt.datetime
    begins: dt.datetime
    ends: dt.datetime
    document: str

    def valid(self, now: dt.datetime) -> bool:
        """Whether it holds at a time; clocks may differ by five minutes."""
        return max(self.begins, self.created) <= now + _SKEW and now < self.ends


def sign_off(
    sha256: str,
    dataset: tuple[str, str],
    role: str,
    key: Ed25519PrivateKey,
    *,
    now: dt.datetime,
    valid_days: int = 30,
) -> bytes:
    """Returns a signed decision.

    Args:
        sha256: Of the file, 64 hexadecimal digits.
        dataset: Source and identifier of the dataset that it is published as.
        role: ``steward`` or ``chief``.
        key: The officer's.
        now: The time, with a time zone.
        valid_days: Days within which it must be published.
    """
    plain = {
        "@context": list(CONTEXTS),
        "id": UUID(bytes=secrets.token_bytes(16), version=4).urn,
        "type": list(TYPES),
        "issuer": did_of(key.public_key()),
        "validFrom": written(now),
        "validUntil": written(now + dt.timedelta(days=valid_days)),
        "credentialSubject": {
            "id": f"urn:sha256:{sha256}",
            "source": dataset[0],
            "identifier": dataset[1],
            "role": role,
            "decision": "publish",
        },
    }
    return canonical(secure(plain, key, now))


def sign_off_release(
    release: Path, dataset: tuple[str, str], role: str, key: Path, out: Path, *, valid_days: int
) -> str:
    """Signs for the rows of a release, as they are now, into a new file.

    Returns:
        SHA-256 of the rows' file.

    Raises:
        InputError: The role is no officer's, there is no release, or the file exists.
        TrustError: A file is not the one that the manifest speaks of, or the key is unsafe.
        UnavailableError: Something cannot be read or written.
    """
    if role not in OFFICES:
        raise InputError(
            Text(f"{role[:40]!r} is no officer", f"“{role[:40]}”不是签批角色"),
            remedy=Text(
                "give --role steward or --role chief", "请使用 --role steward 或 --role chief"
            ),
            code="sign_off.role",
        )
    digest = read_release(release).output.sha256
    now = dt.datetime.now(dt.UTC)
    content = sign_off(digest, dataset, role, read_signing_key(key), now=now, valid_days=valid_days)
    write_private(out, content)
    return digest


def read_sign_off(path: Path) -> SignOff:
    """Reads a decision and checks its signature; whether the signer may is the caller's.

    Raises:
        ValueError: It is none, or its signature does not hold; says why.
    """
    try:
        # A pipe or a device would never end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError("no regular file")
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(error.strerror) from error
    try:
        return _read(read_strict(content, most=MOST_BYTES))
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError("no sign-off") from error


def _read(body: dict[str, Any]) -> SignOff:
    proof = check(body)
    subject = body["credentialSubject"]
    form = (
        body.keys() == _MEMBERS
        and body["@context"] == list(CONTEXTS)
        and body["type"] == list(TYPES)
        and body["issuer"] == proof.signer
        and subject.keys() == _SUBJECT
        and all(isinstance(each, str) for each in subject.values())
        and subject["decision"] == "publish"
        and subject["role"] in OFFICES
    )
    if not form or proof.created is None:
        raise ValueError("no sign-off")
    ends = [read_time(body["validUntil"]), *([proof.expires] if proof.expires else [])]
    return SignOff(
        fingerprint_of(proof.signer),
        subject["id"].removeprefix("urn:sha256:"),
        (subject["source"], subject["identifier"]),
        subject["role"],
        proof.created,
        read_time(body["validFrom"]),
        min(ends),
        canonical(body).decode("utf-8"),
    )

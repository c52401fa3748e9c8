"""Sign-offs: an officer's decision that exactly one file may be published as one dataset.

A small Verifiable Credential with an ``eddsa-jcs-2022`` proof, as attestations have it. It names
the dataset, the SHA-256 of the published bytes and the role in which it is signed; so it serves
for no other file, dataset or office.
"""

from __future__ import annotations

import datetime as dt
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.certificates.officers_word import MOST_BYTES, OfficersWord, heard_word, signed_word
from desensitize.attesting.signing import read_signing_key
from desensitize.releasing.facts import read_release
from protos.faults import InputError
from protos.keyfile import write_private
from protos.language import Text
from protos.strict_json import read_strict

KIND: Final = "VeilPublicationSignOff"
OFFICES: Final = ("steward", "chief")
_SUBJECT: Final = frozenset({"id", "source", "identifier", "role", "decision"})


@dataclass(frozen=True, kw_only=True)
class SignOff(OfficersWord):
    """A decision whose signature holds.

    Attributes:
        sha256: Of the file that may be published.
        dataset: Source and identifier.
        role: ``steward`` or ``chief``.
    """

    sha256: str
    dataset: tuple[str, str]
    role: str


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
    subject = {
        "id": f"urn:sha256:{sha256}",
        "source": dataset[0],
        "identifier": dataset[1],
        "role": role,
        "decision": "publish",
    }
    return signed_word(KIND, subject, key, now=now, valid_days=valid_days)


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
    word, subject = heard_word(body, KIND), body["credentialSubject"]
    sound = (
        subject.keys() == _SUBJECT
        and all(isinstance(each, str) for each in subject.values())
        and subject["decision"] == "publish"
        and subject["role"] in OFFICES
    )
    if not sound:
        raise ValueError("no sign-off")
    return SignOff(
        **word,
        sha256=subject["id"].removeprefix("urn:sha256:"),
        dataset=(subject["source"], subject["identifier"]),
        role=subject["role"],
    )

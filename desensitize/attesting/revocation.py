"""Taking an attestation back: a signed statement, by the key that had signed it, for good.

A steward who finds a mistake says so in a file of its own, ``revocation.json``: which attestation,
of which bytes, when and why. It is a W3C Verifiable Credential with the same kind of proof. It lies
beside the attestation, and goes to everybody who may have a copy: whoever checks an attestation
hands over the statements that he knows. What nobody has told him he cannot know; see the guide.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from desensitize.attesting.attestation import ATTESTATION
from desensitize.attesting.attestation import TYPES as OF_COPIES
from desensitize.attesting.checked import VerifyCheck, fails, holds, undecided
from desensitize.attesting.signed_file import write_signed
from desensitize.attesting.signing import read_signing_key
from desensitize.attesting.synthetic import TYPES as OF_SYNTHETIC
from protos.canonical import canonical
from protos.data_integrity import CONTEXTS, check, read_time, secure, written
from protos.did_key import did_of
from protos.faults import InputError, TrustError
from protos.language import Text
from protos.strict_json import read_strict

REVOCATION: Final = "revocation.json"
TYPES: Final = ("VerifiableCredential", "VeilRevocation")
MOST_BYTES: Final = 64 << 10
_MOST_ATTESTATION: Final = 16 << 20
_LONGEST: Final = 1000  # characters of a reason
_MEMBERS: Final = frozenset(
    {"@context", "id", "type", "issuer", "validFrom", "credentialSubject", "proof"}
)


@dataclass(frozen=True)
class Revocation:
    """What such a statement says; its signature holds.

    Attributes:
        attestation: Id of the attestation that is taken back.
        output: SHA-256 of the rows that it was about.
        signer: did:key of who says so.
        at: When.
        reason: Why, for everybody.
    """

    attestation: str
    output: str
    signer: str
    at: dt.datetime
    reason: str


def revoke(
    attestation: str | os.PathLike[str],
    *,
    signing_key: str | os.PathLike[str],
    reason: str,
    out: str | os.PathLike[str] | None = None,
) -> Path:
    """Takes an attestation back.

    Args:
        attestation: The file, or the directory in which it lies.
        signing_key: The key that had signed it.
        reason: Why, for everybody who has the data; one line.
        out: File to write; ``revocation.json`` beside the attestation by default.

    Returns:
        The file.

    Raises:
        InputError: There is no attestation, no reason, or a file already.
        TrustError: Another key had signed it, or the key is unsafe.
        UnavailableError: The file cannot be written.
    """
    path = Path(attestation)
    path = path / ATTESTATION if path.is_dir() else path
    reason = reason.strip()
    if not reason or len(reason) > _LONGEST or not reason.isprintable():
        raise InputError(
            Text("who takes an attestation back says why", "撤销证明须写明理由"),
            remedy=Text(f"give --reason, in one line of at most {_LONGEST:,} characters",
                        f"请填写 --reason（单行，不超过 {_LONGEST:,} 字）"),
            code="revoke.reason",
        )  # fmt: skip
    body, signer = _attestation(path)
    key = read_signing_key(Path(signing_key))
    if did_of(key.public_key()) != signer:
        raise TrustError(
            Text(f"another key had signed {path.name}: {signer}",
                 f"{path.name} 由另一密钥签署：{signer}"),
            remedy=Text("only who has signed can take it back; a publisher can unpublish",
                        "只有签署者可以撤销；发布方可以撤下数据"),
            code="revoke.signer",
        )  # fmt: skip
    now = dt.datetime.now(dt.UTC)
    plain = {
        "@context": list(CONTEXTS),
        "id": UUID(bytes=secrets.token_bytes(16), version=4).urn,
        "type": list(TYPES),
        "issuer": signer,
        "validFrom": written(now),
        "credentialSubject": {
            "id": body["id"],
            "output": body["credentialSubject"]["output"]["sha256"],
            "reason": reason,
        },
    }
    place = path.with_name(REVOCATION) if out is None else Path(out)
    write_signed(place, canonical(secure(plain, key, now)), "revoke")
    return place


def read_revocation(path: Path) -> Revocation:
    """Reads a statement.

    Raises:
        OSError: It cannot be read.
        ValueError: It is none, or its signature does not hold.
    """
    with path.open("rb") as file:
        return revocation_of(file.read(MOST_BYTES + 1))


def revocation_of(content: bytes) -> Revocation:
    """Reads the bytes of a statement.

    Raises:
        ValueError: It is none, or its signature does not hold.
    """
    body = read_strict(content, most=MOST_BYTES)
    proof = check(body)
    about = body.get("credentialSubject")
    if body.keys() != _MEMBERS or body["type"] != list(TYPES) or body["issuer"] != proof.signer:
        raise ValueError("it is no revocation by its signer")
    if not isinstance(about, dict) or about.keys() != {"id", "output", "reason"}:
        raise ValueError("what it takes back is incomplete")
    if not all(isinstance(each, str) for each in about.values()):
        raise ValueError("what it takes back is no text")
    at = read_time(body["validFrom"])
    return Revocation(about["id"], about["output"], proof.signer, at, about["reason"])


def check_revoked(
    attestation: Path, body: Mapping[str, Any], known: Iterable[str | os.PathLike[str]]
) -> VerifyCheck:
    """Says whether an attestation was taken back, as far as anybody here knows.

    Args:
        attestation: The file; a statement beside it counts as known.
        body: What it says; its form was checked.
        known: Statements, or directories with such.
    """
    looked, unread = 0, ""
    for path in _files(attestation, known):
        looked += 1
        try:
            said = read_revocation(path)
        except (OSError, ValueError, TypeError, RecursionError) as error:
            # It may be anybody's; the signer's own word may come after it.
            unread = unread or f"{path.name}: {error}"
            continue
        # Anybody can sign that anything is revoked: only the signer's own word counts.
        if (said.attestation, said.signer) == (body["id"], body["issuer"]):
            return fails("revocation", Text(
                f"the signer took it back on {said.at:%Y-%m-%d}: {said.reason}",
                f"签署者已于 {said.at:%Y-%m-%d} 撤销：{said.reason}",
            ))  # fmt: skip
    if unread:
        return undecided("revocation", Text(
            f"this is no revocation that can be read: {unread}",
            f"不是可读取的撤销声明：{unread}",
        ))  # fmt: skip
    if not looked:
        return holds("revocation", Text(
            "no revocation is known here; the signer's latest ones go with --revocations",
            "此处没有已知的撤销声明；签署者最新的声明请用 --revocations 提供",
        ))  # fmt: skip
    return holds("revocation", Text(
        f"none of {looked} known revocations takes it back", f"已知的 {looked} 份撤销声明均不涉及它"
    ))  # fmt: skip


def _files(attestation: Path, known: Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    beside = attestation.with_name(REVOCATION)
    if os.path.lexists(beside):
        yield beside
    for each in map(Path, known):
        if each.is_dir():
            yield from sorted(each.glob("*.json"))  # nothing, of one that cannot be read
        else:
            yield each


def _attestation(path: Path) -> tuple[dict[str, Any], str]:
    """What an attestation says, and whose signature over it holds."""
    try:
        with path.open("rb") as file:
            body = read_strict(file.read(_MOST_ATTESTATION + 1), most=_MOST_ATTESTATION)
        proof = check(body)
        if body["type"] not in (list(OF_COPIES), list(OF_SYNTHETIC)):
            raise ValueError("it is no attestation of a release")
        about = (body["id"], body["credentialSubject"]["output"]["sha256"])
        if not all(isinstance(each, str) for each in about):
            raise ValueError("it names no bytes")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            Text(f"{path} is no attestation whose signature holds", f"{path} 不是签名有效的证明"),
            remedy=Text("name attestation.json, or the directory of the release",
                        "请指定 attestation.json 或发布目录"),
            code="revoke.attestation",
            detail=f"{type(error).__name__}: {error}",
        ) from error  # fmt: skip
    return body, proof.signer

"""Officers' decisions: what a steward or a chief data officer of one department says to a request.

A small Verifiable Credential with an ``eddsa-jcs-2022`` proof, as sign-offs and attestations have
it, so that an officer has one key for all of them. It names the digest of exactly what was asked,
the department and the office in which it is decided, and the signed requests for grants that it
covers; so it serves for no other request, department or office. The catalog takes it as a step of
a case; a node may take it for its own yes (`exchange` only hands it on).

Reading checks form and signature. Whose key it is, whether that officer is in office now, and how
old a decision may be, are the reader's to know.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.certificates.officers_word import MOST_BYTES, OfficersWord, heard_word, signed_word
from protos.canonical import canonical, digest
from protos.faults import InputError, TrustError
from protos.identity import unverified_claims
from protos.language import Text
from protos.strict_json import read_strict

Office = Literal["steward", "chief"]
Verdict = Literal["approve", "refuse", "return"]
OFFICES: Final[tuple[Office, ...]] = get_args(Office)
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
KIND: Final = "VeilDecision"
FILE_TYPE: Final = "VeilDecisions"
MOST_DECISIONS: Final = 16  # in one file: two officers of each of eight departments
MOST_GRANTS: Final = 100
LONGEST_REASONS: Final = 2000  # characters
_SUBJECT: Final = frozenset(
    {"id", "case", "department", "office", "verdict", "reasons", "grants"}
)  # fmt: skip
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CASE: Final = re.compile(r"[a-z]+/[0-9a-f]{16}", re.ASCII)
_URN: Final = "urn:sha256:"


@dataclass(frozen=True)
class Matter:
    """What is decided.

    Attributes:
        case: Kind and id of the case in the catalog, ``requests/0123456789abcdef``.
        request: SHA-256 (hex) of the canonical JSON of what the case asks.
        grants: For each signed request for a grant that belongs to it, `request_digest`; in the
            order of the case.
    """

    case: str
    request: str
    grants: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Decision(OfficersWord):
    """A decision whose signature holds.

    Attributes:
        matter: What was decided.
        department: Code of the department for which it was decided.
        office: In which it was decided.
        verdict: What was decided.
        reasons: In the officer's words; never empty but for ``approve``.
    """

    matter: Matter
    department: str
    office: Office
    verdict: Verdict
    reasons: str

    def covers(self, request: str) -> bool:
        """Whether it is a yes to a signed request for a grant.

        Args:
            request: The token (``veil-grant-request+jwt``) whose signature the caller has checked.
        """
        return self.verdict == "approve" and request_digest(request) in self.matter.grants


def request_digest(token: str) -> str:
    """Returns the SHA-256 (hex) of a signed request's claims: its name, whoever signs it again.

    Args:
        token: ``veil-grant-request+jwt``; its signature is the caller's to check.

    Raises:
        TrustError: It is no token.
    """
    return digest(unverified_claims(token))


def decide(
    matter: Matter,
    department: str,
    office: Office,
    verdict: Verdict,
    key: Ed25519PrivateKey,
    *,
    now: dt.datetime,
    reasons: str = "",
    valid_days: int = 30,
) -> str:
    """Signs a decision.

    Args:
        matter: What is decided.
        department: Code of the department for which it is decided.
        office: In which it is decided.
        verdict: What is decided.
        key: The officer's.
        now: The time, with a time zone.
        reasons: In words; needed unless the verdict is ``approve``.
        valid_days: Days within which it must be used.

    Returns:
        Canonical JSON.

    Raises:
        InputError: There are no reasons, or something is malformed.
    """
    subject = {
        "id": f"{_URN}{matter.request}",
        "case": matter.case,
        "department": department,
        "office": office,
        "verdict": verdict,
        "reasons": reasons,
        "grants": list(matter.grants),
    }
    if not _sound(subject):
        raise InputError(
            Text("this cannot be decided so", "无法如此作出决定"),
            remedy=Text(
                f"give reasons (at most {LONGEST_REASONS} characters) when you refuse or send back",
                f"拒绝或退回时请说明理由（不超过 {LONGEST_REASONS} 字）",
            ),
            code="decision.malformed",
        )
    content = signed_word(KIND, subject, key, now=now, valid_days=valid_days)
    return content.decode("utf-8")


def read_decision(document: str | bytes) -> Decision:
    """Reads a decision and checks its signature.

    Raises:
        TrustError: It is none, or its signature does not hold; the detail says why.
    """
    content = document.encode("utf-8", "replace") if isinstance(document, str) else document
    try:
        return _read(read_strict(content, most=MOST_BYTES))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _unsound(str(error)) from error


def decision_file(documents: Iterable[str]) -> bytes:
    """Puts decisions into one file, as ``veil grant request --decisions`` takes it."""
    bodies = [read_strict(each.encode("utf-8"), most=MOST_BYTES) for each in documents]
    return canonical({"type": FILE_TYPE, "decisions": bodies})


def read_decision_file(content: bytes) -> tuple[Decision, ...]:
    """Reads a file of decisions; who may decide, and how many it needs, is the caller's to know.

    Raises:
        TrustError: It is none, or one of its signatures does not hold; the detail says why.
    """
    try:
        body = read_strict(content, most=MOST_BYTES * MOST_DECISIONS)
        decisions = body["decisions"]
        if body.keys() != {"type", "decisions"} or body["type"] != FILE_TYPE:
            raise ValueError("no file of decisions")
        if not isinstance(decisions, list) or len(decisions) > MOST_DECISIONS:
            raise ValueError(f"more than {MOST_DECISIONS} decisions")
        return tuple(_read(each) for each in decisions)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _unsound(str(error)) from error


def _read(body: dict[str, Any]) -> Decision:
    word, subject = heard_word(body, KIND), body["credentialSubject"]
    if not _sound(subject):
        raise ValueError("no decision")
    return Decision(
        **word,
        matter=Matter(subject["case"], subject["id"].removeprefix(_URN), tuple(subject["grants"])),
        department=subject["department"],
        office=subject["office"],
        verdict=subject["verdict"],
        reasons=subject["reasons"],
    )


def _sound(subject: dict[str, Any]) -> bool:
    grants = subject["grants"]
    return bool(
        subject.keys() == _SUBJECT
        and all(isinstance(subject[name], str) for name in _SUBJECT - {"grants"})
        and subject["id"].startswith(_URN)
        and _DIGEST.fullmatch(subject["id"].removeprefix(_URN))
        and _CASE.fullmatch(subject["case"])
        and 0 < len(subject["department"]) <= 64
        and subject["office"] in OFFICES
        and subject["verdict"] in VERDICTS
        and len(subject["reasons"]) <= LONGEST_REASONS
        and (subject["reasons"].strip() or subject["verdict"] == "approve")
        and isinstance(grants, list)
        and len(grants) <= MOST_GRANTS
        and len(set(grants)) == len(grants)
        and all(isinstance(each, str) and _DIGEST.fullmatch(each) for each in grants)
    )


def _unsound(detail: str) -> TrustError:
    return TrustError(
        Text("the decision is none, or its signature does not hold", "决定无效，或其签名不成立"),
        remedy=Text(
            "have the officer sign it again: veil request review|approve …",
            "请由签批人重新签署：veil request review|approve …",
        ),
        code="decision.invalid",
        detail=detail,
    )

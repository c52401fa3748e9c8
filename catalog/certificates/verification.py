"""Offline verification of a certificate bundle: question by question, with public keys only.

Each question returns what it found, or raises `TrustError` saying what is wrong and where. Nothing
in the bundle is believed for being there: issuer and witnesses are the reader's own choice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from catalog.certificates import envelope
from catalog.certificates.bundle import Bundle
from catalog.certificates.evidence import (
    NO_POLICY,
    AbsentError,
    Evidence,
    NotAskedError,
    Trust,
    day,
)
from catalog.certificates.grants import SKEW_S
from catalog.certificates.kinds import (
    KINDS,
    TITLES,
    Authorisation,
    Circulation,
    Registration,
    check_source,
    kind_of,
    read_subject,
)
from catalog.certificates.receipts import read_receipt
from catalog.certificates.report import Check, Report
from catalog.certificates.standing import standing
from catalog.transparency.checkpoints import read_proof
from catalog.transparency.log import SALT_BYTES, commitment
from protos.cards import Pins
from protos.compact_jws import unverified_payload
from protos.faults import TrustError, VeilError
from protos.identity import show_fingerprint, unverified_claims
from protos.language import Text, Words, both, joined

_ISSUERS: Final = ("exchange", "department")


def verify_bundle(content: bytes, trust: Trust) -> Report:
    """Checks the file of a bundle; never raises for a bad one."""
    try:
        bundle = Bundle.from_bytes(content)
    except VeilError as error:
        return Report((Check(_READABLE, ok=False, what=error.said),))
    return verify(bundle, trust)


def verify(bundle: Bundle, trust: Trust) -> Report:
    """Checks a bundle; never raises for a bad one."""
    return _verified(bundle, trust, trust.now)[1]


def _verified(bundle: Bundle, trust: Trust, used_at: int) -> tuple[Evidence | None, Report]:
    """Returns what was read, with its report; None if it cannot be read.

    Args:
        bundle: From anywhere.
        trust: The reader's.
        used_at: When it must not have ended yet: now; or earlier, as an authorisation ends, and
            what was made under it stands.
    """
    try:
        evidence = _read(bundle, trust, used_at)
    except VeilError as error:
        return None, Report((Check(_SIGNED, ok=False, what=error.said),))
    kind = TITLES[evidence.credential.kind]
    found = Text(
        f"{kind.en} {evidence.credential.id}, signed by {evidence.credential.issuer}",
        f"{kind.zh}证书 {evidence.credential.id}，由 {evidence.credential.issuer} 签署",
    )
    first = Check(_SIGNED, ok=True, what=found)
    asked = (_ask(name, question, evidence) for name, question in QUESTIONS)
    return evidence, Report((first, *asked))


def _ask(name: Text, question: Callable[[Evidence], Words], evidence: Evidence) -> Check:
    try:
        return Check(name, ok=True, what=question(evidence))
    except NotAskedError as reason:
        return Check(name, ok=None, what=reason.said, absent=isinstance(reason, AbsentError))
    except VeilError as error:
        return Check(name, ok=False, what=error.said)


def _read(bundle: Bundle, trust: Trust, used_at: int) -> Evidence:
    credential = envelope.read(bundle.certificate, *KINDS, with_status=True)
    subject = read_subject(KINDS[credential.kind], credential.subject)
    return Evidence(bundle, credential, subject, read_proof(bundle.proof), trust, used_at)


def _pinned(evidence: Evidence) -> Words:
    pins, credential = evidence.trust.pins, evidence.credential
    shown = show_fingerprint(credential.identity.fingerprint)
    if pins is None:
        raise NotAskedError(
            Text(
                f"no pins were given: compare the fingerprint {shown}",
                f"未提供可信身份（--pins）：请核对指纹 {shown}",
            )
        )
    _check_pinned(pins, credential)
    return Text(f"{credential.issuer} {shown}", f"{credential.issuer} {shown}")


def _check_pinned(pins: Pins, signed: envelope.Credential) -> None:
    known = [pins.fingerprint_of(role, signed.issuer) for role in _ISSUERS]
    if signed.identity.fingerprint not in known:
        shown = show_fingerprint(signed.identity.fingerprint)
        raise TrustError(
            Text(
                f"{signed.issuer} with the key {shown} is not pinned",
                f"{signed.issuer} 的密钥 {shown} 未登记为可信",
            ),
            code="pins.unknown",
        )


def _valid(evidence: Evidence) -> Words:
    credential, at = evidence.credential, evidence.used_at
    begin, end = day(credential.valid_from), day(credential.valid_until)
    if evidence.trust.now < credential.valid_from - SKEW_S:
        raise TrustError(
            Text(f"not valid before {begin}", f"{begin} 之前无效"), code="certificate.early"
        )
    if credential.valid_until is not None and at > credential.valid_until + SKEW_S:
        raise TrustError(Text(f"expired on {end}", f"已于 {end} 过期"), code="certificate.expired")
    return Text(f"from {begin} until {end}", f"自 {begin} 至 {end}")


def _included(evidence: Evidence) -> Words:
    bundle, proof = evidence.bundle, evidence.proof
    if len(bundle.salt) != SALT_BYTES:
        raise TrustError(Text("the salt has not 32 bytes", "盐值不是 32 字节"), code="bundle.salt")
    seen = evidence.trust.seen(proof.note)
    proof.check(commitment(bundle.salt, unverified_payload(bundle.certificate)), seen.checkpoint)
    return Text(
        f"entry {proof.index} of {seen.checkpoint.size} in {seen.checkpoint.origin}",
        f"{seen.checkpoint.origin} 共 {seen.checkpoint.size} 条中的第 {proof.index} 条",
    )


def _witnessed(evidence: Evidence) -> Words:
    seen = evidence.trust.seen(evidence.proof.note)
    policy = evidence.trust.policy
    if policy is None:  # `seen` has said so
        raise NotAskedError(NO_POLICY)
    latest = evidence.trust.now + SKEW_S  # what is said to be later counts for nothing
    witnesses = {name: at for name, at in seen.witnesses.items() if at <= latest}
    policy.check_quorum(witnesses)
    if not witnesses:
        raise NotAskedError(
            Text("the policy asks for no witness", "策略不要求见证方会签"),
        )
    return joined(
        (Text(f"{name} {day(at)}", f"{name} {day(at)}") for name, at in witnesses.items()),
        Text(", ", "，"),
    )


def _about(evidence: Evidence) -> Words:
    if not isinstance(evidence.subject, Authorisation | Circulation):
        return Text("it is about no other document", "不涉及其他文件")
    if not evidence.bundle.document:
        raise AbsentError(Text("the document is not in the bundle", "证书文件中没有附带该文件"))
    mine, document = evidence.credential, check_source(evidence.subject, evidence.bundle.document)
    times = (document.valid_from, document.valid_until)
    if isinstance(evidence.subject, Authorisation) and (mine.valid_from, mine.valid_until) != times:
        raise TrustError(
            Text(
                "the certificate does not begin and end with its grant", "证书的起止时间与授权不同"
            ),
            code="certificate.source",
        )
    if evidence.trust.pins is not None:
        _check_pinned(evidence.trust.pins, document)
    shown = show_fingerprint(document.identity.fingerprint)
    return Text(f"signed by {document.issuer} {shown}", f"由 {document.issuer} {shown} 签署")


def _linked(evidence: Evidence) -> Words:
    subject = evidence.subject
    if not isinstance(subject, Authorisation | Circulation):
        return Text("it leads to no other certificate", "不引用其他证书")
    wanted = set(subject.registrations)
    wanted |= set(subject.authorisations) if isinstance(subject, Circulation) else set()
    held: dict[str, Authorisation | Registration] = {}
    bare: set[str] = set()
    made = _made_at(evidence)
    for bundle in evidence.bundle.linked:
        there = _held(bundle, evidence.trust, made)
        held[there.credential.id] = _linked_as(subject, there)
        if _lacks_document(there):
            bare.add(there.credential.id)
    granted = [each.grant.issuer for each in held.values() if isinstance(each, Authorisation)]
    if len(set(granted)) != len(granted):
        raise TrustError(
            Text("two authorisations are of one department", "有两份授权证书出自同一部门"),
            code="certificate.linked",
        )
    missing = sorted(wanted - held.keys())
    if missing:
        raise AbsentError(
            Text(f"not in the bundle: {', '.join(missing)}", f"未附带：{'、'.join(missing)}")
        )
    if bare:  # unseen, it may be no grant at all, or one that ended otherwise
        raise AbsentError(
            Text(
                f"without its document: {', '.join(sorted(bare))}",
                f"未附其文件：{'、'.join(sorted(bare))}",
            )
        )
    titles = {identifier: TITLES[kind_of(each)] for identifier, each in held.items()}
    return joined(
        (
            Text(f"{title.en} {urn[9:17]}", f"{title.zh} {urn[9:17]}")
            for urn, title in titles.items()
        ),
        Text(", ", "，"),
    )


def _lacks_document(evidence: Evidence) -> bool:
    return isinstance(evidence.subject, Authorisation) and not evidence.bundle.document


def _held(bundle: Bundle, trust: Trust, used_at: int) -> Evidence:
    """Reads a linked certificate, which must hold.

    Raises:
        TrustError: It does not; says which, and why.
    """
    evidence, report = _verified(bundle, trust, used_at)
    if evidence is not None and report.sound:  # what it leads to itself is another's question
        return evidence
    failed = report.failures[0]
    name = _name_of(bundle)
    raise TrustError(
        Text(
            f"{name}: {failed.name.en}: {both(failed.what).en}",
            f"{name}：{failed.name.zh}：{both(failed.what).zh}",
        ),
        code="certificate.linked",
    )


def _name_of(bundle: Bundle) -> str:
    try:
        return str(unverified_claims(bundle.certificate).get("id"))[:60]
    except VeilError:
        return "?"


def _made_at(evidence: Evidence) -> int:
    """When what a certificate is about was signed, which `_about` has checked to be that."""
    document = evidence.bundle.document
    if isinstance(evidence.subject, Circulation) and document:
        return read_receipt(document)[1].valid_from
    return evidence.credential.valid_from


def _linked_as(
    subject: Authorisation | Circulation, there: Evidence
) -> Authorisation | Registration:
    """Returns the claims of a linked certificate, which must be about the same declaration.

    Raises:
        TrustError: It is another kind, or about another dataset; names it.
    """
    read, identifier = there.subject, there.credential.id
    wanted = subject.registrations
    if isinstance(subject, Circulation) and isinstance(read, Authorisation):
        wanted = subject.authorisations
        if read.registrations != subject.registrations:
            wanted = ()
    if (
        isinstance(read, Authorisation | Registration)
        and identifier in wanted
        and read.dataset_digest == subject.dataset_digest
    ):
        return read
    raise TrustError(
        Text(
            f"{identifier} is not what it was cited as, or is about another dataset",
            f"{identifier} 并非所引用的证书，或涉及其他数据集",
        ),
        code="certificate.linked",
    )


_READABLE: Final = Text("The file can be read", "文件可读")
_SIGNED: Final = Text("Certificate is signed", "证书已签名")
_PINNED: Final = Text("Issuer is pinned", "签发者身份已核对")
_VALID: Final = Text("Valid now", "在有效期内")
QUESTIONS: Final[tuple[tuple[Text, Callable[[Evidence], Words]], ...]] = (
    (_PINNED, _pinned),
    (_VALID, _valid),
    (Text("In the log", "已收录于日志"), _included),
    (Text("Seen by witnesses", "见证方已会签"), _witnessed),
    (Text("Not revoked, not suspended", "未撤销、未暂停"), standing),
    (Text("Fits what it is about", "与所依据的文件一致"), _about),
    (Text("Certificates it leads to", "所引用的证书"), _linked),
)

"""Offline verification of a certificate bundle: question by question, with public keys only.

Each question returns what it found, or raises `TrustError` saying what is wrong and where. Nothing
in the bundle is believed for being there: issuer and witnesses are the reader's own choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from catalog.certificates import envelope
from catalog.certificates.bundle import Bundle
from catalog.certificates.grants import GRANT_KIND
from catalog.certificates.kinds import (
    KINDS,
    TITLES,
    Authorisation,
    Circulation,
    Subject,
    check_source,
    read_subject,
)
from catalog.certificates.receipts import read_receipt
from catalog.certificates.report import Check, Report
from catalog.certificates.status import PURPOSES, Purpose, StatusEntry, StatusList, read_list
from catalog.transparency.checkpoints import Proof, read_proof
from catalog.transparency.log import SALT_BYTES, commitment
from catalog.transparency.policy import LogPolicy, Seen
from protos.cards import Pins
from protos.compact_jws import payload_of
from protos.faults import TrustError, VeilError
from protos.identity import show_fingerprint, unverified_claims
from protos.language import Text, Words, both, joined

SKEW_S: Final = 60
_ISSUERS: Final = ("exchange", "department")


class NotAskedError(Exception):
    """A check that cannot be made with what was given."""

    def __init__(self, said: Words) -> None:
        super().__init__(said)
        self.said = said


@dataclass(frozen=True)
class Trust:
    """What a reader brings: public keys, and the time.

    Attributes:
        now: Unix seconds.
        pins: Issuers whom the reader believes; None leaves that question open.
        policy: The log and its witnesses; None leaves these questions open.
        status: Newer status lists than the bundle's, ``vc+jwt``.
    """

    now: int
    pins: Pins | None = None
    policy: LogPolicy | None = None
    status: tuple[str, ...] = ()
    _seen: Callable[[str], Seen] = field(init=False, repr=False, compare=False)
    _list: Callable[[str], StatusList] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Remembers what verified: thousands of certificates share checkpoint and list."""
        if self.policy is not None:
            object.__setattr__(self, "_seen", lru_cache(maxsize=64)(self.policy.open))
        object.__setattr__(self, "_list", lru_cache(maxsize=16)(read_list))

    def seen(self, note: str) -> Seen:
        """Opens a checkpoint.

        Raises:
            TrustError: It does not hold.
            NotAskedError: Without a policy nobody vouches for the log's key.
        """
        if self.policy is None:
            raise NotAskedError(_NO_POLICY)
        return self._seen(note)

    def list(self, token: str) -> StatusList:
        """Reads a status list.

        Raises:
            TrustError: It does not hold.
        """
        return self._list(token)


@dataclass(frozen=True)
class Evidence:
    """What reading established, for the questions to compare.

    Attributes:
        bundle: The bundle.
        credential: Its certificate's envelope.
        subject: Its certificate's claims.
        proof: Its place in the log.
        trust: The reader's.
        used_at: When it must not have ended yet (Unix seconds): now, or when what leads to it was
            made.
    """

    bundle: Bundle
    credential: envelope.Credential
    subject: Subject
    proof: Proof
    trust: Trust
    used_at: int


def verify_bundle(content: bytes, trust: Trust) -> Report:
    """Checks the file of a bundle; never raises for a bad one."""
    try:
        bundle = Bundle.from_bytes(content)
    except VeilError as error:
        return Report((Check(_READABLE, ok=False, what=error.said),))
    return verify(bundle, trust)


def verify(bundle: Bundle, trust: Trust, used_at: int | None = None) -> Report:
    """Checks a bundle; never raises for a bad one.

    Args:
        bundle: From anywhere.
        trust: The reader's.
        used_at: When it must not have ended yet, if that is not now: an authorisation ends, and
            what was made under it stands.
    """
    try:
        evidence = _read(bundle, trust, trust.now if used_at is None else used_at)
    except VeilError as error:
        return Report((Check(_SIGNED, ok=False, what=error.said),))
    kind = TITLES[evidence.credential.kind]
    found = Text(
        f"{kind.en} {evidence.credential.id}, signed by {evidence.credential.issuer}",
        f"{kind.zh}证书 {evidence.credential.id}，由 {evidence.credential.issuer} 签署",
    )
    first = Check(_SIGNED, ok=True, what=found)
    return Report((first, *(_ask(name, question, evidence) for name, question in QUESTIONS)))


def _ask(name: Text, question: Callable[[Evidence], Words], evidence: Evidence) -> Check:
    try:
        return Check(name, ok=True, what=question(evidence))
    except NotAskedError as reason:
        return Check(name, ok=None, what=reason.said)
    except VeilError as error:
        return Check(name, ok=False, what=error.said)


def _read(bundle: Bundle, trust: Trust, used_at: int) -> Evidence:
    types = unverified_claims(bundle.certificate).get("type")
    kind = types[-1] if isinstance(types, list) and types else None
    cls = KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None or not isinstance(kind, str):
        raise TrustError(
            Text("not a certificate of a known kind", "不是已知类型的证书"),
            code="certificate.kind",
        )
    credential = envelope.read(bundle.certificate, kind, with_status=True)
    subject = read_subject(cls, credential.subject)
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
    for role in _ISSUERS:
        if pins.fingerprint_of(role, credential.issuer) == credential.identity.fingerprint:
            return Text(f"{credential.issuer} {shown}", f"{credential.issuer} {shown}")
    raise TrustError(
        Text(
            f"{credential.issuer} with the key {shown} is not pinned",
            f"{credential.issuer} 的密钥 {shown} 未登记为可信",
        ),
        code="pins.unknown",
    )


def _valid(evidence: Evidence) -> Words:
    credential, at = evidence.credential, evidence.used_at
    begin, end = _day(credential.valid_from), _day(credential.valid_until)
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
    proof.check(commitment(bundle.salt, payload_of(bundle.certificate)), seen.checkpoint)
    return Text(
        f"entry {proof.index} of {seen.checkpoint.size} in {seen.checkpoint.origin}",
        f"{seen.checkpoint.origin} 共 {seen.checkpoint.size} 条中的第 {proof.index} 条",
    )


def _witnessed(evidence: Evidence) -> Words:
    seen = evidence.trust.seen(evidence.proof.note)
    policy = evidence.trust.policy
    if policy is None:  # `seen` has said so
        raise NotAskedError(_NO_POLICY)
    late = [name for name, at in seen.witnesses.items() if at > evidence.trust.now + SKEW_S]
    policy.check_quorum([name for name in seen.witnesses if name not in late])
    if not seen.witnesses:
        raise NotAskedError(
            Text("the policy asks for no witness", "策略不要求见证方会签"),
        )
    return joined(
        (Text(f"{name} {_day(at)}", f"{name} {_day(at)}") for name, at in seen.witnesses.items()),
        Text(", ", "，"),
    )


def _standing(evidence: Evidence) -> Words:
    entries = [StatusEntry.from_json(entry) for entry in evidence.credential.status]
    if not entries:
        return Text("this kind of certificate has no status", "此类证书没有状态")
    if sorted(entry.purpose for entry in entries) != sorted(PURPOSES):
        raise TrustError(
            Text("it must name a list for each purpose", "须为每种用途指明一个状态列表"),
            code="status.invalid",
        )
    found: dict[Purpose, StatusList] = {}
    for token in (*evidence.bundle.status, *evidence.trust.status):
        read = evidence.trust.list(token)
        newer = read.purpose not in found or (
            read.credential.valid_from >= found[read.purpose].credential.valid_from
        )
        if newer and any(entry.list_id == read.credential.id for entry in entries):
            found[read.purpose] = read
    as_of = [_check_entry(entry, found.get(entry.purpose), evidence) for entry in entries]
    return Text(f"neither revoked nor suspended on {_day(min(as_of))}",
                f"截至 {_day(min(as_of))} 未被撤销，也未被暂停")  # fmt: skip


def _check_entry(entry: StatusEntry, found: StatusList | None, evidence: Evidence) -> int:
    """Looks up a bit; returns as of when (Unix seconds)."""
    said = _PURPOSES[entry.purpose]
    if found is None:
        raise TrustError(
            Text(f"the list of {said.en} is missing", f"缺少{said.zh}列表"), code="status.missing"
        )
    issued, now = found.credential, evidence.trust.now
    same = issued.identity.fingerprint == evidence.credential.identity.fingerprint
    if not same or issued.id != entry.list_id or found.purpose != entry.purpose:
        raise TrustError(
            Text(f"the list of {said.en} is another issuer's", f"{said.zh}列表属于其他签发者"),
            code="status.other",
        )
    if issued.valid_until is None or not issued.valid_from - SKEW_S <= now <= issued.valid_until:
        raise TrustError(
            Text(
                f"the list of {said.en} is of {_day(issued.valid_from)} and too old to tell",
                f"{said.zh}列表的日期为 {_day(issued.valid_from)}，已过期，无法判断",
            ),
            remedy=Text("ask the issuer for its present list", "请向签发者索取最新列表"),
            code="status.stale",
        )
    if found.is_set(entry.slot):
        state = _STATES[entry.purpose]
        raise TrustError(
            Text(f"the certificate {state.en}", f"证书{state.zh}"), code=f"status.{entry.purpose}"
        )
    return issued.valid_from


def _about(evidence: Evidence) -> Words:
    if not isinstance(evidence.subject, Authorisation | Circulation):
        raise NotAskedError(Text("it is about no other document", "不涉及其他文件"))
    if not evidence.bundle.document:
        raise NotAskedError(Text("the document is not in the bundle", "证书文件中没有附带该文件"))
    source = check_source(evidence.subject, evidence.bundle.document)
    if isinstance(evidence.subject, Authorisation):
        mine, grant = evidence.credential, envelope.read(evidence.bundle.document, GRANT_KIND)
        if (mine.valid_from, mine.valid_until) != (grant.valid_from, grant.valid_until):
            raise TrustError(
                Text(
                    "the certificate does not begin and end with its grant",
                    "证书的起止时间与授权不同",
                ),
                code="certificate.source",
            )
    pins, shown = evidence.trust.pins, show_fingerprint(source.fingerprint)
    known = pins is not None and any(
        pins.fingerprint_of(role, source.issuer) == source.fingerprint for role in _ISSUERS
    )
    if pins is not None and not known:
        raise TrustError(
            Text(f"{source.issuer} with the key {shown} is not pinned",
                 f"{source.issuer} 的密钥 {shown} 未登记为可信"),
            code="pins.unknown",
        )  # fmt: skip
    return Text(f"signed by {source.issuer} {shown}", f"由 {source.issuer} {shown} 签署")


def _linked(evidence: Evidence) -> Words:
    subject = evidence.subject
    if not isinstance(subject, Authorisation | Circulation):
        raise NotAskedError(Text("it leads to no other certificate", "不引用其他证书"))
    wanted = set(subject.registrations)
    wanted |= set(subject.authorisations) if isinstance(subject, Circulation) else set()
    held: dict[str, Words] = {}
    made = _made_at(evidence)
    for bundle in evidence.bundle.linked:
        report, read = verify(bundle, evidence.trust, made), unverified_claims(bundle.certificate)
        if not report.ok:
            failed = report.failures[0]
            raise TrustError(
                Text(
                    f"{read.get('id')}: {failed.name.en}: {both(failed.what).en}",
                    f"{read.get('id')}：{failed.name.zh}：{both(failed.what).zh}",
                ),
                code="certificate.linked",
            )
        held[str(read["id"])] = _same_dataset(subject, bundle)
    missing = sorted(wanted - held.keys())
    if missing:
        raise NotAskedError(
            Text(f"not in the bundle: {', '.join(missing)}", f"未附带：{'、'.join(missing)}")
        )
    return joined(held.values(), Text(", ", "，"))


def _made_at(evidence: Evidence) -> int:
    """When what a certificate is about was signed, which `_about` has checked to be that."""
    document = evidence.bundle.document
    if isinstance(evidence.subject, Circulation) and document:
        return read_receipt(document)[1].valid_from
    return evidence.credential.valid_from


def _same_dataset(subject: Authorisation | Circulation, bundle: Bundle) -> Words:
    """Compares what a linked certificate is about; returns what it is."""
    claims = unverified_claims(bundle.certificate)  # `verify` has checked them
    kind, content = str(claims["type"][-1]), claims["credentialSubject"]
    if content.get("dataset_digest") != subject.dataset_digest:
        raise TrustError(
            Text(
                f"{claims['id']} is about another dataset, or another declaration of it",
                f"{claims['id']} 涉及其他数据集，或其另一版声明",
            ),
            code="certificate.linked",
        )
    return Text(
        f"{TITLES[kind].en} {claims['id'][9:17]}", f"{TITLES[kind].zh} {claims['id'][9:17]}"
    )


def _day(seconds: int | None) -> str:
    if seconds is None:
        return "–"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


_READABLE: Final = Text("The file can be read", "文件可读")
_SIGNED: Final = Text("Certificate is signed", "证书已签名")
_PINNED: Final = Text("Issuer is pinned", "签发者身份已核对")
_VALID: Final = Text("Valid now", "在有效期内")
_NO_POLICY: Final = Text(
    "no log policy was given: nobody vouches for the log's key",
    "未提供日志策略（--policy）：无人为日志密钥担保",
)
_PURPOSES: Final[dict[Purpose, Text]] = {
    "revocation": Text("revocations", "撤销"),
    "suspension": Text("suspensions", "暂停"),
}
_STATES: Final[dict[Purpose, Text]] = {
    "revocation": Text("was revoked", "已被撤销"),
    "suspension": Text("is suspended", "已被暂停"),
}
QUESTIONS: Final[tuple[tuple[Text, Callable[[Evidence], Words]], ...]] = (
    (_PINNED, _pinned),
    (_VALID, _valid),
    (Text("In the log", "已收录于日志"), _included),
    (Text("Seen by witnesses", "见证方已会签"), _witnessed),
    (Text("Not revoked, not suspended", "未撤销、未暂停"), _standing),
    (Text("Fits what it is about", "与所依据的文件一致"), _about),
    (Text("Certificates it leads to", "所引用的证书"), _linked),
)

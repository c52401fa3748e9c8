"""The question whether a certificate was revoked or is suspended, by its issuer's signed lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from catalog.certificates.evidence import Evidence, day
from catalog.certificates.grants import SKEW_S
from catalog.certificates.status import PURPOSES, Purpose, StatusEntry, StatusList
from protos.faults import TrustError
from protos.language import Text, Words


def standing(evidence: Evidence) -> Words:
    """Looks the certificate up in the newest list of each purpose.

    A revocation has no way back: an older list of the issuer that has it counts, too, however old.

    Returns:
        As of when neither bit was set.

    Raises:
        TrustError: One is, or a list is missing, too old, or not the issuer's.
    """
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
        _check_never_revoked(entries, read, evidence)
        newer = read.purpose not in found or (
            read.credential.valid_from >= found[read.purpose].credential.valid_from
        )
        if newer and any(entry.list_id == read.credential.id for entry in entries):
            found[read.purpose] = read
    as_of = [_check_entry(entry, found.get(entry.purpose), evidence) for entry in entries]
    return Text(f"neither revoked nor suspended on {day(min(as_of))}",
                f"截至 {day(min(as_of))} 未被撤销，也未被暂停")  # fmt: skip


def _check_never_revoked(
    entries: Sequence[StatusEntry], read: StatusList, evidence: Evidence
) -> None:
    issued = read.credential
    mine = issued.identity.fingerprint == evidence.credential.identity.fingerprint
    for entry in entries:
        same = (issued.id, read.purpose) == (entry.list_id, entry.purpose) and mine
        if same and entry.purpose == "revocation" and read.is_set(entry.slot):
            state, at = _STATES[entry.purpose], day(issued.valid_from)
            raise TrustError(
                Text(
                    f"the certificate {state.en}, by the list of {at}",
                    f"证书{state.zh}（见 {at} 的列表）",
                ),
                code="status.revocation",
            )


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
                f"the list of {said.en} is of {day(issued.valid_from)} and too old to tell",
                f"{said.zh}列表的日期为 {day(issued.valid_from)}，已过期，无法判断",
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


_PURPOSES: Final[dict[Purpose, Text]] = {
    "revocation": Text("revocations", "撤销"),
    "suspension": Text("suspensions", "暂停"),
}
_STATES: Final[dict[Purpose, Text]] = {
    "revocation": Text("was revoked", "已被撤销"),
    "suspension": Text("is suspended", "已被暂停"),
}

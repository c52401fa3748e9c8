"""Others' credentials: W3C Data Integrity proofs, ``eddsa-jcs-2022``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from catalog.certificates.report import Check, Report
from protos.data_integrity import check, read_time
from protos.did_key import fingerprint_of
from protos.language import Text


def verify_foreign(document: Mapping[str, Any], now: int) -> Report:
    """Checks somebody else's credential with a W3C Data Integrity proof, ``eddsa-jcs-2022``.

    Its content and its status are not looked into; whose key it is, the reader must know.
    """
    try:
        proof = check(document)
    except ValueError as error:
        return Report((Check(_PROOF, ok=False, what=Text(str(error), str(error))),))
    issuer = document.get("issuer")
    issuer = issuer.get("id") if isinstance(issuer, dict) else issuer
    named = issuer == proof.signer
    known = Text(
        f"issuer {issuer}" if named else f"the document names {issuer} as its issuer",
        f"签发者 {issuer}" if named else f"文件写明的签发者为 {issuer}",
    )
    return Report((
        Check(_PROOF, ok=True, what=Text(f"signed by {proof.signer}", f"签署者 {proof.signer}")),
        Check(_NAMED, ok=named, what=known),
        _foreign_times(document, now, proof.expires),
        Check(_PINNED, ok=None, what=Text(
            f"compare the fingerprint with the issuer: {fingerprint_of(proof.signer)}",
            f"请与签发者核对指纹：{fingerprint_of(proof.signer)}",
        )),
    ))  # fmt: skip


def _foreign_times(document: Mapping[str, Any], now: int, expires: datetime | None) -> Check:
    at = datetime.fromtimestamp(now, UTC)
    try:
        begin, end = (
            read_time(document[name]) if name in document else None
            for name in ("validFrom", "validUntil")
        )
    except ValueError as error:
        return Check(_VALID, ok=False, what=Text(str(error), str(error)))
    good = (begin is None or begin <= at) and all(e is None or at <= e for e in (end, expires))
    shown = Text(f"from {begin} until {end or expires}", f"自 {begin} 至 {end or expires}")
    return Check(_VALID, ok=good, what=shown)


_PROOF: Final = Text("Proof holds", "证明成立")
_NAMED: Final = Text("Issuer is who signed", "签发者即签署者")
_VALID: Final = Text("Valid now", "在有效期内")
_PINNED: Final = Text("Issuer is pinned", "签发者身份已核对")

"""What a report is about: everything that a release and its attestation say, in one place.

Where there is an attestation, its signed figures count and not the manifest's. Nothing here looks
at a row, so a report is made in an instant and tells no value of the data.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from desensitize.attacks.findings import AttackReport
from desensitize.attacks.findings import from_dict as attacks_from
from desensitize.attesting.attestation import ATTESTATION
from desensitize.attesting.gate_rules import GateCheck
from desensitize.attesting.verify import Verification, verify
from desensitize.generalise.alternatives import Alternative
from desensitize.policy import PublishPolicy
from desensitize.policy_file import read_policy
from desensitize.releasing.facts import POLICY, Release, RescanFacts, read_copy
from desensitize.risks import RiskReport
from desensitize.risks import from_dict as risk_from
from protos.did_key import fingerprint_of
from protos.language import Text

Standing = Literal["attested", "unsigned", "broken"]
"""``unsigned``: nobody has signed; ``broken``: the attestation does not hold."""


@dataclass(frozen=True)
class Contents:
    """Everything that a report says.

    Attributes:
        release: The manifest.
        policy: What was done and asked.
        standing: What the attestation is worth.
        verification: Check by check; None without an attestation.
        fingerprint: Of the signer; empty without a signature that holds.
        valid_from: As attested, ISO 8601; empty without.
        valid_until: The same.
        credential_id: The same.
        checks: What the gate found; empty without an attestation.
        rescan: The scan of the output.
        risk: Its risk; None if no quasi-identifier is published.
        attacks: What attacks came to; None if none were tried.
        earlier: SHA-256 of the earlier releases that were compared, by name.
        alternatives: What other k would cost; empty if they were not asked for.
        made: When the report was made, UTC.
    """

    release: Release
    policy: PublishPolicy
    standing: Standing
    verification: Verification | None
    fingerprint: str
    valid_from: str
    valid_until: str
    credential_id: str
    checks: tuple[GateCheck, ...]
    rescan: RescanFacts | None
    risk: RiskReport | None
    attacks: AttackReport | None
    earlier: Mapping[str, str]
    alternatives: tuple[Alternative, ...]
    made: dt.datetime

    @property
    def grades(self) -> Mapping[str, int]:
        """Grade of each published column, 1 to 4, by name; as far as the policy states it."""
        graded = {c.name: c.grade for c in self.policy.published}
        return {name: grade for name, grade in graded.items() if grade is not None}

    def _repr_html_(self) -> str:
        """What a notebook shows: the page, in a frame of its own that runs nothing."""
        from html import escape

        from desensitize.reporting.page import page
        from protos.language import language

        shown = escape(page(self, language()), quote=True)
        return f'<iframe sandbox srcdoc="{shown}" width="100%" height="900"></iframe>'

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as JSON types."""
        from desensitize.reporting.points import points

        return {
            "dataset": self.release.dataset,
            "standing": self.standing,
            "made": self.made.isoformat(timespec="seconds"),
            "signer": "" if self.verification is None else self.verification.signer,
            "fingerprint": self.fingerprint,
            "validFrom": self.valid_from,
            "validUntil": self.valid_until,
            "credential": self.credential_id,
            "release": self.release.to_dict(),
            "risk": None if self.risk is None else self.risk.to_dict(),
            "points": [{"en": each.en, "zh": each.zh} for each in points(self)],
            "conclusions": [
                {"en": each.en, "zh": each.zh}
                for each in (() if self.risk is None else self.risk.sentences())
            ],
            "attacks": None if self.attacks is None else self.attacks.to_dict(),
            "checks": [
                {"name": each.name, "held": each.held, "asked": each.asked,
                 "reason": {"en": each.reason.en, "zh": each.reason.zh}}
                for each in self.checks
            ],
            "earlier": dict(self.earlier),
            "alternatives": [each.to_dict() for each in self.alternatives],
        }  # fmt: skip


def read_contents(
    directory: Path,
    *,
    alternatives: Sequence[Alternative] = (),
    now: dt.datetime | None = None,
) -> Contents:
    """Reads what a release says of itself, and what was signed about it.

    Args:
        directory: The release.
        alternatives: What other k would cost.
        now: The time; the machine's by default.

    Raises:
        InputError: It is no release.
        TrustError: A file is not the one that the manifest speaks of.
    """
    release, policy = read_copy(directory), read_policy(directory / POLICY)
    made = now or dt.datetime.now(dt.UTC)
    path = directory / ATTESTATION
    body: dict[str, Any] = {}
    found = None
    standing: Standing = "unsigned"
    if path.exists():
        found = verify(path, now=made)
        # Whom to trust is the reader's own question; all else has to hold.
        sound = all(c.state == "holds" for c in found.checks if c.name != "signer")
        standing = "attested" if sound and found.dataset else "broken"
        if standing == "attested":
            body = json.loads(path.read_text("utf-8"))
    subject = body.get("credentialSubject") or _unsigned(release)
    return Contents(
        release=release,
        policy=policy,
        standing=standing,
        verification=found,
        fingerprint=fingerprint_of(found.signer) if found is not None and found.signer else "",
        valid_from=body.get("validFrom", ""),
        valid_until=body.get("validUntil", ""),
        credential_id=body.get("id", ""),
        checks=tuple(map(_check, subject["checks"])),
        rescan=None if subject["rescan"] is None else RescanFacts(**subject["rescan"]),
        risk=None if subject["risk"] is None else risk_from(subject["risk"]),
        attacks=None if subject["attacks"] is None else attacks_from(subject["attacks"]),
        earlier=subject["earlier"],
        alternatives=tuple(alternatives),
        made=made,
    )


def _unsigned(release: Release) -> dict[str, Any]:
    """The same as an attestation says, from the manifest."""
    return {
        "checks": [],
        "rescan": None if release.rescan is None else vars(release.rescan),
        "risk": release.figures.get("risk"),
        "attacks": release.figures.get("attacks"),
        "earlier": {},
    }


def _check(body: Mapping[str, Any]) -> GateCheck:
    return GateCheck(
        body["name"],
        body["held"],
        Text(**body["reason"]),
        Text(**body["remedy"]),
        body["asked"],
    )

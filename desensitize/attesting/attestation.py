"""Attestations: what a steward signs about a release, and how anybody checks it offline.

A W3C Verifiable Credential (Data Model 2.0) with a Data Integrity proof (``eddsa-jcs-2022``). It
binds the bytes of output, policy, hierarchies and manifest by SHA-256, those of the original by a
commitment under the release's salt, and repeats what the gate judged: scan of the output, risk,
attacks and each check. It is signed by whoever answers for the release; it proves who said what
about which bytes, not that what was said of the original is true.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from desensitize.attesting.gate_rules import Figures, GateVerdict
from desensitize.attesting.signed_file import write_signed
from desensitize.policy import PublishPolicy
from desensitize.releasing.facts import MANIFEST, Release, sha256_of
from protos.canonical import canonical
from protos.data_integrity import CONTEXTS, secure, written
from protos.did_key import did_of
from protos.faults import PolicyError
from protos.language import Text

ATTESTATION: Final = "attestation.json"
TYPES: Final = ("VerifiableCredential", "VeilReleaseAttestation")
_ID: Final = "urn:sha256:"


@dataclass(frozen=True)
class Attested:
    """What an attestation is about.

    Attributes:
        release: The manifest.
        policy: What was done and asked.
        figures: What was judged.
        verdict: The gate's.
        manifest_sha256: Of the manifest's bytes.
        earlier: SHA-256 of each earlier release's output that was compared, by name.
    """

    release: Release
    policy: PublishPolicy
    figures: Figures
    verdict: GateVerdict
    manifest_sha256: str
    earlier: Mapping[str, str]


def credential(
    about: Attested, issuer: str, *, now: dt.datetime, valid_days: int
) -> dict[str, Any]:
    """Returns the unsigned credential.

    Args:
        about: What to say.
        issuer: did:key of the signer.
        now: The time, with a time zone.
        valid_days: Days for which it holds.

    Raises:
        PolicyError: The gate has refused: nothing is attested.
    """
    if not about.verdict.passed:
        raise PolicyError(
            Text("a release that the gate refuses is not attested", "未通过发布门禁，不予证明"),
            code="attestation.refused",
        )
    release, figures = about.release, about.figures
    return {
        "@context": list(CONTEXTS),
        "id": UUID(bytes=secrets.token_bytes(16), version=4).urn,
        "type": list(TYPES),
        "issuer": issuer,
        "validFrom": written(now),
        "validUntil": written(now + dt.timedelta(days=valid_days)),
        "credentialSubject": {
            "id": _ID + release.output.sha256,
            "dataset": release.dataset,
            "open": release.open,
            "input": None if release.input is None else asdict(release.input),
            "output": asdict(release.output),
            "policySha256": about.policy.digest,
            "files": dict(release.files),
            "population": release.population,
            "manifestSha256": about.manifest_sha256,
            "versions": dict(release.versions),
            "columns": [asdict(column) for column in release.columns],
            "levels": dict(release.levels),
            "suppressedRows": release.suppressed_rows,
            "models": asdict(about.policy.models),
            "limits": asdict(about.policy.attacks),
            "gate": asdict(about.policy.gate),
            "rescan": None if figures.rescan is None else asdict(figures.rescan),
            "risk": None if figures.risk is None else figures.risk.to_dict(),
            "attacks": None if figures.attacks is None else figures.attacks.to_dict(),
            "earlier": dict(about.earlier),
            "checks": [asdict(check) for check in about.verdict.checks],
        },
    }


def attest(
    about: Attested, key: Ed25519PrivateKey, *, now: dt.datetime, valid_days: int = 365
) -> dict[str, Any]:
    """Signs an attestation; see `credential`."""
    plain = credential(about, did_of(key.public_key()), now=now, valid_days=valid_days)
    return secure(plain, key, now)


def write_attestation(attestation: Mapping[str, Any], directory: Path) -> Path:
    """Writes ``attestation.json`` whole or not at all; never over another one.

    Raises:
        InputError: There is one.
        UnavailableError: The disk is full, or the directory is not ours.
    """
    path = directory / ATTESTATION
    write_signed(path, canonical(attestation), "attestation")
    return path


def digest_of_manifest(directory: Path) -> str:
    """SHA-256 of a release's manifest."""
    return sha256_of(directory / MANIFEST)

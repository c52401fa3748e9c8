"""What is known about a release before anybody asks who signed it: pure facts for the rules."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.publishing.sign_offs import SignOff, read_sign_off
from catalog.publishing.staging import Staged
from desensitize.attesting import synthetic
from desensitize.attesting.checked import VerifyCheck
from desensitize.attesting.verify import verify
from desensitize.releasing.facts import MANIFEST, from_dict
from protos.data_integrity import read_time
from protos.did_key import fingerprint_of


@dataclass(frozen=True)
class Case:
    """A release that wants to be published.

    Attributes:
        checks: What was verified, but for the signer.
        fingerprint: Of the key whose signature over the attestation holds; empty if none does.
        signed_at: When it was signed; None if no signature holds.
        dataset: Name that is attested.
        open: Attested open attribute.
        synthetic: Whether rows are attested as synthetic.
        manifest_agrees: Whether the attested manifest says the same of how the rows were made.
        sha256: Attested digest of the rows' file.
        bytes: Attested size.
        rows: Attested number of rows.
        attestation: The document, as it was signed.
        sign_offs: Officers' decisions whose signatures hold.
        unreadable: Files that are no sign-off, with why.
    """

    checks: tuple[VerifyCheck, ...]
    fingerprint: str
    signed_at: dt.datetime | None
    dataset: str
    open: str
    synthetic: bool
    manifest_agrees: bool
    sha256: str
    bytes: int
    rows: int
    attestation: str
    sign_offs: tuple[SignOff, ...]
    unreadable: tuple[tuple[str, str], ...]

    @property
    def sound(self) -> bool:
        """Whether the words of the attestation may be looked at: signature and form hold."""
        return self.signed_at is not None


def examine(
    stage: Staged,
    data: Path,
    sign_offs: Sequence[Path],
    now: dt.datetime,
    revocations: Sequence[Path] = (),
) -> Case:
    """Verifies what was handed in.

    Args:
        stage: The release, held fast.
        data: Its rows by name; what is published is compared again.
        sign_offs: Files of officers' decisions.
        now: The time, with a time zone.
        revocations: Statements that take attestations back, or directories with such.
    """
    found = verify(stage.attestation, data=data, revocations=revocations, now=now)
    checks = tuple(check for check in found.checks if check.name != "signer")
    good, bad = [], []
    for path in sign_offs:
        try:
            good.append(read_sign_off(path))
        except ValueError as error:
            bad.append((path.name, str(error)))
    if not any(check.name == "form" and check.state == "holds" for check in checks):
        return Case(checks, "", None, "", "", False, False, "", 0, 0, "",  # noqa: FBT003
                    tuple(good), tuple(bad))  # fmt: skip
    text = stage.attestation.read_text("utf-8")
    body: dict[str, Any] = json.loads(text)
    subject, output = body["credentialSubject"], body["credentialSubject"]["output"]
    made = body["type"] == list(synthetic.TYPES)
    created = body["proof"].get("created")
    return Case(
        checks, fingerprint_of(found.signer), None if created is None else read_time(created),
        found.dataset, str(subject["open"]), made, _agrees(stage.folder, made=made),
        str(output["sha256"]), output["bytes"], output["rows"], text, tuple(good), tuple(bad),
    )  # fmt: skip


def _agrees(folder: Path, *, made: bool) -> bool:
    """Whether the manifest, whose bytes are attested, calls the rows synthetic or not, too."""
    try:
        release = from_dict(json.loads((folder / MANIFEST).read_text("utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False
    return (release.synthesis is not None) == made == (release.input is None)

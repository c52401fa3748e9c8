"""One thing that was checked of an attestation, and what came out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from protos.language import Text

State = Literal["holds", "fails", "open"]
"""``open``: it was not possible to say; an attestation is valid only if everything holds."""


@dataclass(frozen=True)
class VerifyCheck:
    """One thing that was checked.

    Attributes:
        name: Stable: file, form, proof, time, revocation, signer, data, original, policy,
            manifest, figures, files.
        state: What came out.
        reason: Why.
    """

    name: str
    state: State
    reason: Text


def holds(name: str, reason: Text) -> VerifyCheck:
    """Something holds."""
    return VerifyCheck(name, "holds", reason)


def fails(name: str, reason: Text) -> VerifyCheck:
    """Something does not hold."""
    return VerifyCheck(name, "fails", reason)


def undecided(name: str, reason: Text) -> VerifyCheck:
    """It could not be said."""
    return VerifyCheck(name, "open", reason)

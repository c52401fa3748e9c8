"""Whether an attestation says what the policy and the manifest say that it names.

Their digests are under its signature, but so are words of its own about them: what was asked, what
was done, what held. A reader who looks at one of the three must not learn something else than one
who looks at another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from desensitize.attesting.gate_rules import GateVerdict
from desensitize.policy import PublishPolicy
from protos.canonical import canonical

_OF_MANIFEST: Final = {
    "dataset": "dataset", "open": "open", "input": "input", "output": "output",
    "policySha256": "policy_sha256", "files": "files", "population": "population",
    "versions": "versions", "columns": "columns", "levels": "levels",
    "suppressedRows": "suppressed_rows", "synthesis": "synthesis",
}  # fmt: skip


def unlike_policy(
    policy: PublishPolicy, verdict: GateVerdict, subject: Mapping[str, Any]
) -> Iterator[str]:
    """Yields the members that say something else than the policy, or its gate, does.

    Args:
        policy: The one that is named.
        verdict: Made anew from the signed figures.
        subject: What was signed.
    """
    said: dict[str, object] = {
        "dataset": policy.dataset,
        "open": policy.open,
        "models": asdict(policy.models),
        "limits": asdict(policy.attacks),
        "gate": asdict(policy.gate),
    }
    yield from (n for n, each in said.items() if n in subject and not _same(each, subject[n]))
    # Not the reasons: another version may have other words for them.
    found = [[each.name, each.held, each.asked] for each in verdict.checks]
    if "checks" in subject:
        signed = [[each["name"], each["held"], each["asked"]] for each in subject["checks"]]
        if not _same(found, signed):
            yield "checks"


def unlike_manifest(manifest: Path, subject: Mapping[str, Any]) -> Iterator[str]:
    """Yields the members that say something else than the manifest does.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON.
    """
    body = json.loads(manifest.read_text("utf-8"))
    for member, name in _OF_MANIFEST.items():
        if member in subject and not (name in body and _same(body[name], subject[member])):
            yield member


def _same(one: object, other: object) -> bool:
    return canonical(one) == canonical(other)

"""Attestations of synthetic rows: signed by the process that has made them, at their birth.

No rows show whether there was noise, so nobody can attest them afterwards: a gate would believe a
manifest. What can be checked by anybody is that the words agree: with the policy, with each other,
and with OpenDP's arithmetic. The signature says who stands for the rest.
"""

from __future__ import annotations

import datetime as dt
import math
import secrets
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from desensitize.attesting.gate_rules import Figures, GateCheck, GateVerdict, rescanned
from desensitize.budget import rho_for
from desensitize.policy import PublishPolicy
from desensitize.releasing.facts import Release, RescanFacts
from desensitize.synthesis.facts import SynthesisFacts
from desensitize.synthesis.spec import SynthesisRules
from protos.data_integrity import CONTEXTS, secure, written
from protos.did_key import did_of
from protos.faults import PolicyError
from protos.language import Text, joined

TYPES: Final = ("VerifiableCredential", "VeilSyntheticAttestation")
SUBJECT: Final = frozenset(
    {"id", "dataset", "open", "output", "policySha256", "manifestSha256", "versions", "columns",
     "rescan", "synthesis"}
)  # fmt: skip
_CLOSE: Final = 1e-6  # relative: between two versions of OpenDP's conversion
_MAKE_AGAIN: Final = Text(
    "make the rows again: veil desensitize synthesise",
    "请重新生成：veil desensitize synthesise",
)


def attest_synthetic(
    release: Release,
    policy: PublishPolicy,
    manifest_sha256: str,
    key: Ed25519PrivateKey,
    *,
    now: dt.datetime,
    valid_days: int = 365,
) -> dict[str, Any]:
    """Signs what a synthetic release says of itself.

    Args:
        release: Its manifest.
        policy: What was asked for.
        manifest_sha256: Of the manifest's bytes.
        key: Of whoever answers for it.
        now: The time, with a time zone.
        valid_days: Days for which it holds.

    Raises:
        PolicyError: Something in it does not agree.
    """
    verdict = judge_synthetic(policy, release.output.rows, release.rescan, release.synthesis)
    if not verdict.passed or release.synthesis is None:
        reasons = joined(check.reason for check in verdict.refusals)
        raise PolicyError(
            Text(f"not attested: {reasons.en}", f"不予证明：{reasons.zh}"),
            remedy=_MAKE_AGAIN,
            code="attestation.refused",
        )
    plain = {
        "@context": list(CONTEXTS),
        "id": UUID(bytes=secrets.token_bytes(16), version=4).urn,
        "type": list(TYPES),
        "issuer": did_of(key.public_key()),
        "validFrom": written(now),
        "validUntil": written(now + dt.timedelta(days=valid_days)),
        "credentialSubject": {
            "id": f"urn:sha256:{release.output.sha256}",
            "dataset": release.dataset,
            "open": release.open,
            "output": asdict(release.output),
            "policySha256": policy.digest,
            "manifestSha256": manifest_sha256,
            "versions": dict(release.versions),
            "columns": [asdict(column) for column in release.columns],
            "rescan": None if release.rescan is None else asdict(release.rescan),
            "synthesis": asdict(release.synthesis),
        },
    }
    return secure(plain, key, now)


def judge_synthetic(
    policy: PublishPolicy, rows: int, rescan: RescanFacts | None, facts: SynthesisFacts | None
) -> GateVerdict:
    """Judges what a synthetic release says of itself; fails closed, as the gate does.

    Args:
        policy: What was asked for.
        rows: Of the release.
        rescan: What the scan of the output found.
        facts: How the rows were made.
    """
    rules = policy.synthesis
    checks = list(rescanned(policy, Figures(rows, rescan, None, None)))
    if rules is None or facts is None:
        checks.append(
            _check(
                "synthesis",
                held=False,
                said=Text("nothing says how they were made", "未说明数据的生成方式"),
            )
        )
    else:
        checks += _agreements(rules, facts)
    return GateVerdict(tuple(checks))


def _agreements(rules: SynthesisRules, facts: SynthesisFacts) -> Iterator[GateCheck]:
    allowed = 0.0 < facts.epsilon <= rules.epsilon and 0.0 < facts.delta <= rules.delta
    yield _check(
        "synthesis.budget",
        held=allowed,
        said=Text(
            f"epsilon {facts.epsilon:g}, delta {facts.delta:g} (the policy's most: "
            f"{rules.epsilon:g}, {rules.delta:g})",
            f"epsilon {facts.epsilon:g}，delta {facts.delta:g}（策略上限：{rules.epsilon:g}，"
            f"{rules.delta:g}）",
        ),
    )
    rho = rho_for(facts.epsilon, facts.delta) if allowed else 0.0
    spent = _spent(facts)
    yield _check(
        "synthesis.noise",
        held=0.0 < spent <= facts.rho * (1 + _CLOSE) <= rho * (1 + _CLOSE) ** 2,
        said=Text(
            f"the noise of {len(facts.marginals)} marginals costs rho {spent:.4g} of {rho:.4g}",
            f"{len(facts.marginals)} 个边际分布的噪声消耗 rho {spent:.4g}（上限 {rho:.4g}）",
        ),
    )
    whose = (facts.subject, facts.max_rows_per_subject)
    yield _check(
        "synthesis.subject",
        held=whose == (rules.subject, rules.max_rows_per_subject),
        said=Text(
            f"rows of one subject that count: {facts.max_rows_per_subject}",
            f"每个主体计入的行数：{facts.max_rows_per_subject}",
        ),
    )
    single = [each.columns[0] for each in facts.marginals if len(each.columns) == 1]
    yield _check(
        "synthesis.domains",
        # In no order: canonical JSON has one of its own.
        held=sorted(facts.domains) == sorted(rules.domains) == sorted(single),
        said=Text(f"{len(single)} columns of declared domains", f"{len(single)} 列取值范围已声明"),
    )


def _spent(facts: SynthesisFacts) -> float:
    """The zCDP of what was done, from the noise itself: Δ²/2σ² a marginal, and the choice."""
    if not all(each.sigma > 0.0 for each in facts.marginals):
        return math.inf
    noise = sum(facts.max_rows_per_subject**2 / (2.0 * each.sigma**2) for each in facts.marginals)
    choice = facts.spent["choice"]
    pairs = any(len(each.columns) == 2 for each in facts.marginals)
    # A pair that was chosen for nothing was chosen without noise.
    return noise + choice if choice > 0.0 or (choice == 0.0 and not pairs) else math.inf


def _check(name: str, *, held: bool, said: Text) -> GateCheck:
    return GateCheck(name, held, said, Text("", "") if held else _MAKE_AGAIN)

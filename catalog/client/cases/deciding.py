"""An officer signs with the office's own key, on the officer's own machine, what was verified."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from catalog.certificates.decisions import decide
from catalog.certificates.grants import read_granted
from catalog.client.cases.evidence import Evidence
from catalog.workflows.model import Step
from catalog.workflows.signatures import matter_of
from desensitize.attesting.signing import read_signing_key
from protos.faults import TrustError
from protos.language import Text


def signed_decision(evidence: Evidence, step: Step, key: Path, reasons: str) -> str:
    """Signs a decision on a case.

    The officer signs a digest, so what is shown must be what is signed: statements are compared
    with the signed requests that the digest covers, whatever the server says.

    Args:
        evidence: The case, verified.
        step: That is to be taken.
        key: The officer's key file.
        reasons: In words.

    Raises:
        InputError: There are no reasons where the step needs them.
        TrustError: The key file is unsafe, or a statement is not what the analyst has signed.
    """
    if step.office is None or step.verdict is None:
        raise ValueError(f"{step.name} is signed by no officer")
    asked = evidence.asked
    try:
        for each in asked.fields.get("statements", ()):
            request = read_granted(each["grant_request"])
            if (request.statement, request.purpose) != (each["sql"], asked.fields["purpose"]):
                raise _other()
    except (KeyError, TypeError, AttributeError) as error:
        raise _other() from error
    return decide(
        matter_of(asked.case, asked), evidence.said[-1].responsible, step.office, step.verdict,
        read_signing_key(key), now=dt.datetime.now(dt.UTC), reasons=reasons,
    )  # fmt: skip


def _other() -> TrustError:
    return TrustError(
        Text("a statement is not the one that the analyst has signed",
             "语句与分析员签名的语句不符"),
        remedy=Text("do not decide; tell the auditor", "请勿作出决定，并报告审计员"),
        code="decision.statement",
    )  # fmt: skip

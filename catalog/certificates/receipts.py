"""Receipts: what a job was, who took part, and what it cost, signed by everyone who answered.

Each surviving department signs a *statement* about its own part; the exchange signs the *receipt*
over the whole. Their claims repeat each other on purpose, so that neither can be changed alone.
A receipt proves participants, plan, policy and bytes. It does not prove that inputs were honest
or that the exchange added correctly, and it carries neither timings nor which cells were hidden.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, TypeVar

from catalog.certificates import envelope
from catalog.codec import from_json, to_json
from catalog.plan import Mode, Plan, Protocol
from protos.canonical import digest
from protos.faults import InputError, TrustError
from protos.identity import IdentityKey, PublicIdentity
from protos.language import Text

RECEIPT_KIND: Final = "VeilReceipt"
STATEMENT_TYPE: Final = "veil-statement+jwt"
PLAN_TYPE: Final = "veil-plan+jwt"
RELEASE_TYPE: Final = "veil-release+jwt"


@dataclass(frozen=True)
class Statement:
    """What one department signs about its part of a job.

    Attributes:
        job: The plan's job.
        plan_hash: SHA-256 (hex) of the plan's canonical JSON.
        department: Who signs.
        policy_version: SHA-256 (hex) of the policy that allowed it.
        snapshot: Id of the data snapshot (random, says nothing about the data).
        rho: zCDP charged to the department's budget; 0 for exact.
        survivors: Departments whose values are in the total, in roster order.
        bytes_out: Step → bytes that left this node in it.
        outcome_digest: SHA-256 (hex) of the aggregate as the analyst receives it.
        hidden_cells: Cells that the signed bitmap of an exact answer suppressed; 0 for ad hoc.
    """

    job: str
    plan_hash: str
    department: str
    policy_version: str
    snapshot: str
    rho: float
    survivors: tuple[str, ...]
    bytes_out: dict[str, int]
    outcome_digest: str
    hidden_cells: int = 0


@dataclass(frozen=True)
class Receipt:
    """What the exchange signs about the whole job.

    Attributes:
        job: The plan's job.
        plan_hash: SHA-256 (hex) of the plan's canonical JSON.
        dataset: As in the plan.
        dataset_digest: As in the plan.
        mode: As in the plan.
        protocol: As in the plan.
        bits: As in the plan.
        roster: Departments that were asked, in order.
        survivors: Those whose values are in the total, in roster order.
        dropped: The others, in roster order.
        policy_versions: Survivor → policy version.
        epsilon: As in the plan.
        delta: As in the plan.
        rho: zCDP charged by every survivor.
        bytes_out: Survivor → step → bytes that left it.
        outcome_digest: SHA-256 (hex) of the aggregate as the analyst receives it.
        hidden_cells: How many cells of an exact answer were suppressed; 0 for ad hoc.
    """

    job: str
    plan_hash: str
    dataset: str
    dataset_digest: str
    mode: Mode
    protocol: Protocol
    bits: int
    roster: tuple[str, ...]
    survivors: tuple[str, ...]
    dropped: tuple[str, ...]
    policy_versions: dict[str, str]
    epsilon: float
    delta: float
    rho: float
    bytes_out: dict[str, dict[str, int]]
    outcome_digest: str
    hidden_cells: int


_Claims = TypeVar("_Claims", Statement, Receipt, Plan)


def plan_hash(plan: Plan) -> str:
    """Returns the SHA-256 (hex) of the plan's canonical JSON."""
    return digest(to_json(plan))


def receipt_of(
    plan: Plan,
    survivors: Collection[str],
    statements: Collection[Statement],
    *,
    outcome_digest: str,
    hidden_cells: int,
) -> Receipt:
    """Puts a receipt together from the plan and the survivors' statements.

    Args:
        plan: The plan.
        survivors: Departments whose values are in the total.
        statements: One of each survivor. A survivor that went away before it signed has no
            policy version and no bytes in the receipt, and verification says so.
        outcome_digest: SHA-256 (hex) of the aggregate as the analyst receives it.
        hidden_cells: Suppressed cells of an exact answer; 0 for ad hoc.

    Raises:
        TrustError: A statement contradicts the plan or the others; names the department.
    """
    present = tuple(m.name for m in plan.roster if m.name in survivors)
    reference = plan_hash(plan)
    rho = next((s.rho for s in statements), 0.0)
    for statement in statements:
        agreed = (plan.job, reference, present, outcome_digest, hidden_cells, rho)
        said = (
            statement.job,
            statement.plan_hash,
            statement.survivors,
            statement.outcome_digest,
            statement.hidden_cells,
            statement.rho,
        )
        if agreed != said or statement.department not in present:
            raise TrustError(
                Text(
                    f"the statement of {statement.department} contradicts the job",
                    f"{statement.department} 的声明与任务矛盾",
                ),
                code="receipt.statement",
                detail=f"agreed {agreed}, said {said}",
            )
    by_name = {s.department: s for s in statements}
    return Receipt(
        job=plan.job,
        plan_hash=reference,
        dataset=plan.dataset,
        dataset_digest=plan.dataset_digest,
        mode=plan.mode,
        protocol=plan.protocol,
        bits=plan.bits,
        roster=tuple(m.name for m in plan.roster),
        survivors=present,
        dropped=tuple(m.name for m in plan.roster if m.name not in present),
        policy_versions={name: by_name[name].policy_version for name in present if name in by_name},
        epsilon=plan.epsilon,
        delta=plan.delta,
        rho=rho,
        bytes_out={name: dict(by_name[name].bytes_out) for name in present if name in by_name},
        outcome_digest=outcome_digest,
        hidden_cells=hidden_cells,
    )


def sign_statement(key: IdentityKey, statement: Statement) -> str:
    """Signs a department's statement."""
    return key.sign(STATEMENT_TYPE, to_json(statement))


def read_statement(identity: PublicIdentity, token: str) -> Statement:
    """Reads a department's statement.

    Raises:
        TrustError: Not signed by this identity, or malformed.
    """
    return _claims(Statement, identity.verify(STATEMENT_TYPE, token))


def read_plan(identity: PublicIdentity, token: str) -> Plan:
    """Reads a signed plan, whenever it was signed.

    Raises:
        TrustError: Not signed by this identity, or malformed.
    """
    return _claims(Plan, identity.verify(PLAN_TYPE, token))


def issue_receipt(key: IdentityKey, exchange: str, receipt: Receipt, *, now: int) -> str:
    """Signs a receipt as a credential of the exchange."""
    return envelope.issue(
        key,
        kind=RECEIPT_KIND,
        identifier=receipt.job,
        issuer=exchange,
        subject=to_json(receipt),
        valid_from=now,
    )


def read_receipt(token: str) -> tuple[Receipt, envelope.Credential]:
    """Reads a receipt: signature under the key that it names, and shape.

    Raises:
        TrustError: It does not hold.
    """
    credential = envelope.read(token, RECEIPT_KIND)
    return _claims(Receipt, credential.subject), credential


def _claims(kind: type[_Claims], body: object) -> _Claims:
    try:
        return from_json(kind, body)
    except InputError as error:
        raise TrustError(
            Text(
                f"the signed {kind.__name__.lower()} is malformed: {error.message}",
                f"已签名的 {kind.__name__.lower()} 格式有误：{error.said.zh}",
            ),
            code="certificate.invalid",
        ) from error

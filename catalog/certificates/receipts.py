"""Receipts: what a job was, who took part, and what it cost, signed by those who answered.

Each surviving department signs a *statement* about its own part; the exchange signs the *receipt*
over the whole. Their claims repeat each other on purpose, so that neither can be changed alone.
A survivor that went away before it signed is named as such, and the receipt stands on the others
while they are enough (`statements_needed`).
A receipt proves participants, plan, policy and bytes. It does not prove that inputs were honest
or that the exchange added correctly, and it carries neither timings nor which cells were hidden.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
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
        unsigned: Survivors without a statement, in roster order: nobody confirms their policy
            and bytes, so the receipt says nothing of them.
        policy_versions: Survivor that signed → policy version.
        epsilon: As in the plan.
        delta: As in the plan.
        rho: zCDP charged by every survivor.
        bytes_out: Survivor that signed → step → bytes that left it.
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
    unsigned: tuple[str, ...]
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


def statements_needed(plan: Plan) -> int:
    """Fewest statements that a receipt stands on: ⌊2n/3⌋ + 1 of the n that were asked.

    Any two sets of so many have more than n/3 departments in common, so an exchange cannot get
    two receipts that contradict each other signed by departments of which two thirds are honest
    (the quorum of masked_sum's own consistency round). A masked he_sum needs every *value*, but
    for the same reason no more signatures; one department alone (sealed) must sign, because
    nothing else says that the answer is its own. A plan whose threshold is lower needs no more
    statements than survivors.
    """
    return min(plan.threshold, 2 * len(plan.roster) // 3 + 1)


@dataclass(frozen=True)
class Facts:
    """What everybody who signs for a job must say alike.

    Attributes:
        job: The plan's job.
        plan_hash: SHA-256 (hex) of the plan's canonical JSON.
        rho: zCDP charged by every survivor; 0 for exact.
        survivors: Departments whose values are in the total, in roster order.
        outcome_digest: SHA-256 (hex) of the aggregate as the analyst receives it.
        hidden_cells: Suppressed cells of an exact answer; 0 for ad hoc.
    """

    job: str
    plan_hash: str
    rho: float
    survivors: tuple[str, ...]
    outcome_digest: str
    hidden_cells: int

    def check(self, statement: Statement) -> None:
        """Compares a department's statement.

        Raises:
            TrustError: It says something else, or the department is no survivor; names it.
        """
        said = Facts(**{f.name: getattr(statement, f.name) for f in fields(Facts)})
        if said != self or statement.department not in self.survivors:
            raise TrustError(
                Text(
                    f"the statement of {statement.department} contradicts the job",
                    f"{statement.department} 的声明与任务矛盾",
                ),
                code="receipt.statement",
                detail=f"agreed {self}, said {said}",
            )


def receipt_of(plan: Plan, facts: Facts, statements: Collection[Statement]) -> Receipt:
    """Puts a receipt together from the plan and the survivors' statements.

    Args:
        plan: The plan.
        facts: What the job came to.
        statements: At most one of each survivor. Who went away before it signed is named, and
            has no policy version and no bytes in the receipt.

    Raises:
        TrustError: A statement contradicts the facts; names the department.
    """
    for statement in statements:
        facts.check(statement)
    by_name = {s.department: s for s in statements}
    roster = tuple(member.name for member in plan.roster)
    signed = tuple(name for name in facts.survivors if name in by_name)
    return Receipt(
        job=plan.job,
        plan_hash=facts.plan_hash,
        dataset=plan.dataset,
        dataset_digest=plan.dataset_digest,
        mode=plan.mode,
        protocol=plan.protocol,
        bits=plan.bits,
        roster=roster,
        survivors=facts.survivors,
        dropped=tuple(name for name in roster if name not in facts.survivors),
        unsigned=tuple(name for name in facts.survivors if name not in by_name),
        policy_versions={name: by_name[name].policy_version for name in signed},
        epsilon=plan.epsilon,
        delta=plan.delta,
        rho=facts.rho,
        bytes_out={name: dict(by_name[name].bytes_out) for name in signed},
        outcome_digest=facts.outcome_digest,
        hidden_cells=facts.hidden_cells,
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
    # Receipts from before 0.2 have no such list: every survivor had to sign.
    return _claims(Receipt, {"unsigned": [], **credential.subject}), credential


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

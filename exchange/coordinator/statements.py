"""The receipt round: what the survivors sign for, and whose signature counts."""

from __future__ import annotations

from catalog.calibration import calibrate
from catalog.certificates.receipts import Facts, Statement, read_statement
from exchange.coordinator.stages import StagePlan
from exchange.outcome import Aggregate
from protos.faults import TrustError
from protos.language import Text


def take_statement(
    stages: StagePlan, result: Aggregate, hidden_cells: int, department: str, token: str
) -> Statement:
    """Reads a survivor's statement; one that does not fit the job is as good as none.

    Args:
        stages: The job.
        result: The aggregate that is signed for.
        hidden_cells: As the bitmap says.
        department: Who sent it.
        token: What it sent.

    Raises:
        TrustError: It is malformed, not signed by this department, or contradicts the job.
    """
    names = [member.name for member in stages.plan.roster]
    statement = read_statement(stages.identities[names.index(department)], token)
    if statement.department != department:
        raise TrustError(
            Text(
                f"the statement of {department} speaks for {statement.department}",
                f"{department} 的声明以 {statement.department} 的名义作出",
            ),
            code="receipt.statement",
        )
    facts_of(stages, result, hidden_cells, [statement]).check(statement)
    return statement


def facts_of(
    stages: StagePlan, result: Aggregate, hidden_cells: int, statements: list[Statement]
) -> Facts:
    """What every statement of the job must say; derived here, not believed from any of them.

    Args:
        stages: The job.
        result: The aggregate that is signed for.
        hidden_cells: As the bitmap says.
        statements: Read for one thing: how many cells a single owner has hidden, which only it
            knows.
    """
    plan = stages.plan
    if plan.protocol == "sealed" and statements:
        hidden_cells = statements[0].hidden_cells
    return Facts(
        job=plan.job,
        plan_hash=stages.plan_hash,
        rho=calibrate(plan, stages.dataset).rho if plan.mode == "adhoc" else 0.0,
        survivors=result.survivors,
        outcome_digest=result.digest,
        hidden_cells=hidden_cells,
    )

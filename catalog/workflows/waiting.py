"""What waits for a caller, as a condition of a query: no case is too old to be found by it.

It says of all cases at once what `taking.check_caller` and `check_clock` say of one; a test
compares the two over cases of every kind.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, or_, true

from catalog.access.principal import Principal
from catalog.workflows.clocks import Clocks
from catalog.workflows.model import Step, Workflow
from catalog.workflows.tables import CaseRow

_OWNERS = {
    "owner": CaseRow.owner, "anybody": CaseRow.owner,
    "counterpart": CaseRow.counterpart, "user": CaseRow.counterpart,
}  # fmt: skip


def waits_for(
    workflow: Workflow, clocks: Clocks, caller: Principal, now: int
) -> ColumnElement[bool]:
    """Returns the condition under which a case waits for a caller.

    It is the turn of the owner or of the other side, and that is the caller; or of the responsible
    department, and that is the caller's, or of the exchange, and the caller can take one of its
    steps now.

    Args:
        workflow: Of the cases.
        clocks: How long states last.
        caller: Who asks.
        now: Unix seconds.
    """
    found: list[ColumnElement[bool]] = []
    for state in workflow.states:
        if state.turn in {"owner", "counterpart"}:
            if caller.account:
                mine = _OWNERS[state.turn] == caller.account
                found.append(and_(CaseRow.state == state.name, mine))
        elif state.turn in {"department", "exchange"}:
            steps = [
                and_(_may(step, caller), _in_time(workflow, step, state.name, clocks, now))
                for step in workflow.possible(state.name)
                if step.by == state.turn
            ]
            ours = CaseRow.department == caller.department if caller.department else false()
            where = ours if state.turn == "department" else true()
            found.append(and_(CaseRow.state == state.name, where, or_(false(), *steps)))
    return or_(false(), *found)


def _may(step: Step, caller: Principal) -> ColumnElement[bool]:
    reach = caller.reach(step.action)
    if reach == "all":
        return true()
    found: list[ColumnElement[bool]] = []
    if reach in {"own", "department"} and caller.account and step.by in _OWNERS:
        found.append(_OWNERS[step.by] == caller.account)
    if reach == "department" and caller.department and step.by in {"department", "user", "anybody"}:
        found.append(CaseRow.department == caller.department)
    return or_(false(), *found)


def _in_time(
    workflow: Workflow, step: Step, state: str, clocks: Clocks, now: int
) -> ColumnElement[bool]:
    before = clocks.entered_before(workflow, state, now)
    if not step.clock or before is None:
        return true()
    return CaseRow.since < before if step.clock == "over" else CaseRow.since >= before

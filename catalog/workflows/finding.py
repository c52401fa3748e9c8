"""Lists of cases: only those that the caller may know of, also in the count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select, true
from sqlalchemy.orm import aliased

from catalog.access.principal import Principal
from catalog.registry.registry import Registry
from catalog.registry.tables import DatasetRow
from catalog.workflows.case import Case, case_of
from catalog.workflows.clocks import Clocks
from catalog.workflows.model import Workflow
from catalog.workflows.tables import CaseDatasetRow, CaseRow
from catalog.workflows.waiting import waits_for
from protos.faults import InputError, MissingError
from protos.language import Text

MOST: Final = 200


@dataclass(frozen=True)
class Filter:
    """Which cases are wanted; what is empty leaves all.

    Attributes:
        state: Code of a state.
        department: Code of the responsible department.
        dataset: Source and identifier of a dataset that they are about.
        overdue: Only those whose days are over.
        mine: Only those that the caller has opened, or is the other side of.
        waiting: Only those that wait for the caller.
        limit: Most on a page.
        cursor: From the page before.
    """

    state: str = ""
    department: str = ""
    dataset: tuple[str, str] | None = None
    overdue: bool = False
    mine: bool = False
    waiting: bool = False
    limit: int = 20
    cursor: str = ""


@dataclass(frozen=True)
class Found:
    """One page.

    Attributes:
        total: How many there are on all pages.
        cases: Newest first.
        cursor: For the next page; "" on the last.
    """

    total: int
    cases: tuple[Case, ...]
    cursor: str


def find(
    registry: Registry, clocks: Clocks, workflow: Workflow, caller: Principal, wanted: Filter
) -> Found:
    """Finds cases.

    Raises:
        InputError: The state or the cursor is none.
    """
    if wanted.state and wanted.state not in {state.name for state in workflow.states}:
        raise InputError(
            Text(f"{wanted.state[:40]!r} is no state of a {workflow.title.en}",
                 f"“{wanted.state[:40]}”不是{workflow.title.zh}的状态"),
            remedy=Text(f"use {', '.join(s.name for s in workflow.states)}",
                        f"可用：{'、'.join(s.name for s in workflow.states)}"),
            code="case.state",
        )  # fmt: skip
    words = (wanted.department, *(wanted.dataset or ()))
    if any("\0" in word for word in words):  # which a text in PostgreSQL cannot have
        raise InputError(
            Text("a filter is one line of words", "筛选条件须为一行文字"),
            remedy=Text("mend the filter", "请改正筛选条件"),
            code="case.filter",
        )
    now = registry.now()
    conditions = [CaseRow.kind == workflow.kind, _scope(workflow, clocks, caller, wanted, now)]
    conditions += _filters(workflow, clocks, caller, wanted, now)
    with registry.database.read() as connection:
        count = select(func.count()).select_from(CaseRow).where(*conditions)
        total = connection.execute(count).scalar_one()
        if wanted.cursor:
            place = select(CaseRow.opened).where(CaseRow.id == wanted.cursor, *conditions[:2])
            before = connection.execute(place).scalar()
            if before is None:
                raise MissingError(
                    Text("this is no cursor of this list", "游标无效"),
                    remedy=Text("begin again without one", "请从第一页开始"),
                    code="case.cursor",
                )
            conditions.append(CaseRow.opened < before)
        rows = connection.execute(
            select(CaseRow.__table__)
            .where(*conditions)
            .order_by(CaseRow.opened.desc())
            .limit(wanted.limit + 1)
        ).all()
    cases = tuple(case_of(row) for row in rows[: wanted.limit])
    return Found(total, cases, cases[-1].id if len(rows) > wanted.limit else "")


def _scope(
    workflow: Workflow, clocks: Clocks, caller: Principal, wanted: Filter, now: int
) -> ColumnElement[bool]:
    reach = caller.reach(workflow.read)
    if reach == "all":
        return true()
    mine = _mine(caller) if reach in {"own", "department"} else false()
    ours = (
        CaseRow.department == caller.department
        if reach == "department" and caller.department
        else false()
    )
    free: ColumnElement[bool] = CaseRow.state.in_(workflow.open_states)
    if workflow.open_under is not None:
        under, kind, state = aliased(CaseRow), *workflow.open_under
        free = and_(free, exists().where(
            under.kind == kind, under.owner == CaseRow.owner, under.state == state,
            under.until >= clocks.day(now).isoformat(),
        ))  # fmt: skip
    if wanted.dataset is not None and caller.reach("dataset.read") != "all":
        # Whether a closed dataset has an asset would say that there is one.
        free = and_(free, exists().where(
            DatasetRow.source == wanted.dataset[0], DatasetRow.identifier == wanted.dataset[1],
            DatasetRow.opening != "none", DatasetRow.state == "registered",
        ))  # fmt: skip
    return or_(mine, ours, free)


def _mine(caller: Principal) -> ColumnElement[bool]:
    if not caller.account:
        return false()
    return or_(CaseRow.owner == caller.account, CaseRow.counterpart == caller.account)


def _filters(
    workflow: Workflow, clocks: Clocks, caller: Principal, wanted: Filter, now: int
) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.state:
        found.append(CaseRow.state == wanted.state)
    if wanted.department:
        found.append(CaseRow.department == wanted.department)
    if wanted.mine:
        found.append(_mine(caller))
    if wanted.waiting:
        found.append(waits_for(workflow, clocks, caller, now))
    if wanted.dataset is not None:
        source, identifier = wanted.dataset
        found.append(exists().where(
            CaseDatasetRow.case == CaseRow.id, CaseDatasetRow.source == source,
            CaseDatasetRow.identifier == identifier,
        ))  # fmt: skip
    if wanted.overdue:
        late: list[Any] = [
            and_(CaseRow.state == state.name, CaseRow.since < moment)
            for state in workflow.states
            if (moment := clocks.entered_before(workflow, state.name, now)) is not None
        ]
        found.append(or_(false(), *late))
    return found

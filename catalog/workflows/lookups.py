"""What rules look up in the catalog: datasets that are there, departments, other cases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import Connection, select

from catalog.registry.entries import Entry, entry
from catalog.registry.tables import DatasetRow, DepartmentRow
from catalog.registry.withdrawal import unknown
from catalog.workflows.case import Case, case_of
from catalog.workflows.situation import Situation, refused
from catalog.workflows.tables import CaseDatasetRow, CaseRow
from protos.language import Text


def registered(at: Situation) -> list[Entry]:
    """Returns the datasets that were named, in order; all registered, all for the caller to see.

    Raises:
        MissingError: One is not there, or is not for the caller: the two look alike.
        InputError: One was withdrawn.
    """
    everything = at.caller.reach("dataset.read") == "all"
    found = []
    for named in at.said["datasets"]:
        one = entry(at.connection, named["source"], named["identifier"])
        if not everything and one.record.opening.attribute == "none":
            raise unknown(named["source"], named["identifier"])
        if one.state != "registered":
            raise refused(
                "dataset",
                Text(f"{named['identifier']} was withdrawn from the catalog",
                     f"{named['identifier']} 已从目录撤回"),
                Text("name another dataset", "请选择其他数据资源"),
            )  # fmt: skip
        found.append(one)
    return found


def provider(entries: Sequence[Entry]) -> str:
    """Returns the code of the one department that provides all of some datasets.

    Raises:
        InputError: They are of several.
    """
    codes = {each.record.provider.code for each in entries}
    if len(codes) > 1:
        raise refused(
            "departments",
            Text("these datasets are of several departments", "这些数据资源属于多个部门"),
            Text("open a case for each department: each decides for itself",
                 "请按部门分别提出：各部门各自决定"),
        )  # fmt: skip
    return codes.pop()


def department(connection: Connection, code: str) -> str:
    """Returns the code of a department that is there.

    Raises:
        InputError: There is none.
    """
    if connection.execute(select(DepartmentRow.code).where(DepartmentRow.code == code)).first():
        return code
    raise refused(
        "department",
        Text(f"there is no department {code!r}", f"没有代码为“{code}”的部门"),
        Text("veil catalog departments lists them", "用 veil catalog departments 查看"),
    )


def provides(connection: Connection, code: str, dataset: tuple[str, str]) -> bool:
    """Says whether a department provides a registered dataset."""
    found = select(DatasetRow.id).where(
        DatasetRow.source == dataset[0], DatasetRow.identifier == dataset[1],
        DatasetRow.provider == code, DatasetRow.state == "registered",
    )  # fmt: skip
    return bool(code) and connection.execute(found).first() is not None


def of_owner(connection: Connection, kind: str, owner: str, *states: str) -> list[Case]:
    """Returns an account's cases that are in some states, the newest first."""
    rows = connection.execute(
        select(CaseRow.__table__)
        .where(CaseRow.kind == kind, CaseRow.owner == owner, CaseRow.state.in_(states))
        .order_by(CaseRow.opened.desc())
    )
    return [case_of(row) for row in rows]


def in_force(connection: Connection, kind: str, state: str, owner: str, today: dt.date) -> bool:
    """Says whether an account has a case in a state whose last day is not over."""
    found = select(CaseRow.id).where(
        CaseRow.kind == kind, CaseRow.owner == owner, CaseRow.state == state,
        CaseRow.until >= today.isoformat(),
    )  # fmt: skip
    return connection.execute(found).first() is not None


def about(connection: Connection, kind: str, dataset: tuple[str, str]) -> list[Case]:
    """Returns the cases that are about a dataset, in the order in which they were opened."""
    rows = connection.execute(
        select(CaseRow.__table__)
        .join(CaseDatasetRow, CaseDatasetRow.case == CaseRow.id)
        .where(
            CaseRow.kind == kind,
            CaseDatasetRow.source == dataset[0],
            CaseDatasetRow.identifier == dataset[1],
        )
        .order_by(CaseRow.opened)
    )
    return [case_of(row) for row in rows]

"""Every use of one subject's data: what its authorisations were used for, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from catalog.registry.registry import Registry
from catalog.workflows.case import Kept
from catalog.workflows.events import unverified_event
from catalog.workflows.tables import CaseEventRow, CaseRow
from protos.faults import MissingError
from protos.language import Text

MOST: Final = 100
CURSOR: Final = r"[0-9a-f]{16}-[0-9]{1,6}"


@dataclass(frozen=True)
class Uses:
    """One page of uses.

    Attributes:
        events: The newest first.
        cursor: For the next page; "" on the last.
    """

    events: tuple[Kept, ...]
    cursor: str


def uses(registry: Registry, account: str, *, limit: int = MOST, cursor: str = "") -> Uses:
    """Returns the uses under all authorisations that an account has given.

    Args:
        registry: The catalog.
        account: That stands for the subject.
        limit: Most on a page.
        cursor: From the page before, of the form `CURSOR`; "" for the first.

    Raises:
        MissingError: That is no cursor of this list.
    """
    mine = (
        select(
            CaseEventRow.sequence, CaseEventRow.token, CaseEventRow.salt, CaseEventRow.document,
            CaseEventRow.entry,
        )
        .join(CaseRow, CaseRow.id == CaseEventRow.case)
        .where(CaseRow.kind == "authorisations", CaseRow.owner == account)
    )  # fmt: skip
    statement = mine.order_by(CaseEventRow.sequence.desc())
    found: list[Kept] = []
    with registry.database.read() as connection:
        if cursor:
            case, _, number = cursor.partition("-")
            place = mine.where(CaseEventRow.case == case, CaseEventRow.number == int(number))
            row = connection.execute(place).first()
            if row is None:
                raise MissingError(
                    Text("this is no cursor of this list", "游标无效"),
                    remedy=Text("begin again without one", "请从第一页开始"),
                    code="case.cursor",
                )
            statement = statement.where(CaseEventRow.sequence < row.sequence)
        for row in connection.execute(statement):
            said = unverified_event(row.token)
            if said.step != "use":
                continue
            if len(found) == limit:
                last = found[-1].said
                return Uses(tuple(found), f"{last.case.partition('/')[2]}-{last.number}")
            found.append(Kept(said, row.token, row.salt, row.document, row.entry))
    return Uses(tuple(found), "")

"""For whoever carries out an operation on one subject's data: may I, and I did.

A program asks `authorised` before, and calls `use` to do it: it checks again and notes the use in
one transaction, so an authorisation for one time serves once, also when two come at the same
moment. People do the same by the step ``use`` of the authorisation's workflow.
"""

from __future__ import annotations

from typing import Final

from catalog.access.principal import EXCHANGE_NAME, Principal
from catalog.workflows.authorisation_rules import Use, allowing
from catalog.workflows.authorisations import AUTHORISATIONS
from catalog.workflows.case import Case
from catalog.workflows.cases import Cases, Wanted
from protos.faults import ConflictError, PolicyError
from protos.language import Text

__all__ = ["Use", "authorised", "use"]
_TRIES: Final = 8  # of as many who use one authorisation at the same moment
EXCHANGE: Final = Principal(EXCHANGE_NAME, frozenset({"administrator"}))


def authorised(cases: Cases, subject: str, wanted: Use) -> bool:
    """Says whether a subject has authorised a use, and neither time nor number is over.

    Args:
        cases: Of the catalog.
        subject: The person or firm, as the account that stands for it names it.
        wanted: What is to be done.
    """
    return _find(cases, subject, wanted) is not None


def use(cases: Cases, subject: str, wanted: Use, reference: str) -> Case:
    """Notes a use in the subject's authorisation, before the operation is carried out.

    Args:
        cases: Of the catalog.
        subject: The person or firm.
        wanted: What is done.
        reference: The job or receipt, for the subject to follow up.

    Raises:
        PolicyError: The subject has not authorised it, or not any more.
        ConflictError: This job or receipt was noted already.
    """
    for _ in range(_TRIES):
        case = _find(cases, subject, wanted)
        if case is None:
            break
        step = AUTHORISATIONS.step("use")
        said = Wanted(
            {"operation": wanted.operation, "purpose": wanted.purpose, "reference": reference},
            revision=case.revision,
        )
        try:
            return cases.act(AUTHORISATIONS, case.id, step, EXCHANGE, said)
        except ConflictError as error:
            if error.code != "case.changed":
                raise
            continue  # somebody used it in between: is there some left?
    raise PolicyError(
        Text("the person or firm has not authorised this use", "数据主体未授权此项使用"),
        remedy=Text("ask them to authorise it: veil authorise give",
                    "请数据主体授权：veil authorise give"),
        code="consent.missing",
    )  # fmt: skip


def _find(cases: Cases, subject: str, wanted: Use) -> Case | None:
    today = cases.clocks.day(cases.registry.now())
    with cases.registry.database.read() as connection:
        return allowing(connection, subject, wanted, today)

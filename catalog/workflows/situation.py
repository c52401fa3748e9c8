"""What a rule of a workflow sees, and what it may change."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from catalog.access.principal import Principal
from catalog.certificates.reading import CertificateReader
from catalog.registry.registry import Registry
from catalog.workflows.case import Case, history
from catalog.workflows.clocks import Clocks
from catalog.workflows.events import Event
from catalog.workflows.model import Step, Workflow
from protos.faults import InputError
from protos.language import Text


@dataclass(frozen=True)
class Situation:
    """A step that somebody wants to take; may it, the table says already.

    Attributes:
        registry: The catalog.
        connection: Of the write's transaction.
        office: Certificates, to be looked up; None if this catalog has none.
        clocks: Of the catalog.
        workflow: The case's.
        step: Which.
        case: As it was read in this transaction; None when it is to be opened.
        caller: Who.
        said: Its fields, read.
        now: Unix seconds.
    """

    registry: Registry
    connection: Connection
    office: CertificateReader | None
    clocks: Clocks
    workflow: Workflow
    step: Step
    case: Case | None
    caller: Principal
    said: dict[str, Any]
    now: int

    @property
    def today(self) -> dt.date:
        """The day that it is where the catalog is."""
        return self.clocks.day(self.now)

    def opened(self) -> Case:
        """Returns the case, in a rule of a step that opens none."""
        if self.case is None:
            raise ValueError("the case is not open yet")
        return self.case

    def events(self) -> list[Event]:
        """Returns what was done before."""
        return [kept.said for kept in history(self.connection, self.opened().id)]

    def asked(self) -> Event:
        """Returns the event that says what is asked."""
        return self.events()[self.opened().asked - 1]

    def until(self, day: str) -> None:
        """Checks that a last day is not over.

        Raises:
            InputError: It is.
        """
        if dt.date.fromisoformat(day) < self.today:
            raise refused(
                "until",
                Text(f"the last day, {day}, is over", f"截止日 {day} 已过"),
                Text("ask again with a later day", "请以更晚的日期重新提出"),
            )


@dataclass(frozen=True)
class Change:
    """What a rule changes of a case's row, besides its state; None leaves a thing as it is.

    Attributes:
        title: One line.
        department: Code of the department that is responsible from now on.
        counterpart: Account on the other side.
        subject: Person or firm whose data it is about.
        datasets: That it is about.
        after: State to which the step leads, instead of the table's.
        asked: Number of the event that says what is asked.
        once: Name of a document from outside that must serve for one step only.
        more: Fields that the catalog adds to what the caller said.
    """

    title: str | None = None
    department: str | None = None
    counterpart: str | None = None
    subject: str | None = None
    datasets: list[dict[str, str]] | None = None
    after: str | None = None
    asked: int | None = None
    once: str | None = None
    more: dict[str, Any] = field(default_factory=dict)


def refused(code: str, said: Text, remedy: Text) -> InputError:
    """Returns the error of a rule."""
    return InputError(said, remedy=remedy, code=f"case.{code}")

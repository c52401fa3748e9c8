"""What a workflow is: states, and a table of the steps between them. Data, without any action.

A state says whose turn it is and how long that may take. A step says from where to where it leads,
which action of the permission matrix it is, whose case it must be, whether an officer signs with
the office's own key, and what must be said with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from catalog.access.permissions import Action
from catalog.certificates.decisions import Office, Verdict
from catalog.workflows.fields import Field
from protos.language import Text

Party = Literal["owner", "counterpart", "department", "user", "exchange", "anybody"]
"""Who takes a step: the account whose case it is, the account that is its other side, somebody of
the responsible department, one of these two, the exchange itself, or whoever the matrix lets reach
all cases."""

PARTIES: Final[dict[Party, Text]] = {
    "owner": Text("who opened the case", "发起人"),
    "counterpart": Text("the other side", "对方"),
    "department": Text("the responsible department", "责任部门"),
    "user": Text("who may use the data, or the department that releases it",
                 "被授权方或提供数据的部门"),
    "exchange": Text("the exchange", "交换中心"),
    "anybody": Text("anybody with an account", "任何注册用户"),
}  # fmt: skip


@dataclass(frozen=True)
class State:
    """A state of a case.

    Attributes:
        name: Code.
        title: For people.
        turn: Who is to act; None when nobody must.
        days: Days that this may take, unless the catalog's ``clocks.toml`` says otherwise; 0 for
            as long as it takes.
        open: Whether those who may only see what is open see a case in this state.
    """

    name: str
    title: Text
    turn: Party | None = None
    days: int = 0
    open: bool = False


@dataclass(frozen=True)
class Step:
    """One row of the table.

    Attributes:
        name: Code, and the last part of its address.
        title: For people.
        before: States in which it can be taken; () opens a case.
        after: State to which it leads; "" stays where it is.
        action: Of the permission matrix.
        by: Who takes it.
        fields: What is said with it.
        adds: What the catalog's rule says with it, to be shown beside these.
        asks: Whether its fields are what the case asks for: officers decide on the last such event.
        office: The office whose own key signs it; None if the login is enough. The reasons stand in
            the signed decision, so such a step has no fields.
        verdict: What the officer's signed decision must say.
        clock: ``over`` if it must wait until the state's days are over, ``running`` if it can only
            be taken before.
        apart: Steps whose takers must not take this one: four eyes.
    """

    name: str
    title: Text
    before: tuple[str, ...]
    after: str
    action: Action
    by: Party
    fields: tuple[Field, ...] = ()
    adds: tuple[Field, ...] = ()
    asks: bool = False
    office: Office | None = None
    verdict: Verdict | None = None
    clock: Literal["", "over", "running"] = ""
    apart: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workflow:
    """A kind of case.

    Attributes:
        kind: Code; also the last part of its address, ``/api/requests``.
        title: Of one case, for people.
        read: Action of the permission matrix by which cases are seen.
        states: In the order of a case's life.
        steps: The table; the first one opens a case.
        open_fields: Fields that are shown to those who may only see what is open.
        open_under: Kind and state of a case that the owner must have, its last day not over, for
            its own to be open: a product is on the market while its broker is licensed.
    """

    kind: str
    title: Text
    read: Action
    states: tuple[State, ...]
    steps: tuple[Step, ...]
    open_fields: tuple[str, ...] = ()
    open_under: tuple[str, str] | None = None

    @property
    def first(self) -> Step:
        """The step that opens a case."""
        return self.steps[0]

    def state(self, name: str) -> State:
        """Returns a state by its code."""
        return next(state for state in self.states if state.name == name)

    def step(self, name: str) -> Step:
        """Returns a step by its code."""
        return next(step for step in self.steps if step.name == name)

    def possible(self, state: str) -> tuple[Step, ...]:
        """Returns the steps that a state allows."""
        return tuple(step for step in self.steps if state in step.before)

    @property
    def open_states(self) -> tuple[str, ...]:
        """Codes of the states in which everybody may see a case."""
        return tuple(state.name for state in self.states if state.open)

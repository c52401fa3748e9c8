"""What the exchange's server asks of its hub: the seam between transport and coordination.

The server knows certificates, frames and limits; the hub knows jobs, rounds and rosters. Every
method may raise a `VeilError`, which reaches the caller without its private detail. Methods are
called from many threads at once. The server has already checked, before it calls:

* that the caller's certificate is valid, known and not revoked, and its role fits the method;
* that a message is whole (size, hash, order of frames), and its sender is the caller.

Whether a *job* belongs to the caller is the hub's to check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from compute_nodes.rpc.delivery import Delivery
from protos.names import Role

MOST_REQUEST_CHARACTERS: Final = 100_000
"""Of a grant request or an answer to one; each owner is sent a copy."""
MOST_DECISION_BYTES: Final = 256 << 10
"""Of one file of officers' decisions; each owner is sent a copy."""

__all__ = ["Alive", "Caller", "Delivery", "Hub", "Progress", "Registration"]

# Whether a waiting call is still wanted: false once the peer has gone, its certificate was
# revoked or the server stops. A call that waits asks at least twice a second.
Alive = Callable[[], bool]


@dataclass(frozen=True)
class Caller:
    """Who calls, as the certificate says.

    Attributes:
        role: ``department``, ``analyst`` or ``auditor``.
        name: Unique within the role.
        fingerprint: SHA-256 (hex) of the TLS certificate, not of the identity key.
    """

    role: Role
    name: str
    fingerprint: str


@dataclass(frozen=True)
class Registration:
    """What a department says about itself when it comes online.

    Attributes:
        card: ``veil-card+jwt``; the server has checked that it is the one from enrolment.
        policies: Public part of the policy files (JSON values).
        snapshots: Per dataset the snapshot id and declared size bucket (JSON values).
        version: Of the software at the node.
        declaration: ``veil-declaration+jwt``: what it holds, for the catalog; "" if it says none.
    """

    card: str
    policies: list[dict[str, Any]] = field(default_factory=list)
    snapshots: list[dict[str, Any]] = field(default_factory=list)
    version: str = ""
    declaration: str = ""


@dataclass(frozen=True)
class Progress:
    """One step of a job that its analyst may see; nothing in it depends on data.

    Attributes:
        at: Unix seconds.
        what: Stable word for programs, such as ``joined``, ``dropped``, ``done``, ``failed``.
        department: Whom it is about, or "".
        text: One line for people.
    """

    at: float
    what: str
    department: str = ""
    text: str = ""


class Hub(Protocol):
    """Jobs, rounds and rosters, behind the server."""

    def pull(self, caller: Caller, wait_s: float, alive: Alive, session: str) -> Delivery | None:
        """Waits for the department's next message, at most ``wait_s`` seconds.

        Args:
            caller: A department.
            wait_s: Longest wait, seconds.
            alive: See `Alive`.
            session: Changes when the node has restarted or lost a reply; all that is
                unanswered is then offered again (see `exchange.serving.inbox`).
        """
        ...

    def push(self, caller: Caller, delivery: Delivery) -> bool:
        """Takes a department's answer; ``delivery.sender`` is the caller.

        Returns:
            Whether these very bytes were here already (idempotent by job, round, attempt).
        """
        ...

    def register(self, caller: Caller, registration: Registration) -> None:
        """Notes what a department offers; replaces what it said before."""
        ...

    def directory(self, caller: Caller) -> dict[str, Any]:
        """Returns members, cards, datasets, policies, snapshots, who is online (JSON value)."""
        ...

    def submit(self, caller: Caller, plan: str) -> str:
        """Takes an analyst's signed plan and returns its job; the same plan again is the same job.

        Args:
            caller: An analyst.
            plan: ``veil-plan+jwt``.
        """
        ...

    def watch(self, caller: Caller, job: str, alive: Alive) -> Iterator[Sequence[Progress]]:
        """Yields the job's progress from its start and ends when the job has, or not ``alive``.

        What happens at nearly the same time comes together.

        Always replays from the first event, in the same order, so that a broken watch can be
        taken up again.
        """
        ...

    def fetch(self, caller: Caller, job: str) -> bytes:
        """Returns the outcome of a job of the caller's; raises JobError while there is none."""
        ...

    def certificate(self, caller: Caller, job: str) -> bytes:
        """Returns the bundle of the certificate of one of the caller's results; b"" while due."""
        ...

    def cancel(self, caller: Caller, job: str) -> bool:
        """Gives up a job of the caller's; false when it had ended already."""
        ...

    def request_grant(self, caller: Caller, request: str, decisions: bytes = b"") -> str:
        """Passes a signed grant request to the owners and returns its id (SHA-256, hex).

        Args:
            caller: An analyst.
            request: ``veil-grant-request+jwt``.
            decisions: A file of officers' decisions on it, which is handed on unread.
        """
        ...

    def grants(self, caller: Caller, request_id: str) -> list[dict[str, Any]]:
        """Returns the state of one request, or of all of the caller's for "" (JSON values)."""
        ...

"""Who takes part, and what each department has said that it offers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from catalog.codec import from_json
from catalog.declaration import Declaration, read_declaration
from catalog.plan import Plan
from catalog.policy import Policy
from exchange.ports import Caller, Registration
from exchange.serving.plan_admission import Members, identity_of, min_group
from exchange.serving.shelf import DatasetShelf
from protos.cards import read_card
from protos.faults import InputError
from protos.identity import PublicIdentity
from protos.language import Text


class Roster:
    """Members as they are enrolled, and registrations, which are kept in memory only.

    Args:
        members: Reads everybody who is enrolled and not revoked, with the card of enrolment.
        shelf: The declared datasets.
        online: Whether a department is connected.
        declared: Told what a department declares that it holds, verified, as signed, and the
            fingerprint of the key that signed it.
    """

    def __init__(
        self,
        members: Callable[[], Members],
        shelf: DatasetShelf,
        online: Callable[[str], bool],
        declared: Callable[[Declaration, str, str], None],
    ) -> None:
        self.members = members
        self._shelf = shelf
        self._online = online
        self._declared = declared
        self._registered: dict[str, Registration] = {}
        self._lock = threading.Lock()

    def identity(self, caller: Caller) -> PublicIdentity:
        """Returns the key with which a caller is enrolled.

        Raises:
            TrustError: It is not (any more).
        """
        return identity_of(self.members(), caller.role, caller.name)

    def departments(self, fingerprint: str = "") -> list[str]:
        """Returns the names of those that are enrolled, or of those with this key."""
        return [
            name
            for (role, name), card in self.members().items()
            if role == "department" and fingerprint in ("", read_card(card).identity.fingerprint)
        ]

    def register(self, caller: Caller, registration: Registration) -> None:
        """Notes what a department offers; replaces what it said before.

        Raises:
            InputError: It is malformed, and would stop everybody who reads the directory.
            TrustError: Its declaration is not signed by this department.
        """
        for body in registration.policies:
            if from_json(Policy, body).department != caller.name:
                raise InputError(
                    Text("a policy names another department", "策略署名的是另一个部门"),
                    code="register.policy",
                )
        for snapshot in registration.snapshots:
            if not isinstance(snapshot.get("dataset"), str) or not isinstance(
                snapshot.get("snapshot"), str
            ):
                raise InputError(
                    Text("a snapshot is malformed", "快照信息格式有误"), code="register.snapshot"
                )
        if registration.declaration:
            token, identity = registration.declaration, self.identity(caller)
            declared = read_declaration(token, caller.name, identity)
            self._declared(declared, token, identity.fingerprint)
        with self._lock:
            self._registered[caller.name] = registration

    def is_registered(self, department: str) -> bool:
        """Whether it has said what it offers since this process was started."""
        with self._lock:
            return department in self._registered

    def directory(self) -> list[dict[str, Any]]:
        """Returns every member, with what the departments offer (JSON values)."""
        registered = self._copy()
        members = []
        for (role, name), card in self.members().items():
            entry: dict[str, Any] = {"role": role, "name": name, "card": card}
            if role == "department":
                known = registered.get(name, Registration(""))
                entry |= {
                    "online": self._online(name),
                    "policies": known.policies,
                    "snapshots": known.snapshots,
                    "version": known.version,
                }
            members.append(entry)
        return members

    def min_group(self, plan: Plan) -> int:
        """Returns the strictest ``min_group`` of a plan's departments, in subjects.

        Raises:
            UnavailableError: An exact answer, and somebody's policy is not known here (yet).
        """
        return min_group(plan, self._copy(), self._shelf.get(plan.dataset))

    def _copy(self) -> dict[str, Registration]:
        with self._lock:
            return dict(self._registered)

"""Between a catalog's cases and the departments' nodes: what was decided is carried, nothing more.

Once a request for use is approved, the analyst's signed requests for grants, which stand in the
case, go to the nodes with the officers' decisions, as the analyst could hand them in. Once the
department's node has signed all grants, they are handed in to the case. Once the case is revoked,
the officer's signed no goes to the node of that department, which ends its grants upon it.

All of it is signed by others and checked where it arrives, so carrying proves nothing and gains
nothing. What is done is seen in the catalog and at the desk; a kill at any moment loses nothing,
and doing it again changes nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any, Final, Protocol

from catalog.certificates.decisions import decision_file, request_digest
from catalog.certificates.grants import read_grant, read_granted
from catalog.workflows.case import Case
from catalog.workflows.cases import Cases, Wanted
from catalog.workflows.consent import EXCHANGE
from catalog.workflows.finding import MOST, Filter, find
from catalog.workflows.node_pins import PINS
from catalog.workflows.requests import REQUESTS
from catalog.workflows.signatures import approvals
from exchange.ports import Caller
from protos.cards import Pins
from protos.faults import MISTAKES, ConflictError, VeilError

LOG: Final = logging.getLogger("veil.exchange")
LOOK_S: Final = 30.0  # for what could not be carried before, and pins that were confirmed meanwhile


class Nodes(Protocol):
    """What is needed of the hub."""

    def request_grant(self, caller: Caller, request: str, decisions: bytes = b"") -> str:
        """Passes a signed request, and decisions on it, to the owners that have not answered."""

    def grants(self, caller: Caller, request_id: str) -> list[dict[str, Any]]:
        """Returns the state of an analyst's requests."""

    def end_grant(self, fingerprint: str, request: str, decisions: bytes) -> None:
        """Hands decisions against a grant to the node with this key."""


class Carrier:
    """Carries in a thread of its own, woken by either side.

    Args:
        cases: Of the catalog that is served here.
        nodes: The exchange.
    """

    def __init__(self, cases: Cases, nodes: Nodes) -> None:
        self._cases = cases
        self._nodes = nodes
        self._handed_in: dict[str, tuple[int, tuple[tuple[Caller, str], ...]]] = {}
        self._ended: set[str] = set()
        self._told: set[tuple[str, str]] = set()
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="carrier", daemon=True)

    def start(self) -> None:
        """Begins with what an earlier process left."""
        self._news.set()
        self._thread.start()

    def stop(self) -> None:
        """Ends; what is not carried yet, the next process carries."""
        self._stopping.set()
        self._news.set()
        self._thread.join()

    def wake(self) -> None:
        """Says that something was decided or answered; returns at once."""
        self._news.set()

    def settle(self) -> None:
        """Carries all that can be carried now; what cannot be holds up nothing else."""
        pins = Pins.load(self._cases.registry.directory / PINS)
        for state, carry in (("approved", self._grant), ("revoked", self._end)):
            for case in self._found(state):
                try:
                    carry(case, pins.fingerprint_of("department", case.department))
                except ConflictError:
                    self._news.set()  # somebody was quicker: look again
                except VeilError as error:
                    self._tell(case, error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._news.wait(LOOK_S)
            self._news.clear()
            if self._stopping.is_set():
                return
            try:
                self.settle()
            except VeilError as error:
                LOG.warning(
                    "requests for use: %s; %s %s", error.message, error.remedy, error.detail
                )
            except MISTAKES:  # a mistake of ours must not end carrying until the next start
                LOG.exception("requests for use")

    def _found(self, state: str) -> Iterator[Case]:
        cursor, more = "", True
        while more:
            wanted = Filter(state=state, limit=MOST, cursor=cursor)
            page = find(self._cases.registry, self._cases.clocks, REQUESTS, EXCHANGE, wanted)
            yield from page.cases
            cursor, more = page.cursor, bool(page.cursor)

    def _grant(self, case: Case, pinned: str | None) -> None:
        """Hands an approved request in, and its grants back once they are all there."""
        grants = [self._granted(caller, of, pinned) for caller, of in self._asked(case)]
        if None in grants:
            return
        said = Wanted({"grants": grants}, revision=case.revision)
        self._cases.act(REQUESTS, case.id, REQUESTS.step("grant"), EXCHANGE, said)
        del self._handed_in[case.id]

    def _asked(self, case: Case) -> tuple[tuple[Caller, str], ...]:
        """Returns analyst and digest of each signed request of a case, handed in."""
        known = self._handed_in.get(case.id)
        if known is not None and known[0] == case.asked:
            return known[1]
        kept = self._cases.history(case)
        file = decision_file(approvals(kept, case))
        asked = []
        for each in kept[case.asked - 1].said.fields["statements"]:
            token = each["grant_request"]
            caller = Caller("analyst", read_granted(token).analyst, "")
            asked.append((caller, self._nodes.request_grant(caller, token, file)))
        self._handed_in[case.id] = case.asked, tuple(asked)
        return tuple(asked)

    def _granted(self, caller: Caller, request: str, pinned: str | None) -> str | None:
        """Returns the grant that the department's own key has signed; None until there is one."""
        for entry in self._nodes.grants(caller, request):
            for answer in entry["answers"]:
                if answer["state"] == "granted":
                    grant = str(answer["body"])
                    if read_grant(grant).fingerprint == pinned:
                        return grant
        return None

    def _end(self, case: Case, pinned: str | None) -> None:
        """Hands the officer's no to the department's node, behind what it may have granted."""
        if case.id in self._ended or pinned is None:
            return
        kept = self._cases.history(case)
        file = decision_file([kept[-1].document])
        for each in kept[case.asked - 1].said.fields["statements"]:
            self._nodes.end_grant(pinned, request_digest(each["grant_request"]), file)
        self._ended.add(case.id)
        self._handed_in.pop(case.id, None)

    def _tell(self, case: Case, error: VeilError) -> None:
        """Writes down why a case is not carried, once."""
        if (case.id, error.code) not in self._told:
            self._told.add((case.id, error.code))
            LOG.warning("%s: %s; %s %s", case.name, error.message, error.remedy, error.detail)

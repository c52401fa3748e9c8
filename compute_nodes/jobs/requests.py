"""Grant requests as they arrive at an owner's node: kept until the owner answers.

Officers' decisions on one arrive behind it, as the exchange hands them on. They may be all that the
department's own rules ask for; then the grant is signed and goes back at once. They may also say no
to what was granted; then it has ended, and that goes back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from catalog.certificates.decisions import Decision, read_decision_file
from compute_nodes.rpc.delivery import Delivery
from compute_nodes.store import NodeStore
from protos.faults import InputError, ProtocolError, TrustError, UnavailableError, VeilError

LOG: Final = logging.getLogger("veil.node")
PREFIX: Final = "grant/"
REQUEST: Final = "grant-request"
DECISIONS: Final = "grant-decisions"
ENDING: Final = "grant-ending"  # a decision on what this department has granted
GRANT: Final = "grant"
ENDED: Final = "ended"
DENIED: Final = "denied"
SEPARATOR: Final = b"\n"  # in no token


def take_request(
    delivery: Delivery,
    store: NodeStore,
    department: str,
    now: int,
    weigh: Callable[[str, Sequence[Decision]], tuple[str, str] | None],
) -> Delivery:
    """Keeps a request, and decisions on it, and says so.

    Whether to believe it is decided when the owner looks at it, or by the owner's rules.

    Args:
        delivery: From the exchange.
        store: This node's.
        department: Its name.
        now: Unix seconds.
        weigh: Keeps decisions on the request of this id, and returns the answer if the rules are
            satisfied, or were: kind and body.

    Raises:
        ProtocolError: The delivery is none.
        UnavailableError: It cannot be kept, or what would end a grant cannot be weighed now.
    """
    request, _, _ = delivery.round.removeprefix(PREFIX).partition("/")
    if delivery.kind not in {REQUEST, DECISIONS, ENDING} or not delivery.round.startswith(PREFIX):
        raise ProtocolError("a delivery that belongs to no job", code="delivery.unknown")
    token, _, file = delivery.body.partition(SEPARATOR)
    store.add_request(request, token.decode("ascii", "replace"), now)
    kind, body = "received", ""
    if file:
        try:
            kind, body = weigh(request, read_decision_file(file)) or (kind, body)
        except InputError as error:
            if delivery.kind == ENDING:  # must not be lost: unanswered, it is offered again
                raise UnavailableError(error.said, remedy=error.advice, code=error.code) from error
            _waits(request, error)
        except TrustError as error:
            _waits(request, error)
    return Delivery("", delivery.round, 1, department, "", kind, body.encode("utf-8"))


def _waits(request: str, error: VeilError) -> None:
    """Notes why a request waits for the owner's own hand."""
    LOG.warning("decisions on %s: %s %s", request[:12], error.message, error.detail)


def grant_answer(request: str, department: str, kind: str, body: str) -> Delivery:
    """What goes back: ``received``, ``grant`` (vc+jwt), ``ended`` (signed) or ``denied`` (why)."""
    return Delivery("", f"{PREFIX}{request}", 1, department, "", kind, body.encode("utf-8"))

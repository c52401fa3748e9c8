"""Grant requests as they arrive at an owner's node: kept until the owner answers.

Officers' decisions on one arrive behind it, as the exchange hands them on. They may be all that the
department's own rules ask for; then the grant is signed and goes back at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from catalog.certificates.decisions import read_decision_file
from compute_nodes.rpc.delivery import Delivery
from compute_nodes.store import NodeStore
from protos.faults import InputError, ProtocolError, TrustError

LOG: Final = logging.getLogger("veil.node")
PREFIX: Final = "grant/"
REQUEST: Final = "grant-request"
DECISIONS: Final = "grant-decisions"
SEPARATOR: Final = b"\n"  # in no token


def take_request(
    delivery: Delivery,
    store: NodeStore,
    department: str,
    now: int,
    sign: Callable[[str], str | None],
) -> Delivery:
    """Keeps a request, and decisions on it, and says so.

    Whether to believe it is decided when the owner looks at it, or by the owner's rules.

    Args:
        delivery: From the exchange.
        store: This node's.
        department: Its name.
        now: Unix seconds.
        sign: Returns a grant for the request of this id, if the rules are satisfied.

    Raises:
        ProtocolError: The delivery is none.
        UnavailableError: It cannot be kept.
    """
    request, _, _ = delivery.round.removeprefix(PREFIX).partition("/")
    if delivery.kind not in {REQUEST, DECISIONS} or not delivery.round.startswith(PREFIX):
        raise ProtocolError("a delivery that belongs to no job", code="delivery.unknown")
    token, _, file = delivery.body.partition(SEPARATOR)
    store.add_request(request, token.decode("ascii", "replace"), now)
    kind, body = "received", ""
    if file:
        try:
            store.add_decisions(request, read_decision_file(file))
            if (grant := sign(request)) is not None:
                kind, body = "grant", grant
        except (TrustError, InputError) as error:  # it waits for the owner's own hand
            LOG.warning("decisions on %s: %s %s", request[:12], error.message, error.detail)
    return Delivery("", delivery.round, 1, department, "", kind, body.encode("utf-8"))


def grant_answer(request: str, department: str, kind: str, body: str) -> Delivery:
    """What goes back to the exchange: ``received``, ``grant`` (vc+jwt) or ``denied`` (reason)."""
    return Delivery("", f"{PREFIX}{request}", 1, department, "", kind, body.encode("utf-8"))

"""Grant requests as they arrive at an owner's node: kept until the owner answers."""

from __future__ import annotations

from compute_nodes.rpc.delivery import Delivery
from compute_nodes.store import NodeStore
from protos.faults import ProtocolError

PREFIX = "grant/"


def take_request(delivery: Delivery, store: NodeStore, department: str, now: int) -> Delivery:
    """Keeps a request and says so; whether to believe it is decided when the owner looks at it.

    Raises:
        ProtocolError: The delivery is none.
    """
    request = delivery.round.removeprefix(PREFIX)
    if delivery.kind != "grant-request" or request == delivery.round:
        raise ProtocolError("a delivery that belongs to no job", code="delivery.unknown")
    store.add_request(request, delivery.body.decode("ascii", "replace"), now)
    return grant_answer(request, department, "received", "")


def grant_answer(request: str, department: str, kind: str, body: str) -> Delivery:
    """What goes back to the exchange: ``received``, ``grant`` (vc+jwt) or ``denied`` (reason)."""
    return Delivery("", f"{PREFIX}{request}", 1, department, "", kind, body.encode("utf-8"))

"""The bitmap of visible cells: signed by the exchange, checked by every node and the analyst."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.plan import Plan
from compute_nodes.crypto.signatures import verifier
from compute_nodes.disclosure import pack_bitmap, unpack_bitmap
from protos.faults import ProtocolError, TrustError
from protos.identity import PublicIdentity

BITMAP_PURPOSE: Final = "bitmap"


def bitmap_body(plan: Plan, plan_hash: str, visible: NDArray[np.bool_]) -> dict[str, Any]:
    """What the exchange signs: which cells, in the secret order, of which job."""
    return {"job": plan.job, "plan": plan_hash, "visible": pack_bitmap(visible)}


def read_bitmap(
    plan: Plan, plan_hash: str, exchange: PublicIdentity, token: bytes
) -> NDArray[np.bool_]:
    """Checks a bitmap.

    Returns:
        Shape (cells,), in the secret cell order.

    Raises:
        TrustError: The exchange did not sign it for this job.
        ProtocolError: It is malformed.
    """
    try:
        text = token.decode("ascii")
    except UnicodeDecodeError as error:
        raise ProtocolError("the bitmap is not a token", code="bitmap.malformed") from error
    body = verifier([exchange])(0, BITMAP_PURPOSE, text)
    if set(body) != {"job", "plan", "visible"}:
        raise ProtocolError("the bitmap is malformed", code="bitmap.malformed")
    if (body["job"], body["plan"]) != (plan.job, plan_hash):
        raise TrustError("the bitmap was signed for another job", code="bitmap.job")
    return unpack_bitmap(str(body["visible"]), plan.aggregate.cells)

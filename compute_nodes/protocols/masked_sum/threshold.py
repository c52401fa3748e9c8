"""Which setups ``masked_sum`` runs under."""

from __future__ import annotations

from compute_nodes.crypto.ring import Ring
from compute_nodes.protocols.base import MAX_BODY_BYTES, Setup
from protos.faults import InputError


def least_threshold(n: int) -> int:
    """Returns the smallest safe threshold for ``n`` parties: ⌊2n/3⌋ + 1.

    Two survivor sets that are both signed by this many parties share more than n/3 signers. So if
    at most n/3 parties collude with a malicious coordinator, an honest one would have had to sign
    twice (Bonawitz et al. 2017, section 6.3).
    """
    return 2 * n // 3 + 1


def check_setup(setup: Setup) -> None:
    """Checks what this protocol asks of a setup beside what `Setup` checks itself.

    Raises:
        InputError: Fewer than two parties, a threshold that is too low, a ring that is none, or a
            vector that does not fit into one message.
    """
    if setup.n < 2:
        raise InputError("masked_sum needs at least two departments")
    if setup.threshold < least_threshold(setup.n):
        raise InputError(
            f"a threshold of {setup.threshold} is too low for {setup.n} departments",
            remedy=f"use {least_threshold(setup.n)} or more",
            code="masked_sum.threshold",
        )
    size = setup.length * Ring(setup.bits).element_bytes
    if size > MAX_BODY_BYTES - 4096:  # header and sealed seed travel with the vector
        raise InputError(
            f"a vector of {size} bytes does not fit into one message",
            remedy="group by fewer or coarser keys",
            code="masked_sum.length",
        )

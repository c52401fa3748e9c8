"""Which setups ``masked_sum`` runs under."""

from __future__ import annotations

from compute_nodes.crypto.ring import Ring
from compute_nodes.protocols.base import MAX_BODY_BYTES, Setup
from protos.faults import InputError
from protos.language import Text


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
        raise InputError(
            Text("masked_sum needs at least two departments", "masked_sum 至少需要两个部门")
        )
    if setup.threshold < least_threshold(setup.n):
        raise InputError(
            Text(
                f"a threshold of {setup.threshold} is too low for {setup.n} departments",
                f"{setup.n} 个部门的门限 {setup.threshold} 过低",
            ),
            remedy=Text(
                f"use {least_threshold(setup.n)} or more",
                f"请使用 {least_threshold(setup.n)} 或更高",
            ),
            code="masked_sum.threshold",
        )
    size = setup.length * Ring(setup.bits).element_bytes
    if size > MAX_BODY_BYTES - 4096:  # header and sealed seed travel with the vector
        raise InputError(
            Text(
                f"a vector of {size} bytes does not fit into one message",
                f"{size} 字节的向量放不进一条消息",
            ),
            remedy=Text("group by fewer or coarser keys", "请减少或放宽分组键"),
            code="masked_sum.length",
        )

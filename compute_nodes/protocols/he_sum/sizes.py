"""How many bytes he_sum moves, from declarations only."""

from __future__ import annotations

from typing import Final

from compute_nodes.crypto import bfv, paillier
from compute_nodes.protocols.he_sum import bfv_scheme, paillier_scheme
from compute_nodes.protocols.he_sum.setup import ROUND, HeSetup

HEADER_BYTES: Final = 2048  # context, signature and framing: about 1.3 kB


def predicted_sizes(setup: HeSetup, *, key_bits: int = paillier.MIN_BITS) -> dict[str, int]:
    """Returns, by round, at most how many bytes leave each department.

    Args:
        setup: Of the job.
        key_bits: Length of the Paillier modulus; unused for BFV.
    """
    if setup.scheme == "bfv":
        payload = bfv_scheme.payload_bytes(setup)
    else:
        payload = paillier_scheme.payload_bytes(setup, key_bits)
    return {ROUND: HEADER_BYTES + payload}


def request_size(setup: HeSetup) -> int:
    """Returns at most how many bytes the coordinator sends to each department: the key."""
    key = bfv.MAX_KEY_BYTES if setup.scheme == "bfv" else paillier.MAX_KEY_BYTES
    return HEADER_BYTES + key

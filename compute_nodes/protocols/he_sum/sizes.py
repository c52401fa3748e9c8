"""How many bytes he_sum moves, from declarations only."""

from __future__ import annotations

from typing import Final

from compute_nodes.crypto import bfv, paillier
from compute_nodes.protocols.base import COORDINATOR, compose, context
from compute_nodes.protocols.he_sum import bfv_scheme, paillier_scheme
from compute_nodes.protocols.he_sum.setup import PURPOSE, ROUND, HeSetup
from compute_nodes.protocols.signed_sizes import token_bytes

_PART_BYTES: Final = 4  # length before each part


def predicted_sizes(
    setup: HeSetup, party: int | None = None, *, key_bits: int = paillier.MIN_BITS
) -> dict[str, int]:
    """Returns, by round, how many bytes leave a department.

    Args:
        setup: Of the job.
        party: Its number; the last one, whose message is the longest, if not given.
        key_bits: Length of the Paillier modulus; unused for BFV.

    Returns:
        Exact for Paillier. The most for BFV, whose ciphertexts SEAL compresses: 1 % above.
    """
    me = setup.n - 1 if party is None else party
    token = token_bytes(PURPOSE, context(setup, ROUND, me) | {"sha256": "0" * 64})
    header = len(compose(setup, ROUND, me, {"token": "0" * token}).body)
    if setup.scheme == "bfv":
        payload = bfv_scheme.payload_bytes(setup)
    else:
        payload = paillier_scheme.payload_bytes(setup, key_bits)
    return {ROUND: header + _PART_BYTES + payload}


def request_size(setup: HeSetup) -> int:
    """Returns at most how many bytes the coordinator sends to each department: the key."""
    key = bfv.MAX_KEY_BYTES if setup.scheme == "bfv" else paillier.MAX_KEY_BYTES
    return len(compose(setup, ROUND, COORDINATOR).body) + _PART_BYTES + key

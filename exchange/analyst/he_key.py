"""The analyst's HE key pair: made for one job, its public half handed in, its secret half kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from catalog.plan import Protocol
from protos.faults import InputError

if TYPE_CHECKING:
    from compute_nodes.protocols.he_sum import BfvSecretKey, PaillierSecretKey


def make_he_key(
    protocol: Protocol, randomness: Callable[[int], bytes]
) -> BfvSecretKey | PaillierSecretKey:
    """Makes a key pair; 10 ms for BFV, a few seconds for Paillier (3072 bits).

    Args:
        protocol: One of ``he_sum``.
        randomness: Returns so many secret random bytes.

    Raises:
        InputError: The protocol needs no such key.
    """
    from compute_nodes.protocols.he_sum import generate_bfv_key, generate_paillier_key

    if protocol.startswith("he_sum.bfv"):
        return generate_bfv_key()
    if protocol.startswith("he_sum.paillier"):
        return generate_paillier_key(random_bytes=randomness)
    raise InputError(f"{protocol} needs no HE key", code="plan.protocol")


def load_he_key(protocol: Protocol, private: bytes) -> BfvSecretKey | PaillierSecretKey:
    """Reads a key pair from the analyst's own history.

    Raises:
        TrustError: The bytes are no such key pair.
    """
    from compute_nodes.protocols.he_sum import BfvSecretKey, PaillierSecretKey

    if protocol.startswith("he_sum.paillier"):
        return PaillierSecretKey.load(private)
    return BfvSecretKey.load(private)

"""The analyst's envelope: a mask per survivor that only the analyst can take off the total.

Without it (``Setup.envelope`` is None) the coordinator can read the total.
"""

from __future__ import annotations

from collections.abc import Sequence

from compute_nodes.crypto.masks import apply_masks
from compute_nodes.crypto.ring import Ring, Vector
from compute_nodes.crypto.seed import SEED_BYTES
from compute_nodes.protocols.base import Setup
from protos.faults import ProtocolError


def envelope_info(setup: Setup, party: int) -> bytes:
    """Returns the HPKE info under which ``party`` seals its seed, and the analyst opens it."""
    return f"veil/v1/masked_sum/envelope/{setup.digest}/{party}".encode()


def open_envelope(total: Vector, seeds: Sequence[bytes], ring: Ring) -> Vector:
    """Takes the survivors' envelope masks off; the analyst runs it.

    Args:
        total: As released by the coordinator.
        seeds: The opened seed of every survivor, in any order.
        ring: Of the total.

    Returns:
        The sum of the survivors' vectors; ``total`` is not changed.

    Raises:
        ProtocolError: A seed has not 32 bytes.
    """
    if any(len(seed) != SEED_BYTES for seed in seeds):
        raise ProtocolError("an envelope's seed has 32 bytes")
    opened = total.copy()
    apply_masks(opened, [(seed, -1) for seed in seeds], ring)
    return opened

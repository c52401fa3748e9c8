"""Pairwise masks: each two departments share one, one adds it, the other subtracts it.

Bonawitz et al. 2017, section 4.0.1, without drop-out recovery: one message a department, so a
missing one leaves the total masked. The seeds come from the pinned, long-lived sealing keys of the
two departments; `pair_info` binds them to one job, plan, roster, instance, HE key and layout.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compute_nodes.crypto.bfv import PLAIN_MODULUS
from compute_nodes.crypto.masks import apply_masks, expand
from compute_nodes.crypto.ring import Ring, Vector
from compute_nodes.crypto.seed import derive
from compute_nodes.protocols.he_sum.setup import HeSetup

PairSeed = Callable[[int], bytes]  # peer's number -> 32 bytes that only the two of them know

_WORD: Final = np.uint64((1 << 48) - 1)
_SPARE_WORDS: Final = 64  # one word in 2**34 is rejected


def pair_seed_from(agree: Callable[[int], bytes], setup: HeSetup, me: int) -> PairSeed:
    """Returns the seeds of one department and job.

    Args:
        agree: Peer's number -> raw X25519 secret of the two *pinned* sealing keys.
        setup: Of the job.
        me: The department.
    """
    return lambda peer: derive(agree(peer), pair_info(setup, me, peer))


def pair_info(setup: HeSetup, a: int, b: int) -> bytes:
    """Returns what a pair's seed is bound to, the same for both."""
    return f"veil/v1/he_sum/pair/{setup.digest}/{min(a, b)}/{max(a, b)}".encode()


def ring_share(setup: HeSetup, me: int, value: Vector, pair_seed: PairSeed) -> Vector:
    """Returns the value with all pairwise masks, uniform mod 2**bits; not in place."""
    share = value.copy()
    apply_masks(
        share,
        [(pair_seed(peer), 1 if me < peer else -1) for peer in range(setup.n) if peer != me],
        Ring(setup.bits),
    )
    return share


def slot_share(
    setup: HeSetup, me: int, slots: NDArray[np.uint64], pair_seed: PairSeed
) -> NDArray[np.uint64]:
    """Returns BFV slots with all pairwise masks, uniform mod t; not in place.

    Args:
        setup: Of the job.
        me: The department.
        slots: Each in [0, t).
        pair_seed: Seeds shared with each peer.
    """
    modulus = np.uint64(PLAIN_MODULUS)
    share = slots.copy()
    for peer in range(setup.n):
        if peer != me:
            mask = expand_slots(pair_seed(peer), len(slots))
            share += mask if me < peer else modulus - mask
            share %= modulus
    return share


def expand_slots(seed: bytes, n: int) -> NDArray[np.uint64]:
    """Returns ``n`` integers, exactly uniform in [0, t).

    48 bits of each 64-bit word of the seed's stream; words not below t are skipped.
    """
    spare = _SPARE_WORDS
    while True:
        words = expand(seed, Ring(64), n + spare).astype(np.uint64, copy=False) & _WORD
        kept = words[words < PLAIN_MODULUS]
        if len(kept) >= n:
            return kept[:n]
        spare *= 2

"""he_sum over BFV: for vectors of any length.

===========  ==============================================================================
layout       slots of one value
===========  ==============================================================================
narrow       one: the signed value mod t, masked mod t; totals of up to 47 bits
wide         ``bits / 32``: the value is masked mod 2**bits first and its 32-bit limbs fill
             the slots; at most 255 limbs add up to less than 2**40, far below t
===========  ==============================================================================

In the wide layout the analyst sees sums of limbs of *shares*; given the total, shares are uniform,
so these sums say nothing more about any input than the total does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compute_nodes.crypto.bfv import (
    MAX_BLOCK_BYTES,
    PLAIN_MODULUS,
    BfvKey,
    BfvSecretKey,
    BfvSum,
    block_count,
)
from compute_nodes.crypto.ring import Ring, Vector
from compute_nodes.protocols.he_sum.masking import PairSeed, ring_share, slot_share
from compute_nodes.protocols.he_sum.setup import HeSetup
from protos.faults import JobError, ProtocolError

_LIMB_BITS: Final = 32


def encrypt(setup: HeSetup, me: int, key: bytes, value: Vector, pair_seed: PairSeed) -> list[bytes]:
    """Masks, packs and encrypts one department's vector.

    Raises:
        TrustError: The key is unsound.
        JobError: A value is outside the declared bounds.
    """
    public = BfvKey.load(key)
    if setup.narrow:
        slots = np.mod(_narrow(setup, value), PLAIN_MODULUS).astype(np.uint64)
        if setup.masked:
            slots = slot_share(setup, me, slots, pair_seed)
    else:
        slots = _limbs(ring_share(setup, me, value, pair_seed))
    return public.encrypt(slots)


def adder(setup: HeSetup) -> BfvSum:
    """Returns an empty sum for this job's ciphertexts."""
    return BfvSum(slot_count(setup))


def decrypt(setup: HeSetup, secret: BfvSecretKey, blocks: Sequence[bytes], terms: int) -> list[int]:
    """Opens and unpacks the total of ``terms`` departments.

    Raises:
        ProtocolError: It does not open to a total within the declared bounds.
    """
    opened = secret.decrypt(blocks, slot_count(setup))
    if setup.narrow:
        return [int(value) for value in opened.tolist()]
    if opened.size and not (opened.min() >= 0 and opened.max() < terms << _LIMB_BITS):
        raise ProtocolError("the encrypted total opens to no sum of limbs", code="he.total")
    return _join(setup, opened)


def slot_count(setup: HeSetup) -> int:
    """Returns how many slots a vector takes."""
    return setup.length if setup.narrow else setup.length * (setup.bits // _LIMB_BITS)


def payload_bytes(setup: HeSetup) -> int:
    """Returns at most how many bytes of ciphertext a department sends."""
    return block_count(slot_count(setup)) * (4 + MAX_BLOCK_BYTES)


def _narrow(setup: HeSetup, value: Vector) -> NDArray[np.int64]:
    """Returns signed values after checking that each has ``width`` bits."""
    if setup.bits == 128:
        signed = value[:, 0].astype("<u8").view(np.int64)
        fits = np.array_equal(value[:, 1].astype("<u8").view(np.int64), signed >> 63)
    else:
        signed = value.view(np.int32 if setup.bits == 32 else np.int64).astype(np.int64)
        fits = True
    bound = 1 << (setup.width - 1)
    if not fits or (signed.size and not (signed.min() >= -bound and signed.max() < bound)):
        raise JobError("a value is outside the declared bounds", code="he.range")
    return signed


def _limbs(share: Vector) -> NDArray[np.uint64]:
    return np.ascontiguousarray(share).view("<u4").reshape(-1).astype(np.uint64)


def _join(setup: HeSetup, opened: NDArray[np.int64]) -> list[int]:
    """Puts limb sums together mod 2**bits, carries included."""
    sums = opened.reshape(setup.length, setup.bits // _LIMB_BITS)
    limbs = np.empty(sums.shape, dtype="<u4")
    carry = np.zeros(setup.length, dtype=np.int64)
    for index in range(sums.shape[1]):
        carry = carry + sums[:, index]
        limbs[:, index] = (carry & 0xFFFF_FFFF).astype("<u4")
        carry >>= _LIMB_BITS
    ring = Ring(setup.bits)
    return ring.decode(ring.from_bytes(limbs.tobytes(), setup.length))

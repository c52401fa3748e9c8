"""he_sum over Paillier: for a few scalars, and for partners who speak it.

A plaintext packs slots of ``bits`` value bits and 16 carry bits, so that up to 2**16 values add up
in a slot without touching the next; 38 slots of 64 + 16 bits fill a 3072-bit modulus. Masked values
are uniform mod 2**bits. Open values are shifted by 2**(bits-1) to be non-negative; without the
shift the carry bits would tell how many departments sent a negative value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from compute_nodes.crypto.paillier import (
    PaillierEncryptor,
    PaillierKey,
    PaillierSecretKey,
    PaillierSum,
    RandomBytes,
)
from compute_nodes.crypto.ring import Ring, Vector
from compute_nodes.protocols.he_sum.masking import PairSeed, ring_share
from compute_nodes.protocols.he_sum.setup import HeSetup
from protos.faults import ProtocolError

CARRY_BYTES: Final = 2


def encrypt(
    setup: HeSetup,
    me: int,
    key: bytes,
    value: Vector,
    pair_seed: PairSeed,
    random_bytes: RandomBytes,
) -> list[bytes]:
    """Masks, packs and encrypts one department's vector.

    Raises:
        TrustError: The key is unsound.
    """
    public = PaillierKey.load(key)
    share = ring_share(setup, me, value, pair_seed) if setup.masked else _shift(setup, value)
    packed = pack(setup, share, slots_per_block(setup, public.n.bit_length()))
    return PaillierEncryptor(public, random_bytes).encrypt(packed)


def adder(setup: HeSetup, key: bytes) -> PaillierSum:
    """Returns an empty sum for this job's ciphertexts.

    Raises:
        TrustError: The key is unsound.
    """
    public = PaillierKey.load(key)
    return PaillierSum(public, block_count(setup, public.n.bit_length()))


def decrypt(
    setup: HeSetup, secret: PaillierSecretKey, blocks: Sequence[bytes], terms: int
) -> list[int]:
    """Opens and unpacks the total of ``terms`` departments.

    Raises:
        ProtocolError: Another number of ciphertexts, or slots that hold no sum of ``terms`` values.
    """
    bits = secret.public.n.bit_length()
    if len(blocks) != block_count(setup, bits):
        raise ProtocolError("the encrypted total has another length", code="he.length")
    return unpack(setup, secret.decrypt(blocks), slots_per_block(setup, bits), terms)


def pack(setup: HeSetup, share: Vector, slots: int) -> list[int]:
    """Packs ring elements, the first in the lowest bits of the first plaintext."""
    size = setup.bits // 8
    padded = np.zeros((setup.length, size + CARRY_BYTES), dtype=np.uint8)
    padded[:, :size] = np.frombuffer(Ring(setup.bits).to_bytes(share), np.uint8).reshape(-1, size)
    data, step = padded.tobytes(), slots * (size + CARRY_BYTES)
    return [int.from_bytes(data[at : at + step], "little") for at in range(0, len(data), step)]


def unpack(setup: HeSetup, plaintexts: Sequence[int], slots: int, terms: int) -> list[int]:
    """Unpacks the sums of ``terms`` shares; signed.

    Raises:
        ProtocolError: A slot holds more than ``terms`` values add up to, or bits lie beyond the
            last slot: the ciphertext was changed or made for another key.
    """
    size = setup.bits // 8
    step = slots * (size + CARRY_BYTES)
    try:
        data = b"".join(plaintext.to_bytes(step, "little") for plaintext in plaintexts)
    except OverflowError:
        raise ProtocolError("the encrypted total opens to no packed sum", code="he.total") from None
    rows = np.frombuffer(data, np.uint8).reshape(-1, size + CARRY_BYTES)
    carries = np.ascontiguousarray(rows[:, size:]).view("<u2").reshape(-1)
    if carries[: setup.length].max() >= terms or rows[setup.length :].any():
        raise ProtocolError("the encrypted total opens to no packed sum", code="he.total")
    ring = Ring(setup.bits)
    total = ring.from_bytes(rows[: setup.length, :size].tobytes(), setup.length)
    if not setup.masked and terms % 2:  # terms * 2**(bits-1) mod 2**bits
        total = _shift(setup, total)
    return ring.decode(total)


def slots_per_block(setup: HeSetup, key_bits: int) -> int:
    """Returns how many values one plaintext below n carries."""
    return (key_bits - 1) // 8 // (setup.bits // 8 + CARRY_BYTES)


def block_count(setup: HeSetup, key_bits: int) -> int:
    """Returns how many ciphertexts carry a vector."""
    return -(-setup.length // slots_per_block(setup, key_bits))


def payload_bytes(setup: HeSetup, key_bits: int) -> int:
    """Returns how many bytes of ciphertext a department sends."""
    return block_count(setup, key_bits) * (4 + key_bits // 4)


def _shift(setup: HeSetup, value: Vector) -> Vector:
    """Adds 2**(bits-1) mod 2**bits: turns two's complement into an offset, and back."""
    shifted = value.copy()
    top = shifted[:, 1] if setup.bits == 128 else shifted
    top ^= top.dtype.type(1 << (top.dtype.itemsize * 8 - 1))
    return shifted

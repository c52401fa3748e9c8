"""Masks: uniform ring vectors that two parties expand from one 256-bit seed.

The stream is AES-256-CTR (NIST SP 800-38A) with a zero counter block: a seed is used for exactly
one mask, so key and counter never repeat together. Element i is bytes ``i*w`` to ``(i+1)*w`` of
the stream, little-endian.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from compute_nodes.crypto.ring import Ring, Vector
from compute_nodes.crypto.seed import SEED_BYTES
from protos.faults import InputError

_CHUNK_BYTES: Final = 256 * 1024  # key stream, zeros and vector stay in the L2 cache together
_ZEROS: Final = memoryview(bytes(_CHUNK_BYTES))


def keystream(seed: bytes, size: int) -> bytes:
    """Returns ``size`` bytes of the seed's stream.

    Raises:
        InputError: The seed has not 32 bytes.
    """
    return _encryptor(seed).update(bytes(size))


def expand(seed: bytes, ring: Ring, n: int) -> Vector:
    """Returns the mask of a seed: ``n`` uniform elements."""
    mask = ring.zeros(n)
    room = mask.reshape(-1).view(np.uint8).data
    _encryptor(seed).update_into(room, room)
    return mask


def apply_mask(vector: Vector, seed: bytes, ring: Ring, sign: int) -> None:
    """Adds (``sign`` 1) or subtracts (-1) one mask in place."""
    apply_masks(vector, [(seed, sign)], ring)


def apply_masks(vector: Vector, signed_seeds: Iterable[tuple[bytes, int]], ring: Ring) -> None:
    """Adds or subtracts many masks in place, chunk by chunk so that the vector stays in cache.

    Args:
        vector: Of ``ring``; changed.
        signed_seeds: (seed, 1 or -1) each.
        ring: Of the vector and the masks.

    Raises:
        InputError: A seed has not 32 bytes; the vector is as before.
    """
    streams = [(_encryptor(seed), sign) for seed, sign in signed_seeds]
    buffer = np.empty(_CHUNK_BYTES, np.uint8)
    step = _CHUNK_BYTES // ring.element_bytes
    for start in range(0, len(vector), step):
        piece = vector[start : start + step]
        room = buffer[: piece.nbytes]
        mask = room.view(vector.dtype).reshape(piece.shape)
        zeros, target = _ZEROS[: piece.nbytes], room.data
        for encryptor, sign in streams:
            encryptor.update_into(zeros, target)
            ring.accumulate(piece, mask, sign=sign)


def _encryptor(seed: bytes) -> CipherContext:
    if len(seed) != SEED_BYTES:
        raise InputError("a mask's seed has 32 bytes")
    return Cipher(algorithms.AES(seed), modes.CTR(bytes(16))).encryptor()

"""Masks: uniform ring vectors that two parties expand from one 256-bit seed.

The stream is AES-256-CTR (NIST SP 800-38A) with a zero counter block: a seed is used for exactly
one mask, so key and counter never repeat together. Element i is bytes ``i*w`` to ``(i+1)*w`` of
the stream, little-endian.

Where the processor has wide vector instructions a long mask is computed as AES-GCM: for that
OpenSSL has code of 2.5 times the speed (AVX-512 with VAES), for CTR alone it has not. With an
initialisation vector of zeros GCM encrypts by the same counter from block 2 on (NIST SP 800-38D,
section 7.1); its tag is not asked for. Elsewhere GCM is the slower one.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from compute_nodes.crypto.ring import Ring, Vector
from compute_nodes.crypto.seed import SEED_BYTES
from protos.faults import InputError

_CHUNK_BYTES: Final = 256 * 1024  # key stream, zeros and vector stay in the L2 cache together
_ZEROS: Final = memoryview(bytes(_CHUNK_BYTES))
_CTR: Final = modes.CTR(bytes(16))
_GCM: Final = modes.GCM(bytes(12))
_CPU: Final = Path("/proc/cpuinfo")
_LONG_BYTES: Final = 64 * 1024
_HEAD_BYTES: Final = 32  # counter blocks 0 and 1, which GCM keeps for its tag


def keystream(seed: bytes, size: int) -> bytes:
    """Returns ``size`` bytes of the seed's stream.

    Raises:
        InputError: The seed has not 32 bytes.
    """
    return Cipher(_aes(seed), _CTR).encryptor().update(bytes(size))


def expand(seed: bytes, ring: Ring, n: int) -> Vector:
    """Returns the mask of a seed: ``n`` uniform elements."""
    mask = ring.empty(n)
    room = ring.as_bytes(mask)
    stream = _Stream(seed, by_gcm=_gcm_pays(len(room)))
    for start in range(0, len(room), _CHUNK_BYTES):
        stream.fill(room[start : start + _CHUNK_BYTES])
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
    by_gcm = _gcm_pays(vector.nbytes)
    streams = [(_Stream(seed, by_gcm=by_gcm), sign) for seed, sign in signed_seeds]
    buffer = np.empty(_CHUNK_BYTES, np.uint8)
    step = _CHUNK_BYTES // ring.element_bytes
    for start in range(0, len(vector), step):
        piece = vector[start : start + step]
        room = buffer[: piece.nbytes]
        mask, target = room.view(vector.dtype).reshape(piece.shape), room.data
        for stream, sign in streams:
            stream.fill(target)
            ring.accumulate(piece, mask, sign=sign)


class _Stream:
    """One seed's stream, written piece by piece; at most 64 GiB (GCM counts with 32 bits)."""

    def __init__(self, seed: bytes, *, by_gcm: bool) -> None:
        self._head = keystream(seed, _HEAD_BYTES) if by_gcm else b""
        self._rest = Cipher(_aes(seed), _GCM if by_gcm else _CTR).encryptor()

    def fill(self, room: memoryview) -> None:
        """Writes the next ``len(room)`` bytes, at most `_CHUNK_BYTES`."""
        if self._head:
            head, self._head = self._head[: len(room)], self._head[len(room) :]
            room[: len(head)] = head
            room = room[len(head) :]
        self._rest.update_into(_ZEROS[: len(room)], room)


def _gcm_pays(size: int) -> bool:
    """Says whether GCM is the faster one for a mask of ``size`` bytes: it takes a second cipher."""
    return size >= _LONG_BYTES and _has_wide_aes()


@cache
def _has_wide_aes() -> bool:
    """Says whether OpenSSL's GCM for AVX-512 runs here. A wrong answer costs time, no more."""
    try:
        flags = _CPU.read_text("utf-8").partition("flags")[2].partition("\n")[0].split()
    except (OSError, UnicodeError):
        return False  # not Linux
    return {"vaes", "vpclmulqdq", "avx512f", "avx512vl"} <= set(flags)


def _aes(seed: bytes) -> algorithms.AES:
    if len(seed) != SEED_BYTES:
        raise InputError("a mask's seed has 32 bytes")
    return algorithms.AES(seed)

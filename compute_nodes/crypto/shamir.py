"""Shamir's secret sharing (Shamir 1979) of byte strings over GF(2**8), byte by byte.

The field is AES's: polynomials over GF(2) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197 section 4).
Point i is share holder i's: 1 to 255. A share has exactly as many bytes as the secret. Fewer than
``threshold`` shares are consistent with every secret, so they say nothing about it.

Shares carry no authentication: whoever rebuilds compares with a public key or a commitment. The
multiplication table is indexed by secrets; do not share a processor cache with an enemy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protos.faults import InputError, ProtocolError

Bytes = NDArray[np.uint8]

MAX_HOLDERS: Final = 255
_ORDER: Final = 255  # of the multiplicative group


def _tables() -> tuple[Bytes, NDArray[np.intp], Bytes]:
    """Returns powers of the generator x + 1 (twice), logarithms, and the product table."""
    powers, logs = np.zeros(2 * _ORDER, np.uint8), np.zeros(256, np.intp)
    element = 1
    for exponent in range(_ORDER):
        powers[exponent] = powers[exponent + _ORDER] = element
        logs[element] = exponent
        element ^= element << 1
        if element & 0x100:
            element ^= 0x11B
    products = powers[logs[:, None] + logs[None, :]]
    products[0, :] = products[:, 0] = 0
    return powers, logs, products


_POWERS, _LOGS, _PRODUCTS = _tables()
_FLAT: Final = _PRODUCTS.ravel()


def share(secret: bytes, threshold: int, holders: int, coefficients: bytes) -> list[bytes]:
    """Splits a secret.

    Args:
        secret: Any bytes.
        threshold: Shares needed to rebuild, 1 to ``holders``.
        holders: How many shares to make, at most 255.
        coefficients: Uniform secret bytes, ``(threshold - 1) * len(secret)`` of them, used for
            this secret only.

    Returns:
        Share of holder 1, 2, …; each as long as the secret.

    Raises:
        InputError: An argument is out of range.
    """
    if not 1 <= threshold <= holders <= MAX_HOLDERS:
        raise InputError(f"cannot share among {holders} holders with threshold {threshold}")
    if len(coefficients) != (threshold - 1) * len(secret):
        raise InputError("sharing needs one coefficient a byte for each degree")
    polynomials = np.frombuffer(coefficients, np.uint8).reshape(threshold - 1, len(secret))
    rows = np.arange(1, holders + 1, dtype=np.uint16)[:, None] << 8  # of the product table
    shares = np.zeros((holders, len(secret)), np.uint8)
    for coefficient in polynomials:  # Horner's rule, highest degree first
        shares ^= coefficient
        shares = _FLAT.take(rows | shares)
    shares ^= np.frombuffer(secret, np.uint8)
    return [row.tobytes() for row in shares]


def rebuild(points: Sequence[int], shares: Bytes) -> Bytes:
    """Interpolates at 0.

    Args:
        points: Exactly ``threshold`` distinct holders, 1 to 255.
        shares: Shape (len(points), bytes): row i is the share of ``points[i]``; several secrets
            that were shared among the same holders may stand side by side.

    Returns:
        Shape (bytes,).

    Raises:
        ProtocolError: Points repeat or are out of range, or shapes differ.
    """
    x = np.asarray(points, np.intp)
    if x.ndim != 1 or shares.ndim != 2 or len(x) != len(shares) or not len(x):
        raise ProtocolError("every share needs its point")
    if len(set(points)) != len(points) or x.min() < 1 or x.max() > MAX_HOLDERS:
        raise ProtocolError("the points of shares must be distinct holders")
    secret = np.zeros(shares.shape[1], np.uint8)
    for weight, row in zip(_weights(x), shares, strict=True):
        secret ^= _PRODUCTS[weight].take(row)
    return secret


def _weights(x: NDArray[np.intp]) -> Bytes:
    """Returns Lagrange's weights at 0: the product over j ≠ i of x_j / (x_j - x_i)."""
    differences = x[:, None] ^ x[None, :]
    np.fill_diagonal(differences, 1)  # log 0: the factor j = i is left out
    above = _LOGS[x].sum() - _LOGS[x]
    below = _LOGS[differences].sum(axis=1)
    weights: Bytes = _POWERS[(above - below) % _ORDER]
    return weights

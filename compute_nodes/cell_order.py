"""The secret order of cells in exact answers.

In exact mode the exchange must see group counts to apply ``min_group``, but not which group is
which. So the analyst seals one 32-byte key to every department of the plan, and each axis (group
key) of the cell array is shuffled under that key. Shuffling per axis keeps the *structure*: cells
that share a value of a key still stand in one line, which is what complementary suppression needs
(``compute_nodes.disclosure``), while the labels stay hidden. What the exchange does learn: the
counts as an unlabelled array.

Pure functions: the nodes run ``gather``, the analyst runs ``scatter``, nobody else has the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from protos.faults import ProtocolError

KEY_BYTES: Final = 32
_INFO: Final = b"veil/v1/cell-order/axis/"


def cell_order(shape: Sequence[int], key: bytes) -> NDArray[np.int64]:
    """Derives the secret order: ``permuted[i] = cells[order[i]]``.

    Args:
        shape: Size of each key's domain, last key fastest; ``()`` is one cell.
        key: 32 bytes, uniform, used for one job only.

    Returns:
        Shape (cells,): positions in declared order.

    Raises:
        ProtocolError: The key is not 32 bytes long.
    """
    if len(key) != KEY_BYTES:
        raise ProtocolError("the cell-order key must be 32 bytes long")
    cells = np.arange(prod(shape), dtype=np.int64).reshape(tuple(shape))
    for axis, size in enumerate(shape):
        cells = np.take(cells, _axis_order(key, axis, size), axis=axis)
    return cells.reshape(-1)


def permute_axes(vector: NDArray[np.int64], shape: Sequence[int], key: bytes) -> NDArray[np.int64]:
    """Puts a vector into the secret order; (cells,), or (measures x cells,) measure-major."""
    return _blocks(vector, shape)[:, cell_order(shape, key)].reshape(-1)


def invert(vector: NDArray[np.int64], shape: Sequence[int], key: bytes) -> NDArray[np.int64]:
    """Undoes ``permute_axes``."""
    blocks = _blocks(vector, shape)
    declared = np.empty_like(blocks)
    declared[:, cell_order(shape, key)] = blocks
    return declared.reshape(-1)


def gather(
    values: Sequence[int], visible: NDArray[np.bool_], shape: Sequence[int], key: bytes
) -> list[int]:
    """Picks what a node sends in phase 2: surviving cells only, in the secret order.

    Args:
        values: Measure-major over all cells in declared order; any Python integers.
        visible: Shape (cells,), in the *secret* order, as the exchange signed it.
        shape: Size of each key's domain.
        key: The job's cell-order key.

    Returns:
        Measure-major over the surviving cells, in the secret order.
    """
    survivors = cell_order(shape, key)[_mask(visible, shape)].tolist()
    cells = prod(shape)
    _check_length(len(values), cells, "values")
    return [values[start + c] for start in range(0, len(values), cells) for c in survivors]


def scatter(
    totals: Sequence[int], visible: NDArray[np.bool_], shape: Sequence[int], key: bytes
) -> tuple[list[int], tuple[bool, ...]]:
    """Undoes ``gather`` on the aggregate, at the analyst.

    Args:
        totals: Measure-major over the surviving cells, in the secret order.
        visible: Shape (cells,), in the secret order.
        shape: Size of each key's domain.
        key: The job's cell-order key.

    Returns:
        The totals measure-major over the surviving cells in *declared* order, and for every
        cell in declared order whether it survived: what ``exchange.analyst.finalise`` takes.

    Raises:
        ProtocolError: The lengths do not fit together.
    """
    survivors = cell_order(shape, key)[_mask(visible, shape)]
    n = len(survivors)
    if n == 0:
        if totals:
            raise ProtocolError("totals arrived although no cell survived")
        return [], (False,) * prod(shape)
    _check_length(len(totals), n, "totals")
    rank = np.argsort(survivors).tolist()
    ordered = [totals[start + r] for start in range(0, len(totals), n) for r in rank]
    shown = np.zeros(prod(shape), dtype=np.bool_)
    shown[survivors] = True
    return ordered, tuple(shown.tolist())


def _axis_order(key: bytes, axis: int, size: int) -> NDArray[np.int64]:
    """Sorts an AES-256-CTR keystream: one 64-bit tag per position, ties by position.

    A tie among 10**5 tags has probability below 2**-30 and only makes two places predictable.
    """
    derived = HKDF(
        algorithm=SHA256(), length=KEY_BYTES + 16, salt=None, info=_INFO + str(axis).encode()
    ).derive(key)
    stream = Cipher(algorithms.AES256(derived[:KEY_BYTES]), modes.CTR(derived[KEY_BYTES:]))
    tags = np.frombuffer(stream.encryptor().update(bytes(8 * size)), dtype="<u8")
    return np.argsort(tags, kind="stable")


def _blocks(vector: NDArray[np.int64], shape: Sequence[int]) -> NDArray[np.int64]:
    cells = prod(shape)
    _check_length(len(vector), cells, "values")
    return vector.reshape(-1, cells)


def _mask(visible: NDArray[np.bool_], shape: Sequence[int]) -> NDArray[np.bool_]:
    if visible.shape != (prod(shape),):
        raise ProtocolError(f"the bitmap has {visible.size} cells, the plan has {prod(shape)}")
    return visible


def _check_length(length: int, cells: int, what: str) -> None:
    if length == 0 or length % cells:
        raise ProtocolError(f"{length} {what} do not divide into {cells} cells")

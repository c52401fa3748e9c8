"""Vectors over Z_(2**bits): what masks are added to and sums are taken in.

==== =============== =================================================
bits dtype, shape    meaning
==== =============== =================================================
32   uint32 (n,)     one element each
64   uint64 (n,)     one element each
128  uint64 (n, 2)   low limb, high limb
==== =============== =================================================

Addition wraps; that no *sum of inputs* wraps is proven from declared bounds at plan time, and
`Ring.encode` refuses a single value that does not fit. On the wire: little-endian, no padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from protos.faults import InputError, ProtocolError
from protos.language import Text

Vector = NDArray[np.unsignedinteger[Any]]

_LIMB: Final = 1 << 64
# Arrays are laid out as the wire is, so bytes are copied, never swapped, on the usual machines.
_DTYPES: Final[dict[int, np.dtype[Any]]] = {
    32: np.dtype("<u4"),
    64: np.dtype("<u8"),
    128: np.dtype("<u8"),
}


@dataclass(frozen=True)
class Ring:
    """The integers modulo ``2**bits``; signed values stand for their two's complement.

    Args:
        bits: 32, 64 or 128.

    Raises:
        InputError: Another width.
    """

    bits: int

    def __post_init__(self) -> None:
        """Checks the width."""
        if self.bits not in _DTYPES:
            raise InputError(f"a ring has 32, 64 or 128 bits, not {self.bits}")

    @property
    def element_bytes(self) -> int:
        """Bytes of one element."""
        return self.bits // 8

    def shape(self, n: int) -> tuple[int, ...]:
        """Returns the numpy shape of a vector of ``n`` elements."""
        return (n, 2) if self.bits == 128 else (n,)

    def zeros(self, n: int) -> Vector:
        """Returns ``n`` zeros."""
        return np.zeros(self.shape(n), _DTYPES[self.bits])

    def empty(self, n: int) -> Vector:
        """Returns ``n`` elements of any content, for a caller that writes all of them."""
        return np.empty(self.shape(n), _DTYPES[self.bits])

    def check(self, vector: Vector, n: int) -> None:
        """Checks that an array is a vector of this ring with ``n`` elements.

        Raises:
            InputError: Its dtype or shape is another.
        """
        if vector.dtype != _DTYPES[self.bits] or vector.shape != self.shape(n):
            raise InputError(
                f"a vector of {n} elements mod 2**{self.bits} was expected,"
                f" not {vector.dtype} {vector.shape}"
            )

    def add(self, a: Vector, b: Vector) -> Vector:
        """Returns ``a + b``."""
        total = a.copy()
        self.accumulate(total, b)
        return total

    def sub(self, a: Vector, b: Vector) -> Vector:
        """Returns ``a - b``."""
        total = a.copy()
        self.accumulate(total, b, sign=-1)
        return total

    def accumulate(self, total: Vector, vector: Vector, *, sign: int = 1) -> None:
        """Adds ``vector`` to ``total`` in place; subtracts it if ``sign`` is -1."""
        if self.bits != 128:
            (np.add if sign > 0 else np.subtract)(total, vector, out=total)
            return
        low, high = total[:, 0], total[:, 1]
        if sign > 0:
            low += vector[:, 0]
            carry = low < vector[:, 0]
            high += vector[:, 1]
            high += carry
        else:
            borrow = low < vector[:, 0]
            low -= vector[:, 0]
            high -= vector[:, 1]
            high -= borrow

    def encode(self, values: Sequence[int] | NDArray[np.int64]) -> Vector:
        """Encodes signed integers.

        Args:
            values: Each in [-2**(bits-1), 2**(bits-1)).

        Raises:
            InputError: A value is not an integer or does not fit; nothing wraps silently.
        """
        if isinstance(values, np.ndarray):
            if values.dtype != np.int64 or values.ndim != 1:
                raise InputError("an array to encode must be int64 and one-dimensional")
            array = values
        else:
            if not all(isinstance(value, int) for value in values):
                raise InputError("only integers can be encoded")
            if self.bits == 128:
                return self._encode_limbs(values)
            try:
                array = np.array(values, dtype=np.int64)
            except OverflowError:
                raise self._too_wide() from None
        if self.bits == 64:
            return array.astype("<i8").view("<u8")
        if self.bits == 32:
            narrow = array.astype("<i4")
            if not np.array_equal(narrow, array):
                raise self._too_wide()
            return narrow.view("<u4")
        limbs = self.zeros(len(array))
        limbs[:, 0] = array.astype("<i8").view("<u8")
        limbs[:, 1] = (array >> 63).astype("<i8").view("<u8")
        return limbs

    def decode(self, vector: Vector) -> list[int]:
        """Returns the representatives in [-2**(bits-1), 2**(bits-1))."""
        if self.bits == 32:
            return [int(value) for value in vector.view("<i4").tolist()]
        if self.bits == 64:
            return [int(value) for value in vector.view("<i8").tolist()]
        high = vector[:, 1].view("<i8").tolist()
        return [h * _LIMB + low for low, h in zip(vector[:, 0].tolist(), high, strict=True)]

    def to_bytes(self, vector: Vector) -> bytes:
        """Returns little-endian bytes, ``element_bytes`` each."""
        return vector.astype(_DTYPES[self.bits], copy=False).tobytes()

    def as_bytes(self, vector: Vector) -> memoryview:
        """Returns what `to_bytes` does, without a copy: a view of a contiguous ``vector``."""
        return vector.reshape(-1).view(np.uint8).data

    def from_bytes(self, data: bytes | memoryview, n: int) -> Vector:
        """Reads what `to_bytes` wrote; the array is a read-only view of ``data``.

        Raises:
            ProtocolError: There are not exactly ``n`` elements.
        """
        if len(data) != n * self.element_bytes:
            raise ProtocolError(
                f"a vector of {n * self.element_bytes} bytes was expected, not {len(data)}"
            )
        return np.frombuffer(data, _DTYPES[self.bits]).reshape(self.shape(n))

    def _encode_limbs(self, values: Sequence[int]) -> Vector:
        try:
            data = b"".join(value.to_bytes(16, "little", signed=True) for value in values)
        except OverflowError:
            raise self._too_wide() from None
        return np.frombuffer(data, _DTYPES[128]).reshape(-1, 2).copy()

    def _too_wide(self) -> InputError:
        return InputError(
            Text(f"a value does not fit into {self.bits} bits", f"有数值超出 {self.bits} 位"),
            remedy=Text("use a wider ring, or tighter bounds", "请使用更宽的环，或更窄的范围"),
            code="ring.overflow",
        )

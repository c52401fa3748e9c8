"""FF1, format-preserving encryption (NIST SP 800-38G, algorithms 7 and 8), many values at once.

AES-256 comes from ``cryptography``; ten Feistel rounds run on NumPy columns of values of equal
length, so that a round is one call of AES in ECB mode on all of them (the blocks of a CBC-MAC).
The published samples of NIST are in ``tests/vectors``. FF3 is not offered: it was broken (Durak and
Vaudenay 2017), and NIST's second draft of revision 1 (February 2025) leaves it out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

if TYPE_CHECKING:
    import numpy.typing as npt

    Digits = npt.NDArray[np.int64]  # one value a row, one digit a column
    Numbers = npt.NDArray[np.uint64]

_ROUNDS: Final = 10
_LEAST_DOMAIN: Final = 1_000_000  # radix ** length must not be smaller (draft of revision 1)
_HALF_BITS: Final = 55
"""A half is a number below 2**55: its remainders by a byte at a time then fit 64 bits."""


@dataclass(frozen=True)
class Ff1:
    """The cipher under one key.

    Attributes:
        key: 16, 24 or 32 bytes.
        radix: Characters of the alphabet, 2 to 256.
        tweak: Not secret; other tweaks give other permutations. At most 64 bytes.
    """

    key: bytes = field(repr=False)
    radix: int
    tweak: bytes = b""

    def lengths(self) -> range:
        """Returns the lengths of values that can be encrypted."""
        least = 2
        while self.radix**least < _LEAST_DOMAIN:
            least += 1
        most = least
        while self.radix ** ((most + 2) // 2) < 1 << _HALF_BITS:
            most += 1
        return range(least, most + 1)

    def encrypt(self, digits: Digits) -> Digits:
        """Encrypts rows of digits, each from 0 to radix - 1.

        Raises:
            ValueError: The length is none of `lengths`, or a digit is out of range.
        """
        a, b, u, v = self._halves(digits)
        for number in range(_ROUNDS):
            modulus = self.radix ** (u if number % 2 == 0 else v)
            a, b = b, _remainder(a + self._prf(b, number, u + v, modulus), modulus)
        return np.hstack([self._digits(a, u), self._digits(b, v)])

    def decrypt(self, digits: Digits) -> Digits:
        """The inverse of `encrypt`."""
        a, b, u, v = self._halves(digits)
        for number in reversed(range(_ROUNDS)):
            modulus = self.radix ** (u if number % 2 == 0 else v)
            # The difference is kept above zero: these integers have no sign.
            drawn = self._prf(a, number, u + v, modulus)
            a, b = _remainder(b + np.uint64(modulus) - drawn, modulus), a
        return np.hstack([self._digits(a, u), self._digits(b, v)])

    def _halves(self, digits: Digits) -> tuple[Numbers, Numbers, int, int]:
        n = digits.shape[1]
        if n not in self.lengths():
            raise ValueError(f"{n} digits of radix {self.radix} cannot be encrypted")
        if digits.size and (digits.min() < 0 or digits.max() >= self.radix):
            raise ValueError("a digit is not below the radix")
        u = n // 2
        return self._number(digits[:, :u]), self._number(digits[:, u:]), u, n - u

    def _number(self, digits: Digits) -> Numbers:
        result = np.zeros(len(digits), dtype=np.uint64)
        for column in digits.T:
            result = result * np.uint64(self.radix) + column.astype(np.uint64)
        return result

    def _digits(self, numbers: Numbers, length: int) -> Digits:
        result = np.empty((len(numbers), length), dtype=np.int64)
        for place in reversed(range(length)):
            above = numbers // np.uint64(self.radix)
            result[:, place] = numbers - above * np.uint64(self.radix)
            numbers = above
        return result

    def _prf(self, half: Numbers, number: int, n: int, modulus: int) -> Numbers:
        """Steps 6.i to 6.v of algorithm 7: the round's number, reduced by the half's modulus."""
        v = n - n // 2
        width = (((self.radix**v - 1).bit_length()) + 7) // 8  # b: bytes of a half
        drawn = 4 * ((width + 3) // 4) + 4  # d: bytes of the result that count
        t = len(self.tweak)
        first = bytes([1, 2, 1, *self.radix.to_bytes(3, "big"), 10, (n // 2) % 256])
        first += n.to_bytes(4, "big") + t.to_bytes(4, "big")
        fixed = self.tweak + bytes(-(t + width + 1) % 16) + bytes([number])
        blocks = np.empty((len(half), len(fixed) + width), dtype=np.uint8)
        blocks[:, : len(fixed)] = np.frombuffer(fixed, dtype=np.uint8)
        for place in range(width):
            shift = np.uint64(8 * (width - 1 - place))
            blocks[:, len(fixed) + place] = (half >> shift) & np.uint64(0xFF)
        # CBC-MAC: the first block is the same for all, then a block of each value at a time.
        chain = np.broadcast_to(np.frombuffer(self._aes(first), dtype=np.uint8), (len(half), 16))
        for start in range(0, blocks.shape[1], 16):
            mixed = np.ascontiguousarray(chain ^ blocks[:, start : start + 16])
            chain = np.frombuffer(self._aes(mixed.tobytes()), dtype=np.uint8).reshape(-1, 16)
        # At most 12 of the 16 bytes, since halves are below 2**55; as many at a time as go into 64
        # bits beside a remainder.
        step = next(each for each in (4, 2, 1) if modulus.bit_length() + 8 * each <= 64)
        words = np.ascontiguousarray(chain[:, :drawn]).view(f">u{step}")
        result = _remainder(words[:, 0].astype(np.uint64), modulus)
        for place in range(1, words.shape[1]):
            more = (result << np.uint64(8 * step)) | words[:, place].astype(np.uint64)
            result = _remainder(more, modulus)
        return result

    def _aes(self, blocks: bytes) -> bytes:
        # ECB on purpose: each block is one value's, chained by hand above.
        encryptor = Cipher(algorithms.AES(self.key), modes.ECB()).encryptor()  # noqa: S305
        return encryptor.update(blocks) + encryptor.finalize()


def _remainder(numbers: Numbers, modulus: int) -> Numbers:
    """``numbers % modulus``, which NumPy divides one by one; ``//`` it turns into products."""
    divisor = np.uint64(modulus)
    return numbers - numbers // divisor * divisor

"""Fixed-base exponentiation with random exponents: the comb of Lim and Lee (CRYPTO '94).

For a base that is used often, powers are tabulated once. An exponent of 8·c bits is a table of 8
rows and c columns; one table lookup serves a whole column, so that a random exponent is simply c
random bytes. Handbook of Applied Cryptography, 14.117.
"""

from __future__ import annotations

from typing import Final

import gmpy2

ROWS: Final = 8  # bits of one column, so that a byte is an index
WORTH_A_TABLE: Final = 2  # powers from which building the smallest table has paid off
# Column blocks by the number of powers: each block costs 255 products once, and saves squarings
# in every power. Products of a power: 192 for 1536-bit exponents, and 192 / blocks squarings.
_BLOCKS: Final = ((12, 2), (45, 4))
_MOST_BLOCKS: Final = 8


class FixedBase:
    """Powers of one base.

    Args:
        base: The base, below ``modulus``.
        modulus: Of the group.
        exponent_bytes: Length of every exponent.
    """

    def __init__(self, base: int, modulus: int, exponent_bytes: int) -> None:
        self._base = gmpy2.mpz(base)
        self._modulus = gmpy2.mpz(modulus)
        self.exponent_bytes = exponent_bytes
        self._step = exponent_bytes  # columns of one block
        self._tables: list[list[gmpy2.mpz]] = []

    def tabulate(self, powers: int) -> None:
        """Builds the table, unless there is one.

        It takes as long as one or two powers without it, and 0.4 to 1.6 MB for 3072 bits.

        Args:
            powers: How many will be asked for; a larger table pays off for more.
        """
        if self._tables:
            return
        blocks = next((blocks for most, blocks in _BLOCKS if powers < most), _MOST_BLOCKS)
        self._step = -(-self.exponent_bytes // blocks)
        modulus, power = self._modulus, self._base
        ladder = []  # base**(2**i) for the exponent bits that start a column of a block
        wanted = {
            row * self.exponent_bytes + block * self._step
            for row in range(ROWS)
            for block in range(blocks)
        }
        for bit in range(max(wanted) + 1):
            if bit in wanted:
                ladder.append((bit, power))
            power = power * power % modulus
        starts = dict(ladder)
        for block in range(blocks):
            table = [gmpy2.mpz(1)]
            for row in range(ROWS):
                factor = starts[row * self.exponent_bytes + block * self._step]
                table += [entry * factor % modulus for entry in table]
            self._tables.append(table)

    def power(self, exponent: bytes) -> gmpy2.mpz:
        """Returns base**e for the exponent whose column j is byte j.

        Args:
            exponent: `exponent_bytes` bytes. Bit i of byte j stands for 2**(i*exponent_bytes + j),
                so uniform bytes are a uniform exponent.
        """
        if not self._tables:
            return gmpy2.powmod(self._base, self.exponent_of(exponent), self._modulus)
        modulus, result = self._modulus, gmpy2.mpz(1)
        for column in range(self._step - 1, -1, -1):
            result = result * result % modulus
            for block, table in enumerate(self._tables):
                at = block * self._step + column
                if at < self.exponent_bytes:
                    result = result * table[exponent[at]] % modulus
        return result

    def exponent_of(self, exponent: bytes) -> int:
        """Returns the integer that the column bytes stand for."""
        columns = len(exponent)
        return sum(
            1 << (row * columns + column)
            for column, byte in enumerate(exponent)
            for row in range(ROWS)
            if byte >> row & 1
        )

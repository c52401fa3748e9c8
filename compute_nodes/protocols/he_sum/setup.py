"""What he_sum's parties know before the first message, and how many bytes will leave each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from compute_nodes.protocols.base import Setup
from protos.faults import InputError

Scheme = Literal["bfv", "paillier"]

ROUND: Final = "ciphertext"
PURPOSE: Final = "he-sum-ciphertext"  # what a department's signature over its ciphertexts is for
NARROW_BITS: Final = 47  # signed totals below t/2, where t is just under 2**48, fit one BFV slot
RING_BITS: Final = frozenset({32, 64, 128})
MIN_MASKED: Final = 2

_HEX64: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class HeSetup(Setup):
    """The setup of one homomorphic sum; its digest covers these fields too.

    The envelope stays ``None``: only the analyst's HE key opens the total anyway.

    Attributes:
        scheme: Which cryptosystem.
        key_digest: SHA-256 (hex) of the analyst's public HE key, as the signed plan names it.
        masked: Pairwise masks hide each input even from analyst and exchange together, and every
            department must answer; otherwise (open) any ``threshold`` of them do.
        total_bits: Signed width that holds every input and every total, by the declared bounds;
            0 stands for ``bits``. Up to 47, BFV needs one slot a value instead of ``bits / 32``.
    """

    scheme: Scheme = "bfv"
    key_digest: str = ""
    masked: bool = True
    total_bits: int = 0

    def __post_init__(self) -> None:
        """Refuses what cannot be summed exactly or would not hide what it promises.

        Raises:
            InputError: A field is out of range, or the combination is not supported.
        """
        super().__post_init__()
        if self.bits not in RING_BITS or not (self.total_bits == 0 or self._total_fits):
            raise InputError("the width of the total does not fit the ring of 32, 64 or 128 bits")
        if self.scheme not in {"bfv", "paillier"} or not _HEX64.fullmatch(self.key_digest):
            raise InputError("a homomorphic sum needs a scheme and the digest of the analyst's key")
        if self.envelope is not None:
            raise InputError("a homomorphic sum has no envelope: the HE key takes its place")
        if self.masked and self.n < MIN_MASKED:
            raise InputError(
                "masks need two departments", remedy="use the protocol 'sealed' for a single one"
            )
        if not self.masked and self.scheme == "bfv" and not self.narrow:
            # Without masks the sums of the 32-bit limbs would show more than the total: carries.
            raise InputError(
                f"an open BFV sum carries totals of up to {NARROW_BITS} bits",
                remedy="use masked he_sum, he_sum.paillier, or tighter bounds",
            )

    @property
    def width(self) -> int:
        """Signed bits of every input and total."""
        return self.total_bits or self.bits

    @property
    def narrow(self) -> bool:
        """Whether one BFV slot holds a total."""
        return self.width <= NARROW_BITS

    @property
    def _total_fits(self) -> bool:
        return 2 <= self.total_bits <= self.bits

"""BFV: exact sums of encrypted integer vectors, 4,096 slots a ciphertext.

Brakerski 2012, Fan and Vercauteren 2012 (eprint 2012/144), by Microsoft SEAL through TenSEAL.
One fixed parameter set: n = 4096, SEAL's default coefficient modulus for 128 bits (36 + 36 + 37
bits, table 1 of the HomomorphicEncryption.org standard), plain modulus t = the largest prime below
2**48 with t = 1 mod 8192, so that each slot is an integer mod t.

A fresh ciphertext has 17 bits of noise budget; k additions cost at most log2(k) of them, so
`MAX_TERMS` terms leave at least 7. Encryption draws its randomness inside SEAL (BLAKE2xb seeded by
the operating system). Ciphertexts are malleable by design: who sent one is for a signature to say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
import tenseal as ts
from numpy.typing import NDArray
from tenseal import sealapi

from protos.faults import JobError, ProtocolError, TrustError

SLOTS: Final = 4096
PLAIN_MODULUS: Final = 281_474_976_694_273
MAX_TERMS: Final = 1000
MAX_BLOCK_BYTES: Final = 89_000  # 4 x 36 bits x 4,096 coefficients by zstd: 88.6 kB
MAX_KEY_BYTES: Final = 140_000  # the same with the third prime: 134 kB
MIN_BUDGET_BITS: Final = 2

_REFUSALS: Final = (ValueError, RuntimeError, IndexError, OverflowError, MemoryError)
_POLYNOMIALS: Final = 2
_PRIMES: Final = 2  # of the data level; the third prime is SEAL's special one


class BfvKey:
    """A public key: encrypts, opens nothing.

    Args:
        data: Its wire form: TenSEAL's context with the public key and no other key.
        context: The same, loaded.
    """

    def __init__(self, data: bytes, context: ts.Context) -> None:
        self.data = data
        self.digest = hashlib.sha256(data).hexdigest()
        self._context = context

    def __repr__(self) -> str:
        """Shows the digest, which is what plans name."""
        return f"BfvKey({self.digest[:16]!r})"

    @classmethod
    def load(cls, data: bytes) -> BfvKey:
        """Reads and checks a foreign public key.

        Raises:
            TrustError: Too large, malformed, of other parameters, or with a secret key inside.
        """
        if len(data) > MAX_KEY_BYTES:
            raise TrustError("the BFV key is too large", code="he.key")
        try:
            context = ts.context_from(data, n_threads=1)
            foreign = context.seal_context().data
            if context.is_private():
                raise TrustError(
                    "the BFV key holds a secret key",
                    code="he.key",
                    remedy="Make a new key pair: whoever saw this one can open the answers.",
                )
            if foreign.key_parms_id() != _parameters().seal_context().data.key_parms_id():
                raise TrustError("the BFV key has other parameters", code="he.key")
            if not context.has_public_key():
                raise TrustError("the BFV key holds no public key", code="he.key")
            public = context.public_key().data
            if not sealapi.is_valid_for(public, foreign) or public.data().is_transparent():
                raise TrustError("the BFV key is not a valid public key", code="he.key")
        except _REFUSALS as error:
            raise TrustError("the BFV key is malformed", code="he.key", detail=str(error)) from None
        return cls(data, context)

    def encrypt(self, slots: NDArray[np.uint64]) -> list[bytes]:
        """Encrypts a vector in blocks of `SLOTS`; the last block is filled with zeros.

        Args:
            slots: Shape (n,), each in [0, t).

        Returns:
            ceil(n / 4096) ciphertexts of at most `MAX_BLOCK_BYTES`.

        Raises:
            JobError: A slot is not below t (it would wrap silently).
        """
        if slots.size and int(slots.max()) >= PLAIN_MODULUS:
            raise JobError("a value does not fit the BFV plain modulus", code="he.range")
        blocks = []
        for at in range(0, len(slots), SLOTS):
            block = np.zeros(SLOTS, dtype=np.uint64)
            part = slots[at : at + SLOTS]
            block[: len(part)] = part
            blocks.append(bytes(ts.bfv_vector(self._context, block.tolist()).serialize()))
        return blocks


class BfvSecretKey:
    """The analyst's key pair; the secret half is redacted in ``repr`` and stays here."""

    def __init__(self, context: ts.Context) -> None:
        self._context = context
        context.auto_rescale = False  # TenSEAL clears both on first use, and they are part of
        context.auto_mod_switch = False  # the wire form: the digest must not change with it
        public = context.serialize(
            save_public_key=True,
            save_secret_key=False,
            save_galois_keys=False,
            save_relin_keys=False,
        )
        self.public = BfvKey.load(public)  # the check refuses a key that holds a secret

    def __repr__(self) -> str:
        """Shows the public half only."""
        return f"BfvSecretKey(<redacted>, public={self.public.digest[:16]!r})"

    @classmethod
    def load(cls, private: bytes) -> BfvSecretKey:
        """Reads what `private_bytes` wrote: the analyst's own file, never a peer's bytes.

        Raises:
            TrustError: It holds no BFV key pair of our parameters.
        """
        try:
            context = ts.context_from(private, n_threads=1)
            if not context.is_private():
                raise TrustError("the file holds no secret BFV key", code="he.key")
        except _REFUSALS as error:
            raise TrustError(
                "the file holds no BFV key", code="he.key", detail=str(error)
            ) from None
        return cls(context)

    def private_bytes(self) -> bytes:
        """Returns the secret key for the analyst's own file of mode 0600; it goes nowhere else."""
        return bytes(
            self._context.serialize(
                save_public_key=True,
                save_secret_key=True,
                save_galois_keys=False,
                save_relin_keys=False,
            )
        )

    def decrypt(self, blocks: Sequence[bytes], length: int) -> NDArray[np.int64]:
        """Opens a sum.

        Args:
            blocks: Ciphertexts of a `BfvSum`.
            length: Slots to return.

        Returns:
            Shape (length,), centred: each in (-t/2, t/2).

        Raises:
            ProtocolError: Another number of blocks, a malformed one, or one whose noise has
                used up the budget, so that it would open wrongly.
        """
        if len(blocks) != block_count(length):
            raise ProtocolError("the encrypted total has another length", code="he.length")
        decryptor = self._context.decryptor().data
        opened = np.empty(len(blocks) * SLOTS, dtype=np.int64)
        for index, block in enumerate(blocks):
            vector = _read(block, self._context)
            if decryptor.invariant_noise_budget(vector.ciphertext()[0]) < MIN_BUDGET_BITS:
                raise ProtocolError(
                    "the encrypted total does not open with this key: its noise is too large",
                    code="he.noise",
                )
            opened[index * SLOTS : (index + 1) * SLOTS] = vector.decrypt()
        return opened[:length]


class BfvSum:
    """Adds ciphertexts without any key; run by the exchange.

    Args:
        length: Slots of every term.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.terms = 0
        self._vectors: list[ts.BFVVector] = []

    def add(self, blocks: Sequence[bytes | memoryview]) -> None:
        """Adds one party's vector; nothing is added unless every block is sound.

        Raises:
            ProtocolError: Another number of blocks, other parameters, a transparent ciphertext,
                or one term more than the noise budget carries.
        """
        if len(blocks) != block_count(self.length):
            raise ProtocolError("the encrypted vector has another length", code="he.length")
        if self.terms >= MAX_TERMS:
            raise ProtocolError(f"no more than {MAX_TERMS} ciphertexts can be added")
        vectors = [_read(block, _parameters()) for block in blocks]
        if self._vectors:
            for total, vector in zip(self._vectors, vectors, strict=True):
                total.add_(vector)
        else:
            self._vectors = vectors
        self.terms += 1

    def blocks(self) -> list[bytes]:
        """Returns the encrypted sum."""
        return [bytes(vector.serialize()) for vector in self._vectors]


def generate_bfv_key() -> BfvSecretKey:
    """Makes the analyst's key pair, 10 ms; SEAL draws from the operating system."""
    return BfvSecretKey(_new_context())


def block_count(length: int) -> int:
    """Returns how many ciphertexts carry ``length`` slots."""
    return -(-length // SLOTS)


def _new_context() -> ts.Context:
    return ts.context(ts.SCHEME_TYPE.BFV, SLOTS, PLAIN_MODULUS, n_threads=1)


@cache
def _parameters() -> ts.Context:
    """Returns the parameters without any key: enough to check and to add."""
    bare = _new_context().serialize(
        save_public_key=False,
        save_secret_key=False,
        save_galois_keys=False,
        save_relin_keys=False,
    )
    return ts.context_from(bare, n_threads=1)


def _read(block: bytes | memoryview, context: ts.Context) -> ts.BFVVector:
    """Loads one foreign ciphertext and checks all that can be checked without the secret key."""
    if not 0 < len(block) <= MAX_BLOCK_BYTES:
        raise ProtocolError("a BFV ciphertext has another size", code="he.ciphertext")
    seal = context.seal_context().data
    try:
        vector = ts.bfv_vector_from(context, bytes(block))
        ciphertexts = vector.ciphertext()
        sound = (
            len(ciphertexts) == 1
            and vector.size() == SLOTS
            and ciphertexts[0].parms_id() == seal.first_parms_id()
            and ciphertexts[0].size() == _POLYNOMIALS
            and ciphertexts[0].poly_modulus_degree() == SLOTS
            and ciphertexts[0].coeff_modulus_size() == _PRIMES
            and not ciphertexts[0].is_ntt_form()
            and sealapi.is_valid_for(ciphertexts[0], seal)
        )
    except _REFUSALS as error:
        raise ProtocolError(
            "a BFV ciphertext is malformed", code="he.ciphertext", detail=str(error)
        ) from None
    if not sound:
        raise ProtocolError("a BFV ciphertext has other parameters", code="he.ciphertext")
    if ciphertexts[0].is_transparent():
        raise ProtocolError(
            "a BFV ciphertext is transparent: anyone could read it", code="he.transparent"
        )
    return vector

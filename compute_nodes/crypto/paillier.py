"""Paillier: sums of a few packed integers, for scalars and for partners who speak it.

Paillier 1999 with g = n + 1. Keys and decryption are `phe`'s. Three things are done here because
`phe` leaves them to its caller, and a caller that forgets one loses the secret:

* every ciphertext is obfuscated; one that is not (c = 1 mod n) is refused on arrival too;
* plaintexts are integers that we pack, so no exponent travels beside the ciphertext;
* weak moduli are refused: below 3072 bits, even, prime, a power, with small factors.

The randomiser is that of Damgård, Jurik and Nielsen 2010: hs = h**n mod n**2 with
h = -x**2 mod n, and c = (1 + m n) * hs**a mod n**2 with a random ``a`` of half of n's length; p and
q are 3 mod 4 and gcd(p-1, q-1) = 2. That half-length exponents hide as well as full ones follows
from factoring (Goldreich and Rosen 2003). hs is published with the key. A key holder that publishes
a bad hs weakens only what it can open anyway. Partners' keys without hs get a fresh r**n.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Final

import gmpy2
import phe
from cryptography.hazmat.primitives.asymmetric import rsa

from compute_nodes.crypto.fixed_base import WORTH_A_TABLE, FixedBase
from protos.canonical import canonical
from protos.faults import InputError, ProtocolError, TrustError

MIN_BITS: Final = 3072
MAX_BITS: Final = 8192  # a larger foreign modulus would only keep us busy
MAX_KEY_BYTES: Final = 16 * 1024

RandomBytes = Callable[[int], bytes]

_SMALL_PRIMES: Final = gmpy2.primorial(1 << 16)
_FERMAT_STEPS: Final = 64  # finds factors that lie closer than honest random primes ever do


class PaillierKey:
    """A public key; immutable.

    Args:
        n: The modulus.
        hs: The Damgård-Jurik-Nielsen base mod n**2; 0 if the key holder published none.

    Raises:
        TrustError: The modulus is weak or hs is degenerate.
    """

    def __init__(self, n: int, hs: int = 0) -> None:
        _check_modulus(n)
        self.n = n
        self.n_squared = n * n
        self.hs = hs
        if hs:
            _check_base(n, hs)
        self.data = canonical({"hs": f"{hs:x}", "n": f"{n:x}", "scheme": "paillier"})
        self.digest = hashlib.sha256(self.data).hexdigest()
        self.block_bytes = (self.n_squared.bit_length() + 7) // 8
        self._mpz_n = gmpy2.mpz(n)
        self._mpz_squared = gmpy2.mpz(self.n_squared)

    def __repr__(self) -> str:
        """Shows the digest, which is what plans name."""
        return f"PaillierKey({self.n.bit_length()} bits, {self.digest[:16]!r})"

    @classmethod
    def load(cls, data: bytes) -> PaillierKey:
        """Reads and checks a foreign key: canonical JSON of n and hs in hex.

        Raises:
            TrustError: Malformed or weak.
        """
        try:
            if len(data) > MAX_KEY_BYTES:
                raise ValueError("size")
            body = json.loads(data)
            if set(body) != {"hs", "n", "scheme"} or body["scheme"] != "paillier":
                raise ValueError("fields")
            n, hs = int(body["n"], 16), int(body["hs"], 16)
        except (ValueError, TypeError, RecursionError) as error:
            raise TrustError(
                "the Paillier key is malformed", code="he.key", detail=str(error)
            ) from None
        key = cls(n, hs)
        if key.data != data:  # one key has one digest
            raise TrustError("the Paillier key is not in its one form", code="he.key")
        return key

    def ciphertext(self, data: bytes | memoryview) -> gmpy2.mpz:
        """Reads one foreign ciphertext: big-endian, exactly `block_bytes`.

        Raises:
            ProtocolError: Outside 0 < c < n**2, not invertible, or not obfuscated.
        """
        value = gmpy2.mpz(int.from_bytes(data, "big"))
        if len(data) != self.block_bytes or not 0 < value < self._mpz_squared:
            raise ProtocolError("a Paillier ciphertext is out of range", code="he.ciphertext")
        if gmpy2.gcd(value, self._mpz_n) != 1:
            raise ProtocolError("a Paillier ciphertext is not invertible", code="he.ciphertext")
        if value % self._mpz_n == 1:
            raise ProtocolError(
                "a Paillier ciphertext is not obfuscated: anyone could read it",
                code="he.transparent",
            )
        return value


class PaillierEncryptor:
    """Encrypts under one key; keeps the key's table of powers between jobs.

    Args:
        key: The analyst's public key.
        random_bytes: Cryptographic randomness, such as ``secrets.token_bytes``.
    """

    def __init__(self, key: PaillierKey, random_bytes: RandomBytes) -> None:
        self.key = key
        self._random_bytes = random_bytes
        self._modulus = gmpy2.mpz(key.n_squared)
        self._base = (
            FixedBase(key.hs, key.n_squared, -(-key.n.bit_length() // 16)) if key.hs else None
        )

    def encrypt(self, plaintexts: Sequence[int]) -> list[bytes]:
        """Encrypts integers, each freshly obfuscated.

        Args:
            plaintexts: Each in [0, n).

        Returns:
            One ciphertext of `PaillierKey.block_bytes` each.

        Raises:
            InputError: A plaintext is out of range.
        """
        if self._base is not None and len(plaintexts) >= WORTH_A_TABLE:
            self._base.tabulate(len(plaintexts))
        blocks = []
        for plaintext in plaintexts:
            if not 0 <= plaintext < self.key.n:
                raise InputError("a Paillier plaintext must lie in [0, n)", code="he.range")
            nude = 1 + self.key.n * gmpy2.mpz(plaintext)
            value = nude * self._obfuscator() % self._modulus
            blocks.append(int(value).to_bytes(self.key.block_bytes, "big"))
        return blocks

    def _obfuscator(self) -> gmpy2.mpz:
        if self._base is not None:
            return self._base.power(self._random_bytes(self._base.exponent_bytes))
        return gmpy2.powmod(_random_unit(self.key.n, self._random_bytes), self.key.n, self._modulus)


class PaillierSecretKey:
    """The analyst's key pair; the secret half is redacted in ``repr`` and stays here.

    Args:
        p: A prime.
        q: Another one.
        hs: The published base, 0 for none.
    """

    def __init__(self, p: int, q: int, hs: int = 0) -> None:
        self.public = PaillierKey(p * q, hs)
        self._secret = phe.PaillierPrivateKey(phe.PaillierPublicKey(p * q), p, q)

    def __repr__(self) -> str:
        """Shows the public half only."""
        return f"PaillierSecretKey(<redacted>, public={self.public.digest[:16]!r})"

    @classmethod
    def load(cls, private: bytes) -> PaillierSecretKey:
        """Reads what `private_bytes` wrote: the analyst's own file.

        Raises:
            TrustError: It holds no Paillier key pair.
        """
        try:
            body = json.loads(private)
            p, q, hs = (int(body[name], 16) for name in ("p", "q", "hs"))
        except (ValueError, TypeError, KeyError) as error:
            raise TrustError("the file holds no Paillier key", code="he.key") from error
        return cls(p, q, hs)

    def private_bytes(self) -> bytes:
        """Returns the secret key for the analyst's own file of mode 0600; it goes nowhere else."""
        return canonical(
            {
                "hs": f"{self.public.hs:x}",
                "p": f"{self._secret.p:x}",
                "q": f"{self._secret.q:x}",
            }
        )

    def decrypt(self, blocks: Sequence[bytes]) -> list[int]:
        """Opens ciphertexts; each plaintext is in [0, n).

        Raises:
            ProtocolError: One is out of range.
        """
        return [
            int(self._secret.raw_decrypt(int(self.public.ciphertext(block)))) for block in blocks
        ]


class PaillierSum:
    """Adds ciphertexts without the secret key: multiplies them mod n**2. Run by the exchange.

    Args:
        key: The analyst's public key.
        count: Ciphertexts of every term.
    """

    def __init__(self, key: PaillierKey, count: int) -> None:
        self.key = key
        self.count = count
        self.terms = 0
        self._totals = [gmpy2.mpz(1)] * count

    def add(self, blocks: Sequence[bytes | memoryview]) -> None:
        """Adds one party's ciphertexts; nothing is added unless every one is sound.

        Raises:
            ProtocolError: Another number of them, or `PaillierKey.ciphertext` refuses one.
        """
        if len(blocks) != self.count:
            raise ProtocolError("the encrypted vector has another length", code="he.length")
        values = [self.key.ciphertext(block) for block in blocks]
        self._totals = [
            total * value % self.key.n_squared
            for total, value in zip(self._totals, values, strict=True)
        ]
        self.terms += 1

    def blocks(self) -> list[bytes]:
        """Returns the encrypted sums."""
        return [int(total).to_bytes(self.key.block_bytes, "big") for total in self._totals]


def generate_paillier_key(bits: int = MIN_BITS, *, random_bytes: RandomBytes) -> PaillierSecretKey:
    """Makes the analyst's key pair with primes from OpenSSL; a few seconds.

    Args:
        bits: Length of the modulus, 3072 to 8192.
        random_bytes: Cryptographic randomness for hs.

    Raises:
        InputError: The length is out of range.
    """
    if not MIN_BITS <= bits <= MAX_BITS or bits % 16:
        raise InputError(
            f"a Paillier modulus has {MIN_BITS} to {MAX_BITS} bits, a multiple of 16",
            code="he.weak_key",
        )
    while True:
        primes = rsa.generate_private_key(public_exponent=65537, key_size=bits).private_numbers()
        p, q = primes.p, primes.q
        if p % 4 == q % 4 == 3 and gmpy2.gcd(p - 1, q - 1) == 2:
            break
    n = p * q
    x = _random_unit(n, random_bytes)
    return PaillierSecretKey(p, q, int(gmpy2.powmod(-x * x % n, n, n * n)))


def _random_unit(n: int, random_bytes: RandomBytes) -> int:
    """Draws uniformly from [1, n); 128 bits more than n make the bias negligible."""
    return 1 + int.from_bytes(random_bytes(n.bit_length() // 8 + 17), "big") % (n - 1)


def _check_modulus(n: int) -> None:
    """Refuses moduli that hide nothing; that n = p q with secret p, q nobody can check."""
    weak = ""
    if not MIN_BITS <= n.bit_length() <= MAX_BITS:
        weak = f"has {n.bit_length()} bits, not {MIN_BITS} to {MAX_BITS}"
    elif n % 2 == 0:
        weak = "is even"
    elif gmpy2.gcd(n, _SMALL_PRIMES) != 1:
        weak = "has a small factor"
    elif gmpy2.is_power(n):
        weak = "is a power"
    elif gmpy2.is_prime(n):
        weak = "is prime"
    elif _close_factors(n):
        weak = "has two factors that lie too close"
    if weak:
        raise TrustError(
            f"the Paillier modulus {weak}",
            code="he.weak_key",
            remedy=f"make a key of two random primes, {MIN_BITS} bits or more",
        )


def _close_factors(n: int) -> bool:
    """Tries Fermat's factoring for a moment."""
    root = gmpy2.isqrt(n) + 1
    return any(gmpy2.is_square((root + i) * (root + i) - n) for i in range(_FERMAT_STEPS))


def _check_base(n: int, hs: int) -> None:
    """Refuses bases whose powers would not hide: 0, 1, -1 mod n, and not from -x**2."""
    if not (
        1 < hs < n * n
        and gmpy2.gcd(hs, n) == 1
        and hs % n not in {1, n - 1}
        and gmpy2.jacobi(hs, n) == 1  # -x**2 has Jacobi symbol 1 if p = q = 3 mod 4
    ):
        raise TrustError("the Paillier key's base hs is degenerate", code="he.weak_key")

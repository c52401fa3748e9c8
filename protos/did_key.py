"""did:key of an Ed25519 key: the key itself, written as an identifier.

W3C CCG, "The did:key Method v0.9", section 3; Multibase base58btc and the Multikey form of
"Controlled Identifiers v1.0", section 2.2.2: ``z`` and the Base58 of 0xed 0x01 and 32 bytes.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protos.faults import TrustError
from protos.language import Text

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ED25519: Final = b"\xed\x01"
_KEY_BYTES: Final = 32
_LONGEST: Final = 128  # characters; what is longer is no key and no signature
_PREFIX: Final = "did:key:"


def multibase(content: bytes) -> str:
    """Writes bytes in Base58 (Bitcoin's alphabet) with the prefix ``z``."""
    number, digits = int.from_bytes(content), ""
    while number:
        number, place = divmod(number, 58)
        digits = _ALPHABET[place] + digits
    zeros = len(content) - len(content.lstrip(b"\0"))
    return "z" + _ALPHABET[0] * zeros + digits


def from_multibase(text: object) -> bytes:
    """Reads what `multibase` wrote.

    Raises:
        ValueError: It is something else, or longer than 128 characters.
    """
    if not isinstance(text, str) or not text.startswith("z") or len(text) > _LONGEST:
        raise ValueError("no multibase value in base58btc")
    number, digits = 0, text[1:]
    for digit in digits:
        number = number * 58 + _ALPHABET.index(digit)  # ValueError for what is no digit
    zeros = len(digits) - len(digits.lstrip(_ALPHABET[0]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)


def did_of(key: Ed25519PublicKey) -> str:
    """Returns the did:key of a public key."""
    return _PREFIX + multibase(_ED25519 + key.public_bytes_raw())


def verification_method_of(did: str) -> str:
    """Returns the one verification method of a did:key."""
    return f"{did}#{did.removeprefix(_PREFIX)}"


def key_of(did: object) -> Ed25519PublicKey:
    """Returns the public key that a did:key is.

    Raises:
        ValueError: It is no did:key of an Ed25519 key.
    """
    if not isinstance(did, str) or not did.startswith(_PREFIX):
        raise ValueError("no did:key")
    content = from_multibase(did.removeprefix(_PREFIX))
    if content[:2] != _ED25519 or len(content) != len(_ED25519) + _KEY_BYTES:
        raise ValueError("no Ed25519 key")
    return Ed25519PublicKey.from_public_bytes(content[2:])


def fingerprint_of(did: str) -> str:
    """Returns what people compare: the first 32 hexadecimal digits of SHA-256, in groups of four.

    Of the raw public key; 128 bits, so that nobody makes a second key with the same.

    Raises:
        ValueError: It is no did:key of an Ed25519 key.
    """
    return _grouped(hashlib.sha256(key_of(did).public_bytes_raw()).hexdigest()[:32])


def read_fingerprint(named: str) -> str:
    """Returns the fingerprint of the key that somebody named by DID or by fingerprint.

    Raises:
        TrustError: What was named is neither.
    """
    named = named.strip()
    if named.startswith(_PREFIX):
        try:
            return fingerprint_of(named)
        except ValueError as error:
            raise _unreadable() from error
    digits = named.replace("-", "").replace(" ", "").lower()
    if len(digits) != 32 or not set(digits) <= set("0123456789abcdef"):
        raise _unreadable()
    return _grouped(digits)


def is_signer(did: str, named: str) -> bool:
    """Says whether a did:key is the one that somebody named by DID or by fingerprint.

    Raises:
        TrustError: What was named is neither.
    """
    shown = read_fingerprint(named)
    return named == did if named.startswith(_PREFIX) else shown == fingerprint_of(did)


def _grouped(digits: str) -> str:
    return "-".join(digits[i : i + 4] for i in range(0, len(digits), 4))


def _unreadable() -> TrustError:
    return TrustError(
        Text("the signer is named by no DID and no fingerprint", "签署者既不是 DID 也不是指纹"),
        remedy=Text(
            "write did:key:z6Mk…, or the eight groups of four digits that the signer told you",
            "请填写 did:key:z6Mk…，或签署者告知的八组四位指纹",
        ),
        code="signer.name",
    )

"""Compact JWS (RFC 7515) signed with ES256 (RFC 7518 3.4): the envelope, not what is in it.

A token's protected header is exactly ``{"alg": "ES256", "typ": type, "kid": fingerprint}`` and is
compared whole, so there is no algorithm to swap, no key to smuggle in, and a signature made for
one purpose never passes for another (RFC 8725 3.11).

joserfc signs. Verifying is our own, over ``cryptography``: algorithm and key are the verifier's,
whatever a token says of itself, so nothing is left to negotiate; and 100 departments verify
15,000 tokens in one aggregation.
"""

from __future__ import annotations

import binascii
import json
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jws
from joserfc.jwk import ECKey

from protos.faults import InputError, TrustError
from protos.language import Text

ALGORITHM: Final = "ES256"
MAX_PAYLOAD_BYTES: Final = 8 * 1024 * 1024  # a plan with long code lists stays below it

_MAX_HEADER_TEXT: Final = 512
_MAX_PAYLOAD_TEXT: Final = MAX_PAYLOAD_BYTES * 4 // 3 + 4
_ECDSA: Final = ec.ECDSA(SHA256())
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_FROM_STANDARD: Final = bytes.maketrans(b"+/", b"-_")
_HALF_BYTES: Final = 32  # a signature is r and s, each of this many bytes


class _Registry(jws.JWSRegistry):
    """ES256 only, with room for plans that carry code lists and grants."""

    max_header_length = _MAX_HEADER_TEXT
    max_payload_length = _MAX_PAYLOAD_TEXT


_REGISTRY: Final = _Registry(algorithms=[ALGORITHM])


def sign(key: ec.EllipticCurvePrivateKey, typ: str, kid: str, payload: bytes) -> str:
    """Signs a payload.

    Args:
        key: On P-256.
        typ: What kind of document it is, such as ``veil-plan+jwt``.
        kid: The key's fingerprint.
        payload: At most `MAX_PAYLOAD_BYTES`.

    Raises:
        InputError: It is longer.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise InputError(
            Text("the document is too long to sign", "文件过长，无法签名"),
            code="signature.too_long",
        )
    return jws.serialize_compact(
        _header(typ, kid), payload, ECKey.import_key(key), registry=_REGISTRY
    )


def verify(key: ec.EllipticCurvePublicKey, typ: str, kid: str, token: str) -> bytes:
    """Checks a token: first the signature, by ES256 and this key, and then what it claims to be.

    Args:
        key: On P-256.
        typ: The only type accepted.
        kid: The key's fingerprint.
        token: As received; anything.

    Returns:
        The payload.

    Raises:
        TrustError: Anything about the token does not hold.
    """
    try:
        signed, _, signature = token.encode("ascii").rpartition(b".")
        header, payload = signed.split(b".")
        if len(header) > _MAX_HEADER_TEXT or len(payload) > _MAX_PAYLOAD_TEXT:
            raise ValueError("the token is too long")
        raw = _from_base64(signature)
        if len(raw) != 2 * _HALF_BYTES:
            raise ValueError("the signature has another length")
        r, s = int.from_bytes(raw[:_HALF_BYTES]), int.from_bytes(raw[_HALF_BYTES:])
        key.verify(encode_dss_signature(r, s), signed, _ECDSA)
        content = _from_base64(payload)
    except (InvalidSignature, ValueError, AttributeError) as error:  # the last: it is no text
        raise TrustError(
            Text("the signature does not hold", "签名不成立"),
            code="signature.invalid",
            detail=repr(error),
        ) from error
    # A header that is not spelled as we spell it must still say the same, and no more.
    if header != _spelled(typ, kid) and _read(header) != _header(typ, kid):
        raise TrustError(
            Text(
                f"the signature is not a {typ} of key {kid[:32]}",
                f"签名不是密钥 {kid[:32]} 的 {typ} 签名",
            ),
            code="signature.header",
            detail=repr(header),
        )
    return content


def unverified_payload(token: str) -> bytes:
    """Reads the payload without any check of header and signature.

    Raises:
        TrustError: The token is malformed.
    """
    try:
        _, payload, _ = token.encode("ascii").split(b".")
        if len(payload) > _MAX_PAYLOAD_TEXT:
            raise ValueError("the token is too long")
        return _from_base64(payload)
    except (ValueError, AttributeError) as error:  # the last: it is no text
        raise TrustError(
            Text("the token is malformed", "令牌格式有误"), code="signature.invalid"
        ) from error


def _header(typ: str, kid: str) -> dict[str, str]:
    return {"alg": ALGORITHM, "typ": typ, "kid": kid}


@lru_cache(maxsize=1024)
def _spelled(typ: str, kid: str) -> bytes:
    """Returns the header in base64url, as `sign` writes it."""
    text = json.dumps(_header(typ, kid), separators=(",", ":"))
    return _to_base64(text.encode())


def _read(header: bytes) -> object:
    try:
        return json.loads(_from_base64(header))
    except (ValueError, RecursionError):
        return None


def _from_base64(text: bytes) -> bytes:
    """Decodes base64url without padding (RFC 7515 section 2), in its one spelling only.

    Raises:
        ValueError: Another alphabet, padding, or bits after the end.
    """
    data = binascii.a2b_base64(text.translate(_TO_STANDARD) + b"=" * (-len(text) % 4))
    if _to_base64(data) != text:  # decoding passes over what it does not know
        raise ValueError("not base64url")
    return data


def _to_base64(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False).translate(_FROM_STANDARD).rstrip(b"=")

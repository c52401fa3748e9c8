"""Who signed this: ECDSA P-256 identities and typed, compact JWS (RFC 7515, ES256).

A token is typed, names its key, and its payload is canonical JSON (`compact_jws`, RFC 8785).

ECDSA signatures are malleable: two different tokens can carry one signed body. Compare and
store digests of claims, never of tokens.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from protos import compact_jws
from protos.canonical import canonical
from protos.faults import InputError, TrustError
from protos.keyfile import read_private, write_private
from protos.language import Text

_CURVE: Final = ec.SECP256R1()


@dataclass(frozen=True)
class PublicIdentity:
    """A public signing key.

    Attributes:
        spki: SubjectPublicKeyInfo, DER, uncompressed point (RFC 5480).
        fingerprint: SHA-256 of ``spki``, 64 hex digits; what people compare and pins hold.
    """

    spki: bytes = field(repr=False)
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        """Derives the fingerprint, so that it cannot disagree with the key."""
        object.__setattr__(self, "fingerprint", hashlib.sha256(self.spki).hexdigest())

    @classmethod
    def of(cls, key: ec.EllipticCurvePublicKey) -> PublicIdentity:
        """Wraps a key of the ``cryptography`` library."""
        return cls(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    @classmethod
    def from_jwk(cls, jwk: object) -> PublicIdentity:
        """Reads a JWK (RFC 7517) and checks that its point lies on P-256.

        Raises:
            TrustError: It is anything but ``kty``, ``crv``, ``x`` and ``y`` of a valid point.
        """
        try:
            if not isinstance(jwk, dict) or set(jwk) != {"kty", "crv", "x", "y"}:
                raise ValueError("a key has the members kty, crv, x and y")
            if jwk["kty"] != "EC" or jwk["crv"] != "P-256":
                raise ValueError("not a P-256 key")
            return cls.of(ECKey.import_key(jwk).public_key)
        except (JoseError, ValueError, TypeError, AttributeError) as error:
            raise TrustError(
                Text("the public key is not a valid P-256 key", "公钥不是有效的 P-256 密钥"),
                code="key.invalid",
                detail=str(error),
            ) from error

    @cached_property
    def _key(self) -> ec.EllipticCurvePublicKey:
        try:
            key = load_der_public_key(self.spki)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise TrustError(
                Text("the public key is malformed", "公钥格式有误"), code="key.invalid"
            ) from error
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != _CURVE.name:
            raise TrustError(
                Text("the public key is not a P-256 key", "公钥不是 P-256 密钥"), code="key.invalid"
            )
        return key

    def to_jwk(self) -> dict[str, str]:
        """Returns the JWK with exactly the members ``kty``, ``crv``, ``x``, ``y``."""
        jwk = ECKey.import_key(self._key).as_dict(private=False)
        return {name: str(jwk[name]) for name in ("kty", "crv", "x", "y")}

    def verify(
        self, typ: str, token: str, *, now: int | None = None, skew_s: int = 60
    ) -> dict[str, Any]:
        """Checks one token against this key.

        Args:
            typ: The only type accepted, such as ``veil-plan+jwt``.
            token: Compact JWS.
            now: Unix seconds; ``exp``, ``nbf`` and ``iat`` are checked when it is given.
            skew_s: Difference of clocks that is forgiven, seconds.

        Returns:
            The signed claims.

        Raises:
            TrustError: Anything about the token does not hold.
        """
        claims = _claims(compact_jws.verify(self._key, typ, self.fingerprint, token))
        if now is not None:
            _check_times(claims, now, skew_s)
        return claims

    def check_signature(self, typ: str, token: str, payload: bytes) -> None:
        """Checks that a token is this key's, and has a payload that was read from it before.

        Raises:
            TrustError: It is not.
        """
        if compact_jws.verify(self._key, typ, self.fingerprint, token) != payload:
            raise TrustError(
                Text("the signature does not hold", "签名不成立"), code="signature.invalid"
            )


class IdentityKey:
    """A private signing key; redacted in ``repr``."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._private = key
        self.public = PublicIdentity.of(key.public_key())

    def __repr__(self) -> str:
        """Shows the fingerprint only."""
        return f"IdentityKey(<redacted>, fingerprint={self.public.fingerprint[:16]!r})"

    @classmethod
    def generate(cls) -> IdentityKey:
        """Makes a new key from the operating system's randomness."""
        return cls(ec.generate_private_key(_CURVE))

    @classmethod
    def load(cls, path: Path) -> IdentityKey:
        """Reads a PKCS#8 PEM file.

        Raises:
            TrustError: Others may read the file, or it holds no P-256 key.
            UnavailableError: It cannot be read.
        """
        try:
            key = load_pem_private_key(read_private(path), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise TrustError(
                Text(f"{path} holds no private key", f"{path} 中没有私钥"), code="key.invalid"
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != _CURVE.name:
            raise TrustError(
                Text(f"{path} holds no P-256 key", f"{path} 中没有 P-256 密钥"), code="key.invalid"
            )
        return cls(key)

    def save(self, path: Path) -> None:
        """Writes a new file with mode 0600 and brings it to disk.

        Raises:
            InputError: The file exists.
            UnavailableError: It cannot be written.
        """
        pem = self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(path, pem)

    def sign(self, typ: str, claims: dict[str, Any]) -> str:
        """Signs claims as a compact JWS of one type.

        Raises:
            InputError: The claims have no canonical JSON form, or are too long.
        """
        return compact_jws.sign(self._private, typ, self.public.fingerprint, canonical(claims))


def show_fingerprint(fingerprint: str, *, full: bool = False) -> str:
    """Groups a fingerprint for people: 32 hex digits (128 bits), or all 64 when ``full``."""
    shown = fingerprint if full else fingerprint[:32]
    return " ".join(shown[i : i + 4] for i in range(0, len(shown), 4))


def read_signed(
    typ: str, token: str, signer: Callable[[dict[str, Any]], PublicIdentity]
) -> tuple[PublicIdentity, dict[str, Any]]:
    """Reads a document that names its own signer, and checks that it is signed by that key.

    Args:
        typ: The only type accepted.
        token: Compact JWS.
        signer: Finds the key that the claims name; they are not verified yet.

    Raises:
        TrustError: Anything about the token does not hold.
    """
    payload = compact_jws.unverified_payload(token)
    claims = _claims(payload)
    identity = signer(claims)
    identity.check_signature(typ, token, payload)
    return identity, claims


def unverified_claims(token: str) -> dict[str, Any]:
    """Reads the claims without any check of the signature.

    Only for finding out *which* key to verify with; nothing else may be done with them.

    Raises:
        TrustError: The token is malformed.
    """
    return _claims(compact_jws.unverified_payload(token))


def _claims(payload: bytes) -> dict[str, Any]:
    """Reads a payload, and only in canonical form: no repeated key, no second spelling."""
    try:
        claims = json.loads(payload.decode())
        if isinstance(claims, dict) and canonical(claims) == payload:
            return claims
    except (ValueError, RecursionError, InputError) as error:
        raise TrustError(
            Text("the signed document is malformed", "已签名的文件格式有误"), code="signature.body"
        ) from error
    raise TrustError(
        Text("the signed document is not canonical JSON", "已签名的文件不是规范 JSON"),
        code="signature.body",
    )


def _check_times(claims: dict[str, Any], now: int, skew_s: int) -> None:
    """Checks ``exp``, ``nbf`` and ``iat`` (RFC 7519 4.1) against a clock, in Unix seconds."""
    for name in ("exp", "nbf", "iat"):
        value = claims.get(name)
        if name in claims and (isinstance(value, bool) or not isinstance(value, int)):
            raise TrustError(
                Text(f"the claim {name!r} is not a whole number", f"声明项 {name!r} 不是整数"),
                code="signature.body",
            )
    if "exp" in claims and now > claims["exp"] + skew_s:
        raise TrustError(
            Text(
                f"the document expired {now - claims['exp']} s ago",
                f"文件已过期 {now - claims['exp']} 秒",
            ),
            remedy=Text(
                "ask for a new one; if it is new, compare the clocks of both machines",
                "请索取新的；若是新的，请核对两台机器的时钟",
            ),
            code="signature.expired",
        )
    for name in ("nbf", "iat"):
        if name in claims and claims[name] > now + skew_s:
            raise TrustError(
                Text(
                    f"the document is dated {claims[name] - now} s in the future",
                    f"文件的日期比本机晚 {claims[name] - now} 秒",
                ),
                remedy=Text(
                    "a clock is wrong: compare both machines' clocks and use a time server",
                    "有时钟不准：请核对两台机器的时钟，并使用时间服务器",
                ),
                code="signature.clock",
            )

"""Canonical JSON, signatures, public keys and key files; each attack by name."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
from collections.abc import Callable
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, cast

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from protos.faults import InputError, TrustError, UnavailableError
from protos.signing import (
    IdentityKey,
    PublicIdentity,
    SealingKey,
    canonical,
    digest,
    show_fingerprint,
)

PLAN = "veil-plan+jwt"
NOW = 1_800_000_000


def b64(data: bytes | dict[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def header_of(token: str) -> dict[str, Any]:
    header = json.loads(unb64(token.split(".", maxsplit=1)[0]))
    assert isinstance(header, dict)
    return header


# ---- canonical JSON --------------------------------------------------------------------------


def test_canonical_json_follows_rfc_8785_appendix_b_and_sorts_by_utf16() -> None:
    body = {"\u20ac": "Euro", "\r": "CR", "1": "One", "\U0001f600": "Smiley", "ö": 1e21, "a": 0.002}
    assert canonical(body).decode() == (
        '{"\\r":"CR","1":"One","a":0.002,"ö":1e+21,"€":"Euro","😀":"Smiley"}'
    )


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(any_json)
@example({chr(code): chr(code) for code in (*range(0x21), 0x7F, 0x2028, 0xE000, 0x1F600)})
@example([2**53 - 1, -(2**53) + 1, True, 1.0, -0.0, 1e16, 5e-324])
@example({"a": {"b": [(1, "\ud800")]}})
@example({"a": [2**53]})
def test_the_quick_encoder_writes_what_rfc8785_writes(body: object) -> None:
    """Every escape and order; and what the library refuses is refused."""
    try:
        expected = rfc8785.dumps(cast("Any", body))
    except (rfc8785.CanonicalizationError, UnicodeError):
        with pytest.raises(InputError):
            canonical(body)
    else:
        assert canonical(body) == expected


def test_a_subclass_keeps_the_text_that_the_library_gives_it() -> None:
    class Level(IntEnum):
        LOW = 1

    class Name(StrEnum):
        A = "a"

    for body in ([Level.LOW], {"x": Name.A}, {Name.A: 1}):
        assert canonical(body) == rfc8785.dumps(cast("Any", body))


def test_digest_does_not_depend_on_key_order() -> None:
    assert digest({"a": 1, "b": [True, None]}) == digest({"b": (True, None), "a": 1})
    assert digest({"a": 1}) != digest({"a": "1"})


@pytest.mark.parametrize(
    "body", [2**53, -(2**53), float("nan"), float("inf"), {1: 2}, {"a": object()}, b"x", "\ud800"]
)
def test_what_has_no_canonical_form_is_refused(body: object) -> None:
    with pytest.raises(InputError, match="no canonical JSON form"):
        canonical(body)


# ---- signatures ------------------------------------------------------------------------------


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values, max_size=6))
def test_what_was_signed_comes_back(claims: dict[str, Any]) -> None:
    token = _KEY.sign(PLAN, claims)
    assert _KEY.public.verify(PLAN, token) == claims


_KEY = IdentityKey.generate()


def test_the_header_is_typed_and_names_the_key(identity: IdentityKey) -> None:
    token = identity.sign(PLAN, {"a": 1})
    assert header_of(token) == {"alg": "ES256", "typ": PLAN, "kid": identity.public.fingerprint}


def test_long_plans_can_be_signed(identity: IdentityKey) -> None:
    claims = {"codes": [f"{number:06}" for number in range(100_000)]}
    assert identity.public.verify(PLAN, identity.sign(PLAN, claims)) == claims


def test_a_document_without_end_is_refused(identity: IdentityKey) -> None:
    with pytest.raises(InputError, match="too long"):
        identity.sign(PLAN, {"x": "x" * 9_000_000})


def raw_signature(key: IdentityKey, signing_input: str) -> str:
    """A valid ES256 signature over anything, which `IdentityKey.sign` would not make."""
    der = key._private.sign(signing_input.encode(), ec.ECDSA(SHA256()))
    r, s = decode_dss_signature(der)
    return b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def spelled(key: IdentityKey, change: Callable[[str], str], number: int) -> str:
    """A token one part of which is written in another way, signed as it stands."""
    parts = good(key).split(".")[:2]
    parts[number] = change(parts[number])
    signing_input = ".".join(parts)
    return f"{signing_input}.{raw_signature(key, signing_input)}"


def next_letter(text: str) -> str:
    """The same bytes in base64: the last letter has bits that no byte needs."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = text[:-1] + alphabet[alphabet.index(text[-1]) + 1]
    assert unb64(other) == unb64(text)
    return other


def swapped_signature(key: IdentityKey, change: Callable[[bytes], bytes]) -> str:
    head, body, signature = good(key).split(".")
    return f"{head}.{body}.{b64(change(unb64(signature)))}"


def forged(
    signer: IdentityKey,
    header: dict[str, Any],
    payload: bytes = b'{"epsilon":"0.5"}',
) -> str:
    """A token with any header and payload, signed by ``signer``."""
    signing_input = f"{b64(header)}.{b64(payload)}"
    return f"{signing_input}.{raw_signature(signer, signing_input)}"


def with_header(key: IdentityKey, **header: object) -> str:
    """The good token of ``key`` under another header, with the signature kept."""
    head, body, signature = good(key).split(".")
    return f"{b64(header_of(f'{head}.') | header)}.{body}.{signature}"


def good(key: IdentityKey) -> str:
    return key.sign(PLAN, {"epsilon": "0.5"})


def own(key: IdentityKey) -> dict[str, Any]:
    return {"alg": "ES256", "typ": PLAN, "kid": key.public.fingerprint}


def hmac_with_public_key(key: IdentityKey) -> str:
    """RFC 8725 2.1: the public key as the secret of an HMAC."""
    signing_input = f"{b64(own(key) | {'alg': 'HS256'})}.{good(key).split('.')[1]}"
    mac = hmac.new(key.public.spki, signing_input.encode(), hashlib.sha256).digest()
    return f"{signing_input}.{b64(mac)}"


def part(key: IdentityKey, number: int) -> str:
    return good(key).split(".")[number]


OTHER = IdentityKey.generate()
ATTACKS: dict[str, Callable[[IdentityKey], str]] = {
    "alg none": lambda k: f"{b64(own(k) | {'alg': 'none'})}.{part(k, 1)}.",
    "alg none, signature kept": lambda k: with_header(k, alg="none"),
    "alg swapped for ES384": lambda k: with_header(k, alg="ES384"),
    "alg swapped for HMAC with the public key": hmac_with_public_key,
    "another type": lambda k: k.sign("veil-card+jwt", {"epsilon": "0.5"}),
    "another type in the header, signature kept": lambda k: with_header(k, typ="vc+jwt"),
    "changed payload": lambda k: f"{part(k, 0)}.{b64({'epsilon': '9.5'})}.{part(k, 2)}",
    "another key under the same kid": lambda k: forged(OTHER, own(k)),
    "another key that brings itself": lambda k: forged(
        OTHER, own(k) | {"jwk": OTHER.public.to_jwk()}
    ),
    "own key, another kid": lambda k: forged(k, own(k) | {"kid": "0" * 64}),
    "own key, unknown critical header": lambda k: forged(
        k, own(k) | {"crit": ["b64"], "b64": False}
    ),
    "own key, an extra header": lambda k: forged(k, own(k) | {"cty": "JWT"}),
    "own key, no type": lambda k: forged(k, {"alg": "ES256", "kid": k.public.fingerprint}),
    "own key, a repeated member": lambda k: forged(k, own(k), b'{"epsilon":"0.5","epsilon":"9"}'),
    "own key, not canonical": lambda k: forged(k, own(k), b'{ "epsilon":"0.5"}'),
    "own key, not an object": lambda k: forged(k, own(k), b"[1]"),
    "own key, no JSON": lambda k: forged(k, own(k), b"\xff"),
    "own key, endless nesting": lambda k: forged(k, own(k), b'{"a":' * 50_000),
    "zero signature (CVE-2022-21449)": lambda k: f"{part(k, 0)}.{part(k, 1)}.{b64(bytes(64))}",
    "signature in DER": lambda k: (
        f"{part(k, 0)}.{part(k, 1)}.{b64(bytes.fromhex('3006020101020101'))}"
    ),
    "signature in another base64": lambda k: f"{part(k, 0)}.{part(k, 1)}.{next_letter(part(k, 2))}",
    "signature padded": lambda k: good(k) + "==",
    "signature with a space": lambda k: good(k)[:-2] + " " + good(k)[-2:],
    "signature with a zero before each half": lambda k: swapped_signature(
        k, lambda raw: b"\0" + raw[:32] + b"\0" + raw[32:]
    ),
    "signature without its last byte": lambda k: swapped_signature(k, lambda raw: raw[:-1]),
    "signature with halves above the order": lambda k: swapped_signature(k, lambda _: b"\xff" * 64),
    "own key, payload padded": lambda k: spelled(k, lambda part: part + "=", 1),
    "own key, payload with a line break": lambda k: spelled(k, lambda part: part + "\n", 1),
    "own key, payload in another base64": lambda k: spelled(k, next_letter, 1),
    "own key, header padded": lambda k: spelled(k, lambda part: part + "==", 0),
    "own key, header that never ends": lambda k: forged(k, own(k) | {"x": "x" * 500}),
    "own key, header no JSON": lambda k: spelled(k, lambda _: b64(b"{"), 0),
    "truncated": lambda k: good(k)[:-10],
    "two tokens in one": lambda k: f"{good(k)}.{good(k)}",
    "not ASCII": lambda k: good(k) + "é",
    "empty": lambda k: "",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_on_a_signature_is_refused(attack: str, identity: IdentityKey) -> None:
    with pytest.raises(TrustError):
        identity.public.verify(PLAN, ATTACKS[attack](identity))


def test_the_attacks_are_not_refused_for_their_tools(identity: IdentityKey) -> None:
    """The forging functions make a good token when nothing is wrong with it."""
    token = forged(identity, own(identity))
    assert identity.public.verify(PLAN, token) == {"epsilon": "0.5"}


def test_another_implementation_reads_our_tokens_and_we_read_its(identity: IdentityKey) -> None:
    registry, claims = jws.JWSRegistry(algorithms=["ES256"]), {"epsilon": "0.5"}
    private = ECKey.import_key(identity._private)
    read = jws.deserialize_compact(identity.sign(PLAN, claims), private, registry=registry)
    assert (read.headers(), read.payload) == (own(identity), canonical(claims))
    token = jws.serialize_compact(own(identity), canonical(claims), private, registry=registry)
    assert identity.public.verify(PLAN, token) == claims


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()).public_key(),
        Ed25519PrivateKey.generate().public_key(),
    ],
)
def test_only_keys_of_p_256_verify(key: PublicKeyTypes, identity: IdentityKey) -> None:
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for wrong in (PublicIdentity(spki), PublicIdentity(b""), PublicIdentity(spki[:-1])):
        with pytest.raises(TrustError) as caught:
            wrong.verify(PLAN, good(identity))
        assert caught.value.code == "key.invalid"


@pytest.mark.parametrize("token", [None, 5, b"a.b.c", ["a.b.c"]])
def test_what_is_no_text_is_no_token(token: Any, identity: IdentityKey) -> None:  # noqa: ANN401
    with pytest.raises(TrustError):
        identity.public.verify(PLAN, token)


def test_an_expired_token_is_refused_with_the_time(identity: IdentityKey) -> None:
    token = identity.sign(PLAN, {"iat": NOW - 700, "exp": NOW - 100})
    assert identity.public.verify(PLAN, token)  # without a clock, expiry is not judged
    with pytest.raises(TrustError, match="expired 100 s ago") as caught:
        identity.public.verify(PLAN, token, now=NOW)
    assert caught.value.code == "signature.expired"
    assert identity.public.verify(PLAN, token, now=NOW, skew_s=100)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_clock_one_hour_off_is_named(claim: str, identity: IdentityKey) -> None:
    token = identity.sign(PLAN, {claim: NOW + 3600})
    with pytest.raises(TrustError, match="3600 s in the future") as caught:
        identity.public.verify(PLAN, token, now=NOW)
    assert "clock" in caught.value.remedy
    assert identity.public.verify(PLAN, identity.sign(PLAN, {claim: NOW + 59}), now=NOW)


@pytest.mark.parametrize("value", ["1900000000", True, None, 1.9e9 + 0.5, [1]])
def test_a_time_that_is_no_number_is_refused(value: object, identity: IdentityKey) -> None:
    with pytest.raises(TrustError, match="whole number"):
        identity.public.verify(PLAN, identity.sign(PLAN, {"exp": value}), now=NOW)


# ---- public keys -----------------------------------------------------------------------------


def test_a_public_key_survives_its_jwk(identity: IdentityKey) -> None:
    again = PublicIdentity.from_jwk(identity.public.to_jwk())
    assert again == identity.public
    assert re.fullmatch("[0-9a-f]{64}", again.fingerprint)


def broken_jwks() -> list[object]:
    jwk = IdentityKey.generate().public.to_jwk()
    off_curve = jwk | {"y": b64(bytes(31) + b"\x05")}
    return [
        None,
        "key",
        {},
        off_curve,
        jwk | {"crv": "P-384"},
        jwk | {"kty": "oct"},
        jwk | {"d": b64(bytes(32))},
        jwk | {"x": 5},
        jwk | {"x": "***"},
        {"kty": "EC", "crv": "P-256", "x": b64(bytes(32)), "y": b64(bytes(32))},
    ]


@pytest.mark.parametrize("jwk", broken_jwks())
def test_a_broken_public_key_is_refused(jwk: object) -> None:
    with pytest.raises(TrustError, match="not a valid P-256 key"):
        PublicIdentity.from_jwk(jwk)


def test_fingerprints_are_grouped_for_people() -> None:
    fingerprint = "0123456789abcdef" * 4
    assert show_fingerprint(fingerprint) == "0123 4567 89ab cdef 0123 4567 89ab cdef"
    assert show_fingerprint(fingerprint, full=True).replace(" ", "") == fingerprint


# ---- key files -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [IdentityKey, SealingKey])
def test_a_key_file_is_private_new_and_comes_back(
    kind: type[IdentityKey | SealingKey], tmp_path: Path
) -> None:
    path = tmp_path / "a.key"
    key = kind.generate()
    old = os.umask(0)
    try:
        key.save(path)
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert repr(kind.load(path)) == repr(key)
    with pytest.raises(InputError, match="exists already"):
        kind.generate().save(path)
    assert repr(kind.load(path)) == repr(key)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o700])
def test_a_key_file_that_others_can_read_is_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    IdentityKey.generate().save(path)
    path.chmod(mode)
    with pytest.raises(TrustError, match=f"mode {mode:04o}") as caught:
        IdentityKey.load(path)
    assert f"chmod 600 {path}" in caught.value.remedy


def test_a_key_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "a.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="exists already"):
        IdentityKey.generate().save(tmp_path / "a.key")
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_is_not_read_through_a_link_or_from_a_pipe(tmp_path: Path) -> None:
    IdentityKey.generate().save(tmp_path / "real.key")
    (tmp_path / "a.key").symlink_to(tmp_path / "real.key")
    with pytest.raises(UnavailableError):
        IdentityKey.load(tmp_path / "a.key")
    os.mkfifo(tmp_path / "pipe.key", 0o600)
    with pytest.raises(TrustError, match="not a regular file"):
        IdentityKey.load(tmp_path / "pipe.key")


def test_files_that_hold_no_such_key_are_refused(tmp_path: Path) -> None:
    SealingKey.generate().save(tmp_path / "x.key")
    with pytest.raises(TrustError, match="no P-256 key"):
        IdentityKey.load(tmp_path / "x.key")
    IdentityKey.generate().save(tmp_path / "p.key")
    with pytest.raises(TrustError, match="no X25519 key"):
        SealingKey.load(tmp_path / "p.key")
    IdentityKey(ec.generate_private_key(ec.SECP256R1())).save(tmp_path / "q.key")
    (tmp_path / "q.key").write_text("nonsense")
    with pytest.raises(TrustError, match="no private key"):
        IdentityKey.load(tmp_path / "q.key")
    with pytest.raises(UnavailableError, match="cannot read"):
        IdentityKey.load(tmp_path / "missing.key")


def test_keys_do_not_show_themselves(identity: IdentityKey, sealing: SealingKey) -> None:
    secret = f"{identity._private.private_numbers().private_value:064x}"
    assert secret not in f"{identity!r} {identity} {vars(identity.public)}"
    raw = sealing._private.private_bytes_raw().hex()
    assert raw not in f"{sealing!r} {sealing}"
    assert "redacted" in repr(identity)
    assert "redacted" in repr(sealing)

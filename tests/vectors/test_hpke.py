"""Sealing against a second implementation, written from RFC 9180 alone.

The RFC's own appendix has no vector for this suite (X25519, HKDF-SHA256, AES-256-GCM), and the
library does not let a test choose the ephemeral key. So: the second implementation is checked
with RFC 9180 appendix A.1.1's published intermediate values, then it opens what we seal and
we open what it seals.
"""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from protos.signing import SealingKey, seal

KEM_SUITE = b"KEM" + (0x0020).to_bytes(2, "big")  # DHKEM(X25519, HKDF-SHA256)


def hpke_suite(aead_id: int) -> bytes:
    return b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x0020, 0x0001, aead_id))


def extract(suite: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
    """LabeledExtract, section 4."""
    return hmac.new(salt or bytes(32), b"HPKE-v1" + suite + label + secret, hashlib.sha256).digest()


def expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """LabeledExpand, section 4."""
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    out, block, number = b"", b"", 0
    while len(out) < length:
        number += 1
        block = hmac.new(key, block + labelled + bytes([number]), hashlib.sha256).digest()
        out += block
    return out[:length]


def shared_secret(dh: bytes, enc: bytes, recipient: bytes) -> bytes:
    """ExtractAndExpand, section 4.1."""
    key = extract(KEM_SUITE, b"", b"eae_prk", dh)
    return expand(KEM_SUITE, key, b"shared_secret", enc + recipient, 32)


def key_and_nonce(secret: bytes, info: bytes, aead_id: int, key_bytes: int) -> tuple[bytes, bytes]:
    """KeySchedule in base mode, section 5.1."""
    suite = hpke_suite(aead_id)
    context = (
        b"\x00" + extract(suite, b"", b"psk_id_hash", b"") + extract(suite, b"", b"info_hash", info)
    )
    key = extract(suite, secret, b"secret", b"")
    return (
        expand(suite, key, b"key", context, key_bytes),
        expand(suite, key, b"base_nonce", context, 12),
    )


def test_the_second_implementation_follows_rfc_9180_appendix_a_1_1() -> None:
    info = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
    ephemeral = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736")
    )
    recipient = bytes.fromhex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d")
    enc = ephemeral.public_key().public_bytes_raw()
    assert enc.hex() == "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"
    secret = shared_secret(
        ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient)), enc, recipient
    )
    assert secret.hex() == "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc"
    key, nonce = key_and_nonce(secret, info, aead_id=0x0001, key_bytes=16)
    assert key.hex() == "4531685d41d65f03dc48f6b8302c05b0"
    assert nonce.hex() == "56d890e5accaaf011cff4b7d"


AES_256_GCM = 0x0002


@pytest.mark.parametrize("plaintext", [b"", b"seed", bytes(range(256)) * 100])
def test_it_opens_what_we_seal(plaintext: bytes) -> None:
    recipient = SealingKey.generate()
    sealed = seal(recipient.public_hex, plaintext, info=b"veil test")
    enc, ciphertext = sealed[:32], sealed[32:]
    dh = recipient.agree(enc.hex())
    secret = shared_secret(dh, enc, bytes.fromhex(recipient.public_hex))
    key, nonce = key_and_nonce(secret, b"veil test", AES_256_GCM, 32)
    assert AESGCM(key).decrypt(nonce, ciphertext, b"") == plaintext


def test_we_open_what_it_seals() -> None:
    recipient, ephemeral = SealingKey.generate(), SealingKey.generate()
    enc, public = bytes.fromhex(ephemeral.public_hex), bytes.fromhex(recipient.public_hex)
    secret = shared_secret(ephemeral.agree(recipient.public_hex), enc, public)
    key, nonce = key_and_nonce(secret, b"veil test", AES_256_GCM, 32)
    sealed = enc + AESGCM(key).encrypt(nonce, b"seed", b"")
    assert recipient.open(sealed, info=b"veil test") == b"seed"

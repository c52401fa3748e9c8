"""Known answers, and bad keys and ciphertexts by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compute_nodes.crypto.paillier import PaillierEncryptor, PaillierKey, PaillierSecretKey
from protos.faults import ProtocolError, TrustError

VECTOR = json.loads((Path(__file__).parent / "paillier_3072.json").read_text())
P, Q, HS = (int(VECTOR[name], 16) for name in ("p", "q", "hs"))
N = P * Q
KEY = PaillierKey(N, HS)
PLAINTEXT = int(VECTOR["plaintext"], 16)


@pytest.mark.parametrize("tabulated", [False, True])
def test_known_answer(tabulated: bool) -> None:
    encryptor = PaillierEncryptor(KEY, lambda size: bytes.fromhex(VECTOR["column_bytes"])[:size])
    count = 6 if tabulated else 1
    block = encryptor.encrypt([PLAINTEXT] * count)[0]
    assert f"{int.from_bytes(block, 'big'):x}" == VECTOR["ciphertext"]
    assert PaillierSecretKey(P, Q, HS).decrypt([block]) == [PLAINTEXT]


BAD_KEYS = {
    "too short": (N >> 1024 | 1, 0, "2048 bits"),
    "one bit short": (N >> 1 | 1, 0, "3071 bits"),
    "too long": ((1 << 9000) + 1, 0, "9001 bits"),
    "zero": (0, 0, "0 bits"),
    "even": (N + 1, 0, "even"),
    "small factor": (3 * N, 0, "small factor"),
    "prime": (2**3217 - 1, 0, "prime"),  # a Mersenne prime
    "square": (P * P, 0, "power"),
    "close factors": (P * (P + 170), 0, "too close"),  # P + 170 is the next prime
    "base 1": (N, 1, "degenerate"),
    "base -1": (N, N * N - 1, "degenerate"),
    "base 1 mod n": (N, N + 1, "degenerate"),
    "base beyond n squared": (N, N * N + HS, "degenerate"),
    "base shares a factor": (N, P, "degenerate"),
}


@pytest.mark.parametrize("name", BAD_KEYS)
def test_weak_keys_are_refused(name: str) -> None:
    n, hs, why = BAD_KEYS[name]
    with pytest.raises(TrustError, match=why) as caught:
        PaillierKey(n, hs)
    assert caught.value.code == "he.weak_key"


def test_a_base_of_the_wrong_jacobi_symbol_is_refused() -> None:
    base = next(x for x in range(2, 100) if pow(x, (P - 1) // 2, P) != pow(x, (Q - 1) // 2, Q) % P)
    with pytest.raises(TrustError, match="degenerate"):
        PaillierKey(N, base)


BAD_ENCODINGS = {
    "empty": b"",
    "no object": b"[]",
    "number": b"1",
    "missing field": b'{"n":"11","scheme":"paillier"}',
    "other scheme": KEY.data.replace(b"paillier", b"okamoto!"),
    "upper case": KEY.data.upper().replace(b"HS", b"hs").replace(b"PAILLIER", b"paillier"),
    "space": KEY.data.replace(b",", b", "),
    "leading zero": KEY.data.replace(b'"n":"', b'"n":"0'),
    "numbers instead of hex": b'{"hs":0,"n":15,"scheme":"paillier"}',
    "too large": b" " * 20_000,
    "not text": b"\xff\xfe",
}


@pytest.mark.parametrize("name", BAD_ENCODINGS)
def test_malformed_keys_are_refused(name: str) -> None:
    with pytest.raises(TrustError):
        PaillierKey.load(BAD_ENCODINGS[name])


def block(value: int, size: int = 768) -> bytes:
    return value.to_bytes(size, "big")


BAD_CIPHERTEXTS = {
    "zero": block(0),
    "n squared": block(N * N),
    "all ones": b"\xff" * 768,
    "multiple of p": block(5 * P),
    "multiple of n": block(3 * N),
    "encryption of zero without obfuscation": block(1),
    "not obfuscated": block((1 + 42 * N) % (N * N)),
    "too short": block(2, 767),
    "too long": block(2, 769),
    "empty": b"",
}


@pytest.mark.parametrize("name", BAD_CIPHERTEXTS)
def test_bad_ciphertexts_are_refused(name: str) -> None:
    with pytest.raises(ProtocolError):
        KEY.ciphertext(BAD_CIPHERTEXTS[name])


def test_the_vector_itself_is_accepted() -> None:
    assert KEY.ciphertext(block(int(VECTOR["ciphertext"], 16))) == int(VECTOR["ciphertext"], 16)

"""W3C's own vectors of ``eddsa-jcs-2022``.

Data Integrity EdDSA Cryptosuites v1.0 (W3C Recommendation, 15 May 2025), appendix B.2
"Representation: eddsa-jcs-2022"; the files are those of w3c/vc-di-eddsa, TestVectors.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protos.canonical import canonical
from protos.data_integrity import check, secure, signed_bytes
from protos.did_key import did_of, from_multibase, key_of, multibase

PUBLIC = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
DOCUMENT = {
    "@context": [
        "https://www.w3.org/ns/credentials/v2",
        "https://www.w3.org/ns/credentials/examples/v2",
    ],
    "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
    "type": ["VerifiableCredential", "AlumniCredential"],
    "name": "Alumni Credential",
    "description": "A minimum viable example of an Alumni Credential.",
    "issuer": "https://vc.example/issuers/5678",
    "validFrom": "2023-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:abcdefgh", "alumniOf": "The School of Examples"},
}
OPTIONS = {
    "type": "DataIntegrityProof",
    "cryptosuite": "eddsa-jcs-2022",
    "created": "2023-02-24T23:36:38Z",
    "verificationMethod": f"did:key:{PUBLIC}#{PUBLIC}",
    "proofPurpose": "assertionMethod",
    "@context": DOCUMENT["@context"],
}
DOCUMENT_HASH = "59b7cb6251b8991add1ce0bc83107e3db9dbbab5bd2c28f687db1a03abc92f19"
OPTIONS_HASH = "66ab154f5c2890a140cb8388a22a160454f80575f6eae09e5a097cabe539a1db"
SIGNATURE = (
    "407cd12654b33d718ecbb99179a1506daaa849450bf3fc523cce3e1c96f8b80351da3f253d725c6f00b07c9e5448"
    "d50b3ef78012b9ab54255116d069c6dd2808"
)
PROOF_VALUE = (
    "z2HnFSSPPBzR36zdDgK8PbEHeXbR56YF24jwMpt3R1eHXQzJDMWS93FCzpvJpwTWd3GAVFuUfjoJdcnTMuVor51aX"
)


def signed() -> dict[str, Any]:
    secured: dict[str, Any] = json.loads(json.dumps(DOCUMENT))
    secured["proof"] = {**json.loads(json.dumps(OPTIONS)), "proofValue": PROOF_VALUE}
    return secured


def test_the_hashes_are_w3c_s() -> None:
    assert hashlib.sha256(canonical(DOCUMENT)).hexdigest() == DOCUMENT_HASH
    assert hashlib.sha256(canonical(OPTIONS)).hexdigest() == OPTIONS_HASH
    assert signed_bytes(DOCUMENT, OPTIONS).hex() == OPTIONS_HASH + DOCUMENT_HASH


def test_the_signature_is_w3c_s() -> None:
    key_of(f"did:key:{PUBLIC}").verify(bytes.fromhex(SIGNATURE), signed_bytes(DOCUMENT, OPTIONS))
    assert multibase(bytes.fromhex(SIGNATURE)) == PROOF_VALUE
    assert from_multibase(PROOF_VALUE).hex() == SIGNATURE


def test_w3c_s_signed_credential_holds() -> None:
    proof = check(signed())
    assert proof.signer == f"did:key:{PUBLIC}"
    assert proof.created == dt.datetime(2023, 2, 24, 23, 36, 38, tzinfo=dt.UTC)


def test_what_is_signed_here_holds_and_has_w3c_s_form() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    created = dt.datetime(2023, 2, 24, 23, 36, 38, tzinfo=dt.UTC)
    secured = secure(DOCUMENT, key, created)
    assert check(secured).signer == did_of(key.public_key())
    assert secured["proof"].keys() == signed()["proof"].keys()
    assert secured["proof"]["created"] == OPTIONS["created"]
    assert secured == secure(DOCUMENT, key, created)  # Ed25519 draws nothing


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("proofPurpose", "authentication"),
        ("cryptosuite", "eddsa-rdfc-2022"),
        ("type", "Ed25519Signature2020"),
        ("created", "2023-02-24T23:36:39Z"),
        ("verificationMethod", f"did:key:{PUBLIC}#other"),
        ("verificationMethod", PUBLIC),
        ("proofValue", PROOF_VALUE[:-1] + "Y"),
        ("proofValue", "u" + PROOF_VALUE[1:]),
        ("proofValue", "z" + "1" * 500),
        ("@context", []),
        ("previousProof", "urn:x"),
        ("domain", "x"),
    ],
)
def test_a_changed_proof_does_not_hold(member: str, value: object) -> None:
    secured = signed()
    secured["proof"][member] = value
    with pytest.raises(ValueError, match=r"\w"):
        check(secured)


@pytest.mark.parametrize("proof", [None, [], [OPTIONS], "x"])
def test_no_single_proof_does_not_hold(proof: object) -> None:
    with pytest.raises(ValueError, match="no single proof"):
        check({**DOCUMENT, "proof": proof})

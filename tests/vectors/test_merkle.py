"""RFC 9162 proofs against the vectors of transparency-dev/merkle, and published signed notes."""

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.transparency.merkle import (
    EMPTY_ROOT,
    Frontier,
    check_consistency,
    check_inclusion,
    leaf_hash,
)
from catalog.transparency.notes import NoteKey, read_note
from protos.faults import TrustError

PUBLIC = Path(
    os.environ.get("VEIL_PUBLIC_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
)
VECTORS = PUBLIC / "vectors" / "merkle"

# github.com/transparency-dev/merkle, testdata/{inclusion,consistency} (Apache-2.0).
ROOT_8 = "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg="
LEAF_5 = "QnGia+DYqE8L1UyMMC58s6O10fpngKQLzOKHNHfatlg="
PROOF_5_OF_8 = (
    "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
    "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
    "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
)
ROOT_2 = "+sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU="
ROOT_5 = "Tju7H3tHjc/nH7YxYxUZo7yhLJrvyhYSv85ME6hiZNQ="
FROM_2_TO_5 = (
    "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
    "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
)
# The entries of that tree (RFC 6962's reference implementation uses the same), in hex.
ENTRIES = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
           "606162636465666768696a6b6c6d6e6f")  # fmt: skip


def b64(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def hold(check: Callable[..., None], *arguments: object) -> bool:
    try:
        check(*arguments)
    except TrustError:
        return False
    return True


def test_the_tree_of_eight_has_the_published_roots() -> None:
    tree, roots = Frontier(), [EMPTY_ROOT]
    for entry in ENTRIES:
        for _ in tree.add(leaf_hash(bytes.fromhex(entry))):
            pass
        roots.append(tree.root)
    assert roots[0].hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert (roots[2], roots[5], roots[8]) == (b64(ROOT_2), b64(ROOT_5), b64(ROOT_8))


def test_published_proofs_hold_and_damaged_ones_do_not() -> None:
    proof = [b64(step) for step in PROOF_5_OF_8]
    check_inclusion(b64(LEAF_5), 5, 8, proof, b64(ROOT_8))
    assert not hold(check_inclusion, b64(LEAF_5), 4, 8, proof, b64(ROOT_8))
    assert not hold(check_inclusion, b64(LEAF_5), 5, 8, [*proof, b""], b64(ROOT_8))
    steps = [b64(step) for step in FROM_2_TO_5]
    check_consistency(2, 5, steps, b64(ROOT_2), b64(ROOT_5))
    assert not hold(check_consistency, 2, 5, steps, b64(ROOT_5), b64(ROOT_2))
    assert not hold(check_consistency, 3, 5, steps, b64(ROOT_2), b64(ROOT_5))


@pytest.mark.parametrize("kind", ["inclusion", "consistency"])
def test_all_vectors_of_transparency_dev(kind: str) -> None:
    files = sorted((VECTORS / kind).rglob("*.json"))
    if not files:
        pytest.skip(f"the vectors are not here: {VECTORS / kind} (set VEIL_PUBLIC_DATA)")
    outcomes = []
    for file in files:
        case = json.loads(file.read_text("utf-8"))
        proof = [b64(step) for step in case["proof"] or []]
        if kind == "inclusion":
            held = hold(check_inclusion, b64(case["leafHash"]), case["leafIdx"], case["treeSize"],
                        proof, b64(case["root"]))  # fmt: skip
        else:
            held = hold(check_consistency, case["size1"], case["size2"], proof,
                        b64(case["root1"]), b64(case["root2"]))  # fmt: skip
        assert held != case["wantErr"], file
        outcomes.append(held)
    assert len(files) > 90
    assert 5 <= sum(outcomes) < len(files)


# The example of golang.org/x/mod/sumdb/note (BSD-3-Clause), whose format signed-note is.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqf"
    "qdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_published_note_is_read() -> None:
    key, note = NoteKey.parse(VKEY), read_note(NOTE)
    assert str(key) == VKEY
    [signature] = note.by(key)
    assert key.holds(signature, note.text.encode())
    assert not key.holds(signature, note.text.replace("think", "thinks").encode())
    assert not note.by(NoteKey(key.name, key.kind, bytes(32)))

"""Trees of any size: every proof holds, and nothing that was changed does."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from catalog.transparency.merkle import (
    EMPTY_ROOT,
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
)
from protos.faults import TrustError

LEAVES = [leaf_hash(n.to_bytes(4)) for n in range(140)]
NODES: dict[tuple[int, int], bytes] = {}
TREE = Frontier()
ROOTS = [EMPTY_ROOT]
for _leaf in LEAVES:
    for _level, _position, _made in TREE.add(_leaf):
        NODES[_level, _position] = _made
    ROOTS.append(TREE.root)


def read(level: int, position: int) -> bytes:
    return NODES[level, position]


def defined(leaves: list[bytes]) -> bytes:
    """MTH as RFC 9162, 2.1.1 defines it, word for word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    return node_hash(defined(leaves[:split]), defined(leaves[split:]))


def holds(check: object, *arguments: object) -> bool:
    try:
        check(*arguments)  # type: ignore[operator]
    except TrustError:
        return False
    return True


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8 % len(content)] ^= 1 << bit % 8
    return bytes(changed)


@given(st.integers(0, 140))
def test_the_root_is_the_defined_one(size: int) -> None:
    assert ROOTS[size] == defined(LEAVES[:size]) == root_of(read, size)


@given(st.data(), st.integers(1, 140))
def test_inclusion(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof, root, leaf = inclusion_proof(read, index, size), ROOTS[size], LEAVES[index]
    assert len(proof) <= 8
    check_inclusion(leaf, index, size, proof, root)
    bit = data.draw(st.integers(0, 255))
    assert not holds(check_inclusion, flipped(leaf, bit), index, size, proof, root)
    assert not holds(check_inclusion, leaf, index, size, proof, flipped(root, bit))
    other = data.draw(st.integers(0, 280).filter(lambda i: i != index))
    assert not holds(check_inclusion, leaf, other, size, proof, root)
    assert not holds(check_inclusion, leaf, index, size, [*proof, root], root)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        damaged = [*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]]
        assert not holds(check_inclusion, leaf, index, size, damaged, root)
        assert not holds(check_inclusion, leaf, index, size, proof[:-1], root)


@given(st.data(), st.integers(1, 140))
def test_consistency(data: st.DataObject, new: int) -> None:
    old = data.draw(st.integers(1, new))
    proof = consistency_proof(read, old, new)
    check_consistency(old, new, proof, ROOTS[old], ROOTS[new])
    bit = data.draw(st.integers(0, 255))
    assert not holds(check_consistency, old, new, proof, flipped(ROOTS[old], bit), ROOTS[new])
    assert not holds(check_consistency, old, new, proof, ROOTS[old], flipped(ROOTS[new], bit))
    assert not holds(check_consistency, old, new, [*proof, ROOTS[1]], ROOTS[old], ROOTS[new])
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        damaged = [*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]]
        assert not holds(check_consistency, old, new, damaged, ROOTS[old], ROOTS[new])
        assert not holds(check_consistency, old, new, proof[1:], ROOTS[old], ROOTS[new])
        assert not holds(check_consistency, new, old, proof, ROOTS[new], ROOTS[old])

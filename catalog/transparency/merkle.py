"""The Merkle tree of RFC 9162, section 2.1: hashes, proofs, and their verification.

Pure functions. A tree is read through its *complete subtrees*: ``read(level, position)`` gives the
hash over the entries [position · 2^level, (position + 1) · 2^level). They never change once they
are full, so a log keeps them, and a proof or a root takes O(log n) reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from protos.faults import TrustError
from protos.language import Text

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

Read = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """Hash of an entry (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\1" + left + right).digest()


def grown(read: Read, size: int, leaf: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yields (level, position, hash) of each complete subtree that one more entry makes.

    Args:
        read: The tree as it is.
        size: Its number of entries.
        leaf: Hash of the new entry.
    """
    level, position, made = 0, size, leaf
    yield level, position, made
    while position & 1:
        made = node_hash(read(level, position - 1), made)
        level, position = level + 1, position >> 1
        yield level, position, made


class Frontier:
    """The right edge of a growing tree: enough to add entries and to tell the root."""

    def __init__(self) -> None:
        self.size = 0
        self._nodes: dict[tuple[int, int], bytes] = {}

    def add(self, leaf: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Adds an entry's hash; yields (level, position, hash) of what is complete now."""
        for level, position, made in grown(self._read, self.size, leaf):
            self._nodes[level, position] = made
            if level:  # the halves are not needed any more
                del self._nodes[level - 1, 2 * position], self._nodes[level - 1, 2 * position + 1]
            yield level, position, made
        self.size += 1

    @property
    def root(self) -> bytes:
        """Root of all entries so far."""
        return root_of(self._read, self.size)

    def _read(self, level: int, position: int) -> bytes:
        return self._nodes[level, position]


def root_of(read: Read, size: int) -> bytes:
    """Root of the first ``size`` entries."""
    return _hash(read, 0, size) if size else EMPTY_ROOT


def inclusion_proof(read: Read, index: int, size: int) -> list[bytes]:
    """Proves that an entry is in the tree of the first ``size`` (RFC 9162, 2.1.3.1).

    Args:
        read: The tree.
        index: Of the entry, from 0.
        size: More than ``index``.
    """
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_hash(read, middle, end))
            end = middle
        else:
            path.append(_hash(read, start, middle))
            start = middle
    return path[::-1]


def consistency_proof(read: Read, old: int, new: int) -> list[bytes]:
    """Proves that the tree of ``old`` entries is a beginning of that of ``new`` (2.1.4.1).

    Args:
        read: The tree.
        old: At least 1.
        new: At least ``old``.
    """
    path, start, end = [], 0, new
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_hash(read, middle, end))
            end = middle
        else:
            path.append(_hash(read, start, middle))
            start = middle
    if start:  # otherwise it is the old tree as a whole, whose root the verifier has
        path.append(_hash(read, start, end))
    return path[::-1]


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Checks a proof of inclusion (RFC 9162, 2.1.3.2).

    Raises:
        TrustError: The entry with this hash is not at this index of the tree with this root.
    """
    if not 0 <= index < size or not _hashes(leaf, root, *proof):
        raise _broken(_NOT_INCLUDED)
    at, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            raise _broken(_NOT_INCLUDED)
        if at & 1 or at == last:
            found = node_hash(step, found)
            at, last = _up(at, last)
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    if last or found != root:
        raise _broken(_NOT_INCLUDED)


def check_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Checks a proof of consistency (RFC 9162, 2.1.4.2).

    From an empty tree nothing can be proven: ``old`` is at least 1.

    Raises:
        TrustError: The old tree is not a beginning of the new one.
    """
    if old == new and old_root == new_root and not proof and old:
        return
    if not 1 <= old < new or not proof or not _hashes(old_root, new_root, *proof):
        raise _broken(_NOT_CONSISTENT)
    steps = list(proof) if old & (old - 1) else [old_root, *proof]
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise _broken(_NOT_CONSISTENT)
        if at & 1 or at == last:
            before, after = node_hash(step, before), node_hash(step, after)
            at, last = _up(at, last)
        else:
            after = node_hash(after, step)
        at, last = at >> 1, last >> 1
    if last or before != old_root or after != new_root:
        raise _broken(_NOT_CONSISTENT)


def _hash(read: Read, start: int, end: int) -> bytes:
    """MTH of a range as the recursion of RFC 9162 divides it: all but the last part is complete."""
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return read(level, start >> level)
    middle = start + _split(size)
    return node_hash(_hash(read, start, middle), _hash(read, middle, end))


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def _up(at: int, last: int) -> tuple[int, int]:
    """Passes over the levels where the node at the right edge has no sibling."""
    while at and not at & 1:
        at, last = at >> 1, last >> 1
    return at, last


def _hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_BYTES for value in values)


def _broken(said: Text) -> TrustError:
    return TrustError(said, code="log.proof")


_NOT_INCLUDED: Final = Text(
    "the log does not contain this entry at this index", "日志在该位置没有这一条目"
)
_NOT_CONSISTENT: Final = Text(
    "the later tree is no continuation of the earlier one", "后来的日志不是先前日志的延续"
)

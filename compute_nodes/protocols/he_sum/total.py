"""The encrypted total and its wire layout.

Ciphertexts travel as one binary part: (uint32 big-endian length | bytes) each.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from compute_nodes.protocols.base import COORDINATOR, Message, compose, party_list, read
from compute_nodes.protocols.he_sum.setup import HeSetup
from protos.canonical import canonical
from protos.faults import ProtocolError

ROUND_TOTAL: Final = "total"
_UINT32: Final = struct.Struct(">I")


@dataclass(frozen=True)
class HeTotal:
    """What the coordinator ends with; only the analyst's key opens it.

    Attributes:
        blocks: Ciphertexts of the sum.
        survivors: Who is in it, ascending.
        tokens: Each survivor's signature over the hash of its own ciphertexts.
    """

    blocks: tuple[bytes, ...]
    survivors: tuple[int, ...]
    tokens: tuple[str, ...]

    def to_bytes(self, setup: HeSetup) -> bytes:
        """Writes it for the analyst."""
        parts = (canonical(list(self.tokens)), frame(self.blocks))
        fields = {"survivors": list(self.survivors)}
        return compose(setup, ROUND_TOTAL, COORDINATOR, fields, parts).body

    @classmethod
    def from_bytes(cls, setup: HeSetup, data: bytes) -> HeTotal:
        """Reads what `to_bytes` wrote for this very setup.

        Raises:
            ProtocolError: Malformed, or of another job.
        """
        message = Message(ROUND_TOTAL, COORDINATOR, data)
        fields, parts = read(setup, message, {"survivors"})
        survivors = party_list(setup, fields["survivors"])
        if len(parts) != 2:
            raise ProtocolError("an encrypted total has two parts")
        try:
            tokens = json.loads(bytes(parts[0]))
        except (ValueError, RecursionError):
            tokens = None
        known = isinstance(tokens, list) and all(isinstance(token, str) for token in tokens)
        if not known or len(tokens) != len(survivors):
            raise ProtocolError("an encrypted total names one signature for each survivor")
        blocks = tuple(bytes(block) for block in unframe(parts[1]))
        return cls(blocks, survivors, tuple(tokens))


def frame(blocks: Iterable[bytes]) -> bytes:
    """Joins ciphertexts into one part."""
    return b"".join(piece for block in blocks for piece in (_UINT32.pack(len(block)), block))


def unframe(part: memoryview) -> list[memoryview]:
    """Splits a part into ciphertexts, without copying.

    Raises:
        ProtocolError: The lengths do not add up.
    """
    blocks, at = [], 0
    while at < len(part):
        if at + _UINT32.size > len(part):
            raise ProtocolError("the ciphertexts are malformed", code="protocol.malformed")
        (size,) = _UINT32.unpack_from(part, at)
        at += _UINT32.size
        if size == 0 or size > len(part) - at:
            raise ProtocolError("the ciphertexts are malformed", code="protocol.malformed")
        blocks.append(part[at : at + size])
        at += size
    return blocks

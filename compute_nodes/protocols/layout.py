"""The layout of a message body: a canonical JSON header, then binary parts.

Integers are big-endian::

    uint32 header length | header (RFC 8785) | uint16 parts | (uint32 length | bytes) per part

There is exactly one body for one header and parts; whatever `pack` would not write is refused.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from protos.canonical import canonical
from protos.faults import InputError, ProtocolError

MAX_BODY_BYTES: Final = 256 * 1024 * 1024
MAX_HEADER_BYTES: Final = 64 * 1024
MAX_PARTS: Final = 1024

_UINT32: Final = struct.Struct(">I")
_UINT16: Final = struct.Struct(">H")


def pack(header: Mapping[str, Any], parts: Sequence[bytes | memoryview] = ()) -> bytes:
    """Writes a message body.

    Raises:
        ProtocolError: It would pass a limit, so no reader would take it.
    """
    head = canonical(dict(header))
    size = 4 + len(head) + 2 + sum(4 + len(part) for part in parts)
    if len(head) > MAX_HEADER_BYTES or len(parts) > MAX_PARTS or size > MAX_BODY_BYTES:
        raise ProtocolError("the message is too large to send", code="protocol.size")
    pieces: list[bytes | memoryview] = [
        _UINT32.pack(len(head)),
        head,
        _UINT16.pack(len(parts)),
    ]
    for part in parts:
        pieces += (_UINT32.pack(len(part)), part)
    return b"".join(pieces)


def unpack(body: bytes) -> tuple[dict[str, Any], tuple[memoryview, ...]]:
    """Reads a message body; the parts are views into ``body``.

    Raises:
        ProtocolError: It is not exactly what `pack` writes.
    """
    if len(body) > MAX_BODY_BYTES:
        raise ProtocolError("the message is too large", code="protocol.size")
    view = memoryview(body)
    try:
        (size,) = _UINT32.unpack_from(view, 0)
        if size > MAX_HEADER_BYTES:
            raise ValueError("header size")
        head = bytes(view[4 : 4 + size])
        header = json.loads(head)
        if not isinstance(header, dict) or canonical(header) != head:
            raise ValueError("header is not canonical")
        (count,) = _UINT16.unpack_from(view, 4 + size)
        if count > MAX_PARTS:
            raise ValueError("too many parts")
        at, parts = 6 + size, []
        for _ in range(count):
            (length,) = _UINT32.unpack_from(view, at)
            parts.append(view[at + 4 : at + 4 + length])
            at += 4 + length
        if at != len(body):  # also catches a last part that was cut short
            raise ValueError("length")
    except (ValueError, struct.error, RecursionError, InputError) as error:
        raise ProtocolError(
            "the message is malformed", code="protocol.malformed", detail=str(error)
        ) from error
    return header, tuple(parts)

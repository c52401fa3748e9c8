"""Whole messages in frames: a header, then chunks of at most 1 MiB.

gRPC's receive limit stays at 4 MiB, so that a stranger cannot make a process hold much memory;
a masked vector may be far larger. The reader counts while it reads and stops at its own limit,
whatever the header claims.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from protos.faults import ProtocolError
from protos.v1 import veil_pb2

CHUNK_BYTES: Final = 1024 * 1024
MAX_MESSAGE_BYTES: Final = 256 * 1024 * 1024
_MAX_FIELD: Final = 256  # characters of a header field


@dataclass(frozen=True)
class Header:
    """What a message is; size and hash are added and checked by this module.

    Attributes:
        kind: What the body is, such as "plan", "message", "fault".
        job: 32 hex digits, or "" for what belongs to no job.
        round: Protocol instance and round, such as "values/masked".
        attempt: From 1; a repeated send repeats the number and the bytes.
        sender: Department; on arrival the exchange puts the certificate's name here.
        recipient: Department, or "" for the exchange.
    """

    kind: str
    job: str = ""
    round: str = ""
    attempt: int = 1
    sender: str = ""
    recipient: str = ""


def to_frames(header: Header, body: bytes) -> Iterator[veil_pb2.Frame]:
    """Cuts one message into frames.

    Raises:
        ProtocolError: The body is longer than `MAX_MESSAGE_BYTES`.
    """
    if len(body) > MAX_MESSAGE_BYTES:
        raise _too_long(len(body), MAX_MESSAGE_BYTES)
    yield veil_pb2.Frame(
        header=veil_pb2.Header(
            job=header.job,
            round=header.round,
            attempt=header.attempt,
            sender=header.sender,
            recipient=header.recipient,
            kind=header.kind,
            size=len(body),
            sha256=hashlib.sha256(body).digest(),
        )
    )
    view = memoryview(body)
    for start in range(0, len(body), CHUNK_BYTES):
        yield veil_pb2.Frame(chunk=bytes(view[start : start + CHUNK_BYTES]))


def from_frames(
    frames: Iterable[veil_pb2.Frame], limit: int = MAX_MESSAGE_BYTES
) -> tuple[Header, bytes]:
    """Puts one message together and checks order, size and hash.

    Args:
        frames: As they arrive; read to the end, or up to the first fault.
        limit: Most bytes that this reader accepts.

    Raises:
        ProtocolError: No header, a second header, too much or too little, or another hash.
    """
    first: veil_pb2.Header | None = None
    body = bytearray()
    for frame in frames:
        which = frame.WhichOneof("body")
        if first is None:
            if which != "header":
                raise ProtocolError("a message must begin with its header", code="frame.order")
            first = frame.header
            if first.size > limit:
                raise _too_long(first.size, limit)
        elif which != "chunk" or not frame.chunk:
            raise ProtocolError("only chunks may follow the header", code="frame.order")
        else:
            if len(body) + len(frame.chunk) > first.size:
                raise ProtocolError("the message is longer than it says", code="frame.size")
            body += frame.chunk
    if first is None:
        raise ProtocolError("the message is empty", code="frame.order")
    if len(body) != first.size:
        raise ProtocolError("the message ended early", code="frame.size")
    if hashlib.sha256(body).digest() != first.sha256:
        raise ProtocolError("the message was damaged on its way", code="frame.hash")
    return _header(first), bytes(body)


def _header(wire: veil_pb2.Header) -> Header:
    texts = (wire.kind, wire.job, wire.round, wire.sender, wire.recipient)
    if any(len(text) > _MAX_FIELD for text in texts):
        raise ProtocolError("a header field is too long", code="frame.header")
    return Header(
        kind=wire.kind,
        job=wire.job,
        round=wire.round,
        attempt=wire.attempt,
        sender=wire.sender,
        recipient=wire.recipient,
    )


def _too_long(size: int, limit: int) -> ProtocolError:
    return ProtocolError(
        f"a message of {size:,} bytes is over the limit of {limit:,}",
        remedy="release fewer cells in one statement",
        code="frame.too_long",
    )

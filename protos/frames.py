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
SMALL_BYTES: Final = 64 * 1024  # up to here one piece is cheaper than a stream, and bounds little
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
    yield veil_pb2.Frame(header=_wire_header(header, body))
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
    stream = iter(frames)
    message = _next_message(stream, limit)
    if message is None:
        raise ProtocolError("the message is empty", code="frame.order")
    for frame in stream:
        if not frame.chunk:
            raise ProtocolError("only chunks may follow the header", code="frame.order")
        raise ProtocolError("the message is longer than it says", code="frame.size")
    return message


def messages(
    frames: Iterable[veil_pb2.Frame], limit: int = MAX_MESSAGE_BYTES
) -> Iterator[tuple[Header, bytes]]:
    """Puts together the messages of one stream, each as soon as its last frame is there.

    Args:
        frames: As they arrive; any number of messages, one after the other.
        limit: Most bytes of one message.

    Raises:
        ProtocolError: As `from_frames`, for the message at hand.
    """
    stream = iter(frames)
    while (message := _next_message(stream, limit)) is not None:
        yield message


def to_whole(header: Header, body: bytes) -> veil_pb2.Whole:
    """Writes a small message in one piece.

    Raises:
        ProtocolError: The body is longer than `SMALL_BYTES`.
    """
    if len(body) > SMALL_BYTES:
        raise _too_long(len(body), SMALL_BYTES)
    return veil_pb2.Whole(header=_wire_header(header, body), body=body)


def from_whole(whole: veil_pb2.Whole) -> tuple[Header, bytes]:
    """Reads what `to_whole` wrote.

    Raises:
        ProtocolError: It is too long, or not as its header says.
    """
    if len(whole.body) > SMALL_BYTES:
        raise _too_long(len(whole.body), SMALL_BYTES)
    return _checked(whole.header, whole.body)


def _next_message(stream: Iterator[veil_pb2.Frame], limit: int) -> tuple[Header, bytes] | None:
    """Reads one message and not one frame more; None where the stream has ended."""
    frame = next(stream, None)
    if frame is None:
        return None
    if frame.WhichOneof("body") != "header":
        raise ProtocolError("a message must begin with its header", code="frame.order")
    first = frame.header
    if first.size > limit:
        raise _too_long(first.size, limit)
    body = bytearray()
    while len(body) < first.size:
        frame = next(stream, None)
        if frame is None:
            break
        if frame.WhichOneof("body") != "chunk" or not frame.chunk:
            raise ProtocolError("only chunks may follow the header", code="frame.order")
        if len(body) + len(frame.chunk) > first.size:
            raise ProtocolError("the message is longer than it says", code="frame.size")
        body += frame.chunk
    return _checked(first, bytes(body))


def _checked(header: veil_pb2.Header, body: bytes) -> tuple[Header, bytes]:
    if len(body) != header.size:
        raise ProtocolError("the message ended early", code="frame.size")
    if hashlib.sha256(body).digest() != header.sha256:
        raise ProtocolError("the message was damaged on its way", code="frame.hash")
    return _header(header), body


def _wire_header(header: Header, body: bytes) -> veil_pb2.Header:
    return veil_pb2.Header(
        job=header.job,
        round=header.round,
        attempt=header.attempt,
        sender=header.sender,
        recipient=header.recipient,
        kind=header.kind,
        size=len(body),
        sha256=hashlib.sha256(body).digest(),
    )


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

"""Protobuf messages ↔ the exchange's own types: the server's and the analyst's side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from compute_nodes.rpc.wire import json_bytes, json_object, json_objects
from exchange.ports import Progress, Registration
from protos.faults import ProtocolError
from protos.v1 import veil_pb2

M = TypeVar("M", bound=Message)


def parse(kind: type[M], body: bytes) -> M:
    """Reads one protobuf message.

    Raises:
        ProtocolError: The bytes are no such message.
    """
    try:
        return kind.FromString(body)
    except DecodeError as error:
        raise ProtocolError("malformed message on the wire", code="wire.malformed") from error


def parse_frames(parts: Iterable[bytes]) -> Iterator[veil_pb2.Frame]:
    """Reads frames as they arrive; see `parse`."""
    for part in parts:
        yield parse(veil_pb2.Frame, part)


def registration(request: veil_pb2.RegisterRequest) -> Registration:
    """Reads what a department says about itself."""
    return Registration(
        card=request.card,
        policies=json_objects(request.policies),
        snapshots=json_objects(request.snapshots),
        version=request.version[:64],
        declaration=request.declaration,
    )


def events(news: Iterable[Progress]) -> veil_pb2.Events:
    """Writes steps of a job."""
    return veil_pb2.Events(events=[json_bytes(asdict(progress)) for progress in news])


def progress(event: bytes) -> Progress:
    """Reads one step of a job; unknown fields of a newer exchange are left out.

    Raises:
        ProtocolError: It is malformed.
    """
    body = json_object(event)
    try:
        return Progress(
            at=float(body["at"]),
            what=str(body["what"]),
            department=str(body.get("department", "")),
            text=str(body.get("text", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError("malformed progress event", code="wire.event") from error


def text(body: bytes) -> str:
    """Reads a token.

    Raises:
        ProtocolError: It is not ASCII.
    """
    try:
        return body.decode("ascii")
    except UnicodeDecodeError as error:
        raise ProtocolError("a token must be ASCII", code="wire.token") from error


__all__ = [
    "events",
    "json_bytes",
    "json_object",
    "json_objects",
    "parse",
    "parse_frames",
    "progress",
    "registration",
    "text",
]

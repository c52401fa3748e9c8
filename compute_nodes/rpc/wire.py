"""Protobuf messages ↔ plain values, for the callers' side of the wire."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from compute_nodes.rpc.delivery import Delivery
from protos.faults import ProtocolError
from protos.frames import MAX_MESSAGE_BYTES, Header, from_frames, to_frames
from protos.v1 import veil_pb2


def frames(delivery: Delivery) -> Iterator[veil_pb2.Frame]:
    """Cuts a message into frames."""
    header = Header(
        kind=delivery.kind,
        job=delivery.job,
        round=delivery.round,
        attempt=delivery.attempt,
        sender=delivery.sender,
        recipient=delivery.recipient,
    )
    return to_frames(header, delivery.body)


def delivery(parts: Iterable[veil_pb2.Frame], limit: int = MAX_MESSAGE_BYTES) -> Delivery:
    """Puts a message together.

    Raises:
        ProtocolError: It is not whole; see `protos.frames.from_frames`.
    """
    header, body = from_frames(parts, limit)
    return Delivery(
        job=header.job,
        round=header.round,
        attempt=header.attempt,
        sender=header.sender,
        recipient=header.recipient,
        kind=header.kind,
        body=body,
    )


def delivery_or_none(parts: Iterable[veil_pb2.Frame]) -> Delivery | None:
    """Puts a message together; a stream without any frame is None."""
    stream = iter(parts)
    first = next(stream, None)
    if first is None:
        return None
    return delivery(_chain(first, stream))


def register_request(
    card: str,
    policies: list[dict[str, Any]],
    snapshots: list[dict[str, Any]],
    version: str,
) -> veil_pb2.RegisterRequest:
    """Writes what a department says about itself."""
    return veil_pb2.RegisterRequest(
        card=card, policies=json_bytes(policies), snapshots=json_bytes(snapshots), version=version
    )


def json_bytes(value: object) -> bytes:
    """Writes a JSON value."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def json_object(body: bytes) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        ProtocolError: It is something else.
    """
    value = _json(body)
    if not isinstance(value, dict):
        raise ProtocolError("a JSON object was expected", code="wire.json")
    return value


def json_objects(body: bytes) -> list[dict[str, Any]]:
    """Reads a JSON list of objects; no bytes at all are an empty list.

    Raises:
        ProtocolError: It is something else.
    """
    value = _json(body or b"[]")
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ProtocolError("a JSON list of objects was expected", code="wire.json")
    return value


def _json(body: bytes) -> object:
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("malformed JSON on the wire", code="wire.json") from error
    return value


def _chain(first: veil_pb2.Frame, rest: Iterator[veil_pb2.Frame]) -> Iterator[veil_pb2.Frame]:
    yield first
    yield from rest

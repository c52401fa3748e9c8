"""Protobuf messages ↔ plain values, for the callers' side of the wire."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from compute_nodes.rpc.delivery import Delivery
from protos.faults import ProtocolError
from protos.frames import (
    MAX_MESSAGE_BYTES,
    Header,
    from_frames,
    from_whole,
    messages,
    to_frames,
    to_whole,
)
from protos.v1 import veil_pb2


def frames(delivery: Delivery) -> Iterator[veil_pb2.Frame]:
    """Cuts a message into frames."""
    return to_frames(_header(delivery), delivery.body)


def whole(delivery: Delivery) -> veil_pb2.Whole:
    """Writes a small message in one piece; see `protos.frames.to_whole`."""
    return to_whole(_header(delivery), delivery.body)


def whole_delivery(wire: veil_pb2.Whole) -> Delivery:
    """Reads a small message.

    Raises:
        ProtocolError: See `protos.frames.from_whole`.
    """
    return _delivery(*from_whole(wire))


def delivery(parts: Iterable[veil_pb2.Frame], limit: int = MAX_MESSAGE_BYTES) -> Delivery:
    """Puts a message together.

    Raises:
        ProtocolError: It is not whole; see `protos.frames.from_frames`.
    """
    return _delivery(*from_frames(parts, limit))


def deliveries(parts: Iterable[veil_pb2.Frame]) -> Iterator[Delivery]:
    """Puts the messages of a stream together, each as soon as it is whole.

    Raises:
        ProtocolError: One is not; see `protos.frames.messages`.
    """
    return (_delivery(header, body) for header, body in messages(parts))


def register_request(
    card: str,
    policies: list[dict[str, Any]],
    snapshots: list[dict[str, Any]],
    version: str,
    declaration: str = "",
) -> veil_pb2.RegisterRequest:
    """Writes what a department says about itself."""
    return veil_pb2.RegisterRequest(
        card=card,
        policies=json_bytes(policies),
        snapshots=json_bytes(snapshots),
        version=version,
        declaration=declaration,
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


def _header(delivery: Delivery) -> Header:
    return Header(
        kind=delivery.kind,
        job=delivery.job,
        round=delivery.round,
        attempt=delivery.attempt,
        sender=delivery.sender,
        recipient=delivery.recipient,
    )


def _delivery(header: Header, body: bytes) -> Delivery:
    return Delivery(
        job=header.job,
        round=header.round,
        attempt=header.attempt,
        sender=header.sender,
        recipient=header.recipient,
        kind=header.kind,
        body=body,
    )

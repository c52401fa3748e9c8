"""Messages in frames: what was cut comes together, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.faults import ProtocolError
from protos.frames import (
    CHUNK_BYTES,
    MAX_MESSAGE_BYTES,
    SMALL_BYTES,
    Header,
    from_frames,
    from_whole,
    messages,
    to_frames,
    to_whole,
)
from protos.v1 import veil_pb2

HEADER = Header(
    kind="message", job="0" * 32, round="values/masked", attempt=2, sender="a", recipient="b"
)


@given(st.integers(0, 3), st.integers(-2, 2), st.binary(max_size=40))
def test_any_length_comes_together(chunks: int, more: int, tail: bytes) -> None:
    body = bytes(max(0, chunks * CHUNK_BYTES + more)) + tail
    frames = list(to_frames(HEADER, body))
    assert from_frames(frames) == (HEADER, body)
    assert max(frame.ByteSize() for frame in frames) < 4 * 1024 * 1024


def frames_of(body: bytes) -> list[veil_pb2.Frame]:
    return list(to_frames(HEADER, body))


BODY = bytes(range(256)) * 8192  # 2 MiB: header and two chunks


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("nothing at all", "frame.order"),
        ("no header", "frame.order"),
        ("empty frame first", "frame.order"),
        ("header twice", "frame.order"),
        ("empty chunk", "frame.order"),
        ("chunk missing", "frame.size"),
        ("chunk repeated", "frame.size"),
        ("chunk cut", "frame.size"),
        ("chunks swapped", "frame.hash"),
        ("one bit", "frame.hash"),
        ("no hash", "frame.hash"),
        ("long field", "frame.header"),
    ],
)
def test_a_damaged_message_is_refused(change: str, code: str) -> None:
    body = b"\x01" + BODY[1:]
    header, first, second = frames_of(body)
    empty = veil_pb2.Frame()
    changed: dict[str, list[veil_pb2.Frame]] = {
        "nothing at all": [],
        "no header": [first, second],
        "empty frame first": [empty, header, first, second],
        "header twice": [header, header, first, second],
        "empty chunk": [header, first, veil_pb2.Frame(chunk=b""), second],
        "chunk missing": [header, first],
        "chunk repeated": [header, first, second, second],
        "chunk cut": [header, first, veil_pb2.Frame(chunk=second.chunk[:-1])],
        "chunks swapped": [header, second, first],
        "one bit": [header, veil_pb2.Frame(chunk=b"\x00" + first.chunk[1:]), second],
    }
    header_again = veil_pb2.Frame()
    header_again.CopyFrom(header)
    if change == "no hash":
        header_again.header.sha256 = b""
    if change == "long field":
        header_again.header.job = "0" * 1000
    with pytest.raises(ProtocolError) as caught:
        from_frames(changed.get(change, [header_again, first, second]))
    assert caught.value.code == code


def test_a_lying_header_costs_the_reader_no_memory() -> None:
    def endless() -> Iterator[veil_pb2.Frame]:
        header = frames_of(b"x" * 10)[0]
        yield header
        for number in range(100):
            assert number < 1, "the reader went on after the message was longer than it said"
            yield veil_pb2.Frame(chunk=bytes(CHUNK_BYTES))

    with pytest.raises(ProtocolError, match="longer than it says"):
        from_frames(endless())


def test_limits_hold_on_both_sides() -> None:
    with pytest.raises(ProtocolError, match="over the limit"):
        from_frames(frames_of(b"x" * 11), limit=10)

    class Huge(bytes):
        def __len__(self) -> int:
            return MAX_MESSAGE_BYTES + 1

    with pytest.raises(ProtocolError, match="over the limit"):
        next(to_frames(HEADER, Huge()))


def test_attempts_are_part_of_the_header() -> None:
    assert from_frames(to_frames(replace(HEADER, attempt=7), b""))[0].attempt == 7


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_messages_in_one_stream_come_apart(bodies: list[bytes]) -> None:
    sent = [(replace(HEADER, attempt=number), body) for number, body in enumerate(bodies, 1)]
    frames = [frame for header, body in sent for frame in to_frames(header, body)]
    assert list(messages(frames)) == sent


def test_a_message_is_given_out_before_the_next_one_arrives() -> None:
    def arriving() -> Iterator[veil_pb2.Frame]:
        yield from to_frames(HEADER, b"first")
        raise AssertionError("the reader waited for a frame that it does not need")

    assert next(messages(arriving())) == (HEADER, b"first")


def test_a_stream_that_ends_in_a_message_is_refused() -> None:
    frames = [*to_frames(HEADER, b"whole"), *frames_of(BODY)[:2]]
    arrived = messages(frames)
    assert next(arrived) == (HEADER, b"whole")
    with pytest.raises(ProtocolError, match="ended early"):
        next(arrived)


def test_a_small_message_travels_in_one_piece() -> None:
    body = bytes(SMALL_BYTES)
    assert from_whole(to_whole(HEADER, body)) == (HEADER, body)
    with pytest.raises(ProtocolError, match="over the limit"):
        to_whole(HEADER, body + b"x")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"body": b"bodx"}, "frame.hash"),
        ({"body": b"bod"}, "frame.size"),
        ({"body": b""}, "frame.size"),
        ({"body": bytes(SMALL_BYTES + 1)}, "frame.too_long"),
        ({"header": veil_pb2.Header()}, "frame.size"),
        ({"header": veil_pb2.Header(size=4)}, "frame.hash"),
    ],
)
def test_a_damaged_piece_is_refused(change: dict[str, Any], code: str) -> None:
    whole = to_whole(HEADER, b"body")
    fields = {"header": whole.header, "body": whole.body} | change
    with pytest.raises(ProtocolError) as caught:
        from_whole(veil_pb2.Whole(**fields))
    assert caught.value.code == code

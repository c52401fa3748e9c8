"""Messages in frames: what was cut comes together, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.faults import ProtocolError
from protos.frames import CHUNK_BYTES, MAX_MESSAGE_BYTES, Header, from_frames, to_frames
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

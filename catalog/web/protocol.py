"""HTTP/1.1 as uvicorn speaks it with h11, stricter and with clocks.

What two readers might cut differently is refused: a proxy in front and this server must see the
same requests (request smuggling; RFC 9112, sections 2.2, 6.1 and 11.2). And a request that never
ends, or an answer that is never read, ends by itself: a connection may live for an hour because a
download may take one, not because somebody is silent.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from fcntl import ioctl
from termios import TIOCOUTQ
from typing import Any, Final

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

_VERSIONS: Final = frozenset({b"1.0", b"1.1"})
_LOOKS: Final = 8
"""How often a connection is looked at in the shortest of its times."""
_STEP: Final = 1 << 14


@dataclass(frozen=True)
class Pace:
    """How slow a client may be.

    Attributes:
        head_s: Until all of a request's headers are there, seconds.
        body_s: For a body, besides what its length takes, seconds.
        body_rate: Least speed of a body, bytes a second.
        stalled_s: Longest time in which it takes less than 16 KiB of an answer that waits for it,
            seconds.
    """

    head_s: float = 10.0
    body_s: float = 20.0
    body_rate: int = 4096
    stalled_s: float = 30.0


class StrictConnection(h11.Connection):
    """h11's connection, without its leniency about where a request ends."""

    def next_event(self) -> Any:  # noqa: ANN401 - h11's own signature
        """Returns what came next.

        Raises:
            h11.RemoteProtocolError: It is no request, or could be read in two ways.
        """
        waiting = self.their_state is h11.IDLE
        before = self.trailing_data[0] if waiting else b""
        event = super().next_event()
        if isinstance(event, h11.Request):
            _check(event, before[: len(before) - len(self.trailing_data[0])])
        return event


def _check(request: h11.Request, head: bytes) -> None:
    names = {name for name, _ in request.headers}
    if head.count(b"\n") != head.count(b"\r\n"):
        raise h11.RemoteProtocolError("a line ends without a carriage return")
    if request.http_version not in _VERSIONS:
        raise h11.RemoteProtocolError("no version of HTTP that is spoken here")
    if b"transfer-encoding" in names and (
        b"content-length" in names or request.http_version == b"1.0"
    ):
        raise h11.RemoteProtocolError("the body's length is said in two ways")


class HttpProtocol(H11Protocol):
    """One connection.

    Args:
        config: uvicorn's.
        pace: How slow a client may be.
        more: As for uvicorn's protocol.
    """

    def __init__(self, config: Config, *args: Any, pace: Pace | None = None, **more: Any) -> None:  # noqa: ANN401
        super().__init__(config, *args, **more)
        self.conn = StrictConnection(h11.SERVER, config.h11_max_incomplete_event_size or 0)
        self._pace = pace or Pace()
        self._look_s = min(self._pace.head_s, self._pace.body_s, self._pace.stalled_s) / _LOOKS
        self._began = time.monotonic()  # of waiting for what is waited for now
        self._awaited: object = None
        self._received = 0
        self._pauses = 0
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock."""
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        """Takes what has arrived; the bytes of a body are counted."""
        self._received += len(data)
        super().data_received(data)

    def pause_writing(self) -> None:
        """Notes that the client reads too slowly, and that it has read since it last did."""
        self._pauses += 1
        super().pause_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        if self._clock is not None:
            self._clock.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Hangs up if what is waited for takes too long."""
        awaited, longest = self._waits_for()
        now = (awaited, self.cycle, self._pauses, self._left() // _STEP)
        if now != self._awaited:
            self._awaited = now
            self._began, self._received = time.monotonic(), 0
        elif longest is not None and time.monotonic() - self._began > longest:
            self.transport.abort()
            return
        self._clock = self.loop.call_later(self._look_s, self._look)

    def _left(self) -> int:
        """Returns how many bytes are written that the other machine has not confirmed.

        The system alone may hold megabytes, and asks for more only once a third of that is gone.
        """
        left = self.transport.get_write_buffer_size()
        held = self.transport.get_extra_info("socket")
        with suppress(OSError, ValueError):  # it is closed
            left += int.from_bytes(ioctl(held.fileno(), TIOCOUTQ, bytes(4)), sys.byteorder)
        return left

    def _waits_for(self) -> tuple[str, float | None]:
        """Returns what keeps the connection, and how long it may; None for: not the client."""
        pace = self._pace
        if self.transport.is_closing():
            return "end", pace.stalled_s  # what is left to send is not taken
        if self.flow.write_paused:
            return "reading", pace.stalled_s
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn's annotation forgets the first
        if cycle is not None and not cycle.response_complete:
            if self.conn.their_state is not h11.SEND_BODY or self.flow.read_paused:
                return "answer", None
            return "body", pace.body_s + self._received / pace.body_rate
        return "head", pace.head_s

"""Strangers: bounded from the first byte on, before any certificate or request.

asyncio gives each TLS connection 256 KiB when its handshake begins, and waits a minute for it;
a few thousand silent connections would take gigabytes. So the doorkeeper accepts plain TCP,
counts, starts a clock, and only then begins TLS, or at once the protocol where there is none. When
there are too many, the oldest of the address that has most gives way: an honest request takes
milliseconds, a slow one is there on purpose, and whoever opens hundreds ends nobody's download.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from catalog.web.sources import source_name


@dataclass(frozen=True)
class DoorLimits:
    """Bounds on strangers.

    Attributes:
        connection_s: Longest life of a connection, handshake included, seconds; enough for one
            slow request.
        connections: Most connections at once; one more ends the oldest of who has most.
        handshake_s: Longest time until it speaks TLS, seconds.
    """

    connection_s: float = 10.0
    connections: int = 128
    handshake_s: float = 10.0


DOWNLOADS: Final = DoorLimits(connection_s=3600.0, connections=512)
"""Of servers that people download from: a gigabyte over a slow line takes longer than a request."""


class OpenDoors:
    """The connections that are there now, the oldest first."""

    def __init__(self, limits: DoorLimits) -> None:
        self.limits = limits
        self._transports: OrderedDict[Doorkeeper, asyncio.Transport] = OrderedDict()
        self._sources: dict[Doorkeeper, str] = {}

    def add(self, doorkeeper: Doorkeeper, transport: asyncio.Transport) -> None:
        """Notes a connection; ends the oldest of the busiest address when there are too many."""
        self._transports[doorkeeper] = transport
        self._sources[doorkeeper] = _source(transport)
        if len(self._transports) > self.limits.connections:
            [(busiest, _)] = Counter(self._sources.values()).most_common(1)
            oldest = next(each for each in self._transports if self._sources[each] == busiest)
            ended = self._transports[oldest]
            self.remove(oldest)
            ended.abort()

    def remove(self, doorkeeper: Doorkeeper) -> None:
        """Forgets a connection that has ended."""
        self._transports.pop(doorkeeper, None)
        self._sources.pop(doorkeeper, None)

    def hang_up(self) -> None:
        """Ends every connection."""
        for transport in list(self._transports.values()):
            transport.abort()


class Doorkeeper(asyncio.Protocol):
    """One connection: plain at first, then TLS if there is any, then the protocol it was for.

    Args:
        loop: The running loop.
        doors: All connections.
        context: The server's TLS; None for none.
        inside: Makes the protocol that speaks behind the door.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        doors: OpenDoors,
        context: ssl.SSLContext | None,
        inside: Callable[[], asyncio.Protocol],
    ) -> None:
        self._loop = loop
        self._doors = doors
        self._context = context
        self._inside = inside
        self._inner: asyncio.Protocol | None = None
        self._early = bytearray()  # what arrived in one piece with the end of the handshake
        self._end_of_life: asyncio.TimerHandle | None = None
        self._handshake: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Counts the connection, starts its clock and the handshake."""
        limits = self._doors.limits
        self._doors.add(self, transport)
        self._end_of_life = self._loop.call_later(limits.connection_s, transport.abort)
        if self._context is not None:
            self._handshake = self._loop.create_task(self._upgrade(transport, self._context))
            return
        self._inner = self._inside()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Passes on what was decrypted."""
        if self._inner is None:
            self._early += data
        else:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Passes on that the other side has finished."""
        return self._inner.eof_received() if self._inner is not None else None

    def pause_writing(self) -> None:
        """Passes on that the other side reads too slowly."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Passes on that it reads again."""
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        self._close()
        if self._inner is not None:
            self._inner.connection_lost(exc)

    async def _upgrade(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        if transport.is_closing():
            return  # it gave way to newer ones before its turn came; no memory for it
        limits = self._doors.limits
        try:
            secure = await self._loop.start_tls(
                transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=min(limits.handshake_s, limits.connection_s),
            )
        except (OSError, ssl.SSLError):
            secure = None  # a stranger that cannot speak TLS; nothing to say to it
        if secure is None or secure.is_closing():
            transport.abort()
            self._close()
            return
        self._inner = self._inside()
        self._inner.connection_made(secure)
        if self._early:
            self._inner.data_received(bytes(self._early))
            self._early.clear()

    def _close(self) -> None:
        self._doors.remove(self)
        if self._end_of_life is not None:
            self._end_of_life.cancel()


class DoorLoop(asyncio.SelectorEventLoop):
    """A loop whose servers have a doorkeeper; uvicorn has no setting for it."""

    def __init__(self, doors: OpenDoors) -> None:
        super().__init__()
        self._doors = doors

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.Protocol],
        *args: Any,  # noqa: ANN401 - asyncio's own signature
        ssl: ssl.SSLContext | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> asyncio.Server:
        """Listens; every connection goes through a `Doorkeeper`."""
        context = ssl

        def factory() -> asyncio.Protocol:
            return Doorkeeper(self, self._doors, context, protocol_factory)

        return await super().create_server(factory, *args, **kwargs)


def _source(transport: asyncio.Transport) -> str:
    peer = transport.get_extra_info("peername")
    return source_name(str(peer[0])) if peer else ""

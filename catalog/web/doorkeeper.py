"""TLS for strangers: bounded from the first byte on, before any certificate or request.

asyncio gives each TLS connection 256 KiB when its handshake begins, and waits a minute for it;
a few thousand silent connections would take gigabytes. So the doorkeeper accepts plain TCP,
counts, starts a clock, and only then begins TLS. When there are too many, the oldest gives way:
an honest request takes milliseconds, a slow one is there on purpose.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class DoorLimits:
    """Bounds on strangers.

    Attributes:
        connection_s: Longest life of a connection, handshake included, seconds; enough for one
            slow request.
        connections: Most connections at once; one more ends the oldest.
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

    def add(self, doorkeeper: Doorkeeper, transport: asyncio.Transport) -> None:
        """Notes a connection; ends the oldest when there are too many."""
        self._transports[doorkeeper] = transport
        if len(self._transports) > self.limits.connections:
            _, oldest = self._transports.popitem(last=False)
            oldest.abort()

    def remove(self, doorkeeper: Doorkeeper) -> None:
        """Forgets a connection that has ended."""
        self._transports.pop(doorkeeper, None)

    def hang_up(self) -> None:
        """Ends every connection."""
        for transport in list(self._transports.values()):
            transport.abort()


class Doorkeeper(asyncio.Protocol):
    """One connection: plain at first, then TLS, then the protocol that it was for.

    Args:
        loop: The running loop.
        doors: All connections.
        context: The server's TLS.
        inside: Makes the protocol that speaks after the handshake.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        doors: OpenDoors,
        context: ssl.SSLContext,
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
        self._handshake = self._loop.create_task(self._upgrade(transport))

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

    async def _upgrade(self, transport: asyncio.Transport) -> None:
        if transport.is_closing():
            return  # it gave way to newer ones before its turn came; no memory for it
        limits = self._doors.limits
        try:
            secure = await self._loop.start_tls(
                transport,
                self,
                self._context,
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
    """A loop whose TLS servers have a doorkeeper; uvicorn has no setting for it."""

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
        """Listens; with TLS, every connection goes through a `Doorkeeper`."""
        factory = protocol_factory
        if ssl is not None:
            context = ssl

            def factory() -> asyncio.Protocol:
                return Doorkeeper(self, self._doors, context, protocol_factory)

        return await super().create_server(factory, *args, **kwargs)

"""Turns: nobody has more than a few answers made at once, so that others are not behind them.

A page takes milliseconds, a list of a hundred datasets as a graph a few dozen, and one process
makes them one after the other: sixty at once from one address let everybody wait for seconds.
Whoever asks for more than a few at once waits for the first of its own. Nobody is refused, and
nobody waits long: neighbours behind one address must not hold each other up by requests that never
end. An answer that has begun is made: what streams has places (`catalog.datastore.places`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.web.sources import is_here, source_name

_MOST: Final = 8
_WAIT_S: Final = 2.0


@dataclass
class _Line:
    taken: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Turns:
    """Answers a few requests of each source at once; for one event loop.

    What comes from this machine has no line: a proxy that is not named stands for many.

    Args:
        app: What answers.
        most: Of one source at once.
        wait_s: Longest wait for a turn, seconds; then it goes on without.
    """

    def __init__(self, app: ASGIApp, most: int = _MOST, wait_s: float = _WAIT_S) -> None:
        self._app = app
        self._most = most
        self._wait_s = wait_s
        self._lines: dict[str, _Line] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        host = scope["client"][0] if scope.get("client") else ""
        if scope["type"] != "http" or not host or is_here(host):
            await self._app(scope, receive, send)
            return
        source = source_name(host)
        held = await self._take(source)

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                self._give_back(source)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                give_back()
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            give_back()

    async def _take(self, source: str) -> bool:
        """Waits for a turn; returns whether there was one in time."""
        line = self._lines.setdefault(source, _Line())
        if line.taken < self._most:
            line.taken += 1
            return True
        turn = asyncio.get_running_loop().create_future()
        line.waiting.append(turn)
        try:
            await asyncio.wait([turn], timeout=self._wait_s)
        finally:
            if not turn.done():
                turn.cancel()
                line.waiting.remove(turn)
            elif asyncio.current_task().cancelling():  # type: ignore[union-attr]  # it runs here
                self._give_back(source)
        return not turn.cancelled()

    def _give_back(self, source: str) -> None:
        line = self._lines[source]
        if line.waiting:
            line.waiting.popleft().set_result(None)  # it is taken as before, by somebody else
            return
        line.taken -= 1
        if line.taken == 0:
            del self._lines[source]

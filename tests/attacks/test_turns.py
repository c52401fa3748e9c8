"""One source asks for many answers at once: others are served before it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from catalog.web.turns import Turns


class Kitchen:
    """An application that makes answers when it is told to."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.most = self.now = 0
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.go.wait()
        finally:
            self.now -= 1
        self.made.append(scope["client"][0])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})


async def nothing() -> Message:
    raise AssertionError


async def nowhere(_: Message) -> None: ...


def ask(turns: Turns, host: str) -> asyncio.Task[Any]:
    scope = {"type": "http", "client": (host, 1)}
    return asyncio.create_task(turns(scope, nothing, nowhere))  # type: ignore[arg-type]


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_who_asks_for_sixty_answers_at_once_stands_in_his_own_line() -> None:
    async def run() -> None:
        kitchen = Kitchen()
        turns = Turns(kitchen, most=3, wait_s=60)
        crowd = [ask(turns, f"2001:db8::{n:x}") for n in range(60)]  # one network
        honest, here = ask(turns, "203.0.113.7"), [ask(turns, "127.0.0.1") for _ in range(9)]
        await settled()
        assert kitchen.now == 3 + 1 + 9
        kitchen.go.set()
        await asyncio.gather(*crowd, honest, *here)
        assert len(kitchen.made) == 70
        assert kitchen.made.index("203.0.113.7") < 5
        assert not turns._lines, "nothing is left of who has gone"

    asyncio.run(run())


def test_who_hangs_up_gives_the_turn_back_and_nobody_waits_for_ever() -> None:
    async def run() -> None:
        kitchen = Kitchen()
        turns = Turns(kitchen, most=2, wait_s=0.1)
        endless = [ask(turns, "203.0.113.7") for _ in range(2)]
        neighbour = ask(turns, "203.0.113.7")
        waits = ask(turns, "203.0.113.7")
        await settled()
        assert kitchen.now == 2
        waits.cancel()
        await asyncio.sleep(0.2)
        assert kitchen.now == 3, "after a while it goes on without a turn"
        third = ask(turns, "203.0.113.7")
        await settled()
        endless[0].cancel()
        await settled()
        assert kitchen.now == 3, "the turn of who went is the next one's"
        kitchen.go.set()
        await asyncio.gather(endless[1], neighbour, third)
        assert not turns._lines
        for each in (waits, endless[0]):
            with pytest.raises(asyncio.CancelledError):
                await each

    asyncio.run(run())

"""A city's catalog that is the same each time, for outside clients and for their transcripts."""

from __future__ import annotations

import datetime as dt
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.province.build import province
from catalog.registry.record import Record
from catalog.registry.registry import create
from catalog.web.app import create_app
from catalog.web.server import HttpServer
from catalog.web.services import services
from tests.datastore_world import make_public

BASE = "https://city.test"
"""Stands for the server's address in transcripts."""


TABLE = pa.table({
    "district": ["荔湾", "越秀", "海珠"] * 20,
    "beds": range(60),
    "share": [number / 60 for number in range(60)],
    "since": [dt.date(2020, 1, 1 + number % 28) for number in range(60)],
})  # fmt: skip
"""What is public of one dataset."""


def records() -> Sequence[Record]:
    """What the city has."""
    return [replace(record, source="local") for record in province(40, 1)]


OPENED = next(r.identifier for r in records() if r.opening.attribute == "unconditional")


@contextmanager
def app(directory: Path) -> Iterator[FastAPI]:
    """The city's portal."""
    create(directory)
    with services(directory, public=True) as found:
        found.registry.register(records())
        make_public(found.registry, TABLE, OPENED)
        yield create_app(found)


class Noting:
    """Notes each request and what was answered: a transcript of the client's side."""

    def __init__(self, inner: ASGIApp, file: Path) -> None:
        self._inner = inner
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        query = scope["query_string"].decode()
        sent = {name.decode(): value.decode() for name, value in scope["headers"]}
        note = {
            "method": scope["method"],
            "path": scope["path"] + (f"?{query}" if query else ""),
            "accept": sent.get("accept", ""),
            "client": sent.get("user-agent", ""),
        }

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = {name.decode(): value.decode() for name, value in message["headers"]}
                kind = told.get("content-type", "").partition(";")[0]
                with self._file.open("a") as file:
                    file.write(
                        json.dumps(note | {"status": message["status"], "type": kind}) + "\n"
                    )
            await send(message)

        await self._inner(scope, receive, noting)


def main() -> None:
    """Serves until it is stopped; prints its address."""
    with tempfile.TemporaryDirectory() as folder, app(Path(folder) / "city") as made:
        server = HttpServer(Noting(made, Path(sys.argv[1])), "127.0.0.1:0")
        server.start()
        print(server.url, flush=True)  # noqa: T201 - for who started it
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()

"""Other catalogs to be read: a Veil served for real, and a server that says what it is told."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from catalog.harvest.dialects import Name
from catalog.harvest.fetching import Fetcher, FetchLimits
from catalog.harvest.networks import read_network
from catalog.harvest.run import fetcher, run
from catalog.harvest.sources import ANYWHERE, Harvest, Run, add
from catalog.harvest.withdrawing import Gone
from catalog.registry.record import Record
from catalog.registry.registry import Registry, create, opened
from catalog.web.app import create_app
from catalog.web.server import HttpServer
from catalog.web.services import services

LOOPBACK = ("127.0.0.0/8",)
Reply = tuple[int, Mapping[str, str], bytes]
PREFIXES = """
@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> . @prefix hydra: <http://www.w3.org/ns/hydra/core#> .
"""


@cache
def _empty() -> tempfile.TemporaryDirectory[str]:
    """A catalog with nothing in it, made once: building tables takes longer than most tests."""
    folder = tempfile.TemporaryDirectory(prefix="veil-empty-")
    create(Path(folder.name) / "c")
    return folder


def empty_catalog(directory: Path) -> None:
    """Puts an empty catalog at a place."""
    shutil.copytree(Path(_empty().name) / "c", directory)


@contextmanager
def city(directory: Path, records: Sequence[Record] = ()) -> Iterator[tuple[str, Registry]]:
    """A city's portal, served on loopback; lends its address and its catalog."""
    empty_catalog(directory)
    with services(directory, public=True) as found:
        if records:
            found.registry.register(records)
        server = HttpServer(create_app(found), "127.0.0.1:0")
        server.start()
        try:
            yield server.url, found.registry
        finally:
            server.stop()


@contextmanager
def province(directory: Path) -> Iterator[Registry]:
    """An empty catalog that harvests."""
    empty_catalog(directory)
    with opened(directory) as registry:
        yield registry


def harvest(
    registry: Registry,
    url: str,
    name: str = "city",
    dialect: Name = "dcat",
    place: str = ANYWHERE,
) -> Harvest:
    """Keeps a harvest of something on loopback."""
    kept = Harvest(name, url, dialect, LOOPBACK, pause_ms=0, place=place)
    add(registry.database, kept, registry.now())
    return kept


def read(
    registry: Registry,
    wanted: Harvest,
    *,
    withdraw: bool = False,
    sleep: Callable[[float], None] = lambda _: None,
) -> tuple[Run, tuple[Gone, ...]]:
    """Runs a harvest without waiting between pages."""
    fetch = fetcher(wanted)
    try:
        return run(registry, wanted, fetch, withdraw=withdraw, sleep=sleep)
    finally:
        fetch.close()


@contextmanager
def fetching(
    limits: FetchLimits | None = None, *, authorities: Path | None = None
) -> Iterator[Fetcher]:
    """A fetcher that may call loopback."""
    networks = [read_network(text) for text in LOOPBACK]
    fetch = Fetcher(networks, limits=limits, authorities=authorities)
    try:
        yield fetch
    finally:
        fetch.close()


@dataclass
class Source:
    """A server that says what it is told.

    Attributes:
        url: Its address.
        pages: Path with query → what is answered.
        asked: Paths that were asked for, in order, with the request's headers.
    """

    url: str = ""
    pages: dict[str, Reply | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def turtle(self, path: str, *names: str, following: str = "", total: int | None = None) -> None:
        """Puts a page of made-up datasets at a path."""
        text = PREFIXES + "".join(map(dataset, names))
        if following or total is not None:
            count = "" if total is None else f"; hydra:totalItems {total}"
            link = f"; hydra:next <{self.url}{following}>" if following else ""
            text += f"<urn:page> a hydra:PartialCollectionView {count} {link} ."
        self.pages[path] = (200, {"Content-Type": "text/turtle"}, text.encode())


def dataset(name: str) -> str:
    """A dataset of a foreign catalog in Turtle."""
    return (
        f'<https://city.test/d/{name}> a dcat:Dataset ; dct:identifier "{name}" ; '
        f'dct:title "数据 {name}" ; dct:publisher <urn:office> .\n'
        '<urn:office> a foaf:Agent ; foaf:name "某局" .\n'
    )


@contextmanager
def source() -> Iterator[Source]:
    """Runs a server on loopback."""
    told = Source()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            told.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            reply = told.pages.get(self.path, (404, {}, b""))
            if callable(reply):
                reply(self)
                return
            status, headers, body = reply
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | dict(headers)).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

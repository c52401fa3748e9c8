"""Whoever answers a harvest is a stranger: where it may lead us, and what its answers may cost."""

from __future__ import annotations

import gzip
import http.server
import ipaddress
import resource
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy import text as sql

from catalog.harvest import entering
from catalog.harvest.ending import end
from catalog.harvest.fetching import Fetcher, FetchLimits, addresses_of
from catalog.harvest.networks import may_call, read_network
from catalog.harvest.sources import last_run, problems
from catalog.interchange.dcat_reading import graph_of
from catalog.registry.record import Department, Item
from catalog.registry.registry import Registry
from catalog.registry.tables import DataRow
from catalog.search.find import Search
from catalog.search.query import Query
from protos.faults import InputError, PolicyError, UnavailableError
from tests.catalog_world import HEALTH, LABOUR, POLICE, record
from tests.harvest_world import Source, city, fetching, harvest, province, read, source

HEARSAY = import_module("catalog.registry.migrations.versions.0009_jurisdictions").HEARSAY


@pytest.fixture
def there() -> Iterator[Source]:
    with source() as told:
        yield told


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Registry]:
    with province(tmp_path / "province") as registry:
        yield registry


# ---- where this machine may be made to call ----------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0",
        "0.0.0.0", "[::1]",  # noqa: S104 - nobody binds to it
        "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "169.254.169.254",
        "[::ffff:169.254.169.254]", "10.0.0.1", "172.16.5.4", "192.168.1.1", "100.64.0.1",
        "[fe80::1]", "[fd00::1]", "[fec0::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
        "[2001:0:7f00:1::]", "224.0.0.1", "255.255.255.255", "[ff02::1]", "192.0.2.1",
        "[::127.0.0.1]", "[0:0:0:0:0:ffff:0a00:0001]",
    ],
)  # fmt: skip
def test_no_address_but_public_ones_is_called(there: Source, host: str) -> None:
    port = there.url.rpartition(":")[2]
    fetch = Fetcher()
    with pytest.raises((PolicyError, InputError)) as caught:
        fetch.get(f"http://{host}:{port}/")
    # What leads to no address at all, as some write numbers, is no address of a catalog.
    assert caught.value.code in {"harvest.address", "harvest.url"}
    fetch.close()
    assert there.asked == []


def test_what_is_named_may_be_called_and_no_more() -> None:
    allowed = [read_network("10.20.0.0/16"), read_network("fd12::/16")]
    assert may_call("10.20.3.4", allowed)
    assert may_call("::ffff:10.20.3.4", allowed)
    assert may_call("fd12::1", allowed)
    assert may_call("1.1.1.1", allowed)
    assert may_call("2606:4700::1111", allowed)
    for address in ("10.21.0.1", "127.0.0.1", "fd13::1", "169.254.169.254", "fe80::1%eth0"):
        assert not may_call(address, allowed)
    # Neighbours and cloud metadata stay closed, whatever is named.
    assert not may_call("169.254.169.254", [ipaddress.ip_network("169.254.0.0/16")])
    for text in ("0.0.0.0/0", "::/0", "8.0.0.0/8", "169.254.0.0/16", "10.0.0.0/7", "x"):
        with pytest.raises(InputError):
            read_network(text)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://a.test/", "gopher://a.test/", "//a.test/", "a.test", "http://",
     "http://user:secret@a.test/", "http://a.test:99999/", "http://a.test/\r\nX: y", "", "http://[::1",
     "http://" + "a" * 3000, "unix:///run/x.sock", "data:text/turtle,", "http://a..test/",
     f"http://{'a' * 70}.test/"],
)  # fmt: skip
def test_what_is_no_address_of_http_is_not_fetched(url: str) -> None:
    fetch = Fetcher()
    with pytest.raises((InputError, UnavailableError)) as caught:
        fetch.get(url)
    assert "secret" not in str(caught.value) or url.startswith("http://user")
    fetch.close()


@pytest.mark.parametrize(
    "where",
    ["http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://[::1]/",
     "http://2852039166/", "//10.0.0.1/x"],
)  # fmt: skip
def test_a_redirect_leads_no_further_than_an_address(there: Source, where: str) -> None:
    there.pages["/c"] = (302, {"Location": where}, b"")
    with fetching() as fetch, pytest.raises(PolicyError):
        fetch.get(f"{there.url}/c")


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://10.0.0.1/", "/c"])
def test_a_redirect_to_no_page_or_in_a_circle(there: Source, where: str) -> None:
    there.pages["/c"] = (301, {"Location": where}, b"")
    with fetching() as fetch, pytest.raises(InputError):
        fetch.get(f"{there.url}/c")
    assert len(there.asked) <= 6


def test_a_name_that_means_something_else_a_moment_later(there: Source) -> None:
    """Rebinding: the name is asked for once, and the connection is made to what was judged."""
    port = int(there.url.rpartition(":")[2])
    answers = iter([["192.0.2.7"], ["127.0.0.1"], ["127.0.0.1"]])
    asked: list[str] = []

    def resolve(host: str, _: int) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    fetch = Fetcher(
        [ipaddress.ip_network("192.0.2.0/24")], resolve=resolve, limits=FetchLimits(silence_s=0.2)
    )
    with pytest.raises(UnavailableError):  # nobody is at 192.0.2.7
        fetch.get(f"http://rebind.test:{port}/")
    assert (asked, there.asked) == (["rebind.test"], [])
    with pytest.raises(PolicyError):
        fetch.get(f"http://rebind.test:{port}/")
    fetch.close()
    assert there.asked == []
    mixed = Fetcher(resolve=lambda *_: ["1.1.1.1", "127.0.0.1"])
    with pytest.raises(PolicyError):  # not even the good one of the two is called
        mixed.get(f"http://mixed.test:{port}/")
    mixed.close()


def test_the_next_page_is_on_the_same_server(here: Registry, there: Source) -> None:
    with source() as other:
        other.turtle("/2", "stolen")
        there.turtle("/1", "a")
        status, headers, body = there.pages["/1"]  # type: ignore[misc]
        link = f"<urn:p> a hydra:PartialCollectionView ; hydra:next <{other.url}/2> ."
        there.pages["/1"] = (status, headers, body + link.encode())
        with pytest.raises(InputError, match="another server"):
            read(here, harvest(here, f"{there.url}/1"))
        assert (other.asked, here.count()) == ([], 0)


# ---- TLS ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """An https server whose certificate is for city.test alone."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=city.test",
         "-addext", "subjectAltName=DNS:city.test"],
        check=True, capture_output=True,
    )  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            plain = self.path == "/down"
            self.send_response(302 if plain else 200)
            if plain:
                self.send_header("Location", "http://city.test/")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.server_port, certificate
    server.shutdown()
    server.server_close()


def test_tls_proves_the_name_and_not_the_address(secure: tuple[int, Path]) -> None:
    port, certificate = secure
    allowed = [read_network("127.0.0.0/8")]
    here = ["127.0.0.1"]
    trusting = Fetcher(allowed, authorities=certificate, resolve=lambda *_: here)
    assert trusting.get(f"https://city.test:{port}/").status == 200
    with pytest.raises(UnavailableError):
        trusting.get(f"https://other.test:{port}/")
    for scheme in ("https", "HTTPS"):
        with pytest.raises(InputError, match="without it"):
            trusting.get(f"{scheme}://city.test:{port}/down")
    trusting.close()
    strange = Fetcher(allowed, resolve=lambda *_: here)
    with pytest.raises(UnavailableError):
        strange.get(f"https://city.test:{port}/")
    strange.close()


# ---- what an answer may cost -------------------------------------------------------------------

SMALL = FetchLimits(bytes=1 << 20, deadline_s=0.5, silence_s=0.3)


def sends(*parts: bytes, pause_s: float = 0.0) -> Callable[[BaseHTTPRequestHandler], None]:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        try:
            for part in parts:
                handler.wfile.write(part)
                handler.wfile.flush()
                time.sleep(pause_s)
        except OSError:
            pass  # the other side has had enough
        handler.close_connection = True

    return reply


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/turtle\r\n"


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([HEAD + b"Content-Length: 99999999\r\n\r\n", *[b"#" * 65536] * 40], "harvest.large"),
        ([HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"#" * (200 << 20), 9)],
         "harvest.large"),
        ([HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"x" * 999)[:-9]],
         "harvest.unreachable"),
        ([HEAD + b"Content-Encoding: gzip\r\n\r\n", b"no gzip"], "harvest.unreachable"),
        ([HEAD + b"Content-Encoding: br\r\n\r\n", b"x"], "harvest.encoding"),
        ([HEAD + b"Content-Encoding: deflate, gzip\r\n\r\n", zlib.compress(b"x")],
         "harvest.encoding"),
        ([HEAD + b"Content-Length: 100\r\n\r\n", b"too short"], "harvest.unreachable"),
        ([b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"y" * 60000 + b"\r\n"] * 9], "harvest.unreachable"),
        ([b"SSH-2.0-OpenSSH\r\n"], "harvest.unreachable"),
    ],
)  # fmt: skip
def test_an_answer_has_an_end(there: Source, parts: list[bytes], code: str) -> None:
    there.pages["/c"] = sends(*parts)
    with fetching(SMALL) as fetch, pytest.raises((InputError, UnavailableError)) as caught:
        fetch.get(f"{there.url}/c")
    assert caught.value.code == code


@pytest.mark.parametrize(
    "parts",
    [
        [b""] * 30,  # says nothing
        [bytes([byte]) for byte in HEAD],  # headers, a byte at a time
        [HEAD + b"Content-Length: 999\r\n\r\n", *[b"#"] * 100],  # a body, a byte at a time
    ],
)
def test_a_slow_server_keeps_nobody(there: Source, parts: list[bytes]) -> None:
    there.pages["/c"] = sends(*parts, pause_s=0.05)
    with fetching(SMALL) as fetch, pytest.raises(UnavailableError, match="too slow"):
        fetch.get(f"{there.url}/c")


BOMB = (
    '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]>"
)
FILE = '<!DOCTYPE r [<!ENTITY j SYSTEM "file:///etc/passwd">]>'
REMOTE = '<!DOCTYPE r SYSTEM "http://127.0.0.1/x.dtd">'


@pytest.mark.parametrize(("declared", "used"), [(BOMB, "&j;"), (FILE, "&j;"), (REMOTE, "x")])
def test_xml_that_declares_entities_is_refused(declared: str, used: str) -> None:
    text = (
        f'<?xml version="1.0"?>{declared}'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:d="urn:d#">'
        f'<rdf:Description rdf:about="urn:x"><d:t>{used}</d:t></rdf:Description></rdf:RDF>'
    )
    with pytest.raises(InputError) as caught:
        graph_of(text, "xml")
    assert caught.value.code == "import.doctype"


@pytest.mark.parametrize("following", [("/1",), ("/2", "/1"), ("/2", "/3", "/2")])
def test_pages_that_lead_in_a_circle(
    here: Registry, there: Source, following: tuple[str, ...]
) -> None:
    for number, link in enumerate(following, 1):
        there.turtle(f"/{number}", f"n{number}", following=link)
    with pytest.raises(InputError, match="circle"):
        read(here, harvest(here, f"{there.url}/1"))
    assert len(there.asked) <= 4
    assert here.count() == len(following)  # what was read is sound, and stays


def test_pages_without_end(here: Registry, there: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        there.turtle(f"/{number}", f"n{number}", following=f"/{number + 1}")
    monkeypatch.setattr(entering, "MOST_RECORDS", 10)
    with pytest.raises(InputError, match="without end"):
        read(here, harvest(here, f"{there.url}/0"))
    assert len(there.asked) == 11


def test_a_peer_takes_no_departments_code_before_it_comes(tmp_path: Path) -> None:
    """It names a department of ours wrongly; our own word of it counts, and then its word not."""
    squatted = replace(POLICE, name="无此部门")
    with (
        city(tmp_path / "city", [record("E/1", provider=squatted)]) as (url, theirs),
        province(tmp_path / "p") as registry,
    ):
        from_city = harvest(registry, f"{url}/catalog.ttl")
        assert read(registry, from_city)[0].new == 1
        registry.register([record("P/1", provider=POLICE)])
        assert registry.entry("local", "P/1").record.provider == POLICE
        assert registry.entry("city", "E/1").record.provider == POLICE
        theirs.register([record("E/2", provider=squatted)])
        assert read(registry, from_city)[0].new == 0  # and from now on it is a problem of theirs
        # Of what the catalog itself has said, the first spelling stands, as ever.
        with pytest.raises(InputError, match="in this catalog"):
            registry.register([record("P/2", provider=squatted)])


def test_a_city_speaks_for_nobody_elsewhere(tmp_path: Path) -> None:
    """A peer in the name of the ministry, of the province or of another city: not taken."""
    strangers = [
        Department("11440000000000003C", "广东省公安厅", "440000"),
        Department("11440300000000004D", "深圳市公安局", "440300"),
        Department("11440111000000005E", "白云区公安分局", "440111"),
    ]
    liar = Department("114400000069401678", "广东省公安厅", "440100")  # the code is the province's
    told = [record(f"E/{n}", provider=each) for n, each in enumerate([*strangers, liar])]
    with (
        city(tmp_path / "city", [*told, record("E/9", provider=POLICE)]) as (url, theirs),
        province(tmp_path / "p") as registry,
    ):
        of_guangzhou = harvest(registry, f"{url}/catalog.ttl", place="440100")
        assert read(registry, of_guangzhou)[0].new == 2  # its own, and a district of it
        assert [
            e.provider.place for e in sorted(registry.records(), key=lambda r: r.identifier)
        ] == ["440111", "440100"]
        with registry.database.read() as connection:
            bad = problems(connection, "city")
        assert ["speaks for 440100" in each.said.en for each in bad] == [True] * 3
        # What was taken, and is given to somebody else's department later, stays as it was.
        theirs.register([record("E/9", provider=strangers[0])])
        assert read(registry, of_guangzhou)[0].changed == 0
        assert registry.entry("city", "E/9").record.provider == POLICE


def test_a_peer_takes_no_datum_before_its_department_comes(tmp_path: Path) -> None:
    """Whoever is harvested first is no source of what a department of ours registers."""
    squatting = Department("1144010000000EVIL", "邻市数据局", "440100")
    mine = {"items": (Item("户籍地址", "string", grade=2, subject="自然人"),)}

    def source_of(where: str, identifier: str) -> str:
        return registry.entry(where, identifier).sources["户籍地址"]

    with (
        city(tmp_path / "city", [record("E/1", provider=squatting, **mine)]) as (url, theirs),
        province(tmp_path / "p") as registry,
    ):
        from_city = harvest(registry, f"{url}/catalog.ttl")
        read(registry, from_city)
        assert source_of("city", "E/1") == squatting.name
        registry.register([record("P/1", provider=POLICE, **mine)])
        assert source_of("local", "P/1") == source_of("city", "E/1") == POLICE.name
        [decided] = registry.conflicts()
        assert (decided.state, decided.holder.name) == ("moved", squatting.name)
        assert [step.what for step in decided.steps] == ["opened", "moved"]
        # It says so again, in other words: nothing is opened again, nothing moves back.
        theirs.register([record("E/1", provider=squatting, abstract="又及", **mine)])
        assert read(registry, from_city)[0].changed == 1
        assert source_of("local", "P/1") == source_of("city", "E/1") == POLICE.name
        assert len(registry.conflicts()) == 1
        # Against a claim of our own a harvested one is a conflict, as ever.
        theirs.register([record("E/2", provider=HEALTH, **mine)])
        read(registry, from_city)
        [left] = registry.conflicts(state="open")
        assert (left.holder.name, left.claimant.name) == (POLICE.name, HEALTH.name)
        assert source_of("local", "P/1") == POLICE.name


def test_hearsay_that_somebody_here_confirms_is_hearsay_no_longer(tmp_path: Path) -> None:
    """By a decision, by the same department's own record, or by keeping what was harvested."""
    mine = {"items": (Item("户籍地址", "string", grade=2, subject="自然人"),)}
    ours = record("P/1", provider=POLICE, **mine)
    for number, confirm in enumerate(("decided", "registered", "kept", "migrated")):
        told = [record("E/1", provider=HEALTH, **mine)]
        told += (
            [record("E/2", provider=replace(LABOUR, place="440100"), **mine)]
            if confirm == "decided"
            else []
        )
        with (
            city(tmp_path / f"city{number}", told) as (url, _),
            province(tmp_path / f"p{number}") as registry,
        ):
            from_city = harvest(registry, f"{url}/catalog.ttl")
            read(registry, from_city)
            if confirm == "decided":
                registry.resolve(1, "keep", who="省局", note="纪要")
            elif confirm == "registered":
                registry.register([record("H/1", provider=HEALTH, **mine)])
            elif confirm == "kept":
                end(registry, from_city, withdraw=False, by="", reason="")
            else:  # a catalog of before: what was harvested alone, and nothing else, is hearsay
                with registry.database.write() as (connection, _):
                    connection.execute(update(DataRow).values(hearsay=0))
                    connection.execute(sql(HEARSAY))
            registry.register([ours])
            moved = registry.entry("local", "P/1").sources["户籍地址"] == POLICE.name
            assert moved == (confirm == "migrated"), confirm
            with registry.database.write() as (connection, _):
                connection.execute(sql(HEARSAY))
                assert connection.execute(select(DataRow.hearsay)).scalars().all() == [
                    int(confirm == "decided")  # of items alone a decision cannot be told
                ]


@pytest.mark.parametrize("how", ["database", "system"])
def test_a_disk_that_is_full_in_the_middle_of_a_page(
    tmp_path: Path, there: Source, how: str
) -> None:
    """Nothing of the page is there, nothing is withdrawn, and with space the same run goes on."""
    first, second = [f"a{n}" for n in range(20)], [f"b{n}" for n in range(100)]
    there.turtle("/1", *first, following="/2", total=120)
    there.turtle("/2", *second, total=120)
    with province(tmp_path / "p") as registry:
        wanted = harvest(registry, f"{there.url}/1")
        with (
            pytest.raises(UnavailableError) as caught,
            ExitStack() as limited,
        ):
            read(registry, wanted, sleep=lambda _: limited.enter_context(full(registry, how)))
        assert caught.value.code == "catalog.database"
        assert "disk" in caught.value.remedy
        assert {r.identifier for r in registry.records()} == set(first)
        with registry.database.read() as connection:
            before = last_run(connection, "city")
            known = connection.execute(sql("SELECT count(*) FROM harvest_records")).scalar_one()
            pages = connection.execute(sql("SELECT count(*) FROM harvest_pages")).scalar_one()
        assert before is not None
        assert (before.pages, before.following) == (1, f"{there.url}/2")
        assert (known, pages) == (20, 1)
        assert Search(registry.database).find(Query("数据 b1")).hits == ()
        there.asked.clear()
        after, gone = read(registry, wanted)
        assert (after.state, after.number, after.pages, gone) == ("complete", 1, 2, ())
        assert [path for path, _ in there.asked] == ["/2"]
        assert {r.identifier for r in registry.records()} == {*first, *second}


@contextmanager
def full(registry: Registry, how: str) -> Iterator[None]:
    """Lets the catalog's file, or any file of this process, grow by little more."""
    if how == "database":
        with registry.database.read() as connection:
            (pages,) = connection.execute(sql("PRAGMA page_count")).one()
            connection.execute(sql(f"PRAGMA max_page_count = {pages + 8}"))
        try:
            yield
        finally:
            with registry.database.read() as connection:
                connection.execute(sql("PRAGMA max_page_count = 1000000"))
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (registry.directory / "catalog.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_resolver_knows_every_way_to_write_an_address() -> None:
    """The judge sees what the system makes of a text, so no way to write one gets past it."""
    for text in ("2130706433", "0x7f.1", "0177.1", "127.1"):
        assert addresses_of(text, 80) == ["127.0.0.1"]
    assert socket.has_ipv6
